"""protect/forms/times.py: times and timestamps; the styles are held against PostgreSQL elsewhere."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import DatetimeOverflow, InvalidBinary, UnsupportedInput, ZoneOverflow
from strongroom.protect.forms.calendar import DAY, END_TIMESTAMP, MIN_TIMESTAMP
from strongroom.protect.forms.times import TIME_FORM, TIMESTAMP, TIMESTAMPTZ, TIMETZ, pack, rounded, unpack
from strongroom.protect.style import TextStyle

STYLE = TextStyle(time_zone="Europe/Berlin")


@given(st.datetimes())
def test_an_instant_is_pythons(moment: datetime) -> None:
    """With its zone written out."""
    written = moment.replace(tzinfo=UTC).isoformat().encode()
    difference = moment - datetime(2000, 1, 1)  # noqa: DTZ001 - both are of UTC
    expected = (difference.days * 86_400 + difference.seconds) * 1_000_000 + difference.microseconds
    assert unpack(TIMESTAMPTZ.input(written, STYLE)) == expected
    assert unpack(TIMESTAMP.input(written, STYLE)) == expected  # the zone is passed over


@given(st.integers(MIN_TIMESTAMP, END_TIMESTAMP - 1))
def test_every_timestamp_reads_back(microseconds: int) -> None:
    """Of all years, with and without a zone (an hour that is twice has its offset written beside it)."""
    for form in (TIMESTAMP, TIMESTAMPTZ):
        assert form.input(form.output(pack(microseconds), -1, STYLE), STYLE) == pack(microseconds)


@pytest.mark.parametrize("microseconds", [MIN_TIMESTAMP - 1, END_TIMESTAMP])
def test_the_range_ends_where_postgresqls_does(microseconds: int) -> None:
    """The infinities lie outside it, and are values."""
    with pytest.raises(DatetimeOverflow):
        pack(microseconds)
    for extreme in (2**63 - 1, -(2**63)):
        assert unpack(pack(extreme)) == extreme


@given(st.integers(-(10**18), 10**18), st.integers(0, 6))
def test_rounding_is_away_from_zero_in_the_middle(microseconds: int, digits: int) -> None:
    """To the nearest multiple, and the same for both signs."""
    scale = 10 ** (6 - digits)
    result = rounded(microseconds, digits)
    assert result % scale == 0
    assert 2 * abs(result - microseconds) <= scale
    assert result == -rounded(-microseconds, digits)
    assert rounded(microseconds, None) == microseconds


def test_a_time_of_day_has_its_range() -> None:
    """24:00:00 belongs to it, also in binary."""
    assert TIME_FORM.output(TIME_FORM.input(b"24:00", STYLE), -1, STYLE) == b"24:00:00"
    for value in (DAY + 1, -1):
        with pytest.raises(DatetimeOverflow):
            TIME_FORM.receive(value.to_bytes(8, "big", signed=True))
    with pytest.raises(InvalidBinary):
        TIME_FORM.receive(b"")


def test_a_time_with_a_zone_has_a_number_for_it() -> None:
    """A name's offset would depend on today's date."""
    assert TIMETZ.output(TIMETZ.input(b"12:34 UTC", STYLE), -1, STYLE) == b"12:34:00+00"
    with pytest.raises(UnsupportedInput):
        TIMETZ.input(b"12:34", STYLE)
    with pytest.raises(ZoneOverflow):
        TIMETZ.receive(bytes(8) + (16 * 3600).to_bytes(4, "big"))
