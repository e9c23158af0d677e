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
    for style in (
        "ISO, MDY",
        "ISO, YMD",
        "SQL, DMY",
        "SQL, MDY",
        "SQL, YMD",
        "Postgres, DMY",
        "Postgres, MDY",
        "German, DMY",
    )
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
    style = STYLES[2].with_setting("TimeZone", "Europe/Berlin")
    read = printed.styled(types.TIMESTAMPTZ, style)
    assert read is not None
    summer, winter = (
        times.unpack(read(b"27/10/2024 02:30:00 " + abbreviation)) for abbreviation in (b"CEST", b"CET")
    )
    assert winter - summer == 3_600_000_000
    assert times.unpack(read(b"27/10/2024 02:30:00 XYZ")) == winter


def test_other_types_read_back_by_themselves() -> None:
    """They know no style."""
    for style in STYLES:
        assert printed.styled(types.INT4, style) is None
        assert printed.styled(types.TIME, style) is None


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    "value", [b"", b"2024/02/29", b"Thu Foo 29 12:00:00 2024", b"29/02/24", b"\xff", b"29/02/2024 12:00"]
)
def test_anything_else_is_refused(style: TextStyle, value: bytes) -> None:
    """It was not printed in this style."""
    for oid in (types.DATE, types.TIMESTAMP, types.TIMESTAMPTZ):
        read = printed.styled(oid, style)
        assert read is not None
        with pytest.raises(StrongroomError):
            read(value)


def test_another_style_is_not_read_as_this_one() -> None:
    """Day and month would be exchanged, or the value be taken for none."""
    value = (0).to_bytes(8, signed=True)
    for printed_in in STYLES:
        for read_in in STYLES:
            if printed_in.date_style == read_in.date_style:
                continue
            for oid, canonical in (
                (types.DATE, value[:4]),
                (types.TIMESTAMP, value),
                (types.TIMESTAMPTZ, value),
            ):
                read = printed.styled(oid, read_in)
                assert read is not None
                with pytest.raises(StrongroomError):
                    read(form_of(oid).output(canonical, -1, printed_in))
