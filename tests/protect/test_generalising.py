"""protect/generalising.py: months, years and ranges."""

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.protect.canonical import TEXT_FORMAT, Sent, decode, encode
from strongroom.protect.generalising import ranged, truncated
from strongroom.protect.masks import Mask
from strongroom.protect.style import TextStyle
from strongroom.wire.postgres.types import parse_type

STYLE = TextStyle()


def through(type_: str, value: str, mask: Mask) -> str:
    """The value as it is shown."""
    declared = parse_type(type_)
    mask.check(declared)
    if mask.step:
        change = ranged(declared, mask.step)
    else:
        change = truncated(declared.oid, to_year=mask.kind.value == "year")
    canonical = encode(declared, value.encode(), Sent(STYLE))
    return decode(declared, change(canonical), TEXT_FORMAT, STYLE).decode()


@pytest.mark.parametrize(
    ("type_", "value", "month", "year"),
    [
        ("date", "2024-02-29", "2024-02-01", "2024-01-01"),
        ("date", "2024-12-31", "2024-12-01", "2024-01-01"),
        ("date", "1999-01-01", "1999-01-01", "1999-01-01"),
        ("date", "0044-03-15 BC", "0044-03-01 BC", "0044-01-01 BC"),
        ("date", "4714-11-25 BC", "4714-11-24 BC", "4714-11-24 BC"),
        ("date", "5874897-12-31", "5874897-12-01", "5874897-01-01"),
        ("date", "infinity", "infinity", "infinity"),
        ("date", "-infinity", "-infinity", "-infinity"),
        ("timestamp", "2024-02-29 23:59:59.999999", "2024-02-01 00:00:00", "2024-01-01 00:00:00"),
        ("timestamp", "1969-12-31 23:59:59", "1969-12-01 00:00:00", "1969-01-01 00:00:00"),
        ("timestamp(3)", "4714-12-31 01:00:00 BC", "4714-12-01 00:00:00 BC", "4714-11-24 00:00:00 BC"),
        ("timestamp", "-infinity", "-infinity", "-infinity"),
        ("timestamptz", "2024-03-01 00:30:00+01", "2024-02-01 00:00:00+00", "2024-01-01 00:00:00+00"),
        ("timestamptz", "294276-12-31 23:59:59+00", "294276-12-01 00:00:00+00", "294276-01-01 00:00:00+00"),
    ],
)
def test_dates_are_cut(type_: str, value: str, month: str, year: str) -> None:
    """To the first day, at midnight in UTC; to the first that the type has, where it begins later."""
    assert through(type_, value, Mask.parse("month")) == month
    assert through(type_, value, Mask.parse("year")) == year


@pytest.mark.parametrize(
    ("type_", "step", "value", "lower"),
    [
        ("integer", 1000, "1234", "1000"), ("integer", 1000, "1000", "1000"), ("integer", 1000, "999", "0"),
        ("integer", 1000, "-1", "-1000"), ("integer", 1000, "-1000", "-1000"), ("integer", 7, "20", "14"),
        ("smallint", 1000, "-32500", "-32768"), ("smallint", 100_000, "32767", "0"),
        ("bigint", 10**18, "-9223372036854775808", "-9223372036854775808"),
        ("bigint", 10**18, "9223372036854775807", "9000000000000000000"),
        ("numeric(6,2)", "0.05", "12.34", "12.30"), ("numeric(6,2)", 10, "-0.01", "-10.00"),
        ("numeric(6,2)", 1000, "-9999.99", "-9999.99"), ("numeric(6,2)", 1000, "-9000.01", "-9999.99"),
        ("numeric(3,-2)", 500, "-99900", "-99900"), ("numeric(3,-2)", 500, "1400", "1000"),
        ("numeric(3,5)", "0.001", "0.00234", "0.00200"),
        ("numeric", 1000, "1234.5678", "1000"), ("numeric", "0.25", "1.74", "1.50"),
        ("numeric", 3, "1e20", "99999999999999999999"), ("numeric", 10, "NaN", "NaN"),
        ("numeric", 10, "-Infinity", "-Infinity"), ("numeric", 10, "-0.0", "0"),
        ("numeric", "1e-40", "1", "1.0000000000000000000000000000000000000000"),
        ("double precision", 0.1, "0.35", "0.3"), ("double precision", 10, "-0.5", "-10"),
        ("double precision", 10, "-0", "0"), ("double precision", 10, "NaN", "NaN"),
        ("double precision", 10, "-Infinity", "-Infinity"),
        ("double precision", "1e40", "-1.7976931348623157e308", "-1.7976931348623157e+308"),
        ("real", 0.25, "1.7", "1.5"), ("real", "1e38", "-3.4028235e38", "-3.4028235e+38"),
        ("real", "1e-40", "1e-45", "0"), ("real", 1000, "16777217", "1.6777e+07"),
    ],
)  # fmt: skip
def test_numbers_are_taken_down(type_: str, step: object, value: str, lower: str) -> None:
    """To the multiple that is not above them, or to the least of the type; the scale tells nothing."""
    assert through(type_, value, Mask.parse("range", step=step)) == lower


def test_the_largest_numbers_are_taken_down() -> None:
    """131,072 digits before the point, 16,383 behind it; and below the least there is none."""
    whole = "9" * 131_072
    assert through("numeric", whole, Mask.parse("range", step=10)) == whole[:-1] + "0"
    assert through("numeric", f"-{whole}.5", Mask.parse("range", step=10)) == f"-{whole}"
    assert through("numeric", "0." + "1" * 16_383, Mask.parse("range", step="0.5")) == "0.0"


@given(st.integers(-(2**31), 2**31 - 1), st.integers(2, 10**6))
def test_all_numbers_of_a_range_are_shown_alike(value: int, step: int) -> None:
    """Whatever the type; and the range is the right one."""
    mask = Mask.parse("range", step=step)
    shown = {type_: through(type_, str(value), mask) for type_ in ("bigint", "numeric", "numeric(20,3)")}
    lower = value // step * step
    assert {Decimal(one) for one in shown.values()} == {Decimal(lower)}
    last = min(lower + step - 1, 2**31 - 1)
    assert through("integer", str(value), mask) == through("integer", str(last), mask)


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["0.1", "0.25", "1000", "1e10"]))
def test_floats_are_taken_to_the_nearest_multiple(value: float, step: str) -> None:
    """Exactly, and then rounded once."""
    shown = float(through("double precision", repr(value), Mask.parse("range", step=step)))
    exact = Fraction(value) // Fraction(step) * Fraction(step)
    assert shown == float(max(exact, Fraction(-1.7976931348623157e308)))
    assert not math.isnan(shown)
