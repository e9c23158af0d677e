"""By what a record is found: who, from where, what was done, to which tables and columns; no more of it.

A trait is a role and a name; records of one kind of deed by one client have the same, so that an index
needs few of them. They are taken from where the fields stand in the event (`layout`), so that a new record
has its own without a word here. Used by the index, and by a search to see that what the index gave is what
was asked for.
"""

from collections.abc import Iterator
from enum import StrEnum
from functools import reduce
from typing import Any

from strongroom.audit.records.codes import Record, code_of
from strongroom.audit.records.layout import Leaf, Path, leaves


class Role(StrEnum):
    """What a name is to a record."""

    EVENT = "event"
    """Its code."""
    WHO = "who"
    """Whoever did it, and to whom."""
    DATABASE = "database"
    ADDRESS = "address"
    TABLE = "table"
    REVEALED = "revealed"
    MASKED = "masked"
    FILTERED = "filtered"
    WRITTEN = "written"
    COLUMN = "column"
    """The column that a job is about."""
    KEYED = "keyed"
    """A column of which there are keyed hashes; these themselves are no traits, there are too many."""
    UNREADABLE = "unreadable"
    """Of what stands in the log and is not read: why."""


Trait = tuple[Role, str]
Traits = frozenset[Trait]

COLUMNS = frozenset({Role.REVEALED, Role.MASKED, Role.FILTERED, Role.WRITTEN, Role.COLUMN})

_ROLES: dict[Path, Role] = {
    ("actor", "user", "name"): Role.WHO,
    ("user", "name"): Role.WHO,
    ("database", "name"): Role.DATABASE,
    ("unmapped", "database"): Role.DATABASE,
    ("src_endpoint", "ip"): Role.ADDRESS,
    ("unmapped", "tables"): Role.TABLE,
    ("table", "name"): Role.TABLE,
    ("unmapped", "revealed"): Role.REVEALED,
    ("unmapped", "masked"): Role.MASKED,
    ("unmapped", "filtered"): Role.FILTERED,
    ("unmapped", "written"): Role.WRITTEN,
    ("unmapped", "column"): Role.COLUMN,
    ("unmapped", "keyed"): Role.KEYED,
}


def traits_of(record: Record) -> Traits:
    """All traits of a record."""
    return frozenset([(Role.EVENT, code_of(record).name), *_names(record)])


def _names(record: Record) -> Iterator[Trait]:
    for leaf in leaves(type(record)):
        role = _ROLES.get(leaf.place)
        if role is None:
            continue
        for value in _values(record, leaf):
            yield role, value if isinstance(value, str) else value.column


def _values(record: Record, leaf: Leaf) -> tuple[Any, ...]:
    found: Any = reduce(getattr, leaf.name, record)
    if found is None:
        return ()
    return found if leaf.is_list else (found,)
