"""Bringing back the keys of a tenant from its backup, where both of their places are lost.

What is there and opens is left as it is; a destroyed key is not brought back. Called by
`strongroom keys tenants restore`.
"""

import asyncio
from dataclasses import replace

from strongroom.errors import KeysetsNotKept, TenantDestroyed, TenantPlaceRefused
from strongroom.gateway.kept import keysets_beside, publish
from strongroom.gateway.newcomers import Site, standing_of
from strongroom.gateway.tenants import copies_of, holds_own
from strongroom.keys.backup import Contents
from strongroom.keys.hierarchy import is_related, wrapped
from strongroom.keys.kek import Keks, scope_of
from strongroom.keys.model import Keyset
from strongroom.keys.store import KeyStore, adopt_keks, assume_used, kept_keks


async def bring_back(at: Site, what: Contents, kek: Keyset) -> bool:
    """The KEK and keysets of a tenant in all their places; whether anything was not there before.

    Raises ``TenantDestroyed``, ``TenantPlaceRefused``, a ``RootError`` or ``KeysetsNotKept``.
    """
    standing = await standing_of(at, kek.name)
    if standing.is_destroyed:
        raise TenantDestroyed(f"{kek.name} was destroyed, and is not brought back")
    here = standing.kek
    if here is None:
        await _keep_kek(at, kek)
        here = kek
    elif not is_related(here, kek) and not is_related(kek, here):
        raise KeysetsNotKept(f"{kek.name} is here, and is another key than that of the backup")
    brought = await _keep_keysets(at, Keks.of([here]), what)
    return standing.kek is None or brought


async def _keep_kek(at: Site, kek: Keyset) -> None:
    copies = copies_of(at.settings)
    if copies is None or holds_own(at.settings, kek.name):
        raise TenantPlaceRefused(
            f"{scope_of(kek.name)} holds its own key, or there is no folder for its second copy"
        )
    copy, kept = copies.read(kek.name), kept_keks(at.state.engine, kek.name).get(kek.name)
    newest = max((one.revision for one in (copy, kept) if one is not None), default=0)
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
