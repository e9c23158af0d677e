"""interval: canonical is the binary send format, microseconds (8 bytes), days (4) and months (4).

Sources: PostgreSQL's datetime.c (DecodeInterval, EncodeInterval) and timestamp.c. Accepted are the verbose
form with units and a time (``1 day 02:03:04``), and ISO 8601 with designators (``P1DT2H``).
"""

import re
import struct

from strongroom.errors import IntervalOverflow, InvalidDatetime
from strongroom.protect.forms.calendar import SECOND
from strongroom.protect.forms.dates import not_iso
from strongroom.protect.forms.form import SPEC, Form, ascii_token, sized, unsupported
from strongroom.protect.forms.times import rounded
from strongroom.protect.style import TextStyle
from strongroom.wire.postgres import types

_FIELDS = struct.Struct(">qii")
_MINUTE, _HOUR = 60 * SECOND, 3600 * SECOND

# unit -> (which of the three numbers, how many of it, the name under which it may stand once)
_UNITS: dict[str, tuple[str, int, str]] = {}
for _names, _number, _size in (
    ("us usec usecs microsecond microseconds", "time", 1),
    ("ms msec msecs millisecond milliseconds", "time", 1000),
    ("s sec secs second seconds", "time", SECOND),
    ("m min mins minute minutes", "time", _MINUTE),
    ("h hr hrs hour hours", "time", _HOUR),
    ("d day days", "days", 1),
    ("w week weeks", "days", 7),
    ("mon mons month months", "months", 1),
    ("y yr yrs year years", "months", 12),
):
    _UNITS |= dict.fromkeys(_names.split(), (_number, _size, _names))

_SECONDS = frozenset(unit for unit, (_, size, _) in _UNITS.items() if size == SECOND)

_ITEM = re.compile(
    r"\s*(?:(?P<sign>[+-]?)(?P<hour>\d+):(?P<minute>\d{1,2})(?::(?P<second>\d{1,2})(?:\.(?P<fraction>\d*))?)?"
    r"|(?P<number>[+-]?\d+)(?:\.(?P<part>\d+))?\s*(?P<unit>[A-Za-z]+|$))(?=\s|$)",
    re.ASCII,
)
_ISO = re.compile(
    r"P(?:([+-]?\d+)Y)?(?:([+-]?\d+)M)?(?:([+-]?\d+)W)?(?:([+-]?\d+)D)?"
    r"(?:T(?:([+-]?\d+)H)?(?:([+-]?\d+)M)?(?:([+-]?)(\d+)(?:\.(\d*))?S)?)?",
    re.ASCII,
)
_MAX_DIGITS = 19  # a longer number overflows whatever its unit


def _input(value: bytes, style: TextStyle) -> bytes:
    token = ascii_token(value, "interval")
    if token.lower().lstrip("+-") == "infinity":
        raise unsupported("interval", "infinity")
    # ISO 8601 stands alone, without white space around it (datetime.c, DecodeISO8601Interval)
    if token.encode() == value and (match := _ISO.fullmatch(token)) and token[-1] not in "PT":
        return _packed(*_from_iso(match))
    body, ago = (token[:-3], True) if token.lower().endswith("ago") else (token, False)
    body = body.strip()
    body = body.removeprefix("@")
    if style.interval_style == "sql_standard" and body.startswith("-"):
        # there a leading minus would apply to all fields (manual, "Interval Input")
        raise unsupported("interval", "a leading minus under IntervalStyle sql_standard")
    total = _from_words(body)
    return _packed(*(-number for number in total) if ago else total)


def _from_iso(match: re.Match[str]) -> tuple[int, int, int]:
    years, months, weeks, days, hours, minutes = (_whole(match[i] or "0") for i in range(1, 7))
    seconds = _whole(match[8] or "0") * SECOND + _fraction(match[9], SECOND)
    seconds = -seconds if match[7] == "-" else seconds
    return hours * _HOUR + minutes * _MINUTE + seconds, weeks * 7 + days, years * 12 + months


def _from_words(body: str) -> tuple[int, int, int]:
    totals = {"time": 0, "days": 0, "months": 0}
    seen: set[str] = set()
    position = 0
    while position < len(body):
        match = _ITEM.match(body, position)
        if match is None:
            raise not_iso("interval", body)
        number, value, names = _item(match)
        if names & seen:
            raise InvalidDatetime("invalid input syntax for type interval", hint=SPEC)
        seen |= names
        totals[number] += value
        position = match.end()
    if not seen:
        raise InvalidDatetime("invalid input syntax for type interval", hint=SPEC)
    return totals["time"], totals["days"], totals["months"]


def _item(match: re.Match[str]) -> tuple[str, int, set[str]]:
    """(which number, how much, the units that it uses up) of one field."""
    if match["hour"] is not None:
        minute, second = int(match["minute"]), int(match["second"] or 0)
        if minute > 59 or second > 59:
            raise _overflow()
        fraction = round(float("0." + (match["fraction"] or "0")) * SECOND)
        time = _whole(match["hour"]) * _HOUR + minute * _MINUTE + second * SECOND + fraction
        used = _names_of("h", "m", "s", "ms", "us")
        return "time", -time if match["sign"] == "-" else time, used
    unit = match["unit"].lower() or "s"  # a number alone, at the end, is of seconds
    if unit not in _UNITS:
        raise unsupported("interval", "a unit that is not listed")
    number, size, names = _UNITS[unit]
    value = _whole(match["number"]) * size
    if (match["part"] or "").strip("0"):
        if number != "time":
            raise unsupported("interval", "a fraction of a day or more")
        fraction = _fraction(match["part"], size)
        value += -fraction if match["number"].startswith("-") else fraction
        if unit in _SECONDS:  # a fraction of a second uses up the smaller units, too
            return number, value, _names_of("s", "ms", "us")
    return number, value, {names}


def _names_of(*units: str) -> set[str]:
    return {_UNITS[unit][2] for unit in units}


def _whole(written: str) -> int:
    if len(written.lstrip("+-0")) > _MAX_DIGITS:
        raise _overflow()
    return int(written)


def _fraction(digits: str | None, size: int) -> int:
    """The part of a unit in microseconds: rounded, exactly one half cut off (AdjustFractMicroseconds)."""
    product = float("0." + (digits or "0")) * size
    whole = int(product)
    return whole + 1 if product - whole > 0.5 else whole


def _packed(time: int, days: int, months: int) -> bytes:
    try:
        packed = _FIELDS.pack(time, days, months)
    except struct.error:
        raise _overflow() from None
    return _receive(packed)


def _overflow() -> IntervalOverflow:
    return IntervalOverflow("interval field value out of range")


def _receive(value: bytes) -> bytes:
    """PostgreSQL 17 gave the extreme values the meaning of infinity; older servers have none."""
    fields = _FIELDS.unpack(sized(value, 16))
    if fields in ((2**63 - 1, 2**31 - 1, 2**31 - 1), (-(2**63), -(2**31), -(2**31))):
        raise unsupported("interval", "infinity")
    return value


def _fit(canonical: bytes, typmod: int) -> bytes:
    time, days, months = _FIELDS.unpack(canonical)
    return _packed(rounded(time, types.time_precision(types.INTERVAL, typmod)), days, months)


# --- writing: EncodeInterval, one function per IntervalStyle ---


class _Parts:
    """An interval in the fields that are written; each has the sign of the number it comes from."""

    __slots__ = ("day", "fraction", "hour", "minute", "month", "second", "year")

    def __init__(self, canonical: bytes) -> None:
        time, self.day, months = _FIELDS.unpack(canonical)
        sign = -1 if months < 0 else 1
        self.year, self.month = sign * (abs(months) // 12), sign * (abs(months) % 12)
        sign = -1 if time < 0 else 1
        seconds, fraction = divmod(abs(time), SECOND)
        self.hour, self.minute = sign * (seconds // 3600), sign * (seconds // 60 % 60)
        self.second, self.fraction = sign * (seconds % 60), sign * fraction

    @property
    def clock(self) -> tuple[int, int, int, int]:
        return self.hour, self.minute, self.second, self.fraction

    def seconds(self, width: int) -> str:
        text = f"{abs(self.second):0{width}d}"
        return f"{text}.{abs(self.fraction):06d}".rstrip("0") if self.fraction else text

    def clock_text(self, hour_width: int) -> str:
        return f"{abs(self.hour):0{hour_width}d}:{abs(self.minute):02d}:{self.seconds(2)}"


def _postgres(parts: _Parts) -> str:
    words: list[str] = []
    before = False
    for value, unit in ((parts.year, "year"), (parts.month, "mon"), (parts.day, "day")):
        if value:
            plus = "+" if before and value > 0 else ""
            words.append(f"{plus}{value} {unit}{'' if value == 1 else 's'}")
            before = value < 0
    if any(parts.clock) or not words:
        sign = "-" if min(parts.clock) < 0 else "+" if before else ""
        words.append(sign + parts.clock_text(2))
    return " ".join(words)


def _postgres_verbose(parts: _Parts) -> str:
    text, before = "@", None
    for value, unit in (
        (parts.year, "year"),
        (parts.month, "mon"),
        (parts.day, "day"),
        (parts.hour, "hour"),
        (parts.minute, "min"),
    ):
        if value:
            before = value < 0 if before is None else before
            shown = -value if before else value
            text += f" {shown} {unit}{'' if shown == 1 else 's'}"
    if parts.second or parts.fraction:
        negative = parts.second < 0 or parts.fraction < 0
        before = negative if before is None else before
        plural = abs(parts.second) != 1 or parts.fraction != 0
        text += f" {'-' if negative != before else ''}{parts.seconds(1)} sec{'s' if plural else ''}"
    if before is None:
        return text + " 0"
    return text + (" ago" if before else "")


def _sql_standard(parts: _Parts) -> str:
    numbers = (parts.year, parts.month, parts.day, *parts.clock)
    negative, positive = min(numbers) < 0, max(numbers) > 0
    year_month, day_time = any(numbers[:2]), any(numbers[2:])
    if not (negative or positive):
        return "0"
    if (negative and positive) or (year_month and day_time):
        signs = ["-" if min(group) < 0 else "+" for group in (numbers[:2], numbers[2:3], numbers[3:])]
        return (
            f"{signs[0]}{abs(parts.year)}-{abs(parts.month)}"
            f" {signs[1]}{abs(parts.day)} {signs[2]}{parts.clock_text(1)}"
        )
    sign = "-" if negative else ""
    if year_month:
        return f"{sign}{abs(parts.year)}-{abs(parts.month)}"
    return f"{sign}{abs(parts.day)} {parts.clock_text(1)}" if parts.day else sign + parts.clock_text(1)


def _iso_8601(parts: _Parts) -> str:
    date = "".join(f"{n}{u}" for n, u in ((parts.year, "Y"), (parts.month, "M"), (parts.day, "D")) if n)
    clock = "".join(f"{n}{u}" for n, u in ((parts.hour, "H"), (parts.minute, "M")) if n)
    if parts.second or parts.fraction:
        clock += ("-" if parts.second < 0 or parts.fraction < 0 else "") + parts.seconds(1) + "S"
    if not date and not clock:
        return "PT0S"
    return "P" + date + ("T" + clock if clock else "")


_WRITERS = {
    "postgres": _postgres,
    "postgres_verbose": _postgres_verbose,
    "sql_standard": _sql_standard,
    "iso_8601": _iso_8601,
}


def _output(canonical: bytes, _typmod: int, style: TextStyle) -> bytes:
    return _WRITERS[style.interval_style](_Parts(canonical)).encode()


INTERVAL = Form(input=_input, output=_output, receive=_receive, fit=_fit, passes=True)
