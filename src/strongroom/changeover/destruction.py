"""Destroying a version of a keyset: its material, and then what wrapped it, since copies are elsewhere.

    1. the material is taken out of the keyset beside the data, and then in the state
    2. the KEK gets a new version, which wraps everything anew: in use or retired, beside the data and here
    3. the former versions of the KEK are destroyed, and the roots wrap what is left
    4. the tables and the state's file are rewritten, so that no free page holds what was wrapped

So an older copy of the keyset opens by nothing that is left here. A dump of the database from before holds
the former wraps of the KEK too: it ends when the roots do that wrapped it then. Each step is found done by
the next run, after a kill at any moment, and nothing that is needed is ever unreadable in between. Called by
``strongroom keys destroy``, which has looked for what stands in the way.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from strongroom.changeover.database import Database
from strongroom.changeover.ledger import Ledger, end_kek_versions, kept_kek, kept_of, rotate_kek
from strongroom.errors import KeysChanged
from strongroom.keys.beside import HAS_RETIRED
from strongroom.keys.endings import Ending, Endings
from strongroom.keys.hierarchy import Roots, open_kek
from strongroom.keys.kek import Keks, WrappedKek
from strongroom.keys.model import Keyset, KeyState
from strongroom.keys.store import KeyStore, adopt_keks
from strongroom.keys.taking import refuse_behind, take_over
from strongroom.state import State

TABLES = ("keks", "keysets", "retired_keysets")
_FILE = "SELECT pg_relation_filenode(%s::regclass)"  # VACUUM of another owner's table is but a warning


@dataclass(frozen=True, kw_only=True, slots=True)
class Destruction:
    """Of one version; the connection is the owner's, with the lock of a changeover."""

    database: Database
    roots: Roots
    state: State
    ending: Ending
    now: Callable[[], datetime]

    def run(self, keyset: str, key_id: int, kek_name: str) -> tuple[str, ...]:
        """Destroys it, or goes on where a run stopped; returns the tables that could not be rewritten.

        Raises ``KeysChanged``, or the ``RootError`` of a root that cannot be used now.
        """
        if self.roots.failures:  # one that is left out now would open what is left no more
            raise self.roots.failures[0]
        row, kek = self._kek(kek_name)
        self._end_material(keyset, key_id, kek)
        row, kek = self._renew(row, kek)
        self._end_versions(row, kek)
        held = tuple(one for one in TABLES if not self._rewritten(one))
        if not self.state.wipe():
            raise KeysChanged(
                "another process reads the state, whose write-ahead log still has what was destroyed",
                hint="run it again: all else is done",
            )
        return held

    def _kek(self, name: str) -> tuple[WrappedKek, Keyset]:
        row = kept_kek(self.database, name)
        return row, open_kek(row, self.roots)

    def _end_material(self, name: str, key_id: int, kek: Keyset) -> None:
        keks = Keks.of([kek])
        ledger = Ledger(self.database, keks, KeyStore(self.state.engine, keks).adopt)
        before = ledger.read(name)
        if before.version(key_id).state is not KeyState.DESTROYED:
            ledger.write(before, before.with_state(key_id, KeyState.DESTROYED))
        ledger.adopt(name)

    def _renew(self, row: WrappedKek, kek: Keyset) -> tuple[WrappedKek, Keyset]:
        """The KEK with a version that has never wrapped the material, and everything under it.

        Which version was the newest when the material was gone is written down: a run that finds another one
        has come so far before.
        """
        mark = f"{kek.primary:08x}"
        if Endings(self.state.engine).begun(self.ending, mark) in {None, mark}:
            done = rotate_kek(self.database, kek, row, self.roots, self.now())
            row, kek = done.row, done.kek
        take_over(self.state.engine, row, kek, kept_of(self.database, kek))
        return row, kek

    def _end_versions(self, row: WrappedKek, kek: Keyset) -> None:
        refuse_behind(self.state.engine, kek)
        done = end_kek_versions(self.database, kek, row, self.roots)
        if done is not None:
            adopt_keks(self.state.engine, [done.row])
            KeyStore(self.state.engine, Keks.of([done.kek])).adopt(done.keysets)

    def _rewritten(self, table: str) -> bool:
        """Dead rows of the table are gone from its files; they stay in the write-ahead log until it is."""
        if table == "retired_keysets" and not self.database.value(HAS_RETIRED):
            return True
        before = self.database.value(_FILE, f"strongroom_keys.{table}")
        self.database.if_free(f"VACUUM (FULL) strongroom_keys.{table}")
        return bool(self.database.value(_FILE, f"strongroom_keys.{table}") != before)
