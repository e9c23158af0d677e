"""protect/forms/zones.py: offsets of time zones."""

import pytest

from strongroom.errors import UnsupportedInput, ZoneOverflow
from strongroom.protect.forms.calendar import DAY, days_from_civil
from strongroom.protect.forms.zones import offset_of, zone

HOUR = 3600


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    """Microseconds from 2000-01-01."""
    return days_from_civil(year, month, day) * DAY + (hour * 60 + minute) * 60_000_000


def test_summer_and_winter() -> None:
    """Offset and name of an instant."""
    berlin = zone("Europe/Berlin")
    assert berlin.at(at(2024, 1, 1)) == (HOUR, "CET")
    assert berlin.at(at(2024, 7, 1)) == (2 * HOUR, "CEST")
    assert berlin.at(at(1890, 1, 1)) == (53 * 60 + 28, "LMT")


def test_the_hour_that_is_not_there_and_the_one_that_is_twice() -> None:
    """In the gap of spring the offset before it, in the repetition of autumn the one after."""
    berlin = zone("Europe/Berlin")
    assert berlin.of_local(at(2024, 3, 31, 1, 59)) == HOUR
    assert berlin.of_local(at(2024, 3, 31, 2, 30)) == HOUR
    assert berlin.of_local(at(2024, 3, 31, 3)) == 2 * HOUR
    assert berlin.of_local(at(2024, 10, 27, 1, 59)) == 2 * HOUR
    assert berlin.of_local(at(2024, 10, 27, 2, 30)) == HOUR


@pytest.mark.parametrize("year", [-4000, 0, 1, 2, 9998, 9999, 10000, 200_000])
def test_years_beyond_the_librarys_have_the_rules_of_a_year_like_them(year: int) -> None:
    """400 years are a whole number of weeks."""
    offset, _ = zone("Europe/Berlin").at(at(year, 7, 1))
    assert offset == (2 * HOUR if year > 2 else 53 * 60 + 28)
    assert zone("Europe/Berlin").of_local(at(year, 7, 1)) == offset


@pytest.mark.parametrize(
    ("name", "offset", "abbreviation"),
    [("<-07>+07", -7 * HOUR, "-07"), ("<+0530>-05:30", 19_800, "+0530"), ("ABC3", -3 * HOUR, "ABC")],
)
def test_posix_zones_count_westward(name: str, offset: int, abbreviation: str) -> None:
    """As SET TIME ZONE with a number makes them."""
    assert zone(name).at(0) == (offset, abbreviation)


@pytest.mark.parametrize(
    "name", ["No/Where", "", "../etc/passwd", "Europe", "CET-1CEST,M3.5.0,M10.5.0/3", "a\0b"]
)
def test_a_zone_that_is_not_known_is_refused(name: str) -> None:
    """Whatever the name looks like."""
    with pytest.raises(UnsupportedInput):
        zone(name)


@pytest.mark.parametrize(
    ("written", "offset"),
    [
        ("Z", 0),
        ("UTC", 0),
        ("+2", 7200),
        ("-03:30", -12_600),
        ("+0530", 19_800),
        ("-01:02:03", -3723),
        ("A/B", None),
    ],
)
def test_a_zone_as_it_stands_in_a_value(written: str, offset: int | None) -> None:
    """A number of hours, minutes and seconds, or a name."""
    assert offset_of(written) == offset


@pytest.mark.parametrize("written", ["+16", "-99", "+01:60", "+01:00:60"])
def test_a_zone_too_far_is_refused(written: str) -> None:
    """Beyond 15:59:59."""
    with pytest.raises(ZoneOverflow):
        offset_of(written)
