"""protect/forms/floats.py: numbers that read back as themselves; PostgreSQL's printing is held elsewhere."""

import math
import struct
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import ValueOutOfRange
from strongroom.protect.forms.floats import FLOAT4, FLOAT8, single, unpack
from strongroom.protect.style import TextStyle

STYLE = TextStyle()


@given(st.floats())
def test_a_double_reads_back(value: float) -> None:
    """Its text is a double again, to the bit (of NaN there is one)."""
    canonical = struct.pack(">d", value)
    again = FLOAT8.input(FLOAT8.output(canonical, -1, STYLE), STYLE)
    assert again == (canonical if not math.isnan(value) else struct.pack(">d", math.nan))


@given(st.floats(width=32))
def test_a_single_reads_back(value: float) -> None:
    """The same of singles."""
    canonical = struct.pack(">f", value)
    again = FLOAT4.input(FLOAT4.output(canonical, -1, STYLE), STYLE)
    assert again == (canonical if not math.isnan(value) else struct.pack(">f", math.nan))


@given(st.floats(min_value=2**-100, max_value=2**100, width=32), st.integers(-3, 3))
def test_a_decimal_is_rounded_to_a_single_once(value: float, step: int) -> None:
    """Next to the middle between two singles, a double in between would round the wrong way."""
    above = struct.unpack(">f", (int.from_bytes(struct.pack(">f", value), "big") + 1).to_bytes(4, "big"))[0]
    middle = (Fraction(value) + Fraction(above)) / 2 + step * Fraction(1, 10**200)
    digits = 260
    scaled = round(middle * 10**digits)
    text = f"{scaled}e-{digits}"
    exact = Fraction(scaled, 10**digits)
    nearest = value if exact - Fraction(value) < Fraction(above) - exact else above
    if exact - Fraction(value) != Fraction(above) - exact:
        assert unpack(FLOAT4.input(text.encode(), STYLE)) == nearest


@pytest.mark.parametrize("value", [1e39, -1e300, 1e-46, -1e-300])
def test_a_single_has_its_range(value: float) -> None:
    """Neither infinity nor zero comes of a number."""
    with pytest.raises(ValueOutOfRange):
        single(value)
