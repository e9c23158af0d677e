"""Keys beside the data, read and written on a changeover's own connection, by compare and swap.

What stands beside the data is the truth (``keys/beside.py``): a change is written here first, against the
revision that it was made from, so that of two who change the same key at once one is told. Called by
``rotation.py`` and the key commands.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

from strongroom.changeover.database import Database
from strongroom.errors import KeysChanged, KeysetMissing
from strongroom.keys.beside import ALONE
from strongroom.keys.generate import new_version
from strongroom.keys.hierarchy import Roots, wrapped
from strongroom.keys.kek import Keks, WrappedKek, WrappedKeyset, wraps_text
from strongroom.keys.model import Keyset, KeyState
from strongroom.keys.rotation import settled


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
            raise KeysetMissing(
                f"keyset {name!r} is not kept beside the data",
                hint="run `strongroom serve` or `strongroom protect`, which keep it there",
            )
        return WrappedKeyset(*found[0])


def rotate_kek(
    database: Database, keks: Keks, kept: WrappedKek, roots: Roots, created: datetime
) -> tuple[WrappedKek, list[WrappedKeyset]]:
    """Gives a KEK a new version and wraps all keysets of its database anew, all in one transaction.

    Returns what is to be taken into the state. Former versions are deactivated: they open what backups hold.
    Raises ``KeysChanged``, or the ``RootError`` of a root that cannot be used now: it would be left out.
    """
    before = keks.by_name[kept.name]
    taken = [version.key_id for version in before.versions]
    newest = new_version(before.algorithm, taken, KeyState.ACTIVE, created)
    after = settled(before.with_key(newest).with_primary(newest.key_id))
    row, now = wrapped(after, kept.revision + 1, roots), Keks.of([after])
    with database.transaction():
        database.run(ALONE)
        changed = database.connection.execute(
            "UPDATE strongroom_keys.keks SET revision = %s, wraps = %s, written = now()"
            " WHERE name = %s AND revision = %s",
            (row.revision, wraps_text(row.wraps), row.name, kept.revision),
        )
        if changed.rowcount != 1:
            raise KeysChanged(f"{kept.name!r} was changed by somebody else meanwhile")
        query = "SELECT name, revision, wrapped FROM strongroom_keys.keysets ORDER BY name FOR UPDATE"
        keysets = [keks.unwrap(WrappedKeyset(*one)) for one in database.rows(query)]
        rewrapped = [now.wrap(keyset.rewrapped()) for keyset in keysets]
        for one in rewrapped:
            database.run(
                "UPDATE strongroom_keys.keysets SET revision = %s, wrapped = %s, written = now()"
                " WHERE name = %s",
                one.revision,
                one.wrapped,
                one.name,
            )
    return row, rewrapped
