"""session/hashing.py: one value has one hash, however it came."""

import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.session.guarding import CODECS, PATH, PEOPLE

from strongroom.audit.records.keyed import KeyedColumn
from strongroom.audit.records.statements import MORE, UNKNOWN, Keyed
from strongroom.protect.canonical import Sent, encode
from strongroom.protect.forms import arrays
from strongroom.protect.style import TextStyle
from strongroom.session.hashing import ARRAYS_AT_MOST, hashes
from strongroom.session.snapshot import Snapshot
from strongroom.sql.keyed import KEYED_AT_MOST
from strongroom.sql.resolve import analyse
from strongroom.sql.schema import Column, Schema
from strongroom.sql.statement import Context
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres import types
from strongroom.wire.postgres.types import DeclaredType

TABLE = replace(
    PEOPLE,
    columns=(
        *PEOPLE.columns,
        Column(5, "big", types.INT8, -1),
        Column(6, "code", types.UUID, -1),
        Column(7, "price", types.NUMERIC, -1),
    ),
)
NAMES = ("id", "email", "pin", "note", "big", "code", "price")
KEYED = {
    ("public", "people", one): KeyedColumn(bytes(range(32)), "shop", "public", "people", one) for one in NAMES
}
SNAPSHOT = Snapshot(
    Schema({}), {name: one.scheme for name, one in CODECS.items()}, {}, CODECS, keyed=KEYED
).with_schema(Schema({TABLE.oid: TABLE}))
CONTEXT = Context(
    SNAPSHOT.schema, SNAPSHOT.protections, PATH, recorded=True, keyed=frozenset(SNAPSHOT.hashed)
)
TYPES = {
    "id": types.INT4,
    "pin": types.INT4,
    "big": types.INT8,
    "email": types.VARCHAR,
    "note": types.TEXT,
    "code": types.UUID,
}


def hashed(
    text: str, *values: bytes | None, declared: tuple[int, ...] = (), code: int = m.TEXT
) -> tuple[Keyed, ...] | None:
    """Those of one execution with these parameters, all in one format."""
    (statement,) = analyse(text, declared, CONTEXT).statements
    bind = m.Bind("", "", (code,), values, ())
    return hashes(statement, SNAPSHOT.hashed, TextStyle(), bind)


def expected(column: str, *values: str) -> tuple[Keyed, ...]:
    """What whoever has the secret makes of a value."""
    found = []
    for one in values:
        canonical = encode(DeclaredType(TYPES[column]), one.encode(), Sent(TextStyle()))
        found.append(KEYED["public", "people", column].of(canonical))
    return tuple(found)


def binary(value: int) -> Iterator[tuple[int, bytes]]:
    """In each width that has room."""
    for oid, size in ((types.INT2, 2), (types.INT4, 4), (types.INT8, 8)):
        if -(1 << (8 * size - 1)) <= value < 1 << (8 * size - 1):
            yield oid, value.to_bytes(size, signed=True)


@pytest.mark.parametrize("column", ["id", "big", "pin"])
@given(value=st.integers(-(1 << 31), (1 << 31) - 1))
def test_a_number(column: str, value: int) -> None:
    """As a literal, quoted or not, and as a parameter in text and binary, of any width; protected, too."""
    want, text = expected(column, str(value)), str(value).encode()
    where = f"select note from people where {column}"
    assert hashed(f"{where} = '{value}'") == want
    assert hashed(f"{where} in ({value})") == want
    assert hashed(f"insert into people ({column}) values ({value})") == want
    for oid in (0, types.INT8, types.UNKNOWN):
        assert hashed(f"{where} = $1", text, declared=(oid,)) == want
    assert hashed(f"{where} = any($1)", b"{%b}" % text) == want
    for oid, octets in binary(value):
        assert hashed(f"{where} = $1", octets, declared=(oid,), code=m.BINARY) == want
        assert hashed(f"update people set {column} = $1", octets, declared=(oid,), code=m.BINARY) == want
        array = arrays.send(arrays.Array(((1, 1),), (octets,)), oid)
        declared = (types.BASE_TYPES[oid].array_oid,)
        assert hashed(f"{where} = any($1)", array, declared=declared, code=m.BINARY) == want
        if column != "pin":  # there the gateway knows what the client was shown
            assert hashed(f"{where} = $1", octets, code=m.BINARY) == want
            assert hashed(f"{where} = $1::text::int8", text, code=m.BINARY) == want


LETTERS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20)


@pytest.mark.parametrize("column", ["note", "email"])
@given(value=LETTERS)
def test_a_text(column: str, value: str) -> None:
    """In text and binary, and as a literal; protected, too."""
    want, octets = expected(column, value), value.encode()
    where = f"select id from people where {column}"
    quoted = "'" + value.replace("'", "''") + "'"
    assert hashed(f"{where} = {quoted}") == want
    assert hashed(f"insert into people ({column}) values ({quoted})") == want
    for code in (m.TEXT, m.BINARY):
        for oid in (0, types.TEXT, types.VARCHAR):
            assert hashed(f"{where} = $1", octets, declared=(oid,), code=code) == want
    array = arrays.output(arrays.Array(((1, 1),), (octets,)))
    assert hashed(f"{where} = any($1)", array) == want


@given(value=st.uuids())
def test_a_uuid(value: uuid.UUID) -> None:
    """With capitals and braces, too."""
    want, where = expected("code", str(value)), "select id from people where code"
    assert hashed(f"{where} = '{{{str(value).upper()}}}'") == want
    assert hashed(f"{where} = $1", str(value).encode()) == want
    assert hashed(f"{where} = $1", value.bytes, code=m.BINARY, declared=(types.UUID,)) == want
    assert hashed(f"{where} = $1::uuid", value.bytes, code=m.BINARY) == want


def test_null_is_no_value() -> None:
    """Nothing equals it; the statement could have held one against the column."""
    assert hashed("select note from people where id = $1", None) == ()
    assert hashed("select note from people where id = any($1)", b"{1,NULL}") == expected("id", "1")
    assert hashed("select note from people where id > $1", b"1") is None


def test_each_value_is_said_once() -> None:
    """Of several columns each has its own."""
    found = hashed("select 1 from people where id in (7, $1, 8) or big = 7", b"7")
    assert set(found or ()) == {*expected("id", "7", "8"), *expected("big", "7")}


def test_there_are_at_most_so_many() -> None:
    """Then the record says that there were more."""
    numbers = [str(number) for number in range(KEYED_AT_MOST + 5)]
    found = hashed("select note from people where id = any($1)", f"{{{','.join(numbers)}}}".encode())
    assert found == (*expected("id", *numbers[:KEYED_AT_MOST]), Keyed("public.people.id", MORE))


def test_what_is_looked_at_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not what is found: an array of one value, however often and however it is written, costs no more."""
    made: list[bytes] = []
    of = KeyedColumn.of

    def counted(self: KeyedColumn, value: bytes) -> Keyed:
        made.append(value)
        return of(self, value)

    monkeypatch.setattr(KeyedColumn, "of", counted)
    same = b"{%b}" % b",".join([b"7"] * 20_000)
    assert hashed("select note from people where id = any($1)", same) == expected("id", "7")
    assert len(made) == 1 + len(expected("id", "7"))
    made.clear()
    alike = b"{%b}" % b",".join(b"0" * number + b"7" for number in range(300))
    found = hashed("select note from people where id = any($1)", alike)
    assert found == (*expected("id", "7"), Keyed("public.people.id", MORE))
    assert len(made) < KEYED_AT_MOST + 5


@pytest.mark.parametrize("code", [m.TEXT, m.BINARY])
def test_large_arrays_are_not_taken_apart(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Together they may be so large; then the record says that there were more."""
    half = b"{%b}" % b",".join([b"7"] * (ARRAYS_AT_MOST // 4))
    if code == m.BINARY:
        half = arrays.send(arrays.read(half.decode()).mapped(lambda _: b"\0\0\0\x07"), types.INT4)[
            : len(half)
        ]
    parsed: list[int] = []
    parse = arrays.parse

    def counted(value: bytes, oid: int, code: int) -> arrays.Array:
        parsed.append(len(value))
        return parse(value, oid, code)

    monkeypatch.setattr(arrays, "parse", counted)
    text = "select note from people where id = any($1) or id = any($2) or id = any($3)"
    found = hashed(text, half, half + b" " * 9, half, code=code) or ()
    assert Keyed("public.people.id", MORE) in found
    assert parsed == [len(half)]


@pytest.mark.parametrize("broken", [RuntimeError, AttributeError, UnicodeError])
def test_what_breaks_is_not_known(broken: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is: no record is worth a statement that would have run."""

    def breaks(*_: object) -> None:
        raise broken

    monkeypatch.setattr(KeyedColumn, "of", breaks)
    monkeypatch.setattr(arrays, "parse", breaks)
    for text in ("where id = $1", "where id = any($1)"):
        (found,) = hashed(f"select note from people {text}", b"7") or ()
        assert found.hash == UNKNOWN


@pytest.mark.parametrize(
    ("text", "values", "code"),
    [
        ("select note from people where id = $1", (b"x",), m.TEXT),
        ("select note from people where id = $1", (b"123",), m.BINARY),
        ("select note from people where id = $1", (), m.TEXT),
        ("select note from people where id = any($1)", (b"{1,",), m.TEXT),
        ("select note from people where id = any($1)", (b"\0" * 9,), m.BINARY),
        ("select note from people where id = any($1)", (b"",), m.BINARY),
        ("select note from people where id = $1 + 1", (b"1",), m.TEXT),
        ("select note from people where code = $1", (b"\xff",), m.TEXT),
    ],
)
def test_a_value_that_is_not_known(text: str, values: tuple[bytes, ...], code: int) -> None:
    """Is said to be, and nothing is refused for it: the database may say what is wrong."""
    (found,) = hashed(text, *values, code=code) or ()
    assert found.hash == UNKNOWN


def test_a_column_of_another_type_has_none() -> None:
    """Whose canonical form hangs on its modifier."""
    assert hashed("select note from people where price = 1") is None
    assert [one.hashes.column for one in SNAPSHOT.hashed.values()] == [
        f"public.people.{one}" for one in NAMES if one != "price"
    ]


def test_it_follows_the_catalog() -> None:
    """A column that comes is hashed from then on, one that goes is not."""
    without = SNAPSHOT.with_schema(Schema({TABLE.oid: replace(TABLE, columns=PEOPLE.columns[:2])}))
    assert [one.hashes.column for one in without.hashed.values()] == [
        "public.people.id",
        "public.people.email",
    ]
    assert len(without.with_schema(SNAPSHOT.schema).hashed) == len(NAMES) - 1
    (statement,) = analyse("select note from people where big = 1", (), CONTEXT).statements
    assert hashes(statement, without.hashed, TextStyle(), None) == ()
