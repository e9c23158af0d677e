"""What the key commands do in one database: the keys that are ready for use, and changes of them.

Called by ``rotate.py``, ``states.py`` and ``transfer.py``.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated

import typer

from strongroom.changeover import record
from strongroom.changeover.database import Database
from strongroom.changeover.ledger import Ledger, rotate_kek
from strongroom.changeover.model import Limits, Tell
from strongroom.changeover.rotation import NotWanted, Propagation, Rotated
from strongroom.changeover.rotation import rotate as rotate_keyset
from strongroom.cli.worksite import Worksite, bar, scheme_named
from strongroom.errors import KekMissing, KeysetMissing
from strongroom.gateway.kept import kept_beside
from strongroom.gateway.protection import Prepared, prepare
from strongroom.gateway.snapshots import LEARNT_SECONDS
from strongroom.keys.imports import Imports
from strongroom.keys.journal import Journal
from strongroom.keys.kek import WrappedKek
from strongroom.keys.model import Keyset
from strongroom.keys.rotation import due, settled
from strongroom.keys.store import KeyStore, adopt_keks
from strongroom.keys.uses import Reservations
from strongroom.protect.scheme import Scheme

Columns = Annotated[
    list[str] | None, typer.Argument(metavar="[COLUMN]...", help="schema.table.column, as configured.")
]
DatabaseName = Annotated[str | None, typer.Option("--database", metavar="NAME", help="Of several, which.")]
Wait = Annotated[
    bool,
    typer.Option("--wait/--no-wait", help="Wait for gateways that run to hear of it; --no-wait: none runs."),
]

Said = Callable[[str], AbstractContextManager[Tell]]
"""What tells of the steps, as ``worksite.bar`` does for people."""

NOTHING: Mapping[str, object] = MappingProxyType({})

WAIT = "gateways that run hear of the new key by themselves; it seals as soon as they have"


@dataclass(frozen=True, slots=True)
class Due:
    """A keyset whose newest version has served for long enough, and why."""

    schemes: Sequence[Scheme]
    """The columns that share it."""
    why: str

    @property
    def by_itself(self) -> bool:
        """Whether a new version alone is enough: values that are compared must be sealed anew with it."""
        return not self.schemes[0].comparable


class KeyWork:
    """Work on the keys of one database; ``prepared`` where they are there already, and nobody looks on."""

    def __init__(
        self, site: Worksite, *, wait: bool = True, prepared: Prepared | None = None, said: Said = bar
    ) -> None:
        self._site = site
        self._wait = LEARNT_SECONDS if wait else 0.0
        self._said = said
        self._prepared = prepared or asyncio.run(prepare(site.settings, site.state, [site.place]))
        self._store = KeyStore(site.state.engine, self._prepared.keks)
        self._uses = Reservations(self._store.reserve)
        self.journal = Journal(site.state.engine)
        self.imports = Imports(site.state.engine, self._prepared.keks)

    def groups(self, columns: Sequence[str]) -> list[list[Scheme]]:
        """The columns of each keyset that one of these names has, all that share it."""
        wanted = {scheme_named(self._site.schemes, column).keyset: None for column in columns}
        return [self._sharing(keyset) for keyset in wanted]

    def due(self) -> list[Due]:
        """The keysets that are due."""
        found = ((keyset, self.why_due(keyset)) for keyset in self._store.load().values())
        return [Due(self._sharing(keyset.name), why) for keyset, why in found if why]

    def why_due(self, keyset: Keyset) -> str | None:
        """Why a keyset, or a KEK, should be rotated; None while it need not be."""
        assert self._site.settings.keys is not None  # config: protected columns have a root
        return due(keyset, self._store.uses(), datetime.now(UTC), self._site.settings.keys.period)

    def rotate_due(
        self, one: Due, *, reencrypt: bool = False, note: Mapping[str, object] = NOTHING
    ) -> Rotated | None:
        """Rotates what is due; None where somebody else did meanwhile."""
        try:
            return self.rotate(
                one.schemes,
                reencrypt=reencrypt or not one.by_itself,
                wanted=lambda keyset: self.why_due(keyset) is not None,
                note=note,
            )
        except NotWanted:
            return None

    def uses(self, keyset: Keyset) -> int:
        """How many uses of the keyset's versions are counted, all together."""
        return sum(count for (name, _), count in self._store.uses().items() if name == keyset.name)

    def keyset(self, name: str) -> Keyset:
        """A keyset as it stands beside the data."""
        return self._ledger(self._database()).read(name)

    def rotate(
        self,
        schemes: Sequence[Scheme],
        *,
        reencrypt: bool,
        finish: Callable[[Keyset], Keyset] = settled,
        wanted: Callable[[Keyset], bool] = lambda _: True,
        note: Mapping[str, object] = NOTHING,
    ) -> Rotated:
        """Rotates the keyset that these columns share; ``finish`` is done to it when nothing old is left.

        ``note`` is written down with it. Raises ``NotWanted`` and the errors of ``changeover.rotation``.
        """
        with self._said(WAIT if self._wait and not schemes[0].comparable else "") as tell:
            rotated = rotate_keyset(
                self._site.connection,
                schemes,
                self._prepared.keks,
                self._store.adopt,
                self._uses,
                reencrypt=reencrypt,
                propagation=Propagation(self._wait),
                accepted=list(self._site.settings.databases[self._site.place.name].functions),
                tell=tell,
                finish=finish,
                wanted=wanted,
            )
        details = {"key_id": f"{rotated.keyset.primary:08x}", "resealed": rotated.resealed}
        self.journal.add("rotated", rotated.keyset.name, **details, **note)
        return rotated

    def rotate_kek(self) -> tuple[str, int]:
        """Gives the database's KEK a new version; returns its name and how many keysets it wraps now."""
        with self._alone() as database:
            row, keysets = rotate_kek(
                database, self._prepared.keks, self._kek(), self._prepared.roots, datetime.now(UTC)
            )
        adopt_keks(self._site.state.engine, [row])
        self._store.adopt(keysets)
        self.journal.add("rotated", row.name, keysets=len(keysets))
        return row.name, len(keysets)

    def change(self, name: str, after: Callable[[Keyset], Keyset]) -> Keyset:
        """Changes a keyset beside the data and in the state; returns it as it is now."""
        with self._alone() as database:
            ledger = self._ledger(database)
            before = ledger.read(name)
            keyset = after(before)
            ledger.write(before, keyset)
            ledger.adopt(name)
        return keyset

    def _kek(self) -> WrappedKek:
        row = asyncio.run(kept_beside(self._site.place.connector)).kek
        if row is None:
            raise KekMissing(f"databases.{self._site.place.name} has no key-encryption key beside its data")
        return row

    @contextmanager
    def _alone(self) -> Iterator[Database]:
        """While no changeover runs in the database."""
        database = self._database()
        record.lock(database)
        try:
            yield database
        finally:
            if not self._site.connection.closed:
                record.unlock(database)

    def _database(self) -> Database:
        database = Database(self._site.connection, Limits())
        database.settle_session()
        return database

    def _ledger(self, database: Database) -> Ledger:
        return Ledger(database, self._prepared.keks, self._store.adopt)

    def _sharing(self, keyset: str) -> list[Scheme]:
        found = [scheme for scheme in self._site.schemes.values() if scheme.keyset == keyset]
        if not found:
            raise KeysetMissing(
                f"no configured column has the keyset {keyset!r}", hint="`strongroom keys list` shows them"
            )
        return found
