"""protect/copy/lines.py: lines cut out of a stream."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protect.copy.streams import cut

from strongroom.errors import CopyRowTooLong
from strongroom.protect.copy.lines import INSIDE, OUTSIDE, CsvSyntax, LineCutter, Rest, Syntax, TextSyntax

TEXT = TextSyntax()
DOUBLED = CsvSyntax(b'"', b'"')
ESCAPED = CsvSyntax(b'"', b"\\")


def lines_of(syntax: Syntax, stream: bytes, size: int = 1 << 20) -> tuple[list[bytes], bytes, bytes | None]:
    """The whole lines of a stream, what is left, and what ends lines."""
    cutter = LineCutter(syntax, 1 << 20)
    blocks = [block for chunk in cut(stream, size) if (block := cutter.feed(chunk))]
    lines = [line for block in blocks for line in cutter.split(block)]
    rest = cutter.finish()
    return lines, rest.line if rest else b"", cutter.end


@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize(
    ("syntax", "stream", "expected"),
    [
        (TEXT, b"a\nb\nc", ([b"a", b"b"], b"c", b"\n")),
        (TEXT, b"a\r\nb\r\n", ([b"a\r", b"b\r"], b"", b"\r\n")),
        (TEXT, b"a\rb\r", ([b"a", b"b"], b"", b"\r")),
        (TEXT, b"a\\\nb\nc\\\\\nd\\\\\\\ne\n", ([b"a\\\nb", b"c\\\\", b"d\\\\\\\ne"], b"", b"\n")),
        (TEXT, b"a\\\rb\nc\n", ([b"a\\\rb", b"c"], b"", b"\n")),
        (TEXT, b'"a\nb"\n', ([b'"a', b'b"'], b"", b"\n")),
        (DOUBLED, b'"a\nb"\nc\n', ([b'"a\nb"', b"c"], b"", b"\n")),
        (DOUBLED, b'"a""\nb",x"\ny"\nc\n', ([b'"a""\nb",x"\ny"', b"c"], b"", b"\n")),
        (DOUBLED, b'"a\r\nb"\r\nc\r\n', ([b'"a\r\nb"\r', b"c\r"], b"", b"\r\n")),
        (DOUBLED, b'a\\\nb\n"c', ([b"a\\", b"b"], b'"c', b"\n")),
        (ESCAPED, b'"a\\"\nb"\n\\"c\nd"\n', ([b'"a\\"\nb"', b'\\"c\nd"'], b"", b"\n")),
        (ESCAPED, b'"a\\\\"\nb\n', ([b'"a\\\\"', b"b"], b"", b"\n")),
        (ESCAPED, b'"a""\nb"\nc\n', ([b'"a""\nb"', b"c"], b"", b"\n")),
    ],
)
def test_a_line_ends_where_postgres_ends_it(
    syntax: Syntax, stream: bytes, expected: tuple[list[bytes], bytes, bytes], size: int
) -> None:
    """Escaped and quoted line breaks are data; the first line's end is every line's."""
    assert lines_of(syntax, stream, size) == expected


@pytest.mark.parametrize("syntax", [TEXT, DOUBLED, ESCAPED])
@given(stream=st.text('a"\\\r\n,').map(str.encode), size=st.integers(1, 7))
def test_borders_of_chunks_mean_nothing(syntax: Syntax, stream: bytes, size: int) -> None:
    """A stream in small chunks gives the lines of the whole."""
    assert lines_of(syntax, stream, size) == lines_of(syntax, stream)


def test_a_carriage_return_may_be_the_last_byte() -> None:
    """The end of the first line is then known only at the end."""
    cutter = LineCutter(TEXT, 100)
    assert cutter.feed(b"a\r") == b""
    assert cutter.finish() == Rest(b"a", ended=True, state=OUTSIDE)
    assert cutter.end == b"\r"


def test_an_open_quote_is_no_line() -> None:
    """What is left inside quotes is told apart."""
    cutter = LineCutter(DOUBLED, 100)
    cutter.feed(b'a\n"b\n')
    assert cutter.finish() == Rest(b'"b\n', ended=False, state=INSIDE)


@pytest.mark.parametrize(("syntax", "byte"), [(TEXT, b"a"), (TEXT, b"\\\n"), (DOUBLED, b"\n")])
def test_a_row_has_a_limit(syntax: Syntax, byte: bytes) -> None:
    """A line that does not end is refused before it is held whole."""
    cutter = LineCutter(syntax, 1000)
    for chunk in (b'"', *[byte] * (999 // len(byte))):
        assert cutter.feed(chunk) == b""
    with pytest.raises(CopyRowTooLong):
        cutter.feed(byte)
