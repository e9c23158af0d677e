"""protect/forms/printed.py: what PostgreSQL prints of dates and timestamps, read back, in every DateStyle."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import StrongroomError
from strongroom.protect.canonical import form_of
from strongroom.protect.forms import printed, times
from strongroom.protect.forms.calendar import MAX_DATE, MIN_DATE
from strongroom.protect.style import TextStyle
from strongroom.wire.postgres import types

STYLES = [
    TextStyle().with_setting("DateStyle", style)
    for style in ("SQL, DMY", "SQL, MDY", "SQL, YMD", "Postgres, DMY", "Postgres, MDY", "German, DMY")
]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "<-07>+07"]

days = st.integers(MIN_DATE, MAX_DATE) | st.integers(-10_000, 10_000)
instants = st.integers(-210_000_000_000_000_000, 9_000_000_000_000_000_000) | st.integers(
    -1_000_000_000_000_000, 2_000_000_000_000_000
)


@given(days | st.sampled_from([2**31 - 1, -(2**31)]), st.sampled_from(STYLES))
def test_dates_read_back(value: int, style: TextStyle) -> None:
    """Whatever the order of day and month, BC and the infinities included."""
    canonical = value.to_bytes(4, signed=True)
    read = printed.styled(types.DATE, style)
    assert read is not None
    assert read(form_of(types.DATE).output(canonical, -1, style)) == canonical


@given(instants | st.sampled_from([2**63 - 1, -(2**63)]), st.sampled_from(STYLES), st.sampled_from(ZONES))
def test_timestamps_read_back(value: int, style: TextStyle, zone: str) -> None:
    """With and without a zone, of which an abbreviation is printed."""
    style = style.with_setting("TimeZone", zone)
    canonical = value.to_bytes(8, signed=True)
    for oid in (types.TIMESTAMP, types.TIMESTAMPTZ):
        read = printed.styled(oid, style)
        assert read is not None
        assert read(form_of(oid).output(canonical, -1, style)) == canonical


def test_the_hour_that_comes_twice_is_told_by_its_abbreviation() -> None:
    """02:30 CEST in Berlin, and an hour later 02:30 CET, as without a name that is known."""
    style = STYLES[0].with_setting("TimeZone", "Europe/Berlin")
    read = printed.styled(types.TIMESTAMPTZ, style)
    assert read is not None
    summer, winter = (
        times.unpack(read(b"27/10/2024 02:30:00 " + abbreviation)) for abbreviation in (b"CEST", b"CET")
    )
    assert winter - summer == 3_600_000_000
    assert times.unpack(read(b"27/10/2024 02:30:00 XYZ")) == winter


def test_iso_reads_back_by_itself() -> None:
    """As do other types."""
    assert printed.styled(types.DATE, TextStyle()) is None
    assert printed.styled(types.INT4, STYLES[0]) is None


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    "value", [b"", b"2024-02-29", b"Thu Foo 29 12:00:00 2024", b"29/02/24", b"\xff", b"29/02/2024 12:00"]
)
def test_anything_else_is_refused(style: TextStyle, value: bytes) -> None:
    """It was not printed in this style."""
    for oid in (types.DATE, types.TIMESTAMP, types.TIMESTAMPTZ):
        read = printed.styled(oid, style)
        assert read is not None
        with pytest.raises(StrongroomError):
            read(value)
