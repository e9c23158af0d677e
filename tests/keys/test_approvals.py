"""keys/approvals.py: what a request is, who signed it, and what asks for less."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.keys.people import Signer

from strongroom.errors import (
    ApprovalExpired,
    ApprovalIncomplete,
    ApprovalMismatch,
    ApprovalRequestInvalid,
    ApprovalsWeakened,
)
from strongroom.keys.approvals import (
    MAX_REQUEST_BYTES,
    Act,
    Request,
    Requirement,
    refuse_other,
    refuse_unless_signed,
    refuse_weaker,
    signed_by,
)
from strongroom.keys.sshsig import PublicKey, parse_public_key

NOW = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)
ACT = Act("export", "export the keys of shop/public.t.iban", {"keyset": "shop/public.t.iban", "file": "/x"})
STATE = "0123456789abcdef"


def a_key(number: int) -> PublicKey:
    """A key that signs nothing here."""
    return PublicKey("ssh-ed25519", bytes([number]))


A, B, C = (a_key(number) for number in range(3))
BASE = Requirement(2, {"anna": (A,), "ben": (B,), "carla": (C,)}, frozenset({"export", "root"}))


def test_a_request_has_one_form() -> None:
    """Written, read, and written again; in ASCII, whatever it says."""
    act = replace(ACT, words="exportiere „alles“ \u202e nach\x1b[2J", fields={"file": "/ü\n"})
    request = Request.new(act, STATE, "anna@host", NOW)
    assert Request.read(request.written()) == request
    assert request.written().isascii()
    assert b"\x1b" not in request.written()
    assert request.expires - request.made == timedelta(hours=24)


def test_two_requests_for_one_act_differ() -> None:
    """Each has a nonce of its own."""
    first, second = (Request.new(ACT, STATE, "anna@host", NOW) for _ in range(2))
    assert first != second
    assert replace(first, nonce=second.nonce) == second


def test_what_is_no_request() -> None:
    """Other order, spaces, fields, types and formats; too long; none at all."""
    good = Request.new(ACT, STATE, "anna@host", NOW).written()
    document = json.loads(good)

    def changed(**fields: object) -> bytes:
        return json.dumps(document | fields, indent=1).encode() + b"\n"

    assert changed() == good
    bad = [
        b"",
        b"[]",
        b"null",
        b"[" * 100_000,
        good[:-1],
        good + b"\n",
        json.dumps(document).encode(),
        json.dumps(dict(reversed(document.items())), indent=1).encode() + b"\n",
        changed(more="x"),
        changed(format="strongroom approval request 2"),
        changed(act=1),
        changed(fields=[]),
        changed(fields={"file": 1}),
        changed(fields={"keyset": "b", "file": "a"}),  # not in order
        changed(nonce="0" * 31),
        changed(made="yesterday"),
        changed(made="2026-11-22T16:00:00"),
        changed(expires="2026-11-23T17:00:00+01:00"),
        changed(words="x" * MAX_REQUEST_BYTES),
    ]
    for content in bad:
        with pytest.raises(ApprovalRequestInvalid):
            Request.read(content)


def test_another_act_state_or_time() -> None:
    """Each field counts, its absence too, and the words; and the day in which it holds."""
    request = Request.new(ACT, STATE, "anna@host", NOW)
    refuse_other(request, ACT, STATE, NOW)
    others = [
        replace(ACT, kind="destroy"),
        replace(ACT, words="something harmless"),
        replace(ACT, fields={**ACT.fields, "file": "/y"}),
        replace(ACT, fields={"keyset": "shop/public.t.iban"}),
        replace(ACT, fields={**ACT.fields, "more": ""}),
    ]
    for act in others:
        with pytest.raises(ApprovalMismatch):
            refuse_other(request, act, STATE, NOW)
    with pytest.raises(ApprovalMismatch, match="is for the state"):
        refuse_other(request, ACT, STATE[::-1], NOW)
    day = timedelta(hours=24)
    refuse_other(request, ACT, STATE, NOW + day - timedelta(seconds=1))
    refuse_other(request, ACT, STATE, NOW - timedelta(minutes=5))
    for now in (NOW + day, NOW - timedelta(minutes=6)):
        with pytest.raises(ApprovalExpired):
            refuse_other(request, ACT, STATE, now)
    with pytest.raises(ApprovalExpired):
        refuse_other(replace(request, expires=NOW + 2 * day), ACT, STATE, NOW)


def test_different_people_are_counted(tmp_path: Path) -> None:
    """Two keys of one person are one person; a stranger is none; each that does not count says why."""
    anna, laptop, ben, stranger = (Signer.make(tmp_path, name) for name in ("a", "al", "b", "s"))
    by = {
        "anna": (parse_public_key(anna.public), parse_public_key(laptop.public)),
        "ben": (parse_public_key(ben.public),),
    }
    requirement = Requirement(2, by, frozenset({"export"}))
    content = Request.new(ACT, STATE, "anna@host", NOW).written()
    signatures = {one.name: one.signature(content) for one in (anna, laptop, stranger)}
    signatures["none"] = b"nonsense"
    found = signed_by(content, signatures, requirement)
    assert [one.person for one in found] == ["anna", "anna", None, None]
    with pytest.raises(ApprovalIncomplete) as refused:
        refuse_unless_signed(found, requirement)
    assert "those who did: anna" in refused.value.message
    assert refused.value.detail.count("\n") == 1
    signatures[ben.name] = ben.signature(content)
    assert refuse_unless_signed(signed_by(content, signatures, requirement), requirement) == ("anna", "ben")
    other = Request.new(ACT, STATE, "anna@host", NOW).written()
    assert all(one.person is None for one in signed_by(other, signatures, requirement))


@pytest.mark.parametrize(
    "less",
    [
        None,
        replace(BASE, needed=1),
        replace(BASE, acts=frozenset({"export"})),
        replace(BASE, by={**BASE.by, "mallory": (a_key(9),)}),
        replace(BASE, by={**BASE.by, "ben": (B, a_key(9))}),
        replace(BASE, by={**BASE.by, "ben": (a_key(9),)}),
        replace(BASE, by={"anna": (A,), "benjamin": (B,)}),
        replace(BASE, by={"anna": (B,), "ben": (A,)}),
    ],
)
def test_what_asks_for_less(less: Requirement | None) -> None:
    """Nobody, fewer, an act less, another person, another key, another name for one."""
    with pytest.raises(ApprovalsWeakened):
        refuse_weaker(less, BASE)


@pytest.mark.parametrize(
    "enough",
    [
        BASE,
        replace(BASE, needed=3),
        replace(BASE, acts=BASE.acts | {"destroy"}),
        replace(BASE, by={"anna": (A,), "ben": (B,)}),
    ],
)
def test_what_asks_for_no_less(enough: Requirement) -> None:
    """The same, more people, more acts, fewer to choose from; and anything, where nothing is on record."""
    refuse_weaker(enough, BASE)
    refuse_weaker(enough, None)
    refuse_weaker(None, None)
