"""New tenants: a key-encryption key, and a keyset for each column that has ``tenant:``.

The key is on the disk in both of its places before it wraps anything, and each keyset stands beside the data
before it is taken into the state; of two gateways that make the same tenant at once, both have what came
first. Made twice, nothing changes. Called by `strongroom keys tenants add` and, where
`keys.tenants.add: automatic`, by the supervisor.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from strongroom.config import Settings
from strongroom.errors import (
    KekMissing,
    KeysChanged,
    KeysetsNotKept,
    RootError,
    TenantDestroyed,
    TenantKeyAway,
    TenantNameRefused,
    TenantPlaceRefused,
)
from strongroom.gateway.kept import Place, keks_beside, keysets_beside, publish, publish_kek
from strongroom.gateway.protection import new_keysets, schemes_of
from strongroom.gateway.tenants import Rows, copies_of, holds_own, own_roots
from strongroom.keys.hierarchy import Roots, wrapped
from strongroom.keys.journal import Journal
from strongroom.keys.kek import Keks, WrappedKek, database_of, kek_name, new_kek, scope_of
from strongroom.keys.model import Keyset
from strongroom.keys.store import KeyStore, adopt_keks, kept_keks, kept_keysets
from strongroom.keys.tenants import Standing
from strongroom.protect.scheme import Scheme
from strongroom.protect.tenants import is_tenant_name
from strongroom.state import State


@dataclass(frozen=True, slots=True)
class Site:
    """Where tenants are made: one database, and the roots that wrap the keys of those who hold none."""

    settings: Settings
    state: State
    place: Place
    roots: Roots


@dataclass(frozen=True, slots=True)
class Newcomers:
    """Tenants whose keys are there now."""

    keks: tuple[Keyset, ...]
    made: tuple[str, ...]
    """Those whose key-encryption key was not there before: `DATABASE@TENANT`."""
    keysets: tuple[str, ...]
    """The keysets that were made."""


async def add(at: Site, tenants: Iterable[str], *, again: bool = False) -> Newcomers:
    """Makes what these tenants have not. Raises a ``TenantError``, ``RootError`` or ``KeysetError``.

    ``again`` is for a name whose key was destroyed.
    """
    at = replace(at, roots=_in_use(at))
    settings, state, place = at.settings, at.state, at.place
    columns = _columns(settings, place.name)
    names = {kek_name(f"{place.name}@{_checked(tenant)}"): tenant for tenant in tenants}
    beside = await keks_beside(place.connector)
    standings = {name: await standing_of(at, name, beside) for name in names}
    absent = [one for one in standings.values() if one.kek is None]
    for one in absent:
        _refuse(one, again=again)
    await _refuse_second(at, [one.name for one in absent if not one.is_destroyed], columns)
    rows = [await _new_row(at, one) for one in absent]  # all of them, before any is written
    for row in rows:
        standings[row.name] = await _written(at, row)
    adopt_keks(state.engine, [one.row for one in standings.values() if one.row is not None])
    made = [scope_of(one.name) for one in absent]
    keks = [one.kek for one in standings.values() if one.kek is not None]
    schemes = [scheme.of_tenant(tenant) for tenant in names.values() for scheme in columns]
    keysets = await _completed(state, place, Keks.of(keks), schemes)
    journal = Journal(state.engine)
    for scope in made:
        journal.add("tenant added", scope, held="by itself" if holds_own(settings, scope) else "here")
    return Newcomers(tuple(keks), tuple(made), tuple(keysets))


def _columns(settings: Settings, database: str) -> list[Scheme]:
    """The columns of which each tenant has a keyset."""
    found = [scheme for scheme in schemes_of(settings, database).values() if scheme.tenant is not None]
    if not found:
        raise TenantNameRefused(
            f"databases.{database} has no column with tenant:, so its tenants need no keys",
            hint="write tenant: beside a column's type; docs/guides/tenants.md shows how",
        )
    return found


def _checked(tenant: str) -> str:
    if not is_tenant_name(tenant):
        raise TenantNameRefused("a tenant cannot be called this")
    return tenant


async def standing_of(at: Site, name: str, beside: Mapping[str, WrappedKek] | None = None) -> Standing:
    """How the KEK of one tenant stands, of which other tenants' are not read.

    ``beside`` is what stands beside the data, where that was read before.
    """
    settings, state, place = at.settings, at.state, at.place
    copies = copies_of(settings)
    copy = None if copies is None else copies.read(name)
    kept = kept_keks(state.engine, name)
    found = await keks_beside(place.connector) if beside is None else beside
    theirs = {name: found[name]} if name in found else {}
    rows = Rows(settings, state, place, kept, {name: copy} if copy else {}, theirs)
    if not rows.names:
        return Standing(name)
    if holds_own(settings, name):
        return await asyncio.to_thread(rows.stand_own, name)
    return await asyncio.to_thread(rows.stand, name, at.roots)


def _refuse(standing: Standing, *, again: bool) -> None:
    """A key that is there and does not open, and one that was destroyed, are not made anew unseen."""
    if standing.failure is not None:
        raise TenantKeyAway(f"{standing.name} is there, and does not open: {standing.failure.message}")
    if standing.is_destroyed and not again:
        raise TenantDestroyed(f"{standing.name} was destroyed")


async def _new_row(at: Site, before: Standing) -> WrappedKek:
    """A new KEK, under who wraps it; raises ``TenantKeyAway`` where the tenant's own provider does not."""
    name, scope = before.name, scope_of(before.name)
    revision = 1 if before.row is None else before.row.revision + 1
    kek = new_kek(scope, datetime.now(UTC))
    if not holds_own(at.settings, name):
        if copies_of(at.settings) is None:
            raise TenantPlaceRefused(f"there is no folder for the second copy of {name!r}")
        if not at.roots.usable and not at.roots.failures:
            raise KeysChanged(
                f"{name} is not made: the roots that are known here were taken off",
                hint="Reload the gateway (SIGHUP), so that it reads which roots there are now.",
            )
        return await asyncio.to_thread(wrapped, kek, revision, at.roots)
    try:
        onto = await asyncio.to_thread(own_roots, at.settings, name)
        return await asyncio.to_thread(wrapped, kek, revision, onto)
    except RootError as error:
        raise TenantKeyAway(f"{name} is not made: {error.message}", hint=error.hint) from None


def _in_use(at: Site) -> Roots:
    """The roots that wrap the key of the database still: one that was taken off may be destroyed by now.

    A gateway that has not read its configuration since would make a key that nobody could open again.
    """
    kept = kept_keks(at.state.engine, name := kek_name(at.place.name)).get(name)
    usable = (one for one in at.roots.usable if kept is None or one.name in kept.wraps)
    return Roots(tuple(usable), at.roots.failures)


async def _written(at: Site, row: WrappedKek) -> Standing:
    """The KEK, in its second place."""
    name, own = row.name, holds_own(at.settings, row.name)
    if own:
        await publish_kek(at.place, row)
    else:
        copies = copies_of(at.settings)
        assert copies is not None  # _new_row
        copies.write(row)
    # What the second place has now is what counts: another gateway may have come first.
    standing = await standing_of(at, name, None if own else {})
    if standing.kek is None or standing.row is None:
        raise KeysetsNotKept(f"{name} does not open from where it was just written")
    return standing


async def _refuse_second(at: Site, names: Sequence[str], columns: Sequence[Scheme]) -> None:
    """Where there are keysets of a tenant, its KEK is lost or elsewhere, and not to be made."""
    scopes = {scope_of(name) for name in names}
    keysets = [scheme.of_tenant(scope.partition("@")[2]).keyset for scope in scopes for scheme in columns]
    there = [*(await keysets_beside(at.place.connector, keysets)), *kept_keysets(at.state.engine)]
    if lost := sorted(scopes & {database_of(one.name) for one in there}):
        raise KekMissing(
            f"there are keysets of {lost[0]!r}, and their key-encryption key is not here",
            hint="restore it: the folder keys.tenants.copies, or a backup of the tenant's keys, has it",
        )


async def _completed(state: State, place: Place, keks: Keks, schemes: Sequence[Scheme]) -> list[str]:
    """The keysets of these tenants in both places; returns which were made."""
    names = [scheme.keyset for scheme in schemes]
    there = {one.name for one in await keysets_beside(place.connector, names)}
    made = await new_keysets(place, [one for one in schemes if one.keyset not in there])
    if made:
        await publish(place, keks, {}, made, ())
    kept = await keysets_beside(place.connector, names)
    opened = keks.unwrap_all(kept)
    if missing := [name for name in names if name not in opened]:
        raise KeysetsNotKept(
            f"databases.{place.name}: {len(missing)} keysets of tenants are not beside the data as written"
        )
    KeyStore(state.engine, keks).adopt(kept)
    return [one.name for one in made if one.key_ids == opened[one.name].key_ids]
