"""protect/forms/calendar.py: days and dates."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from strongroom.protect.forms.calendar import (
    MAX_DATE,
    MIN_DATE,
    civil_from_days,
    days_from_civil,
    month_length,
    weekday,
)

EPOCH = date(2000, 1, 1)


@given(st.dates())
def test_the_calendar_is_pythons_where_python_has_one(day: date) -> None:
    """Days, dates, months and weekdays of the years 1 to 9999."""
    days = days_from_civil(day.year, day.month, day.day)
    assert EPOCH + timedelta(days) == day
    assert civil_from_days(days) == (day.year, day.month, day.day)
    assert weekday(days) == day.weekday()
    following = date(day.year + (day.month == 12), day.month % 12 + 1, 1) if day.year < 9999 else None
    if following:
        assert month_length(day.year, day.month) == (following - date(day.year, day.month, 1)).days


@given(st.integers(MIN_DATE, MAX_DATE))
def test_every_day_is_one_date(days: int) -> None:
    """Over the whole range that PostgreSQL has."""
    year, month, day = civil_from_days(days)
    assert 1 <= month <= 12
    assert 1 <= day <= month_length(year, month)
    assert days_from_civil(year, month, day) == days


def test_the_ends_of_the_range() -> None:
    """Julian day 0, and the last day of 5874897."""
    assert civil_from_days(MIN_DATE) == (-4713, 11, 24)
    assert civil_from_days(MAX_DATE) == (5874897, 12, 31)
