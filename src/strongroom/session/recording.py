"""The records of one session's statements: what ran, what came of it, and what was refused.

What ran is recorded when upstream says that it is done, or failed; what was under way when the session ended
is recorded then, and that nobody knows what came of it. Where statements wait for their intents (`intending`)
each is recorded before it is sent, too, and then has an end, also where it never ran. The shell takes what
was recorded, says when it was and whose session it is (`effects.Record`). Times are the shell's: it says the
moment at each event.

Used by `opening` and `guarded`; pure.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from strongroom._kernel import rows_at_end
from strongroom._kernel.logging import rows_of
from strongroom.audit.records.shared import Result
from strongroom.audit.records.statements import Keyed, Plan
from strongroom.errors import StatementNotRun, StrongroomError
from strongroom.session.recorded import Recorded
from strongroom.session.seals import PLANS_KEPT
from strongroom.session.statements import Run
from strongroom.sql.statement import Resolved

SUCCESSFUL = "00000"
UNKNOWN = "08007"
"""transaction_resolution_unknown (manual, appendix "PostgreSQL Error Codes")."""


class Begun(NamedTuple):
    """A statement goes upstream once this is on the disk."""

    number: int
    """Among those of its session, from 1, in the order in which they are sent."""
    plan: Plan
    at: float
    keyed: tuple[Keyed, ...] | None = None
    """Hashes of the values that it holds against keyed columns; None where it can hold none."""


class Done(NamedTuple):
    """A statement ran; what of it is not known says ``result``."""

    number: int
    """Among those of its session, from 1, in the order in which they ended; or that of its `Begun`."""
    plan: Plan
    result: Result
    sqlstate: str
    at: float
    """The moment at which that was known."""
    seconds: float
    rows: int = 0
    values: int = 0
    intended: bool = False
    """Whether it has a `Begun`."""
    code: str | None = None
    """Of an error of ours, where it did not run."""
    keyed: tuple[Keyed, ...] | None = None
    """Hashes of the values that it held against keyed columns; None where it could hold none."""


class Refused(NamedTuple):
    """A statement was not sent."""

    number: int
    plan: Plan
    code: str
    sqlstate: str
    at: float
    remark: str | None = None


Deed = Begun | Done | Refused

TAIL = 128
"""Octets at the end of an answer that have its last tag, of 64 at most (cmdtag.h), and what follows it."""


Round = tuple[int, bytes, float, float]
"""A statement's number, the end of its answer, when that came, and when it was sent."""


@dataclass(eq=False, slots=True)
class Answers:
    """What ordinary rounds of one plan left to be read: they are many, and written down together."""

    recorded: Recorded
    rounds: list[Round] = field(default_factory=list)

    def each(self) -> Iterator[Done]:
        """One by one."""
        for number, tail, at, begun in self.rounds:
            rows, seconds = rows_at_end(tail), max(at - begun, 0.0)
            said = SUCCESSFUL, at, seconds, rows, rows * self.recorded.values
            yield Done(number, self.recorded.plan, Result.SUCCESS, *said)


class Recording:
    """What is to be recorded of one session, until it is taken; ``recorded`` says what of a statement.

    A statement's plan is that of the moment at which it was sent, whatever the policy says when it ends.
    """

    def __init__(self, recorded: Callable[[Resolved], Recorded], *, intends: bool = False) -> None:
        """``intends``: each statement has a `Begun` before it is sent."""
        self._recorded = recorded
        self._intends = intends
        self._unsent: deque[tuple[int, Run]] = deque()
        self._sent = 0  # the number of the last that went upstream
        self._deeds: list[Deed | Answers] = []
        self._answers: Answers | None = None  # the last of the deeds, if it is that
        self._number = 0
        self._known: dict[int, tuple[Resolved, object, tuple[Recorded]]] = {}
        self.moment = 0.0
        """Seconds, by the shell's clock, at the event that is handled."""

    def take(self) -> list[Deed]:
        """What was recorded since it was asked last."""
        return [
            deed for one in self.gather() for deed in (one.each() if isinstance(one, Answers) else (one,))
        ]

    def gather(self) -> list[Deed | Answers]:
        """The same, with ordinary rounds together."""
        deeds, self._deeds, self._answers = self._deeds, [], None
        return deeds

    def begun(self, run: Run, standing: object) -> None:
        """A query, or a portal, goes upstream to be carried out."""
        run.begun = self.moment
        if len(run.statements) == 1:
            run.recorded = self._what(run.statements[0], standing)
        else:
            run.recorded = tuple(self._what(one, standing)[0] for one in run.statements)
        if self._intends and run.recorded:
            self._intend(run)

    def sent(self, number: int) -> None:
        """Statements that were begun, up to this one, go upstream now."""
        self._sent = max(self._sent, number)
        while self._unsent and self._unsent[0][0] <= number:
            self._unsent.popleft()[1].begun = self.moment

    def answered(self, run: Run, chunk: bytes) -> None:
        """The one statement of an ordinary round was carried out, says the chunk that is its answer.

        Rounds are many, and each pays for this: what the answer says is read when it is asked for.
        """
        if self._intends or run.keyed:
            self._note(run, 0, Result.SUCCESS, SUCCESSFUL, rows_at_end(chunk))
            return
        recorded, answers = run.recorded[0], self._answers
        if answers is None or answers.recorded is not recorded:
            answers = self._answers = Answers(recorded)
            self._deeds.append(answers)
        self._number += 1
        answers.rounds.append((self._number, chunk[-TAIL:], self.moment, run.begun))

    def done(self, run: Run, tag: bytes) -> None:
        """The statement that a run is at was carried out, says CommandComplete."""
        self._note(run, run.index, Result.SUCCESS, SUCCESSFUL, rows_of(tag))
        run.begun = self.moment  # the next one of the query begins

    def suspended(self, run: Run, limit: int) -> None:
        """A portal gave as many rows as were asked for, and has more."""
        self._note(run, run.index, Result.SUCCESS, SUCCESSFUL, limit)

    def failed(self, run: Run, sqlstate: str) -> None:
        """Upstream would not carry out the statement that a run is at, or not to its end."""
        self._note(run, run.index, Result.FAILURE, sqlstate)
        if self._intends:
            self._not_run(run, run.index + 1)
        else:
            run.recorded = ()  # what follows in a query is not carried out

    def skipped(self, runs: Iterable[Run]) -> None:
        """Upstream does not carry these out, since something before them failed; or they are not sent."""
        if self._intends:
            for run in runs:
                self._not_run(run, run.index)

    def lost(self, runs: Iterable[Run]) -> None:
        """The session ends while these are under way."""
        for run in runs:
            if run.intended and run.intended[0] > self._sent:
                self._not_run(run, run.index)
                continue
            for index in range(run.index, len(run.recorded)):
                self._note(run, index, Result.UNKNOWN, UNKNOWN)

    def refused(self, statements: Iterable[Recorded], error: StrongroomError) -> None:
        """A text was not sent, with all its statements."""
        for one in statements:
            self._number += 1
            said = error.code, error.sqlstate
            self._put(Refused(self._number, one.plan, *said, self.moment, one.remark))

    def _intend(self, run: Run) -> None:
        run.intended = run.intended or deque()
        for index, one in enumerate(run.recorded):
            self._number += 1
            run.intended.append(self._number)
            self._put(Begun(self._number, one.plan, self.moment, _keyed(run, index)))
        self._unsent.append((self._number, run))

    def _not_run(self, run: Run, first: int) -> None:
        """Of one request alone: a portal may have been asked for rows again behind it."""
        for index in range(first, len(run.recorded)):
            self._note(run, index, Result.FAILURE, StatementNotRun.sqlstate, has_run=False)

    def _note(
        self, run: Run, index: int, result: Result, sqlstate: str, rows: int = 0, *, has_run: bool = True
    ) -> None:
        if index >= len(run.recorded):
            return  # of an empty query, or of what was refused
        if self._intends and not run.intended:
            return  # its end was recorded
        known, number = run.recorded[index], self._number_of(run)
        seconds = max(self.moment - run.begun, 0.0) if has_run else 0.0
        code = None if has_run else StatementNotRun.code
        outcome = result, sqlstate, self.moment, seconds, rows, rows * known.values
        self._put(Done(number, known.plan, *outcome, self._intends, code, _keyed(run, index)))

    def _put(self, deed: Deed) -> None:
        self._deeds.append(deed)
        self._answers = None

    def _number_of(self, run: Run) -> int:
        if run.intended:
            return run.intended.popleft()  # upstream answers in order
        self._number += 1
        return self._number

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


def _keyed(run: Run, index: int) -> tuple[Keyed, ...] | None:
    return run.keyed[index] if index < len(run.keyed) else None
