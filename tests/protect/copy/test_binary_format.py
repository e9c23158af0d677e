"""protect/copy/binary_format.py: tuples of the binary format."""

import struct

import pytest
from tests.protect.copy.streams import copy_of, cut, seal, through

from strongroom.errors import CopyRowTooLong, InvalidEncoding, MalformedCopy
from strongroom.protect.copy.binary_format import SIGNATURE, BinaryRows

HEADER = SIGNATURE + struct.pack(">ii", 0, 0)
TRAILER = b"\xff\xff"
SIZES = [1, 2, 3, 19, 1000]


def row(*values: bytes | None) -> bytes:
    """One tuple."""
    fields = (b"\xff\xff\xff\xff" if v is None else struct.pack(">i", len(v)) + v for v in values)
    return struct.pack(">h", len(values)) + b"".join(fields)


def sealed(stream: bytes, size: int = 1000, row_bytes: int = 1000) -> bytes:
    """A stream of two columns, the second sealed."""
    rows = BinaryRows(copy_of("a", "b", format="binary"), {1: seal}, row_bytes, MalformedCopy)
    return through(rows.feed, cut(stream, size), rows.finish)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("trailer", [TRAILER, b""])
def test_protected_fields_are_sealed_and_others_pass(size: int, trailer: bytes) -> None:
    """NULL stays NULL; the trailer may be missing."""
    stream = HEADER + row(b"1", b"x") + row(None, None) + row(b"", b"") + trailer
    expected = HEADER + row(b"1", seal(b"x")) + row(None, None) + row(b"", seal(b"")) + trailer
    assert sealed(stream, size) == expected


@pytest.mark.parametrize("size", SIZES)
def test_a_header_may_have_an_extension(size: int) -> None:
    """Whose meaning is the server's business."""
    header = SIGNATURE + struct.pack(">ii", 0, 3) + b"abc"
    assert sealed(header + row(None, b"x") + TRAILER, size) == header + row(None, seal(b"x")) + TRAILER


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"1,2\n",
        b"not the signature of COPY",
        SIGNATURE + struct.pack(">ii", 0, -1),
        HEADER + row(b"1"),
        HEADER + row(b"1", b"2", b"3"),
        HEADER + row(b"1", b"2")[:-1],
        HEADER + b"\0\2" + struct.pack(">i", -2) + b"\0" * 8,
        HEADER + TRAILER + b"x",
        HEADER + TRAILER + row(b"1", b"2"),
        HEADER + b"\0",
    ],
)
def test_what_is_no_binary_copy_is_refused(stream: bytes, size: int) -> None:
    """However it is cut."""
    with pytest.raises(MalformedCopy):
        sealed(stream, size)


def test_a_row_has_a_limit() -> None:
    """A length beyond it is refused when it is read, not when it is reached."""
    with pytest.raises(CopyRowTooLong):
        sealed(HEADER + b"\0\2" + struct.pack(">i", 1001), 1)
    assert sealed(HEADER + row(b"x" * 900, None)) == HEADER + row(b"x" * 900, None)


def test_an_error_says_row_and_column() -> None:
    """And not the value."""
    with pytest.raises(InvalidEncoding) as raised:
        sealed(HEADER + row(b"1", b"x") + row(b"1", b"\xff"))
    assert raised.value.detail == "row 2 of COPY, column b"
