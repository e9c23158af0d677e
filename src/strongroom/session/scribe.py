"""What a session did with a statement, as the octets of a record.

Sessions say what was done (`recording`), the shell when it was and as which record of its process; a `Scribe`
puts the two together for one session, by the fast way where there is one (`audit.records.lines`). What plans
have in common is shared by all sessions of a process (`Shapes`).

Used by whoever writes the log; pure.
"""

from collections import OrderedDict
from dataclasses import replace

from strongroom.audit.records.encoding import encode
from strongroom.audit.records.lines import Line, Session, Shape, keyed_hashes
from strongroom.audit.records.shared import Client, Head
from strongroom.audit.records.statements import Denied, Ended, Outcome, Plan
from strongroom.session.recording import Answers, Begun, Deed, Done, Refused
from strongroom.session.seals import PLANS_KEPT

SHAPES_KEPT = 2_000
"""Plans whose octets a process remembers, of two thousand octets each; a session has its own for fewer."""


class Shapes:
    """The shapes of plans, for all sessions of one process; ``origin`` says which."""

    def __init__(self, origin: Head) -> None:
        self.origin = origin
        self._known: OrderedDict[tuple[Plan, bool], Shape] = OrderedDict()

    def find(self, plan: Plan, *, keyed: bool = False) -> Shape:
        """That of a plan, or of one that says the same; ``keyed``: with hashes."""
        known = self._known.get((plan, keyed))
        if known is None:
            known = self._known[plan, keyed] = Shape(self.origin, plan, keyed=keyed)
            if len(self._known) > SHAPES_KEPT:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end((plan, keyed))
        return known


class Scribe:
    """Writes down what one session does."""

    def __init__(self, shapes: Shapes, client: Client, database: str) -> None:
        self._shapes = shapes
        self._client = client
        self._database = database
        self._session = Session(shapes.origin, client, database)
        self._lines: dict[tuple[int, bool], tuple[Plan, Line]] = {}

    def octets(self, deed: Deed, time: int, sequence: int) -> bytes:
        """The record of a deed: at this time, in milliseconds, and with this number among its process's."""
        if isinstance(deed, Refused):
            return self._denied(deed, time, sequence)
        if isinstance(deed, Done) and deed.intended:
            return self._ended(deed, time, sequence)
        keyed = None if deed.keyed is None else keyed_hashes(deed.keyed)
        line = self._line(deed.plan, keyed=keyed is not None)
        if isinstance(deed, Begun):
            return line.intended(time, sequence, deed.number, keyed=keyed)
        return line.permitted(
            time,
            sequence,
            deed.number,
            int(deed.seconds * 1000),
            rows=deed.rows,
            values=deed.values,
            result=deed.result,
            sqlstate=deed.sqlstate,
            keyed=keyed,
        )

    def answers(self, answers: Answers, ahead: float, sequence: int) -> tuple[list[bytes], int]:
        """The records of rounds, numbered from ``sequence`` on, and the rows of all of them."""
        line = self._line(answers.recorded.plan, keyed=False)
        return line.answers(answers.rounds, sequence, ahead, answers.recorded.values)

    def _ended(self, deed: Done, time: int, sequence: int) -> bytes:
        """The end of a statement that was intended; of one that never ran, by the slow way."""
        duration = int(deed.seconds * 1000)
        if deed.code is not None:
            head = replace(self._shapes.origin, time=time, sequence=sequence)
            outcome = Outcome(deed.result, deed.sqlstate, duration, deed.rows, deed.values)
            return encode(Ended(head, self._client, outcome, self._database, deed.number, deed.code))
        return self._session.ended(
            time,
            sequence,
            deed.number,
            duration,
            rows=deed.rows,
            values=deed.values,
            result=deed.result,
            sqlstate=deed.sqlstate,
        )

    def _denied(self, deed: Refused, time: int, sequence: int) -> bytes:
        head = replace(self._shapes.origin, time=time, sequence=sequence)
        said = deed.number, deed.code, deed.sqlstate, deed.remark
        return encode(Denied(head, self._client, deed.plan, self._database, *said))

    def _line(self, plan: Plan, *, keyed: bool) -> Line:
        known = self._lines.get((id(plan), keyed))
        if known is None:
            if len(self._lines) >= PLANS_KEPT:
                self._lines.clear()
            # The plan is kept beside, so that nothing else can have its identity.
            line = self._shapes.find(plan, keyed=keyed).line(self._session)
            known = self._lines[id(plan), keyed] = plan, line
        return known[1]
