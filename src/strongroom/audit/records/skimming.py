"""Many records read fast, and as strictly as `reading` reads one.

Records of one kind of deed differ in a few whole numbers and in the session's id. What is left without
those is read once, by `reading`; the next record with the same rest needs no more than to be cut. A number
is cut out only in the one form in which it is written, so that the whole is a record exactly where the
first one was. Used by the index, who-saw and reports, which read millions.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

from strongroom.audit.records.codes import Record
from strongroom.audit.records.layout import Path, leaves
from strongroom.audit.records.reading import read
from strongroom.audit.records.traits import Traits, traits_of

KINDS = 16_384
"""Rests that are remembered, of about a kilobyte each."""

# In a string a quote has a backslash before it, so this is found at keys alone. A number of 15 digits is less
# than 2^53; a longer one is left in the rest, and so read by itself.
_VARYING = re.compile(
    rb'"(duration|rows|sequence|session|statement|time|values)":'
    rb'((?:0|[1-9][0-9]{0,14})(?![0-9.eE])|\{"uid":"[0-9a-f]{16}"\})'
)


_PLACES: dict[bytes, Path] = {
    b"time": ("time",),
    b"sequence": ("metadata", "sequence"),
    b"session": ("actor", "session", "uid"),
    b"statement": ("unmapped", "statement"),
    b"rows": ("unmapped", "rows"),
    b"values": ("unmapped", "values"),
}
_NOTHING: dict[bytes, Any] = dict.fromkeys(_PLACES, 0) | {b"session": ""}


@dataclass(frozen=True, slots=True)
class Kind:
    """What records that differ in those numbers have in common."""

    like: Record
    """One of them: another has the same names and codes, but other numbers."""
    traits: Traits
    numbers: tuple[int, ...]
    """That one's time, sequence, statement, rows and values; one that is not cut out is the same in all."""
    session: str
    """The same."""
    places: tuple[int, ...]
    """Where each of `_PLACES` is among what was cut; 0 where it is not."""


class Skimmed(NamedTuple):
    """A record: its kind, and its own numbers; 0 where its kind has no such number."""

    kind: Kind
    time: int
    sequence: int
    session: str
    statement: int
    rows: int
    values: int


class Skimmer:
    """Remembers kinds of records."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[bytes, ...], Kind] = {}

    def skim(self, octets: bytes) -> Skimmed:
        """Raises `InvalidRecord`, as `reading.read` does."""
        pieces = _VARYING.split(octets)
        rest = *pieces[::3], *pieces[1::3]
        kind = self._kinds.get(rest)
        if kind is None:
            kind = self._kinds[rest] = self._kind(octets, pieces[1::3])
        time, sequence, session, statement, rows, values = kind.places
        numbers = kind.numbers
        return Skimmed(
            kind,
            int(pieces[time]) if time else numbers[0],
            int(pieces[sequence]) if sequence else numbers[1],
            pieces[session][8:24].decode() if session else kind.session,
            int(pieces[statement]) if statement else numbers[2],
            int(pieces[rows]) if rows else numbers[3],
            int(pieces[values]) if values else numbers[4],
        )

    def _kind(self, octets: bytes, names: Sequence[bytes]) -> Kind:
        record = read(octets)
        if len(self._kinds) >= KINDS:
            self._kinds.clear()
        found = _numbers(record)
        session = found.pop(b"session")
        cut = {name: 3 * at + 2 for at, name in enumerate(names)}
        places = tuple(cut.get(name, 0) for name in _PLACES)
        return Kind(record, traits_of(record), tuple(found.values()), session, places)


def _numbers(record: Record) -> dict[bytes, Any]:
    at = {leaf.place: leaf.name for leaf in leaves(type(record))}
    return _NOTHING | {
        name: reduce(getattr, at[place], record) for name, place in _PLACES.items() if place in at
    }
