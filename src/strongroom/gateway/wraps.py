"""What roots wrapped, in the state and beside the data: wrapped anew, and taken off.

Each change is written beside the data first, or into the copy of a tenant's, under a revision that nobody
has, and taken into the state once it was read back from there, as ``protection`` does at a start. Killed
anywhere it is run again: the newest copy counts, and one that is behind is brought up to it. Called by
``strongroom keys root``.
"""

import asyncio
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from strongroom.config import Settings
from strongroom.errors import KeysChanged, RootError, RootRemovalRefused, TenantPlaceRefused
from strongroom.gateway.gate import owner_of, upstream_of
from strongroom.gateway.inquiry import ask
from strongroom.gateway.kept import Place, kept_beside, publish_kek
from strongroom.keys.copies import Copies
from strongroom.keys.hierarchy import Roots, Settled, open_kek, rewrapped, settle
from strongroom.keys.kek import WrappedKek, kek_name, tenant_of
from strongroom.keys.store import adopt_keks, kept_keks
from strongroom.state import State


@dataclass(frozen=True, slots=True)
class KekAt:
    """A key-encryption key as it stands in both places, opened; ``place`` is None where no database is."""

    place: Place | None
    settled: Settled
    copies: tuple[WrappedKek, ...]
    """As they are kept now, in the state and in the second place."""


def places_of(settings: Settings, state: State) -> Mapping[str, Place]:
    """The configured databases that have a KEK, or will have one, by its name."""
    kept = kept_keks(state.engine)
    return {
        kek_name(name): Place(name, upstream, owner_of(name, settings) or upstream)
        for name, database in settings.databases.items()
        if database.columns or kek_name(name) in kept
        for upstream in [upstream_of(name, settings)]
    }


async def find(
    state: State,
    places: Mapping[str, Place],
    roots: Roots,
    copies: Copies | None,
    shut: "Shut | None" = None,
) -> list[KekAt]:
    """Every KEK of the installation; raises a ``RootError`` where one does not open.

    Those that need a certain root are put into ``shut`` instead.
    """
    kept = kept_keks(state.engine)
    found = []
    for name in sorted({*kept, *places}):
        place = places.get(name)
        beside = (await kept_beside(place.connector)).kek if place else None
        if tenant_of(name) is not None:
            beside = _copy(copies, name)
            settled = await asyncio.to_thread(_settled_ours, roots, kept[name], beside)
        else:
            try:
                settled = await asyncio.to_thread(settle, roots, kept.get(name), beside)
            except RootError as error:
                if shut is None or not shut.is_of(kept.get(name), beside):
                    raise
                settled = None
                shut.why[name] = error
        if settled is not None:
            both = tuple(one for one in (kept.get(name), beside) if one is not None)
            found.append(KekAt(place, settled, both))
    return found


@dataclass(frozen=True, slots=True)
class Shut:
    """The KEKs that would open no more without a root, and why, by their names."""

    root: str
    why: dict[str, RootError] = field(default_factory=dict)

    def is_of(self, *copies: WrappedKek | None) -> bool:
        """Whether the root wraps one of these."""
        return any(self.root in one.wraps for one in copies if one is not None)


def _copy(copies: Copies | None, name: str) -> WrappedKek | None:
    """A tenant's second copy; one that is damaged is written anew."""
    try:
        return None if copies is None else copies.read(name)
    except TenantPlaceRefused:
        return None


def _settled_ours(roots: Roots, row: WrappedKek, copy: WrappedKek | None) -> Settled | None:
    """The KEK of a tenant that our roots wrap; None where it was destroyed, or the tenant holds its own."""
    try:
        return None if row.is_destroyed else settle(roots, row, copy)
    except RootError:
        return None


async def rewrap(
    state: State,
    places: Mapping[str, Place],
    roots: Roots,
    onto: Roots,
    copies: Copies | None = None,
) -> list[WrappedKek]:
    """Wraps every KEK anew under each of ``onto``; what others wrapped stays. Raises a ``RootError``.

    ``roots`` open them. All are wrapped before the first is written. ``copies`` has those of tenants.
    """
    changes = []
    for one in await find(state, places, roots, copies):
        row = await asyncio.to_thread(rewrapped, one.settled.row, one.settled.kek, onto)
        changes.append((one.place, row))
    for place, row in changes:
        await _put(state, place, row, copies)
    return [row for _, row in changes]


@dataclass(frozen=True, slots=True)
class Removal:
    """What is left of each KEK without a root; each was opened by another."""

    changes: tuple[tuple[Place | None, WrappedKek], ...]
    names: tuple[str, ...]
    """The KEKs that the root wrapped, those included that an interrupted run has taken it off already."""


async def without(
    state: State,
    places: Mapping[str, Place],
    roots: Roots,
    name: str,
    copies: Copies | None = None,
    *,
    begun: Collection[str] = (),
) -> Removal:
    """What would be left without this root; raises ``RootRemovalRefused`` where that would open no more.

    ``begun`` are the KEKs that it was to be taken off when that was first begun, if it was: then nothing may
    be left to write.
    """
    shut = Shut(name)
    found = await find(state, places, roots, copies, shut)
    changes = tuple(_without(found, roots, shut))
    if shut.why:
        raise await _needed(shut, places)
    opened = {one.settled.row.name for one in found}
    for row in kept_keks(state.engine).values():
        if name in row.wraps and row.name not in opened:
            raise RootRemovalRefused(
                f"{row.name!r} opens by no configured root, and {name!r} wraps it",
                hint="configure the root again, run `strongroom keys root rewrap`, then try again",
            )
    if not changes and not begun:
        raise RootRemovalRefused(
            f"the root {name!r} wraps nothing here", hint="`strongroom keys root list` shows those that do"
        )
    return Removal(changes, tuple(sorted({*begun, *(row.name for _, row in changes)})))


async def _needed(shut: Shut, places: Mapping[str, Place]) -> RootRemovalRefused:
    """The error that lists what needs the root: keys, their columns, and what is being done to these."""
    lines = []
    for name, error in shut.why.items():
        lines.append(f"{name!r} would open no more: {error.message}")
        lines += [f"  {line}" for line in await _use(places.get(name))]
    count = "one key needs" if len(shut.why) == 1 else f"{len(shut.why)} keys need"
    return RootRemovalRefused(
        f"{count} the root {shut.root!r}",
        hint="configure another root beside it, run `strongroom keys root rewrap`, then try again",
        detail="\n  ".join(lines),
    )


_COLUMNS = "SELECT name FROM strongroom_keys.columns ORDER BY name"
_WORK = """\
SELECT format('%s.%s.%s, of which the strongroom %s is under way', n.nspname, r.relname, name,
              CASE direction WHEN 'rekey' THEN 'keys rotate' ELSE direction END)
FROM strongroom_keys.changeovers, LATERAL jsonb_object_keys(columns) AS name, pg_catalog.pg_class r
JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
WHERE r.oid = relation::oid ORDER BY 1"""


async def _use(place: Place | None) -> list[str]:
    """What the KEK of a database is needed for, in words."""
    if place is None:
        return []
    said = []
    for table, query in (("columns", _COLUMNS), ("changeovers", _WORK)):
        there = f"SELECT pg_catalog.to_regclass('strongroom_keys.{table}') IS NOT NULL"
        if await ask(place.connector, there) == [(b"t",)]:
            said += [(value or b"").decode() for (value,) in await ask(place.connector, query)]
    return said


def _without(found: list[KekAt], roots: Roots, shut: Shut) -> Iterator[tuple[Place | None, WrappedKek]]:
    name = shut.root
    for one in found:
        row = one.settled.row
        if name in row.wraps:
            left = {root: wrap for root, wrap in row.wraps.items() if root != name}
            rest = WrappedKek(row.name, row.revision + 1, left)
            try:
                open_kek(rest, roots)
            except RootError as error:
                shut.why[row.name] = error
                continue
            yield one.place, rest
        elif any(name in copy.wraps for copy in one.copies):  # one place is behind: killed between the two
            yield one.place, row


async def carry_out(state: State, removal: Removal, copies: Copies | None = None) -> None:
    """Writes what is left."""
    for place, row in removal.changes:
        await _put(state, place, row, copies)


async def _put(state: State, place: Place | None, row: WrappedKek, copies: Copies | None) -> None:
    if tenant_of(row.name) is not None and copies is not None:
        copies.write(row)
        refuse_other(row, copies.read(row.name), "in the folder of copies")
    if place is not None:
        await publish_kek(place, row)
        refuse_other(row, (await kept_beside(place.connector)).kek, "beside the data")
    adopt_keks(state.engine, [row])


def refuse_other(row: WrappedKek, there: WrappedKek | None, where: str) -> None:
    """Raises ``KeysChanged`` where a place has another row than the one that was just written to it."""
    if there is None or (there.revision, dict(there.wraps)) != (row.revision, dict(row.wraps)):
        raise KeysChanged(f"{row.name!r} {where} was changed by somebody else meanwhile")
