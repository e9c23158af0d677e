"""Reading what PostgreSQL printed: canonical bytes of a value that comes from the database as text or binary.

Most types read back what they print. Dates and timestamps do so in ISO 8601 alone, which is what we take of
a client (``dates.py``); here are the other DateStyles, as EncodeDateOnly and EncodeDateTime (datetime.c)
write them. What was printed in another style than the session is known to have is refused where its form
tells, rather than read with day and month exchanged. Called by ``masking.py``, for columns not protected.
"""

import re
from collections.abc import Callable

from strongroom.errors import InvalidDatetime
from strongroom.protect.forms import dates, times
from strongroom.protect.forms.calendar import DAY, SECOND, days_from_civil
from strongroom.protect.forms.form import ascii_token
from strongroom.protect.forms.zones import Zone, zone
from strongroom.protect.style import TextStyle
from strongroom.wire.postgres import types

Reader = Callable[[bytes], bytes]

_DATE = r"(?P<first>\d\d)(?P<sign>[./-])(?P<second>\d\d)(?P=sign)(?P<year>\d{4,})"
_SIGNS = {"SQL": "/", "Postgres": "-", "German": "."}
_CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<seconds>\d\d)(?:\.(?P<fraction>\d{1,6}))?"
_END = r"(?: (?P<zone>(?!BC$)\S+))?(?P<era> BC)?"
_ISO_FORMS = {
    types.DATE: dates.DATE_FORM,
    types.TIMESTAMP: times.TIMESTAMP,
    types.TIMESTAMPTZ: times.TIMESTAMPTZ,
}
_PRINTED_DATE = re.compile(_DATE + r"(?P<era> BC)?", re.ASCII)
_PRINTED = re.compile(f"{_DATE} {_CLOCK}{_END}", re.ASCII)
_PRINTED_POSTGRES = re.compile(
    r"[A-Z][a-z]{2} "
    r"(?:(?P<month>[A-Z][a-z]{2}) (?P<day>\d\d)|(?P<early_day>\d\d) (?P<late_month>[A-Z][a-z]{2}))"
    rf" {_CLOCK} (?P<year>\d{{4,}}){_END}",
    re.ASCII,
)


def styled(oid: int, style: TextStyle) -> Reader | None:
    """What reads dates or timestamps as the DateStyle has them; None for types that know none."""
    if style.date_style == "ISO":
        return _iso(oid, style)
    match oid:
        case types.DATE:
            return lambda value: _date(value, style)
        case types.TIMESTAMP:
            return lambda value: _timestamp(value, style, None)
        case types.TIMESTAMPTZ:
            rules = zone(style.time_zone)
            return lambda value: _timestamp(value, style, rules)
    return None


def _iso(oid: int, style: TextStyle) -> Reader | None:
    form = _ISO_FORMS.get(oid)
    if form is None:
        return None

    def read(value: bytes) -> bytes:
        token = ascii_token(value, "date")
        if not dates.infinity_of(token) and dates.READ_TIMESTAMP.fullmatch(token) is None:
            raise _unread("date")
        return form.input(value, style)

    return read


def _date(value: bytes, style: TextStyle) -> bytes:
    token = ascii_token(value, "date")
    if sign := dates.infinity_of(token):
        return dates.pack_infinity(sign)
    match = _PRINTED_DATE.fullmatch(token)
    if match is None or match["sign"] != _SIGNS[style.date_style]:
        raise _unread("date")
    return dates.pack(_days(match, style))


def _timestamp(value: bytes, style: TextStyle, rules: Zone | None) -> bytes:
    token = ascii_token(value, "timestamp")
    if sign := dates.infinity_of(token):
        return times.pack(times.INFINITY if sign > 0 else times.MINUS_INFINITY)
    if style.date_style == "Postgres":
        match = _PRINTED_POSTGRES.fullmatch(token)
    else:
        match = _PRINTED.fullmatch(token)
    if match is None or (match["zone"] is None) != (rules is None):
        raise _unread("timestamp")
    if style.date_style != "Postgres" and match["sign"] != _SIGNS[style.date_style]:
        raise _unread("timestamp")
    days = _named_days(match) if style.date_style == "Postgres" else _days(match, style)
    seconds = (int(match["hour"]) * 60 + int(match["minute"])) * 60 + int(match["seconds"])
    local = days * DAY + seconds * SECOND + int((match["fraction"] or "0").ljust(6, "0"))
    return times.pack(local if rules is None else _instant(local, match["zone"], rules))


def _days(match: re.Match[str], style: TextStyle) -> int:
    day_first = style.date_style == "German" or style.date_order == "DMY"
    day, month = (match["first"], match["second"]) if day_first else (match["second"], match["first"])
    return days_from_civil(_year(match), int(month), int(day))


def _named_days(match: re.Match[str]) -> int:
    name, day = match["month"] or match["late_month"], match["day"] or match["early_day"]
    if name not in times.MONTHS:
        raise _unread("timestamp")
    return days_from_civil(_year(match), times.MONTHS.index(name) + 1, int(day))


def _year(match: re.Match[str]) -> int:
    return 1 - int(match["year"]) if match["era"] else int(match["year"])


def _instant(local: int, abbreviation: str, rules: Zone) -> int:
    """The instant of a local time. Where the clock was turned back, the abbreviation says which of two."""
    offsets = {rules.at(local + around * DAY)[0] for around in (-1, 1)}
    found = [
        local - offset * SECOND
        for offset in offsets
        if rules.at(local - offset * SECOND) == (offset, abbreviation)
    ]
    return found[0] if found else local - rules.of_local(local) * SECOND


def _unread(type_name: str) -> InvalidDatetime:
    return InvalidDatetime(f"a {type_name} was printed in a form that is not known")
