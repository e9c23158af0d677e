"""What stands beside the data, out of a plain dump of the database: pg_dump's text, with COPY (its default).

Read line by line, since a dump may be larger than memory, and only what is in the tables of the schema
strongroom_keys is kept. Nothing in it is trusted: what roots and KEK wrapped is authenticated by them. The
form is that of COPY's text format (manual, COPY, "Text Format"). Called by `keys recover`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from strongroom.errors import DumpUnreadable, InvalidKeyset
from strongroom.keys.kek import WrappedKek, WrappedKeyset, tenant_of, wraps_of
from strongroom.keys.restore import Beside

MAX_LINE = 1 << 20
"""A row of ours has some kilobytes; a keyset of a thousand versions, a quarter of this."""

_CUSTOM = b"PGDMP"
_BEGIN = re.compile(rb"COPY (?:strongroom_keys\.(\w+) \(([\w, ]+)\)|.+) FROM stdin;\r?\n")
_END = (b"\\.\n", b"\\.\r\n", b"\\.")
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_LETTERS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_NEEDED = {"keks", "keysets"}
_READ = {*_NEEDED, "retired_keysets", "columns"}
"""Others may hold longer rows, as `protection` does, and are passed over."""

Row = Mapping[str, bytes]


def read_dump(lines: Iterable[bytes]) -> tuple[str, Beside]:
    """(logical database, what stands beside its data); raises ``DumpUnreadable``."""
    tables: dict[str, list[Row]] = {}
    for table, row in _rows(lines, tables):
        tables[table].append(row)
    if missing := sorted(_NEEDED - tables.keys()):
        raise DumpUnreadable(f"the dump has no rows of strongroom_keys.{missing[0]}")
    try:
        return _beside(tables)
    except (KeyError, ValueError, InvalidKeyset):
        raise DumpUnreadable("a row of the schema strongroom_keys in the dump is not in its form") from None


def _rows(lines: Iterable[bytes], tables: dict[str, list[Row]]) -> Iterator[tuple[str, Row]]:
    """The rows of our tables; other tables' are passed over, whatever their text looks like."""
    table, columns, within = "", [""], False
    for number, line in enumerate(lines):
        if number == 0 and line.startswith(_CUSTOM):
            raise DumpUnreadable("the dump is in pg_dump's custom format")
        if not within:
            found = _BEGIN.fullmatch(line)
            if found is not None:
                within, table = True, (found[1] or b"").decode()
                table = table if table in _READ else ""
                columns = (found[2] or b"").decode().split(", ")
                if table:
                    tables.setdefault(table, [])
        elif line in _END:
            within = False
        elif table:
            yield table, _fields(columns, line)
    if within:
        raise DumpUnreadable("the dump breaks off in the middle of a table")


def _fields(columns: list[str], line: bytes) -> Row:
    values = line.rstrip(b"\r\n").split(b"\t")
    if len(values) != len(columns) or len(line) > MAX_LINE:
        raise DumpUnreadable("a row of the schema strongroom_keys in the dump is not whole")
    return {
        name: _ESCAPE.sub(lambda found: _LETTERS.get(found[1], found[1]), value)
        for name, value in zip(columns, values, strict=True)
    }


def _beside(tables: Mapping[str, list[Row]]) -> tuple[str, Beside]:
    tables = {table: [row for row in rows if not _is_tenants(table, row)] for table, rows in tables.items()}
    keks = [WrappedKek(_text(row, "name"), int(row["revision"]), _wraps(row)) for row in tables["keks"]]
    if len(keks) != 1:
        raise DumpUnreadable(f"the dump holds {len(keks)} key-encryption keys, and a database has one")
    return keks[0].name.removeprefix("kek "), Beside(
        keks[0],
        tuple(_keyset(row) for row in tables["keysets"]),
        tuple(_keyset(row) for row in tables.get("retired_keysets", ())),
        {_text(row, "name"): _ids(row) for row in tables["keysets"]},
        {_text(row, "name"): _text(row, "keyset") for row in tables.get("columns", ())},
    )


def _is_tenants(table: str, row: Row) -> bool:
    """Keys of tenants are not recovered from a dump: the database and the folder of copies have them."""
    return table != "columns" and "name" in row and tenant_of(_text(row, "name")) is not None


def _keyset(row: Row) -> WrappedKeyset:
    return WrappedKeyset(_text(row, "name"), int(row["revision"]), bytes.fromhex(row["wrapped"].decode()[2:]))


def _wraps(row: Row) -> Mapping[str, bytes]:
    return wraps_of(_text(row, "wraps"))


def _ids(row: Row) -> frozenset[int]:
    """An array of bigint, as PostgreSQL writes it."""
    return frozenset(int(one) for one in row["key_ids"].decode().strip("{}").split(",") if one)


def _text(row: Row, column: str) -> str:
    return row[column].decode()
