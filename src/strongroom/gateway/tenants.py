"""The key-encryption keys of tenants: found in their places, opened, and kept in both.

Where a tenant holds its own key (`keys.tenants.own`), its provider alone wraps the KEK, and the second copy
stands beside the data. Else the configured roots wrap it, and the second copy is in the folder
`keys.tenants.copies`: never beside the data, since a dump would bring a destroyed key back. A tenant's key
that does not open keeps nobody else from theirs. Called by `protection`, `keeper` and the key commands.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import partial

from strongroom.config import Settings
from strongroom.errors import RootError, RootUnreachable, StrongroomError
from strongroom.gateway.kept import Kept, Place, publish_kek
from strongroom.keys.copies import Copies
from strongroom.keys.hierarchy import Roots
from strongroom.keys.journal import Journal
from strongroom.keys.kek import WrappedKek, belongs_to, scope_of, tenant_of
from strongroom.keys.model import Keyset
from strongroom.keys.root.entering import Entered
from strongroom.keys.root.opening import open_root
from strongroom.keys.store import adopt_keks, forget_keysets, kept_keks
from strongroom.keys.tenant_backup import end_backups
from strongroom.keys.tenants import Standing, stand
from strongroom.state import State

PATIENCE_SECONDS = 5.0
"""For tenants' own providers to answer at a start; who answers later is there later."""

SAID_AT_MOST = 5
"""Lines about single tenants; of the others there is a number."""


@dataclass(frozen=True, slots=True)
class Tenancy:
    """The tenants of one database: how the KEK of each stands, by the KEK's name."""

    standings: Mapping[str, Standing] = field(default_factory=dict)
    revisions: Mapping[str, int] = field(default_factory=dict)
    """Of the rows in the state, as they were read."""
    damaged: Sequence[str] = ()
    """Copies that cannot be read, in words."""
    taken: Sequence[str] = ()
    """Those of which this state has only now heard that they were destroyed."""

    @property
    def keks(self) -> list[Keyset]:
        """Those that are here."""
        return [one.kek for one in self.standings.values() if one.kek is not None]

    @property
    def here(self) -> list[str]:
        """The tenants whose KEKs are here."""
        return [tenant_of(one.name) or "" for one in self.keks]

    @property
    def said(self) -> list[str]:
        """Whose are not, and why."""
        failures = [
            (one.name, one.failure) for one in self.standings.values() if one.kek is None and one.failure
        ]
        lines = [f"{name} is not here: {failure.message}" for name, failure in failures[:SAID_AT_MOST]]
        if len(failures) > SAID_AT_MOST:
            lines.append(f"and so it is with {len(failures) - SAID_AT_MOST} more tenants")
        forged = [one.name for one in self.standings.values() if one.forged]
        lines += self.damaged[:SAID_AT_MOST]
        lines += [f"{name} was destroyed elsewhere, and is now here" for name in self.taken[:SAID_AT_MOST]]
        return [*lines, *(f"somebody wrote beside the data that {name} was destroyed" for name in forged)]


def copies_of(settings: Settings) -> Copies | None:
    """The folder of copies, where one is configured; raises ``TenantPlaceRefused``."""
    if settings.keys is None or settings.keys.tenants.copies is None:
        return None
    return Copies.open(settings.keys.tenants.copies, settings.state.path.parent)


def holds_own(settings: Settings, name: str) -> bool:
    """Whether the tenant holds its own key, by the name of its KEK or of a keyset."""
    return settings.keys is not None and scope_of(name) in settings.keys.tenants.own


def own_roots(settings: Settings, name: str) -> Roots:
    """The tenant's own provider, opened anew; asks nobody. Raises a ``RootError``."""
    assert settings.keys is not None  # holds_own
    address = settings.keys.tenants.own[scope_of(name)]
    return Roots((open_root(address, settings.state.path.parent, (), Entered()),))


@dataclass(frozen=True, slots=True)
class Rows:
    """The KEKs of a database's tenants as each place has them, by name."""

    settings: Settings
    state: State
    place: Place
    kept: Mapping[str, WrappedKek]
    """In the state."""
    copied: Mapping[str, WrappedKek]
    """In the folder of copies."""
    beside: Mapping[str, WrappedKek]
    damaged: Sequence[str] = ()
    """Copies that cannot be read, in words."""

    @classmethod
    def of(cls, settings: Settings, state: State, place: Place, found: Kept) -> "Rows":
        """What there is; raises ``TenantPlaceRefused``."""
        copies = copies_of(settings)
        copied, damaged = copies.all() if copies else ([], [])
        return cls(
            settings,
            state,
            place,
            {name: row for name, row in kept_keks(state.engine).items() if _is_of(name, place.name)},
            {row.name: row for row in copied if _is_of(row.name, place.name)},
            found.tenants,
            tuple(damaged),
        )

    @property
    def names(self) -> list[str]:
        """Of all that are in any place."""
        return sorted({*self.kept, *self.copied, *self.beside})

    def others(self, name: str) -> list[WrappedKek]:
        """What places other than the state have of one."""
        return [row for row in (self.copied.get(name), self.beside.get(name)) if row is not None]

    def stand(self, name: str, roots: Roots) -> Standing:
        """How one stands that our roots wrap."""
        return stand(name, self.kept.get(name), self.others(name), roots)

    def stand_own(self, name: str) -> Standing:
        """How one stands that the tenant's own provider wraps; blocks while that is asked."""
        try:
            return self.stand(name, own_roots(self.settings, name))
        except RootError as error:
            standing = self.stand(name, Roots(()))  # it may have been destroyed
            return standing if standing.is_destroyed else Standing(name, failure=error)


async def tenancy_of(rows: Rows, roots: Roots, held: Mapping[str, Keyset]) -> Tenancy:
    """How the tenants of a database stand, and both places are brought up to date.

    ``held`` are KEKs that a gateway holds still, for those whose providers do not answer now.
    """
    tenancy = await look_at_tenants(rows, roots, held)
    return replace(tenancy, taken=await _keep(rows, tenancy))


async def look_at_tenants(rows: Rows, roots: Roots, held: Mapping[str, Keyset]) -> Tenancy:
    """The same, and nothing is changed."""
    ours = {name for name in rows.names if not holds_own(rows.settings, name)}
    found = await asyncio.to_thread(lambda: [rows.stand(name, roots) for name in sorted(ours)])
    found += await in_time(partial(rows.stand_own, name) for name in rows.names if name not in ours)
    standings = {one.name: one for one in found}
    for name in rows.names:
        if name not in standings:
            standings[name] = Standing(name, failure=RootUnreachable("its provider does not answer in time"))
        standings[name] = _or_held(standings[name], held, rows.kept.get(name))
    return Tenancy(standings, {name: row.revision for name, row in rows.kept.items()}, rows.damaged)


async def in_time(asked: Iterable[partial[Standing]], threads: Executor | None = None) -> list[Standing]:
    """The answers that come in time; each question blocks a thread of its own."""
    loop = asyncio.get_running_loop()
    answers = [loop.run_in_executor(threads, one) for one in asked]
    if not answers:
        return []
    done, _ = await asyncio.wait(answers, timeout=PATIENCE_SECONDS)
    return [one.result() for one in done]


def _or_held(standing: Standing, held: Mapping[str, Keyset], row: WrappedKek | None) -> Standing:
    kek = held.get(standing.name)
    if standing.failure is None or kek is None:
        return standing
    return Standing(standing.name, kek, row, standing.failure)


async def _keep(rows: Rows, tenancy: Tenancy) -> list[str]:
    """Writes what is newer than a place has it: the second place first, then the state.

    Returns the keys that were destroyed elsewhere, and are now here.
    """
    settings, copies = rows.settings, copies_of(rows.settings)
    now = [one.row for one in tenancy.standings.values() if one.row is not None]
    beside = [row for row in now if row.is_destroyed or holds_own(settings, row.name)]
    if behind := [row for row in beside if _is_newer(row, rows.beside.get(row.name))]:
        await publish_kek(rows.place, *behind)
    for row in now:
        if copies is None or holds_own(settings, row.name):
            continue
        if row.is_destroyed:
            copies.destroy(row.name)
        elif _is_newer(row, rows.copied.get(row.name)):
            copies.write(row)
    newer = [row for row in now if _is_newer(row, rows.kept.get(row.name))]
    taken = [row.name for row in newer if row.is_destroyed and not _is_known_destroyed(rows, row.name)]
    for name in taken:
        _end(rows, name)
    adopt_keks(rows.state.engine, newer)
    forget_keysets(rows.state.engine, [scope_of(row.name) for row in now if row.is_destroyed])
    if taken:
        await asyncio.to_thread(rows.state.wipe)
    return taken


def _is_known_destroyed(rows: Rows, name: str) -> bool:
    kept = rows.kept.get(name)
    return kept is not None and kept.is_destroyed


def _end(rows: Rows, name: str) -> None:
    """What `keys tenants destroy` does to backups, on a state of its own; noted before the key goes.

    Where nothing here could tell whether the key itself said so (``keys/tenants.py``), they are let be.
    """
    proved = name in rows.kept or name in rows.copied
    removed, left = end_backups(rows.state.engine, name) if proved else ((), ())
    Journal(rows.state.engine).add(
        "tenant destruction taken over", scope_of(name), backups_removed=removed, backups_left=left
    )


def own_rows(settings: Settings, state: State) -> Iterator[WrappedKek]:
    """The KEKs in the state that tenants' own providers wrap."""
    for row in kept_keks(state.engine).values():
        if holds_own(settings, row.name) and not row.is_destroyed:
            yield row


def open_tenant(settings: Settings, row: WrappedKek, roots: Roots) -> Keyset | None:
    """The KEK of a tenant as the state has it; None where it is not here, or destroyed."""
    if row.is_destroyed:
        return None
    try:
        by = own_roots(settings, row.name) if holds_own(settings, row.name) else roots
        return stand(row.name, row, (), by).kek
    except StrongroomError:
        return None


def _is_of(name: str, database: str) -> bool:
    return tenant_of(name) is not None and belongs_to(name, database)


def _is_newer(row: WrappedKek, than: WrappedKek | None) -> bool:
    return than is None or than.revision < row.revision
