"""What is kept beside the data, read and written over the gateway's own connections (``keys/beside.py``).

Called by `protection`, `snapshots`, and the commands that look at keys or change them.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from psycopg import sql

from strongroom.config import ColumnName
from strongroom.errors import InvalidKeyset, KeysetsNotKept, UpstreamError
from strongroom.gateway.connector import Connector
from strongroom.gateway.inquiry import Row, ask
from strongroom.keys import beside
from strongroom.keys.kek import (
    Keks,
    WrappedKek,
    WrappedKeyset,
    database_of,
    kek_name,
    tenant_of,
    wraps_of,
    wraps_text,
)
from strongroom.keys.model import Keyset
from strongroom.keys.restore import Beside
from strongroom.protect.check import key_ids_in
from strongroom.protect.scheme import Scheme


@dataclass(frozen=True, slots=True)
class Place:
    """One protected database: how to reach it, and as whom its own tables may be made."""

    name: str
    connector: Connector
    owner: Connector


@dataclass(frozen=True, slots=True)
class Kept:
    """The keys beside the data of one database, as they are kept there."""

    kek: WrappedKek | None = None
    keysets: tuple[WrappedKeyset, ...] = ()
    types: frozenset[str] = frozenset()
    """Those that look-ups name (``sql/guards.py``)."""
    tenants: Mapping[str, WrappedKek] = field(default_factory=dict)
    """KEKs that tenants' own providers wrap, and what is left of destroyed ones, by name."""

    @property
    def anything(self) -> bool:
        """Whether any key is kept there."""
        return self.kek is not None or bool(self.keysets)


async def kept_beside(connector: Connector) -> Kept:
    """What a database keeps; raises `UpstreamError`."""
    has_keks, has_keysets = ((row == (b"t",)) for row in await ask(connector, beside.TABLES))
    rows = await keks_beside(connector) if has_keks else {}
    keks = [row for row in rows.values() if tenant_of(row.name) is None]
    if len(keks) > 1:
        raise UpstreamError(
            "the table strongroom_keys.keks holds more than one key",
            hint="A database has one: take out what another installation left there.",
        )
    keysets = [_keyset(row) for row in await ask(connector, beside.READ_KEYSETS)] if has_keysets else []
    types = frozenset(
        row[0].decode() for row in await ask(connector, beside.READ_TYPES) if row[0] is not None
    )
    tenants = {name: row for name, row in rows.items() if row not in keks}
    return Kept(keks[0] if keks else None, tuple(keysets), types, tenants)


async def keks_beside(connector: Connector) -> dict[str, WrappedKek]:
    """All KEKs that stand there, by name: the database's, and those of tenants who hold their own."""
    return {row.name: row for row in map(_kek, await ask(connector, beside.READ_KEKS))}


async def newer_beside(connector: Connector, is_wanted: Callable[[str, int], bool]) -> list[WrappedKeyset]:
    """The keysets of which a name and a revision are wanted; the others are not read."""
    revisions = await ask(connector, beside.READ_REVISIONS)
    names = [
        name.decode()
        for name, revision in revisions
        if name is not None and is_wanted(name.decode(), int(revision or 0))
    ]
    return await keysets_beside(connector, names)


async def keysets_beside(connector: Connector, names: Collection[str]) -> list[WrappedKeyset]:
    """The keysets of these names; raises `UpstreamError`."""
    if not names:
        return []
    query = filled(beside.READ_SOME_KEYSETS, json.dumps(sorted(names)))
    return [_keyset(row) for row in await ask(connector, query)]


async def ids_beside(connector: Connector) -> dict[str, frozenset[int]]:
    """The ids of the keys in each keyset, whether or not its KEK is here."""
    return {
        (name or b"").decode(): frozenset(int(one) for one in (found or b"").split())
        for name, found in await ask(connector, beside.READ_KEY_IDS)
    }


async def all_beside(connector: Connector) -> Beside:
    """Everything that stands beside the data, to bring keys back from; raises `UpstreamError`.

    But for keysets of tenants: the next start takes them over, where their KEKs are.
    """
    kept = await kept_beside(connector)
    kept = replace(kept, keysets=tuple(one for one in kept.keysets if tenant_of(one.name) is None))
    seen = await key_ids_seen(connector)
    retired = await retired_beside(connector)
    if not kept.keysets:
        return Beside(kept.kek, (), tuple(retired), seen=seen)
    ids = await ids_beside(connector)
    columns = await ask(connector, beside.READ_COLUMNS)
    return Beside(
        kept.kek,
        kept.keysets,
        tuple(retired),
        ids,
        {(name or b"").decode(): (keyset or b"").decode() for name, keyset in columns},
        seen,
    )


async def retired_beside(connector: Connector) -> list[WrappedKeyset]:
    """The keysets out of use that stand beside the data; the owner's to read."""
    there = await ask(connector, beside.HAS_RETIRED) == [(b"t",)]
    return [_keyset(row) for row in await ask(connector, beside.READ_RETIRED)] if there else []


async def replace_beside(place: Place, row: WrappedKek, keks: Keks, rewrapped: Iterable[Keyset]) -> None:
    """Put a KEK in the place of one that is lost, and keysets under it in the place of theirs, in one go."""
    statements = [filled(beside.WRITE_KEK, row.name, row.revision, wraps_text(row.wraps))]
    statements += [_write_keyset(keks, row, keyset) for keyset in rewrapped]
    await _publish(place, statements)


def _kek(row: Row) -> WrappedKek:
    name, revision, wraps = _whole(row)
    try:
        return WrappedKek(name.decode(), int(revision), wraps_of(wraps.decode()))
    except InvalidKeyset as error:
        raise UpstreamError(f"the table strongroom_keys.keks: {error.message}") from None


def _keyset(row: Row) -> WrappedKeyset:
    name, revision, wrapped = _whole(row)
    return WrappedKeyset(name.decode(), int(revision), bytes.fromhex(wrapped[2:].decode()))


def _whole(row: Row) -> list[bytes]:
    values = [value for value in row if value is not None]
    if len(values) != 3:
        raise UpstreamError("a table of the schema strongroom_keys holds a row that is not whole")
    return values


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


async def publish_kek(place: Place, *rows: WrappedKek) -> None:
    """Copy KEKs beside the data, before anything is wrapped by them; who came first stays."""
    await _publish(
        place, [filled(beside.WRITE_KEK, row.name, row.revision, wraps_text(row.wraps)) for row in rows]
    )


async def publish(
    place: Place,
    keks: Keks,
    rows: Mapping[str, WrappedKek],
    keysets: Iterable[Keyset],
    schemes: Iterable[Scheme],
) -> None:
    """Copy keysets beside the data, before anything is sealed under them; who came first stays.

    ``rows`` are the KEKs as they stand there, by name: under another one, nothing is written. Those of
    tenants stand elsewhere.
    """
    statements = [
        _write_keyset(keks, rows.get(kek_name(database_of(keyset.name))), keyset) for keyset in keysets
    ]
    statements += [
        filled(beside.WRITE_COLUMN, scheme.column, scheme.keyset)
        for scheme in schemes
        if scheme.tenant is None  # the others have no keyset of their own
    ]
    await _publish(place, statements)


def _write_keyset(keks: Keks, row: WrappedKek | None, keyset: Keyset) -> str:
    kept = keks.wrap(keyset)
    ids = "{" + ",".join(str(one) for one in sorted(keyset.key_ids)) + "}"
    if row is None:
        return filled(beside.WRITE_TENANTS_KEYSET, kept.name, kept.revision, ids, kept.wrapped)
    under = row.name, wraps_text(row.wraps)
    return filled(beside.WRITE_KEYSET, kept.name, kept.revision, ids, kept.wrapped, *under)


async def make_types(place: Place, names: Iterable[str]) -> None:
    """Make the types that look-ups name, where they are not there."""
    await _publish(place, [beside.create_type(name) for name in names])


async def _publish(place: Place, statements: Iterable[str]) -> None:
    reader = sql.Identifier(place.connector.upstream.credentials.user).as_string()
    first = [
        beside.ALONE,
        beside.CREATE_TABLES,
        "GRANT USAGE ON SCHEMA strongroom_keys TO PUBLIC",  # for the types: all upstream users look up
        f"GRANT SELECT ON strongroom_keys.keks, strongroom_keys.keysets, strongroom_keys.columns TO {reader}",
        f"GRANT SELECT, INSERT, UPDATE ON strongroom_keys.generations TO {reader}",
    ]
    try:
        await ask(place.owner, "BEGIN;" + ";".join([*first, *statements]) + ";COMMIT")
    except UpstreamError as error:
        raise KeysetsNotKept(
            f"databases.{place.name}: the keys cannot be kept beside the data: {error.message}",
            hint="Set `owner` to a role that may create the schema strongroom_keys in this database.",
        ) from error


async def publish_generation(place: Place, statement: str) -> None:
    """Write how far the state has come, and make the table for it."""
    await _publish(place, [statement])


async def retire_beside(place: Place, keysets: Iterable[Keyset]) -> None:
    """Take keysets out of use: their columns are plaintext again, and nobody looks up by their keys."""
    for keyset in keysets:
        statements = [filled(beside.RETIRE, keyset.name), beside.drop_types(keyset)]
        await ask(place.owner, ";".join(["BEGIN", *statements, "COMMIT"]))


def filled(statement: str, *values: str | int | bytes) -> str:
    """The statement with literals for its parameters."""
    # In one pass: a literal may itself hold what looks like a parameter.
    return re.sub(r"\$(\d+)", lambda found: sql.Literal(values[int(found[1]) - 1]).as_string(), statement)
