"""The settings of a session that decide how PostgreSQL prints a value, as one frozen argument.

PostgreSQL reports DateStyle, IntervalStyle and TimeZone in ParameterStatus; extra_float_digits it does
not, so the session takes it from the start-up options and SET (its default since PostgreSQL 12 is 1).
``bytea_output`` is pinned to hex (design, rule 1). Made by the session; read by ``protect/forms``.
"""

from dataclasses import dataclass, replace

from strongroom.errors import UnsupportedInput

_DATE_STYLES = {"iso": "ISO", "sql": "SQL", "postgres": "Postgres", "german": "German"}
_DATE_ORDERS = ("MDY", "DMY", "YMD")
_INTERVAL_STYLES = ("postgres", "postgres_verbose", "sql_standard", "iso_8601")


@dataclass(frozen=True, slots=True)
class TextStyle:
    """How values are written as text in one session; the defaults are PostgreSQL's own."""

    date_style: str = "ISO"
    date_order: str = "MDY"
    interval_style: str = "postgres"
    time_zone: str = "UTC"
    extra_float_digits: int = 1

    def with_setting(self, name: str, value: str) -> "TextStyle":
        """This style after a ParameterStatus or SET; a setting that prints nothing changes nothing."""
        match name.lower():
            case "datestyle":
                style, order = _date_style(value)
                return replace(self, date_style=style, date_order=order)
            case "intervalstyle" if value in _INTERVAL_STYLES:
                return replace(self, interval_style=value)
            case "timezone":
                return replace(self, time_zone=value)
            case "extra_float_digits" if value.strip().lstrip("-").isdecimal():
                return replace(self, extra_float_digits=int(value))
            case "intervalstyle" | "extra_float_digits":
                raise UnsupportedInput(f"this {name} is not supported", hint="leave it at its default")
        return self


def _date_style(reported: str) -> tuple[str, str]:
    """("ISO", "MDY") of the reported ``ISO, MDY`` (manual, "Date/Time Output")."""
    style, _, order = reported.partition(",")
    known = _DATE_STYLES.get(style.strip().lower())
    if known is None or order.strip() not in _DATE_ORDERS:
        raise UnsupportedInput("this DateStyle is not supported", hint="use ISO, SQL, Postgres or German")
    return known, order.strip()
