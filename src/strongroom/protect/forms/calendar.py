"""The calendar of dates and timestamps: proleptic Gregorian, days and microseconds from 2000-01-01.

Sources: PostgreSQL's datetime.c (date2j, j2date) and timestamp.h for the ranges. Years are astronomical:
1 BC is year 0. Called by ``dates.py``, ``times.py`` and ``zones.py``.
"""

DAY = 86_400_000_000  # microseconds
SECOND = 1_000_000
MIN_DATE = -2_451_545  # Julian day 0
MAX_DATE = 2_145_031_948  # DATE_END_JULIAN - POSTGRES_EPOCH_JDATE - 1: 5874897-12-31
MIN_TIMESTAMP = -211_813_488_000_000_000  # MIN_TIMESTAMP, timestamp.h
END_TIMESTAMP = 9_223_371_331_200_000_000  # END_TIMESTAMP, timestamp.h: not included

_MARCH_ZERO = 730_425  # days from 0000-03-01 to 2000-01-01
_CYCLE = 146_097  # days of 400 years
_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def days_from_civil(year: int, month: int, day: int) -> int:
    """Days from 2000-01-01. Years are counted from March, so that the leap day comes last."""
    year -= month <= 2
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return (
        era * _CYCLE + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - _MARCH_ZERO
    )


def civil_from_days(days: int) -> tuple[int, int, int]:
    """(year, month, day) of a day counted from 2000-01-01; the inverse of ``days_from_civil``."""
    era, day_of_era = divmod(days + _MARCH_ZERO, _CYCLE)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    return era * 400 + year_of_era + (month <= 2), month, day


def month_length(year: int, month: int) -> int:
    """Days of a month."""
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == 2 and leap else _MONTH_DAYS[month - 1]


def weekday(days: int) -> int:
    """0 for Monday; 2000-01-01 was a Saturday."""
    return (days + 5) % 7
