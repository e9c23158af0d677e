"""protect/style.py: the settings that decide how values are printed."""

import pytest

from strongroom.errors import UnsupportedInput
from strongroom.protect.style import TextStyle


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("DateStyle", "ISO, DMY", TextStyle(date_order="DMY")),
        ("datestyle", "Postgres, MDY", TextStyle(date_style="Postgres")),
        ("DateStyle", "SQL, YMD", TextStyle(date_style="SQL", date_order="YMD")),
        ("DateStyle", "German, DMY", TextStyle(date_style="German", date_order="DMY")),
        ("IntervalStyle", "iso_8601", TextStyle(interval_style="iso_8601")),
        ("TimeZone", "Europe/Berlin", TextStyle(time_zone="Europe/Berlin")),
        ("extra_float_digits", "-3", TextStyle(extra_float_digits=-3)),
        ("application_name", "x", TextStyle()),
        ("server_version", "18.1", TextStyle()),
    ],
)
def test_a_reported_setting_is_taken_up(name: str, value: str, expected: TextStyle) -> None:
    """Those that print something; the others change nothing."""
    assert TextStyle().with_setting(name, value) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [("DateStyle", "Redwood"), ("DateStyle", "ISO"), ("IntervalStyle", "x"), ("extra_float_digits", "many")],
)
def test_an_unknown_style_is_refused(name: str, value: str) -> None:
    """No value is printed in a style that we guess."""
    with pytest.raises(UnsupportedInput):
        TextStyle().with_setting(name, value)
