"""Octets of the log -> a record; for search, reports and exports.

Only what `encoding.encode` writes is read: canonical octets, of a known code, with every constant of that
code, every field of its record and nothing else. So what was read is what was recorded, octet by octet, and a
log that another program, a later version or somebody's editor wrote is not misread as ours.
"""

import json
from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar

from strongroom.audit.records.codes import CODE, CODES, Code, Record
from strongroom.audit.records.encoding import encode
from strongroom.audit.records.layout import Event, Leaf, Path, leaves, parts
from strongroom.errors import Bug, InvalidRecord

MAX_OCTETS = 1 << 20
"""Of one record; a statement that names every column of a thousand tables has a fraction of it."""

T = TypeVar("T")


def read(octets: bytes) -> Record:
    """The record that these octets are; raises `InvalidRecord`."""
    event = _parsed(octets)
    code = CODES.get(_found(event, CODE, str))
    if code is None:
        raise InvalidRecord("the audit log has a record of an unknown kind")
    record: Record = _built(code.record, event)
    # Constants, what follows from others, what does not belong and how it is written: all in one comparison.
    if _again(record, code) != octets:
        raise InvalidRecord(f"the audit log has a record of {code.name} that is not as one is written")
    return record


def _again(record: Record, code: Code) -> bytes:
    try:
        return encode(record)
    except Bug as error:
        raise InvalidRecord(
            f"the audit log has a record of {code.name} with a number out of bounds"
        ) from error


def _parsed(octets: bytes) -> Event:
    if len(octets) > MAX_OCTETS:
        raise InvalidRecord(f"the audit log has a record of more than {MAX_OCTETS} octets")
    try:
        found = json.loads(octets.decode())
    except (ValueError, RecursionError):  # a JSONDecodeError and a UnicodeDecodeError are ValueErrors
        raise InvalidRecord("the audit log has a record that is no JSON") from None
    if not isinstance(found, dict):
        raise InvalidRecord("the audit log has a record that is no JSON object")
    return found


def _built(kind: type[T], event: Event) -> T:
    """A record, or a part of one, of what stands at the places of its fields."""
    inner = parts(kind)
    fields: dict[str, Any] = {name: _built(part, event) for name, part in inner.items()}
    for leaf in leaves(kind):
        if leaf.name[0] not in inner:
            fields[leaf.name[0]] = _value(event, leaf)
    return kind(**fields)


def _value(event: Event, leaf: Leaf) -> object:
    found = _at(event, leaf.place)
    if found is None:
        if leaf.is_optional:
            return None
        raise InvalidRecord(f"the audit log has a record without {'.'.join(leaf.place)}")
    if not leaf.is_list:
        return _item(found, leaf)
    if not isinstance(found, list):
        raise _unfit(leaf.place)
    return tuple(_item(one, leaf) for one in found)


def _item(value: object, leaf: Leaf) -> object:
    kind = leaf.kind
    if issubclass(kind, Enum):
        try:
            return kind(value)
        except ValueError:
            raise _unfit(leaf.place) from None
    if kind in {str, int, bool}:
        if type(value) is not kind:  # a bool is an int, and here it is not
            raise _unfit(leaf.place)
        return value
    if not isinstance(value, dict):
        raise _unfit(leaf.place)
    return _built(kind, value)


def _at(event: Mapping[str, Any], place: Path) -> Any:
    found: Any = event
    for name in place:
        if not isinstance(found, dict):
            return None
        found = found.get(name)
    return found


def _found(event: Event, place: Path, kind: type[T]) -> T:
    found = _at(event, place)
    if not isinstance(found, kind):
        raise _unfit(place)
    return found


def _unfit(place: Path) -> InvalidRecord:
    return InvalidRecord(f"the audit log has a record whose {'.'.join(place)} is of another kind")
