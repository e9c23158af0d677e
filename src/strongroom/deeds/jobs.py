"""Records of jobs: a column's values are sealed, opened or sealed anew, by whoever acts.

A job changes the database, and no transaction has that and the state: that it begins is listed before it
does, and what came of it afterwards. One that has neither end nor stop was killed. Called by ``protect``,
``unprotect`` and whatever rotates keys.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Engine

from strongroom.audit.records.naming import qualified
from strongroom.audit.records.running import Job, JobTurned
from strongroom.audit.records.shared import Doer, Head, Result
from strongroom.changeover.model import Progress, Stage, Tell
from strongroom.deeds.present import Make, ending, note
from strongroom.errors import StrongroomError
from strongroom.protect.scheme import split_column

_DONE = {Stage.FILL, Stage.CATCH_UP, Stage.RESEAL}
"""Stages that count what they have done; others count what they look at."""


@dataclass(frozen=True, slots=True)
class Turns:
    """What a kind of job can come to."""

    began: Job
    stopped: Job
    ended: Job


PROTECT = Turns(Job.PROTECT_BEGAN, Job.PROTECT_STOPPED, Job.PROTECT_ENDED)
UNPROTECT = Turns(Job.UNPROTECT_BEGAN, Job.UNPROTECT_STOPPED, Job.UNPROTECT_ENDED)
ROTATE = Turns(Job.ROTATE_BEGAN, Job.ROTATE_STOPPED, Job.ROTATE_ENDED)


@dataclass(slots=True)
class Done:
    """How much a job has done, as it tells of it."""

    _rows: dict[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Of all tables of the job together."""
        return sum(self._rows.values())

    def heard(self, tell: Tell) -> Tell:
        """What a job tells, this counting along."""

        def both(step: Progress) -> None:
            if step.stage in _DONE:
                self._rows[step.what] = step.rows
            tell(step)

        return both


@dataclass(frozen=True, slots=True)
class Where:
    """A column that is worked on."""

    database: str
    column: str
    signed_by: tuple[str, ...]

    def turned(self, turn: Job, result: Result, elapsed: int, rows: int, code: str | None) -> Make:
        """The record of how far that is; milliseconds."""
        names = split_column(self.column)
        table, column = qualified(*names[:2]), qualified(*names)

        def make(head: Head, doer: Doer) -> JobTurned:
            return JobTurned(
                head, doer, turn, self.database, table, column, result, elapsed, rows, self.signed_by, code
            )

        return make


@contextmanager
def job(
    engine: Engine,
    turns: Turns,
    database: str,
    columns: Sequence[str],
    signed_by: Sequence[str] = (),
) -> Iterator[Done]:
    """While these columns are worked on, each of which has its own records."""
    done, begun = Done(), time.monotonic()

    def turned(turn: Job, result: Result, code: str | None = None) -> None:
        elapsed = int((time.monotonic() - begun) * 1000)
        with engine.begin() as connection:
            for column in columns:
                where = Where(database, column, tuple(signed_by))
                note(connection, where.turned(turn, result, elapsed, done.rows, code))

    turned(turns.began, Result.UNKNOWN)
    try:
        yield done
    except BaseException as error:
        with ending():
            turned(turns.stopped, Result.FAILURE, error.code if isinstance(error, StrongroomError) else None)
        raise
    with ending():
        turned(turns.ended, Result.SUCCESS)
