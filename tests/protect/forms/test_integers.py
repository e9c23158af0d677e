"""protect/forms/integers.py: whole numbers and truth values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import InvalidText, UnsupportedInput, ValueOutOfRange
from strongroom.protect.forms.form import Form
from strongroom.protect.forms.integers import BOOL, INT2, INT4, INT8
from strongroom.protect.style import TextStyle

STYLE = TextStyle()


@given(st.sampled_from([(INT2, 2), (INT4, 4), (INT8, 8)]), st.integers(-(2**70), 2**70))
def test_a_number_in_range_comes_back_and_another_is_refused(width: tuple[Form, int], value: int) -> None:
    """For each width."""
    form, size = width
    written = b"%d" % value
    if not -(2 ** (8 * size - 1)) <= value < 2 ** (8 * size - 1):
        with pytest.raises(ValueOutOfRange):
            form.input(written, STYLE)
        return
    canonical = form.input(written, STYLE)
    assert canonical == value.to_bytes(size, "big", signed=True)
    assert form.output(canonical, -1, STYLE) == written


def test_any_number_of_digits_is_read_in_bounded_time() -> None:
    """A million zeros before the number, or a million digits of it."""
    assert INT4.input(b"-" + b"0" * 1_000_000 + b"7", STYLE) == b"\xff\xff\xff\xf9"
    with pytest.raises(ValueOutOfRange):
        INT8.input(b"9" * 1_000_000, STYLE)


@pytest.mark.parametrize("value", [b"0x10", b"0o7", b"0b1", b"1_000", b"-0X1f"])
def test_forms_of_newer_servers_are_named(value: bytes) -> None:
    """PostgreSQL 16 takes them, 15 does not."""
    with pytest.raises(UnsupportedInput):
        INT4.input(value, STYLE)


@pytest.mark.parametrize(("value", "meaning"), [(b"\0", b"f"), (b"\1", b"t"), (b"\x07", b"t")])
def test_any_byte_but_zero_is_true(value: bytes, meaning: bytes) -> None:
    """In binary; there is one canonical byte for each."""
    assert BOOL.output(BOOL.receive(value), -1, STYLE) == meaning
    assert BOOL.receive(value) in (b"\0", b"\1")
    with pytest.raises(InvalidText):
        BOOL.input(value, STYLE)
