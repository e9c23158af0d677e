"""What the statements of a guarded session wait for before they are analysed, or while they are.

A statement that changes what analysis depends on (DDL, search_path, PREPARE, ...) is a barrier: what follows
waits until it has been answered, and what has grown old is read anew on the session's own connection, with
messages of the gateway's own, so that a catalog changed inside a transaction is seen as that transaction
sees it. A long text waits for its analysis elsewhere, and for its turns (`analyses`).

`pipelined` and `guarded` add the client's messages; pure.
"""

import contextlib
from collections.abc import Sequence

from strongroom.errors import StrongroomError, TenantUnknown
from strongroom.session import refresh
from strongroom.session.analyses import LongText, Question
from strongroom.session.assuming import Wish
from strongroom.session.metering import Meter
from strongroom.session.opening import OpeningRelay
from strongroom.session.relay import Limits
from strongroom.session.replies import Owed, Request
from strongroom.session.snapshot import Snapshot
from strongroom.session.statements import Run
from strongroom.sql.statement import Analysis, Barrier
from strongroom.wire.postgres import messages as m


class WaitingRelay(OpeningRelay):
    """An open session with something to protect: when it may go ahead."""

    def __init__(self, limits: Limits, snapshot: Snapshot, meter: Meter | None = None) -> None:
        super().__init__(limits, snapshot, meter)
        self._making: str | None = None  # the tenant whose keys are made now
        self._to_make: str | None = None
        self._refused_tenant: str | None = None  # asked for before, and not to be had

    # ---------------------------------------------------------------- what is recorded

    def _note_begun(self, run: Run) -> None:
        """Statements go upstream to be carried out, unless upstream will skip them."""
        if self.recording is not None and not self._replies.skipping:
            self.recording.begun(run, self._guard.standing)

    def _note_values(self, run: Run, body: bytes | None = None) -> None:
        """Hash what its statements hold against keyed columns; ``body`` is that of the Bind."""
        if self.recording is None or not any(one.keyed for one in run.statements):
            return
        bind = None
        if body is not None:
            with contextlib.suppress(StrongroomError):  # upstream refuses it
                bind = m.Bind.parse(body)
        run.keyed = tuple(self._guard.hashes(one, bind) for one in run.statements)

    def _note_refused(self, text: str, declared: Sequence[int], error: StrongroomError) -> None:
        """A text was refused, with whatever it holds."""
        if self.recording is not None:
            self.recording.refused(self._guard.recorded_of(text, declared), error)

    # ---------------------------------------------------------------- long texts

    def take_question(self) -> Question | None:
        """The long text that is to be analysed elsewhere, once."""
        question, self._guard.long.to_ask = self._guard.long.to_ask, None
        return question

    @property
    def wants_turn(self) -> bool:
        """Whether others are to be served before this session goes on (`go_on`)."""
        return self._guard.long.wants_turn

    def answered(self, question: Question, outcome: Analysis | StrongroomError | None) -> None:
        """Take the analysis of a long text; None where it must be made here."""
        self._guard.long.answered(question, outcome)
        self._resume()

    def go_on(self) -> None:
        """Others have been served."""
        self._guard.long.wants_turn = False
        self._resume()

    def _resume(self) -> None:
        if self._guard.long.busy or self._making is not None or self._assumption.waiting is not None:
            return
        super()._resume()
        if not self.waiting:
            self._guard.long = LongText()  # the literals of the last one need not stay in memory

    # ---------------------------------------------------------------- a role that is assumed

    def take_wish(self) -> Wish | None:
        """The role that is to be written down as assumed, once."""
        return self._assumption.take()

    def assumed(self, *, written: bool) -> None:
        """It was written down and counts, or it was not; what waits for that is looked at again."""
        self._assumption.answered(written=written)
        self._forget_settled()
        self._resume()

    # ---------------------------------------------------------------- new tenants

    def take_tenant(self) -> str | None:
        """The tenant whose keys are to be made, once."""
        tenant, self._to_make = self._to_make, None
        return tenant

    def tenant_made(self) -> None:
        """Its keys are there, or were refused: what waits for them is looked at again."""
        self._refused_tenant, self._making = self._making, None
        self._resume()

    def _awaits(self, error: StrongroomError) -> bool:
        """Whether a message waits for the keys of a new tenant, instead of being refused."""
        tenant = error.tenant if isinstance(error, TenantUnknown) else ""
        if not tenant or not self._guard.makes_tenants:
            return False
        if self._making is None and tenant != self._refused_tenant:
            self._making = self._to_make = tenant
        if tenant == self._making:
            return True
        self._refused_tenant = None  # the next statement may ask again
        return False

    # ---------------------------------------------------------------- keeping up to date

    def _note_barriers(self, barriers: Barrier) -> None:
        if barriers:
            self._barriers += 1

    @property
    def _may_look(self) -> bool:
        """Whether upstream can be asked for its catalog: not in a failed transaction."""
        return self.transaction != "E"

    def _look_again(self) -> bytes:
        """Read the catalog before this message is looked at again; others may need to as well."""
        self.catalog_changed = True
        self._up_to_date()
        return self._hold()

    def _up_to_date(self) -> bool:
        """Whether analysis may go ahead; starts reading anew where that is what is missing."""
        if self._barriers or self._refreshing:
            return False
        if self._guard.changed and self._may_end():
            return False
        if not self._guard.stale:
            return True
        if not self._replies.quiet:  # what is under way may fail, and take the transaction along
            return False
        if self.transaction == "E":
            return True  # nothing can be read; `Guard.analyse` lets only the end of the transaction pass
        self._refresh()
        return False

    def _may_end(self) -> bool:
        """Whether the transaction may end, by what is under way: then its changes may not hold any more."""
        return any(
            owed.request in (Request.SYNC, Request.MAYBE_SYNC, Request.QUERY)
            or (isinstance(owed.subject, Run) and any(one.takes_back for one in owed.subject.statements))
            for owed in self._replies.newest_first()
        )

    def _refresh(self) -> None:
        """Ask upstream, on this connection, for what has grown old."""
        self._refreshing = True
        messages, requests = refresh.question(self._guard.stale)
        self._own = [messages]
        for request in requests:
            self._replies.ask(Owed(request, refresh.QUESTION, mine=True))
        if not self._segment_open:
            self._own.append(m.SYNC)
            self._replies.ask(Owed(Request.SYNC, mine=True))
