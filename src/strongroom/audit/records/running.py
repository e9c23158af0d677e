"""What the gateway itself did: starts and stops, jobs and commands, and where the log is not whole."""

from dataclasses import dataclass
from enum import StrEnum

from strongroom.audit.records.layout import at
from strongroom.audit.records.shared import Doer, Head, Result


class Turn(StrEnum):
    """What a process did."""

    STARTED = "gateway.started"
    STOPPED = "gateway.stopped"
    WORKER_STARTED = "worker.started"
    WORKER_DIED = "worker.died"


@dataclass(frozen=True, slots=True)
class ProcessTurned:
    """The gateway, or a worker of it, began or ended."""

    head: Head
    turn: Turn = at("metadata.event_code")
    result: Result = at("status_id")
    workers: int = at("unmapped.workers")
    sha256: str | None = at("unmapped.configuration", default=None)
    """Of the configuration's octets."""
    audit: str | None = at("unmapped.audit", default=None)
    """The mode of the log, and what happens where it cannot be written: ``batch, block``."""
    code: str | None = at("status_detail", default=None)


class Job(StrEnum):
    """Where work on a column's values stands."""

    PROTECT_BEGAN = "protect.began"
    PROTECT_STOPPED = "protect.stopped"
    PROTECT_ENDED = "protect.ended"
    UNPROTECT_BEGAN = "unprotect.began"
    UNPROTECT_STOPPED = "unprotect.stopped"
    UNPROTECT_ENDED = "unprotect.ended"
    ROTATE_BEGAN = "rotate.began"
    ROTATE_STOPPED = "rotate.stopped"
    ROTATE_ENDED = "rotate.ended"


@dataclass(frozen=True, slots=True)
class JobTurned:
    """The values of a column are being sealed, opened or sealed anew."""

    head: Head
    doer: Doer
    job: Job = at("metadata.event_code")
    database: str = at("database.name")
    table: str = at("table.name")
    column: str = at("unmapped.column")
    result: Result = at("status_id")
    duration: int = at("duration")
    rows: int = at("unmapped.rows")
    """That were done so far, of all columns of the job together."""
    signed_by: tuple[str, ...] = at("unmapped.signed_by")
    code: str | None = at("status_detail", default=None)


@dataclass(frozen=True, slots=True)
class CommandRun:
    """An administrator runs a command that changes something, or has run it.

    Of each run there are two: before it does anything (`Result.UNKNOWN`, no `exit`), and when it has ended.
    """

    head: Head
    doer: Doer
    command: str = at("api.operation")
    """Its words without arguments: ``keys rotate``."""
    result: Result = at("status_id")
    duration: int = at("duration")
    subject: str | None = at("unmapped.subject", default=None)
    """The column, key or person that it was about, by name."""
    code: str | None = at("status_detail", default=None)
    run_as: str | None = at("unmapped.run_as", default=None)
    """The user of the machine whose rights it had; the doer is who logged in."""
    file: str | None = at("unmapped.file", default=None)
    """The configuration that it went by."""
    exit: int | None = at("unmapped.exit", default=None)
    """Its exit status."""


class Loss(StrEnum):
    """Why records were not written."""

    DISK_FULL = "disk full"
    UNWRITABLE = "unwritable"
    OVERLOADED = "overloaded"
    PROCESS_DIED = "process died"
    """Sequence numbers of a process are missing."""
    REMOVED = "removed"
    """Deeds were taken out of the state's list, or changed there, before the log had them."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Records could not be written, or were not there to be: ``loss`` says why."""

    head: Head
    loss: Loss = at("unmapped.loss")
    lost: int = at("unmapped.lost")
    """How many, as far as they were counted."""
    began: int = at("start_time")
    ended: int = at("end_time")


class Removal(StrEnum):
    """What was taken away from the log."""

    ERASED = "log.erased"
    """Contents of records; their entries stay."""
    PRUNED = "log.pruned"
    """The log's beginning, entries and all."""


@dataclass(frozen=True, slots=True)
class Removed:
    """Something is in the log no more, as somebody asked or the configuration says; not what it was."""

    head: Head
    doer: Doer
    removal: Removal = at("metadata.event_code")
    result: Result = at("status_id")
    records: int = at("count")
    """How many."""
    minimum: int | None = at("unmapped.minimum", default=None)
    """Of a log that was pruned: the number of the first record that is there."""
    before: int | None = at("unmapped.before", default=None)
    """By schedule: what is older, in milliseconds."""


@dataclass(frozen=True, slots=True)
class ClockTurnedBack:
    """The machine's clock says less than it said before: times here do not tell the order; places do."""

    head: Head
    former: int = at("unmapped.former")
    """Milliseconds: what it said before."""
