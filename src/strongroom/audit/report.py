"""A month of the log, counted for a page that an auditor can read (`report_page`).

It goes through the whole log, without the index: so it says what the log says, and the same each time.
Times are those that records have. What was done often is counted, what is done seldom is listed, up to a
limit that the page names. Called by ``strongroom audit report``.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Self

from strongroom.audit.contents import Kept
from strongroom.audit.leaf import Content
from strongroom.audit.records import changes, running, sessions, statements
from strongroom.audit.records.codes import Record
from strongroom.audit.records.skimming import Skimmed, Skimmer
from strongroom.audit.search import Seen, Sight, sights_of
from strongroom.errors import InvalidRecord

LISTED = 1000
"""Records that one part of the page lists."""
WAITING = 100_000
"""Statements that were intended and whose end is to come."""


@dataclass(frozen=True, slots=True)
class Month:
    """From its first millisecond to the first behind it, in UTC."""

    name: str
    first: int
    behind: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """``2026-11``; raises ``ValueError``."""
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}", text):
            raise ValueError(text)
        year, month = map(int, text.split("-"))
        following = (year, month + 1) if month < 12 else (year + 1, 1)
        return cls(text, _milliseconds(year, month), _milliseconds(*following))


class Part(StrEnum):
    """What is listed record by record."""

    ROLES = "Roles"
    PEOPLE = "People and accounts"
    KEYS = "Keys"
    CONFIGURATION = "Configuration"
    WORK = "Jobs and commands"
    GATEWAY = "Starts and stops"
    GAPS = "Gaps"


_PARTS: dict[type[Record], Part] = {
    changes.RoleChanged: Part.ROLES,
    changes.RoleAssumed: Part.ROLES,
    sessions.SignedIn: Part.PEOPLE,
    changes.AccountChanged: Part.PEOPLE,
    changes.KeyChanged: Part.KEYS,
    changes.ConfigurationChanged: Part.CONFIGURATION,
    running.JobTurned: Part.WORK,
    running.CommandRun: Part.WORK,
    running.ProcessTurned: Part.GATEWAY,
    running.Gap: Part.GAPS,
    running.Removed: Part.GAPS,
    running.ClockTurnedBack: Part.GAPS,
}


@dataclass(slots=True)
class Times:
    """How often, and when first and last."""

    count: int = 0
    first: int = 0
    last: int = 0

    def add(self, time: int) -> None:
        """Once more."""
        self.first = min(self.first, time) if self.count else time
        self.last = max(self.last, time)
        self.count += 1


@dataclass(slots=True)
class Listing:
    """Records of one part, and how many there are."""

    octets: list[tuple[int, bytes]] = field(default_factory=list)
    count: int = 0


@dataclass(slots=True)
class _Run:
    """The records of one process, by their sequence."""

    last: int = 0
    missing: int = 0
    in_month: bool = False


@dataclass(slots=True)
class Report:
    """What a month had."""

    month: Month
    records: int = 0
    erased: int = 0
    """In the whole log: of what is erased nobody knows the time."""
    unread: list[int] = field(default_factory=list)
    wrong: list[int] = field(default_factory=list)
    sights: dict[Sight, Seen] = field(default_factory=dict)
    denials: dict[tuple[str, str, str], Times] = field(default_factory=dict)
    """By who, what the error was, and the tables."""
    entries: dict[tuple[str, str, str, str], Times] = field(default_factory=dict)
    """Sessions by who, from where, by what proof, and whether there was a second factor."""
    failures: dict[tuple[str, str, str], Times] = field(default_factory=dict)
    """By who, from where, and why."""
    listings: dict[Part, Listing] = field(default_factory=lambda: {part: Listing() for part in Part})
    unended: int = 0
    """Statements that were intended, and whose end is not in the log."""
    runs: dict[str, _Run] = field(default_factory=dict)

    def missing(self) -> dict[str, int]:
        """Processes of the month, and how many of their records are not there or could not be read."""
        return {
            process: run.missing for process, run in sorted(self.runs.items()) if run.in_month and run.missing
        }


def report_of(records: Iterable[Kept], month: Month) -> Report:
    """What a log has of a month."""
    teller = _Teller(Report(month))
    for kept in records:
        teller.take(kept)
    return teller.told()


class _Teller:
    """Counts."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._skimmer = Skimmer()
        self._waiting: dict[tuple[str, int], Skimmed] = {}

    def take(self, kept: Kept) -> None:
        """One record, in the order of the log."""
        if kept.state is not Content.RIGHT:
            self._report.erased += kept.state is Content.ERASED
            self._report.wrong += [kept.number] if kept.state is Content.WRONG else []
            return
        try:
            skimmed = self._skimmer.skim(kept.octets)
        except InvalidRecord:
            self._report.unread.append(kept.number)
            return
        month = self._report.month
        in_month = month.first <= skimmed.time < month.behind
        self._count_on(skimmed, in_month=in_month)
        if isinstance(skimmed.kind.like, statements.Ended):
            self._end(skimmed)
        if in_month:
            self._report.records += 1
            self._tell(kept, skimmed)

    def told(self) -> Report:
        """All of it, with statements that have no end."""
        for intended in self._waiting.values():
            self._see(intended, None)
        self._report.unended += len(self._waiting)
        return self._report

    def _count_on(self, skimmed: Skimmed, *, in_month: bool) -> None:
        run = self._report.runs.setdefault(skimmed.kind.like.head.process, _Run())
        run.missing += max(skimmed.sequence - run.last - 1, 0)
        run.last = max(skimmed.sequence, run.last)
        run.in_month |= in_month

    def _tell(self, kept: Kept, skimmed: Skimmed) -> None:
        report, time = self._report, skimmed.time
        match skimmed.kind.like:
            case statements.Permitted():
                self._see(skimmed, skimmed)
            case statements.Intended():
                self._wait(skimmed)
            case statements.Denied() as record:
                key = record.client.account, record.code, ", ".join(record.plan.tables)
                report.denials.setdefault(key, Times()).add(time)
            case sessions.SessionOpened() as record:
                second = "second factor" if record.is_mfa else ""
                whose = record.client
                entry = whose.account, whose.address or "", record.way.value, second
                report.entries.setdefault(entry, Times()).add(time)
            case sessions.LoginFailed() as record:
                failure = record.user, record.address or "", record.refusal.value
                report.failures.setdefault(failure, Times()).add(time)
            case record:
                self._list(kept, record)

    def _list(self, kept: Kept, record: Record) -> None:
        part = _PARTS.get(type(record))
        if part is None:
            return  # the end of a statement or session is counted where it began
        listing = self._report.listings[part]
        listing.count += 1
        if len(listing.octets) < LISTED:
            listing.octets.append((kept.number, kept.octets))

    def _wait(self, intended: Skimmed) -> None:
        if len(self._waiting) >= WAITING:
            self._see(self._waiting.pop(next(iter(self._waiting))), None)
            self._report.unended += 1
        self._waiting[intended.session, intended.statement] = intended

    def _end(self, end: Skimmed) -> None:
        intended = self._waiting.pop((end.session, end.statement), None)
        if intended is not None:
            self._see(intended, end)

    def _see(self, statement: Skimmed, end: Skimmed | None) -> None:
        record = statement.kind.like
        if isinstance(record, statements.Permitted | statements.Intended):
            for sight in sights_of(record):
                self._report.sights.setdefault(sight, Seen()).add(statement, end)


def _milliseconds(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp() * 1000)
