"""Where in an OCSF event each field of a record stands.

A record is a dataclass; each field says its place in the event (`at`), or is itself a dataclass whose fields
do. Of that one description `encoding` makes events, `reading` reads them and `schema` describes them, so that
the three cannot differ.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

Path = tuple[str, ...]
Event = dict[str, Any]

NAME_LIMIT = 512
"""Characters of a string unless more is said: four names of PostgreSQL's 63 octets, quoted, are shorter."""
_PLACE = "place"
_LIMIT = "limit"


def at(place: str, *, limit: int = NAME_LIMIT, default: Any = dataclasses.MISSING) -> Any:
    """A field that stands at ``a.b.c`` of the event; a longer string is cut to ``limit`` characters."""
    return dataclasses.field(default=default, metadata={_PLACE: tuple(place.split(".")), _LIMIT: limit})


@dataclass(frozen=True, slots=True)
class Leaf:
    """One field of a record, down to what JSON has: a string, a number, a truth, or a list."""

    name: Path
    """Where it stands in the record."""
    place: Path
    """Where it stands in the event."""
    kind: type
    """`str`, `int`, `bool`, an enum; of a list that of its items, or a dataclass of an item's fields."""
    is_list: bool
    is_optional: bool
    """Absent where it is None."""
    limit: int


def leaves(record: type) -> tuple[Leaf, ...]:
    """All fields of a record, those of the dataclasses in it too, in the order of its fields."""
    if record not in _known:
        _known[record] = tuple(_leaves(record))
    return _known[record]


_known: dict[type, tuple[Leaf, ...]] = {}
"""There are as many as records and parts of them."""


def _leaves(record: type) -> Iterator[Leaf]:
    hints = get_type_hints(record)
    for field in dataclasses.fields(record):
        kind, is_list, is_optional = _taken_apart(hints[field.name])
        if _PLACE in field.metadata:
            place, limit = field.metadata[_PLACE], field.metadata[_LIMIT]
            yield Leaf((field.name,), place, kind, is_list, is_optional, limit)
        else:
            yield from (dataclasses.replace(one, name=(field.name, *one.name)) for one in leaves(kind))


def _taken_apart(hint: Any) -> tuple[type, bool, bool]:
    """Of ``tuple[X, ...] | None``: X, that it is a list, and that it may be absent."""
    is_optional = get_origin(hint) in {Union, UnionType}
    if is_optional:
        (hint,) = (one for one in get_args(hint) if one is not type(None))
    is_list = get_origin(hint) is tuple
    return (get_args(hint)[0] if is_list else hint), is_list, is_optional


def parts(record: type) -> Mapping[str, type]:
    """The dataclasses within a record, by the names of their fields."""
    if record not in _parts:
        hints = get_type_hints(record)
        names = [one.name for one in dataclasses.fields(record) if _PLACE not in one.metadata]
        _parts[record] = {name: hints[name] for name in names}
    return _parts[record]


_parts: dict[type, Mapping[str, type]] = {}


def put(event: Event, place: Path, value: object) -> None:
    """Puts a value at its place."""
    for name in place[:-1]:
        event = event.setdefault(name, {})
    event[place[-1]] = value


def written(leaf: Leaf, value: Any) -> object:
    """A field's value as JSON has it."""
    if leaf.is_list:
        return [_item(leaf, one) for one in value]
    return _item(leaf, value)


def written_as(kind: type, value: object) -> Event:
    """A dataclass of fields, such as an item of a list, as JSON has it."""
    found: Event = {}
    for one in leaves(kind):
        put(found, one.place, written(one, getattr(value, one.name[0])))
    return found


def _item(leaf: Leaf, value: Any) -> object:
    if dataclasses.is_dataclass(leaf.kind):
        return written_as(leaf.kind, value)
    if isinstance(value, Enum):
        return value.value
    return _bounded(value, leaf.limit) if isinstance(value, str) else value


def _bounded(text: str, limit: int) -> str:
    """Valid Unicode of at most so many characters, so that it is the same for every reader of JSON."""
    return text.encode(errors="replace").decode()[:limit]
