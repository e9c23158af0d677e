"""One worker's server: accepts connections on the listeners it was given and runs a `Driver` for each.

Settings are an immutable snapshot, swapped whole on reload: sessions keep the rules under which they began,
new ones get the new. Made by `worker`.
"""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import Collection
from functools import partial
from typing import Any

import structlog

from strongroom.config import Settings
from strongroom.errors import (
    ClientError,
    KekMissing,
    KeysUnread,
    LimitReached,
    StrongroomError,
    UpstreamError,
)
from strongroom.gateway.analyst import Analyst
from strongroom.gateway.chronicle import Chronicle
from strongroom.gateway.connector import Connector
from strongroom.gateway.control import Line, Questions
from strongroom.gateway.driver import Driver
from strongroom.gateway.entrance import Entrance
from strongroom.gateway.gate import Gate, gate_of
from strongroom.gateway.judging import SessionJudge, judges_of
from strongroom.gateway.lending import Lending, write_down
from strongroom.gateway.meters import TELL_SECONDS, Draft, Meters, Report, told
from strongroom.gateway.outbox import Outbox
from strongroom.gateway.preamble import Preamble, peer_of, read_preamble, turn_away
from strongroom.gateway.snapshots import CATALOG_SECONDS, Snapshots
from strongroom.gateway.tasks import Tasks
from strongroom.keys.kek import Keks, danger_read
from strongroom.keys.model import Keyset
from strongroom.session import effects as do
from strongroom.session import events as ev
from strongroom.session.analyses import Question
from strongroom.session.login import Credentials
from strongroom.session.recording import Deed
from strongroom.session.snapshot import Snapshot
from strongroom.sql.statement import Analysis
from strongroom.state import State

_log = structlog.get_logger("strongroom.server")

SWEEP_SECONDS = 1.0
"""How often idle sessions are looked for; `idle_seconds` holds to this exactness."""

LEAVE_SECONDS = 2.0
"""For sessions that were cut off to be over on both sides."""
RETRY_SECONDS = 1.0
"""Pause before an unreachable database is asked again."""

CANCEL_SECONDS = 10.0
"""How long the connection of a CancelRequest stays open for the database to be told."""

MAKING_SECONDS = 30.0
"""For the keys of a new tenant: some questions to the database, and one to its provider or the root."""

BROKEN = "connection-broken"
"""For metrics, in place of a code: the client or its TLS ended the connection before there was a session."""

ACCEPT_PAUSE_SECONDS = 0.1
"""Pause after the system has no descriptor or memory left for another connection."""


class Server:
    """All connections of one worker. ``line`` leads to the supervisor; ``stance`` is what it accepted."""

    def __init__(
        self,
        settings: Settings,
        state: State,
        line: Line,
        keks: Keks,
        stance: str = "",
        *,
        outbox: Outbox | None = None,
        number: int = 0,
    ) -> None:
        self._meters = Meters()
        self._snapshots = Snapshots(
            settings, state, keks, due=partial(line.tell, "due"), meter_of=self._meters.of
        )
        self._readying: Snapshots | None = None  # while settings are taken
        self._reloading = asyncio.Lock()
        self._keks = keks  # as the supervisor last said
        self.tasks = Tasks()
        self._analyst = Analyst()
        self._line = line
        self._outbox = outbox
        audit = settings.audit
        self._chronicle = None
        if outbox is not None and audit is not None:
            self._chronicle = Chronicle(outbox, audit, number, self._room)
        self._state = state
        self._drivers: set[Driver] = set()
        self._numbers = itertools.count(1)
        self._questions = Questions(line)
        self._entrance = Entrance(settings, state, line, self._questions)
        self._welcoming = 0  # connections whose encryption is not settled yet
        self._changed: dict[str, asyncio.Event] = {}
        self._learning: set[str] = set()  # databases whose catalogs are read again and again
        self._accepting: list[asyncio.Task[None]] = []
        self._empty = asyncio.Event()
        self._empty.set()
        self._draining = False
        self._settings = settings
        self._judges = judges_of(settings, state, stance)
        self._lending = Lending()
        self._gates = self._open_gates(settings)

    # ---------------------------------------------------------------- life

    def listen(self, name: str, listener: socket.socket) -> None:
        """Accept connections to the database ``name``."""
        self._accepting.append(self.tasks.start(f"accept {name}", self._accept(name, listener)))

    async def learn(self) -> None:
        """Read the catalogs of protected databases, for as long as it takes; then now and again."""
        for name, gate in self._gates.items():
            while True:
                try:
                    await self._snapshots.read(name, gate.connector)
                    break
                except UpstreamError as error:
                    _log.warning("catalog not read", database=name, code=error.code, why=error.message)
                    await asyncio.sleep(RETRY_SECONDS)
        self._start_learning()

    def _start_learning(self) -> None:
        for name in self._gates:
            if name not in self._learning and self._snapshots.find(name) is not None:
                self._learning.add(name)
                self.tasks.start(f"catalog {name}", self._keep_learning(name))

    def begin(self) -> None:
        """Look for idle sessions, and for clients that are gone unheard, again and again; record."""
        self.tasks.start("sweep", self._sweep())
        self.tasks.start("report", self._keep_reporting())
        if self._outbox is not None:
            self.tasks.start("outbox", self._outbox.run(self._room))

    async def reload(self, settings: Settings, stance: str = "") -> None:
        """Use new settings for new connections; raises `StrongroomError` and keeps the old.

        One at a time, with the keys of the moment. Open sessions look by them too; those of a database where
        nothing was protected before end as soon as they are idle, since they do not look into statements.
        """
        async with self._reloading:
            gates, judges = self._open_gates(settings), judges_of(settings, self._state, stance)
            self._readying = snapshots = Snapshots(
                settings,
                self._state,
                self._keks,
                due=partial(self._line.tell, "due"),
                meter_of=self._meters.of,
            )
            try:
                for name, gate in gates.items():
                    await snapshots.read(name, gate.connector)
            finally:
                self._readying = None
            self._settings, self._gates, self._snapshots = settings, gates, snapshots
        self._judges = judges
        self._entrance.take(settings)
        for driver in list(self._drivers):
            self._renew(driver, snapshots.find(driver.database))
        self._start_learning()

    def _renew(self, driver: Driver, snapshot: Snapshot | None) -> None:
        if snapshot is not None and driver.guarded:
            driver.dispatch(ev.SnapshotChanged(snapshot))
            self._judge_anew(driver)
        elif snapshot is not None:
            driver.drain()

    def _judge_anew(self, driver: Driver) -> None:
        """What a session may do from its next statement on, the policy says that there is now."""
        if not self._entrance.has(driver):
            return
        judge = self.judge(driver)
        if judge is not None:
            driver.dispatch(ev.PolicyChanged(judge))
        elif driver.judged:
            driver.drain()

    def take_tenants(self, came: Collection[Keyset], gone: Collection[str]) -> None:
        """Use the key-encryption keys of tenants that came, and no more those that went; in all sessions."""
        self._keks = self._keks.changed(came, gone)
        if self._readying is not None:
            self._readying.rekey(came, gone)
        for database, snapshot in self._snapshots.rekey(came, gone).items():
            self._tell(database, ev.SnapshotChanged(snapshot))

    async def drain(self, seconds: float) -> None:
        """Let sessions end when they are idle; end what is left after ``seconds``."""
        self._draining = True
        for accepting in self._accepting:
            accepting.cancel()  # which closes the listener: another gateway may listen there at once
        for driver in list(self._drivers):
            driver.drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        for driver in list(self._drivers):
            driver.abort()
        with contextlib.suppress(TimeoutError):  # what became of their statements is recorded as they leave
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._empty.wait()
        if self._outbox is not None:
            await self._outbox.ended()
        await self.tasks.cancel_all()
        await self._analyst.end()

    def heard(self, message: dict[str, Any]) -> None:
        """Take a message of the supervisor's that concerns connections, or their keys."""
        if message["what"] in {"admitted", "assumed", "cancelled", "tenant"}:
            self._questions.answered(message["number"], message.get("refusal"))
        elif message["what"] == "cancel":
            self.tasks.start("cancel for another worker", self._cancel_for_another(message))
        elif message["what"] == "catalog":
            self._look_again(str(message["database"]))
        elif message["what"] == "revoked":
            self._entrance.revoked(message["credentials"])
        elif message["what"] == "reload":  # which begins later: what is told until then changes these
            self._keks = danger_read(message["keks"])
        elif message["what"] == "grants":
            people = self._lending.heard(message["people"])
            for driver in [one for one in self._drivers if one.judged and one.account in people]:
                self._judge_anew(driver)
        elif message["what"] == "tenants":
            self.take_tenants(danger_read(message["keks"]).by_name.values(), message["gone"])

    def _open_gates(self, settings: Settings) -> dict[str, Gate]:
        for name in settings.databases:
            self._meters.of(name)  # what nobody has done yet is served as 0
        secret = self._state.installation_secret
        return {name: gate_of(name, settings, secret) for name in settings.databases}

    # ---------------------------------------------------------------- accepting

    async def _accept(self, name: str, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with listener:
            while True:
                try:
                    sock, _ = await loop.sock_accept(listener)
                except OSError as error:
                    _log.warning("cannot accept", database=name, why=error.strerror)
                    await asyncio.sleep(ACCEPT_PAUSE_SECONDS)
                    continue
                number = next(self._numbers)
                self.tasks.start(f"{name}/{number}", self._welcome(name, f"{name}/{number}", sock))

    async def _welcome(self, name: str, session: str, sock: socket.socket) -> None:
        """Settle encryption, then hand the connection to a driver."""
        gate = self._gates.get(name)
        sock.setblocking(False)
        if gate is None or self._draining:
            sock.close()
            return
        refusal = self._no_entry(name)
        if refusal is not None:
            self._meters.of(name).errors[refusal.code] += 1
            turn_away(sock, refusal)
            return
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        limits = gate.settings.limits
        self._welcoming += 1
        deadline = asyncio.get_running_loop().time() + limits.login_seconds
        try:
            async with asyncio.timeout_at(deadline):
                preamble = await read_preamble(
                    sock, tls_offered=gate.context is not None, limit=limits.startup_packet_bytes
                )
                if preamble is None:
                    sock.close()
                    return
                await self._begin(gate, session, sock, preamble, deadline)
        except (TimeoutError, StrongroomError, OSError) as error:  # ssl.SSLError is an OSError
            code = error.code if isinstance(error, StrongroomError) else type(error).__name__
            self._meters.of(name).errors[code if isinstance(error, StrongroomError) else BROKEN] += 1
            _log.info("connection ended before its session", session=session, code=code)
            sock.close()
        finally:
            self._welcoming -= 1

    def _no_entry(self, name: str) -> StrongroomError | None:
        """Why no session may begin now.

        The supervisor counts those that are logged in; nobody should fill this worker with as many that never
        will be as there may be connections at all.
        """
        try:
            self._snapshots.find(name)
        except KeysUnread as error:
            return error
        strangers = self._welcoming + len(self._drivers) - self._entrance.admitted
        if strangers < self._settings.limits.connections:
            return None
        _log.warning("connection refused", limit="connections", waiting_for_login=strangers)
        return LimitReached(
            "too many connections wait for their log-in: as many as `limits.connections`",
            hint="Try again; see what connects without logging in, or raise the limit.",
        )

    async def _begin(
        self, gate: Gate, session: str, sock: socket.socket, preamble: Preamble, deadline: float
    ) -> None:
        loop = asyncio.get_running_loop()
        if preamble.tls and gate.context is None:
            raise ClientError("TLS was begun on a listener that has none")
        driver = Driver(
            self,
            gate.rules,
            session,
            snapshot=self._snapshots.find(gate.name),
            buffer_bytes=gate.settings.limits.buffer_bytes,
            idle_seconds=gate.settings.limits.idle_seconds,
            login_seconds=max(deadline - loop.time(), 0),
            meter=self._meters.of(gate.name),
        )
        driver.client.on_made = partial(self._connected, driver, gate, preamble)
        await loop.connect_accepted_socket(
            lambda: driver.client, sock, ssl=gate.context if preamble.tls else None
        )

    def _connected(
        self, driver: Driver, gate: Gate, preamble: Preamble, transport: asyncio.Transport
    ) -> None:
        try:
            peer = peer_of(transport, gate.tls, gate.binding, preamble)
            snapshot = self._snapshots.find(gate.name)
        except StrongroomError as error:
            _log.info("connection ended before its session", session=driver.name, code=error.code)
            transport.abort()
            return
        self._drivers.add(driver)
        self._empty.clear()
        driver.accepted(ev.Accepted(preamble.tls, peer), preamble.octets)
        self._renew(driver, snapshot)  # while TLS was settled nobody told it what changed
        if self._draining:
            driver.drain()

    # ---------------------------------------------------------------- what drivers ask (driver.House)

    async def look_up(self, driver: Driver, account: str) -> Credentials | None:
        """Ask the entrance."""
        return await self._entrance.look_up(driver, account)

    async def admit(self, driver: Driver, asked: do.Admit) -> str | None:
        """Ask the entrance, which asks the supervisor."""
        refusal = await self._entrance.admit(driver, asked)
        if refusal is not None:
            user, why = self._entrance.turned_away(driver, asked, refusal)
            driver.meter.turned_away[why] += 1
            if self._chronicle is not None:
                self._chronicle.turned_away(driver, user, why)
        return refusal

    def judge(self, driver: Driver) -> SessionJudge | None:
        """Who decides about the statements of a session that was admitted; None without a policy."""
        if self._judges is None:
            return None
        subject, second_factor = self._entrance.identity(driver)
        return self._judges.of(driver, subject, second_factor, self._lending.of(subject.name))

    def connector(self, gate: str, account: str) -> Connector:
        """Return the way to the database: as the account's own upstream user, where it has one."""
        connector = self._gates[gate].connector
        configured = self._entrance.holder(account)
        if configured.upstream_user is None:
            return connector
        return connector.as_user(configured.upstream_user, configured.upstream_password)

    async def cancel(self, process_id: int, secret_key: bytes) -> None:
        """Cancel here, or let the supervisor ask the other workers; return when it is done."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CANCEL_SECONDS):
                if not await self._cancel_here(process_id, secret_key):
                    await self._questions.ask("cancel", process_id=process_id, key=secret_key.hex())

    async def _cancel_for_another(self, message: dict[str, object]) -> None:
        try:
            await self._cancel_here(int(str(message["process_id"])), bytes.fromhex(str(message["key"])))
        finally:
            self._line.tell("cancelled", number=message["number"])

    async def analyse(self, question: Question) -> Analysis | StrongroomError | None:
        """Ask this worker's analyst."""
        return await self._analyst.analyse(question)

    async def make_tenant(self, database: str, tenant: str) -> str | None:
        """Ask the supervisor for the keys of a new tenant; returns None once they are here, or why not."""
        try:
            async with asyncio.timeout(MAKING_SECONDS):
                refusal: str | None = await self._questions.ask("tenant", database=database, tenant=tenant)
        except TimeoutError:
            return "its keys could not be made in time"
        return refusal

    async def assume(self, driver: Driver, wish: do.Assume) -> bool:
        """Ask the supervisor, which writes it down for all workers."""
        return await write_down(self._questions, driver, self.judge(driver), wish)

    @property
    def is_full(self) -> bool:
        """Whether so much waits to be recorded that nobody is heard."""
        return self._chronicle is not None and self._chronicle.is_full

    def opened(self, driver: Driver) -> None:
        """A session is open: what it does goes into a chapter of its own."""
        driver.meter.begun += 1
        if self._chronicle is not None:
            self._chronicle.opened(driver, *self._entrance.identity(driver))

    def record(self, driver: Driver, deed: Deed) -> None:
        """What a session did with a statement."""
        if self._chronicle is not None:
            self._chronicle.deed(driver, deed)

    def note(self, driver: Driver) -> None:
        """The session did something that is to be recorded soon."""
        if self._chronicle is not None:
            self._chronicle.note(driver)

    async def kept(self, driver: Driver) -> None:
        """What it intends is on the disk, or need not be."""
        if self._chronicle is not None:
            await self._chronicle.kept(driver)

    def _room(self) -> None:
        """There may be room again for what is recorded."""
        for driver in list(self._drivers):
            driver.adjust_reading()

    def catalog_changed(self, database: str) -> None:
        """Tell all workers; this one at once, so that no older reading is taken for the new."""
        self._look_again(database)
        self._line.tell("catalog", database=database)

    def left(self, driver: Driver) -> None:
        """Give a connection's place back."""
        self._drivers.discard(driver)
        self._entrance.left(driver)
        if driver.is_open:
            driver.meter.ended[driver.ending] += 1
        if self._chronicle is not None:
            self._chronicle.closed(driver)
        if not self._drivers:
            self._empty.set()

    async def _cancel_here(self, process_id: int, secret_key: bytes) -> bool:
        for driver in self._drivers:
            if driver.has_key(process_id, secret_key):
                await driver.cancel_upstream()
                return True
        return False

    def _look_again(self, database: str) -> None:
        self._changed.setdefault(database, asyncio.Event()).set()

    async def _keep_learning(self, database: str) -> None:
        """Read the catalog when it has changed, and on a timer for changes made around the gateway."""
        changed = self._changed.setdefault(database, asyncio.Event())
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CATALOG_SECONDS):
                    await changed.wait()
            changed.clear()
            snapshots = self._snapshots
            try:
                snapshot = await snapshots.read(database, self._gates[database].connector)
            except StrongroomError as error:
                if isinstance(error, KekMissing):  # it was rotated: the supervisor can open the new one
                    self._line.tell("keys")
                _log.warning("catalog not read", database=database, code=error.code, why=error.message)
                self._tell(database, self._aged(database))
                continue
            if snapshot is None:
                return
            if snapshot.outdated:  # its keys were read a moment before or after its catalog
                asyncio.get_running_loop().call_later(RETRY_SECONDS, changed.set)
            # It changed again while it was read, or the same change was told twice; or a reload told all.
            if changed.is_set() or snapshots is not self._snapshots:
                continue
            # Those whose catalog is unchanged hear it too: a session that looked by itself, while something
            # was otherwise for a moment, has a catalog of its own.
            self._tell(database, ev.SnapshotChanged(snapshot))

    def _aged(self, database: str) -> ev.SnapshotAged | ev.SnapshotLost:
        """What sessions hear where the catalog could not be read: look by yourself, or end."""
        try:
            self._snapshots.find(database)
        except KeysUnread as error:
            _log.error("sessions ended", database=database, code=error.code, why=error.message)
            return ev.SnapshotLost(error)
        return ev.SnapshotAged()

    def _tell(self, database: str, event: ev.Event) -> None:
        for driver in list(self._drivers):
            if driver.database == database and driver.guarded:
                driver.dispatch(event)

    async def _keep_reporting(self) -> None:
        """Tell the supervisor what was counted; it has the numbers of this worker should it be killed."""
        while True:
            if self._line.is_clear:
                self._line.tell("metrics", report=told(self._report()))
            await asyncio.sleep(TELL_SECONDS)

    def _report(self) -> Report:
        draft = Draft()
        self._meters.write(draft)
        for database, seconds in self._snapshots.ages().items():
            draft.put("strongroom_catalog_age_seconds", seconds, database)
        if self._chronicle is not None:
            self._chronicle.write(draft)
        draft.processor("worker")
        return draft.report

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self._entrance.sweep()
            for driver in list(self._drivers):
                driver.client.end_if_reset()
                if driver.idle_seconds and loop.time() - driver.last_heard > driver.idle_seconds:
                    driver.time_out("idle_seconds")
