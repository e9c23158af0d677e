"""The open session before a database with protected columns.

Each statement is analysed before it goes upstream; what it says of parameters, literals and outputs is then
carried out: parameters and literals are sealed, descriptions show the declared types, values that come back
are opened. What cannot be analysed, or may not pass, is refused as `relay` refuses.

A statement that changes what analysis depends on (DDL, search_path, PREPARE, ...) is a barrier: what follows
waits until it has been answered, and what has grown old is read anew on the session's own connection, with
messages of the gateway's own, so that a catalog changed inside a transaction is seen as that transaction
sees it.

Used by `postgres`; pure.
"""

from collections.abc import Sequence

from strongroom.errors import (
    ClientError,
    Denied,
    InvalidValue,
    OriginMismatch,
    ParameterCount,
    StrongroomError,
    UndefinedCursor,
    UndefinedStatement,
)
from strongroom.protect.batch import open_rows
from strongroom.protect.copy.stream import CopyOpener, CopySealer
from strongroom.session import binding, refresh, rows
from strongroom.session.guard import Guard, OutOfDate, Snapshot
from strongroom.session.relay import Limits, Relay
from strongroom.session.replies import Owed, Request
from strongroom.session.statements import Portal, Run, Statement
from strongroom.sql.statement import Analysis, Barrier, Kind, Resolved
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres.codec import HEADER, message
from strongroom.wire.postgres.reader import Reader

TOLD = frozenset("SVCMHtcdnsFLR")
"""Fields of an upstream's error that a client sees of a statement near protected columns.

DETAIL and CONTEXT may quote stored values, positions point into a text that the client did not write
(rule 6 of the design).
"""

_NEED_NO_THOUGHT = frozenset({Kind.SELECT, Kind.INSERT, Kind.UPDATE, Kind.DELETE, Kind.MERGE})
"""Kinds of statements that change nothing in the session's books."""


class GuardedRelay(Relay):
    """An open session with something to protect."""

    def __init__(self, limits: Limits, snapshot: Snapshot) -> None:
        super().__init__(limits)
        self._guard = Guard(snapshot, self._statements, self._portals)
        self._barriers = 0  # statements under way that change what analysis depends on
        self._refreshing = False
        self._segment_open = False  # extended messages since the last Sync
        self._sealer: CopySealer | None = None  # while the client sends COPY data for a protected table
        self.catalog_changed = False

    def share(self, snapshot: Snapshot) -> None:
        """Take a new snapshot."""
        self._guard.share(snapshot)

    # ---------------------------------------------------------------- the client's messages

    def _query(self, body: bytes) -> bytes | None:
        if self._replies.skipping:
            return b""
        if not self._up_to_date():
            return self._hold()
        query = m.Query.parse(body)
        try:
            analysis = self._guard.analyse(query.text, (), may_look=self._may_look)
            text = self._guard.text(analysis.pieces) if analysis.touched else None
        except OutOfDate:
            return self._look_again()
        except (Denied, InvalidValue) as error:
            return self._refuse_query(error)
        self._segment_open = False
        run = Run(analysis.statements, query.text if len(analysis.statements) == 1 else "")
        self._replies.ask(Owed(Request.QUERY, run))
        self._note_barriers(analysis.barriers)
        return None if text is None else m.Query(text).serialise()

    def _refuse_query(self, error: StrongroomError) -> bytes:
        self._replies.ask(Owed(Request.QUERY, Run(()), refusal=self._refusal(error)))
        return m.Query(self._rejected()).serialise()

    def _parse(self, body: bytes) -> bytes | None:
        if self._replies.skipping:
            return b""
        if not self._up_to_date():
            return self._hold()
        parse = m.Parse.parse(body)
        self._segment_open = True
        if self._statement_limit_reached(parse.name):
            return self._refuse_parse(parse, self._too_many_statements())
        return self._prepare(parse)

    def _prepare(self, parse: m.Parse) -> bytes | None:
        """Send a Parse, as it came where it touches nothing."""
        try:
            analysis = self._guard.analyse(parse.text, parse.parameter_types, may_look=self._may_look)
            resolved = _only(analysis)
            statement = Statement(
                parse.name, parse.text, parse.parameter_types, resolved, self._guard.outlook
            )
            sent = (
                None
                if not analysis.touched
                else binding.resolved_parse(self._guard, parse, analysis, resolved)
            )
        except OutOfDate:
            return self._look_again()
        except (Denied, InvalidValue) as error:
            return self._refuse_parse(parse, error)
        undo = self._put_statement(parse.name, statement)
        self._replies.ask(Owed(Request.PARSE, statement, undo=undo))
        if sent is None:
            return None
        # Rule 4: what the statement gives must be what we think, before a row of it is opened.
        self._replies.ask(Owed(Request.DESCRIBE_STATEMENT, statement, mine=True))
        return sent + m.Target("S", parse.name).describe()

    def _refuse_parse(self, parse: m.Parse, error: StrongroomError) -> bytes:
        statement = Statement(parse.name, "", refused=True)  # for what follows in the pipeline
        undo = self._put_statement(parse.name, statement)
        self._replies.ask(Owed(Request.PARSE, statement, undo=undo, refusal=self._refusal(error)))
        return m.Parse(parse.name, self._rejected()).serialise()

    def _bind(self, body: bytes) -> bytes | None:
        if self._replies.skipping:
            return b""
        reader = Reader(body)
        name, statement_name = reader.cstring(), reader.cstring()
        statement = self._statements.find(statement_name)
        if not self._statements.settled(statement_name, self._segment) or not self._up_to_date():
            return self._hold()
        self._segment_open = True
        if statement is not None and statement.refused:
            return self._bind_nothing(name)
        before = b""
        if statement is not None and statement.outlook != self._guard.outlook:
            anew = self._prepare_anew(statement)
            if isinstance(anew, StrongroomError):
                return self._refuse_bind(name, anew)
            before, statement = anew, self._statements.find(statement_name)
        if statement is None:
            return self._refuse_bind(name, UndefinedStatement("there is no prepared statement of this name"))
        resolved = statement.resolved
        if resolved is None or not resolved.touched:
            run = Run(()) if resolved is None else Run((resolved,))
            sent = None
        else:
            try:
                run, sent = binding.sealed_bind(self._guard, resolved, m.Bind.parse(body))
            except (Denied, InvalidValue, ParameterCount) as error:
                return before + self._refuse_bind(name, error)
        portal = Portal(name, statement, run)
        undo = self._put_portal(name, portal)
        self._replies.ask(Owed(Request.BIND, portal, undo=undo))
        if not before:
            return sent
        return before + (m.Bind.parse(body).serialise() if sent is None else sent)

    def _prepare_anew(self, statement: Statement) -> bytes | StrongroomError:
        """Analyse a statement under the catalog as it is now; prepare it again if it means something else.

        PostgreSQL resolves a prepared statement anew too when the catalog or search_path has changed.
        """
        try:
            after = self._guard.anew(statement)
        except Denied as error:
            return error
        before = statement.resolved
        statement.outlook = self._guard.outlook
        if before == after or not (_touched(before) or _touched(after)):
            statement.resolved = after
            return b""
        parse = m.Parse(statement.name, statement.text, statement.parameter_types)
        closing = b""
        if statement.name:
            closing = m.Target("S", statement.name).close()
            target = m.Target("S", statement.name)
            self._replies.ask(
                Owed(Request.CLOSE, target, mine=True, undo=self._put_statement(statement.name, None))
            )
        sent = self._prepare(parse) or parse.serialise()
        own = next(owed for owed in self._replies.newest_first() if owed.request is Request.PARSE)
        own.mine = True
        return closing + sent

    def _bind_nothing(self, name: str) -> bytes:
        """A Bind without its values: upstream skips it, since the Parse before it fails."""
        portal = Portal(name, None, Run(()))
        self._replies.ask(Owed(Request.BIND, portal, undo=self._put_portal(name, portal)))
        return m.Bind(name, self._rejected()).serialise()

    def _refuse_bind(self, name: str, error: StrongroomError) -> bytes:
        portal = Portal(name, None, Run(()))  # for what follows in the pipeline, which upstream will skip
        undo = self._put_portal(name, portal)
        self._replies.ask(Owed(Request.BIND, portal, undo=undo, refusal=self._refusal(error)))
        return m.Bind(name, self._rejected()).serialise()

    def _describe(self, body: bytes) -> bytes | None:
        if self._replies.skipping:
            return b""
        target = m.Target.parse(body)
        self._segment_open = True
        if target.kind == "S":
            if not self._statements.settled(target.name, self._segment):
                return self._hold()
            self._replies.ask(Owed(Request.DESCRIBE_STATEMENT, self._statements.find(target.name)))
            return None
        if not self._portals.settled(target.name, self._segment):
            return self._hold()
        portal = self._portals.find(target.name)
        if portal is None and self._barriers:  # a DECLARE may be under way
            return self._hold()
        portal = portal or self._declared(target.name)
        if portal is None:
            return self._refuse_portal(Request.DESCRIBE_PORTAL, target.name)
        self._replies.ask(Owed(Request.DESCRIBE_PORTAL, portal))
        return None

    def _declared(self, name: str) -> Portal | None:
        """A cursor of DECLARE as a portal."""
        declared = self._guard.cursors.declared
        outputs = declared.get(name)
        if outputs is None:
            return Portal(name, None, Run(())) if name in declared else None
        touched = any(one.protection is not None for one in outputs)
        return Portal(name, None, Run((Resolved(Kind.FETCH, (), touched=touched, outputs=outputs),)))

    def _execute(self, body: bytes) -> bytes | None:
        if self._replies.skipping:
            return b""
        execute = m.Execute.parse(body)
        if not self._portals.settled(execute.portal, self._segment):
            return self._hold()
        self._segment_open = True
        portal = self._portals.find(execute.portal)
        if portal is None and self._barriers:  # a DECLARE may be under way
            return self._hold()
        portal = portal or self._declared(execute.portal)
        # The rows of a cursor of DECLARE come without a word of the format that they have.
        if portal is None or portal.run is None or (portal.statement is None and _near(portal)):
            return self._refuse_portal(Request.EXECUTE, execute.portal)
        run = portal.run
        current = run.current
        barriers = Barrier.NONE if current is None else current.barriers
        undo = self._barrier_passed if barriers else None
        self._replies.ask(Owed(Request.EXECUTE, run, undo=undo))
        self._note_barriers(barriers)
        return None

    def _refuse_portal(self, request: Request, name: str) -> bytes:
        """Nothing runs whose rows we could not tell: a portal that no Bind of this session has made."""
        by_sql = name in self._guard.cursors
        error = UndefinedCursor(
            "this portal was made by DECLARE" if by_sql else "there is no portal of this name",
            hint="Read it with FETCH." if by_sql else "Bind it first; portals end with their transaction.",
        )
        self._replies.ask(Owed(request, None, refusal=self._refusal(error)))
        rejected = self._rejected()
        if request is Request.EXECUTE:
            return m.Execute(rejected).serialise()
        return m.Target("P", rejected).describe()

    def _end_segment(self) -> None:
        super()._end_segment()
        self._segment_open = False

    def _needs_no_thought(self, statement: Statement) -> bool:
        resolved, guard = statement.resolved, self._guard
        return (
            resolved is not None
            and resolved.kind in _NEED_NO_THOUGHT
            and not (resolved.touched or resolved.barriers or resolved.outputs)
            and not (self._barriers or self._refreshing or self._segment_open or guard.stale)
            and not statement.refused
            and statement.outlook == guard.outlook
        )

    def _portal_of(self, statement: Statement) -> Portal:
        assert statement.resolved is not None
        return Portal("", statement, Run((statement.resolved,)))

    def _close(self, body: bytes) -> bytes | None:
        if self._replies.skipping:
            return b""
        self._segment_open = True
        return super()._close(body)

    def _copy_data(self, body: bytes) -> bytes | None:
        replacement = super()._copy_data(body)
        if self._sealer is None or replacement is not None:
            return replacement
        try:
            return _copy_message(self._sealer.feed(body))
        except (Denied, ClientError) as error:
            return self._refuse_copy(error)

    def _copy_end(self, body: bytes) -> bytes | None:
        sealer, done = self._sealer, not body  # CopyDone has no body, CopyFail has a reason
        rest = b""
        if sealer is not None and done and self._replies.copying_in:
            try:
                rest = _copy_message(sealer.finish())
            except (Denied, ClientError) as error:
                return self._refuse_copy(error)
        replacement = super()._copy_end(body)
        return rest + m.COPY_DONE if rest and replacement is None else replacement

    def _refuse_copy(self, error: StrongroomError) -> bytes:
        """End the COPY in the client's place; what it goes on to send is dropped."""
        head = self._replies.head
        assert head is not None
        self._sealer = None
        head.refusal = self._refusal(error)
        self._replies.copy_end()
        return m.copy_fail(self._rejected())

    def _flows_upstream(self, tag: int) -> bool:
        return self._sealer is None and super()._flows_upstream(tag)

    # ---------------------------------------------------------------- keeping up to date

    def _note_barriers(self, barriers: Barrier) -> None:
        if barriers:
            self._barriers += 1

    def _barrier_passed(self) -> None:
        self._barriers -= 1

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
        if not self._guard.stale:
            return True
        if not self._replies.quiet:  # what is under way may fail, and take the transaction along
            return False
        if self.transaction == "E":
            return True  # nothing can be read; `Guard.analyse` lets only the end of the transaction pass
        self._refresh()
        return False

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

    # ---------------------------------------------------------------- upstream's messages

    def _reported(self, status: m.ParameterStatus) -> None:
        super()._reported(status)
        self.settle_style(status.name, status.value)

    def settle_style(self, name: str, value: str) -> None:
        """Note a run-time parameter that decides how values are printed."""
        self._guard.style = self._guard.style.with_setting(name, value)

    def _answered(self, owed: Owed, tag: int, data: bytes, start: int, end: int) -> bytes | None:
        if owed.subject is refresh.QUESTION:
            return self._own_answer(tag, data[start:end])
        replacement = super()._answered(owed, tag, data, start, end)
        subject, letter = owed.subject, chr(tag)
        if letter == "E":
            self._sealer = None
            return _without_values(data[start:end]) if replacement is None and _near(subject) else replacement
        if isinstance(subject, Run):
            return self._run_answer(owed, subject, letter, data[start:end], replacement)
        if isinstance(subject, Portal):
            subject_run = subject.run
            if letter == "T" and subject_run is not None and subject_run.current is not None:
                return self._describe_rows(
                    subject_run.current, data[start + HEADER : end], subject_run.formats
                )
        if isinstance(subject, Statement) and _touched(subject.resolved):
            shown = self._statement_described(subject, letter, data[start + HEADER : end])
            return b"" if owed.mine else shown
        return replacement

    def _own_answer(self, tag: int, whole: bytes) -> bytes:
        answer = refresh.answer(tag, whole[HEADER:])
        if answer is not None:
            self._guard.refreshed(answer.path, answer.schema)
            self._refreshing = False
        return b""

    def _noticed(self, message: bytes) -> bytes | None:
        head = self._replies.head
        return _without_values(message) if head is not None and _near(head.subject) else None

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

    def _describe_rows(self, resolved: Resolved, body: bytes, formats: Sequence[int] | None) -> bytes | None:
        outputs = resolved.outputs
        if outputs is None:
            return None
        description = m.RowDescription.parse(body)
        rows.agree(outputs, description, self._guard.protected)
        return rows.shown(outputs, description, formats).serialise()

    def _run_answer(
        self, owed: Owed, run: Run, letter: str, message: bytes, replacement: bytes | None
    ) -> bytes | None:
        current = run.current
        if letter == "D":
            return None if run.rows is None else open_rows(run.rows, message)
        if letter in "GHdc":
            return self._copy_answer(run, letter, message)
        if letter == "T" and current is not None and current.outputs is not None:
            description = m.RowDescription.parse(message[HEADER:])
            came = [field.format for field in description.fields]
            run.rows = rows.plan(current.outputs, came, came, self._guard.codec, self._guard.style)
            return self._describe_rows(current, message[HEADER:], None)
        if letter in "CI" and current is not None:
            self._completed(owed, run, current)
        elif (letter == "s" and current is not None and current.barriers) or (
            letter == "Z" and any(one.barriers for one in run.statements)
        ):
            self._barrier_passed()
        return replacement

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
            return _each_copy_message(run.opener, message)
        elif run.opener is not None:
            return _copy_message(run.opener.finish()) + message
        return None

    def _completed(self, owed: Owed, run: Run, current: Resolved) -> None:
        self._sealer = run.opener = None
        self._guard.completed(current)
        self._name_statements(current, run.text)
        if owed.request is Request.QUERY:
            run.index += 1
            run.rows = None
        elif current.barriers:
            self._barrier_passed()

    def _name_statements(self, done: Resolved, text: str) -> None:
        """SQL's PREPARE and DEALLOCATE share their names with Parse and Close, DECLARE shares with Bind."""
        if done.kind is Kind.PREPARE and done.name is not None:
            statement = Statement(done.name, text, (), done.defines, self._guard.outlook, by_sql=True)
            self._statements.note(done.name, statement)
        elif done.kind is Kind.DEALLOCATE and done.name is not None:
            self._statements.note(done.name, None)
        elif done.kind in (Kind.DEALLOCATE, Kind.DISCARD):
            self._statements.forget_all()
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
        own = head is not None and head.subject is refresh.QUESTION
        return super()._flows_to_client(tag) and not opened and not own


def _copy_message(data: bytes) -> bytes:
    return message(b"d", data) if data else b""


def _each_copy_message(opener: CopyOpener, run: bytes) -> bytes:
    """Open CopyData by CopyData: clients rely on PostgreSQL sending one row in each."""
    out, at = [], 0
    while at < len(run):
        end = at + 1 + int.from_bytes(run[at + 1 : at + HEADER])
        out.append(_copy_message(opener.feed(run[at + HEADER : end])))
        at = end
    return b"".join(out)


def _only(analysis: Analysis) -> Resolved | None:
    """The one statement of a Parse; PostgreSQL itself refuses more than one, which nothing must slip by."""
    if len(analysis.statements) > 1 and analysis.touched:
        raise Denied("several statements in one prepared statement", hint="Prepare them one by one.")
    return analysis.statements[0] if analysis.statements else None


def _near(subject: object) -> bool:
    """Whether what failed came near a protected table."""
    if isinstance(subject, Portal):
        subject = subject.run
    if isinstance(subject, Run):
        return any(one.touched for one in subject.statements)
    return isinstance(subject, Statement) and _touched(subject.resolved)


def _touched(resolved: Resolved | None) -> bool:
    return resolved is not None and resolved.touched


def _without_values(message: bytes) -> bytes:
    fields = m.ErrorResponse.parse(message[HEADER:]).fields
    told = {code: text for code, text in fields.items() if code in TOLD}
    return m.ErrorResponse(told).serialise(message[:1])
