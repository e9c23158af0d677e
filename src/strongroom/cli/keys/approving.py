"""What a command does that needs a second person: it writes a request, or takes one that was signed.

``with approved(settings, state, act, approval, signature): ...`` is all that a command has to say, and the
two options. Who must sign is said by ``keys.approvals``, by ``protection``, or by both, each in the
configuration or on record. Where neither says it, it does nothing.
"""

import os
import pwd
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from strongroom.acceptance.store import Acceptance
from strongroom.config import Settings
from strongroom.config.roots import FileAddress, RootAddress
from strongroom.errors import ApprovalNeeded
from strongroom.keys.approval_store import Approvals
from strongroom.keys.approvals import (
    MAX_REQUEST_BYTES,
    NAMESPACE,
    Act,
    Request,
    Requirement,
    refuse_other,
    refuse_unless_signed,
    signed_by,
)
from strongroom.keys.generation import state_id
from strongroom.keys.root.opening import name_of, provider_of
from strongroom.keys.sshsig import MAX_SIGNATURE_BYTES
from strongroom.state import State

Approval = Annotated[
    Path | None,
    typer.Option(
        "--approval", metavar="FILE", help="The request that was signed; a new file: make it there."
    ),
]
Signature = Annotated[
    list[Path] | None,
    typer.Option("--signature", metavar="FILE", help="One that does not lie beside it; may be repeated."),
]


@contextmanager
def approved(
    settings: Settings,
    state: State,
    act: Act,
    approval: Path | None,
    signatures: Iterable[Path] | None,
    *,
    resumable: bool = False,
) -> Iterator[tuple[str, ...]]:
    """While an act is done that people have signed, or that needs nobody; who they are.

    Raises ``ApprovalNeeded`` where nothing was signed yet, having written the request; another
    ``ApprovalError`` where it does not fit. A ``resumable`` act may be run again with the same request until
    it has ended well.
    """
    required = Approvals(state.engine).required(settings.approvals)
    demands = demanded(act.kind, required, protecting(settings, state))
    if not demands:
        yield ()
        return
    with signed(state, act, demands, approval, signatures, resumable=resumable) as people:
        yield people


def demanded(act: str, *required: Requirement | None) -> list[Requirement]:
    """Those that ask for signatures of this act."""
    return [one for one in required if one is not None and act in one.acts]


def protecting(settings: Settings, state: State) -> Requirement | None:
    """Who signs what weakens protection: as it was accepted, or where nothing was yet, as is configured."""
    accepted = Acceptance(state.engine).accepted()
    if accepted is not None and accepted.signers is not None:
        return accepted.signers
    return None if settings.protection is None else settings.protection.requirement


@contextmanager
def signed(
    state: State,
    act: Act,
    demands: Sequence[Requirement],
    approval: Path | None,
    signatures: Iterable[Path] | None,
    *,
    resumable: bool = False,
) -> Iterator[tuple[str, ...]]:
    """As ``approved``, by these people, whatever the configuration says of it; each demand is to be met."""
    this, now = state_id(state.engine), datetime.now(UTC)
    if approval is None or not approval.exists():
        request = Request.new(act, this, asking(), now)
        raise needed(request, demands, written(request, approval))
    content = read_limited(approval, MAX_REQUEST_BYTES)
    request = Request.read(content)
    refuse_other(request, act, this, now)
    people = who_signed(content, signatures_of(approval, signatures or ()), demands)
    approvals = Approvals(state.engine)
    approvals.begin(request, people, resumable=resumable)
    yield people
    approvals.done(request)


def who_signed(
    content: bytes, signatures: Mapping[str, bytes], demands: Iterable[Requirement]
) -> tuple[str, ...]:
    """Everybody whose signature counts; raises ``ApprovalIncomplete`` where one of the demands is not met."""
    people = {
        person for one in demands for person in refuse_unless_signed(signed_by(content, signatures, one), one)
    }
    return tuple(sorted(people))


def roots_in_words(settings: Settings) -> str:
    """The configured roots, as far as they can be told before they are opened, or made."""
    return ", ".join(_root(address) for address in (settings.keys.roots if settings.keys else ()))


def _root(address: RootAddress) -> str:
    if isinstance(address, FileAddress):
        return f"file {address.path}"
    return name_of(address) or provider_of(address)


def signatures_of(request: Path, further: Iterable[Path]) -> dict[str, bytes]:
    """The signatures beside a request, and those that were named, by the names of their files."""
    beside = sorted(
        one
        for one in request.absolute().parent.iterdir()
        if one.name.startswith(f"{request.name}.") and one.name.endswith(".sig")
    )
    return {str(one): read_limited(one, MAX_SIGNATURE_BYTES) for one in (*beside, *further)}


def read_limited(path: Path, limit: int) -> bytes:
    """A file's octets, at most one more than the limit; raises ``typer.BadParameter``."""
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}") from None


def written(request: Request, place: Path | None) -> Path:
    """Writes a request into a new file; raises ``typer.BadParameter``."""
    path = place or Path(f"strongroom-{request.act.kind}-{request.nonce[:8]}.json")
    try:
        with path.open("xb") as file:
            file.write(request.written())
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}; name a file with --approval") from None
    return path


def needed(request: Request, demands: Iterable[Requirement], path: Path) -> ApprovalNeeded:
    """That nothing was done yet, and what to do."""
    people = " and ".join(f"{one.needed} of {', '.join(one.by)}" for one in demands)
    return ApprovalNeeded(
        f"nothing was done: {request.act.words}, needs {people} to sign",
        detail=how_to_sign(request, path),
        hint=f"Then run the same command with --approval {path}",
    )


def how_to_sign(request: Request, path: Path) -> str:
    """For each of the people."""
    return (
        f"the request is in {path}, and holds until {request.expires:%Y-%m-%d %H:%M}Z; each of them"
        f" runs:\n  ssh-keygen -Y sign -n {NAMESPACE} -f ~/.ssh/id_ed25519 < {path} > {path}.NAME.sig"
    )


def asking() -> str:
    """Who asks, as the system knows them: for people to read."""
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a user without an entry, as in containers
        user = f"user {os.geteuid()}"
    return f"{user}@{socket.gethostname()}"
