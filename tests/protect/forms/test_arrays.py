"""protect/forms/arrays.py: arrays taken apart and put together."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import ArrayTooLarge, InvalidArray, InvalidBinary, StrongroomError, TypeMismatch
from strongroom.protect.forms.arrays import Array, output, parse, read, receive, send

TEXT = 25
elements = st.none() | st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6
).map(str.encode)
shapes = st.lists(st.tuples(st.integers(1, 3), st.integers(-5, 5)), max_size=3)


@st.composite
def arrays(draw: st.DrawFn) -> Array:
    """Any array of text."""
    dimensions = tuple(draw(shapes))
    total = 1 if dimensions else 0
    for length, _ in dimensions:
        total *= length
    return Array(dimensions, tuple(draw(elements) for _ in range(total)))


@given(arrays())
def test_what_is_written_is_read(array: Array) -> None:
    """In binary and as text, with any elements, dimensions and bounds."""
    assert receive(send(array, TEXT), TEXT) == array
    assert read(output(array).decode()) == array
    assert parse(output(array), TEXT, 0) == parse(send(array, TEXT), TEXT, 1) == array


@given(st.text(alphabet='{},"\\ab \n[]:=0123N', max_size=30))
def test_any_text_is_an_array_or_refused(text: str) -> None:
    """What is read is what its own output reads as; nothing but our errors is raised."""
    try:
        array = read(text)
    except StrongroomError:
        return
    assert read(output(array).decode()) == array


@given(st.binary(max_size=60))
def test_any_bytes_are_an_array_or_refused(value: bytes) -> None:
    """The same of the binary form."""
    try:
        array = receive(value, TEXT)
    except StrongroomError:
        return
    assert receive(send(array, TEXT), TEXT) == array


def header(count: int, flags: int, oid: int = TEXT) -> bytes:
    return struct.pack(">iiI", count, flags, oid)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (b"", InvalidBinary),
        (header(-1, 0), InvalidBinary),
        (header(7, 0), InvalidBinary),
        (header(0, 2), InvalidBinary),
        (header(0, 0, 23), TypeMismatch),
        (header(0, 0) + b"x", InvalidBinary),
        (header(1, 0) + struct.pack(">ii", -1, 1), InvalidBinary),
        (header(1, 0) + struct.pack(">ii", 1, 2**31 - 1) + struct.pack(">i", -1) + b"x", InvalidBinary),
        (header(1, 0) + struct.pack(">iii", 1, 1, 5) + b"abc", InvalidBinary),
        (header(1, 1) + struct.pack(">iii", 1, 1, -2), InvalidBinary),
        (header(2, 0) + struct.pack(">iiii", 2**20, 1, 2**20, 1), ArrayTooLarge),
        (header(6, 0) + struct.pack(">ii", 2**31 - 1, 0) * 6, ArrayTooLarge),
    ],
)
def test_a_malformed_binary_array_is_refused(value: bytes, error: type[Exception]) -> None:
    """Before anything is allocated for what it claims to hold."""
    with pytest.raises(error):
        receive(value, TEXT)


def test_dimensions_are_limited() -> None:
    """Six, as in PostgreSQL."""
    assert read("{{{{{{a}}}}}}").dimensions == ((1, 1),) * 6
    with pytest.raises(ArrayTooLarge):
        read("{" * 7 + "a" + "}" * 7)
    with pytest.raises(InvalidArray):
        read("[2:1]={}")


def test_null_is_a_word_and_not_a_string() -> None:
    """Quoted or escaped, it is a string."""
    assert read('{NULL,null,"NULL",N\\ULL}').elements == (None, None, b"NULL", b"NULL")
