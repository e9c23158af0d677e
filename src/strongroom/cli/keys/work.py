"""What the key commands do in one database: the keys that are ready for use, and changes of them.

Called by ``rotate.py``, ``states.py``, ``transfer.py`` and ``destroy.py``.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Annotated

import typer

from strongroom.changeover import record
from strongroom.changeover.database import Database
from strongroom.changeover.destruction import Destruction
from strongroom.changeover.ledger import Ledger, kept_kek, rotate_kek
from strongroom.changeover.model import Limits, Tell
from strongroom.changeover.needs import needs
from strongroom.changeover.rotation import NotWanted, Propagation, Rotated
from strongroom.changeover.rotation import rotate as rotate_keyset
from strongroom.cli.keys.asking import say
from strongroom.cli.worksite import Worksite, bar, scheme_named
from strongroom.deeds.jobs import ROTATE, job
from strongroom.errors import ChangeoverBusy, ColumnUnknown, KeysetMissing
from strongroom.gateway.newcomers import Site
from strongroom.gateway.protection import Prepared, prepare
from strongroom.gateway.snapshots import LEARNT_SECONDS
from strongroom.gateway.tenant_rotation import rotate_kek_of_tenant
from strongroom.keys.backups import Backups
from strongroom.keys.endings import Ending
from strongroom.keys.generation import unseen
from strongroom.keys.hierarchy import open_kek
from strongroom.keys.holds import Holds
from strongroom.keys.imports import Imports
from strongroom.keys.journal import Journal
from strongroom.keys.kek import database_of, kek_name, tenant_of
from strongroom.keys.leak import ROTATED, Leak, exposure, unfinished, write_down
from strongroom.keys.model import Keyset
from strongroom.keys.obstacles import (
    Obstacle,
    of_backups,
    of_holds,
    of_rollbacks,
    of_state,
    refuse_obstacles,
)
from strongroom.keys.rotation import due, given_up, settled
from strongroom.keys.store import KeyStore, kept_keks
from strongroom.keys.taking import take_over
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

    @property
    def of_tenant(self) -> bool:
        """Whether the keyset is one of many tenants'."""
        return tenant_of(self.schemes[0].keyset) is not None


class KeyWork:
    """Work on the keys of one database; ``prepared`` where they are there already, and nobody looks on."""

    def __init__(
        self, site: Worksite, *, wait: bool = True, prepared: Prepared | None = None, said: Said = bar
    ) -> None:
        self._site = site
        self._wait = LEARNT_SECONDS if wait else 0.0
        self._said = said
        self._prepared = prepared or asyncio.run(prepare(site.settings, site.state, [site.place]))
        for line in self._prepared.said if prepared is None else ():
            say(line)
        self._store = KeyStore(site.state.engine, self._prepared.keks)
        self._uses = Reservations(self._store.reserve)
        self.journal = Journal(site.state.engine)
        self.imports = Imports(site.state.engine, self._prepared.keks)

    def groups(self, columns: Sequence[str]) -> list[list[Scheme]]:
        """The columns of each keyset that one of these names has, all that share it."""
        return [self.sharing(keyset) for keyset in dict.fromkeys(self.keyset_name(one) for one in columns)]

    def keyset_name(self, column: str) -> str:
        """The name of the keyset of a column, or of a tenant's in it; raises ``ColumnUnknown``."""
        scheme = scheme_named(self._site.schemes, column)
        if scheme.tenant is not None:
            raise ColumnUnknown(
                f"each tenant has a key of its own in {column}",
                hint=f"Name one, as {column}@TENANT; `strongroom keys tenants list` shows them.",
            )
        return scheme.keyset

    def due(self) -> list[Due]:
        """The keysets that are due, those of tenants last."""
        keysets = sorted(self._store.load().values(), key=lambda one: (tenant_of(one.name) or "", one.name))
        found = ((keyset, self.why_due(keyset)) for keyset in keysets)
        return [Due(self.sharing(keyset.name), why) for keyset, why in found if why]

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

    def leak(self, schemes: Sequence[Scheme]) -> Leak:
        """What is exposed of the keyset that these columns share, on the disk before this returns.

        An earlier run's, where that has not come to its end; else all that is there now.
        """
        with self._alone() as database:
            keyset = self._ledger(database).read(schemes[0].keyset)
            found = unfinished(keyset, self.journal.events())
            if found is not None:
                return found
            columns = [scheme.column for scheme in schemes]
            leak = exposure(keyset, columns, self.uses(keyset), datetime.now(UTC))
            return write_down(self._site.state.engine, keyset.name, leak)

    def replace(self, schemes: Sequence[Scheme], leak: Leak) -> Rotated:
        """Rotates the keyset of a leak to a version that it does not name, and trusts those named no more."""
        finish = partial(given_up, exposed=leak.key_ids)
        return self.rotate(schemes, reencrypt=True, finish=finish, exposed=leak.key_ids)

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
        exposed: Collection[int] = (),
        note: Mapping[str, object] = NOTHING,
    ) -> Rotated:
        """Rotates the keyset that these columns share; ``finish`` is done to it when nothing old is left.

        ``note`` is written down with it. Raises ``NotWanted`` and the errors of ``changeover.rotation``.
        """

        def written_down(rotated: Rotated) -> None:
            details = {"key_id": f"{rotated.keyset.primary:08x}", "resealed": rotated.resealed}
            self.journal.add(ROTATED, rotated.keyset.name, **details, **note)

        columns = [scheme.column for scheme in schemes]
        with (
            job(self._site.state.engine, ROTATE, self._site.place.name, columns) as done,
            self._said(WAIT if self._wait and not schemes[0].comparable else "") as tell,
        ):
            return rotate_keyset(
                self._site.connection,
                schemes,
                self._prepared.keks,
                self._store.adopt,
                self._uses,
                reencrypt=reencrypt,
                propagation=Propagation(self._wait),
                accepted=list(self._site.settings.databases[self._site.place.name].functions),
                tell=done.heard(tell),
                finish=finish,
                wanted=wanted,
                exposed=exposed,
                written_down=written_down,
            )

    def rotate_kek(self) -> tuple[str, int]:
        """Gives the database's KEK a new version; returns its name and how many keysets it wraps now."""
        roots = self._prepared.roots
        with self._alone() as database:
            kept = kept_kek(database, kek_name(self._site.place.name))
            done = rotate_kek(database, open_kek(kept, roots), kept, roots, datetime.now(UTC))
            # Before anybody else can rotate it: what is wrapped here would not open by this version then.
            take_over(self._site.state.engine, done.row, done.kek, done.keysets)
            self.journal.add("rotated", done.row.name, keysets=len(done.keysets))
        return done.row.name, len(done.keysets)

    def rotate_kek_of(self, tenant: str) -> tuple[str, int]:
        """The same for the KEK of one tenant."""
        at = Site(self._site.settings, self._site.state, self._site.place, self._prepared.roots)
        with self._alone():
            name, keysets = asyncio.run(rotate_kek_of_tenant(at, tenant))
        self.journal.add("rotated", name, keysets=keysets)
        return name, keysets

    def change(self, name: str, after: Callable[[Keyset], Keyset]) -> Keyset:
        """Changes a keyset beside the data and in the state; returns it as it is now."""
        with self._alone() as database:
            ledger = self._ledger(database)
            before = ledger.read(name)
            keyset = after(before)
            ledger.write(before, keyset)
            ledger.adopt(name)
        return keyset

    def obstacles(self, keyset: Keyset, key_id: int) -> list[Obstacle]:
        """What stands in the way of destroying a version, the work of others that runs now included."""
        found = self._obstacles(self._database(), keyset, key_id)
        try:
            with self._alone():
                return found
        except ChangeoverBusy as busy:
            return [*found, Obstacle(busy.message, busy.hint)]

    def destroy(self, keyset: Keyset, key_id: int, ending: Ending) -> tuple[str, ...]:
        """Destroys a version, if nothing stands in the way now; tables that could not be rewritten.

        Interrupted, it goes on where it stopped. Raises ``DestructionRefused``.
        """
        with self._alone() as database:
            refuse_obstacles(ending, self._obstacles(database, keyset, key_id))
            destruction = Destruction(
                database=database,
                roots=self._prepared.roots,
                state=self._site.state,
                ending=ending,
                now=lambda: datetime.now(UTC),
            )
            return destruction.run(keyset.name, key_id, kek_name(database_of(keyset.name)))

    def roots_of(self, keyset: Keyset) -> list[str]:
        """The roots that wrapped the KEK of a keyset, now or before: dumps from then open by them."""
        name = kek_name(database_of(keyset.name))
        found = set(kept_keks(self._site.state.engine)[name].wraps)
        for event in self.journal.events():
            if event.what in {"root removed", "root removal begun"} and name in str(
                event.details.get("keks")
            ).split(", "):
                found.add(event.subject)
            if event.subject == keyset.name and event.what == "destruction begun":
                found |= set(map(str, event.details["roots"]))  # type: ignore[call-overload]  # a list of names
        return sorted(found)

    def exports_of(self, keyset: Keyset) -> list[str]:
        """The files that its keys were exported to in the clear."""
        events = self.journal.events()
        found = (one.details for one in events if (one.what, one.subject) == ("exported", keyset.name))
        return sorted({str(one.get("file")) for one in found})

    def backups_of(self, keyset: Keyset, key_id: int) -> list[Obstacle]:
        """The registered backups that hold a version, or what wrapped it when this began."""
        kek = self._prepared.keks.by_name[kek_name(database_of(keyset.name))]
        return of_backups(Backups(self._site.state.engine), keyset.name, key_id, kek)

    def _obstacles(self, database: Database, keyset: Keyset, key_id: int) -> list[Obstacle]:
        engine, number = self._site.state.engine, keyset.number(key_id)
        schemes = [one for one in self._site.schemes.values() if one.keyset == keyset.name]
        column = schemes[0].column if schemes else keyset.name
        owner = database_of(keyset.name)
        return [
            *of_rollbacks(unseen(engine)),
            *of_state(keyset, key_id, column),
            *needs(database, keyset, key_id, schemes),
            *self.backups_of(keyset, key_id),
            *of_holds(Holds(engine), keyset.name, number, also=[kek_name(owner), owner]),
        ]

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

    def sharing(self, keyset: str) -> list[Scheme]:
        """The columns that share a keyset; of a tenant's, the one column of which it seals values."""
        tenant, schemes = tenant_of(keyset), list(self._site.schemes.values())
        if tenant is not None:
            schemes = [scheme.of_tenant(tenant) for scheme in schemes if scheme.tenant is not None]
        found = [scheme for scheme in schemes if scheme.keyset == keyset]
        if not found:
            raise KeysetMissing(
                f"no configured column has the keyset {keyset!r}", hint="`strongroom keys list` shows them"
            )
        return found
