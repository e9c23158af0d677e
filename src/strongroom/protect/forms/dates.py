"""date, and the parts that dates and timestamps have in common: reading ISO 8601, writing each DateStyle.

Canonical is the binary send format: days from 2000-01-01 in four bytes. Sources: PostgreSQL's datetime.c
(EncodeDateOnly, DecodeDate) and date.c. Of the input forms, the unambiguous ISO 8601 ones are accepted, and
three numbers with the year last, in the order that the session's DateStyle says; the others are refused by
name.
"""

import re
import struct

from strongroom.errors import DatetimeOverflow, InvalidDatetime, StrongroomError
from strongroom.protect.forms.calendar import (
    DAY,
    MAX_DATE,
    MIN_DATE,
    SECOND,
    civil_from_days,
    days_from_civil,
    month_length,
)
from strongroom.protect.forms.form import SPEC, Form, ascii_token, sized, unsupported
from strongroom.protect.forms.zones import offset_of, zone
from strongroom.protect.style import TextStyle

_INT4 = struct.Struct(">i")
INFINITY, MINUS_INFINITY = 2**31 - 1, -(2**31)

# YYYY-MM-DD; what may follow it is a time, a zone and an era.
TIME = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d*))?)?"
OFFSET = r"[zZ]|[+-]\d{1,2}(?::\d{2}(?::\d{2})?)?|[+-]\d{4}|UTC|GMT"
_ZONE = rf"{OFFSET}|[A-Za-z_]+(?:/[A-Za-z0-9_+-]+)+"
READ_TIMESTAMP = re.compile(
    r"(?P<year>\d{4,7})-(?P<month>\d{1,2})-(?P<day>\d{1,2})"
    rf"(?:[ T]{TIME}\s*(?P<zone>{_ZONE})?|\s+(?P<late_zone>{_ZONE}))?"
    r"(?:\s+(?P<era>BC|AD|bc|ad))?",
    re.ASCII,
)
# Day and month in an order of the session's, then the year: 24.12.1847, 12/24/1847.
_YEAR_LAST = re.compile(
    r"(?P<first>\d{1,2})(?P<sign>[./-])(?P<second>\d{1,2})(?P=sign)(?P<year>\d{4})(?=\s|$)", re.ASCII
)
_WORD_OR_DIGIT = re.compile(
    r"\d|now|today|tomorrow|yesterday|epoch|allballs|infinity", re.ASCII | re.IGNORECASE
)


def read(token: str, style: TextStyle) -> re.Match[str] | None:
    """The fields of a date or timestamp, or None where its form is none of ours."""
    if (match := _YEAR_LAST.match(token)) and style.date_order in {"MDY", "DMY"}:
        month, day = match["first"], match["second"]
        if style.date_order == "DMY":
            month, day = day, month
        token = f"{match['year']}-{month}-{day}{token[match.end() :]}"
    return READ_TIMESTAMP.fullmatch(token)


def not_iso(type_name: str, token: str) -> StrongroomError:
    """The error for a text that is not in our form: PostgreSQL might read it, or it is no date at all."""
    if _WORD_OR_DIGIT.search(token):
        return unsupported(type_name, "an input form other than ISO 8601")
    return InvalidDatetime(f"invalid input syntax for type {type_name}", hint=SPEC)


def out_of_range(what: str = "date/time field value out of range") -> DatetimeOverflow:
    """PostgreSQL's message without the value."""
    return DatetimeOverflow(what)


def infinity_of(token: str) -> int:
    """1 for infinity, -1 for -infinity, 0 for anything else."""
    return {"infinity": 1, "-infinity": -1}.get(token.lower(), 0)


def days_of(match: re.Match[str]) -> int:
    """Days from 2000-01-01 of a matched date, its fields checked."""
    year, month, day = int(match["year"]), int(match["month"]), int(match["day"])
    if year == 0 or not 1 <= month <= 12:
        raise out_of_range()
    if (match["era"] or "").upper() == "BC":
        year = 1 - year
    if not 1 <= day <= month_length(year, month):
        raise out_of_range()
    return days_from_civil(year, month, day)


def time_of(match: re.Match[str]) -> int:
    """Microseconds of a matched time of day; 24:00:00 and a 60th second are allowed (DecodeTime)."""
    if match["hour"] is None:
        return 0
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
    # strtod and rint, as ParseFractionalSecond does
    fraction = round(float("0." + (match["fraction"] or "0")) * SECOND)
    time = ((hour * 60 + minute) * 60 + second) * SECOND + fraction
    if minute > 59 or second > 60 or time > DAY:
        raise out_of_range()
    return time


def zone_in(match: re.Match[str]) -> str:
    """The zone of a matched timestamp as it is written, or ""; one that does not exist is an error."""
    written = match["zone"] or match["late_zone"] or ""
    if written and offset_of(written) is None:
        zone(written)
    return written


def written_date(year: int, month: int, day: int, style: TextStyle) -> str:
    """The date without its era, as EncodeDateOnly writes it."""
    shown = year if year > 0 else 1 - year
    if style.date_style == "ISO":
        return f"{shown:04d}-{month:02d}-{day:02d}"
    if style.date_style == "German":
        return f"{day:02d}.{month:02d}.{shown:04d}"
    separator = "/" if style.date_style == "SQL" else "-"
    first, second = (day, month) if style.date_order == "DMY" else (month, day)
    return f"{first:02d}{separator}{second:02d}{separator}{shown:04d}"


def pack(days: int) -> bytes:
    """The canonical bytes; raises ``DatetimeOverflow``."""
    if not MIN_DATE <= days <= MAX_DATE:
        raise out_of_range("date out of range")
    return _INT4.pack(days)


def pack_infinity(sign: int) -> bytes:
    """The canonical bytes of infinity, or of -infinity for a negative sign."""
    return _INT4.pack(INFINITY if sign > 0 else MINUS_INFINITY)


def is_infinite(days: int) -> bool:
    """Whether a date is one of the infinities."""
    return days in (INFINITY, MINUS_INFINITY)


def unpack(canonical: bytes) -> int:
    """Days from 2000-01-01, or one of the infinities."""
    return int(_INT4.unpack(canonical)[0])


def _input(value: bytes, style: TextStyle) -> bytes:
    token = ascii_token(value, "date")
    if sign := infinity_of(token):
        return pack_infinity(sign)
    match = read(token, style)
    if match is None:
        raise not_iso("date", token)
    time_of(match)  # read and passed over, as is the zone
    zone_in(match)
    return pack(days_of(match))


def _receive(value: bytes) -> bytes:
    days = unpack(sized(value, 4))
    return value if is_infinite(days) else pack(days)


def _output(canonical: bytes, _typmod: int, style: TextStyle) -> bytes:
    days = unpack(canonical)
    if is_infinite(days):
        return b"infinity" if days > 0 else b"-infinity"
    year, month, day = civil_from_days(days)
    return (written_date(year, month, day, style) + ("" if year > 0 else " BC")).encode()


DATE_FORM = Form(input=_input, output=_output, receive=_receive, passes=True)
