"""Dates taken to their month or year, numbers to the lower end of their range (docs/spec/masks.md).

From canonical bytes to canonical bytes of the same type and typmod. What a type has no room for (the month
in which its first day lies, the range below its least number) is taken to the least value that it has: it
still stands for the same range, whichever value was masked. Called by ``masking.py``.
"""

import math
import struct
from collections.abc import Callable
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from fractions import Fraction

from strongroom.protect.forms import dates, integers, numerics, times
from strongroom.protect.forms.calendar import (
    DAY,
    MIN_DATE,
    MIN_TIMESTAMP,
    civil_from_days,
    days_from_civil,
)
from strongroom.protect.masks import MAX_STEP_DIGITS, places
from strongroom.wire.postgres import types
from strongroom.wire.postgres.types import DeclaredType

Change = Callable[[bytes], bytes]

_FORMATS = {types.FLOAT4: struct.Struct(">f"), types.FLOAT8: struct.Struct(">d")}
_LARGEST = {
    types.FLOAT4: struct.unpack(">f", bytes.fromhex("7f7fffff"))[0],
    types.FLOAT8: struct.unpack(">d", bytes.fromhex("7fefffffffffffff"))[0],
}
# Numbers of any size are exact in it: a quotient by the smallest step has the most digits.
_EXACT = Context(
    prec=numerics.MAX_WHOLE_DIGITS + numerics.MAX_SCALE + 2 * MAX_STEP_DIGITS, Emax=MAX_EMAX, Emin=MIN_EMIN
)


# --- dates ---


def truncated(oid: int, *, to_year: bool) -> Change:
    """The first day of a date's month or year, its first instant in UTC for a timestamp; infinities stay."""
    if oid == types.DATE:
        return lambda canonical: _truncated_date(canonical, to_year)
    return lambda canonical: _truncated_timestamp(canonical, to_year)


def _truncated_date(canonical: bytes, to_year: bool) -> bytes:
    days = dates.unpack(canonical)
    return canonical if dates.is_infinite(days) else dates.pack(max(_first(days, to_year), MIN_DATE))


def _truncated_timestamp(canonical: bytes, to_year: bool) -> bytes:
    """In UTC whatever the session's TimeZone: who could choose the zone could move the edge of a month over
    the value, and so find it out."""
    instant = times.unpack(canonical)
    if times.is_infinite(instant):
        return canonical
    return times.pack(max(_first(instant // DAY, to_year) * DAY, MIN_TIMESTAMP))


def _first(days: int, to_year: bool) -> int:
    year, month, _ = civil_from_days(days)
    return days_from_civil(year, 1 if to_year else month, 1)


# --- numbers ---


def ranged(declared: DeclaredType, step: Decimal) -> Change:
    """The largest multiple of the step that is not above the number; NaN and infinities stay."""
    oid = declared.base_oid
    if oid in _FORMATS:
        return _ranged_float(oid, Fraction(step))
    if oid == types.NUMERIC:
        return _ranged_numeric(declared, step)
    return _ranged_integer(int(step))


def _ranged_integer(step: int) -> Change:
    def change(canonical: bytes) -> bytes:
        size = len(canonical)
        value = integers.unpack(canonical) // step * step
        return max(value, -(1 << (8 * size - 1))).to_bytes(size, signed=True)

    return change


def _ranged_float(oid: int, step: Fraction) -> Change:
    """Exact up to the last step, which is rounded to the nearest number that there is."""
    form, largest = _FORMATS[oid], _LARGEST[oid]

    def change(canonical: bytes) -> bytes:
        (value,) = form.unpack(canonical)
        if not math.isfinite(value):
            return canonical
        lower = Fraction(value) // step * step
        return form.pack(float(max(lower, Fraction(-largest))))

    return change


def _ranged_numeric(declared: DeclaredType, step: Decimal) -> Change:
    scale, least = _scale(declared, step), _least(declared)

    def change(canonical: bytes) -> bytes:
        number = numerics.unpack(canonical)
        if number is None:
            return canonical
        value = Decimal(str(number))
        lower = _EXACT.multiply(_EXACT.divide_int(value, step), step)
        if lower > value:  # division cuts towards zero
            lower = _EXACT.subtract(lower, step)
        parsed = numerics.parse(f"{max(lower, least):f}")
        assert parsed is not None
        return numerics.pack(parsed.rounded(scale))

    return change


def _scale(declared: DeclaredType, step: Decimal) -> int:
    """Digits behind the point: the column's, or else the step's; those of the number would tell of it."""
    pair = types.numeric_precision(declared.typmod)
    if pair is not None:
        return max(pair[1], 0)
    return places(step)


def _least(declared: DeclaredType) -> Decimal:
    precision, scale = types.numeric_precision(declared.typmod) or (numerics.MAX_WHOLE_DIGITS, 0)
    return Decimal((1, (9,) * precision, -scale))
