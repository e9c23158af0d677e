"""The upstream side of a session with something to protect: what comes back is checked, shown and opened.

Descriptions are held against analysis and show the declared types; rows and COPY data are opened; errors and
notices lose what may quote stored values; what a completed statement changes is noted; the answers to the
gateway's own questions are taken out.

`waiting` and `guarded` add the client's side; pure.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from strongroom._kernel import Answer, cut
from strongroom._kernel.logging import rows_of
from strongroom.errors import BudgetSpent, Bug, OriginMismatch, PlanOutdated
from strongroom.protect.batch import RowPlan, open_rows
from strongroom.protect.copy.stream import CopyOpener, CopySealer
from strongroom.session import binding, refresh, rows
from strongroom.session.assuming import Assumption
from strongroom.session.guard import Guard
from strongroom.session.metering import Meter
from strongroom.session.policing import Judge, Policing
from strongroom.session.recording import Recording
from strongroom.session.refusals import to_wire
from strongroom.session.relay import Limits, Relay
from strongroom.session.replies import RUNS, Owed, Request
from strongroom.session.seals import PLANS_KEPT
from strongroom.session.snapshot import Snapshot
from strongroom.session.statements import Portal, Run, Statement
from strongroom.sql.settings import ROLE_SETTING, TENANT_SETTING
from strongroom.sql.statement import Barrier, Kind, Resolved
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres import types
from strongroom.wire.postgres.codec import HEADER, message

TOLD = frozenset("SVCMHtcdnsFLR")
"""Fields of an upstream's error that a client sees of a statement near protected columns.

DETAIL and CONTEXT may quote stored values, positions point into a text that the client did not write
(rule 6 of the design).
"""


_COMPLETE, _SUSPENDED = b"Cs"

CHECK_VIOLATION = "23514"

QUOTE_NOTHING = frozenset({"08", "23", "25", "28", "40", "53", "55", "57"})
"""Classes of errors whose messages quote no value that a condition computes with: 23 names constraints.

All others may: `invalid input syntax for type integer: "..."` (22), or `relation "..." does not exist` (42)
of `WHERE name::regclass IS NULL`. But one with a position is about the statement's text: it was found before
a row was read, and quotes no more than that.
"""

GUARD_GONE = "42704"
"""undefined_object: the type that look-ups name went with the key it is named after (sql/guards.py)."""

OF_CHANGED_COLUMNS = frozenset({"0A000", "42804", "42883"})
"""What PostgreSQL says where a column has another type than a statement was made for: cached plan must not
change result type, datatype_mismatch, undefined_function (no such operator)."""


class Known(NamedTuple):
    """What was settled at the first of the answers to like rounds."""

    form: Answer
    opened: int
    """Protected columns in each row."""
    veiled: bool
    kept: object
    """What it is known by."""


class OpeningRelay(Relay):
    """The upstream side."""

    def __init__(self, limits: Limits, snapshot: Snapshot, meter: Meter | None = None) -> None:
        super().__init__(limits, meter)
        self._guard = Guard(snapshot, self._statements, self._portals, self._meter)
        self._barriers = 0  # statements under way that change what analysis depends on
        self._refreshing = False
        self._segment_open = False  # extended messages since the last Sync
        self._sealer: CopySealer | None = None  # while the client sends COPY data for a protected table
        self._shown: dict[tuple[object, ...], tuple[object, bytes]] = {}  # descriptions that agreed
        self._answers: dict[tuple[object, ...], Known] = {}  # to rounds of such
        self.catalog_changed = False
        self.recording: Recording | None = None
        """What is to be recorded of its statements, where they are."""
        self._assumption = Assumption()

    def share(self, snapshot: Snapshot) -> None:
        """Take a new snapshot. Rows that are on their way go on with the keys that it has.

        They would open by one that is withdrawn, for as long as a client takes to read them.
        """
        self._unfold()  # what needed no thought before may need it now
        self._forget_settled()
        withdrawn = self._guard.share(snapshot)
        for run in self._under_way() if withdrawn else ():
            if run.rows is not None and run.rows.again is not None:
                run.rows = run.rows.again()

    def _under_way(self) -> Iterator[Run]:
        """What upstream carries out, or may still be asked to."""
        portals = (self._portals.find(name) for name in self._portals.names())
        owed = (one.subject for one in self._replies.newest_first())
        for subject in (*portals, *owed):
            run = subject.run if isinstance(subject, Portal) else subject
            if isinstance(run, Run):
                yield run

    @property
    def judged(self) -> bool:
        """Whether a policy is asked about statements."""
        return self._guard.policing is not None

    def record(self, *, intends: bool = False) -> Recording:
        """Record each statement from now on; ``intends``: before it is sent, too."""
        self.recording = Recording(self._guard.recorded, intends=intends)
        self._guard.is_recorded = True
        return self.recording

    def record_lost(self) -> None:
        """The session ends: nobody knows what came of what is under way."""
        if self.recording is not None:
            self._unfold()
            owed = (one for one in reversed(list(self._replies.newest_first())) if one.request in RUNS)
            self.recording.lost(one.subject for one in owed if isinstance(one.subject, Run))

    def police(self, judge: Judge, application: str) -> None:
        """Ask this judge about each statement from now on."""
        self._unfold()
        self._forget_settled()
        self._guard.policing = Policing(judge, application, self._assumption, self._meter)

    def age(self) -> None:
        """Look at the catalog before the next statement."""
        self._unfold()
        self._forget_settled()
        self._guard.age()

    def _forget_settled(self) -> None:
        """Forget what was settled once for many rounds, under what may have changed since."""
        self._shown.clear()
        self._answers.clear()

    def _reported(self, status: m.ParameterStatus) -> None:
        super()._reported(status)
        self.settle_style(status.name, status.value)

    def settle_style(self, name: str, value: str) -> None:
        """Note a run-time parameter that decides how values are printed."""
        if name == TENANT_SETTING:
            if value != self._guard.tenant:
                self._forget_settled()
            self._guard.tenant = value
            return
        if name == ROLE_SETTING:
            if self._assumption.said(value):
                self._forget_settled()
            return
        self._guard.style = self._guard.style.with_setting(name, value)
        self._forget_settled()

    def _answered(self, owed: Owed, tag: int, data: bytes, start: int, end: int) -> bytes | None:
        if owed.subject is refresh.QUESTION:
            return self._own_answer(tag, data[start:end])
        replacement = super()._answered(owed, tag, data, start, end)
        subject, letter = owed.subject, chr(tag)
        if letter == "T" and self._guard.awaiting:
            self._watch(m.RowDescription.parse(data[start + HEADER : end]))
        if letter == "E":
            self._sealer = None
            if self.recording is not None:
                self._record_failed(self.recording, owed, data[start:end])
            if isinstance(subject, Run):
                subject.completed = b""
            return self._failed(subject, data[start:end]) if replacement is None else replacement
        if isinstance(subject, Run) and owed.request is Request.READ and letter != "D":
            return self._read_answer(subject, letter, data[start:end])
        if isinstance(subject, Run):
            return self._run_answer(owed, subject, letter, data[start:end], replacement)
        if isinstance(subject, Portal):
            subject_run = subject.run
            if letter == "T" and subject_run is not None and subject_run.current is not None:
                return self._describe_rows(
                    subject_run.current, data[start + HEADER : end], subject_run.formats
                )
        if isinstance(subject, Statement) and touched(subject.resolved):
            shown = self._statement_described(subject, letter, data[start + HEADER : end])
            return b"" if owed.mine else shown
        return replacement

    def _record_failed(self, recording: Recording, owed: Owed, message: bytes) -> None:
        """What an error ended, and what upstream skips behind it."""
        if isinstance(owed.subject, Run):
            told = m.ErrorResponse.parse((owed.refusal or message)[HEADER:])
            recording.failed(owed.subject, told.fields.get("C", ""))
        skipped = (one for one in self._replies.take_skipped() if one is not owed and one.request in RUNS)
        recording.skipped(one.subject for one in skipped if isinstance(one.subject, Run))

    def _failed(self, subject: object, message: bytes) -> bytes | None:
        """What the client hears of an error; one that tells of a changed column makes us look again."""
        fields = m.ErrorResponse.parse(message[HEADER:]).fields
        code, constraint = fields.get("C", ""), fields.get("n", "")
        refused_by_check = code == CHECK_VIOLATION and constraint.startswith("strongroom_")
        rotated = code == GUARD_GONE and _is_of_protected(subject)
        if (
            refused_by_check
            or rotated
            or (code in OF_CHANGED_COLUMNS and (near(subject) or self._guard.awaiting))
        ):
            self._guard.stale |= Barrier.CATALOG
            self.catalog_changed = True
        if refused_by_check or rotated:
            error = PlanOutdated("a table was changed while the statement was on its way", hint="Try again.")
            return to_wire(error).serialise()
        return _told(subject, message)

    def _watch(self, description: m.RowDescription) -> None:
        """Notice a column that was sealed a moment ago, before a row of it passes for what it was."""
        for field in description.fields:
            if field.table_oid in self._guard.awaiting and field.type_oid == types.BYTEA:
                self._guard.stale |= Barrier.CATALOG
                self.catalog_changed = True
                raise OriginMismatch(
                    "a column of the table was sealed while the statement was on its way", hint="Try again."
                )

    def _own_answer(self, tag: int, whole: bytes) -> bytes:
        answer = refresh.answer(tag, whole[HEADER:])
        if answer is not None:
            self._forget_settled()
            self._guard.refreshed(answer.path, answer.schema)
            self.catalog_changed |= self._guard.outdated
            for item in answer.style.items():
                self.settle_style(*item)
            self._refreshing = False
        return b""

    def _noticed(self, message: bytes) -> bytes | None:
        head = self._replies.head
        return None if head is None else _told(head.subject, message)

    def _statement_described(self, statement: Statement, letter: str, body: bytes) -> bytes | None:
        resolved = statement.resolved
        assert resolved is not None
        if letter == "t":
            description = m.ParameterDescription.parse(body)
            if resolved.parameters is None:
                return None
            return m.ParameterDescription(binding.client_types(resolved, description.types)).serialise()
        if letter == "T":
            return self._describe_rows(resolved, body, None)
        return None

    def _note_end(self, owed: Owed, tag: int, body: bytes) -> None:
        super()._note_end(owed, tag, body)
        run, rows = owed.subject, 0
        if not isinstance(run, Run) or run.current is None or owed.request not in RUNS:
            return
        if tag == _COMPLETE:
            rows = rows_of(body[:-1])
        elif tag == _SUSPENDED:
            rows = owed.limit
        self._meter.veiled += run.current.veiled
        self._meter.opened += rows * opened_by(run.current)

    def _describe_rows(self, resolved: Resolved, body: bytes, formats: Sequence[int] | None) -> bytes | None:
        outputs = resolved.outputs
        if outputs is None:
            return None
        key = (id(outputs), body, None if formats is None else tuple(formats))
        known = self._shown.get(key)
        if known is None:
            description = m.RowDescription.parse(body)
            rows.agree(outputs, description, self._guard.protected)
            if len(self._shown) >= PLANS_KEPT:
                self._shown.clear()
            # The outputs are kept beside, so that no others can have their identity.
            known = outputs, rows.shown(outputs, description, formats).serialise()
            self._shown[key] = known
        return known[1]

    def _run_answer(
        self, owed: Owed, run: Run, letter: str, message: bytes, replacement: bytes | None
    ) -> bytes | None:
        current = run.current
        if letter in "Dd" and current is not None and current.metered is not None:
            self._count(current, message)
        if letter == "D":
            return None if run.rows is None else self._opened(run.rows, message)
        if letter in "GHdc":
            return self._copy_answer(run, letter, message)
        if letter == "T" and current is not None and current.outputs is not None:
            description = m.RowDescription.parse(message[HEADER:])
            came = [field.format for field in description.fields]
            run.rows = self._guard.fresh_plan(current.outputs, came, came)
            return self._describe_rows(current, message[HEADER:], None)
        if letter in "CI" and current is not None:
            if self.recording is not None:
                self.recording.done(run, message[HEADER:-1])
            self._completed(owed, run, current)
        elif letter == "s" and current is not None:
            if self.recording is not None:
                self.recording.suspended(run, owed.limit)
            if current.barriers:
                self._guard.begun(current)
                self._barrier_passed()
        elif letter == "Z" and any(one.barriers for one in run.statements):
            self._barrier_passed()
        return replacement

    def _opened(self, plan: RowPlan, messages: bytes) -> bytes:
        began = self._meter.clock()
        opened = open_rows(plan, messages)
        self._meter.protect.note(self._meter.clock() - began)
        return opened

    def _count(self, current: Resolved, messages: bytes) -> None:
        """Have rows counted before they go to the client; raises `BudgetSpent`."""
        if self._guard.policing is None:
            raise Bug("rows are to be counted, and nobody counts them")
        try:
            self._guard.policing.spend(current, len(cut(messages, 0, len(messages), b"")[0]))
        except BudgetSpent:
            self._meter.denied += 1  # the error itself is counted where it ends the session
            raise

    def _read_answer(self, run: Run, letter: str, message: bytes) -> bytes | None:
        """What the client hears of a simple query that was sent in the extended protocol.

        A simple query is complete when its transaction is, so what Execute says is told at ReadyForQuery.
        """
        if letter == "T":
            assert run.current is not None
            described = self._describe_rows(run.current, message[HEADER:], run.formats)
            run.rows = binding.rows_read(self._guard, run.current)
            return described
        if letter == "Z":
            return run.completed + message
        if letter == "C":
            run.completed = message
            if self.recording is not None:
                self.recording.done(run, message[HEADER:-1])
                run.recorded = ()  # an error behind it is one of the transaction's end
        return b""

    def _copy_answer(self, run: Run, letter: str, message: bytes) -> bytes | None:
        copy = None if run.current is None or not run.current.touched else run.current.copy
        if copy is not None and letter in "GH":
            if int.from_bytes(message[HEADER + 1 : HEADER + 3]) != len(copy.columns):
                raise OriginMismatch("COPY has another number of columns than expected")
            if letter == "G":
                self._sealer = self._guard.copy_sealer(copy, self._limits.message_bytes)
            else:
                run.opener = self._guard.copy_opener(copy, self._limits.message_bytes)
        elif run.opener is not None and letter == "d":
            began = self._meter.clock()
            opened = _each_copy_message(run.opener, message)
            self._meter.protect.note(self._meter.clock() - began)
            return opened
        elif run.opener is not None:
            return copy_message(run.opener.finish()) + message
        return None

    def _completed(self, owed: Owed, run: Run, current: Resolved) -> None:
        self._sealer = run.opener = None
        self._guard.completed(current)
        self._name_statements(current)
        if owed.request is Request.QUERY:
            run.index += 1
            run.rows = None
        elif current.barriers:
            self._barrier_passed()

    def _name_statements(self, done: Resolved) -> None:
        """SQL's PREPARE and DEALLOCATE share their names with Parse and Close, DECLARE shares with Bind."""
        if done.kind is Kind.PREPARE and done.name is not None:
            statement = Statement(done.name, done.text, (), done.defines, self._guard.outlook, by_sql=True)
            self._statements.note(done.name, statement)
        elif done.kind is Kind.DEALLOCATE and done.name is not None:
            self._statements.note(done.name, None)
        elif done.kind in (Kind.DEALLOCATE, Kind.DISCARD) and Barrier.PREPARED in done.barriers:
            self._statements.forget_all()  # DISCARD PLANS, TEMP and SEQUENCES leave them
        elif done.kind in (Kind.DECLARE, Kind.CLOSE) and done.name is not None:
            self._portals.note(done.name, None)

    def _ready(self, body: bytes) -> None:
        super()._ready(body)
        if self.transaction == "I" and self._guard.transaction_ended():
            self.catalog_changed = True

    def _flows_to_client(self, tag: int) -> bool:
        """Rows that must be opened are waited for whole."""
        head = self._replies.head
        run = head.subject if head is not None and isinstance(head.subject, Run) else None
        opened = run is not None and (run.rows is not None or run.opener is not None)
        current = None if run is None else run.current
        counted = current is not None and current.metered is not None
        own = head is not None and head.subject is refresh.QUESTION
        return super()._flows_to_client(tag) and not opened and not counted and not own

    def _barrier_passed(self) -> None:
        self._barriers -= 1


def copy_message(data: bytes) -> bytes:
    return message(b"d", data) if data else b""


def _each_copy_message(opener: CopyOpener, run: bytes) -> bytes:
    """Open CopyData by CopyData: clients rely on PostgreSQL sending one row in each."""
    out, at = [], 0
    while at < len(run):
        end = at + 1 + int.from_bytes(run[at + 1 : at + HEADER])
        out.append(copy_message(opener.feed(run[at + HEADER : end])))
        at = end
    return b"".join(out)


def near(subject: object) -> bool:
    """Whether what failed came near a protected table."""
    if isinstance(subject, Portal):
        subject = subject.run
    if isinstance(subject, Run):
        return any(one.touched for one in subject.statements)
    return isinstance(subject, Statement) and touched(subject.resolved)


def _is_of_protected(subject: object) -> bool:
    """Whether what failed reads, writes or compares protected columns; under a policy all is near."""
    if isinstance(subject, Portal):
        subject = subject.run
    if isinstance(subject, Run):
        return any(map(_touches, subject.statements))
    return isinstance(subject, Statement) and subject.resolved is not None and _touches(subject.resolved)


def _touches(resolved: Resolved) -> bool:
    # EXPLAIN EXECUTE does not say what it would execute touches.
    return bool(resolved.touches) or (resolved.touched and resolved.kind is Kind.EXPLAIN)


def opened_by(resolved: Resolved) -> int:
    """How many columns of each row that a statement gives are protected ones."""
    if resolved.kind is Kind.COPY_OUT and resolved.copy is not None:
        return sum(one.protection is not None for one in resolved.copy.columns)
    return sum(one.protection is not None for one in resolved.outputs or ())


def touched(resolved: Resolved | None) -> bool:
    return resolved is not None and resolved.touched


def _hushed(subject: object) -> bool:
    """Whether a message may quote a value that the client may filter by and not see."""
    if isinstance(subject, Portal):
        subject = subject.run
    if isinstance(subject, Run):
        return any(one.hushed for one in subject.statements)
    return isinstance(subject, Statement) and subject.resolved is not None and subject.resolved.hushed


def _told(subject: object, message: bytes) -> bytes | None:
    """What the client hears; None: all of it. Of definitions, too, which are sent as they came."""
    hushed = _hushed(subject)
    return _without_values(message, hushed=hushed) if hushed or near(subject) else None


def _without_values(message: bytes, *, hushed: bool) -> bytes:
    fields = m.ErrorResponse.parse(message[HEADER:]).fields
    told = {code: text for code, text in fields.items() if code in TOLD}
    if hushed and fields.get("C", "")[:2] not in QUOTE_NOTHING and "P" not in fields:
        told = {code: text for code, text in told.items() if code != "H"}
        told["M"] = "a value could not be computed with"
    return m.ErrorResponse(told).serialise(message[:1])
