"""The open session: messages from the client go upstream, replies come back, each to what it answers.

Most chunks pass as they came: the relay looks at each message's type, keeps its books (`replies`,
`statements`) and hands the chunk on without a copy. Where a message must be replaced, what stood before it
goes first, so that the order on the wire is always the order in which the client spoke.

A message that may not pass is replaced upstream by one that PostgreSQL itself rejects, and PostgreSQL's
ErrorResponse by ours (rule 3 of the design): transaction state, skipping and savepoints so stay PostgreSQL's
own.

Called by `session/postgres.py`; pure.
"""

from collections.abc import Callable
from dataclasses import dataclass

from strongroom.errors import (
    Bug,
    MalformedMessage,
    MessageTooLarge,
    PinnedSettingChanged,
    StatementLimitReached,
    StrongroomError,
    UnsupportedMessage,
    UpstreamError,
)
from strongroom.session.metering import Meter
from strongroom.session.refusals import no_such_message, to_wire
from strongroom.session.replies import RUNS, Owed, Replies, Request, Series
from strongroom.session.rounds import IDLE, Round, Rounds, Treatment
from strongroom.session.series import Part
from strongroom.session.statements import Names, Portal, Statement
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres.codec import CONTINUATION, HEADER, Framer, Span
from strongroom.wire.postgres.reader import Reader

_Handler = Callable[[bytes], bytes | None]
"""Takes a message's body; returns what goes upstream instead, None for the message as it came."""

PINNED = {"client_encoding": "UTF8", "standard_conforming_strings": "on"}
"""Settings that must hold for what is analysed to be what runs, as upstream reports them (rule 1)."""

REFUSED = "strongroom refused"
"""The text that PostgreSQL is given in place of what may not pass; no SQL begins so."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one session may use; the names are those of the configuration."""

    message_bytes: int
    statements_per_session: int
    buffer_bytes: int = 1 << 20


class Relay:
    """One open session. ``client()`` and ``upstream()`` take chunks; ``to_client`` and ``to_upstream`` fill.

    ``waiting`` is true while the client's next message must not be looked at before upstream has answered;
    what the client sends meanwhile is kept, and while it is ``full`` no more should be read from it.
    """

    def __init__(self, limits: Limits, meter: Meter | None = None) -> None:
        self._limits = limits
        self._meter = meter or Meter()
        self._client_frames = Framer(limits.message_bytes)
        self._upstream_frames = Framer(limits.message_bytes, _ROWS)
        self._handlers: dict[int, _Handler] = {tag: getattr(self, name) for tag, name in _FROM_CLIENT.items()}
        self._replies = Replies()
        self._statements: Names[Statement] = Names()
        self._portals: Names[Portal] = Names()
        self._rounds = Rounds(self._statements, self._treatment, limits.message_bytes)
        self._segment = 0
        self._refusals = 0
        self._kept: list[tuple[bytes, list[Span]]] = []
        self._behind = 0  # octets that came while waiting
        self.transaction = "I"
        self._flushed = False
        self._own: list[bytes] = []  # messages of the gateway's own, for when the client's wait
        self.waiting = False
        self.ended = False
        self.refused: list[str] = []
        self.to_client: list[bytes] = []
        self.to_upstream: list[bytes] = []

    @property
    def idle(self) -> bool:
        """Whether nothing is under way: no transaction, no reply owed, nothing kept."""
        return self.transaction == "I" and self._replies.quiet and not self._kept and not self._rounds

    @property
    def owes(self) -> bool:
        """Whether upstream owes an answer, for certain or perhaps."""
        return self._replies.owes or bool(self._rounds)

    @property
    def held(self) -> int:
        """Octets kept back on either side."""
        kept = sum(len(data) for data, _ in self._kept)
        return kept + self._client_frames.held + self._upstream_frames.held

    @property
    def full(self) -> bool:
        """Whether as much as may be came while waiting, or is under way: no more is read from the client.

        Up to here, a client that leaves is noticed.
        """
        return self._replies.many or (self.waiting and self._behind >= self._limits.buffer_bytes)

    @property
    def client_may_be_told(self) -> bool:
        """Whether a message can go to the client: inside another it would be taken for a part of that."""
        return not self._upstream_frames.torn

    @property
    def upstream_may_be_told(self) -> bool:
        """Whether a message can go upstream."""
        return not self._client_frames.torn

    # ---------------------------------------------------------------- the client's messages

    def client(self, chunk: bytes) -> None:
        """Take octets from the client. Raises `ClientError` where they break the protocol."""
        self._unfold()
        data, spans = self._client_frames.feed(chunk)
        if self.waiting:
            self._behind += len(chunk)
            self._kept.append((data, spans))
            return
        self._pass_upstream(data, spans)
        begun = self._client_frames.begun
        if begun is not None and begun not in self._handlers:  # its end need not be waited for
            raise no_such_message(begun)
        if begun and not self.waiting and self._flows_upstream(begun):
            part = self._client_frames.release()
            self._pass_upstream(part, [(begun, 0, len(part))])

    def begin_round(self, chunk: bytes) -> bytes | None:
        """Take the client's octets, if they are an ordinary round: what goes upstream, else None."""
        return self._rounds.begin(chunk)

    def end_round(self, chunk: bytes) -> bytes | None:
        """Take upstream's octets, if they are the answer to a round: what the client gets, else None."""
        ended = self._rounds.end(chunk)
        if ended is None:
            torn = self._upstream_frames.held or self._upstream_frames.torn
            other = self._rounds or self.waiting or torn
            return chunk if not other and self._series_answered(chunk, 0, whole=True) else None
        one, status, answer = ended
        self._meter.passed += 1
        if status != IDLE or self.transaction != "I":
            self._portals.note("", self._portal_of(one))
            self._ready(bytes([status]))
        return answer

    def _between_rounds(self) -> bool:
        """Whether all octets are whole messages and all that was asked has been answered."""
        frames = (self._client_frames, self._upstream_frames)
        return (
            not (self._replies.owes or self._replies.skipping or self.waiting or self._kept or self.ended)
            and not any(one.held or one.torn for one in frames)
            and (self.transaction != "I" or not len(self._portals))
        )

    def _treatment(self, _statement: Statement) -> tuple[Treatment | None] | None:
        """How rounds of a statement are treated (`Rounds`): here all pass as they are."""
        return (None,)

    def _unfold(self) -> None:
        """Write the rounds under way into the books, before anything else is."""
        for one in self._rounds.unfold():
            portal = self._portal_of(one)
            undo = self._portals.put("", portal, self._segment)
            self._replies.ask(Owed(Request.BIND, portal, undo=undo))
            if one.described:
                self._replies.ask(Owed(Request.DESCRIBE_PORTAL, portal))
            limit = 0 if portal.run is None else portal.run.limit
            self._replies.ask(Owed(Request.EXECUTE, portal.run or portal, limit=limit))
            self._sync(b"")

    def _portal_of(self, one: Round) -> Portal:
        """The unnamed portal of a round."""
        return Portal("", one.statement, one.run)

    def _pass_upstream(self, data: bytes, spans: list[Span]) -> None:
        clean = at = 0  # from ``clean`` on nothing was changed
        while at < len(spans):
            i, at = at, at + 1
            tag, start, end = spans[i]
            if tag == _BIND and (part := self._series(data, spans, i)) is not None:
                self._send_upstream(data, clean, start)
                self.to_upstream.append(part.octets)
                clean = part.end
                self._flushed = False
                while at < len(spans) and spans[at][1] < clean:
                    at += 1
                continue
            handler = self._handlers.get(tag)
            if handler is None:
                raise no_such_message(tag)
            replacement = handler(data[start + HEADER : end])
            if self.waiting:
                self._send_upstream(data, clean, start)
                self._kept.append((data, spans[i:]))
                self._wait()
                return
            self._flushed = False
            if replacement is not None:
                self._send_upstream(data, clean, start)
                self.to_upstream.append(replacement)
                clean = end
            if self.ended:
                break
        self._send_upstream(data, clean, spans[-1][2] if spans else 0)

    def _series(self, _data: bytes, _spans: list[Span], _at: int) -> Part | None:
        """The rounds that begin here and go upstream as one; None where the Bind is taken by itself."""
        return None

    def _send_upstream(self, data: bytes, start: int, end: int) -> None:
        if start < end:
            self.to_upstream.append(data if end - start == len(data) else data[start:end])

    def _hold(self) -> bytes:
        """Look at this message again when upstream has answered more; what handlers return when they wait."""
        self.waiting = True
        return b""

    def _wait(self) -> None:
        """Send what is ours to send; upstream must not wait for a Sync before it answers."""
        if self._own:
            self.to_upstream += self._own
            self._own = []
            self._flushed = False
        if not self._flushed:
            self._flushed = True
            self.to_upstream.append(m.FLUSH)

    def _resume(self) -> None:
        self.waiting = False
        kept, self._kept = self._kept, []
        for i, (data, spans) in enumerate(kept):
            start = spans[0][1] if spans else 0
            shifted = [(tag, a - start, b - start) for tag, a, b in spans]
            self._pass_upstream(data[start:], shifted)
            if self.waiting:
                self._kept += kept[i + 1 :]
                return
        self._flushed = False
        self._behind = 0

    def _passes(self, _body: bytes) -> bytes | None:
        return None

    def _query(self, body: bytes) -> bytes | None:
        m.Query.parse(body)
        self._replies.ask(Owed(Request.QUERY))
        return None

    def _parse(self, body: bytes) -> bytes | None:
        parse = m.Parse.parse(body)
        if not self._replies.skipping and self._statement_limit_reached(parse.name):
            return self._refuse_parse(parse, self._too_many_statements())
        statement = Statement(parse.name, parse.text, parse.parameter_types)
        undo = self._put_statement(parse.name, statement)
        self._replies.ask(Owed(Request.PARSE, statement, undo=undo))
        return None

    def _statement_limit_reached(self, name: str) -> bool:
        return (
            bool(name)
            and len(self._statements) >= self._limits.statements_per_session
            and self._statements.find(name) is None
        )

    def _too_many_statements(self) -> StatementLimitReached:
        return StatementLimitReached(
            f"this session holds {self._limits.statements_per_session} prepared statements already",
            hint="Close those that are no longer used, or raise `limits.statements_per_session`.",
        )

    def _bind(self, body: bytes) -> bytes | None:
        # What follows the names is not looked at before there is something to seal in it.
        reader = Reader(body)
        name, statement_name = reader.cstring(), reader.cstring()
        if not self._statements.settled(statement_name, self._segment):
            return self._hold()
        portal = Portal(name, self._statements.find(statement_name))
        undo = self._put_portal(name, portal)
        self._replies.ask(Owed(Request.BIND, portal, undo=undo))
        return None

    def _describe(self, body: bytes) -> bytes | None:
        target = m.Target.parse(body)
        request = Request.DESCRIBE_STATEMENT if target.kind == "S" else Request.DESCRIBE_PORTAL
        self._replies.ask(Owed(request, target.name))
        return None

    def _execute(self, body: bytes) -> bytes | None:
        execute = m.Execute.parse(body)
        self._replies.ask(Owed(Request.EXECUTE, self._portals.find(execute.portal)))
        return None

    def _close(self, body: bytes) -> bytes | None:
        target = m.Target.parse(body)
        put = self._put_statement if target.kind == "S" else self._put_portal
        self._replies.ask(Owed(Request.CLOSE, target, undo=put(target.name, None)))
        return None

    def _put_statement(self, name: str, statement: Statement | None) -> Callable[[], None] | None:
        return None if self._replies.skipping else self._statements.put(name, statement, self._segment)

    def _put_portal(self, name: str, portal: Portal | None) -> Callable[[], None] | None:
        return None if self._replies.skipping else self._portals.put(name, portal, self._segment)

    def _sync(self, _body: bytes) -> bytes | None:
        self._replies.sync()
        self._segment += 1
        return None

    def _flows_upstream(self, tag: int) -> bool:
        return tag == _COPY_DATA and self._replies.copying_in

    def _copy_data(self, _body: bytes) -> bytes | None:
        return self._unless_copying()

    def _copy_end(self, _body: bytes) -> bytes | None:
        replacement = self._unless_copying()
        if replacement is None and not self.waiting:
            self._replies.copy_end()
        return replacement

    def _unless_copying(self) -> bytes | None:
        """COPY data passes when upstream has asked for it; before, we wait; otherwise it is dropped.

        PostgreSQL ignores COPY data that it did not ask for (manual, "COPY Operations"), so that dropping it
        changes nothing.
        """
        if self._replies.copying_in:
            return None
        if not self._replies.quiet and not self._replies.skipping:
            return self._hold()
        return b""

    def _terminate(self, _body: bytes) -> bytes | None:
        self.ended = True
        return None

    def _function_call(self, _body: bytes) -> bytes | None:
        error = UnsupportedMessage(
            "FunctionCall is not supported",
            hint="Call the function in a SELECT; large objects have functions for that too.",
        )
        refusal = self._refusal(error)
        self._replies.ask(Owed(Request.QUERY, refusal=refusal))
        return m.Query(self._rejected()).serialise()

    def _refuse_parse(self, parse: m.Parse, error: StrongroomError) -> bytes:
        self._replies.ask(Owed(Request.PARSE, refusal=self._refusal(error)))
        return m.Parse(parse.name, self._rejected()).serialise()

    def _refusal(self, error: StrongroomError) -> bytes:
        self._refusals += 1
        self._meter.refuse(error)
        self.refused.append(error.code)
        return to_wire(error).serialise()

    def _rejected(self) -> str:
        return f"{REFUSED} {self._refusals}"

    # ---------------------------------------------------------------- upstream's messages

    def upstream(self, chunk: bytes) -> None:
        """Take octets from upstream. Raises `UpstreamError` where they break the protocol."""
        self._unfold()
        try:
            data, spans = self._upstream_frames.feed(chunk)
            self._pass_to_client(data, spans)
            begun = self._upstream_frames.begun
            if begun and self._flows_to_client(begun):
                part = self._upstream_frames.release()
                self._pass_to_client(part, [(begun, 0, len(part))])
        except (MalformedMessage, MessageTooLarge) as error:  # the codec cannot know which side it reads
            hint = error.hint if isinstance(error, MessageTooLarge) else ""  # the other's is for clients
            raise UpstreamError(f"from the database: {error.message}", hint=hint) from error
        if self.waiting:
            self._resume()
        if self._between_rounds():
            self._rounds.allow()

    def _pass_to_client(self, data: bytes, spans: list[Span]) -> None:
        clean = at = 0
        while at < len(spans):
            tag, start, end = spans[at]
            if tag == _BOUND and (answered := self._series_answered(data, start, whole=False)):
                at += answered
                continue
            at += 1
            replacement = None if tag == CONTINUATION else self._heard(tag, data, start, end)
            if replacement is not None:
                self._send_client(data, clean, start)
                self.to_client.append(replacement)
                clean = end
        self._send_client(data, clean, spans[-1][2] if spans else 0)

    def _series_answered(self, data: bytes, start: int, *, whole: bool) -> int:
        """Take the plain answers to a series, if ``whole`` only where nothing follows; how many messages."""
        series = self._replies.head
        messages, named = self._replies.plain(data, start, whole=whole)
        if isinstance(series, Series):
            self._meter.passed += messages // len(series.each)
        if named is not None:
            self._settle(named)
        return messages

    def _heard(self, tag: int, data: bytes, start: int, end: int) -> bytes | None:
        """Take one message, or a run of rows; return what the client gets instead, None for the same."""
        if tag in _ASYNCHRONOUS:
            if tag == _PARAMETER_STATUS:
                self._reported(m.ParameterStatus.parse(data[start + HEADER : end]))
            return self._noticed(data[start:end]) if tag == _NOTICE else None
        if tag == _ERROR and self._is_fatal(data[start + HEADER : end]):
            self._note_failure(data[start + HEADER : end])
            self.ended = True
            return None
        owed = self._replies.answer(tag)
        return self._answered(owed, tag, data, start, end)

    def _answered(self, owed: Owed, tag: int, data: bytes, start: int, end: int) -> bytes | None:
        """Take the answer, or a run of rows, to a request."""
        if owed.refusal is not None and tag not in (_ERROR, _READY):
            raise Bug("the database carried out what was refused")
        if tag in _ENDS and owed.refusal is None:
            self._note_end(owed, tag, data[start + HEADER : end])
        if tag == _READY:
            self._ready(data[start + HEADER : end])
        elif tag in _SETTLES:
            self._settle(owed)
        if tag == _ERROR and owed.refusal:
            return owed.refusal
        return (
            b"" if owed.mine and tag != _ERROR else None
        )  # an error makes upstream skip: the client must know

    def _note_end(self, owed: Owed, tag: int, body: bytes) -> None:
        """Count what upstream is done with. What precedes Execute is no statement by itself, but may fail."""
        if tag == _ERROR:
            self._note_failure(body)
        if owed.request in RUNS or (tag == _ERROR and owed.request in _PREPARES):
            self._meter.passed += 1

    def _note_failure(self, body: bytes) -> None:
        self._meter.fail(m.ErrorResponse.parse(body).fields.get("C", ""))

    def _flows_to_client(self, tag: int) -> bool:
        return tag in _ROWS

    def _send_client(self, data: bytes, start: int, end: int) -> None:
        if start < end:
            self.to_client.append(data if end - start == len(data) else data[start:end])

    def _ready(self, body: bytes) -> None:
        self.transaction = body.decode("ascii", "replace")
        if self.transaction not in ("I", "T", "E"):
            raise UpstreamError("the database reports a transaction status that does not exist")
        if self.transaction == "I":
            self._portals.forget_all()

    def _settle(self, owed: Owed) -> None:
        subject = owed.subject
        if isinstance(subject, Statement):
            self._statements.confirm(subject.name)
        elif isinstance(subject, Portal):
            self._portals.confirm(subject.name)
        elif isinstance(subject, m.Target):
            names = self._statements if subject.kind == "S" else self._portals
            names.confirm(subject.name)

    def _reported(self, status: m.ParameterStatus) -> None:
        if PINNED.get(status.name, status.value) != status.value:
            raise PinnedSettingChanged(
                f"the setting {status.name} was changed, which Strongroom needs as {PINNED[status.name]!r}",
                hint="Leave it as it is: the gateway reads statements under it. The session was ended.",
            )

    def _noticed(self, _message: bytes) -> bytes | None:
        return None

    def _is_fatal(self, body: bytes) -> bool:
        severity = m.ErrorResponse.parse(body).fields.get("V", "")
        return severity in ("FATAL", "PANIC")


_FROM_CLIENT = {
    CONTINUATION: "_passes",
    ord("Q"): "_query",
    ord("P"): "_parse",
    ord("B"): "_bind",
    ord("D"): "_describe",
    ord("E"): "_execute",
    ord("C"): "_close",
    ord("S"): "_sync",
    ord("H"): "_passes",
    ord("d"): "_copy_data",
    ord("c"): "_copy_end",
    ord("f"): "_copy_end",
    ord("X"): "_terminate",
    ord("F"): "_function_call",
}
"""Every message that an authenticated client may send (manual, "Message Formats", those marked F)."""

_ASYNCHRONOUS, _SETTLES = frozenset(b"NAS"), frozenset(b"123")
_ENDS = frozenset(b"CsE")
_PREPARES = frozenset({Request.PARSE, Request.BIND, Request.DESCRIBE_STATEMENT, Request.DESCRIBE_PORTAL})
_ROWS = b"Dd"  # those that follow each other answer the same request
_BIND, _BOUND, _COPY_DATA = b"B2d"
_PARAMETER_STATUS, _NOTICE, _ERROR, _READY = b"SNEZ"
