"""time, timetz, timestamp and timestamptz: canonical is the binary send format, microseconds in eight bytes.

timetz has four more for its zone, in seconds west of UTC. Sources: PostgreSQL's datetime.c
(EncodeDateTime, EncodeTimezone, DecodeTimeOnly), timestamp.c and date.c (the rounding to a precision).
"""

import re
import struct
from collections.abc import Callable

from strongroom.errors import ZoneOverflow
from strongroom.protect.forms import dates
from strongroom.protect.forms.calendar import (
    DAY,
    END_TIMESTAMP,
    MIN_TIMESTAMP,
    SECOND,
    civil_from_days,
    weekday,
)
from strongroom.protect.forms.dates import (
    OFFSET,
    TIME,
    days_of,
    infinity_of,
    not_iso,
    out_of_range,
    read,
    time_of,
    zone_in,
)
from strongroom.protect.forms.form import Form, ascii_token, sized, unsupported
from strongroom.protect.forms.zones import offset_of, zone
from strongroom.protect.style import TextStyle
from strongroom.wire.postgres import types

INFINITY, MINUS_INFINITY = 2**63 - 1, -(2**63)
MAX_ZONE = 16 * 3600  # MAX_TZDISP_HOUR 15, and its minutes and seconds; timestamp.h

_INT8 = struct.Struct(">q")
_TIMETZ = struct.Struct(">qi")
_READ_TIME = re.compile(rf"{TIME}\s*(?P<zone>{OFFSET})?", re.ASCII)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


# --- reading ---


def _local_timestamp(token: str, type_name: str, style: TextStyle) -> tuple[int, str]:
    """(microseconds of the local time, the zone as it is written or "")."""
    match = read(token, style)
    if match is None:
        raise not_iso(type_name, token)
    return days_of(match) * DAY + time_of(match), zone_in(match)


def pack(microseconds: int) -> bytes:
    """The canonical bytes of a timestamp; raises ``DatetimeOverflow``."""
    if not is_infinite(microseconds) and not MIN_TIMESTAMP <= microseconds < END_TIMESTAMP:
        raise out_of_range("timestamp out of range")
    return _INT8.pack(microseconds)


def unpack(canonical: bytes) -> int:
    """Microseconds of a time or timestamp, or one of the infinities."""
    return int(_INT8.unpack(canonical)[0])


def is_infinite(microseconds: int) -> bool:
    """Whether a timestamp is one of the infinities."""
    return microseconds in (INFINITY, MINUS_INFINITY)


def _timestamp_input(value: bytes, style: TextStyle) -> bytes:
    """A zone is read and passed over (manual, "Date/Time Input")."""
    token = ascii_token(value, "timestamp")
    if sign := infinity_of(token):
        return pack(INFINITY if sign > 0 else MINUS_INFINITY)
    return pack(_local_timestamp(token, "timestamp", style)[0])


def _timestamptz_input(value: bytes, style: TextStyle) -> bytes:
    token = ascii_token(value, "timestamp with time zone")
    if sign := infinity_of(token):
        return pack(INFINITY if sign > 0 else MINUS_INFINITY)
    local, written = _local_timestamp(token, "timestamp with time zone", style)
    offset = offset_of(written) if written else None
    if offset is None:
        offset = zone(written or style.time_zone).of_local(local)
    return pack(local - offset * SECOND)


def _timed(value: bytes, type_name: str) -> tuple[int, int | None]:
    """(microseconds, seconds east of UTC or None) of a time of day."""
    token = ascii_token(value, type_name)
    match = _READ_TIME.fullmatch(token)
    if match is None:
        raise not_iso(type_name, token)
    return time_of(match), offset_of(match["zone"]) if match["zone"] else None


def _time_input(value: bytes, _style: TextStyle) -> bytes:
    return _INT8.pack(_timed(value, "time")[0])


def _timetz_input(value: bytes, _style: TextStyle) -> bytes:
    time, offset = _timed(value, "time with time zone")
    if offset is None:  # the offset of the session's zone depends on today's date
        raise unsupported("time with time zone", "a time without a zone")
    return _TIMETZ.pack(time, -offset)


# --- binary ---


def _time_receive(value: bytes) -> bytes:
    if not 0 <= unpack(sized(value, 8)) <= DAY:
        raise out_of_range("time out of range")
    return value


def _timetz_receive(value: bytes) -> bytes:
    time, west = _TIMETZ.unpack(sized(value, 12))
    if not 0 <= time <= DAY:
        raise out_of_range("time out of range")
    if not -MAX_ZONE < west < MAX_ZONE:
        raise ZoneOverflow("time zone displacement out of range")
    return value


def _timestamp_receive(value: bytes) -> bytes:
    return pack(unpack(sized(value, 8)))


# --- rounding to a precision ---


def rounded(microseconds: int, digits: int | None) -> int:
    """To so many digits of a second, halves away from zero (AdjustTimestampForTypmod)."""
    if digits is None:
        return microseconds
    scale: int = 10 ** (types.MAX_TIME_PRECISION - digits)
    size = (abs(microseconds) + scale // 2) // scale * scale
    return size if microseconds >= 0 else -size


def _time_fit(canonical: bytes, typmod: int) -> bytes:
    return _INT8.pack(rounded(unpack(canonical), types.time_precision(types.TIME, typmod)))


def _timetz_fit(canonical: bytes, typmod: int) -> bytes:
    time, west = _TIMETZ.unpack(canonical)
    return _TIMETZ.pack(rounded(time, types.time_precision(types.TIMETZ, typmod)), west)


def _timestamp_fit(canonical: bytes, typmod: int) -> bytes:
    microseconds = unpack(canonical)
    if is_infinite(microseconds):
        return canonical
    return pack(rounded(microseconds, types.time_precision(types.TIMESTAMP, typmod)))


# --- writing ---


def written_time(time: int) -> str:
    """HH:MM:SS and as much of a fraction as there is."""
    seconds, fraction = divmod(time, SECOND)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}.{fraction:06d}".rstrip("0") if fraction else text


def _written_offset(east: int) -> str:
    """+HH, and minutes and seconds where there are any (EncodeTimezone)."""
    hours, rest = divmod(abs(east), 3600)
    text = f"{'-' if east < 0 else '+'}{hours:02d}"
    if rest % 60:
        return f"{text}:{rest // 60:02d}:{rest % 60:02d}"
    return f"{text}:{rest // 60:02d}" if rest else text


def _written_timestamp(local: int, style: TextStyle, offset: int | None, abbreviation: str) -> str:
    """EncodeDateTime: ISO writes the zone as a number, the others by its abbreviation."""
    days, time = divmod(local, DAY)
    year, month, day = civil_from_days(days)
    era = "" if year > 0 else " BC"
    if style.date_style == "Postgres":
        shown = year if year > 0 else 1 - year
        date = (
            f"{day:02d} {MONTHS[month - 1]}"
            if style.date_order == "DMY"
            else f"{MONTHS[month - 1]} {day:02d}"
        )
        text = f"{_DAYS[weekday(days)]} {date} {written_time(time)} {shown:04d}"
    else:
        text = f"{dates.written_date(year, month, day, style)} {written_time(time)}"
    if offset is not None:
        text += _written_offset(offset) if style.date_style == "ISO" else " " + abbreviation
    return text + era


def _infinity_text(microseconds: int) -> bytes:
    return b"infinity" if microseconds > 0 else b"-infinity"


def _timestamp_output(canonical: bytes, _typmod: int, style: TextStyle) -> bytes:
    local = unpack(canonical)
    return (
        _infinity_text(local) if is_infinite(local) else _written_timestamp(local, style, None, "").encode()
    )


def _timestamptz_output(canonical: bytes, _typmod: int, style: TextStyle) -> bytes:
    instant = unpack(canonical)
    if is_infinite(instant):
        return _infinity_text(instant)
    offset, abbreviation = zone(style.time_zone).at(instant)
    return _written_timestamp(instant + offset * SECOND, style, offset, abbreviation).encode()


def _time_output(canonical: bytes, _typmod: int, _style: TextStyle) -> bytes:
    return written_time(unpack(canonical)).encode()


def _timetz_output(canonical: bytes, _typmod: int, _style: TextStyle) -> bytes:
    time, west = _TIMETZ.unpack(canonical)
    return (written_time(time) + _written_offset(-west)).encode()


_Input = Callable[[bytes, TextStyle], bytes]
_Output = Callable[[bytes, int, TextStyle], bytes]


def _timestamp_form(read: _Input, write: _Output) -> Form:
    return Form(input=read, output=write, receive=_timestamp_receive, fit=_timestamp_fit, passes=True)


TIMESTAMP = _timestamp_form(_timestamp_input, _timestamp_output)
TIMESTAMPTZ = _timestamp_form(_timestamptz_input, _timestamptz_output)
TIME_FORM = Form(input=_time_input, output=_time_output, receive=_time_receive, fit=_time_fit, passes=True)
TIMETZ = Form(
    input=_timetz_input, output=_timetz_output, receive=_timetz_receive, fit=_timetz_fit, passes=True
)
