"""Time zones: how far local time is from UTC, and what the difference is called.

The names and rules are those of the IANA database as Python's ``zoneinfo`` reads it, once per zone; the
server has its own copy, of which the spec says what follows. Beyond the years that ``datetime`` knows, the
rules of the same year 400 years nearer hold, as in PostgreSQL (localtime.c). Called by ``times.py``.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from strongroom.errors import UnsupportedInput, ZoneOverflow
from strongroom.protect.forms.calendar import DAY, SECOND, civil_from_days

CACHED_ZONES = 1024  # there are about 600 names

# POSIX zones without daylight saving, as SET TIME ZONE -7 makes them: <-07>+07; the sign counts westward.
_POSIX = re.compile(
    r"(?:<([A-Za-z0-9+-]+)>|([A-Za-z]{3,}))([+-]?)(\d{1,2})(?::(\d{2})(?::(\d{2}))?)?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone by its name; offsets are seconds east of UTC."""

    rules: tzinfo

    def at(self, instant: int) -> tuple[int, str]:
        """(offset, abbreviation) at an instant, in microseconds of UTC from 2000-01-01."""
        local = _near(instant).replace(tzinfo=UTC).astimezone(self.rules)
        return _seconds(local.utcoffset()), local.tzname() or ""

    def of_local(self, local: int) -> int:
        """The offset of a local time. Where the clock was turned, the smaller of the two that apply: before
        the gap in spring, after the repetition in autumn (datetime.c, DetermineTimeZoneOffset)."""
        moment = _near(local).replace(tzinfo=self.rules)
        return min(_seconds(moment.utcoffset()), _seconds(moment.replace(fold=1).utcoffset()))


@lru_cache(CACHED_ZONES)
def zone(name: str) -> Zone:
    """The zone of a TimeZone setting; raises ``UnsupportedInput``."""
    if match := _POSIX.fullmatch(name):
        east = -1 if match[3] != "-" else 1
        seconds = int(match[4]) * 3600 + int(match[5] or 0) * 60 + int(match[6] or 0)
        return Zone(timezone(timedelta(seconds=east * seconds), match[1] or match[2]))
    try:
        return Zone(ZoneInfo(name))
    except (KeyError, OSError, ValueError):  # not found, a folder, no name at all
        raise UnsupportedInput(
            "the TimeZone of this session is not known here", hint="use a name of the IANA database, as UTC"
        ) from None


def offset_of(written: str) -> int | None:
    """Seconds east of UTC of a zone as it stands in a value, or None for a name; raises ``ZoneOverflow``."""
    if written in ("z", "Z", "UTC", "GMT"):
        return 0
    if written[0] not in "+-":
        return None
    parts = written[1:].split(":") if ":" in written else [written[1:3], written[3:]]
    hour, minute, second = (int(part or "0") for part in [*parts, "0", "0"][:3])
    if hour > 15 or minute > 59 or second > 59:
        raise ZoneOverflow("time zone displacement out of range")
    seconds = hour * 3600 + minute * 60 + second
    return -seconds if written[0] == "-" else seconds


def _near(instant: int) -> datetime:
    """The instant without a zone, moved by whole cycles of 400 years to where ``datetime`` can hold it."""
    days, time = divmod(instant, DAY)
    year, month, day = civil_from_days(days)
    if not 1 < year < 9999:
        year = year % 400 + (400 if year <= 1 else 9200)
    seconds, microsecond = divmod(time, SECOND)
    return datetime(  # noqa: DTZ001 - the caller says which zone it is in
        year, month, day, seconds // 3600, seconds // 60 % 60, seconds % 60, microsecond
    )


def _seconds(offset: timedelta | None) -> int:
    return 0 if offset is None else offset.days * 86_400 + offset.seconds
