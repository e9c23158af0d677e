"""The one file that performs effects: a client's socket, an upstream's socket and the session between them.

A `Driver` turns what the event loop tells it into events, hands them to the pure `Session`, and carries out
the effects that come back, in order. It decides nothing about the protocol.

Back-pressure: what one side does not take fills its transport's buffer up to `buffer_bytes`; then the other
side is no longer read. A slow client so slows its own upstream and nothing else.

INVARIANT: `Session.handle` is never entered while it runs: effects that are answered later are answered from
tasks or callbacks, never from inside `_perform`.

Made by `server` for each accepted connection.
"""

import asyncio
import hmac
import secrets
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import structlog

from strongroom.audit.records.sessions import Ending
from strongroom.errors import StrongroomError
from strongroom.gateway.connector import Connector
from strongroom.gateway.meters import DatabaseMeter
from strongroom.gateway.side import Side
from strongroom.gateway.tasks import Tasks
from strongroom.people.source import source_of
from strongroom.session import effects as do
from strongroom.session import events as ev
from strongroom.session.analyses import Question
from strongroom.session.intending import IntendingSession
from strongroom.session.login import Credentials, Method
from strongroom.session.policing import Judge
from strongroom.session.postgres import Session
from strongroom.session.recorded_session import Origin, RecordedSession
from strongroom.session.recording import Answers, Deed
from strongroom.session.rules import Entropy, Rules
from strongroom.session.snapshot import Snapshot
from strongroom.sql.statement import Analysis
from strongroom.wire.postgres.scram import NONCE_BYTES, nonce_of

_log = structlog.get_logger("strongroom.session")

SECRET_KEY_BYTES = 32
"""Length of the key that a client of protocol 3.2 gets for cancelling; PostgreSQL 18 gives as much."""


class House(Protocol):
    """What a driver needs of the server it belongs to."""

    tasks: Tasks

    async def look_up(self, driver: "Driver", account: str) -> Credentials | None:
        """Return how the account may log in, or None."""

    async def admit(self, driver: "Driver", asked: do.Admit) -> str | None:
        """Count the log-in and take a place; return None, or why not: `ev.LOGIN`, or a limit."""

    def judge(self, driver: "Driver") -> Judge | None:
        """Who decides about the statements of a session that was admitted; None without a policy."""

    def connector(self, database: str, account: str) -> Connector:
        """Return the way to the database for an account."""

    async def cancel(self, process_id: int, secret_key: bytes) -> None:
        """Cancel what the session with this key runs, whichever worker has it; return when it is done."""

    async def analyse(self, question: Question) -> Analysis | StrongroomError | None:
        """What a long text touches, or why it may not pass; None where it must be analysed here."""

    async def make_tenant(self, database: str, tenant: str) -> str | None:
        """Have the keys of a new tenant made; None once they are in the snapshot, or why they are not."""

    async def assume(self, driver: "Driver", wish: do.Assume) -> bool:
        """Write down that a session assumes a role; whether it was written."""

    def record(self, driver: "Driver", deed: Deed) -> None:
        """Write into the audit log what a session did with a statement."""

    def note(self, driver: "Driver") -> None:
        """The session did something that is to be recorded soon: ask it then (`Driver.deeds`)."""

    async def kept(self, driver: "Driver") -> None:
        """Return once the statements that a session was recorded to intend may go upstream."""

    @property
    def is_full(self) -> bool:
        """Whether so much waits to be recorded that nobody is heard."""

    def opened(self, driver: "Driver") -> None:
        """The session is open, here and upstream."""

    def catalog_changed(self, database: str) -> None:
        """Committed DDL may have changed the catalog."""

    def left(self, driver: "Driver") -> None:
        """The connection is over on both sides."""


class Driver:
    """One connection. ``name`` stands in log lines and task names."""

    def __init__(
        self,
        house: House,
        rules: Rules,
        name: str,
        *,
        snapshot: Snapshot | None,
        buffer_bytes: int,
        idle_seconds: float,
        login_seconds: float,
        meter: DatabaseMeter,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.name = name
        self.account = ""
        self.source = ""
        """The address that the client came from, as `people.source` writes it."""
        self.way: Method | None = None
        """How the client proved who it is."""
        self.ending = Ending.CLIENT
        self.meter = meter
        self.is_open = False
        """Whether it was ever logged in, here and upstream."""
        self._asked = 0.0  # when something was sent upstream, of which nothing has come back yet; or 0
        self.idle_seconds = idle_seconds
        self._process_id = secrets.randbits(31)
        self._client_key = b""
        self._upstream_key: tuple[int, bytes] | None = None
        self._now = loop.time
        self.last_heard = loop.time()
        self.client = Side(self._client_data, self._client_lost, self._adjust_reading)
        self._upstream = Side(self._upstream_data, self._upstream_lost, self._adjust_reading)
        self._house = house
        self._rules = rules
        self._connector: Connector | None = None
        self._buffer_bytes = buffer_bytes
        self._session = _kind_of(rules)(rules, self._entropy(), snapshot, meter)
        self._recorded = self._session if isinstance(self._session, RecordedSession) else None
        self._recording = None if self._recorded is None else self._recorded.recording
        self.noted = False
        """Whether what it did will be asked for (`deeds`)."""
        self._login_timer = loop.call_later(login_seconds, self.time_out, "login_seconds")
        self._left = False
        self._closing = False
        self._connecting: asyncio.Task[None] | None = None

    def _entropy(self) -> Entropy:
        nonce = nonce_of(secrets.token_bytes(NONCE_BYTES))
        return Entropy(nonce, self._process_id, secrets.token_bytes(SECRET_KEY_BYTES))

    # ---------------------------------------------------------------- what happens

    def accepted(self, event: ev.Accepted, octets: bytes) -> None:
        """The client is connected; ``octets`` are what the preamble read of the session's.

        Called from `connection_made`, so that nothing the client sent can overtake them.
        """
        self.client.limit(self._buffer_bytes)
        self.source = source_of(self.client.peer)
        self.dispatch(event)
        if octets:
            self._client_data(octets)

    def time_out(self, limit: str) -> None:
        """A limit of time is reached."""
        self.dispatch(ev.TimedOut(limit))

    def drain(self) -> None:
        """End as soon as the session is idle."""
        self.ending = Ending.DRAINED
        self.dispatch(ev.Drain())

    def expel(self, error: StrongroomError) -> None:
        """End now: who logged in may be here no longer."""
        self.ending = Ending.EXPELLED
        self.dispatch(ev.Expelled(error))

    @property
    def certificate(self) -> bool:
        """Whether the client has shown a certificate that was verified."""
        return self._session.certificate

    @property
    def upstream_user(self) -> str:
        """As whom the gateway logged in."""
        return "" if self._connector is None else self._connector.upstream.credentials.user

    @property
    def origin(self) -> Origin | None:
        """What the client said and showed when it came, where that is recorded."""
        return None if self._recorded is None else self._recorded.origin

    @property
    def judged(self) -> bool:
        """Whether a policy is asked about its statements."""
        return self._session.judged

    @property
    def guarded(self) -> bool:
        """Whether the session looks into statements."""
        return self._session.guarded

    @property
    def database(self) -> str:
        """The logical database of this session."""
        return self._rules.database

    def _client_data(self, data: bytes) -> None:
        self.last_heard = self._now()
        if self._recording is not None:
            self._recording.moment = self.last_heard
        sent = self._session.begin_round(data)
        if sent is None:
            self.dispatch(ev.ClientData(data))
        else:
            self._upstream.write(sent)
            if not self._asked:
                self._asked = self.meter.clock()

    def _upstream_data(self, data: bytes) -> None:
        self.last_heard = self._now()
        if self._asked:
            self.meter.upstream.note(self.meter.clock() - self._asked)
            self._asked = 0.0
        if self._recording is not None:
            self._recording.moment = self.last_heard
        answer = self._session.end_round(data)
        if answer is None:
            self.dispatch(ev.UpstreamData(data))
            return
        self.client.write(answer)
        if self._recording is not None and not self.noted:
            self.noted = True
            self._house.note(self)
        if not self.client.wanted:
            self._adjust_reading()

    def deeds(self) -> list[Deed | Answers]:
        """What it did with statements since it was asked last, and did not record by itself."""
        self.noted = False
        return [] if self._recording is None else self._recording.gather()

    def _client_lost(self) -> None:
        self.dispatch(ev.ClientClosed())
        self._leave_if_over()

    def _upstream_lost(self) -> None:
        if not self.client.lost and not self._closing:
            self.ending = Ending.UPSTREAM
        self.dispatch(ev.UpstreamClosed())
        self._leave_if_over()

    def dispatch(self, event: ev.Event) -> None:
        """Hand an event to the session and perform what it wants."""
        try:
            if self._recording is not None:
                self._recording.moment = self._now()
            for effect in self._session.handle(event):
                _PERFORM[type(effect)](self, effect)
        except Exception as error:  # noqa: BLE001 - whatever it is, this session ends and no other
            _log.error("session broke", session=self.name, error=type(error).__name__, exc_info=error)
            self.abort()
            return
        self._adjust_reading()

    def abort(self) -> None:
        """Close both sides at once."""
        self.client.abort()
        self._upstream.abort()

    # ---------------------------------------------------------------- what is to be done

    def _send_client(self, effect: do.SendClient) -> None:
        self.client.write(effect.data)

    def _send_upstream(self, effect: do.SendUpstream) -> None:
        self._upstream.write(effect.data)
        if self.is_open and not self._asked:
            self._asked = self.meter.clock()

    def _begin(self, what: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self._house.tasks.start(f"{self.name} {what}", self._or_end(work))

    async def _or_end(self, work: Coroutine[Any, Any, None]) -> None:
        """A step that fails ends the session, which would wait for its answer."""
        try:
            await work
        except Exception:
            self.abort()
            raise

    def _look_up(self, effect: do.LookUpAccount) -> None:
        self._begin("look up", self._looking_up(effect.name))

    async def _looking_up(self, account: str) -> None:
        self.dispatch(ev.AccountKnown(await self._house.look_up(self, account)))

    def _admit(self, effect: do.Admit) -> None:
        self.account, self.way = effect.account, effect.method
        self._begin("admit", self._admitting(effect))

    async def _admitting(self, effect: do.Admit) -> None:
        refusal = await self._house.admit(self, effect)
        self.dispatch(ev.Admitted(refusal, None if refusal else self._house.judge(self)))

    def _open_upstream(self, effect: do.OpenUpstream) -> None:
        self._connecting = self._begin("open upstream", self._opening(effect))

    async def _opening(self, effect: do.OpenUpstream) -> None:
        try:
            self._connector = self._house.connector(self._rules.database, effect.account)
            _, _, peer = await self._connector.open(lambda: self._upstream)
        except StrongroomError as error:
            self.dispatch(ev.UpstreamFailed(error))
            return
        if self._closing or self.client.lost:
            self._upstream.abort()
            return
        self._upstream.limit(self._buffer_bytes)
        login = self._connector.login(peer, version=effect.version, parameters=effect.parameters)
        self.dispatch(ev.UpstreamConnected(login))

    def _register_cancel(self, effect: do.RegisterCancel) -> None:
        self._upstream_key = (effect.process_id, effect.secret_key)
        self._client_key = effect.client_key

    def has_key(self, process_id: int, secret_key: bytes) -> bool:
        """Whether the client of this session was given this key, in this length."""
        known = self._client_key
        return bool(known) and process_id == self._process_id and hmac.compare_digest(known, secret_key)

    def _cancel(self, effect: do.Cancel) -> None:
        self._begin("cancel", self._cancelling(effect))

    async def _cancelling(self, effect: do.Cancel) -> None:
        await self._house.cancel(effect.process_id, effect.secret_key)
        self.dispatch(ev.Cancelled())

    async def cancel_upstream(self) -> None:
        """Cancel what this session runs, over a connection made as its own was; or what is not sent yet."""
        if self._recorded is not None and self._recorded.cancels:
            self.dispatch(ev.StatementCancelled())
            return
        if self._connector is None or self._upstream_key is None:
            return
        try:
            await self._connector.cancel(*self._upstream_key)
        except StrongroomError as error:
            _log.warning("cancel failed", session=self.name, code=error.code, why=error.message)

    def _logged_in(self, _effect: do.LoggedIn) -> None:
        self._login_timer.cancel()
        self.is_open = True
        self._house.opened(self)

    def _catalog_changed(self, _effect: do.CatalogChanged) -> None:
        self._house.catalog_changed(self._rules.database)

    def _analyse(self, effect: do.Analyse) -> None:
        self._begin("analyse", self._analysing(effect.question))

    async def _analysing(self, question: Question) -> None:
        began = self.meter.clock()
        outcome = await self._house.analyse(question)
        self.meter.parse.note(self.meter.clock() - began)
        self.dispatch(ev.Analysed(question, outcome))

    def _make_tenant(self, effect: do.MakeTenant) -> None:
        self._begin("tenant", self._making_tenant(effect.tenant))

    async def _making_tenant(self, tenant: str) -> None:
        await self._house.make_tenant(self._rules.database, tenant)
        self.dispatch(ev.TenantMade())

    def _assume(self, effect: do.Assume) -> None:
        self._begin("assume", self._assuming(effect))

    async def _assuming(self, effect: do.Assume) -> None:
        self.dispatch(ev.Assumed(await self._house.assume(self, effect)))

    def _yield(self, _effect: do.Yield) -> None:
        asyncio.get_running_loop().call_soon(self.dispatch, ev.GoOn())

    def _write_log(self, effect: do.Log) -> None:
        _log.info(effect.event, session=self.name, database=self._rules.database, **effect.fields)

    def _record(self, effect: do.Record) -> None:
        self._house.record(self, effect.deed)

    def _keep(self, _effect: do.Keep) -> None:
        self._begin("keep", self._keeping())

    async def _keeping(self) -> None:
        await self._house.kept(self)
        self.dispatch(ev.Kept())

    def _close(self, _effect: do.Close) -> None:
        self._closing = True
        if self._connecting is not None and self._connecting is not asyncio.current_task():
            self._connecting.cancel()
        self._login_timer.cancel()
        self.client.close()
        self._upstream.close()

    def _leave_if_over(self) -> None:
        if not self._left and self.client.lost and self._upstream.over:
            self._left = True
            self._login_timer.cancel()
            self._house.left(self)

    def adjust_reading(self) -> None:
        """There may be room again where what is recorded waits."""
        if not self._left and not self._closing:
            self._adjust_reading()

    def _adjust_reading(self) -> None:
        """Read from a side only while the other takes, and the session has room."""
        wanted = self._session.wants_client and self._upstream.takes
        self.client.read(wanted and not self._house.is_full)
        self._upstream.read(self.client.takes)


def _kind_of(rules: Rules) -> type[Session]:
    if rules.intended:
        return IntendingSession
    return RecordedSession if rules.recorded else Session


_PERFORM: dict[type, Callable[[Driver, Any], None]] = {
    do.SendClient: Driver._send_client,
    do.SendUpstream: Driver._send_upstream,
    do.LookUpAccount: Driver._look_up,
    do.Admit: Driver._admit,
    do.OpenUpstream: Driver._open_upstream,
    do.RegisterCancel: Driver._register_cancel,
    do.Cancel: Driver._cancel,
    do.LoggedIn: Driver._logged_in,
    do.CatalogChanged: Driver._catalog_changed,
    do.Analyse: Driver._analyse,
    do.MakeTenant: Driver._make_tenant,
    do.Assume: Driver._assume,
    do.Yield: Driver._yield,
    do.Log: Driver._write_log,
    do.Record: Driver._record,
    do.Keep: Driver._keep,
    do.Close: Driver._close,
}
