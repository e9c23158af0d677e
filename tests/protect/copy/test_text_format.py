"""protect/copy/text_format.py: fields of the text format."""

import pytest
from tests.protect.copy.streams import copy_of, hex_of, open_sealed, seal

from strongroom.errors import MalformedCopy
from strongroom.protect.copy.text_format import TextFormat, unescape


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"plain", b"plain"),
        (rb"\b\f\n\r\t\v", b"\b\f\n\r\t\v"),
        (rb"\101\1019\0601\7", b"AA901\7"),
        (rb"\x41\x4g\xg", b"A\4gxg"),
        (rb"\\\a\,", b"\\a,"),
        (b"a\\\nb", b"a\nb"),
        (b"lone\\", b"lone"),
        (rb"\777", b"\xff"),
    ],
)
def test_escapes_are_read_as_postgres_reads_them(field: bytes, value: bytes) -> None:
    """The table of the manual, and what the server's code does beyond it."""
    assert unescape(field) == value


def test_an_end_marker_within_a_row_is_refused() -> None:
    """PostgreSQL 18 refuses it too; older servers would end the data there."""
    with pytest.raises(MalformedCopy):
        unescape(rb"a\.")


@pytest.mark.parametrize(
    ("delimiter", "value", "field"),
    [
        ("\t", b"a\tb\\c\nd\r\x07\x0b", b"a\\tb\\\\c\\nd\\r\x07\\v"),
        (",", b"a,b\tc", b"a\\,b\\tc"),
        ("\x01", b"\x01", b"\\\x01"),
        ("|", b"", b""),
    ],
)
def test_values_are_written_as_postgres_writes_them(delimiter: str, value: bytes, field: bytes) -> None:
    """Control characters by letter, the delimiter after a backslash."""
    assert TextFormat(copy_of("a", delimiter=delimiter)).escape(value) == field


def test_a_field_is_sealed_and_opened() -> None:
    """Sealing unescapes first, opening escapes again."""
    form = TextFormat(copy_of("a"))
    field = form.sealing(0, seal)(rb"a\tb")
    assert field == b"\\" + hex_of(b"a\tb")
    assert form.opening(0, open_sealed)(field) == rb"a\tb"


def test_fields_with_escaped_delimiters_are_whole() -> None:
    """A delimiter after an odd number of backslashes is data."""
    form = TextFormat(copy_of("a", "b", delimiter=","))
    line = rb"a\,b,c\\,\\\,d"
    assert form.needs_care([line])
    assert form.split(line) == [rb"a\,b", rb"c\\", rb"\\\,d"]
