"""Whether a configuration may be taken, by what was accepted before: here, and beside the data.

`stand` comes before anything else is done with a configuration. It finds what was accepted (``acceptance``),
in the state and beside the data of every database, takes the newer, and raises ``ProtectionWeakened`` unless
the configuration protects no less, or people signed that very change. `settle` comes after everything else
was found good: what is taken counts from then on, in the state first and then beside the data. Without
``protection:`` now and before, both look and do nothing. Called by `supervisor`, `protection` and ``check``.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from psycopg import sql

from strongroom.acceptance import record as beside
from strongroom.acceptance.record import Record, is_proven, proven
from strongroom.acceptance.store import Acceptance, Accepted, SignedChange
from strongroom.config import Settings
from strongroom.errors import (
    ProtectionForgotten,
    ProtectionNotKept,
    ProtectionWeakened,
    StanceUnreadable,
    UpstreamError,
)
from strongroom.gateway.inquiry import ask
from strongroom.gateway.kept import Place, filled
from strongroom.gateway.stances import stance_of
from strongroom.keys.beside import ALONE
from strongroom.keys.hierarchy import Roots
from strongroom.keys.root.entering import Entered
from strongroom.keys.root.opening import open_roots
from strongroom.keys.store import kept_keks
from strongroom.policy.roles import Policy
from strongroom.stance.model import Stance, Weakening
from strongroom.stance.sections import weakenings
from strongroom.state import State

SHOWN_AT_MOST = 40
"""Of so many weakenings each stands in the error; `strongroom protection diff` has all."""


@dataclass(frozen=True, slots=True)
class Standing:
    """That a configuration may be taken."""

    stance: Stance
    before: Accepted | None
    """None where nothing was ever accepted."""
    signed: SignedChange | None = None
    """The change, where it weakens; with what it weakens."""
    weaker: tuple[Weakening, ...] = ()
    found: Mapping[str, Record | None] = field(default_factory=dict)
    """What stands beside the data of each database that answered."""
    unasked: tuple[str, ...] = ()
    """Databases that did not answer, where the state knows of nothing."""

    @property
    def is_bound(self) -> bool:
        """Whether weakening takes people, by this configuration."""
        return bool(self.stance.signers)

    @property
    def said(self) -> list[str]:
        """What is taken though it protects less, and who signed that."""
        people = "" if self.signed is None else ", ".join(self.signed.people)
        return [
            *(f"protects less from now on, as {people} signed: {one}" for one in self.weaker),
            *(
                f"databases.{name} does not answer: what was accepted before was not asked for"
                for name in self.unasked
            ),
        ]


async def stand(
    settings: Settings,
    state: State,
    places: Iterable[Place],
    entered: Entered | None = None,
    policy: Policy | None = None,
) -> Standing:
    """Raises ``ProtectionWeakened`` or ``ProtectionForgotten`` where the configuration may not be taken."""
    stance, acceptance, places = stance_of(settings, policy), Acceptance(state.engine), list(places)
    judged(acceptance, stance)  # before any database is asked: they may be others than before
    found = await _found(settings, acceptance.accepted(), places)
    await _take_over(settings, state, found, entered)
    before, signed, weaker = judged(acceptance, stance)
    unasked = tuple(one.name for one in places if before is None and one.name not in found)
    return Standing(stance, before, signed, weaker, found, unasked)


def judged(
    acceptance: Acceptance, stance: Stance
) -> tuple[Accepted | None, SignedChange | None, tuple[Weakening, ...]]:
    """What was accepted before, and the signed change to this; raises ``ProtectionWeakened``."""
    before = acceptance.accepted()
    if before is None or before.signers is None:
        return before, None, ()
    weaker = weakenings(before.stance, stance)
    if not weaker:
        return before, None, ()
    signed = acceptance.signed(before.stance, stance, weaker, datetime.now(UTC))
    if signed is None:
        raise ProtectionWeakened(
            f"the configuration protects less than the one that was accepted, in {len(weaker)}"
            f" {'place' if len(weaker) == 1 else 'places'}, and {before.signers.needed} of"
            f" {', '.join(before.signers.by)} have not signed this change",
            detail="\n".join(map(str, weaker[:SHOWN_AT_MOST])),
        )
    return before, signed, tuple(weaker)


# -------------------------------------------------------------------------------------------- beside the data


async def _found(
    settings: Settings, known: Accepted | None, places: Iterable[Place]
) -> dict[str, Record | None]:
    """What stands beside the data. A database that does not answer is no matter where the state knows."""
    found = {}
    for place in places:
        try:
            found[place.name] = await read_beside(place)
        except UpstreamError as error:
            if known is None and settings.protection is not None:
                raise ProtectionForgotten(
                    f"databases.{place.name}: what was accepted before cannot be asked for: {error.message}",
                    hint="Let the database be reached, and its upstream user read"
                    " strongroom_keys.protection; then start again.",
                ) from error
    return found


async def read_beside(place: Place) -> Record | None:
    """The record of one database; raises ``UpstreamError`` or ``ProtectionForgotten``."""
    if await ask(place.connector, beside.IS_THERE) != [(b"t",)]:
        return None
    try:
        rows = await ask(place.connector, beside.READ)
    except UpstreamError as error:
        raise ProtectionForgotten(
            f"databases.{place.name}: strongroom_keys.protection cannot be read: {error.message}"
        ) from error
    return Record.read(*rows[0]) if rows else None


async def _take_over(
    settings: Settings, state: State, found: Mapping[str, Record | None], entered: Entered | None
) -> None:
    """The newest record, where it is newer than what the state knows; raises ``ProtectionForgotten``."""
    acceptance, roots = Acceptance(state.engine), None
    for name, record in found.items():
        known = acceptance.accepted()
        if record is None or (known is not None and not _is_news(record, known)):
            continue
        roots = roots or await _roots(settings, state, found.values(), entered)
        if not await asyncio.to_thread(is_proven, record, roots):
            raise ProtectionForgotten(
                f"databases.{name}: what stands in strongroom_keys.protection was not written under a root"
                " that is configured, or was changed",
                hint="Configure the root key that was in use, or put the state or the row back.",
            )
        if known is not None and record.number == known.number:
            raise ProtectionForgotten(
                f"databases.{name}: another state has accepted another configuration under the same number",
                hint="Two copies of one state are in use: stop one of the gateways, and put its state away.",
            )
        acceptance.take_over(record.number, _stance(name, record), name)


def _is_news(record: Record, known: Accepted) -> bool:
    if record.number == known.number:
        return record.stance != known.stance.written()
    return record.number > known.number


def _stance(name: str, record: Record) -> Stance:
    try:
        return Stance.read(record.stance)
    except StanceUnreadable as error:
        raise StanceUnreadable(f"databases.{name}: {error.message}", hint=error.hint) from None


async def _roots(
    settings: Settings, state: State, found: Iterable[Record | None], entered: Entered | None
) -> Roots:
    if settings.keys is None:
        raise ProtectionForgotten(
            "what was accepted before stands beside the data, and there is no keys.root to prove it by",
            hint="Put keys: {root: ...} back.",
        )
    kept = [*kept_keks(state.engine).values(), *(one.as_kek for one in found if one is not None)]
    addresses, folder = settings.keys.roots, settings.state.path.parent
    return await asyncio.to_thread(open_roots, addresses, folder, kept, entered)


async def settle(
    standing: Standing,
    settings: Settings,
    state: State,
    places: Sequence[Place],
    *,
    roots: Roots,
    entered: Entered | None = None,
) -> list[str]:
    """What is taken counts from now on; what is to be said of it. Raises ``ProtectionNotKept``.

    ``roots`` are those that were opened already, if any were.
    """
    before, said = Acceptance(state.engine).accepted(), standing.said  # as people began anew, too
    if (before is None or before.signers is None) and not standing.is_bound:
        return said
    changed = before is None or before.stance != standing.stance
    if before is None or changed:
        if before is None or before.signers is None:
            said.append("what weakens protection takes several people from now on")
        number = 1 if before is None else before.number + 1
        before = Acceptance(state.engine).accept(number, standing.stance, standing.signed)
    for place in places:
        record = standing.found.get(place.name)
        if place.name not in standing.found and not changed:
            continue  # it does not answer now, and has been written before
        if record is None or not _stands(record, before, roots):
            if not roots.usable:
                roots = await _roots(settings, state, standing.found.values(), entered)
            fresh = await asyncio.to_thread(proven, before.number, before.stance, roots, record)
            await _write(place, fresh)
    return said


def _stands(record: Record, accepted: Accepted, roots: Roots) -> bool:
    """Whether the row has what counts, proven by every root that was opened."""
    return (
        record.number == accepted.number
        and record.stance == accepted.stance.written()
        and bool(record.proofs)
        and set(roots.names) <= record.proofs.keys()
    )


async def _write(place: Place, record: Record) -> None:
    reader = sql.Identifier(place.connector.upstream.credentials.user).as_string()
    statements = [
        ALONE,
        beside.CREATE_TABLE,
        f"GRANT SELECT ON strongroom_keys.protection TO {reader}",
        filled(beside.WRITE, record.number, record.stance, record.proofs_text()),
    ]
    try:
        await ask(place.owner, "BEGIN;" + ";".join([*statements, "COMMIT"]))
        written = await read_beside(place)
    except UpstreamError as error:
        raise ProtectionNotKept(
            f"databases.{place.name}: what was accepted cannot be kept beside the data: {error.message}"
        ) from error
    if written != record:
        raise ProtectionNotKept(
            f"databases.{place.name}: what was accepted is not beside the data, where it was just written",
            hint="See who else writes to strongroom_keys.protection, and that `owner` and `upstream` are one"
            " database.",
        )
