"""Looks for records in the log by its index, and who saw a column.

What the index gives is read from the contents, held against its entry, and against the criteria once more.
Called by ``strongroom audit search`` and ``who-saw``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from strongroom.audit.contents import Contents
from strongroom.audit.criteria import Criteria
from strongroom.audit.index import Index, end_mark
from strongroom.audit.leaf import Content
from strongroom.audit.records.codes import Record
from strongroom.audit.records.shared import Result
from strongroom.audit.records.skimming import Skimmed, Skimmer
from strongroom.audit.records.statements import Ended, Intended, Permitted
from strongroom.errors import InvalidRecord, LogDamaged


@dataclass(frozen=True, slots=True)
class Found:
    """A record that is what was looked for."""

    number: int
    octets: bytes
    skimmed: Skimmed


class Search:
    """What an index and its log say together."""

    def __init__(self, index: Index, log: Contents) -> None:
        self._index = index
        self._log = log
        self._skimmer = Skimmer()

    def find(self, criteria: Criteria) -> Iterator[Found]:
        """The newest first; raises ``LogDamaged`` at a content that is not what its entry commits to."""
        return self.among(self._index.find(criteria), criteria)

    def among(self, numbers: Iterable[int], criteria: Criteria) -> Iterator[Found]:
        """Those of these records that are what is looked for."""
        for number in numbers:
            found = self.read(number)
            if found is not None and criteria.fits(found.skimmed.kind.traits, found.skimmed.time):
                yield found

    def end_of(self, found: Found) -> Found | None:
        """What came of a statement that was intended, where that is known."""
        mark = end_mark(found.skimmed.session, found.skimmed.statement)
        for one in map(self.read, self._index.marked(mark)):
            if one is not None and isinstance(one.skimmed.kind.like, Ended) and _ends(found, one):
                return one
        return None

    def read(self, number: int) -> Found | None:
        """None for what was erased meanwhile, is not in the log yet, or no record that this version reads."""
        if not 0 <= number < self._log.size:
            return None
        kept = self._log.record(number)
        if kept.state is Content.WRONG:
            raise LogDamaged(f"the content of record {number} is not what the log committed to")
        try:
            return (
                Found(number, kept.octets, self._skimmer.skim(kept.octets))
                if kept.state is Content.RIGHT
                else None
            )
        except InvalidRecord:
            return None


def _ends(intended: Found, ended: Found) -> bool:
    one, other = intended.skimmed, ended.skimmed
    return (one.session, one.statement) == (other.session, other.statement)


def _result(record: Record) -> Result | None:
    return record.outcome.result if isinstance(record, Permitted | Ended) else None


@dataclass(frozen=True, slots=True, order=True)
class Sight:
    """Somebody sees a column."""

    who: str
    kind: str
    """A person or an account."""
    database: str
    column: str
    how: str
    """``revealed``, or the mask."""


@dataclass(slots=True)
class Seen:
    """How much, and when."""

    statements: int = 0
    rows: int = 0
    """That came or were changed."""
    values: int = 0
    """Of all columns that came with it."""
    unknown: int = 0
    """Statements of which nobody knows what came."""
    first: int = 0
    last: int = 0

    def add(self, statement: Skimmed, end: Skimmed | None) -> None:
        """One statement more, and how it ended; None where that is not known."""
        self.first = min(self.first, statement.time) if self.statements else statement.time
        self.last = max(self.last, statement.time)
        self.statements += 1
        self.rows += 0 if end is None else end.rows
        self.values += 0 if end is None else end.values
        self.unknown += end is None or _result(end.kind.like) is Result.UNKNOWN


def sights_of(record: Permitted | Intended) -> Iterator[Sight]:
    """Which columns a statement shows to whom."""
    whose = record.client.account, record.client.kind.value, record.database
    for column in record.plan.revealed:
        yield Sight(*whose, column, "revealed")
    for masked in record.plan.masked:
        yield Sight(*whose, masked.column, f"masked ({masked.mask})")


def who_saw(search: Search, found: Iterable[Found], criteria: Criteria) -> dict[Sight, Seen]:
    """Who saw the column that is looked for, or all of the table's; in order of their names."""
    seen: dict[Sight, Seen] = {}
    for one in found:
        record = one.skimmed.kind.like
        if not isinstance(record, Permitted | Intended):
            continue  # what was denied showed nothing
        end = search.end_of(one) if isinstance(record, Intended) else one
        for sight in sights_of(record):
            if criteria.shows(sight.column):
                seen.setdefault(sight, Seen()).add(one.skimmed, None if end is None else end.skimmed)
    return dict(sorted(seen.items()))
