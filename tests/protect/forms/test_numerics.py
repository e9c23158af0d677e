"""protect/forms/numerics.py: numbers of any length, against Python's decimal."""

import struct
from decimal import ROUND_HALF_UP, Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import InvalidBinary, StrongroomError, ValueOutOfRange
from strongroom.protect.forms.numerics import (
    MAX_SCALE,
    MAX_WHOLE_DIGITS,
    NUMERIC,
    Number,
    pack,
    parse,
    unpack,
)
from strongroom.protect.style import TextStyle

WIDE = Context(prec=400)
decimals = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30)


@given(decimals)
def test_a_number_is_what_decimal_reads(value: Decimal) -> None:
    """From text to binary and back, the scale kept."""
    number = parse(str(value))
    assert number is not None
    again = unpack(pack(number))
    assert again is not None
    assert Decimal(str(again)) == value
    assert len(again.fraction) == max(0, -int(value.as_tuple().exponent))


@given(decimals, st.integers(-8, 8))
def test_rounding_is_half_up(value: Decimal, scale: int) -> None:
    """Away from zero, at any place before or after the point."""
    number = parse(str(value))
    assert number is not None
    assert Decimal(str(number.rounded(scale))) == value.quantize(
        Decimal(1).scaleb(-scale), ROUND_HALF_UP, WIDE
    )


@given(st.binary(max_size=24))
def test_any_bytes_are_a_number_or_refused(value: bytes) -> None:
    """What is received is sent as PostgreSQL would, and received again the same."""
    try:
        canonical = NUMERIC.receive(value)
    except StrongroomError:
        return
    assert NUMERIC.receive(canonical) == canonical


@pytest.mark.parametrize(
    "value",
    [b"", bytes(7), struct.pack(">HhHH", 1, 0, 0, 0), struct.pack(">HhHHH", 1, 0, 0, 0, 10_000),
     struct.pack(">HhHH", 0, 0, 0x1234, 0), struct.pack(">HhHH", 0, 0, 0, MAX_SCALE + 1),
     struct.pack(">HhHH", 0, 0, 0xC000, MAX_SCALE + 1)],
)  # fmt: skip
def test_a_malformed_binary_number_is_refused(value: bytes) -> None:
    """Too short, a digit of more than 9999, another sign, another scale."""
    with pytest.raises(InvalidBinary):
        NUMERIC.receive(value)


def test_the_limits_are_postgresqls() -> None:
    """131,072 digits before the point and 16,383 after it, by any way of writing."""
    style = TextStyle()
    assert parse("9" * MAX_WHOLE_DIGITS) is not None
    assert parse("0." + "9" * MAX_SCALE) is not None
    too_long = ["9" * (MAX_WHOLE_DIGITS + 1), "0." + "9" * (MAX_SCALE + 1)]
    too_far = [f"1e{MAX_WHOLE_DIGITS}", "1e-16384", "1e" + "9" * 20, "1e-" + "9" * 20]
    for written in too_long + too_far:
        with pytest.raises(ValueOutOfRange):
            NUMERIC.input(written.encode(), style)
    assert str(Number(True, "000", "00")) == "0.00"
