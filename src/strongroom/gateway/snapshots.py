"""What the sessions of one worker look at: catalog, protected columns and their keys, by database.

A snapshot is immutable and swapped whole. It is read again when the catalog has changed, and on a timer;
with it come the keysets that stand beside the data, so that a key rotated elsewhere is soon known here.

Called by `server`.
"""

import asyncio
import json
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from strongroom.audit.hash_secrets import HashSecrets
from strongroom.audit.records.keyed import KeyedColumn
from strongroom.config import Settings
from strongroom.config.access import declared
from strongroom.errors import KeysUnread
from strongroom.gateway.connector import Connector
from strongroom.gateway.kept import newer_beside
from strongroom.gateway.protection import changing, check_columns, read_catalog, schemes_of
from strongroom.keys.kek import Keks, scope_of, tenant_of
from strongroom.keys.keyring import KeyRing
from strongroom.keys.model import Keyset
from strongroom.keys.sealed import SealedColumns
from strongroom.keys.store import KeyStore
from strongroom.keys.uses import Reservations
from strongroom.protect.plan import Uses
from strongroom.session.hashing import Names
from strongroom.session.metering import Meter
from strongroom.session.snapshot import Snapshot
from strongroom.sql.schema import Schema
from strongroom.state import State

_log = structlog.get_logger("strongroom.snapshots")

CATALOG_SECONDS = 30.0
"""How long changes around the gateway may stay unnoticed where nothing disagrees with them before."""

LEARNT_SECONDS = 2 * CATALOG_SECONDS + 5
"""After so long every gateway that runs has heard of a change of keys (docs/spec/keys.md, "Rotation")."""


KEYS_SECONDS = 3600.0
"""How long keys are used that could not be read again: nobody here knows whether one was suspended since.

Longer than it takes to mend a password: until then the sessions that there are go on."""


TEXTS_SECONDS = 1800.0
"""A text that no session sends for twice as long is forgotten, with the literals in it."""


class Snapshots:
    """What the sessions of one worker look at, by database."""

    def __init__(
        self,
        settings: Settings,
        state: State,
        keks: Keks,
        clock: Callable[[], float] = time.monotonic,
        *,
        due: Callable[[], None] = lambda: None,
        meter_of: Callable[[str], Meter] = lambda _: Meter(),
    ) -> None:
        """``due`` is called when a key has been used so often that it is to be rotated.

        ``meter_of`` gives where the uses of a database's keys are counted.
        """
        self._settings = settings
        self._meter_of = meter_of
        self._due = due
        self._found_due: set[tuple[str, int]] = set()
        self._clock = clock
        self._known: dict[str, Snapshot] = {}
        self._read_at: dict[str, float] = {}
        self._turned_at: dict[str, float] = {}
        self._catalogs: dict[str, bytes] = {}
        self._secret = _hash_secret(settings, state)
        if not any(one.columns for one in settings.databases.values()):
            return
        self._keks = keks
        self._engine = state.engine
        self._store = KeyStore(state.engine, keks)
        self._keysets = self._store.load()
        self._uses = Reservations(self._reserve)
        self._sealed = SealedColumns(state.engine)

    def find(self, database: str) -> Snapshot | None:
        """The snapshot; None where nothing is protected. Raises `KeysUnread` where it counts no more."""
        known = self._known.get(database)
        if known is not None and self._clock() - self._read_at[database] > KEYS_SECONDS:
            raise KeysUnread(
                f"the keys of {database} could not be read for {KEYS_SECONDS / 60:.0f} minutes, in which"
                " one may have been suspended"
            )
        return known

    def _logins(self, connector: Connector) -> frozenset[str]:
        """The roles by which sessions log in."""
        own = (account.upstream_user for account in self._settings.accounts.values())
        return frozenset([connector.upstream.credentials.user, *(name for name in own if name is not None)])

    async def read(self, database: str, connector: Connector) -> Snapshot | None:
        """Read the catalog anew; None where nothing is protected and nothing recorded.

        With catalog and keys unchanged it is the same snapshot, so that sessions need not analyse anew.
        """
        has_columns = bool(self._settings.databases[database].columns)
        if not has_columns and not declared(self._settings) and self._settings.audit is None:
            return None
        begun = self._clock()
        catalog = await read_catalog(connector)
        if not has_columns:
            return await self._plain(database, connector, catalog, begun)
        rotated = await self._take_over(connector)
        known, sealed = self._known.get(database), self._sealed.of(database)
        unchanged = not rotated and sealed == (known and known.sealed)
        if known is not None and self._catalogs[database] == catalog and unchanged:
            self._read_at[database] = begun
            self._turn(database, known)
            return known
        # In a thread, since thousands of tables take some tenths of a second, in which sessions go on.
        schema = await asyncio.get_running_loop().run_in_executor(None, _understood, catalog)
        schemes = schemes_of(self._settings, database)
        before = {} if known is None else known.protections
        in_motion = await changing(connector, schema, schemes) | self._sealed.released(database)
        check_columns(schema, schemes, in_motion - sealed, before)
        codecs = KeyRing.of(self._keysets.values()).codecs(schemes.values(), self._uses_of(database))
        functions = dict(self._settings.databases[database].functions)
        keyed = self._keyed(database)
        empty = Snapshot(schema, schemes, before, codecs, functions, sealed, keyed=keyed)
        snapshot = empty.with_schema(schema)
        automatic = self._settings.keys is not None and self._settings.keys.tenants.add == "automatic"
        snapshot = replace(snapshot, logins=self._logins(connector), makes_tenants=automatic)
        holding = frozenset(protection.column for protection in snapshot.protections.values())
        self._sealed.add(database, holding - sealed - in_motion)
        snapshot = replace(snapshot, sealed=sealed | (holding - in_motion))
        _say_unhashed(database, snapshot)
        self._known[database], self._catalogs[database] = snapshot, catalog
        self._read_at[database] = self._turned_at[database] = begun
        return snapshot

    async def _plain(self, database: str, connector: Connector, catalog: bytes, begun: float) -> Snapshot:
        """Of a database without protected columns, whose statements a policy is asked about."""
        known = self._known.get(database)
        self._read_at[database] = begun
        if known is not None and self._catalogs[database] == catalog:
            self._turn(database, known)
            return known
        schema = await asyncio.get_running_loop().run_in_executor(None, _understood, catalog)
        functions = dict(self._settings.databases[database].functions)
        keyed = self._keyed(database)
        empty = Snapshot(schema, {}, {}, {}, functions, logins=self._logins(connector), keyed=keyed)
        snapshot = empty.with_schema(schema)
        _say_unhashed(database, snapshot)
        self._known[database], self._catalogs[database] = snapshot, catalog
        self._turned_at[database] = begun
        return snapshot

    def _keyed(self, database: str) -> dict[Names, KeyedColumn]:
        """What makes the keyed hashes of a database's columns."""
        audit = self._settings.audit
        names = [] if audit is None else [(one.schema, one.table, one.column) for one in audit.keyed_hashes]
        return {one: KeyedColumn(self._secret, database, *one) for one in names}

    def rekey(self, came: Collection[Keyset], gone: Collection[str]) -> dict[str, Snapshot]:
        """Key-encryption keys of tenants came, or went, by their names; returns what each database is now.

        The catalog is as it was, and the database is not asked: what went is gone when this returns.
        """
        self._keks = self._keks.changed(came, gone)
        self._store = KeyStore(self._engine, self._keks)
        kept = {name: one for name, one in self._keysets.items() if self._keks.has(name)}
        for kek in came:
            kept |= self._store.load(scope=scope_of(kek.name))
        self._keysets = kept
        ring = KeyRing.of(kept.values())
        for database, known in self._known.items():
            if not known.schemes:
                continue
            codecs = ring.codecs(known.schemes.values(), self._uses_of(database))
            self._known[database] = replace(known, codecs=codecs).with_schema(known.schema)
        return dict(self._known)

    def ages(self) -> dict[str, float]:
        """Seconds since the catalog of each database, and its keys, were read."""
        return {name: self._clock() - then for name, then in self._read_at.items()}

    def _uses_of(self, database: str) -> Uses:
        return _Metered(self._uses, self._meter_of(database))

    def _turn(self, database: str, known: Snapshot) -> None:
        """Once in a while texts with literals that nobody sends any more are forgotten."""
        if self._clock() - self._turned_at[database] >= TEXTS_SECONDS:
            self._turned_at[database] = self._clock()
            known.analyses.turn()

    def _reserve(self, keyset: str, key_id: int, count: int, limit: int) -> None:
        """Reserve uses of a key; raises `KeyUsesSpent`."""
        assert self._settings.keys is not None  # config: protected columns have a root
        counted = self._store.reserve(keyset, key_id, count, limit)
        if counted >= self._settings.keys.period.share * limit and (keyset, key_id) not in self._found_due:
            self._found_due.add((keyset, key_id))
            self._due()

    async def _take_over(self, connector: Connector) -> bool:
        """Take over keysets that are newer beside the data; whether there were any."""
        newer = await newer_beside(connector, self._is_newer)
        opened = self._keks.unwrap_all(newer)  # with the KEKs of now: a tenant's may just have gone
        if not opened:
            return False
        self._store.adopt(one for one in newer if one.name in opened)
        self._keysets = {**self._keysets, **opened}
        return True

    def _is_newer(self, name: str, revision: int) -> bool:
        """Whether a keyset beside the data is to be read: not those of tenants whose KEKs are not here."""
        known = self._keysets.get(name)
        is_wanted = tenant_of(name) is None or self._keks.has(name)
        return is_wanted and (known is None or known.revision < revision)


def _hash_secret(settings: Settings, state: State) -> bytes:
    """The secret behind keyed hashes, where there are any."""
    if settings.audit is None or not settings.audit.keyed_hashes:
        return b""
    return HashSecrets(state.engine, settings.audit.origin).newest(datetime.now(UTC)).octets


def _say_unhashed(database: str, snapshot: Snapshot) -> None:
    """Columns that the catalog does not have, or whose type has no hashes."""
    there = {one.hashes.column for one in snapshot.hashed.values()}
    for one in snapshot.keyed.values():
        if one.column not in there:
            why = "there is no such column, or it is of a type that has no keyed hashes"
            _log.warning("no keyed hashes", database=database, column=one.column, why=why)


class _Metered:
    """Uses of keys, that are counted for metrics too."""

    __slots__ = ("_meter", "_uses")

    def __init__(self, uses: Uses, meter: Meter) -> None:
        self._uses = uses
        self._meter = meter

    def take(self, keyset: Keyset, count: int) -> None:
        """As those; raises ``KeyUsesSpent``, and then nothing is counted."""
        self._uses.take(keyset, count)
        self._meter.sealed += count


def _understood(catalog: bytes) -> Schema:
    return Schema.from_catalog(json.loads(catalog))
