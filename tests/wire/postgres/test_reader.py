"""The primitive types of the protocol: read within the body, and written so that they read back."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import MalformedMessage
from strongroom.wire.postgres.reader import Reader, cstring, int16, int32

READS: dict[str, tuple[Callable[[Reader], object], int]] = {
    "byte": (Reader.byte, 1), "int16": (Reader.int16, 2), "count": (Reader.count, 2),
    "int32": (Reader.int32, 4), "uint32": (Reader.uint32, 4), "format": (Reader.format, 2),
}  # fmt: skip


@pytest.mark.parametrize("name", READS)
def test_numbers_of_a_width(name: str) -> None:
    """Each takes its own octets; one octet too few is no number."""
    read, width = READS[name]
    reader = Reader(bytes(width) + b"rest")
    assert read(reader) == 0
    assert reader.rest() == b"rest"
    with pytest.raises(MalformedMessage, match="middle of a field"):
        read(Reader(bytes(width - 1)))


def test_signs() -> None:
    """Lengths and codes are signed, counts and OIDs are not."""
    assert Reader(b"\xff\xff").int16() == -1
    assert Reader(b"\xff\xff").count() == 65_535
    assert Reader(b"\xff\xff\xff\xff").int32() == -1
    assert Reader(b"\xff\xff\xff\xff").uint32() == 4_294_967_295


@pytest.mark.parametrize("code", [b"\0\2", b"\xff\xff", b"\1\0"])
def test_formats_are_text_or_binary(code: bytes) -> None:
    """Another code is refused, not guessed."""
    assert (Reader(b"\0\1").format(), Reader(b"\0\0").format()) == (1, 0)
    with pytest.raises(MalformedMessage, match="format code"):
        Reader(code).format()


def test_values() -> None:
    """A length and that much; -1 is NULL, which is not empty; any other negative length is wrong."""
    reader = Reader(int32(3) + b"abc" + int32(-1) + int32(0))
    assert [reader.value() for _ in range(3)] == [b"abc", None, b""]
    reader.end()
    for wrong in (int32(4) + b"abc", int32(-2), int32(-(1 << 31)), int32((1 << 31) - 1)):
        with pytest.raises(MalformedMessage):
            Reader(wrong).value()


def test_strings_end_by_a_zero() -> None:
    """In UTF-8; what is not that is refused, unless the reader is told to bear it."""
    reader = Reader("ünï\0\0".encode())
    assert [reader.cstring(), reader.cstring()] == ["ünï", ""]
    reader.end()
    for wrong in (b"abc", b"", b"\xff\0"):
        with pytest.raises(MalformedMessage):
            Reader(wrong).cstring()
    assert Reader(b"a\xff\0").cstring("replace") == "a\ufffd"


def test_nothing_is_left_over() -> None:
    """A body that goes on behind its message is refused."""
    with pytest.raises(MalformedMessage, match="1 octets are left over"):
        Reader(b"x").end()


def test_a_string_with_a_zero_is_not_written() -> None:
    """It would end early, and the rest would be read as something else."""
    with pytest.raises(MalformedMessage):
        cstring("a\0b")


@given(
    st.text(st.characters(exclude_characters="\0", codec="utf-8")),
    st.integers(0, 65_535),
    st.integers(-(1 << 31), (1 << 31) - 1),
)
def test_what_is_written_reads_back(text: str, count: int, number: int) -> None:
    """Whatever it is."""
    reader = Reader(cstring(text) + int16(count) + int32(number))
    assert (reader.cstring(), reader.count(), reader.int32()) == (text, count, number)
    reader.end()


@given(st.binary(max_size=20), st.lists(st.sampled_from(["value", "cstring", *READS]), max_size=6))
def test_any_octets_are_read_or_refused(body: bytes, steps: list[str]) -> None:
    """Nothing else is raised, and nothing beyond the body is read."""
    reader = Reader(body)
    try:
        for step in steps:
            getattr(reader, step)()
    except MalformedMessage:
        return
    assert len(reader.rest()) <= len(body)
