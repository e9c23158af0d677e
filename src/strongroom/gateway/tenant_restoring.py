"""Bringing back the keys of a tenant from its backup, where both of their places are lost.

What is there and opens is left as it is; a destroyed key is not brought back. Called by
`strongroom keys tenants restore`.
"""

import asyncio
from dataclasses import replace
from datetime import datetime

from strongroom.errors import KeysetsNotKept, TenantDestroyed, TenantPlaceRefused
from strongroom.gateway.inquiry import ask
from strongroom.gateway.kept import filled, keysets_beside, publish
from strongroom.gateway.newcomers import Site, standing_of
from strongroom.gateway.tenants import copies_of, holds_own
from strongroom.keys.backup import Contents
from strongroom.keys.beside import TABLES
from strongroom.keys.hierarchy import is_related, wrapped
from strongroom.keys.kek import Keks, scope_of
from strongroom.keys.model import Keyset
from strongroom.keys.store import KeyStore, adopt_keks, assume_used, kept_keks, written_at


async def bring_back(at: Site, what: Contents, kek: Keyset) -> bool:
    """The KEK and keysets of a tenant in all their places; whether anything was not there before.

    Raises ``TenantDestroyed``, ``TenantPlaceRefused``, a ``RootError`` or ``KeysetsNotKept``.
    """
    standing = await standing_of(at, kek.name)
    if standing.is_destroyed and not await _is_of_another(at, kek):
        raise TenantDestroyed(f"{kek.name} was destroyed, and is not brought back")
    here = standing.kek
    if here is None:
        await _keep_kek(at, kek, 0 if standing.row is None else standing.row.revision)
        here = kek
    elif not is_related(here, kek) and not is_related(kek, here):
        raise KeysetsNotKept(f"{kek.name} is here, and is another key than that of the backup")
    brought = await _keep_keysets(at, Keks.of([here]), what)
    return standing.kek is None or brought


async def _is_of_another(at: Site, kek: Keyset) -> bool:
    """Whether the key was made for another tenant of the name, after the one that was destroyed.

    Then all its versions are younger than the word of the destruction, beside the data, or else in the state.
    """
    rows = await ask(at.place.connector, filled(WRITTEN, kek.name)) if await _has_keks(at) else []
    beside = [datetime.fromisoformat(value.decode()) for (value,) in rows if value is not None]
    destroyed = beside[0] if beside else written_at(at.state.engine, kek.name)
    return destroyed is not None and min(one.created for one in kek.versions) > destroyed


async def _has_keks(at: Site) -> bool:
    """Whether there is anything beside the data."""
    return (await ask(at.place.connector, TABLES))[0] == (b"t",)


WRITTEN = """\
SELECT to_char(written AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US+00:00')
FROM strongroom_keys.keks WHERE name = $1"""
"""When the row of a KEK was written; parameter: its name."""


async def _keep_kek(at: Site, kek: Keyset, after: int) -> None:
    """``after`` is the revision of a row whose place it takes."""
    copies = copies_of(at.settings)
    if copies is None or holds_own(at.settings, kek.name):
        raise TenantPlaceRefused(
            f"{scope_of(kek.name)} holds its own key, or there is no folder for its second copy"
        )
    copy, kept = copies.read(kek.name), kept_keks(at.state.engine, kek.name).get(kek.name)
    newest = max([after, *(one.revision for one in (copy, kept) if one is not None)])
    row = await asyncio.to_thread(wrapped, kek, newest + 1, at.roots)
    copies.write(row)
    adopt_keks(at.state.engine, [row])


async def _keep_keysets(at: Site, keks: Keks, what: Contents) -> bool:
    """Those that are not beside the data, or do not open there, as the backup has them; whether any."""
    names = [one.name for one in what.keysets]
    there = {one.name: one for one in await keysets_beside(at.place.connector, names)}
    opened = keks.unwrap_all(there.values())
    lost = [
        replace(one, revision=max(one.revision, there[one.name].revision) + 1) if one.name in there else one
        for one in what.keysets
        if one.name not in opened
    ]
    if lost:
        await publish(at.place, keks, {}, lost, ())
    kept = await keysets_beside(at.place.connector, names)
    store = KeyStore(at.state.engine, keks)
    before = set(store.load(scope=scope_of(next(iter(keks.by_name)))))
    store.adopt(kept)
    fresh = [one for one in keks.unwrap_all(kept).values() if one.name not in before]
    with at.state.engine.begin() as connection:
        assume_used(connection, fresh)
    return bool(lost or fresh)
