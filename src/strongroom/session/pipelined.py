"""Series of rounds in an open session with something to protect: found, sealed and noted as one.

`series` says what a series is, and `relay` hears its answers. One is begun only where nothing has to be
looked at before: what waits, may have changed or is refused is taken message by message, by `guarded`.

Used by `guarded`; pure.
"""

from strongroom.session.metering import Meter
from strongroom.session.relay import Limits
from strongroom.session.series import EXECUTED, KINDS, Part, Plan, Plans
from strongroom.session.snapshot import Snapshot
from strongroom.session.statements import Portal, Run, Statement
from strongroom.session.waiting import WaitingRelay
from strongroom.wire.postgres.codec import HEADER, Span
from strongroom.wire.postgres.reader import Reader


class PipelinedRelay(WaitingRelay):
    """The client's side of series."""

    def __init__(self, limits: Limits, snapshot: Snapshot, meter: Meter | None = None) -> None:
        super().__init__(limits, snapshot, meter)
        self._plans = Plans(self._guard)

    def _forget_settled(self) -> None:
        super()._forget_settled()
        self._plans = Plans(self._guard)

    def begin_round(self, chunk: bytes) -> bytes | None:
        return super().begin_round(chunk) or self._go_on(chunk)

    def _go_on(self, chunk: bytes) -> bytes | None:
        """What goes upstream, if the client's octets are more of the series that was found last."""
        plan, frames = self._plans.current, self._client_frames
        if plan is None or self.waiting or self._kept or frames.held or frames.torn:
            return None
        if not chunk.endswith(EXECUTED) or len(chunk) > self._limits.message_bytes:
            return None
        if not self._in_series(plan.statement) or not self._plans.holds(plan):
            return None
        part = self._sealed_part(plan, chunk, 0)
        if part is None or part.end < len(chunk):
            return None
        self._unfold()
        self._note_series(part)
        return part.octets

    def _series(self, data: bytes, spans: list[Span], at: int) -> Part | None:
        _, start, end = spans[at]
        reader = Reader(data[start + HEADER : end])
        name, statement_name = reader.cstring(), reader.cstring()
        statement = self._statements.find(statement_name)
        if name or statement is None or not self._in_series(statement):
            return None
        plan = self._plans.find(statement, data, spans, at)
        part = None if plan is None else self._sealed_part(plan, data, start)
        if part is not None:
            self._note_series(part)
        return part

    def _sealed_part(self, plan: Plan, data: bytes, start: int) -> Part | None:
        began = self._meter.clock()
        part = plan.seal(data, start)
        self._meter.protect.note(self._meter.clock() - began)
        return part

    def _note_series(self, part: Part) -> None:
        self._segment_open = True
        self._flushed = False
        plan = part.plan
        if not self._replies.goes_on(plan, part.rounds):
            portal = Portal("", plan.statement, Run((plan.resolved,), formats=plan.result_formats))
            self._replies.ask(plan.under_way(part.rounds, self._put_portal("", portal), portal))

    def _in_series(self, statement: Statement) -> bool:
        """Whether rounds of the statement may pass as one: nothing in the books changes, no rows come."""
        replies, resolved = self._replies, statement.resolved
        if replies.skipping or replies.sync_due or replies.copying_in:
            return False
        if self._barriers or self._refreshing or self._guard.stale or self._guard.changed:
            return False
        if self.recording is not None:
            return False  # each is recorded
        if resolved is None or statement.refused:
            return False
        if statement.outlook != self._guard.outlook or self._statements.find(statement.name) is not statement:
            return False
        plain = resolved.kind in KINDS and not resolved.outputs and resolved.context_free
        return plain and not resolved.barriers and self._statements.settled(statement.name, self._segment)
