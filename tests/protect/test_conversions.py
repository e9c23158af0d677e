"""protect/conversions.py: parameters of neighbouring types, against PostgreSQL's own assignment casts."""

import psycopg
import pytest
from tests.protect.real import Column, ours

from strongroom.errors import TypeMismatch
from strongroom.protect.canonical import BINARY_FORMAT, Sent, Use, encode
from strongroom.protect.conversions import CONVERSIONS
from strongroom.protect.style import TextStyle
from strongroom.wire.postgres import types
from strongroom.wire.postgres.types import BASE_TYPES, declared, format_type, parse_type

BERLIN = TextStyle(time_zone="Europe/Berlin")

# What is sent of each source type, as text.
VALUES: dict[int, list[str]] = {
    types.INT2: ["0", "-1", "32767"],
    types.INT4: ["0", "-32768", "32768", "-2147483648", "16777217"],
    types.INT8: ["0", "2147483648", "-9223372036854775808", "9223372036854775807", "123"],
    types.FLOAT4: ["0.5", "1.5", "-2.5", "1e20", "NaN", "inf", "3.4e38", "0.1", "32767.4"],
    types.FLOAT8: [
        "0.5",
        "1.5",
        "-2.5",
        "1e300",
        "NaN",
        "-inf",
        "1e-300",
        "0.1",
        "123456789.123456789",
        "1e18",
    ],
    types.NUMERIC: [
        "0.5",
        "1.5",
        "-2.5",
        "1e30",
        "NaN",
        "Infinity",
        "0.1",
        "32767.5",
        "1.00",
        "-0.4",
        "3e-400",
    ],
    types.DATE: ["2024-03-31", "2024-10-27", "infinity", "-infinity", "0001-01-01", "5874897-12-31"],
    types.TIMESTAMP: ["2024-03-31 02:30:00", "2024-10-27 02:30", "infinity", "1969-12-31 23:59:59.999999"],
    types.TIMESTAMPTZ: ["2024-03-31 01:30:00Z", "-infinity", "1969-12-31 23:30:00Z", "2024-07-01 22:30:00Z"],
    types.JSON: ['{"b": 1, "a": 2}', "[]"],
    types.JSONB: ['{"b": 1, "a": 2}', "[]"],
    types.TEXT: ["ab", "ab  ", ""],
    types.VARCHAR: ["ab", "ab  "],
    types.BPCHAR: ["ab", "ab  "],
    types.BOOL: ["true"],
    types.UUID: ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    types.TIME: ["12:34:56.5"],
    types.INTERVAL: ["1 day 02:03"],
    types.BYTEA: ["\\x00ff"],
}

TO_TEXT = [(source, target) for source in VALUES for target in (types.TEXT, types.VARCHAR, types.BPCHAR)]
PAIRS = sorted({*CONVERSIONS, *((s, t) for s, t in TO_TEXT if s != t)})


def name_of(oid: int) -> str:
    """The type as a column is declared; char has a length that all values here fit in."""
    return "character(80)" if oid == types.BPCHAR else BASE_TYPES[oid].name


def stored(target: int, value: bytes, sent: Sent) -> tuple[bytes, bytes] | str:
    """What we make of the value; NaN to a whole number has PostgreSQL's own 0A000."""
    made = ours(parse_type(name_of(target)), value, sent)
    return "0A000" if made == "form" else made


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=lambda oid: BASE_TYPES[oid].name)
def test_what_is_stored_is_what_postgresql_would_store(
    embedded: psycopg.Connection, source: int, target: int
) -> None:
    """A parameter declared as one type, for a column of another: the same value, or the same SQLSTATE."""
    column = Column(embedded, name_of(target))
    for setting, value in (("TimeZone", "Europe/Berlin"), ("DateStyle", "ISO, MDY")):
        column.set(setting, value)
    column.set("IntervalStyle", "postgres")
    column.set("extra_float_digits", "1")
    for literal in VALUES[source]:
        made = stored(target, literal.encode(), Sent(BERLIN, source))
        if source in (types.TIMESTAMP, types.TIMESTAMPTZ) and target == types.TIME and "inf" in literal:
            assert made == "42804"  # PostgreSQL gives NULL
            continue
        expected = column.through(literal.encode(), 0, source)
        if (source, target) == (types.INT8, types.FLOAT4) and made == "42804":
            continue  # named as not converted, since it would be rounded twice
        assert made == expected, literal
        binary = encode(declared(source), literal.encode(), Sent(BERLIN))
        if source != types.JSONB:
            assert stored(target, binary, Sent(BERLIN, source, BINARY_FORMAT)) == expected


REFUSED = [
    (types.TEXT, types.INT4),
    (types.INT4, types.BOOL),
    (types.DATE, types.INT4),
    (types.TEXT, types.UUID),
    (types.TIMESTAMP, types.INTERVAL),
    (types.JSON, types.INT4),
    (types.BYTEA, types.UUID),
]


@pytest.mark.parametrize(("source", "target"), REFUSED)
def test_what_postgresql_does_not_assign_is_refused(
    embedded: psycopg.Connection, source: int, target: int
) -> None:
    """With its SQLSTATE, or, where there is a cast that we do not make, by name."""
    literal = VALUES[source][0].encode()
    expected = Column(embedded, name_of(target)).through(literal, 0, source)
    assert ours(declared(target), literal, Sent(BERLIN, source)) == expected == "42804"


COMPARED = [
    ("int2", types.INT8, "5", True),
    ("int2", types.INT8, "99999", False),
    ("int4", types.NUMERIC, "5.00", True),
    ("int4", types.NUMERIC, "5.5", False),
    ("int4", types.NUMERIC, "NaN", False),
    ("int8", types.NUMERIC, "1e30", False),
    ("numeric(6,2)", types.INT4, "5", True),
    ("numeric(6,2)", types.INT4, "99999", False),
    ("numeric(6,2)", types.NUMERIC, "5.000", True),
    ("numeric(6,2)", types.NUMERIC, "5.001", False),
    ("varchar(3)", types.TEXT, "abc", True),
    ("varchar(3)", types.TEXT, "abcdef", False),
    ("varchar(3)", types.TEXT, "abc   ", False),
    ("char(3)", types.BPCHAR, "ab ", True),
    ("char(3)", types.BPCHAR, "abcd", False),
    ("char(3)", types.TEXT, "ab", True),
    ("char(3)", types.TEXT, "ab ", False),
    ("char(3)", types.VARCHAR, "ab ", True),
    ("text", types.BPCHAR, "ab ", True),
    ("timestamp(0)", types.TIMESTAMP, "2024-01-01 00:00:00.5", False),
    ("timestamp(0)", types.TIMESTAMP, "2024-01-01 00:00:00", True),
]


@pytest.mark.parametrize(("type_", "source", "literal", "can_match"), COMPARED)
def test_a_comparison_matches_exactly_where_postgresqls_would(
    embedded: psycopg.Connection, type_: str, source: int, literal: str, can_match: bool
) -> None:
    """Stored is what the column makes of the value; what it cannot hold exactly equals no stored value."""
    column = parse_type(type_)
    compared = encode(column, literal.encode(), Sent(TextStyle(), source, use=Use.COMPARE))
    for stored in ("5", "99", "abc", "ab", "ab ", "2024-01-01 00:00:00", "2024-01-01 00:00:01"):
        embedded.execute("DROP TABLE IF EXISTS twin")
        embedded.execute(f"CREATE TEMP TABLE twin (v {format_type(column)})".encode())
        try:
            embedded.execute(f"INSERT INTO twin VALUES ('{stored}')".encode())
        except psycopg.DataError:
            continue
        cast = BASE_TYPES[source].name if source != types.BPCHAR else "bpchar"
        query = f"SELECT v = '{literal}'::{cast} FROM twin".encode()
        row = embedded.execute(query).fetchone()
        assert row is not None
        assert (encode(column, stored.encode(), Sent(TextStyle())) == compared) == row[0]
        if row[0]:
            assert can_match


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (types.FLOAT8, types.INT4),
        (types.FLOAT8, types.NUMERIC),
        (types.TIMESTAMP, types.TIMESTAMPTZ),
        (types.TIMESTAMPTZ, types.DATE),
        (types.DATE, types.TIMESTAMP),
        (types.INT4, types.TEXT),
        (types.BPCHAR, types.VARCHAR),
    ],
)
def test_a_comparison_across_kinds_is_refused(source: int, target: int) -> None:
    """PostgreSQL would convert the column, which is sealed."""
    with pytest.raises(TypeMismatch):
        encode(declared(target), VALUES[source][0].encode(), Sent(BERLIN, source, use=Use.COMPARE))
