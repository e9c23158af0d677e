"""The open session before a database with protected columns.

Each statement is analysed before it goes upstream; what it says of parameters, literals and outputs is then
carried out: parameters and literals are sealed, descriptions show the declared types, values that come back
are opened. What cannot be analysed, or may not pass, is refused as `relay` refuses.

What statements wait for, so that they are analysed as they will be carried out, is in `waiting`.

Used by `postgres`; pure.
"""

from strongroom._kernel import Answer, Refused, cut, plain_reply, rows_at_end
from strongroom.errors import (
    AccessDenied,
    ClientError,
    Denied,
    InvalidValue,
    ParameterCount,
    StrongroomError,
    TenantUnclear,
    UndefinedCursor,
    UndefinedStatement,
)
from strongroom.session import binding
from strongroom.session.analyses import Unfinished
from strongroom.session.guard import OutOfDate, is_of_session
from strongroom.session.metering import Meter
from strongroom.session.opening import Known, copy_message, near, opened_by, touched
from strongroom.session.pipelined import PipelinedRelay
from strongroom.session.relay import Limits
from strongroom.session.replies import Owed, Request
from strongroom.session.rounds import Round, Treatment
from strongroom.session.seals import PLANS_KEPT
from strongroom.session.series import Sealing
from strongroom.session.snapshot import Snapshot
from strongroom.session.statements import Portal, Run, Statement
from strongroom.sql.statement import Analysis, Barrier, Kind, Resolved
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres.codec import HEADER
from strongroom.wire.postgres.reader import Reader

_OF_ROUNDS = frozenset({Kind.SELECT, Kind.INSERT, Kind.UPDATE, Kind.DELETE, Kind.MERGE})
"""Kinds of statements that change nothing in the session's books."""

_DESCRIPTION = ord("T")
_NEVER_REJECTED = frozenset({Request.SYNC, Request.MAYBE_SYNC, Request.COPY_END})


class GuardedRelay(PipelinedRelay):
    """An open session with something to protect."""

    def __init__(self, limits: Limits, snapshot: Snapshot, meter: Meter | None = None) -> None:
        super().__init__(limits, snapshot, meter)
        self._sealings: dict[int, Sealing] = {}  # of rounds, by the identity of their statement's analysis

    def _forget_settled(self) -> None:
        super()._forget_settled()
        self._sealings.clear()

    # ---------------------------------------------------------------- the client's messages

    def _query(self, body: bytes) -> bytes | None:
        if self._replies.skipping:
            return b""
        if not self._up_to_date():
            return self._hold()
        query = m.Query.parse(body)
        try:
            analysis = self._guard.analyse(query.text, (), may_look=self._may_look, may_wait=True)
            text = self._guard.text(analysis.pieces, may_wait=True) if analysis.touched else None
            for one in analysis.statements:
                self._guard.check_copy(one)
        except OutOfDate:
            return self._look_again()
        except Unfinished:
            return self._hold()
        except (Denied, InvalidValue) as error:
            return self._hold() if self._awaits(error) else self._refuse_query(query.text, error)
        if text is not None and self._is_read(analysis, query.text):
            return self._read(analysis.statements[0], text)
        self._segment_open = False
        run = Run(analysis.statements)
        self._note_values(run)
        undo = self._barrier_passed if analysis.barriers else None  # where an error before it skips it
        self._replies.ask(Owed(Request.QUERY, run, undo=undo))
        self._note_begun(run)
        self._note_barriers(analysis.barriers)
        return None if text is None else m.Query(text).serialise()

    def _is_read(self, analysis: Analysis, text: str) -> bool:
        """Whether a query only reads protected columns and can be sent in the extended protocol.

        There a query behind an error is not skipped as PostgreSQL skips it, so nothing may be under way; and
        a `$1` would be a parameter instead of an error.
        """
        if len(analysis.statements) != 1 or self._segment_open or self._replies.owes or "$" in text:
            return False
        resolved = analysis.statements[0]
        if resolved.kind is not Kind.SELECT or resolved.barriers:
            return False
        return any(one.protection is not None for one in resolved.outputs or ())

    def _read(self, resolved: Resolved, text: str) -> bytes:
        """Send a simple query so that its sealed values come back in binary."""
        self._statements.note("", None)
        self._portals.note("", None)
        run = Run((resolved,), formats=())
        self._note_values(run)
        self._replies.ask(Owed(Request.READ, run))
        self._note_begun(run)
        self._segment += 1  # for the Sync in it
        return binding.read(resolved, text)

    def _refuse_query(self, text: str, error: StrongroomError) -> bytes:
        self._note_refused(text, (), error)
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
        return self._prepare(parse, may_look=self._may_look, may_wait=True)

    def _prepare(self, parse: m.Parse, *, may_look: bool, may_wait: bool) -> bytes | None:
        """Send a Parse, as it came where it touches nothing."""
        oids = parse.parameter_types
        try:
            analysis = self._guard.analyse(parse.text, oids, may_look=may_look, may_wait=may_wait)
            resolved = _only(analysis)
            statement = Statement(parse.name, parse.text, oids, resolved, self._guard.outlook)
            sent = (
                None
                if not analysis.touched
                else binding.resolved_parse(self._guard, parse, analysis, resolved, may_wait=may_wait)
            )
        except OutOfDate:
            return self._look_again()
        except Unfinished:
            return self._hold()
        except (Denied, InvalidValue) as error:
            return self._hold() if may_wait and self._awaits(error) else self._refuse_parse(parse, error)
        undo = self._put_statement(parse.name, statement)
        self._replies.ask(Owed(Request.PARSE, statement, undo=undo))
        if sent is None:
            return None
        # Rule 4: what the statement gives must be what we think, before a row of it is opened.
        self._replies.ask(Owed(Request.DESCRIBE_STATEMENT, statement, mine=True))
        return sent + m.Target("S", parse.name).describe()

    def _refuse_parse(self, parse: m.Parse, error: StrongroomError) -> bytes:
        self._note_refused(parse.text, parse.parameter_types, error)
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
        # FETCH and EXECUTE mean what their names mean now, which is not part of the outlook.
        resolved = None if statement is None else statement.resolved
        named = resolved is not None and not resolved.context_free
        if statement is not None and (named or statement.outlook != self._guard.outlook):
            try:
                anew = self._prepare_anew(statement)
            except Unfinished:
                return self._hold()
            if isinstance(anew, StrongroomError):
                return self._refuse_bind(name, anew, statement)
            before, statement = anew, self._statements.find(statement_name)
            if statement is not None and statement.refused:
                return before + self._bind_nothing(name)
        if statement is None:
            return self._refuse_bind(name, UndefinedStatement("there is no prepared statement of this name"))
        resolved = statement.resolved
        if resolved is None or not resolved.touched:
            run = Run(()) if resolved is None else Run((resolved,), standing=self._guard.standing)
            sent = None
        else:
            began = self._meter.clock()
            try:
                run, sent = binding.sealed_bind(self._guard, resolved, m.Bind.parse(body))
                self._meter.protect.note(self._meter.clock() - began)
            except (Denied, InvalidValue, ParameterCount) as error:
                if not before and self._awaits(error):
                    return self._hold()
                return before + self._refuse_bind(name, error, statement)
        self._note_values(run, body)
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
            after = self._guard.anew(statement, may_wait=True)
        except Denied as error:
            return error
        before = statement.resolved
        statement.outlook = self._guard.outlook
        same = before == after and not (after is not None and is_of_session(after))
        if same or not (touched(before) or touched(after)):
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
        # It was analysed a moment ago: to wait now, with the Close noted, would strand the replies.
        sent = self._prepare(parse, may_look=False, may_wait=False) or parse.serialise()
        own = next(owed for owed in self._replies.newest_first() if owed.request is Request.PARSE)
        own.mine = True
        return closing + sent

    def _bind_nothing(self, name: str) -> bytes:
        """A Bind without its values: upstream skips it, since the Parse before it fails."""
        portal = Portal(name, None, Run(()))
        self._replies.ask(Owed(Request.BIND, portal, undo=self._put_portal(name, portal)))
        return m.Bind(name, self._rejected()).serialise()

    def _refuse_bind(self, name: str, error: StrongroomError, statement: Statement | None = None) -> bytes:
        if statement is not None:
            self._note_refused(statement.text, statement.parameter_types, error)
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
            if not self._statements.settled(target.name, self._segment) or (self._barriers and target.name):
                return self._hold()  # DEALLOCATE and PREPARE under way may give the name another meaning
            statement = self._statements.find(target.name)
            if statement is None and not target.name:
                return self._refuse_unnamed()
            self._replies.ask(Owed(Request.DESCRIBE_STATEMENT, statement))
            return None
        if not self._portals.settled(target.name, self._segment):
            return self._hold()
        portal = self._portals.find(target.name)
        if self._barriers and (target.name or portal is None):
            return self._hold()  # CLOSE and DECLARE under way may give the name another meaning
        portal = portal or self._guard.cursor(target.name)
        if portal is None:
            return self._refuse_portal(Request.DESCRIBE_PORTAL, target.name)
        self._replies.ask(Owed(Request.DESCRIBE_PORTAL, portal))
        return None

    def _refuse_unnamed(self) -> bytes:
        """The unnamed statement upstream, if there is one, is of a query that failed (`_read`)."""
        error = UndefinedStatement("there is no unnamed prepared statement")
        self._replies.ask(Owed(Request.DESCRIBE_STATEMENT, None, refusal=self._refusal(error)))
        return m.Target("S", self._rejected()).describe()

    def _declared(self, name: str) -> Portal | None:
        """A cursor of DECLARE as a portal."""
        declared = self._guard.cursors.declared
        made = declared.get(name)
        outputs = None if made is None else made.outputs
        if outputs is None:
            beside = None if made is None else made.noticed
            run = Run((Resolved(Kind.FETCH, (), noticed=beside),)) if self.recording else Run(())
            return Portal(name, None, run) if name in declared else None
        opened = any(one.protection is not None or one.mask is not None for one in outputs)
        return Portal(name, None, Run((Resolved(Kind.FETCH, (), touched=opened, outputs=outputs),)))

    def _execute(self, body: bytes) -> bytes | None:
        if self._replies.skipping:
            return b""
        execute = m.Execute.parse(body)
        if not self._portals.settled(execute.portal, self._segment):
            return self._hold()
        self._segment_open = True
        portal = self._portals.find(execute.portal)
        if self._barriers and (execute.portal or portal is None):  # as in Describe
            return self._hold()
        run = None if portal is None else portal.run
        said = self.judged or self._guard.depends(run)  # by the session: its tenant, and the role it assumed
        if run is not None and run.statements and said and not self._up_to_date():
            return self._hold()  # whose values it would show or write may be said anew, and who may see them
        portal = portal or self._declared(execute.portal)
        # The rows of a cursor of DECLARE come without a word of the format that they have.
        if portal is None or portal.run is None or (portal.statement is None and near(portal)):
            return self._refuse_portal(Request.EXECUTE, execute.portal)
        run = portal.run
        if self._guard.depends(run) and run.tenant != self._guard.tenant:
            error = TenantUnclear(
                "the portal was bound for another tenant than the session has now",
                hint="Bind the statement again.",
            )
            return self._refuse_run(portal, error)
        if run.statements and run.standing != self._guard.standing:
            return self._refuse_run(portal, _other_standing())
        current = run.current
        barriers = Barrier.NONE if current is None else current.barriers
        undo = self._barrier_passed if barriers else None
        self._replies.ask(Owed(Request.EXECUTE, run, undo=undo, limit=execute.maximum_rows))
        self._note_begun(run)
        self._note_barriers(barriers)
        return None

    def _refuse_run(self, portal: Portal, error: StrongroomError) -> bytes:
        statement = portal.statement
        if statement is not None:
            self._note_refused(statement.text, statement.parameter_types, error)
        return self._refuse_portal(Request.EXECUTE, portal.name, error)

    def _refuse_portal(self, request: Request, name: str, error: StrongroomError | None = None) -> bytes:
        """Nothing runs whose rows we could not tell: a portal that no Bind of this session has made."""
        by_sql = name in self._guard.cursors
        error = error or UndefinedCursor(
            "this portal was made by DECLARE" if by_sql else "there is no portal of this name",
            hint="Read it with FETCH." if by_sql else "Bind it first; portals end with their transaction.",
        )
        self._replies.ask(Owed(request, None, refusal=self._refusal(error)))
        rejected = self._rejected()
        if request is Request.EXECUTE:
            return m.Execute(rejected).serialise()
        return m.Target("P", rejected).describe()

    def _sync(self, body: bytes) -> bytes | None:
        self._segment_open = False
        return super()._sync(body)

    def _between_rounds(self) -> bool:
        waits = self._barriers or self._refreshing or self._segment_open
        looks = self._guard.stale or self._guard.awaiting
        return not (waits or looks) and super()._between_rounds()

    def _treatment(self, statement: Statement) -> tuple[Treatment | None] | None:
        resolved = statement.resolved
        if resolved is None or statement.refused or statement.outlook != self._guard.outlook:
            return None
        if resolved.kind not in _OF_ROUNDS or resolved.barriers:
            return None
        if resolved.metered is not None:
            return None  # its rows are counted
        if self.recording is not None and not resolved.touched:
            return None if resolved.hushed or resolved.veiled else (self,)  # each is recorded
        if self._guard.policing is not None and not resolved.touched:
            return None if resolved.hushed or resolved.veiled else (self,)  # each is asked about
        return (self,) if resolved.touched or resolved.outputs is not None else (None,)

    def seal(self, statement: Statement, chunk: bytes) -> tuple[Run, bytes]:
        """A round of a touched statement as it goes upstream (`Rounds`); the first one settles how."""
        resolved = statement.resolved
        assert resolved is not None
        standing = self._guard.standing
        if self._guard.policing is not None and statement.outlook != self._guard.outlook_of(standing):
            raise _other_standing()
        began = self._meter.clock()
        run, sealed = self._sealed(resolved, chunk, standing)
        run.limit = int.from_bytes(chunk[-len(m.SYNC) - 4 : -len(m.SYNC)])  # Execute's, at its end
        if resolved.touched:
            run.sealing = self._meter.clock() - began
        if self.recording is not None:
            if resolved.keyed:
                self._note_values(run, chunk[HEADER : 1 + int.from_bytes(chunk[1:HEADER])])
            self.recording.begun(run, standing)
        return run, sealed

    def _sealed(self, resolved: Resolved, chunk: bytes, standing: object) -> tuple[Run, bytes]:
        if not resolved.touched:
            return Run((resolved,), standing=standing), chunk
        known = self._sealings.get(id(resolved))
        sealed = None if known is None or known.resolved is not resolved else known.seal(chunk)
        if known is not None and sealed is not None:
            return known.run(), sealed
        end = 1 + int.from_bytes(chunk[1:HEADER])
        bind = m.Bind.parse(chunk[HEADER:end])
        run, first = binding.sealed_bind(self._guard, resolved, bind)
        if len(self._sealings) >= PLANS_KEPT:
            self._sealings.clear()
        self._sealings[id(resolved)] = Sealing.of(self._guard, resolved, bind, chunk[end:], run.rows)
        return run, first + chunk[end:]

    def open(self, one: Round, chunk: bytes) -> tuple[int, bytes] | None:
        """The answer to it as the client gets it (`Rounds`); the first one settles what others look like."""
        run = one.run
        assert run is not None
        key = (id(one.statement.resolved), id(run.rows), run.formats, one.described)
        known = self._answers.get(key)
        if known is None:
            known = self._learn(one, chunk)
            if known is None:
                return None
            if len(self._answers) >= PLANS_KEPT:
                self._answers.clear()
            self._answers[key] = known
        meter = self._meter
        began = meter.clock()
        try:
            answer = known.form.open(chunk)
        except Refused:
            return None  # the long way has words for it
        if answer is None or not answer[0]:
            return answer
        if run.sealing or run.rows is not None:
            meter.protect.note(run.sealing + meter.clock() - began)
        if known.opened:
            meter.opened += rows_at_end(chunk) * known.opened
        if known.veiled:
            meter.veiled += 1
        if self.recording is not None:
            self.recording.answered(run, chunk)
        return answer

    def _learn(self, one: Round, chunk: bytes) -> Known | None:
        """How answers to rounds such as this one open, seen from the first of them."""
        run, resolved = one.run, one.statement.resolved
        assert run is not None
        assert resolved is not None
        if not plain_reply(chunk, one.described):
            return None
        described = shown = b""
        if one.described:
            _, start, end = cut(chunk, 0, len(chunk), b"D")[0][1]
            described = shown = chunk[start:end]
            if described[0] == _DESCRIPTION:
                shown = self._describe_rows(resolved, described[HEADER:], run.formats) or described
        rows = None if run.rows is None else run.rows.rows
        # What it is known by is kept beside, so that nothing else can have its identity.
        kept = (resolved, run.rows)
        return Known(Answer(rows, described, shown), opened_by(resolved), resolved.veiled, kept)

    def _portal_of(self, one: Round) -> Portal:
        assert one.statement.resolved is not None
        return Portal("", one.statement, one.run or Run((one.statement.resolved,)))

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
            began = self._meter.clock()
            sealed = self._sealer.feed(body)
            self._meter.protect.note(self._meter.clock() - began)
            return copy_message(sealed)
        except (Denied, ClientError) as error:
            return self._refuse_copy(error)

    def _copy_end(self, body: bytes) -> bytes | None:
        sealer, done = self._sealer, not body  # CopyDone has no body, CopyFail has a reason
        rest = b""
        if sealer is not None and done and self._replies.copying_in:
            try:
                rest = copy_message(sealer.finish())
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

    def reject_first(self, error: StrongroomError) -> bytes | None:
        """What upstream rejects in place of the oldest request, of which it has not heard yet.

        None for one that cannot be. Upstream skips what follows, up to the next Sync, but for a query.
        """
        self._unfold()
        first = self._replies.head
        if first is None or first.request in _NEVER_REJECTED:
            return None
        first.refusal = self._refusal(error)
        if self.recording is not None and isinstance(first.subject, Run):
            self.recording.skipped([first.subject])
        if first.request is Request.QUERY:
            return m.Query(self._rejected()).serialise()
        return m.Execute(self._rejected()).serialise()  # of a portal that is not there: it changes nothing


def _other_standing() -> AccessDenied:
    return AccessDenied(
        "what this session may do has changed since the statement was bound", hint="Bind it again."
    )


def _only(analysis: Analysis) -> Resolved | None:
    """The one statement of a Parse; PostgreSQL itself refuses more than one, which nothing must slip by."""
    if len(analysis.statements) > 1 and analysis.touched:
        raise Denied("several statements in one prepared statement", hint="Prepare them one by one.")
    return analysis.statements[0] if analysis.statements else None
