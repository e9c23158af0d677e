"""The keyed hashes in a session's records: of the values that its statements hold against keyed columns.

Which values these are, the analysis says (`sql.keyed`); here they are brought to the canonical form of the
column's type, as protected values are before they are sealed, so that a value has one hash however it came:
in text or in binary, as a literal, in a narrower or wider type. What cannot be brought there is said to be
unknown; no statement is refused for it.

Used by `guard`; pure.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from strongroom.audit.records.keyed import TYPES, KeyedColumn
from strongroom.audit.records.statements import MORE, UNKNOWN, Keyed
from strongroom.protect.canonical import BINARY_FORMAT, TEXT_FORMAT, Sent, Use, encoder
from strongroom.protect.forms import arrays
from strongroom.protect.scheme import split_column
from strongroom.protect.style import TextStyle
from strongroom.sql.keyed import KEYED_AT_MOST
from strongroom.sql.schema import ColumnId, Protection, Schema
from strongroom.sql.statement import KeyedValue, Resolved
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres import types
from strongroom.wire.postgres.types import DeclaredType

Names = tuple[str, str, str]
"""Schema, table and column, as the catalog spells them."""

_STRINGS = frozenset({types.TEXT, types.VARCHAR, types.BPCHAR})
_INTEGERS = {2: types.INT2, 4: types.INT4, 8: types.INT8}
_WHOLE = frozenset({0, *_INTEGERS.values()})
ARRAYS_AT_MOST = 65_536
"""Octets of a statement's arrays that are taken apart: it is done on the event loop that sessions share."""
_ELEMENT_OID = slice(8, 12)
"""In a binary array (arrayfuncs.c, array_send)."""


@dataclass(frozen=True, slots=True)
class Hashed:
    """A keyed column in a catalog."""

    type: DeclaredType
    hashes: KeyedColumn


def hashed_in(
    schema: Schema, protections: Mapping[ColumnId, Protection], keyed: Mapping[Names, KeyedColumn]
) -> dict[ColumnId, Hashed]:
    """Where the catalog has the keyed columns, as far as their types have hashes."""
    found: dict[ColumnId, Hashed] = {}
    for names, hashes in keyed.items():
        place = _place(schema, protections, names)
        if place is not None and place[1].oid in TYPES:
            found[place[0]] = Hashed(place[1], hashes)
    return found


def hashes(
    resolved: Resolved, hashed: Mapping[ColumnId, Hashed], style: TextStyle, bind: m.Bind | None
) -> tuple[Keyed, ...] | None:
    """Those of one execution, with the values that ``bind`` has; None where there can be none."""
    if not resolved.keyed:
        return None
    found: dict[Keyed, None] = {}
    looked, room = 0, _Room()
    for one in resolved.keyed:
        column = hashed.get(one.column)
        if column is None:
            continue  # the catalog is another by now
        for hash_ in _of(one, column, style, bind, room):
            looked += 1  # not those that are found: values that are alike cost as much as others
            if looked > KEYED_AT_MOST:
                found[Keyed(column.hashes.column, MORE)] = None
                break
            found[hash_] = None
    return tuple(found)


@dataclass(slots=True)
class _Room:
    """What of one statement's arrays may still be taken apart."""

    octets: int = ARRAYS_AT_MOST

    def has(self, array: bytes) -> bool:
        """Whether it has room for this one, too, which it then takes."""
        if len(array) > self.octets:
            return False
        self.octets -= len(array)
        return True


def _place(
    schema: Schema, protections: Mapping[ColumnId, Protection], names: Names
) -> tuple[ColumnId, DeclaredType] | None:
    """A protected column is known by the name that it was protected under."""
    for place, protection in protections.items():
        if split_column(protection.column) == names:
            return place, DeclaredType(protection.type_oid, protection.typmod)
    relation = schema.names.get(names[:2])
    if relation is None:
        return None
    found = (one for one in relation.columns if one.name == names[2])
    column = next((one for one in found if (relation.oid, one.attnum) not in protections), None)
    if column is None:
        return None
    return (relation.oid, column.attnum), DeclaredType(column.type_oid, column.typmod)


def _of(
    one: KeyedValue, column: Hashed, style: TextStyle, bind: m.Bind | None, room: _Room
) -> Iterator[Keyed]:
    if one.instead:
        yield Keyed(column.hashes.column, one.instead)
        return
    try:
        value, code = _sent(one, bind)
        if one.is_array and value is not None and not room.has(value):
            yield Keyed(column.hashes.column, MORE)
            return
        each, oid = _elements(one, column, value, code)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - no record is worth a statement that would have run
        yield Keyed(column.hashes.column, UNKNOWN)
        return
    sent = Sent(style, oid, code, Use.STORE if one.is_stored else Use.COMPARE, one.cut)
    for element in dict.fromkeys(each):
        if element is not None:
            yield _hash(column, element, sent)


def _sent(one: KeyedValue, bind: m.Bind | None) -> tuple[bytes | None, int]:
    if not one.client:
        return one.literal.encode(), TEXT_FORMAT
    if bind is None:
        raise LookupError
    return bind.values[one.client - 1], bind.format(one.client - 1)


def _elements(
    one: KeyedValue, column: Hashed, value: bytes | None, code: int
) -> tuple[Iterable[bytes | None], int]:
    """The values, and the type that each of them has."""
    if not one.is_array or value is None:
        return (value,), one.type_oid
    oid = types.ELEMENT_OF.get(one.type_oid, column.type.oid)
    if code == BINARY_FORMAT:
        oid = int.from_bytes(value[_ELEMENT_OID])
    return arrays.parse(value, oid, code).elements, oid


def _hash(column: Hashed, value: bytes, sent: Sent) -> Keyed:
    wanted, oid = column.type.oid, sent.client_oid
    if oid in _STRINGS and wanted not in _STRINGS:  # a cast reads it, as the column's type would
        sent = replace(sent, client_oid=wanted, format_code=TEXT_FORMAT)
    elif sent.format_code == BINARY_FORMAT and wanted in _INTEGERS.values() and oid in _WHOLE:
        # What PostgreSQL took it for, where Parse did not say.
        sent = replace(sent, client_oid=_INTEGERS.get(len(value), oid))
    try:
        return column.hashes.of(_encoder(column.type, sent)(value))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - as above
        return Keyed(column.hashes.column, UNKNOWN)


@lru_cache(maxsize=256)
def _encoder(declared: DeclaredType, sent: Sent) -> Callable[[bytes], bytes]:
    return encoder(declared, sent)
