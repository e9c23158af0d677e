"""The canonical forms against PostgreSQL itself: the same literal through a real column, in many settings.

What we take and print must be what PostgreSQL takes and prints; what it refuses, we refuse with its SQLSTATE
or as an input form that we do not know.
"""

import math
import random
import struct
from collections.abc import Iterator
from itertools import product

import psycopg
import pytest
from tests.protect.real import Column, ours

from strongroom.protect.canonical import BINARY_FORMAT, Sent
from strongroom.protect.style import TextStyle
from strongroom.wire.postgres.types import parse_type

ACCEPTED: dict[str, list[str]] = {
    "text": ["", "abc", "Zoë ☃ 😀", "  spaces  ", "a\nb\tc", "\\x00", "NULL", '{"a"}'],
    "varchar(3)": ["", "abc", "ab", "abc   ", "äöü", "äöü ", "  "],
    "char(3)": ["", "abc", "ab", "abc   ", "ä", "  a"],
    "char": ["a", ""],
    "varchar": ["abc  "],
    "bool": ["t", "TRUE", "tr", "yes", "y", "on", "1", " f ", "false", "no", "n", "of", "off", "0"],
    "smallint": ["0", "-32768", "32767", " 12 ", "+5", "007"],
    "integer": ["-2147483648", "2147483647", "1"],
    "bigint": ["-9223372036854775808", "9223372036854775807", "0"],
    "real": ["0", "-0", "1", "0.1", "1e6", "999999", "1234567", "16777217", "3.4028235e38", "1e-45", "NaN",
             "inf", "-Infinity", "0.00001", "0.0001", "8388608.5", "33554432", "1.17549435e-38"],
    "double precision": ["0", "-0", "1.5", "1e15", "123456789012345", "1234567890123456", "0.0001", "0.00001",
                         "1e300", "5e-324", "1.7976931348623157e308", "9007199254740993", "NaN", "+inf",
                         "-infinity", ".5", "5.", "1e23", "0.1", "100000", "2251799813685248.5",
                         "18014398509481990", "4503599627370497.5", "36028797018963967"],
    "numeric": ["0", "-0.00", "1", "12345.678", "1e5", "1.5e-3", ".5", "5.", "0e10", "10000", "0.0001", "NaN",
                "Infinity", "-inf", "123456789012345678901234567890.123456789", "1e100", "1e-100", "00012.30",
                "+7", "0.00000", "100000000", "9999.9999", "0e-5", "-1e-3", "1.000e2"],
    "numeric(12,2)": ["0", "1.005", "1.004", "-1.005", "9999999999.99", "NaN", "1e9", "-0.001"],
    "numeric(3,-2)": ["149.9", "150", "99949", "-50", "49", "0"],
    "numeric(3,5)": ["0.00123", "0.00999", "0.001234", "0"],
    "numeric(5)": ["0.5", "1.5", "99999.4", "-0.5"],
    "date": ["2024-02-29", "0001-01-01", "2000-1-1", "0044-03-15 BC", "4713-11-24 BC", "5874897-12-31",
             "infinity", "-infinity", "1999-12-31", "2024-05-06 07:08:09", "2024-05-06T07:08:09.123Z",
             "2024-05-06T00:00:00.000+02:00", "10000-01-01", "0001-12-31 BC"],
    "time": ["00:00:00", "23:59:59.999999", "24:00:00", "12:34", "1:02:03", "12:34:56.7", "12:34:60",
             "12:34:56.1234567", "12:34:56+02", "00:00:00.0000005"],
    "time(2)": ["12:34:56.789", "23:59:59.999", "12:34:56.785"],
    "timetz": ["12:34:56+02", "12:34:56.5-03:30", "00:00:00Z", "12:34+05:30:15", "24:00:00-15:59"],
    "timetz(0)": ["12:34:56.5+02"],
    "timestamp": ["2024-02-29 12:34:56", "2024-02-29T12:34:56.789", "2024-02-29", "0044-03-15 12:00:00 BC",
                  "294276-12-31 23:59:59.999999", "4713-11-24 00:00:00 BC", "infinity", "-infinity",
                  "2024-02-29 12:34:56+05", "1999-12-31 23:59:60", "2024-01-01 24:00:00", "1970-01-01 00:00",
                  "2024-02-29 12:34:56 Europe/Berlin", "1600-03-01 01:02:03.000001"],
    "timestamp(3)": ["2024-02-29 12:34:56.7895", "1999-12-31 23:59:59.9996", "1999-01-01 00:00:00.0005"],
    "timestamptz": ["2024-02-29 12:34:56", "2024-07-01 12:34:56.789", "2024-02-29 12:34:56Z", "2024-02-29",
                    "2024-03-31 02:30:00", "2024-10-27 02:30:00", "2024-03-10 02:30:00",
                    "2024-11-03 01:30:00",
                    "2024-02-29 12:34:56+05:30", "2024-02-29 12:34:56.5-0330", "1890-01-01 00:00:00",
                    "0044-03-15 12:00:00 BC", "infinity", "-infinity", "12000-07-01 12:00:00",
                    "294276-12-31 00:00:00Z", "2024-07-01 12:00:00 America/New_York", "2050-07-01 00:00:00",
                    "1900-01-01 00:00:00+00", "0001-01-01 00:00:00", "9999-12-31 23:59:59"],
    "timestamp(0) with time zone": ["2024-02-29 12:34:56.5+01"],
    "interval": ["1 day", "1 year 2 mons 3 days 04:05:06.789", "-1 day +02:03:04", "0", "P1Y2M3DT4H5M6S",
                 "1 day 2:03:04.5", "-04:05:06", "1 mon -1 day", "3 weeks", "1.5 hours", "90 minutes",
                 "@ 1 year 2 mons", "1 day 5", "PT0.5S", "P-1Y", "-1 days 22:00:00", "36:00:00", "1 second",
                 "1 ms 5 us", "2 years", "-2 years -1 mons", "-00:00:00.5", "1 month 2 days -00:00:01",
                 "1.5 seconds", "59 secs", "1 hour 1 min 1 sec", "-1 year 1 day", "PT-1.5S", "P2W",
                 "-1 mons 1 days -1 hours", "0.0000005 s", "1 day 00:00:00"],
    "interval(2)": ["1.236 s", "-1.235 s", "1.0 s 2 us"],
    "uuid": ["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}",
             "a0eebc999c0b4ef8bb6d6bb9bd380a11"],
    "bytea": ["\\x", "\\xDEADbeef", "\\x01 02", "abc\\\\d\\001", "", "\\377"],
    "json": ['{"a": 1, "a":2}', " [1, 2.50, null] ", '"\\u0000"', "1e5", '"\\ud800"', "true", "{}", "[]"],
    "jsonb": ['{"bb":1,"a":2,"a":3}', "[1, 2.50, null, true, 1e5, -0, -0.0, 1.50e1, 1E-3]",
              '"\\u00e9\\n\\u0001/"',
              "{}", "[]", '"\\ud83d\\ude00"', '{"é":1,"zz":2,"b":{"y":[],"x":{}}}', ' "a\\"b\\\\c" ', "null",
              '{"":1}', '"\\\\u0000"', '"\x7f"'],
    "text[]": ["{}", "{a,b}", '{"a b",NULL,"NULL",""}', '{"a\\"b","c\\\\d","{}",","}', "{{a,b},{c,d}}",
               "[0:1]={a,b}", "[2:3][-1:0]={{1,2},{3,4}}", '{ a , "b" }', "{null}", "{a b}", '{\\ x}',
               '{x\\ }',
               "[3]={1,2,3}", '{"é"}', "{a\\,b}"],
    "int[]": ["{1,2,3}", "{{1,2},{3,NULL}}", "{ 1 , 2 }", "[5:5]={7}", "{}"],
    "varchar(2)[]": ["{ab,\"ab  \"}"],
    "char(3)[]": ["{a,bc}"],
    "timestamptz[]": ['{"2024-01-01 00:00:00+00",infinity}'],
    "bool[]": ["{t,f,yes}"],
    "numeric(5,2)[]": ["{1.005,2}"],
}  # fmt: skip

REFUSED: dict[str, list[str]] = {
    "varchar(3)": ["abcd", "äöüß"],
    "char(3)": ["abcd"],
    "bool": ["", "o", "maybe", "2", "tt"],
    "smallint": ["32768", "-32769", "", "1.5", "a", "1 2", "99999999999999999999999"],
    "integer": ["2147483648", "1e3", "--1"],
    "bigint": ["9223372036854775808"],
    "real": ["1e39", "1e-50", "a", "", "1.5.5"],
    "double precision": ["1e400", "1e-400", "x", "1,5", "1e"],
    "numeric": ["a", "", "1e200000", "1e-20000", "1.2.3", "1e99999999999"],
    "numeric(12,2)": ["10000000000", "9999999999.995", "Infinity"],
    "numeric(3,5)": ["0.01", "1"],
    "numeric(3,-2)": ["99950"],
    "date": ["", "abc", "2024-13-01", "2024-02-30", "0000-01-01", "5874898-01-01", "4714-11-23 BC"],
    "time": ["", "abc", "25:00:00", "12:60", "24:00:01"],
    "timestamp": ["abc", "2024-02-30 00:00", "294277-01-01", "2024-01-01 25:00"],
    "timestamptz": ["abc", "2024-01-01 00:00+20", "2024-01-01 00:00 No/Where", "294277-01-01Z"],
    "interval": ["abc", "", "1 foo", "1 day 1 day", "99999999999 years", "1:99:00", "P"],
    "uuid": ["", "a0eebc99", "g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc99--9c0b4ef8-bb6d6bb9-bd380a11"],
    "bytea": ["\\xabc", "\\xzz", "a\\b", "\\9"],
    "json": ["", "{", "{'a':1}", "nan", "01", "[1,]", '"\x01"', "1 2", "NaN", '{"a"}', '"\\u12"', "\ufeff1"],
    "jsonb": ["", "[", '"\\u0000"', '"\\ud800"', "1e200000", "Infinity"],
    "text[]": ["", "{", "a", "{a}}", "{a,}", "{,a}", "{{a},b}", "{a,{b}}", "{{a},{b,c}}", "[1:2]={a}",
               '{"a"b}', "[2:1]={}", "{a}x", "{{{{{{{1}}}}}}}", '{"a'],
    "int[]": ["{a}", "{99999999999}", "{\"\"}"],
}  # fmt: skip

# What PostgreSQL 18 takes and we name as not taken.
NOT_TAKEN: dict[str, list[str]] = {
    "integer": ["0x1F", "1_000", "0b11"],
    "numeric": ["0x1F", "1_000.5"],
    "double precision": ["0x1p3"],
    "date": ["now", "today", "Jan 8, 1999", "19990108", "1/8/99", "epoch", "99-Jan-08", "J2451187"],
    "time": ["04:05 PM", "040506", "allballs"],
    "timetz": ["12:34:56", "12:34:56 America/New_York"],
    "timestamp": ["now", "Jan 8 1999 04:05:06", "epoch", "20240101T000000"],
    "timestamptz": ["2024-01-01 00:00 PST", "yesterday"],
    "interval": ["1-2", "infinity", "P0001-02-03T04:05:06", "1.5 days", "0.5 month", "1 decade"],
}

# Day and month as the session has them.
YEAR_LAST = ["24.12.1847", "12/24/1847", "1-2-2003", "29/02/2023", "13.13.2000", "0/1/2000", "1.2.0044 BC",
             "3/4/2024 12:34:56.5", "3/4/2024 12:34+02", "03.04.0000", "1.2/2003", "1/2/2003x",
             "1/2/99"]  # fmt: skip

DATE_STYLES = [
    "ISO, MDY",
    "SQL, DMY",
    "SQL, MDY",
    "Postgres, DMY",
    "Postgres, MDY",
    "German, DMY",
    "ISO, YMD",
]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "<-07>+07"]
INTERVAL_STYLES = ["postgres", "postgres_verbose", "sql_standard", "iso_8601"]


def settings(type_: str) -> Iterator[tuple[TextStyle, dict[str, str]]]:
    """The settings under which values of a type are worth looking at."""
    combinations: list[dict[str, str]] = [{}]
    if type_.startswith(("date", "timestamp")):
        combinations = [{"DateStyle": d, "TimeZone": z} for d, z in product(DATE_STYLES, ZONES)]
    elif type_.startswith("interval"):
        combinations = [{"IntervalStyle": style} for style in INTERVAL_STYLES]
    elif type_ in ("real", "double precision"):
        combinations = [{"extra_float_digits": d} for d in ("1", "3", "0", "-5", "-15")]
    for combination in combinations:
        style = TextStyle()
        for name, value in combination.items():
            style = style.with_setting(name, value)
        yield style, combination


@pytest.mark.parametrize("type_", ACCEPTED)
def test_what_postgresql_takes_and_prints(embedded: psycopg.Connection, type_: str) -> None:
    """The same text and binary output for each literal, sent as text and as binary, in each setting."""
    column, declared = Column(embedded, type_), parse_type(type_)
    for style, names in settings(type_):
        for name, value in names.items():
            column.set(name, value)
        for literal in ACCEPTED[type_]:
            if names.get("IntervalStyle") == "sql_standard" and literal.startswith("-"):
                continue  # named as not taken, since the sign would spread over all fields
            expected = column.through(literal.encode())
            assert ours(declared, literal.encode(), Sent(style)) == expected, (literal, names)
            binary = expected[1]
            assert isinstance(binary, bytes)
            assert ours(declared, binary, Sent(style, 0, BINARY_FORMAT)) == expected, (literal, names)


@pytest.mark.parametrize("type_", REFUSED)
def test_what_postgresql_refuses(embedded: psycopg.Connection, type_: str) -> None:
    """The SQLSTATE is PostgreSQL's, or ours for an input form that we do not know."""
    column, declared = Column(embedded, type_), parse_type(type_)
    for literal in REFUSED[type_]:
        expected = column.through(literal.encode())
        assert isinstance(expected, str), literal
        assert ours(declared, literal.encode(), Sent(TextStyle())) in (expected, "form"), (literal, expected)


@pytest.mark.parametrize("type_", NOT_TAKEN)
def test_what_we_name_as_not_taken(embedded: psycopg.Connection, type_: str) -> None:
    """Input forms of PostgreSQL that we refuse by name rather than guess."""
    declared = parse_type(type_)
    for literal in NOT_TAKEN[type_]:
        assert ours(declared, literal.encode(), Sent(TextStyle())) == "form", literal


@pytest.mark.parametrize("type_", ["date", "timestamp", "timestamptz"])
def test_what_the_date_order_decides(embedded: psycopg.Connection, type_: str) -> None:
    """A year in the last place is read as the session's DateStyle says, or named as not taken."""
    column, declared, taken = Column(embedded, type_), parse_type(type_), 0
    for style, names in settings(type_):
        for name, value in names.items():
            column.set(name, value)
        for literal in YEAR_LAST:
            made = ours(declared, literal.encode(), Sent(style))
            assert made in ("form", column.through(literal.encode())), (literal, names)
            taken += made != "form"
            assert made == "form" or style.date_order != "YMD"
    assert taken >= 6 * len(ZONES) * 9


@pytest.mark.parametrize("type_", ["text", "varchar(5)", "char(5)", "json", "jsonb"])
def test_bytes_that_are_no_text(embedded: psycopg.Connection, type_: str) -> None:
    """Malformed UTF-8 is refused with PostgreSQL's SQLSTATE, NUL too."""
    column, declared = Column(embedded, type_), parse_type(type_)
    for value in (b"\xff", b"a\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80"):
        assert ours(declared, value, Sent(TextStyle())) == column.through(value) == "22021"
    assert ours(declared, b"a\0b", Sent(TextStyle())) == "22021"


def test_random_floats(embedded: psycopg.Connection) -> None:
    """Any bits of a double or single are printed as PostgreSQL prints them, and read back."""
    random.seed(1)
    for type_, size, code in (("double precision", 8, "d"), ("real", 4, "f")):
        column, declared = Column(embedded, type_), parse_type(type_)
        column.set("extra_float_digits", "1")
        values = [random.randbytes(size) for _ in range(300)]
        values += [
            struct.pack(f">{code}", random.randrange(2**24, 2**63) * random.choice([1, 10]))
            for _ in range(300)
        ]
        values += [struct.pack(f">{code}", 2.0**n) for n in range(-100, 100)]
        for bits in values:
            if math.isnan(struct.unpack(f">{code}", bits)[0]):
                continue
            expected = column.through(bits, BINARY_FORMAT)
            assert ours(declared, bits, Sent(TextStyle(), 0, BINARY_FORMAT)) == expected
            assert ours(declared, expected[0], Sent(TextStyle())) == expected  # type: ignore[arg-type]  # not a SQLSTATE


def test_random_numerics(embedded: psycopg.Connection) -> None:
    """Random digits with a point and exponent anywhere, unconstrained and with a precision."""
    random.seed(2)
    for type_ in ("numeric", "numeric(20,4)", "numeric(10,-3)", "numeric(6,9)"):
        column, declared = Column(embedded, type_), parse_type(type_)
        for _ in range(400):
            digits = "".join(random.choice("0001259999") for _ in range(random.randrange(1, 24)))
            cut = random.randrange(len(digits) + 1)
            exponent = random.choice(["", f"e{random.randrange(-12, 12)}"])
            literal = f"{random.choice(['', '-', '+'])}{digits[:cut]}.{digits[cut:]}{exponent}".encode()
            assert ours(declared, literal, Sent(TextStyle())) == column.through(literal), literal


def test_random_instants(embedded: psycopg.Connection) -> None:
    """Random timestamps over the whole range, in zones with and without summer time."""
    random.seed(3)
    column, declared = Column(embedded, "timestamptz"), parse_type("timestamptz")
    for name in ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Tehran"):
        column.set("TimeZone", name)
        column.set("DateStyle", "ISO, MDY")
        for _ in range(200):
            low, high = random.choice(
                [(-3_000_000_000_000_000, 3_000_000_000_000_000), (-2 * 10**17, 9 * 10**18)]
            )
            bits = struct.pack(">q", random.randrange(low, high))
            expected = column.through(bits, BINARY_FORMAT)
            assert ours(declared, bits, Sent(TextStyle(time_zone=name), 0, BINARY_FORMAT)) == expected, name


def test_random_intervals(embedded: psycopg.Connection) -> None:
    """Random intervals of all signs, in all four styles, printed and (where we take the form) read."""
    random.seed(4)
    column, declared = Column(embedded, "interval"), parse_type("interval")
    for name in INTERVAL_STYLES:
        column.set("IntervalStyle", name)
        style = TextStyle(interval_style=name)
        for _ in range(200):
            fields = [random.choice([0, 0, random.randrange(-n, n)]) for n in (10**12, 40, 50)]
            bits = struct.pack(">qii", *fields)
            expected = column.through(bits, BINARY_FORMAT)
            assert ours(declared, bits, Sent(style, 0, BINARY_FORMAT)) == expected
            if name in ("postgres", "iso_8601", "postgres_verbose"):
                assert ours(declared, expected[0], Sent(style)) == expected  # type: ignore[arg-type]  # not a SQLSTATE


ALPHABET = " \t0123456789.:+-eETZzPDMYHSBCAD/_'\"{}[],\\=xn"


def mutated(literal: str, rng: random.Random) -> str:
    """The literal with one to three characters changed, added, removed or doubled."""
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(literal) + 1)
        cut = at + rng.choice([0, 0, 1, 1, 2])
        literal = literal[:at] + rng.choice(["", rng.choice(ALPHABET), literal[at : at + 2]]) + literal[cut:]
    return literal


def agrees(made: tuple[bytes, bytes] | str, expected: tuple[bytes, bytes] | str) -> bool:
    """What we take is PostgreSQL's. What we refuse it may take, as an interval '. weeks'."""
    return isinstance(made, str) or made == expected


def compare_mutated(embedded: psycopg.Connection, type_: str, count: int) -> None:
    """Literals changed at random: ours must be PostgreSQL's."""
    rng = random.Random(f"{type_} {count}")
    column, declared = Column(embedded, type_), parse_type(type_)
    for name in ("TimeZone", "DateStyle", "IntervalStyle", "extra_float_digits"):
        embedded.execute(f"RESET {name}".encode())
    zone = embedded.info.parameter_status("TimeZone") or "UTC"
    for _ in range(count):
        literal = mutated(rng.choice(ACCEPTED[type_]), rng)
        made = ours(declared, literal.encode(), Sent(TextStyle(time_zone=zone)))
        assert agrees(made, column.through(literal.encode())), literal


@pytest.mark.parametrize("type_", ACCEPTED)
def test_whatever_is_taken_is_taken_as_postgresql_takes_it(embedded: psycopg.Connection, type_: str) -> None:
    """No value is accepted that PostgreSQL refuses or reads otherwise."""
    compare_mutated(embedded, type_, 50)


@pytest.mark.full
@pytest.mark.parametrize("type_", ACCEPTED)
def test_very_many_literals(embedded: psycopg.Connection, type_: str) -> None:
    """The same, for longer."""
    compare_mutated(embedded, type_, 4_000)


@pytest.mark.parametrize("type_", ACCEPTED)
def test_whatever_is_received_is_received_as_postgresql_receives_it(
    embedded: psycopg.Connection, type_: str
) -> None:
    """Binary values changed at random: bytes replaced, cut off and added."""
    rng = random.Random(type_)
    column, declared = Column(embedded, type_), parse_type(type_)
    for name in ("TimeZone", "DateStyle", "IntervalStyle", "extra_float_digits"):
        embedded.execute(f"RESET {name}".encode())
    zone = embedded.info.parameter_status("TimeZone") or "UTC"
    sent = Sent(TextStyle(time_zone=zone), 0, BINARY_FORMAT)
    known = [taken[1] for one in ACCEPTED[type_] if isinstance(taken := column.through(one.encode()), tuple)]
    for _ in range(60):
        value = bytearray(rng.choice(known))
        for _ in range(rng.randrange(1, 3)):
            at = rng.randrange(len(value) + 1)
            value[at : at + rng.choice([0, 1, 1, 1, 1])] = rng.choice(
                [b"", b"\0", b"\xff", rng.randbytes(1), b"\x7f"]
            )
        made = ours(declared, bytes(value), sent)
        assert agrees(made, column.through(bytes(value), BINARY_FORMAT)), bytes(value)
