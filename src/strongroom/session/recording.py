"""The records of one session's statements: what ran, what came of it, and what was refused.

What ran is recorded when upstream says that it is done, or failed; what was under way when the session ended
is recorded then, and that nobody knows what came of it. The shell takes what was recorded, says when it was
and whose session it is (`effects.Record`). Times are the shell's: it says the moment at each event.

Used by `opening` and `guarded`; pure.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from strongroom.audit.records.shared import Result
from strongroom.audit.records.statements import Plan
from strongroom.errors import StrongroomError
from strongroom.session.recorded import Recorded, rows_of, tag_at_end
from strongroom.session.seals import PLANS_KEPT
from strongroom.session.statements import Run
from strongroom.sql.statement import Resolved

SUCCESSFUL = "00000"
UNKNOWN = "08007"
"""transaction_resolution_unknown (manual, appendix "PostgreSQL Error Codes")."""


class Done(NamedTuple):
    """A statement ran; what of it is not known says ``result``."""

    number: int
    """Among those of its session, from 1, in the order in which they ended."""
    plan: Plan
    result: Result
    sqlstate: str
    at: float
    """The moment at which that was known."""
    seconds: float
    rows: int = 0
    values: int = 0


class Refused(NamedTuple):
    """A statement was not sent."""

    number: int
    plan: Plan
    code: str
    sqlstate: str
    at: float


Deed = Done | Refused

TAIL = 128
"""Octets at the end of an answer that have its last tag, of 64 at most (cmdtag.h), and what follows it."""


class _Answered(NamedTuple):
    """What a round left to be read."""

    number: int
    run: Run
    tail: bytes
    at: float


class Recording:
    """What is to be recorded of one session, until it is taken; ``recorded`` says what of a statement.

    A statement's plan is that of the moment at which it was sent, whatever the policy says when it ends.
    """

    def __init__(self, recorded: Callable[[Resolved], Recorded]) -> None:
        self._recorded = recorded
        self._deeds: list[Deed | _Answered] = []
        self._number = 0
        self._known: dict[int, tuple[Resolved, object, tuple[Recorded]]] = {}
        self.moment = 0.0
        """Seconds, by the shell's clock, at the event that is handled."""

    def take(self) -> list[Deed]:
        """What was recorded since it was asked last."""
        deeds, self._deeds = self._deeds, []
        return [_done(one) if isinstance(one, _Answered) else one for one in deeds]

    def begun(self, run: Run, standing: object, limit: int = 0) -> None:
        """A query, or a portal of which ``limit`` rows are asked for, goes upstream to be carried out."""
        run.begun, run.limit = self.moment, limit
        if len(run.statements) == 1:
            run.recorded = self._what(run.statements[0], standing)
        else:
            run.recorded = tuple(self._what(one, standing)[0] for one in run.statements)

    def answered(self, run: Run, chunk: bytes) -> None:
        """The one statement of an ordinary round was carried out, says the chunk that is its answer.

        Rounds are many, and each pays for this: what the answer says is read when it is asked for.
        """
        self._number += 1
        self._deeds.append(_Answered(self._number, run, chunk[-TAIL:], self.moment))

    def done(self, run: Run, tag: bytes) -> None:
        """The statement that a run is at was carried out, says CommandComplete."""
        self._note(run, run.index, Result.SUCCESS, SUCCESSFUL, rows_of(tag))
        run.begun = self.moment  # the next one of the query begins

    def suspended(self, run: Run) -> None:
        """A portal gave as many rows as were asked for, and has more."""
        self._note(run, run.index, Result.SUCCESS, SUCCESSFUL, run.limit)

    def failed(self, run: Run, sqlstate: str) -> None:
        """Upstream would not carry out the statement that a run is at, or not to its end."""
        self._note(run, run.index, Result.FAILURE, sqlstate)
        run.recorded = ()  # what follows in a query is not carried out

    def lost(self, runs: Iterable[Run]) -> None:
        """The session ends while these are under way."""
        for run in runs:
            for index in range(run.index, len(run.recorded)):
                self._note(run, index, Result.UNKNOWN, UNKNOWN)

    def refused(self, plans: Iterable[Plan], error: StrongroomError) -> None:
        """A text was not sent, with all its statements."""
        for plan in plans:
            self._number += 1
            self._deeds.append(Refused(self._number, plan, error.code, error.sqlstate, self.moment))

    def _note(self, run: Run, index: int, result: Result, sqlstate: str, rows: int = 0) -> None:
        if index >= len(run.recorded):
            return  # of an empty query, or of what was refused
        known = run.recorded[index]
        self._number += 1
        seconds, values = max(self.moment - run.begun, 0.0), rows * known.values
        self._deeds.append(
            Done(self._number, known.plan, result, sqlstate, self.moment, seconds, rows, values)
        )

    def _what(self, statement: Resolved, standing: object) -> tuple[Recorded]:
        """Asked for once while the policy says the same."""
        known = self._known.get(id(statement))
        if known is not None and (known[1] is standing or known[1] == standing):
            return known[2]
        if len(self._known) >= PLANS_KEPT:
            self._known.clear()
        recorded = (self._recorded(statement),)
        # The statement is kept beside, so that nothing else can have its identity.
        self._known[id(statement)] = statement, standing, recorded
        return recorded


def _done(one: "_Answered") -> Done:
    known, rows = one.run.recorded[0], rows_of(tag_at_end(one.tail))
    seconds = max(one.at - one.run.begun, 0.0)
    return Done(
        one.number, known.plan, Result.SUCCESS, SUCCESSFUL, one.at, seconds, rows, rows * known.values
    )
