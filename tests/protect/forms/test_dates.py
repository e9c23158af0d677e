"""protect/forms/dates.py: dates; the styles are held against PostgreSQL elsewhere."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import DatetimeOverflow, InvalidDatetime, UnsupportedInput
from strongroom.protect.forms.calendar import MAX_DATE, MIN_DATE
from strongroom.protect.forms.dates import DATE_FORM, pack, unpack
from strongroom.protect.style import TextStyle

STYLE = TextStyle()


@given(st.dates())
def test_a_date_is_pythons(day: date) -> None:
    """From ISO 8601 and back."""
    canonical = DATE_FORM.input(day.isoformat().encode(), STYLE)
    assert unpack(canonical) == (day - date(2000, 1, 1)).days
    assert DATE_FORM.output(canonical, -1, STYLE) == day.isoformat().encode()


@given(st.integers(MIN_DATE, MAX_DATE))
def test_every_date_reads_back(days: int) -> None:
    """Of all years, before Christ too."""
    assert DATE_FORM.input(DATE_FORM.output(pack(days), -1, STYLE), STYLE) == pack(days)


@pytest.mark.parametrize("days", [MIN_DATE - 1, MAX_DATE + 1])
def test_the_range_ends_where_postgresqls_does(days: int) -> None:
    """In both directions, also in binary."""
    with pytest.raises(DatetimeOverflow):
        pack(days)
    with pytest.raises(DatetimeOverflow):
        DATE_FORM.receive(days.to_bytes(4, "big", signed=True))


@pytest.mark.parametrize(("order", "month"), [("MDY", 1), ("DMY", 2)])
def test_the_session_says_what_stands_before_the_month(order: str, month: int) -> None:
    """Where the year stands last."""
    style = TextStyle(date_order=order)
    for text in (b"01/02/2003", b"1.2.2003", b"1-2-2003"):
        expected = DATE_FORM.input(f"2003-{month}-{3 - month}".encode(), STYLE)
        assert DATE_FORM.input(text, style) == expected
    with pytest.raises(UnsupportedInput):
        DATE_FORM.input(b"01/02/2003", TextStyle(date_order="YMD"))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"", InvalidDatetime),
        (b"soon", InvalidDatetime),
        (b"now", UnsupportedInput),
        (b"01/02/03", UnsupportedInput),
        (b"13/02/2003", DatetimeOverflow),
        (b"2024-02-30", DatetimeOverflow),
        (b"0000-01-01", DatetimeOverflow),
        (b"2024-01-01 25:00", DatetimeOverflow),
        (b"2024-01-01 10:00 No/Where", UnsupportedInput),
    ],
)
def test_what_is_no_date_is_told_from_what_we_do_not_read(text: bytes, error: type[Exception]) -> None:
    """Each with its own error."""
    with pytest.raises(error):
        DATE_FORM.input(text, STYLE)
