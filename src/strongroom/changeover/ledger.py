"""Keys beside the data, read and written on a changeover's own connection, by compare and swap.

What stands beside the data is the truth (``keys/beside.py``): a change is written here first, against the
revision that it was made from, so that of two who change the same key at once one is told. Called by
``rotation.py`` and the key commands.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from strongroom.changeover.database import Database
from strongroom.errors import KekMissing, KeysChanged, KeysetMissing, WrongKek
from strongroom.keys.beside import ALONE, HAS_RETIRED
from strongroom.keys.generate import new_version
from strongroom.keys.hierarchy import Roots, wrapped
from strongroom.keys.kek import Keks, WrappedKek, WrappedKeyset, tenant_of, wraps_of, wraps_text
from strongroom.keys.model import Keyset, KeyState
from strongroom.keys.rotation import ended, settled


class Ledger:
    """Keysets beside the data, read and written on the connection of the changeover."""

    def __init__(
        self, database: Database, keks: Keks, adopt: Callable[[Iterable[WrappedKeyset]], None]
    ) -> None:
        self._database = database
        self._keks = keks
        self._adopt = adopt

    def read(self, name: str) -> Keyset:
        """The keyset as it stands there now; raises ``KeysetMissing``."""
        return self._keks.unwrap(self._kept(name))

    def write(self, before: Keyset, after: Keyset) -> None:
        """Puts a keyset in the place of the one that it came from; raises ``KeysChanged``."""
        kept = self._keks.wrap(after)
        ids = sorted(after.key_ids)
        changed = self._database.connection.execute(
            "UPDATE strongroom_keys.keysets SET revision = %s, key_ids = %s, wrapped = %s, written = now()"
            " WHERE name = %s AND revision = %s",
            (kept.revision, ids, kept.wrapped, kept.name, before.revision),
        )
        if changed.rowcount != 1:
            raise KeysChanged(f"keyset {after.name!r} was changed by somebody else meanwhile")

    def adopt(self, name: str) -> None:
        """Takes over into the state what stands beside the data now."""
        self._adopt([self._kept(name)])

    def _kept(self, name: str) -> WrappedKeyset:
        query = "SELECT name, revision, wrapped FROM strongroom_keys.keysets WHERE name = %s"
        found = self._database.rows(query, name)
        if not found:
            way_out = "run `strongroom serve` or `strongroom protect`, which keep it there"
            if tenant_of(name) is not None:
                way_out = "make the tenant's keys, if there is such a tenant: strongroom keys tenants add"
            raise KeysetMissing(f"keyset {name!r} is not kept beside the data", hint=way_out)
        return WrappedKeyset(*found[0])


def kept_kek(database: Database, name: str) -> WrappedKek:
    """A KEK as it stands there now; raises ``KekMissing``."""
    found = database.rows("SELECT name, revision, wraps FROM strongroom_keys.keks WHERE name = %s", name)
    if not found:
        raise KekMissing(f"{name!r} is not kept beside the data")
    _, revision, wraps = found[0]
    return WrappedKek(name, revision, wraps_of(wraps))


def kept_of(database: Database, kek: Keyset) -> list[WrappedKeyset]:
    """The keysets in use of a KEK as they stand there now."""
    keks = Keks.of([kek])
    rows = database.rows("SELECT name, revision, wrapped FROM strongroom_keys.keysets ORDER BY name")
    return [one for one in (WrappedKeyset(*row) for row in rows) if keks.has(one.name)]


@dataclass(frozen=True, slots=True)
class RotatedKek:
    """A KEK after a change, and the keysets in use that were wrapped anew: to be taken into the state."""

    row: WrappedKek
    kek: Keyset
    keysets: tuple[WrappedKeyset, ...]


def rotate_kek(
    database: Database, kek: Keyset, kept: WrappedKek, roots: Roots, created: datetime
) -> RotatedKek:
    """Gives a KEK a new version and wraps all that it wraps anew, in use or retired, in one transaction.

    ``kept`` is the row of which ``kek`` was opened. Former versions are deactivated: they open what backups
    hold. Raises ``KeysChanged``, or the ``RootError`` of a root that cannot be used now, since it would be
    left out.
    """
    taken = [version.key_id for version in kek.versions]
    newest = new_version(kek.algorithm, taken, KeyState.ACTIVE, created)
    return _put(database, settled(kek.with_key(newest).with_primary(newest.key_id)), kept, roots)


def end_kek_versions(database: Database, kek: Keyset, kept: WrappedKek, roots: Roots) -> RotatedKek | None:
    """Destroys all versions of a KEK but the newest; None where there is none of them any more.

    What is wrapped by them still is wrapped anew in the same transaction. Raises as ``rotate_kek``.
    """
    after = ended(kek)
    return None if after is kek else _put(database, after, kept, roots, opening=kek)


def _put(
    database: Database, after: Keyset, kept: WrappedKek, roots: Roots, *, opening: Keyset | None = None
) -> RotatedKek:
    row = wrapped(after, kept.revision + 1, roots)
    with database.transaction():
        database.run(ALONE)
        changed = database.connection.execute(
            "UPDATE strongroom_keys.keks SET revision = %s, wraps = %s, written = now()"
            " WHERE name = %s AND revision = %s",
            (row.revision, wraps_text(row.wraps), row.name, kept.revision),
        )
        if changed.rowcount != 1:
            raise KeysChanged(f"{kept.name!r} was changed by somebody else meanwhile")
        keks = Keks.of([opening or after])
        rewrapped = _rewrap(database, keks, "keysets")
        if database.value(HAS_RETIRED):
            _rewrap(database, keks, "retired_keysets")
    return RotatedKek(row, after, tuple(rewrapped))


def _rewrap(database: Database, keks: Keks, table: str) -> list[WrappedKeyset]:
    """What a KEK wraps in a table, wrapped by its newest version; returns what was changed.

    A retired keyset that does not open is left: another installation's, or of a KEK that was destroyed.
    """
    query = f"SELECT name, revision, wrapped FROM strongroom_keys.{table} ORDER BY name FOR UPDATE"
    rewrapped = []
    for before in [WrappedKeyset(*one) for one in database.rows(query)]:
        if not keks.has(before.name) or keks.is_current(before):
            continue
        try:
            after = keks.wrap(keks.unwrap(before).rewrapped())
        except (KekMissing, WrongKek):
            if table == "keysets":
                raise
            continue
        database.run(
            f"UPDATE strongroom_keys.{table} SET revision = %s, wrapped = %s, written = now()"
            " WHERE name = %s AND wrapped = %s",
            after.revision,
            after.wrapped,
            after.name,
            before.wrapped,
        )
        rewrapped.append(after)
    return rewrapped
