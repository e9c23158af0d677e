"""Crypto-shredding: the key of a tenant is destroyed, and with it every copy of the tenant's values.

    1. beside the data, a row that says so takes the KEK's place, and its keysets are deleted
    2. the second copy is overwritten and removed; so are backups of the tenant's keys that can be reached
    3. the state forgets the KEK and the keysets, and its file is rewritten

A kill in between leaves what the next start or the next call of the command completes: the row beside the
data is made by the key itself, and whoever has the key still destroys it upon seeing it (``keys/tenants``).
Gateways that run on this state stop opening within seconds. Called by `strongroom keys tenants destroy`.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from psycopg import sql

from strongroom.errors import TenantRemovalRefused
from strongroom.gateway.inquiry import ask
from strongroom.gateway.kept import filled, ids_beside, keks_beside, keysets_beside, publish_kek
from strongroom.gateway.newcomers import Site, standing_of
from strongroom.gateway.protection import schemes_of
from strongroom.gateway.tenants import copies_of, holds_own
from strongroom.keys import beside
from strongroom.keys.backups import Backup, Backups
from strongroom.keys.kek import Keks, WrappedKek, database_of, scope_of, tenant_of
from strongroom.keys.store import adopt_keks, forget_keysets, kept_keks
from strongroom.keys.tenant_backup import end_backups
from strongroom.keys.tenants import Standing, destroyed
from strongroom.protect.scheme import split_column


@dataclass(frozen=True, slots=True)
class Lost:
    """What no copy opens any more, once the key is destroyed."""

    tenant: str
    """`DATABASE@TENANT`."""
    wrapped_by: tuple[str, ...]
    """The roots, or the tenant's own provider, that wrapped the key."""
    columns: tuple[str, ...]
    key_ids: tuple[int, ...]
    backups: tuple[Backup, ...]
    """Registered backups of the tenant's keys."""
    is_destroyed: bool = False
    held_by_itself: bool = False
    """Whether its own provider wraps the key: then dumps of the database from before have it, wrapped."""


@dataclass(frozen=True, slots=True)
class Shredded:
    """What was destroyed, and which files could not be reached."""

    removed: tuple[str, ...] = field(default=())
    """Backups of the tenant's keys that were overwritten and removed."""
    left: tuple[str, ...] = field(default=())
    """Backups that are not where they were written."""
    known_to_all: bool = True
    """Whether other gateways can tell that the key itself made the row that says so."""


async def would_lose(at: Site, name: str) -> Lost:
    """What would be lost with the KEK of a tenant; raises ``TenantRemovalRefused`` where there is none."""
    kept = kept_keks(at.state.engine, name).get(name)
    row = kept or (await keks_beside(at.place.connector)).get(name)
    copies = copies_of(at.settings)
    row = row or (None if copies is None else copies.read(name))
    if row is None:
        raise TenantRemovalRefused(
            f"there is no {name!r} here", hint="`strongroom keys tenants list` shows those there are"
        )
    scope = scope_of(name)
    ids = await ids_beside(at.place.connector)
    theirs = [found for one, found in ids.items() if database_of(one) == scope]
    columns = [one for one in schemes_of(at.settings, at.place.name).values() if one.tenant is not None]
    theirs += await _all_versions(at, name, [one.of_tenant(tenant_of(name) or "").keyset for one in columns])
    return Lost(
        scope,
        () if row.is_destroyed else tuple(sorted(row.wraps)),
        tuple(sorted(one.column for one in columns)),
        tuple(sorted({key_id for found in theirs for key_id in found})),
        tuple(Backups(at.state.engine).holding(name)),
        row.is_destroyed,
        holds_own(at.settings, name),
    )


async def _all_versions(at: Site, name: str, keysets: Sequence[str]) -> list[frozenset[int]]:
    """Those that open nothing any more, too, such as compromised ones: old dumps have values of them."""
    kek = (await standing_of(at, name)).kek
    kept = await keysets_beside(at.place.connector, keysets) if kek is not None else []
    opened = Keks.of([] if kek is None else [kek]).unwrap_all(kept)
    return [frozenset(version.key_id for version in one.versions) for one in opened.values()]


async def shred(at: Site, name: str) -> Shredded:
    """Destroys the KEK of a tenant, or completes what was begun. Raises a ``StrongroomError``."""
    standing = await standing_of(at, name)
    row = await _last_row(at, standing)
    await _end_beside(at, row)
    copies = copies_of(at.settings)
    if copies is not None:
        copies.destroy(name)
    removed, left = end_backups(at.state.engine, name)
    adopt_keks(at.state.engine, [row])
    forget_keysets(at.state.engine, [scope_of(name)])
    await asyncio.to_thread(at.state.wipe)
    return Shredded(removed, left, known_to_all=standing.kek is not None or standing.is_destroyed)


async def _last_row(at: Site, standing: Standing) -> WrappedKek:
    """The row that takes the KEK's place: newer than any, and made by the key where that is here."""
    if standing.row is not None and standing.row.is_destroyed:
        return standing.row
    if standing.kek is None and standing.failure is not None and not holds_own(at.settings, standing.name):
        raise standing.failure  # our own root opens it: there is no reason for less than a genuine row
    copies = copies_of(at.settings)
    copy = None if copies is None else copies.read(standing.name)
    beside_data = (await keks_beside(at.place.connector)).get(standing.name)
    kept = kept_keks(at.state.engine, standing.name).get(standing.name)
    revisions = [one.revision for one in (copy, beside_data, kept, standing.row) if one is not None]
    return destroyed(WrappedKek(standing.name, max(revisions, default=0), {}), standing.kek)


async def _end_beside(at: Site, row: WrappedKek) -> None:
    """The row, and the keysets that nothing opens any more; in use or not."""
    await publish_kek(at.place, row)
    delete = filled(beside.DELETE_OF_SCOPE, f"{scope_of(row.name)}/")
    await ask(at.place.owner, f"BEGIN;{delete};COMMIT")
    if await ask(at.place.owner, beside.HAS_RETIRED) == [(b"t",)]:
        delete = filled(beside.DELETE_RETIRED_OF_SCOPE, f"{scope_of(row.name)}/")
        await ask(at.place.owner, f"BEGIN;{delete};COMMIT")


def counting(columns: Iterable[str], key_ids: Sequence[int]) -> list[tuple[str, str]]:
    """For each column, the query that counts the values of these keys."""
    found = []
    for column in columns:
        schema, table, name = split_column(column)
        query = sql.SQL(
            "SELECT pg_catalog.count(*) FROM {table} WHERE pg_catalog.substring({name}, 2, 4)"
            " = ANY (ARRAY[{ids}]::pg_catalog.bytea[])"
        ).format(
            table=sql.Identifier(schema, table),
            name=sql.Identifier(name),
            ids=sql.SQL(", ").join(sql.Literal(one.to_bytes(4)) for one in key_ids),
        )
        found.append((column, query.as_string()))
    return found
