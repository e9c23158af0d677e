"""What one process of the gateway tells the supervisor of itself, for metrics.

A `Report` has numbers by the name of their metric and its labels: one number for a counter or a gauge, and
for a histogram the seconds and how many were of which class. `FAMILIES` says what each is. Counts only grow
for as long as the process lives; the supervisor adds up those of all, the dead ones among them (`metrics`).

INVARIANT: labels are names of the configuration and words of this program; none is what a client sent.
Used by `server`, `recorder` and `supervisor`.
"""

import resource
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from strongroom.audit.records.sessions import Ending, Refusal
from strongroom.errors import StrongroomError, UpstreamError
from strongroom.session.metering import Lookups, Meter, Times

Report = Mapping[str, Mapping[tuple[str, ...], Sequence[float]]]
"""By a family's name and the values of its labels."""

TELL_SECONDS = 1.0
"""How often a process reports: so much of its counts is lost where it is killed."""


class Merged(Enum):
    """What becomes of the numbers of several processes, and of one that has ended."""

    COUNTER = "counter"  # added up, for good
    HISTOGRAM = "histogram"  # the same, class by class
    SUM = "sum"  # a gauge: added up among the living
    GREATEST = "greatest"  # a gauge: the greatest among the living


@dataclass(frozen=True, slots=True)
class Family:
    """One metric."""

    merged: Merged
    help: str
    labels: tuple[str, ...] = ()


_C, _H, _S, _G = Merged.COUNTER, Merged.HISTOGRAM, Merged.SUM, Merged.GREATEST
_DATABASE = ("database",)
FAMILIES: Mapping[str, Family] = {
    # The supervisor's.
    "strongroom_build_info": Family(_G, "Always 1; the labels say which version runs.", ("version",)),
    "strongroom_workers_configured": Family(_S, "Processes that should run sessions."),
    "strongroom_workers_alive": Family(_S, "Processes that do."),
    "strongroom_workers_ready": Family(_S, "Of these, those that take connections."),
    "strongroom_worker_deaths_total": Family(_C, "Workers that ended without being told to."),
    "strongroom_recorder_ready": Family(_S, "1 while the audit log's recorder runs, and has the log open."),
    "strongroom_draining": Family(_S, "1 while the gateway ends."),
    "strongroom_configuration_loads_total": Family(
        _C, "Configurations that a reload took, or refused.", ("result",)
    ),
    "strongroom_configuration_timestamp_seconds": Family(
        _G, "When the configuration that counts was taken; seconds since 1970."
    ),
    "strongroom_key_looks_total": Family(_C, "What was found where keys were due for rotation.", ("found",)),
    # The workers', by database.
    "strongroom_sessions_open": Family(_S, "Sessions that are open now.", _DATABASE),
    "strongroom_sessions_opened_total": Family(_C, "Sessions that were opened.", _DATABASE),
    "strongroom_sessions_closed_total": Family(
        _C, "Sessions that have ended, by what ended them.", ("database", "ending")
    ),
    "strongroom_logins_refused_total": Family(_C, "Log-ins that were refused.", ("database", "reason")),
    "strongroom_statements_total": Family(
        _C, "Statements that were answered, by what the gateway said to them.", ("database", "verdict")
    ),
    "strongroom_database_errors_total": Family(
        _C, "Errors of the database's own, by the class of their SQLSTATE.", ("database", "class")
    ),
    "strongroom_errors_total": Family(
        _C, "Errors of the gateway's own, by the codes of docs/errors.md.", ("database", "code")
    ),
    "strongroom_values_opened_total": Family(
        _C, "Places of protected columns in rows that went to clients, NULLs included.", _DATABASE
    ),
    "strongroom_values_sealed_total": Family(_C, "Values that were sealed; each uses a key once.", _DATABASE),
    "strongroom_phase_seconds": Family(
        _H, "Time by phase: parse, decide, protect, upstream, audit.", ("database", "phase")
    ),
    "strongroom_cache_lookups_total": Family(
        _C, "Look-ups in caches: analyses, decisions, plans.", ("database", "cache", "result")
    ),
    "strongroom_catalog_age_seconds": Family(
        _G, "Since catalog and keys were last read, in the worker that is furthest behind.", _DATABASE
    ),
    # The workers', of recording.
    "strongroom_audit_records_total": Family(_C, "Records that workers made."),
    "strongroom_audit_records_waiting": Family(_S, "Records that are not known to be on the disk."),
    "strongroom_audit_waiting_bytes": Family(_S, "The same, in octets."),
    "strongroom_audit_records_lost_total": Family(_C, "Records that could not be kept."),
    "strongroom_audit_blocked": Family(_S, "Workers that take no statement until records are written."),
    # The recorder's.
    "strongroom_audit_log_records": Family(_S, "Records in the audit log."),
    "strongroom_audit_uncovered_records": Family(_S, "Of these, those that no checkpoint covers yet."),
    "strongroom_audit_checkpoint_timestamp_seconds": Family(
        _G, "When everything was last known to be under a checkpoint; seconds since 1970."
    ),
    "strongroom_audit_write_failures_total": Family(_C, "Times that the log could not be written."),
    "strongroom_audit_sent_timestamp_seconds": Family(
        _G, "When the log was last sent there in full; seconds since 1970.", ("to",)
    ),
    "strongroom_audit_send_failures_total": Family(
        _C, "Times that the log could not be sent there.", ("to",)
    ),
    # Everybody's.
    "strongroom_cpu_seconds_total": Family(_C, "Processor time.", ("process",)),
}
"""All that is served at ``/metrics``."""


def _codes(kind: type[StrongroomError]) -> Iterator[str]:
    yield kind.code
    for one in kind.__subclasses__():
        yield from _codes(one)


CODES = frozenset(_codes(UpstreamError))
"""Codes that are served before there is such an error: Prometheus sees no increase where a series begins."""


class Draft:
    """A report that is being written."""

    def __init__(self) -> None:
        self.report: dict[str, dict[tuple[str, ...], Sequence[float]]] = {}

    def put(self, name: str, number: float, *labels: str) -> None:
        """One number."""
        self.report.setdefault(name, {})[labels] = [number]

    def times(self, name: str, times: Times, *labels: str) -> None:
        """A histogram."""
        self.report.setdefault(name, {})[labels] = [times.seconds, *times.counts]

    def processor(self, process: str) -> None:
        """The processor time of this process."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        self.put("strongroom_cpu_seconds_total", used.ru_utime + used.ru_stime, process)


def told(report: Report) -> dict[str, Any]:
    """A report as it goes over a line."""
    return {name: [[*labels, list(one)] for labels, one in found.items()] for name, found in report.items()}


def heard(message: Mapping[str, Any]) -> Report:
    """A report as it came."""
    return {
        name: {tuple(labels): numbers for *labels, numbers in found}
        for name, found in message.items()
        if name in FAMILIES
    }


class Meters:
    """The meters of one worker: one for each database, which a reload changes nothing of."""

    def __init__(self) -> None:
        self._known: dict[str, DatabaseMeter] = {}

    def of(self, database: str) -> "DatabaseMeter":
        """The meter of a database."""
        return self._known.get(database) or self._known.setdefault(database, DatabaseMeter())

    def write(self, draft: Draft) -> None:
        """Put what was counted into a report."""
        for database, meter in self._known.items():
            meter.write(draft, database)


class DatabaseMeter(Meter):
    """What is counted of one database in this worker: of its sessions, and of how they come and go."""

    def __init__(self) -> None:
        super().__init__(time.perf_counter)
        self.begun = 0
        """Sessions that were opened."""
        self.ended: Counter[Ending] = Counter()
        self.turned_away: Counter[Refusal] = Counter()

    def write(self, draft: Draft, database: str) -> None:
        """Put it into a report."""
        put = draft.put
        put("strongroom_sessions_open", self.begun - self.ended.total(), database)
        put("strongroom_sessions_opened_total", self.begun, database)
        for ending in Ending:
            put("strongroom_sessions_closed_total", self.ended[ending], database, ending.value)
        for refusal in Refusal:
            put("strongroom_logins_refused_total", self.turned_away[refusal], database, refusal.value)
        for verdict, count in (
            ("permitted", self.passed - self.veiled),
            ("masked", self.veiled),
            ("denied", self.denied),
            ("refused", self.refused),
        ):
            put("strongroom_statements_total", count, database, verdict)
        for found, count in self.failures.items():
            put("strongroom_database_errors_total", count, database, found)
        for code in CODES | self.errors.keys():
            put("strongroom_errors_total", self.errors[code], database, code)
        put("strongroom_values_opened_total", self.opened, database)
        put("strongroom_values_sealed_total", self.sealed, database)
        self._write_times(draft, database)

    def _write_times(self, draft: Draft, database: str) -> None:
        for phase in ("parse", "decide", "protect", "upstream", "audit"):
            times: Times = getattr(self, phase)
            draft.times("strongroom_phase_seconds", times, database, phase)
        for cache in ("analyses", "decisions", "plans"):
            lookups: Lookups = getattr(self, cache)
            draft.put("strongroom_cache_lookups_total", lookups.hits, database, cache, "hit")
            draft.put("strongroom_cache_lookups_total", lookups.misses, database, cache, "miss")
