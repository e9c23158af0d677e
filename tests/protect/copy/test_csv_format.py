"""protect/copy/csv_format.py: fields of the csv format."""

import pytest
from tests.protect.copy.streams import copy_of, hex_of, open_sealed, seal

from strongroom.errors import ConstructRefused
from strongroom.protect.copy.csv_format import CsvFormat


def csv(*names: str, **options: object) -> CsvFormat:
    """The format of these columns."""
    return CsvFormat(copy_of(*names, format="csv", **options))


@pytest.mark.parametrize(
    ("options", "field", "value"),
    [
        ({}, b'"a""b"', b'a"b'),
        ({}, b'a"b,c"d', b"ab,cd"),
        ({}, b'""', b""),
        ({}, b'""x""', b"x"),
        ({}, b'""""', b'"'),
        ({"escape": "\\"}, rb'"a\"b\\c\d"', rb'a"b\c\d'),
        ({"escape": "\\"}, rb"a\b", rb"a\b"),
        ({"quote": "'", "escape": "'"}, b"'it''s'", b"it's"),
    ],
)
def test_quotes_are_read_as_postgres_reads_them(
    options: dict[str, object], field: bytes, value: bytes
) -> None:
    """A quoted part may begin anywhere, and an escape counts inside quotes only."""
    assert csv("a", **options).unquote(field) == value


@pytest.mark.parametrize(
    ("options", "value", "field"),
    [
        ({}, b"plain", b"plain"),
        ({}, b"a,b", b'"a,b"'),
        ({}, b'a"b', b'"a""b"'),
        ({}, b"a\nb", b'"a\nb"'),
        ({}, b"", b'""'),
        ({"null": "NULL"}, b"NULL", b'"NULL"'),
        ({"null": "NULL"}, b"", b""),
        ({}, b"\\.", b'"\\."'),
        ({"escape": "\\"}, rb"a\b", rb"a\b"),
        ({"escape": "\\"}, rb'a\b"', rb'"a\\b\""'),
        ({"force_quote": ("*",)}, b"a", b'"a"'),
        ({"force_quote": ("a",)}, b"a", b'"a"'),
        ({"force_quote": ("b",)}, b"a", b"a"),
    ],
)
def test_values_are_written_as_postgres_writes_them(
    options: dict[str, object], value: bytes, field: bytes
) -> None:
    """Quoted only where needed, and where it could be taken for NULL or the end."""
    assert csv("a", **options).opening(0, open_sealed)(hex_of(value)) == field


def test_an_end_marker_among_columns_is_not_quoted() -> None:
    """Only alone on a line could it be one."""
    assert csv("a", "b").opening(0, open_sealed)(hex_of(b"\\.")) == b"\\."


@pytest.mark.parametrize("options", [{"delimiter": "a"}, {"quote": "0"}, {"quote": "x", "escape": "1"}])
def test_a_sealed_value_survives_any_delimiter(options: dict[str, object]) -> None:
    """Hex digits that mean something are quoted and escaped."""
    form = csv("a", **options)
    field = form.sealing(0, seal)(b"vv")
    assert form.unquote(field) == hex_of(b"vv")
    assert form.split(field) == [field]


def test_null_is_what_the_options_say() -> None:
    """FORCE_NOT_NULL makes it a value, FORCE_NULL also what is quoted."""
    form = csv("a", "b", "c", null="", force_not_null=("b",), force_null=("c",))
    assert (form.null(0), form.null(1), form.null(2)) == (b"", None, b"")
    assert form.sealing(1, seal)(b"") == hex_of(b"")
    assert form.sealing(2, seal)(b'""') == b'""'
    assert form.sealing(0, seal)(b'""') == hex_of(b"")
    both = csv("a", null="nil", force_null=("*",), force_not_null=("*",)).sealing(0, seal)
    assert (both(b'"nil"'), both(b"nil")) == (b'"nil"', hex_of(b"nil"))


def test_fields_with_quoted_delimiters_are_whole() -> None:
    """A delimiter inside quotes is data."""
    assert csv("a").split(b'"a,b",c,"""",d"e,"') == [b'"a,b"', b"c", b'""""', b'd"e,"']
    assert csv("a", escape="\\").split(rb'"a\",b",\,"",') == [rb'"a\",b"', b"\\", b'""', b""]


def test_a_line_break_as_quote_is_refused() -> None:
    """Lines could not be told apart."""
    with pytest.raises(ConstructRefused):
        csv("a", quote="\n", escape='"')
