"""The single values of roles: patterns, showings, hours, durations, networks.

Each ``parse_...`` takes what YAML gave and returns a value of `policy`, or raises ``invalid`` with what is
wrong and what to write instead; ``roles`` hangs them on keys.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import time, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from strongroom.config.values import MAX_IDENTIFIER_BYTES, expect_text, folded, invalid
from strongroom.policy.conditions import Hours, Network
from strongroom.policy.model import TABLE_ACTIONS, Action, DataClass, Mask
from strongroom.policy.pattern import ANY, Part, Pattern
from strongroom.policy.roles import REVEAL, ColumnRule, TableRule

__all__ = [
    "About",
    "Treatment",
    "parse_about",
    "parse_actions",
    "parse_column_pattern",
    "parse_duration",
    "parse_hours",
    "parse_name",
    "parse_names",
    "parse_networks",
    "parse_pattern",
    "parse_show",
    "parse_treatment",
    "parse_yes",
    "parse_zone",
]

About = Pattern | DataClass
Treatment = ColumnRule
"""A rule without its place, and about nothing in particular."""

_T = TypeVar("_T")

_PART = re.compile(r'"((?:[^"\x00]|"")+)"|([^\W\d][\w$*]*|\*[\w$*]*)')
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")


def parse_name(value: object) -> str:
    """Of a role or a group: ASCII, so that two that look alike are the same."""
    name = expect_text(value, "a name")
    if not _NAME.fullmatch(name):
        raise invalid("is not a name for a role or group", instead="write letters of ASCII, digits, _ and -")
    return name


def parse_pattern(value: object) -> Pattern:
    """``public.customers``, ``public.*``, ``*`` for tables and functions."""
    return _pattern(value, 2, "schema.table, such as public.customers or public.*")


def parse_column_pattern(value: object) -> Pattern:
    """``public.customers.email``, ``public.*.email``, ``*`` for columns."""
    return _pattern(value, 3, "schema.table.column, such as public.customers.email or public.*.email")


def parse_about(value: object) -> About:
    """A pattern for columns, or ``class:`` and the name of one."""
    text = expect_text(value, "a column")
    kind, found, name = text.partition(":")
    if kind != "class" or not found:
        return parse_column_pattern(text)
    if name not in list(DataClass):
        raise invalid("names no class of columns", instead=f"choose from {', '.join(DataClass)}")
    return DataClass(name)


def _pattern(value: object, length: int, form: str) -> Pattern:
    text = expect_text(value, "a name")
    if text == "*":
        return Pattern((ANY,) * length)
    parts, at = [], 0
    while found := _PART.match(text, at):
        parts.append(_part(found[1], found[2]))
        at = found.end() + 1
        if text[found.end() : at] != ".":
            break
    if len(parts) != length or at != len(text) + 1:
        raise invalid("is not a full name or a pattern", instead=f"write {form}, or * for all")
    return Pattern(tuple(parts))


def _part(quoted: str | None, plain: str | None) -> Part:
    if quoted is not None:
        part: Part = (quoted.replace('""', '"'),)
    else:
        part = tuple(re.split(r"\*+", folded(plain or "")))
    if any(len(piece.encode()) > MAX_IDENTIFIER_BYTES for piece in part):
        raise invalid(
            f"has a part longer than the {MAX_IDENTIFIER_BYTES} bytes that PostgreSQL keeps of a name"
        )
    return part


_OF_ALL = {Action.UPDATE: Action.UPDATE_ALL, Action.DELETE: Action.DELETE_ALL}


def parse_actions(value: object) -> TableRule:
    """``[select, update]``, or ``nothing``."""
    known = [action.value for action in TABLE_ACTIONS]
    if value == "nothing":
        return TableRule(Pattern(()), nothing=True)
    if not isinstance(value, list) or not value or not all(one in known for one in value):
        raise invalid("must be a list of actions, or nothing", instead=f"choose from {', '.join(known)}")
    actions = frozenset(map(Action, value))
    for one, all_rows in _OF_ALL.items():
        if all_rows in actions and one not in actions:
            raise invalid(
                f"has {all_rows}, which lets {one} do without a WHERE, and no {one}",
                instead=f"write [{one}, {all_rows}]",
            )
    return TableRule(Pattern(()), actions)


_WORDS = {
    "reveal": Treatment(DataClass.PUBLIC, REVEAL, filter=True, write=True),
    "write_only": Treatment(DataClass.PUBLIC, write=True),
    "nothing": Treatment(DataClass.PUBLIC, nothing=True),
}


def parse_treatment(value: object) -> Treatment:
    """``reveal``, ``write_only``, ``nothing``, or ``{show: ..., filter: yes, write: yes}``."""
    if isinstance(value, str) and value in _WORDS:
        return _WORDS[value]
    keys = {"show", "filter", "write"}
    if not isinstance(value, Mapping) or not value or not keys.issuperset(value):
        raise invalid(
            "does not say how the column may be used",
            instead=f"write {', '.join(_WORDS)}, or {{show: {{mask: email}}, filter: yes, write: yes}}",
        )
    show = parse_show(value["show"]) if "show" in value else None
    use = {key: value.get(key, False) for key in ("filter", "write")}
    if not all(isinstance(one, bool) for one in use.values()):
        raise invalid("has a filter: or write: that is neither yes nor no")
    if show is None and not any(use.values()):
        raise invalid(
            "gives nothing", instead="write nothing, which no other role can overrule, or leave it out"
        )
    return Treatment(DataClass.PUBLIC, show, filter=bool(use["filter"]), write=bool(use["write"]))


_BARE_MASKS = ("constant", "null", "full", "hash", "email", "card")
_ARGUMENTS = {"first": "n", "last": "n", "fixed": "text", "date": "to", "number": "step"}
_MAX_KEPT = 1_000
_MAX_STEP = 10**12
_MAX_TEXT = 1_000


def parse_show(value: object) -> Mask:
    """``reveal``, or ``{mask: NAME}`` with the argument that the mask takes."""
    if value == "reveal":
        return REVEAL
    name = value.get("mask", 0) if isinstance(value, Mapping) else 0
    name = "null" if name is None else name  # which is what YAML makes of the mask's name
    if not isinstance(value, Mapping) or not isinstance(name, str):
        raise invalid("has a show: that is none", instead="write show: reveal, or show: {mask: email}")
    if name in _BARE_MASKS and len(value) == 1:
        return Mask(name)
    key = _ARGUMENTS.get(name)
    if key is None and name not in _BARE_MASKS:
        raise invalid("names no mask", instead=f"choose from {', '.join((*_BARE_MASKS, *_ARGUMENTS))}")
    if key is None or set(value) != {"mask", key}:
        raise invalid(
            f"gives the mask {name} other keys than it takes",
            instead=f"write {{mask: {name}{f', {key}: ...' if key else ''}}}",
        )
    return Mask(name, _argument(key, value[key]))


def _argument(key: str, value: object) -> str | int:
    if key in ("n", "step"):
        largest = _MAX_KEPT if key == "n" else _MAX_STEP
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= largest:
            return value
        raise invalid(f"has a mask whose {key}: is no number from 1 to {largest}")
    text = expect_text(value, f"the mask's {key}:")
    if key == "to" and text not in ("month", "year"):
        raise invalid("has a mask of dates to something else", instead="write to: month, or to: year")
    if len(text) > _MAX_TEXT:
        raise invalid(f"has a mask whose text is longer than {_MAX_TEXT} characters")
    return text


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_duration(value: object) -> timedelta:
    """``90s``, ``15m``, ``8h``, ``1d``."""
    found = re.fullmatch(r"([1-9][0-9]{0,4})([smhd])", expect_text(value, "a time"), re.ASCII)
    if not found:
        raise invalid("is not a length of time", instead="write a number and s, m, h or d, such as 15m")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


def parse_networks(value: object) -> tuple[Network, ...]:
    """Addresses and networks in CIDR notation, one or a list."""
    return _several(value, "an address", _network)


def _network(value: object) -> Network:
    try:
        network = ipaddress.ip_network(expect_text(value, "an address"))
    except ValueError:
        raise invalid(
            "is not an address or a network", instead="write 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32"
        ) from None
    if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped:
        raise invalid("is an IPv4 address written as IPv6", instead="write it as IPv4")
    return network


def parse_names(value: object) -> frozenset[str]:
    """Names of programs or tenants, one or a list."""
    return frozenset(_several(value, "a name", lambda one: expect_text(one, "a name")))


def parse_yes(value: object) -> bool:
    """``yes``; that something need not be is said by leaving it out."""
    if value is not True:
        raise invalid("must be yes", instead="leave the key out where it is not needed")
    return True


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HOURS = re.compile(r"(\S+) ([0-2][0-9]):([0-5][0-9])-([0-2][0-9]):([0-5][0-9]) (\S+)")


def parse_hours(value: object) -> tuple[Hours, ...]:
    """``Mon-Fri 08:00-18:00 Europe/Berlin``, one or a list."""
    return _several(value, "hours", _hours)


def _hours(value: object) -> Hours:
    found = _HOURS.fullmatch(expect_text(value, "hours"))
    if not found:
        raise _no_hours()
    begin, end = _clock(found[2], found[3]), _clock(found[4], found[5], last=True)
    if begin == end and begin != time():
        raise invalid("begins when it ends", instead="write 00:00-24:00 for the whole day")
    return Hours(_days(found[1]), begin, end, parse_zone(found[6]))


def _clock(hour: str, minute: str, *, last: bool = False) -> time:
    if last and (hour, minute) == ("24", "00"):
        return time()
    if int(hour) > 23:
        raise _no_hours()
    return time(int(hour), int(minute))


def _days(text: str) -> frozenset[int]:
    days: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first not in _DAYS or (last or first) not in _DAYS:
            raise _no_hours()
        begin, end = _DAYS.index(first), _DAYS.index(last or first)
        days |= {day % 7 for day in range(begin, end + 1 if begin <= end else end + 8)}
    return frozenset(days)


def parse_zone(name: str) -> ZoneInfo:
    """A time zone of the IANA database."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):  # none of that name, a folder of them, a path
        raise invalid(
            "names no time zone", instead="write one of the IANA database, such as Europe/Berlin or UTC"
        ) from None


def _no_hours() -> Exception:
    return invalid("are not hours", instead="write Mon-Fri 08:00-18:00 Europe/Berlin")


def _several(value: object, what: str, parse: Callable[[object], _T]) -> tuple[_T, ...]:
    values: Sequence[object] = value if isinstance(value, list) else [value]
    if not values:
        raise invalid(f"must be {what}, or a list of them", instead="leave the key out where all are meant")
    return tuple(parse(one) for one in values)
