"""Every mask on every type against PostgreSQL itself: what is shown is a value of the type, printed just so.

The value comes from a real column; what the client would see in its place goes back into the column, in the
same format, and must come out of it, in both, as it went in.
"""

import psycopg
import pytest
from tests.protect.real import Column
from tests.protect.samples import codec
from tests.protect.test_against_postgres import ACCEPTED, settings

from strongroom.errors import InvalidMask
from strongroom.protect.batch import mask_opener
from strongroom.protect.canonical import BINARY_FORMAT, TEXT_FORMAT, Sent
from strongroom.protect.masking import ColumnMask
from strongroom.protect.masks import Kind, Mask
from strongroom.protect.pseudonyms import PseudonymKey
from strongroom.protect.style import TextStyle
from strongroom.wire.postgres.types import parse_type

KEY = PseudonymKey.derive(bytes(32), "shop")
TYPES = [*ACCEPTED, "varchar(40)", "char(30)", "bigint[]", "uuid[]", "date[]", "bytea[]", "jsonb[]"]
MORE = {
    "text": ["jane.doe@example.com", "ä@b.de", "4111 1111 1111 1234", "DE89370400440532013000", "12345678"],
    "varchar(40)": ["jane.doe@example.com", "x" * 40, "4111111111111234", "a" * 33 + "@bcd.de", "é" * 40],
    "char(30)": ["jane.doe@example.com", "x" * 30, "4111111111111234", "jd@" + "d" * 24 + ".de", ""],
    "bigint[]": ["{1,NULL,-9223372036854775808}"],
    "uuid[]": ["{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,NULL}"],
    "date[]": ["{2024-02-29,infinity,NULL}", "[2:2]={0044-03-15 BC}"],
    "bytea[]": ['{"\\\\x01",NULL}'],
    "jsonb[]": ['{"{\\"a\\": 1}"}'],
}
FIXED = {
    "bool": "yes",
    "uuid": "{a0eebc999c0b4ef8bb6d6bb9bd380a11}",
    "json": "[ 1 ]",
    "jsonb": "[1]",
    "bytea": "\\x01",
}


def masks(type_: str) -> list[ColumnMask]:
    """All masks that the type takes, with several settings."""
    declared = parse_type(type_)
    text = next((one for name, one in FIXED.items() if type_.startswith(name)), None)
    texts = [text] if text else ["", "abc", "1.5", "1", "2024-02-29", "12:34:56+02", "1 day"]
    wanted = [
        Mask.parse(kind.value) for kind in Kind if kind.value not in {"fixed", "first", "last", "range"}
    ]
    wanted += [Mask.parse("fixed", text=one) for one in texts]
    wanted += [Mask.parse(kind, n=n) for kind in ("first", "last") for n in (1, 4, 20)]
    wanted += [Mask.parse("range", step=step) for step in ("0.05", 7, 1000, "1e9", "1e40")]
    found = []
    for mask in wanted:
        try:
            found.append(ColumnMask(mask, declared, KEY))
        except InvalidMask:
            continue
    return found


@pytest.mark.parametrize("type_", TYPES)
def test_what_is_shown_is_a_value_of_the_type(embedded: psycopg.Connection, type_: str) -> None:
    """Of a protected column and of one that is not, in text and binary, in each session's style."""
    column, sealing = Column(embedded, type_), codec(type_)
    made = masks(type_)
    assert len(made) >= 3
    for style, names in settings(type_):
        for name, value in names.items():
            column.set(name, value)
        tried = set()
        for literal in [*ACCEPTED.get(type_, []), *MORE.get(type_, [])]:
            taken = column.through(literal.encode())
            assert isinstance(taken, tuple), literal
            sealed = sealing.seal(taken[1], Sent(style, parse_type(type_).oid, BINARY_FORMAT))
            assert sealed is not None
            for mask in made:
                shown = sealing.masked_opener(mask, TEXT_FORMAT, style)(sealed)
                binary = sealing.masked_opener(mask, BINARY_FORMAT, style)(sealed)
                assert from_upstream(mask, taken, style) == {(shown, binary)}, (mask, literal)
                tried.add((shown, binary))
        for shown, binary in tried:
            if shown is None or binary is None:
                assert shown is binary
                continue
            oid = parse_type(type_).oid
            assert column.through(binary, BINARY_FORMAT, oid) == (shown, binary)
            if names.get("extra_float_digits", "1") in {"1", "3"} and reads_back(type_, names):
                assert column.through(shown, TEXT_FORMAT, oid) == (shown, binary)


def from_upstream(
    mask: ColumnMask, taken: tuple[bytes, bytes], style: TextStyle
) -> set[tuple[bytes | None, bytes | None]]:
    """What the mask makes of what PostgreSQL sends in each format, and the kernel of it, too."""
    found = set()
    for came in (TEXT_FORMAT, BINARY_FORMAT):
        if came == TEXT_FORMAT and mask.mask.kind is Kind.RANGE and style.extra_float_digits <= 0:
            continue  # the text has fewer digits than the value, which may so have come into the next range
        shown = []
        for wanted in (TEXT_FORMAT, BINARY_FORMAT):
            opener = mask_opener(mask, upstream_format=came, client_format=wanted, style=style)
            shown.append(opener(taken[came]))
            native = mask.native(wanted, style)
            assert native is None or native(taken[came]) == shown[-1]
        found.add((shown[0], shown[1]))
    return found


def reads_back(type_: str, names: dict[str, str]) -> bool:
    """Whether PostgreSQL takes what it prints: not every zone's abbreviation, nor sql_standard's signs."""
    abbreviated = type_.startswith(("timestamp(0) with", "timestamptz")) and "ISO" not in names.get(
        "DateStyle", "ISO"
    )
    return not abbreviated and names.get("IntervalStyle") != "sql_standard"


def test_types_of_the_database_come_as_null(embedded: psycopg.Connection) -> None:
    """An enumeration and an address: no mask reads them, and NULL is a value of any type."""
    embedded.execute("DROP TYPE IF EXISTS mood")
    embedded.execute("CREATE TYPE mood AS ENUM ('sad', 'happy')")
    answer = embedded.pgconn.exec_(b"SELECT 'sad'::mood, '10.0.0.1'::inet, '{sad}'::mood[], 'a'::name")
    for i in range(answer.nfields):
        value = answer.get_value(0, i)
        assert value is not None
        for kind in ("null", "constant"):
            mask = ColumnMask.of_catalog(Mask.parse(kind), answer.ftype(i), answer.fmod(i))
            opener = mask_opener(mask, upstream_format=0, client_format=0, style=TextStyle())
            assert opener(value) is None
        with pytest.raises(InvalidMask):
            ColumnMask.of_catalog(Mask.parse("full"), answer.ftype(i), answer.fmod(i))
