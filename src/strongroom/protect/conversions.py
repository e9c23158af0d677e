"""Values of neighbouring types, taken to the column's as PostgreSQL's assignment casts would (pg_cast).

Each conversion takes canonical bytes of the source to those of the target. In a comparison PostgreSQL
would widen the column instead: a value that the column's type holds exactly is converted, and one that it
cannot hold equals none, and keeps bytes that no stored value has. Where neither is certain, a comparison is
refused. Called by ``canonical.py``.
"""

import math
import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType

from strongroom.errors import TypeMismatch, UnsupportedInput, ValueOutOfRange
from strongroom.protect.forms import dates, documents, floats, integers, numerics, times
from strongroom.protect.forms.calendar import DAY, SECOND
from strongroom.protect.forms.zones import zone
from strongroom.protect.style import TextStyle
from strongroom.wire.postgres import types

Conversion = Callable[[bytes, TextStyle, bool], bytes]
"""(canonical bytes of the source, style of the session, whether it is for a comparison)."""

_SIZES = {types.INT2: 2, types.INT4: 4, types.INT8: 8}
_EXACT_DOUBLE = 2**53  # the largest range of whole numbers that a double holds without gaps


# --- numbers ---


def _to_integer(target: int, value: int, unfit: bytes | None) -> bytes:
    """The number in the column's width; ``unfit`` is what a comparison keeps where it has no place."""
    size = _SIZES[target]
    fits = -(1 << (8 * size - 1)) <= value < 1 << (8 * size - 1)
    if not fits and unfit is not None:
        return unfit
    return integers.pack(value, size, types.BASE_TYPES[target].name)


def _integer_to_integer(target: int) -> Conversion:
    def convert(canonical: bytes, _style: TextStyle, compare: bool) -> bytes:
        return _to_integer(target, integers.unpack(canonical), canonical if compare else None)

    return convert


def _numeric_to_integer(target: int) -> Conversion:
    """Halves are rounded away from zero (numeric.c, numericvar_to_int64)."""

    def convert(canonical: bytes, _style: TextStyle, compare: bool) -> bytes:
        number = numerics.unpack(canonical)
        if compare and (number is None or number.fraction.strip("0")):
            return canonical
        if number is None:
            raise UnsupportedInput(f"cannot convert NaN or infinity to {types.BASE_TYPES[target].name}")
        rounded = number.rounded(0)
        digits = rounded.whole.lstrip("0")[: integers.MAX_DIGITS] or "0"
        value = -int(digits) if rounded.negative else int(digits)
        return _to_integer(target, value, canonical if compare else None)

    return convert


def _float_to_integer(target: int) -> Conversion:
    """Rounded by rint(), halves to even (float.c, dtoi4)."""

    def convert(canonical: bytes, _style: TextStyle, compare: bool) -> bytes:
        if compare:
            raise _uncertain()
        number = floats.unpack(canonical)
        if not math.isfinite(number):
            raise ValueOutOfRange(f"{types.BASE_TYPES[target].name} out of range")
        return _to_integer(target, round(number), None)

    return convert


def _integer_to_numeric(canonical: bytes, _style: TextStyle, _compare: bool) -> bytes:
    value = integers.unpack(canonical)
    return numerics.pack(numerics.Number(value < 0, str(abs(value)), ""))


def _float_to_numeric(digits: int) -> Conversion:
    """By way of text of so many digits (numeric.c, float8_numeric)."""

    def convert(canonical: bytes, style: TextStyle, compare: bool) -> bytes:
        if compare:
            raise _uncertain()
        return numerics.NUMERIC.input(f"{floats.unpack(canonical):.{digits}g}".encode(), style)

    return convert


def _numeric_to(form: Callable[[bytes, TextStyle], bytes]) -> Conversion:
    """By way of text (numeric.c, numeric_float8)."""

    def convert(canonical: bytes, style: TextStyle, compare: bool) -> bytes:
        if compare:
            raise _uncertain()
        return form(numerics.NUMERIC.output(canonical, -1, style), style)

    return convert


def _to_float(pack: Callable[[float], bytes]) -> Conversion:
    def convert(canonical: bytes, _style: TextStyle, compare: bool) -> bytes:
        if compare:
            raise _uncertain()
        value = integers.unpack(canonical)
        if abs(value) > _EXACT_DOUBLE and pack is floats.single:  # it would be rounded twice
            raise TypeMismatch("a bigint of this size is not converted to real", hint="declare it as real")
        return pack(float(value))

    return convert


def _widened(canonical: bytes, _style: TextStyle, _compare: bool) -> bytes:
    return floats.double(floats.unpack(canonical))


def _narrowed(canonical: bytes, _style: TextStyle, _compare: bool) -> bytes:
    return floats.single(floats.unpack(canonical))


# --- dates and times: between types that a comparison would not treat as one, only for storing ---


def _stored(convert: Callable[[int, TextStyle], bytes]) -> Conversion:
    """A conversion of microseconds that keeps the infinities."""

    def stored(canonical: bytes, style: TextStyle, compare: bool) -> bytes:
        if compare:
            raise _uncertain()
        return convert(times.unpack(canonical), style)

    return stored


def _local(instant: int, style: TextStyle) -> int:
    return instant + zone(style.time_zone).at(instant)[0] * SECOND


def _instant(local: int, style: TextStyle) -> int:
    return local - zone(style.time_zone).of_local(local) * SECOND


def _timestamp_to_timestamptz(local: int, style: TextStyle) -> bytes:
    return times.pack(local if times.is_infinite(local) else _instant(local, style))


def _timestamptz_to_timestamp(instant: int, style: TextStyle) -> bytes:
    return times.pack(instant if times.is_infinite(instant) else _local(instant, style))


def _timestamp_to_date(local: int, _style: TextStyle) -> bytes:
    if times.is_infinite(local):
        return dates.pack_infinity(1 if local > 0 else -1)
    return dates.pack(local // DAY)


def _timestamptz_to_date(instant: int, style: TextStyle) -> bytes:
    return _timestamp_to_date(instant if times.is_infinite(instant) else _local(instant, style), style)


def _date_to(zoned: bool) -> Conversion:
    def convert(canonical: bytes, style: TextStyle, compare: bool) -> bytes:
        if compare:
            raise _uncertain()
        days = dates.unpack(canonical)
        if dates.is_infinite(days):
            return times.pack(times.INFINITY if days > 0 else times.MINUS_INFINITY)
        local = days * DAY
        return times.pack(_instant(local, style) if zoned else local)

    return convert


def _timestamp_to_time(canonical: bytes, _style: TextStyle, compare: bool) -> bytes:
    local = times.unpack(canonical)
    if compare or times.is_infinite(local):
        raise _uncertain()
    return struct.pack(">q", local % DAY)


def _timestamptz_to_time(canonical: bytes, style: TextStyle, compare: bool) -> bytes:
    instant = times.unpack(canonical)
    if compare or times.is_infinite(instant):
        raise _uncertain()
    return struct.pack(">q", _local(instant, style) % DAY)


# --- strings ---


def _kept(canonical: bytes, _style: TextStyle, _compare: bool) -> bytes:
    return canonical


def _trimmed(canonical: bytes, _style: TextStyle, _compare: bool) -> bytes:
    return canonical.rstrip(b" ")


def _text_to_bpchar(canonical: bytes, _style: TextStyle, compare: bool) -> bytes:
    """char(n) is compared with text as text, of which blanks at the end are a part."""
    return canonical if compare else canonical.rstrip(b" ")


def _bpchar_to_varchar(canonical: bytes, _style: TextStyle, compare: bool) -> bytes:
    """varchar is compared with char(n) as char(n), where blanks at the end of stored values do not count."""
    if compare:
        raise _uncertain()
    return canonical


def _spelled(canonical: bytes, _style: TextStyle, compare: bool) -> bytes:
    """A cast of bool to a string type spells it out, unlike its output (bool.c, booltext)."""
    if compare:
        raise _uncertain()
    return b"true" if canonical == b"\1" else b"false"


def _uncertain() -> TypeMismatch:
    return TypeMismatch(
        "a protected column is not compared with a value of this type",
        hint="declare the parameter as the column's type, or leave its type to the server",
    )


CONVERSIONS: Mapping[tuple[int, int], Conversion] = MappingProxyType(
    {
        (source, target): _integer_to_integer(target)
        for source in _SIZES
        for target in _SIZES
        if source != target
    }
    | {(types.NUMERIC, target): _numeric_to_integer(target) for target in _SIZES}
    | {
        (source, target): _float_to_integer(target)
        for source in (types.FLOAT4, types.FLOAT8)
        for target in _SIZES
    }
    | {(source, types.NUMERIC): _integer_to_numeric for source in _SIZES}
    | {(source, types.FLOAT8): _to_float(floats.double) for source in _SIZES}
    | {(source, types.FLOAT4): _to_float(floats.single) for source in _SIZES}
    | {
        (types.FLOAT4, types.NUMERIC): _float_to_numeric(6),
        (types.FLOAT8, types.NUMERIC): _float_to_numeric(15),
        (types.NUMERIC, types.FLOAT4): _numeric_to(floats.FLOAT4.input),
        (types.NUMERIC, types.FLOAT8): _numeric_to(floats.FLOAT8.input),
        (types.FLOAT4, types.FLOAT8): _widened,
        (types.FLOAT8, types.FLOAT4): _narrowed,
        (types.TIMESTAMP, types.TIMESTAMPTZ): _stored(_timestamp_to_timestamptz),
        (types.TIMESTAMPTZ, types.TIMESTAMP): _stored(_timestamptz_to_timestamp),
        (types.TIMESTAMP, types.DATE): _stored(_timestamp_to_date),
        (types.TIMESTAMPTZ, types.DATE): _stored(_timestamptz_to_date),
        (types.DATE, types.TIMESTAMP): _date_to(zoned=False),
        (types.DATE, types.TIMESTAMPTZ): _date_to(zoned=True),
        (types.TIMESTAMP, types.TIME): _timestamp_to_time,
        (types.TIMESTAMPTZ, types.TIME): _timestamptz_to_time,
        (types.JSON, types.JSONB): lambda canonical, style, _compare: documents.JSONB.input(canonical, style),
        (types.JSONB, types.JSON): _kept,
        (types.BOOL, types.TEXT): _spelled,
        (types.BOOL, types.VARCHAR): _spelled,
        (types.BOOL, types.BPCHAR): _spelled,
        (types.TEXT, types.VARCHAR): _kept,
        (types.VARCHAR, types.TEXT): _kept,
        (types.BPCHAR, types.TEXT): _kept,
        (types.BPCHAR, types.VARCHAR): _bpchar_to_varchar,
        (types.TEXT, types.BPCHAR): _text_to_bpchar,
        (types.VARCHAR, types.BPCHAR): _trimmed,
    }
)
