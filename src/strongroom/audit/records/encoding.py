"""A record as an event of OCSF, and the event as canonical octets.

The octets are those of RFC 8785 (JCS): UTF-8 on one line, keys sorted, no blanks, numbers that are whole and
below 2^53. So a record has one form, its hash can be made again from what it says, and any other program that
knows the RFC makes the same. Python's own encoder does it: all our keys are ASCII, where its order is the
RFC's (section 3.2.3), its escapes are the RFC's (section 3.2.2.2), and there are no fractions.

Called by whoever records something, and `lines` for its parts.
"""

import json
from typing import Any

from strongroom.audit.records.codes import CODE, Code, Record, code_of, type_uid
from strongroom.audit.records.layout import Event, Leaf, leaves, put, written
from strongroom.errors import Bug

GREATEST = 2**53 - 1
"""RFC 8785, section 3.1: numbers are those of IEEE 754, which are exact up to here."""

_JSON = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def encode(record: Record) -> bytes:
    """The octets of a record."""
    return canonical(event(record))


def event(record: Record) -> Event:
    """The event that a record is."""
    code = code_of(record)
    found: Event = {}
    for place, value in code.constants.items():
        put(found, place, value)
    put(found, CODE, code.name)
    for leaf in leaves(type(record)):
        value = _value(record, leaf)
        if value is not None:
            put(found, leaf.place, written(leaf, value))
    return finished(found, code)


def finished(found: Event, code: Code) -> Event:
    """With what follows from the rest: the type is class and activity."""
    activity = found["activity_id"] if code.activity is None else code.activity
    found["activity_id"] = activity
    found["type_uid"] = type_uid(code, activity)
    return found


def canonical(value: Any) -> bytes:
    """Any of our events, or a part of one."""
    return _JSON.encode(value).encode()


def _value(record: object, leaf: Leaf) -> Any:
    value: Any = record
    for name in leaf.name:
        value = getattr(value, name)
    if isinstance(value, int) and not 0 <= value <= GREATEST:
        raise Bug(f"a record has a number out of bounds: {'.'.join(leaf.place)}")
    return value
