"""The single values of roles."""

from collections.abc import Callable
from datetime import time, timedelta
from ipaddress import ip_network

import pytest
from pydantic_core import PydanticCustomError

from strongroom.config import role_values
from strongroom.policy.model import Mask
from strongroom.policy.pattern import ANY, Pattern, exact


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("public.customers", exact("public", "customers")),
        ("Public.CUSTOMERS", exact("public", "customers")),
        ('public."Customers"', exact("public", "Customers")),
        ('"a.b"."c""d"', exact("a.b", 'c"d')),
        ('public."a*"', exact("public", "a*")),
        ("public.*", Pattern((("public",), ANY))),
        ("public.Cust*_x", Pattern((("public",), ("cust", "_x")))),
        ("public.**", Pattern((("public",), ANY))),
        ("*", Pattern((ANY, ANY))),
        ("public.CAFÉ", exact("public", "cafÉ")),
        ("public.cafe\u0301", None),
        ('public."cafe\u0301"', exact("public", "cafe\u0301")),
        ("public", None),
        ("a.b.c", None),
        ("public.", None),
        ("public.a b", None),
        ('public."a', None),
        ("public.1a", None),
        ("public." + "x" * 64, None),
        ("public.a\n", None),
        (7, None),
    ],
)
def test_patterns(text: object, pattern: Pattern | None) -> None:
    """Names fold as PostgreSQL folds them: letters of ASCII alone, and nothing in quotes."""
    if pattern is None:
        with pytest.raises(PydanticCustomError):
            role_values.parse_pattern(text)
    else:
        assert role_values.parse_pattern(text) == pattern


@pytest.mark.parametrize(
    ("text", "days", "begin", "end"),
    [
        ("Mon-Fri 08:00-18:00 Europe/Berlin", {0, 1, 2, 3, 4}, time(8), time(18)),
        ("Sat,Sun 00:00-24:00 UTC", {5, 6}, time(0), time(0)),
        ("Fri-Mon 22:00-06:00 UTC", {4, 5, 6, 0}, time(22), time(6)),
        ("Mon 22:00-24:00 UTC", {0}, time(22), time(0)),
        ("Mon-Sun 00:00-00:00 UTC", set(range(7)), time(0), time(0)),
    ],
)
def test_hours(text: str, days: set[int], begin: time, end: time) -> None:
    """Days, from, to and a zone."""
    (hours,) = role_values.parse_hours(text)
    assert (set(hours.days), hours.begin, hours.end) == (days, begin, end)


PARSERS: dict[str, tuple[Callable[[object], object], list[object]]] = {
    "hours": (
        role_values.parse_hours,
        [
            "Mon-Fri 08:00-18:00",
            "Mon-Fri 8:00-18:00 UTC",
            "Mon-Fri 08:00-25:00 UTC",
            "Mon-Fri 24:00-08:00 UTC",
            "Mon-Fri 08:00-08:00 UTC",
            "Mon-Fry 08:00-18:00 UTC",
            "mon 08:00-18:00 UTC",
            "Mon-Fri 08:00-18:00 Mars/Base",
            "Mon-Fri 08:00-18:00 Europe",
            "Mon-Fri 08:00-18:00 ../../etc/passwd",
            "Mon-Fri 08:00-18:00 /etc/localtime",
            [],
            8,
        ],
    ),
    "networks": (
        role_values.parse_networks,
        ["10.0.0.1/8", "10.0.0", "::ffff:10.0.0.1", "10.0.0.0/33", "localhost", [], 167772160],
    ),
    "duration": (role_values.parse_duration, ["15", "0m", "m", "-5m", "15 m", "1h30m", "999999d", "１m"]),
    "treatment": (
        role_values.parse_treatment,
        ["show", {}, {"show": "yes"}, {"filter": "yes"}, {"filter": False}, {"shown": "reveal"}, None],
    ),
    "show": (
        role_values.parse_show,
        [
            "nothing",
            {"mask": "reveal"},
            {"mask": "last"},
            {"mask": "last", "n": 0},
            {"mask": "last", "n": True},
            {"mask": "last", "n": "4"},
            {"mask": "last", "n": 4, "text": "x"},
            {"mask": "email", "n": 4},
            {"mask": "date", "to": "day"},
            {"mask": "fixed", "text": "x" * 1001},
            {"mask": "number", "step": -1},
            {"mask": ["last"]},
        ],
    ),
    "actions": (role_values.parse_actions, [[], ["reveal"], "select", ["select", []], None]),
    "yes": (role_values.parse_yes, [False, "yes", 1, None]),
    "about": (role_values.parse_about, ["class:", "class:Secret", "class: secret", "public.a"]),
    "name": (role_values.parse_name, ["", "a.b", "rôle", "а", "-a", "a b", "x" * 65, True]),
    "names": (role_values.parse_names, [[], [7], None]),
}  # fmt: skip


@pytest.mark.parametrize(
    ("parser", "value"), [(name, value) for name, (_, values) in PARSERS.items() for value in values]
)
def test_what_is_refused(parser: str, value: object) -> None:
    """What is none is refused, and never repeated: it may have come from the environment."""
    with pytest.raises(PydanticCustomError) as caught:
        PARSERS[parser][0](value)
    told = caught.value.message()
    assert not isinstance(value, str) or len(value) < 9 or value not in told


def test_what_is_taken() -> None:
    """One value or a list of them; YAML's null is the name of a mask."""
    assert role_values.parse_networks("192.0.2.7") == (ip_network("192.0.2.7/32"),)
    assert role_values.parse_networks(["2001:db8::/32"]) == (ip_network("2001:db8::/32"),)
    assert role_values.parse_duration("90s") == timedelta(seconds=90)
    assert role_values.parse_names("psql") == {"psql"}
    assert role_values.parse_show({"mask": None}) == Mask("null")
    assert role_values.parse_show({"mask": "date", "to": "month"}) == Mask("date", "month")
    assert role_values.parse_show({"mask": "number", "step": 1000}) == Mask("number", 1000)
    assert role_values.parse_treatment({"filter": True}).show is None
