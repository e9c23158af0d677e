"""Gives the key-encryption key of a tenant a new version, and wraps the tenant's keysets by it.

Its places are not one transaction, and need not be: the new version is on the disk in both places before it
wraps anything, and former ones go on opening what they wrapped. Interrupted, it is run again. Called by
``strongroom keys rotate --kek --tenant``, alone in the database.
"""

import asyncio
from datetime import UTC, datetime

from strongroom.errors import TenantDestroyed, TenantKeyAway, TenantPlaceRefused
from strongroom.gateway.kept import keks_beside, keysets_beside, publish, publish_kek
from strongroom.gateway.newcomers import Site, standing_of
from strongroom.gateway.protection import schemes_of
from strongroom.gateway.tenants import copies_of, holds_own, own_roots
from strongroom.gateway.wraps import refuse_other
from strongroom.keys.generate import new_version
from strongroom.keys.hierarchy import wrapped
from strongroom.keys.kek import Keks, kek_name
from strongroom.keys.model import Keyset, KeyState
from strongroom.keys.rotation import settled
from strongroom.keys.store import KeyStore, adopt_keks
from strongroom.keys.tenants import Standing


async def rotate_kek_of_tenant(at: Site, tenant: str) -> tuple[str, int]:
    """Returns the KEK's name and how many keysets it wraps now.

    Raises ``TenantKeyAway``, ``TenantDestroyed``, ``KeysChanged``, or the ``RootError`` of whoever wraps it.
    """
    standing = await standing_of(at, kek_name(f"{at.place.name}@{tenant}"))
    if standing.is_destroyed:
        raise TenantDestroyed(f"{standing.name} was destroyed")
    if standing.kek is None:
        why = "there is none" if standing.failure is None else standing.failure.message
        raise TenantKeyAway(f"{standing.name} is not here: {why}")
    keks = Keks.of([await _renewed(at, standing, standing.kek)])
    schemes = (one for one in schemes_of(at.settings, at.place.name).values() if one.tenant is not None)
    names = [scheme.of_tenant(tenant).keyset for scheme in schemes]
    opened = keks.unwrap_all(await keysets_beside(at.place.connector, names))
    await publish(at.place, keks, {}, [keyset.rewrapped() for keyset in opened.values()], ())
    KeyStore(at.state.engine, keks).adopt(await keysets_beside(at.place.connector, names))
    return standing.name, len(opened)


async def _renewed(at: Site, standing: Standing, before: Keyset) -> Keyset:
    """The KEK with a new version, which is kept where it was kept before: its second place first."""
    assert standing.row is not None  # it is here
    taken = [version.key_id for version in before.versions]
    newest = new_version(before.algorithm, taken, KeyState.ACTIVE, datetime.now(UTC))
    after = settled(before.with_key(newest).with_primary(newest.key_id))
    own = holds_own(at.settings, standing.name)
    onto = await asyncio.to_thread(own_roots, at.settings, standing.name) if own else at.roots
    row = await asyncio.to_thread(wrapped, after, standing.row.revision + 1, onto)
    copies = copies_of(at.settings)
    if own:
        await publish_kek(at.place, row)
        refuse_other(row, (await keks_beside(at.place.connector)).get(row.name), "beside the data")
    elif copies is not None:
        copies.write(row)
        refuse_other(row, copies.read(row.name), "in the folder of copies")
    else:
        raise TenantPlaceRefused(f"there is no folder for the second copy of {standing.name!r}")
    adopt_keks(at.state.engine, [row])
    return after
