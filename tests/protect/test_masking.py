"""protect/masking.py: a mask made ready for a column, behind an opener and on what PostgreSQL sends."""

import struct

import pytest
from tests.protect.samples import codec
from tests.protect.test_batch import hexed, row

from strongroom import _kernel
from strongroom.errors import Bug, InvalidCiphertext, InvalidMask, InvalidPlaintext, MalformedRow
from strongroom.protect.batch import ColumnOpener, RowPlan, column_opener, mask_opener, open_rows
from strongroom.protect.canonical import BINARY_FORMAT, TEXT_FORMAT, Sent, decode, encode
from strongroom.protect.forms import arrays
from strongroom.protect.masking import ColumnMask
from strongroom.protect.masks import Mask
from strongroom.protect.pseudonyms import PseudonymKey
from strongroom.protect.style import TextStyle
from strongroom.wire.postgres import types
from strongroom.wire.postgres.types import parse_type

STYLE = TextStyle()
KEY = PseudonymKey.derive(bytes(32), "shop")
OTHER_KEY = PseudonymKey.derive(bytes(32), "other")
NULL = "NULL"

NIL = "00000000-0000-0000-0000-000000000000"

# type, mask with its setting, a value as text, what is shown of it as text
SHOWN: list[tuple[str, str, object, str, str]] = [
    ("text", "constant", None, "Zoë", "***"),
    ("varchar(2)", "constant", None, "ab", "**"),
    ("char(5)", "constant", None, "ab", "***  "),
    ("bool", "constant", None, "t", "f"),
    ("smallint", "constant", None, "7", "0"),
    ("integer", "constant", None, "7", "0"),
    ("bigint", "constant", None, "7", "0"),
    ("real", "constant", None, "1.5", "0"),
    ("double precision", "constant", None, "1.5", "0"),
    ("numeric", "constant", None, "1.50", "0"),
    ("numeric(6,2)", "constant", None, "1.50", "0.00"),
    ("numeric(3,-2)", "constant", None, "1500", "0"),
    ("numeric(3,5)", "constant", None, "0.00123", "0.00000"),
    ("bytea", "constant", None, "\\x01", "\\x"),
    ("uuid", "constant", None, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", NIL),
    ("date", "constant", None, "2024-02-29", "1970-01-01"),
    ("time(0)", "constant", None, "12:34:56", "00:00:00"),
    ("timetz", "constant", None, "12:34:56+02", "00:00:00+00"),
    ("timestamp", "constant", None, "2024-02-29 12:00:00", "1970-01-01 00:00:00"),
    ("timestamptz", "constant", None, "2024-02-29 12:00:00+00", "1970-01-01 00:00:00+00"),
    ("interval", "constant", None, "1 day", "00:00:00"),
    ("json", "constant", None, "[1]", "{}"),
    ("jsonb", "constant", None, "[1]", "{}"),
    ("text[]", "constant", None, "{a,b}", "{}"),
    ("integer", "null", None, "7", NULL),
    ("text[]", "null", None, "{a,b}", NULL),
    ("text", "full", None, "", "********"),
    ("text", "full", None, "a very long text", "********"),
    ("varchar(3)", "full", None, "a", "***"),
    ("char(10)", "full", None, "a", "********  "),
    ("text[]", "full", None, "{a,NULL,c}", "{********,NULL,********}"),
    ("text", "fixed", "n/a", "x", "n/a"),
    ("char(5)", "fixed", "n/a", "x", "n/a  "),
    ("date", "fixed", "1900-01-01", "2024-02-29", "1900-01-01"),
    ("numeric(6,2)", "fixed", "1", "7.00", "1.00"),
    ("int[]", "fixed", "-1", "{{1,2},{3,NULL}}", "{{-1,-1},{-1,NULL}}"),
    ("text", "first", 2, "Zoë ☃", "Zo****"),
    ("text", "first", 2, "Zoë", "****"),
    ("varchar(5)", "first", 2, "abcde", "ab***"),
    ("text", "last", 4, "DE89370400440532013000", "****3000"),
    ("varchar(8)", "last", 4, "12345678", "****5678"),
    ("varchar(9)", "last", 4, "1234567", "****"),
    ("char(10)", "last", 2, "abcd", "****cd    "),
    ("text[]", "last", 1, "{abc,\"\",NULL}", "{****c,****,NULL}"),
    ("varchar(30)", "email", None, "jane.doe@example.com", "j***@example.com"),
    ("varchar(8)", "email", None, "jd@b.com", "j*@b.com"),
    ("char(20)", "email", None, "jane@b.com", "j***@b.com          "),
    ("text", "email", None, "not an address", "***"),
    ("text", "card", None, "4111 1111 1111 1234", "************1234"),
    ("varchar(12)", "card", None, "411111111234", "********1234"),
    ("text", "card", None, "my secret 411111111234", "************"),
    ("integer", "range", 100, "-1", "-100"),
    ("int[]", "range", 100, "{250,NULL}", "{200,NULL}"),
    ("numeric(6,2)", "range", "0.5", "1.99", "1.50"),
    ("double precision", "range", 10, "99.9", "90"),
    ("date", "month", None, "2024-02-29", "2024-02-01"),
    ("date[]", "year", None, "{2024-02-29,infinity}", "{2024-01-01,infinity}"),
    ("timestamptz", "month", None, "2024-03-01 00:30:00+01", "2024-02-01 00:00:00+00"),
]  # fmt: skip
FORMATS = [TEXT_FORMAT, BINARY_FORMAT]
SETTING = {"fixed": "text", "first": "n", "last": "n", "range": "step"}


def made(type_: str, kind: str, setting: object = None, key: PseudonymKey | None = KEY) -> ColumnMask:
    """A mask of a column of this type."""
    settings = {SETTING[kind]: setting} if kind in SETTING else {}
    return ColumnMask(Mask.parse(kind, **settings), parse_type(type_), key)


def printed(type_: str, text: str, format_code: int) -> bytes:
    """What PostgreSQL sends of a value."""
    declared = parse_type(type_)
    return decode(declared, encode(declared, text.encode(), Sent(STYLE)), format_code, STYLE)


def expected(type_: str, shown: str, format_code: int) -> bytes | None:
    return None if shown == NULL else printed(type_, shown, format_code)


@pytest.mark.parametrize("client_format", FORMATS)
@pytest.mark.parametrize(("type_", "kind", "setting", "value", "shown"), SHOWN)
def test_a_column_that_is_not_protected_is_masked(  # noqa: PLR0917  # pytest passes them by name
    type_: str, kind: str, setting: object, value: str, shown: str, client_format: int
) -> None:
    """Whatever format PostgreSQL sends, and in Python as in the kernel; NULL stays NULL."""
    mask = made(type_, kind, setting)
    for upstream_format in FORMATS:
        opener = mask_opener(mask, upstream_format=upstream_format, client_format=client_format, style=STYLE)
        assert isinstance(opener, ColumnOpener)
        came = printed(type_, value, upstream_format)
        wanted = expected(type_, shown, client_format)
        assert opener(came) == wanted
        assert opener.native is None or opener.native(came) == wanted
        rows = open_rows(RowPlan((None, opener)), row(b"1", came) + row(b"2", None))
        assert rows == row(b"1", wanted) + row(b"2", None)


@pytest.mark.parametrize("client_format", FORMATS)
@pytest.mark.parametrize("pad", [0, 16])
@pytest.mark.parametrize(("type_", "kind", "setting", "value", "shown"), SHOWN)
def test_a_protected_column_is_masked_after_it_was_opened(  # noqa: PLR0917  # pytest passes them by name
    type_: str, kind: str, setting: object, value: str, shown: str, pad: int, client_format: int
) -> None:
    """In Python as in the kernel, which has the same plaintexts."""
    column, mask = codec(type_, pad=pad), made(type_, kind, setting)
    sealed = column.seal(value.encode(), Sent(STYLE))
    assert sealed is not None
    wanted = expected(type_, shown, client_format)
    for upstream_format in FORMATS:
        opener = column_opener(
            column, upstream_format=upstream_format, client_format=client_format, style=STYLE, mask=mask
        )
        assert isinstance(opener, ColumnOpener)
        came = sealed if upstream_format == BINARY_FORMAT else hexed(sealed)
        assert opener(came) == wanted
        assert opener.native is None or opener.native(came) == wanted
        assert open_rows(RowPlan((opener,)), row(came) + row(None)) == row(wanted) + row(None)


def test_the_kernel_does_what_it_can() -> None:
    """Text and varchar by any mask, and any type where nothing of the value is shown."""
    for kind, setting in (("full", None), ("first", 2), ("last", 2), ("email", None), ("card", None),
                          ("hash", None), ("fixed", "x"), ("null", None), ("constant", None)):  # fmt: skip
        for type_ in ("text", "varchar(40)"):
            mask = made(type_, kind, setting)
            assert mask.native(TEXT_FORMAT, STYLE) is not None
            assert codec(type_).native_opener(TEXT_FORMAT, is_hexed=False, mask=mask) is not None
    for type_ in ("timestamptz", "char(3)", "int[]", "numeric"):
        assert made(type_, "constant").native(TEXT_FORMAT, STYLE) is not None
    assert (
        codec("integer").native_opener(TEXT_FORMAT, is_hexed=False, mask=made("integer", "range", 9)) is None
    )
    assert codec("date").native_opener(TEXT_FORMAT, is_hexed=False, mask=made("date", "constant")) is None


def test_equal_masks_are_one() -> None:
    """So that a codec keeps one opener for all who see a column so, and another for the others."""
    column = codec("text")
    first, same = made("text", "first", 2), made("text", "first", 2)
    assert first == same
    assert hash(first) == hash(same)
    assert repr(first) == "<ColumnMask first of text>"
    openers = [
        column.native_opener(TEXT_FORMAT, is_hexed=False, mask=mask)
        for mask in (first, same, made("text", "first", 3), None)
    ]
    assert openers[0] is openers[1]
    assert len(set(openers)) == 3
    others = (made("text", "last", 2), made("varchar(9)", "first", 2), made("text", "hash"),
              made("text", "hash", key=OTHER_KEY))  # fmt: skip
    assert len({first, *others}) == 5
    assert made("text", "full", key=OTHER_KEY) == made("text", "full")
    assert first != "first"


@pytest.mark.parametrize("type_", ["text", "varchar(16)", "char(20)", "bytea", "uuid", "bigint", "uuid[]"])
def test_pseudonyms_are_of_the_type_and_stable(type_: str) -> None:
    """The same for the same value wherever it comes from, another for another value or key."""
    texts = ["12", "13"]
    if type_.startswith("uuid"):
        texts = [f"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a{one}" for one in texts]
    if type_.endswith("[]"):
        texts = ["{" + one + "}" for one in texts]
    mask, column = made(type_, "hash"), codec(type_)
    shown = []
    for text in texts:
        sealed = column.seal(text.encode(), Sent(STYLE))
        assert sealed is not None
        one = column.masked_opener(mask, TEXT_FORMAT, STYLE)(sealed)
        for upstream_format in FORMATS:
            opener = mask_opener(
                mask, upstream_format=upstream_format, client_format=TEXT_FORMAT, style=STYLE
            )
            assert opener(printed(type_, text, upstream_format)) == one
        assert one is not None
        assert printed(type_, one.decode(), TEXT_FORMAT) == one
        assert column.masked_opener(made(type_, "hash", key=OTHER_KEY), TEXT_FORMAT, STYLE)(sealed) != one
        shown.append(one)
    assert shown[0] != shown[1]


def test_a_pseudonym_is_the_specifications() -> None:
    """HMAC of the canonical plaintext, in as many digits as there is room for."""
    digits = KEY.digest(b"ab").hex().encode()
    for type_, wanted in (
        ("text", digits[:32]),
        ("varchar(100)", digits[:32]),
        ("varchar(16)", digits[:16]),
        ("char(20)", digits[:20]),
        ("char(40)", digits[:32].ljust(40)),
    ):
        opener = mask_opener(made(type_, "hash"), upstream_format=0, client_format=0, style=STYLE)
        assert opener(printed(type_, "ab", TEXT_FORMAT)) == wanted


def test_a_hash_needs_a_key() -> None:
    """Without one it could be looked up."""
    with pytest.raises(InvalidMask, match="needs a key"):
        ColumnMask(Mask.parse("hash"), parse_type("text"))


def test_a_misfit_is_not_made() -> None:
    """Nor is a mask for another column than it stands on."""
    with pytest.raises(InvalidMask, match="does not fit"):
        made("date", "email")
    for made_for in ("varchar(9)", "text[]"):
        with pytest.raises(Bug):
            codec("text").masked_opener(made(made_for, "full"), TEXT_FORMAT, STYLE)
        with pytest.raises(Bug):
            codec("text").native_opener(TEXT_FORMAT, is_hexed=False, mask=made(made_for, "full"))


@pytest.mark.parametrize("kind", ["null", "constant"])
def test_types_that_are_not_known_come_as_null(kind: str) -> None:
    """An enumeration's values are its own; RowDescription says which type it is."""
    mask = ColumnMask.of_catalog(Mask.parse(kind), 98_765, -1)
    opener = mask_opener(mask, upstream_format=0, client_format=0, style=STYLE)
    assert open_rows(RowPlan((opener, None)), row(b"secret", b"a")) == row(None, b"a")
    assert mask.of_plaintext(TEXT_FORMAT, STYLE)(b"secret") is None
    known = ColumnMask.of_catalog(Mask.parse("constant"), types.VARCHAR, 6)
    assert known == made("varchar(2)", "constant")
    assert ColumnMask.of_catalog(Mask.parse("constant"), 1007, -1) == made("int[]", "constant")


def test_a_settings_style_is_the_sessions() -> None:
    """Constants and generalised dates are printed in it; what PostgreSQL printed is read by it."""
    style = TextStyle().with_setting("DateStyle", "German, DMY").with_setting("TimeZone", "America/New_York")
    constant = mask_opener(made("timestamptz", "constant"), upstream_format=0, client_format=0, style=style)
    assert constant(b"whatever") == b"31.12.1969 19:00:00 EST"
    month = mask_opener(made("timestamptz", "month"), upstream_format=0, client_format=0, style=style)
    assert month(b"29.02.2024 21:00:00 EST") == b"29.02.2024 19:00:00 EST"
    assert month(b"29.02.2024 18:59:59 EST") == b"31.01.2024 19:00:00 EST"
    day = mask_opener(made("date", "month"), upstream_format=0, client_format=0, style=style)
    assert day(b"03.02.2024") == b"01.02.2024"


@pytest.mark.parametrize("kind", ["null", "constant", "full", "email", "hash"])
def test_a_value_that_does_not_open_is_an_error_masked_or_not(kind: str) -> None:
    """A mask hides no damage."""
    column = codec("text")
    opener = column_opener(column, upstream_format=1, client_format=0, style=STYLE, mask=made("text", kind))
    sealed = column.seal(b"value", Sent(STYLE))
    assert sealed is not None
    with pytest.raises(InvalidCiphertext):
        open_rows(RowPlan((opener,)), row(sealed[:-1] + bytes([sealed[-1] ^ 1])))


@pytest.mark.parametrize(
    ("type_", "kind", "setting", "plaintext"),
    [("text", "first", 1, b"\xff"), ("bigint", "hash", None, b"\1"), ("uuid", "hash", None, b"\1"),
     ("date", "month", None, b"\1"), ("real", "range", 2, b"\1"), ("int[]", "range", 2, b"\1"),
     ("numeric", "range", 2, b"\1"), ("timestamp", "year", None, b"\x80" + b"\1" * 7)],
)  # fmt: skip
def test_plaintext_of_another_type_is_an_error(
    type_: str, kind: str, setting: object, plaintext: bytes
) -> None:
    """It has no month, and no pseudonym; what PostgreSQL sends of a column neither."""
    mask = made(type_, kind, setting)
    with pytest.raises(InvalidPlaintext):
        mask.of_plaintext(TEXT_FORMAT, STYLE)(plaintext)
    for code in FORMATS:
        opener = mask_opener(mask, upstream_format=code, client_format=TEXT_FORMAT, style=STYLE)
        with pytest.raises(MalformedRow) as raised:
            open_rows(RowPlan((opener,)), row(plaintext if code else b"\xff"))
        assert raised.value.hint


@pytest.mark.parametrize("client_format", FORMATS)
def test_an_array_of_sealed_values_is_masked_one_by_one(client_format: int) -> None:
    """As array_agg gives it, with a mask of the column: NULL for each, too."""
    column = codec("text")
    sealed = [column.seal(text, Sent(STYLE)) for text in (b"abcd", b"efgh")]
    array = arrays.send(arrays.Array(((3, 1),), (*sealed, None)), types.BYTEA)
    for kind, shown in (("first", b"{a****,e****,NULL}"), ("null", b"{NULL,NULL,NULL}")):
        opener = column_opener(
            column, upstream_format=BINARY_FORMAT, client_format=client_format, style=STYLE,
            is_array=True, mask=made("text", kind, 1),
        )  # fmt: skip
        came = opener(array)
        assert came is not None
        assert (
            came if client_format == TEXT_FORMAT else arrays.output(arrays.receive(came, types.TEXT))
        ) == shown


def test_rows_with_masks_are_framed_right() -> None:
    """Masked, opened and plain columns side by side, some of them NULL in the client's row."""
    column = codec("text")
    sealed = column.seal(b"jane@example.com", Sent(STYLE))
    plan = RowPlan(
        (
            mask_opener(made("integer", "null"), upstream_format=1, client_format=1, style=STYLE),
            column_opener(
                column, upstream_format=1, client_format=1, style=STYLE, mask=made("text", "email")
            ),
            None,
            column_opener(column, upstream_format=1, client_format=1, style=STYLE),
            mask_opener(made("text", "card"), upstream_format=1, client_format=1, style=STYLE),
        )
    )
    chunk = row(struct.pack(">i", 7), sealed, b"x", sealed, b"4111111111111234") + row(*[None] * 5)
    shown = row(None, b"j***@example.com", b"x", b"jane@example.com", b"************1234") + row(*[None] * 5)
    assert open_rows(plan, chunk * 50) == shown * 50
    assert not plan.touches_nothing
    assert _kernel.KERNEL in {"native", "python"}
