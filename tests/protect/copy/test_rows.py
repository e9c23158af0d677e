"""protect/copy/rows.py: rows of lines, both ways."""

from typing import Any

import pytest
from tests.protect.copy.streams import copy_of, cut, hex_of, open_sealed, seal, through

from strongroom.errors import InvalidEncoding, MalformedCopy, UpstreamCopyMalformed
from strongroom.protect.copy.csv_format import CsvFormat
from strongroom.protect.copy.lines import LineCutter
from strongroom.protect.copy.rows import OpenedRows, SealedRows
from strongroom.protect.copy.text_format import TextFormat


def sealed(stream: bytes, size: int = 1000, columns: str = "ab", **options: Any) -> bytes:
    """A stream whose last column is sealed."""
    copy = copy_of(*columns, **options)
    form = CsvFormat(copy) if copy.format == "csv" else TextFormat(copy)
    last = len(columns) - 1
    rows = SealedRows(copy, form, {last: form.sealing(last, seal)}, LineCutter(form.syntax, 1000))
    return through(rows.feed, cut(stream, size), rows.finish)


def opened(stream: bytes, **options: Any) -> bytes:
    """A stream of two columns, the second opened."""
    copy = copy_of("a", "b", **options)
    form = CsvFormat(copy) if copy.format == "csv" else TextFormat(copy)
    rows = OpenedRows(copy, form, {1: form.opening(1, open_sealed)}, LineCutter(form.syntax, 1000, b"\n"))
    return through(rows.feed, [stream], rows.finish)


X = hex_of(b"x")
TEXT_X = b"\\" + X
SIZES = [1, 2, 5, 1000]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"1\tx\n", b"1\t" + TEXT_X + b"\n"),
        (b"1\tx", b"1\t" + TEXT_X),
        (b"1\tx\r\n2\t\\N\r\n", b"1\t" + TEXT_X + b"\r\n2\t\\N\r\n"),
        (b"1\tx\r2\tx\r", b"1\t" + TEXT_X + b"\r2\t" + TEXT_X + b"\r"),
        (b"1\tx\r", b"1\t" + TEXT_X + b"\r"),
        (b"\\\t\\101\\\n\tx\n", b"\\\t\\101\\\n\t" + TEXT_X + b"\n"),
        (b"1\tx\n\\.\nwhat follows\n", b"1\t" + TEXT_X + b"\n\\.\n"),
        (b"1\tx\r\n\\.\r\nwhat follows", b"1\t" + TEXT_X + b"\r\n\\.\r\n"),
        (b"1\tx\n\\.", b"1\t" + TEXT_X + b"\n\\."),
        (b"\\.\n", b"\\.\n"),
        (b"", b""),
    ],
)
def test_text_rows_are_sealed(stream: bytes, expected: bytes, size: int) -> None:
    """Line ends, escapes in other columns and the end marker stay as they are."""
    assert sealed(stream, size) == expected


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"1,x\n", b"1," + X + b"\n"),
        (b'"1\n""",x\n2,\n', b'"1\n""",' + X + b"\n2,\n"),
        (b'"1\r\n",x\r\n', b'"1\r\n",' + X + b"\r\n"),
        (b"1,x\n\\.\nx", b"1," + X + b"\n\\.\n"),
    ],
)
def test_csv_rows_are_sealed(stream: bytes, expected: bytes, size: int) -> None:
    """Quoted line breaks are data."""
    assert sealed(stream, size, format="csv") == expected


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("options", [{}, {"format": "csv"}])
@pytest.mark.parametrize(
    "stream",
    [b"1\n", b"\n", b"1|2|3\n", b"1|x\n2", b"1|x\n2|x\r\n", b"1|x\r\n2|x\n", b"1|x\r2|x\n", b"1|x\ry"],
)
def test_malformed_rows_are_refused(stream: bytes, options: dict[str, Any], size: int) -> None:
    """Too few or too many fields, and line breaks that are no data."""
    with pytest.raises(MalformedCopy):
        sealed(stream, size, delimiter="|", **options)


def test_an_escaped_carriage_return_ends_no_line() -> None:
    """So the newline behind it stands alone."""
    with pytest.raises(MalformedCopy):
        sealed(b"1\tx\r\n2\tx\\\r\n")


def test_an_open_quote_at_the_end_is_refused() -> None:
    """As PostgreSQL says it."""
    with pytest.raises(MalformedCopy, match="unterminated"):
        sealed(b'1,"x\n', format="csv")


def test_an_end_marker_that_could_be_data_is_refused() -> None:
    """In csv with one column, PostgreSQL 18 stores it and older servers end there."""
    with pytest.raises(MalformedCopy):
        sealed(b"\\.\n", columns="a", format="csv")
    assert sealed(b'"\\."\n', columns="a", format="csv") == hex_of(b"\\.") + b"\n"


def test_an_empty_line_is_an_empty_value_of_one_column() -> None:
    """In text; in csv it is NULL by default."""
    assert sealed(b"\n", columns="a") == b"\\" + hex_of(b"") + b"\n"
    assert sealed(b"\n", columns="a", format="csv") == b"\n"


@pytest.mark.parametrize("options", [{}, {"format": "csv"}])
def test_a_header_passes(options: dict[str, Any]) -> None:
    """In both directions; it is no row."""
    assert sealed(b"anything\n1|x\n", header=True, delimiter="|", **options).startswith(b"anything\n1|\\")
    assert opened(b"a|b\n1|" + X + b"\n", header=True, delimiter="|", **options) == b"a|b\n1|x\n"


def test_rows_are_opened() -> None:
    """NULL and other columns stay as they are."""
    assert opened(b"1\\t\t" + TEXT_X + b"\n2\t\\N\n") == b"1\\t\tx\n2\t\\N\n"
    assert opened(b'"1\n,",' + X + b"\n2,\n", format="csv") == b'"1\n,",x\n2,\n'


@pytest.mark.parametrize("stream", [b"1\n", b"1\tx\n", b"1\t\\\\xab", b"1\t\\\\xzz\n", b"1\t\\\\xabc\n"])
def test_nonsense_of_the_server_is_refused(stream: bytes) -> None:
    """A value that is not bytea in hex, a row that is not whole."""
    with pytest.raises(UpstreamCopyMalformed):
        opened(stream)


def test_an_error_says_row_and_column() -> None:
    """Across chunks, and not the value."""
    with pytest.raises(InvalidEncoding) as raised:
        sealed(b"1\tx\n2\tx\n3\t\\xff\n", 5)
    assert raised.value.detail == "row 3 of COPY, column b"
    with pytest.raises(MalformedCopy) as refused:
        sealed(b"1\tx\n2\n", 1)
    assert refused.value.detail == "row 2 of COPY, column b"
