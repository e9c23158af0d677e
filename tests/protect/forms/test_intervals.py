"""protect/forms/intervals.py: intervals; the styles are held against PostgreSQL elsewhere."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import IntervalOverflow, InvalidDatetime, UnsupportedInput
from strongroom.protect.forms.intervals import INTERVAL
from strongroom.protect.style import TextStyle

fields = st.tuples(
    st.integers(-(2**62), 2**62), st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31) + 12, 2**31 - 1)
)


@given(fields, st.sampled_from(["postgres", "postgres_verbose", "iso_8601"]))
def test_every_interval_reads_back(parts: tuple[int, int, int], name: str) -> None:
    """Each of its three numbers with its own sign, in every style that has all signs."""
    style = TextStyle(interval_style=name)
    canonical = struct.pack(">qii", *parts)
    assert INTERVAL.input(INTERVAL.output(canonical, -1, style), style) == canonical


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (b"1 day", (0, 1, 0)),
        (b"2 weeks 1 d", (0, 15, 0)),
        (b"1 y -1 mon", (0, 0, 11)),
        (b"-1 days +02:03", (7_380_000_000, -1, 0)),
        (b"1.5 h", (5_400_000_000, 0, 0)),
        (b"1 day 5", (5_000_000, 1, 0)),
        (b"1.0 s 2 us", (1_000_002, 0, 0)),
        (b"@ 1 min ago", (-60_000_000, 0, 0)),
        (b"P1Y2M3W4DT5H6M7.5S", (18_367_500_000, 25, 14)),
    ],
)
def test_the_forms_that_are_read(text: bytes, parts: tuple[int, int, int]) -> None:
    """Units, times and ISO 8601."""
    assert struct.unpack(">qii", INTERVAL.input(text, TextStyle())) == parts


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"", InvalidDatetime),
        (b"long", InvalidDatetime),
        (b"1 day 2 days", InvalidDatetime),
        (b"1 h 01:00", InvalidDatetime),
        (b"2 ms 01:00:00", InvalidDatetime),
        (b"1.5 s 2 us", InvalidDatetime),
        (b"1 fortnight", UnsupportedInput),
        (b"0.5 days", UnsupportedInput),
        (b"infinity", UnsupportedInput),
        (b"2147483648 days", IntervalOverflow),
        (b"9" * 30 + b" s", IntervalOverflow),
        (b"01:60:00", IntervalOverflow),
    ],
)
def test_what_is_not_read(text: bytes, error: type[Exception]) -> None:
    """Each with its own error."""
    with pytest.raises(error):
        INTERVAL.input(text, TextStyle())


def test_the_extremes_mean_infinity_to_newer_servers() -> None:
    """And nothing to older ones, so that they are named."""
    for value in (b"\x7f" + b"\xff" * 7 + b"\x7f\xff\xff\xff" * 2, b"\x80" + bytes(7) + b"\x80\0\0\0" * 2):
        with pytest.raises(UnsupportedInput):
            INTERVAL.receive(value)


@pytest.mark.parametrize("text", [b" P1Y", b"P1Y ", b"P", b"PT", b"P1YT"])
def test_iso_8601_stands_alone(text: bytes) -> None:
    """PostgreSQL refuses white space around it, and a designator with nothing after it."""
    with pytest.raises((InvalidDatetime, UnsupportedInput)):
        INTERVAL.input(text, TextStyle())
