"""Acts that one person alone may not do: what is to be done, in words and fields, signed by several people.

A request is a small file that says the act, the state that it is for, and until when it holds; people sign it
as it is, with their SSH keys (``sshsig.py``). Whoever runs the act then gives request and signatures. Here is
what decides: whether that very act, in that state, was signed by enough different people, in time; and
whether what is required of them now is less than it was. ``approval_store.py`` keeps what was required, and
what was done. This room knows nothing of keys, and has no clock. Called by ``config`` and the commands.
"""

import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from strongroom.errors import (
    ApprovalExpired,
    ApprovalIncomplete,
    ApprovalMismatch,
    ApprovalRequestInvalid,
    ApprovalsWeakened,
    SignatureInvalid,
)
from strongroom.keys import sshsig
from strongroom.keys.sshsig import PublicKey

NAMESPACE = "strongroom-approval"
FORMAT = "strongroom approval request 1"
LASTS = timedelta(hours=24)
CLOCKS_DIFFER = timedelta(minutes=5)
"""How far ahead of ours the clock of the machine that made the request may be."""
MAX_REQUEST_BYTES = 1 << 16
MAX_SIGNATURES = 64


@dataclass(frozen=True, slots=True)
class Act:
    """One thing to be done, exactly."""

    kind: str
    """One word: ``export``, ``destroy``."""
    words: str
    """A sentence for who signs; it says nothing that the fields do not say."""
    fields: Mapping[str, str]
    """What it is done to, and how: another value is another act."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """How many of which people must sign which acts."""

    needed: int
    by: Mapping[str, tuple[PublicKey, ...]]
    """The keys of each person, by name."""
    acts: frozenset[str]

    def covers(self, former: "Requirement") -> bool:
        """Whether this asks for no less than a former one: as many, for its acts, of its people alone."""
        return (
            self.needed >= former.needed
            and self.acts >= former.acts
            and all(set(keys) <= set(former.by.get(name, ())) for name, keys in self.by.items())
        )

    @property
    def fields(self) -> Mapping[str, str]:
        """In words, as the fields of an act have them."""
        people = {
            f"person {name}": ", ".join(sorted(str(key) for key in keys)) for name, keys in self.by.items()
        }
        return {"needed": str(self.needed), "for": ", ".join(sorted(self.acts)), **people}

    def person(self, key: PublicKey) -> str | None:
        """Whose key it is."""
        return next((name for name, keys in self.by.items() if key in keys), None)


@dataclass(frozen=True, slots=True)
class Request:
    """What is signed."""

    act: Act
    state: str
    asked_by: str
    """Whoever asked, as the system knows them: for people to read, and never trusted."""
    made: datetime
    expires: datetime
    nonce: str = field(default_factory=lambda: secrets.token_hex(16))

    @classmethod
    def new(cls, act: Act, state: str, asked_by: str, now: datetime) -> "Request":
        """A request that lasts a day from now."""
        made = now.astimezone(UTC).replace(microsecond=0)
        return cls(act, state, asked_by, made, made + LASTS)

    def written(self) -> bytes:
        """The one form of it in octets: ASCII, so that what is read is what is signed."""
        document = {
            "format": FORMAT,
            "act": self.act.kind,
            "words": self.act.words,
            "fields": dict(sorted(self.act.fields.items())),
            "state": self.state,
            "asked_by": self.asked_by,
            "made": self.made.isoformat(),
            "expires": self.expires.isoformat(),
            "nonce": self.nonce,
        }
        return json.dumps(document, indent=1).encode() + b"\n"

    @classmethod
    def read(cls, content: bytes) -> "Request":
        """A request in its one form; raises ``ApprovalRequestInvalid``."""
        try:
            if len(content) > MAX_REQUEST_BYTES:
                raise ValueError
            found = json.loads(content)
            request = _request(found)
            if found["format"] != FORMAT or request.written() != content:
                raise ValueError
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise ApprovalRequestInvalid("the file is not a request as Strongroom writes it") from None
        return request


def _request(found: Mapping[str, Any]) -> Request:
    texts = [found[name] for name in ("act", "words", "state", "asked_by", "nonce")]
    fields = found["fields"]
    if not all(isinstance(one, str) for one in (*texts, *fields, *fields.values())):
        raise ValueError
    if not re.fullmatch(r"[0-9a-f]{32}", found["nonce"]):
        raise ValueError
    kind, words, state, asked_by, nonce = texts
    made, expires = (datetime.fromisoformat(found[name]) for name in ("made", "expires"))
    if made.tzinfo is not UTC or expires.tzinfo is not UTC:
        raise ValueError
    return Request(Act(kind, words, fields), state, asked_by, made, expires, nonce)


@dataclass(frozen=True, slots=True)
class Signed:
    """One signature of a request: whose it is, or why it does not count."""

    file: str
    person: str | None
    why_not: str = ""


def signed_by(content: bytes, signatures: Mapping[str, bytes], requirement: Requirement) -> list[Signed]:
    """Who signed these octets; ``signatures`` are armoured, by the names of their files."""
    return [
        _signed(content, file, one, requirement) for file, one in list(signatures.items())[:MAX_SIGNATURES]
    ]


def _signed(content: bytes, file: str, armoured: bytes, requirement: Requirement) -> Signed:
    """Whose it is comes first: nothing is computed with a stranger's key."""
    try:
        signature = sshsig.parse_signature(armoured)
        person = requirement.person(signature.key)
        if person is None:
            return Signed(file, None, f"nobody who approves has the key {signature.key.fingerprint}")
        sshsig.verify(signature, content, NAMESPACE)
    except SignatureInvalid as error:
        return Signed(file, None, error.message)
    return Signed(file, person)


def refuse_unless_signed(signed: Iterable[Signed], requirement: Requirement) -> tuple[str, ...]:
    """The different people who signed; raises ``ApprovalIncomplete`` where they are not enough."""
    signed = list(signed)
    people = tuple(sorted({one.person for one in signed if one.person is not None}))
    if len(people) < requirement.needed:
        raise ApprovalIncomplete(
            f"{requirement.needed} people must sign; those who did: {', '.join(people) or 'nobody'}",
            detail="\n".join(f"{one.file}: {one.why_not}" for one in signed if one.why_not),
        )
    return people


def refuse_other(request: Request, act: Act, state: str, now: datetime) -> None:
    """Raises ``ApprovalMismatch`` or ``ApprovalExpired`` unless it is for this act, here and now."""
    if request.state != state:
        raise ApprovalMismatch(
            f"the request is for the state {request.state}, and this one is {state}",
            hint="a request is for the state in which it was made; one that was copied back is another. Ask"
            " anew, without --approval",
        )
    if request.act != act:
        names = sorted(
            name
            for name in {*request.act.fields, *act.fields}
            if request.act.fields.get(name) != act.fields.get(name)
        )
        raise ApprovalMismatch(
            f"what was signed is another act: {request.act.kind} and not {act.kind}"
            if request.act.kind != act.kind
            else f"what was signed differs in: {', '.join(names) or 'its words'}",
        )
    if request.expires <= now or request.expires - request.made > LASTS:
        raise ApprovalExpired(f"the request held until {request.expires:%Y-%m-%d %H:%M}Z")
    if request.made > now + CLOCKS_DIFFER:
        raise ApprovalExpired(f"the request was made in the future, at {request.made:%Y-%m-%d %H:%M}Z")


def refuse_weaker(configured: Requirement | None, recorded: Requirement | None) -> None:
    """Raises ``ApprovalsWeakened`` where the configuration asks for less than was asked before."""
    if recorded is None or (configured is not None and configured.covers(recorded)):
        return
    raise ApprovalsWeakened(
        f"the configuration asks for fewer approvals than were asked for before: {recorded.needed} of"
        f" {', '.join(recorded.by)}, for {', '.join(sorted(recorded.acts))}"
    )
