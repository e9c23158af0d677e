"""Where configuration, state, keys and database meet, and what is protected comes out of it.

At start, `prepare` decides whether they agree (rule 7 of the design): keysets are taken over from beside the
data, made where there never were any, and copied beside the data, or nothing starts. A new keyset is written
beside the data first and read back from there, so that of two gateways that start together both have the one
that came first. It runs once, in the supervisor, before any worker. `Snapshots` then gives each worker what
its sessions look at, and reads it again when the catalog has changed.

Called by `supervisor` and `worker`.
"""

import asyncio
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from psycopg import sql

from strongroom.config import ColumnName, Settings
from strongroom.errors import (
    ColumnMissing,
    ColumnNotProtected,
    KeysetsNotKept,
    UpstreamError,
)
from strongroom.gateway.connector import Connector
from strongroom.gateway.inquiry import ask
from strongroom.keys import beside
from strongroom.keys.generate import new_keyset
from strongroom.keys.keyring import KeyRing
from strongroom.keys.model import Keyset
from strongroom.keys.root import RootKey
from strongroom.keys.root.file import FileRoot
from strongroom.keys.root.opening import open_or_make
from strongroom.keys.sealed import SealedColumns
from strongroom.keys.store import KeyStore, WrappedKeyset, unwrap, wrap
from strongroom.keys.uses import Reservations
from strongroom.protect.check import key_ids_in
from strongroom.protect.scheme import Scheme
from strongroom.session.guard import Protections, Snapshot, column_type, places_of
from strongroom.sql.schema import CATALOG_QUERY, Schema
from strongroom.state import State
from strongroom.wire.postgres import types

_PARAMETER = re.compile(r"\$(\d+)")


def schemes_of(settings: Settings, database: str) -> dict[str, Scheme]:
    """The protected columns of a database by their configured names; raises `InvalidScheme`."""
    schemes = (
        Scheme.parse(
            database,
            str(name),
            type=column.type,
            encryption=column.encryption,
            key=None if column.key is None else str(column.key),
            accept_leakage=() if column.accept_leakage is None else column.accept_leakage,
            pad=column.pad or 0,
        )
        for name, column in settings.databases[database].columns.items()
    )
    return {scheme.column: scheme for scheme in schemes}


@dataclass(frozen=True, slots=True)
class Place:
    """One protected database: how to reach it, and as whom its own tables may be made."""

    name: str
    connector: Connector
    owner: Connector


async def prepare(
    settings: Settings, state: State, places: Iterable[Place], *, to_seal: bool = False
) -> list[str]:
    """Make state, keys and databases agree; return what was made, in words. Raises `ConfigError`.

    ``to_seal`` is for `protect`, which comes while columns hold plaintext still.
    """
    done: list[str] = []
    places = list(places)
    if not places:
        return done
    found = {place.name: await kept_beside(place.connector) for place in places}
    root = _root(settings, state, any(found.values()), done)
    store = KeyStore(state.engine, root)
    for place in places:
        schemes = schemes_of(settings, place.name)
        if not to_seal:
            schema = await read_schema(place.connector)
            changing = await _changing(place.connector, schema, schemes)
            check_columns(schema, schemes, changing - SealedColumns(state.engine).of(place.name))
        copies = {kept.name: unwrap(kept, root) for kept in found[place.name]}
        done += await _prepare_one(schemes, place, copies, root, store)
    return done


async def _prepare_one(
    schemes: Mapping[str, Scheme],
    place: Place,
    copies: Mapping[str, Keyset],
    root: RootKey,
    store: KeyStore,
) -> list[str]:
    state = {name: one for name, one in store.load().items() if name.startswith(f"{place.name}/")}
    seen = await key_ids_seen(place.connector)
    agreement = beside.agree(list(schemes.values()), state, copies, seen)
    made = [new_keyset(scheme, datetime.now(UTC)) for scheme in agreement.create]
    adopted = agreement.adopt
    if made or agreement.publish:
        await _publish(place, root, [*agreement.publish, *made], schemes.values())
        # What stands beside the data now is what counts: another gateway may have come first.
        copies = {kept.name: unwrap(kept, root) for kept in await kept_beside(place.connector)}
        settled = beside.agree(list(schemes.values()), state, copies, seen)
        if settled.create or settled.publish:
            raise KeysetsNotKept(
                f"databases.{place.name}: the keysets are not beside the data, where they were just written",
                hint="See who else writes to strongroom_keys.keysets, and that `owner` and `upstream` are"
                " one database; then start again.",
            )
        adopted = settled.adopt
    store.adopt(adopted)
    ours = {one.name for one in made if one.key_ids == copies[one.name].key_ids}
    return [
        f"keyset {one.name} was {'made' if one.name in ours else 'taken over from the database'}"
        for one in adopted
    ]


def check_columns(
    schema: Schema,
    schemes: Mapping[str, Scheme],
    may_be_plain: Collection[str],
    before: Protections | None = None,
) -> None:
    """Every configured column must be there and hold sealed values, but for those that ``may_be_plain``."""
    places = places_of(schema, schemes.values(), before)
    for name, scheme in schemes.items():
        place = places.get(name)
        if place is None:
            raise ColumnMissing(
                f"databases.{scheme.database}.columns: there is no column {name}",
                hint="Correct its name; if it was renamed in the database, rename it here too.",
            )
        if column_type(schema, place) != types.BYTEA and name not in may_be_plain:
            raise ColumnNotProtected(
                f"databases.{scheme.database}.columns: {name} holds plaintext",
                hint="Run `strongroom protect`: it seals what is there while applications work. "
                "If the column was sealed before, find out first who changed it.",
            )


UNDER_WAY = """\
SELECT c.relation, a.attnum
FROM strongroom_keys.changeovers c
CROSS JOIN LATERAL pg_catalog.jsonb_object_keys(c.columns) AS k(name)
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.relation::oid AND a.attname = k.name"""


async def _changing(connector: Connector, schema: Schema, schemes: Mapping[str, Scheme]) -> frozenset[str]:
    """The configured columns that `protect` or `unprotect` is changing now."""
    there = await ask(connector, "SELECT pg_catalog.to_regclass('strongroom_keys.changeovers') IS NOT NULL")
    if there != [(b"t",)]:
        return frozenset()
    rows = await ask(connector, UNDER_WAY)
    under_way = {(int(relation or 0), int(attnum or 0)) for relation, attnum in rows}
    places = places_of(schema, schemes.values())
    return frozenset(name for name, place in places.items() if place in under_way)


def _root(settings: Settings, state: State, kept_beside_data: bool, done: list[str]) -> RootKey:
    assert settings.keys is not None  # config: protected columns have a root
    path, folder = settings.keys.root.path, settings.state.path.parent
    opened = open_or_make(path, state, folder, kept_beside_data=kept_beside_data)
    if opened.made:
        done.append(opened.notice(path))
    return opened.root


# -------------------------------------------------------------------------------------------- beside the data


async def kept_beside(connector: Connector) -> list[WrappedKeyset]:
    """The keysets beside the data, as they are kept there."""
    if await ask(connector, beside.TABLES_EXIST) != [(b"t",)]:
        return []
    kept = []
    for name, revision, wrapped in await ask(connector, beside.READ_KEYSETS):
        if name is None or revision is None or wrapped is None:
            raise UpstreamError("the table strongroom_keys.keysets holds a row that is not whole")
        kept.append(WrappedKeyset(name.decode(), int(revision), bytes.fromhex(wrapped[2:].decode())))
    return kept


CHECKS_QUERY = """\
SELECT n.nspname, c.relname, a.attname, pg_catalog.pg_get_constraintdef(k.oid)
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
WHERE k.contype = 'c' AND pg_catalog.starts_with(k.conname, 'strongroom_')
  AND NOT pg_catalog.starts_with(k.conname, 'strongroom_~')"""
"""Those that allow sealed values; what `unprotect` leaves refuses them."""


async def key_ids_seen(connector: Connector) -> dict[str, frozenset[int]]:
    """The key ids that the CHECKs of protected columns name: evidence of keys that must be known."""
    seen: dict[str, frozenset[int]] = {}
    for row in await ask(connector, CHECKS_QUERY):
        schema, table, column, definition = (value.decode() for value in row if value is not None)
        name = str(ColumnName(schema, table, column))
        seen[name] = seen.get(name, frozenset()) | key_ids_in(definition)
    return seen


async def _publish(place: Place, root: RootKey, keysets: Iterable[Keyset], schemes: Iterable[Scheme]) -> None:
    """Copy keysets beside the data, before anything is sealed under them; who came first stays."""
    reader = sql.Identifier(place.connector.upstream.credentials.user).as_string()
    statements = [
        beside.ALONE,
        beside.CREATE_TABLES,
        f"GRANT USAGE ON SCHEMA strongroom_keys TO {reader}",
        f"GRANT SELECT ON strongroom_keys.keysets, strongroom_keys.columns TO {reader}",
    ]
    made = len(statements)
    for keyset in keysets:
        kept = wrap(keyset, root)
        ids = "{" + ",".join(str(one) for one in sorted(keyset.key_ids)) + "}"
        statements.append(filled(beside.WRITE_KEYSET, kept.name, kept.revision, ids, kept.wrapped))
    if len(statements) == made:
        return
    statements += [filled(beside.WRITE_COLUMN, scheme.column, scheme.keyset) for scheme in schemes]
    try:
        await ask(place.owner, "BEGIN;" + ";".join(statements) + ";COMMIT")
    except UpstreamError as error:
        raise KeysetsNotKept(
            f"databases.{place.name}: the keysets cannot be kept beside the data: {error.message}",
            hint="Set `owner` to a role that may create the schema strongroom_keys in this database.",
        ) from error


def filled(statement: str, *values: str | int | bytes) -> str:
    """The statement with literals for its parameters."""
    # In one pass: a literal may itself hold what looks like a parameter.
    return re.sub(r"\$(\d+)", lambda found: sql.Literal(values[int(found[1]) - 1]).as_string(), statement)


# -------------------------------------------------------------------------------------------- snapshots


async def read_schema(connector: Connector) -> Schema:
    """The catalog as it is now."""
    return Schema.from_catalog(json.loads(await read_catalog(connector)))


def _understood(catalog: bytes) -> Schema:
    return Schema.from_catalog(json.loads(catalog))


async def read_catalog(connector: Connector) -> bytes:
    """The catalog as it is now, as JSON."""
    answer = await ask(connector, CATALOG_QUERY)
    if len(answer) != 1 or answer[0][0] is None:
        raise UpstreamError("the database's answer about its own catalog is empty")
    return answer[0][0]


def open_store(settings: Settings, state: State) -> KeyStore:
    """The keysets of the state, under the root of the configuration; raises `ConfigError`."""
    assert settings.keys is not None  # config: protected columns have a root
    return KeyStore(state.engine, FileRoot.open(settings.keys.root.path, settings.state.path.parent))


async def retire(place: Place, store: KeyStore, keysets: Collection[str]) -> None:
    """Take keysets out of use, beside the data and in the state: their columns are plaintext again."""
    for name in keysets:
        await ask(place.owner, "BEGIN;" + filled(beside.RETIRE, name) + ";COMMIT")
    store.retire(keysets)


class Snapshots:
    """What the sessions of one worker look at, by database."""

    def __init__(self, settings: Settings, state: State) -> None:
        self._settings = settings
        self._known: dict[str, Snapshot] = {}
        self._catalogs: dict[str, bytes] = {}
        if settings.keys is None or not any(one.columns for one in settings.databases.values()):
            return
        store = open_store(settings, state)
        self._ring = KeyRing.of(store.load().values())
        self._uses = Reservations(store.reserve)
        self._sealed = SealedColumns(state.engine)

    def find(self, database: str) -> Snapshot | None:
        """The snapshot; None where nothing is protected."""
        return self._known.get(database)

    def _logins(self, connector: Connector) -> frozenset[str]:
        """The roles by which sessions log in."""
        own = (account.upstream_user for account in self._settings.accounts.values())
        return frozenset([connector.upstream.credentials.user, *(name for name in own if name is not None)])

    async def read(self, database: str, connector: Connector) -> Snapshot | None:
        """Read the catalog anew; None where nothing is protected.

        An unchanged catalog gives the same snapshot, so that sessions need not analyse anew.
        """
        if not self._settings.databases[database].columns:
            return None
        catalog = await read_catalog(connector)
        known, sealed = self._known.get(database), self._sealed.of(database)
        if known is not None and self._catalogs[database] == catalog and sealed == known.sealed:
            return known
        # In a thread, since thousands of tables take some tenths of a second, in which sessions go on.
        schema = await asyncio.get_running_loop().run_in_executor(None, _understood, catalog)
        schemes = schemes_of(self._settings, database)
        before = {} if known is None else known.protections
        in_motion = await _changing(connector, schema, schemes) | self._sealed.released(database)
        check_columns(schema, schemes, in_motion - sealed, before)
        codecs = self._ring.codecs(schemes.values(), self._uses)
        functions = dict(self._settings.databases[database].functions)
        snapshot = Snapshot(schema, schemes, before, codecs, functions, sealed).with_schema(schema)
        snapshot = replace(snapshot, logins=self._logins(connector))
        holding = frozenset(protection.column for protection in snapshot.protections.values())
        self._sealed.add(database, holding - sealed - in_motion)
        snapshot = replace(snapshot, sealed=sealed | (holding - in_motion))
        self._known[database], self._catalogs[database] = snapshot, catalog
        return snapshot
