"""`strongroom serve`: one supervisor, which owns the listening sockets, and the workers that use them.

The supervisor binds, starts the workers as fresh processes, starts again one that dies, counts log-ins and
connections for all of them (`door`, `control`), passes on CancelRequests, and obeys signals: SIGHUP reloads,
SIGTERM and SIGINT drain. It alone opens roots, and gives the workers the key-encryption keys over their
lines, in memory; what is due for rotation it has looked after (`caretaker`). It never sees a byte of a
session.

Called by the command line through `serve`.
"""

import asyncio
import contextlib
import itertools
import random
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
import uvloop

from strongroom import __version__
from strongroom.config import Settings, load, read_file
from strongroom.errors import KekMissing, ProtectionWeakened, StrongroomError, WorkersFail
from strongroom.gateway.caretaker import Caretaker, Charge
from strongroom.gateway.control import Line
from strongroom.gateway.door import Door, Try, watch
from strongroom.gateway.fitting import say
from strongroom.gateway.gate import gate_of, owner_of
from strongroom.gateway.generations import look_again
from strongroom.gateway.health import Health, serve_health
from strongroom.gateway.judging import authorizer_of
from strongroom.gateway.keeper import Keeper, elapsed
from strongroom.gateway.kept import Place
from strongroom.gateway.lending import Everyones, assumed, told, watch_grants
from strongroom.gateway.listening import listen
from strongroom.gateway.log import set_up_log
from strongroom.gateway.meters import Draft, heard
from strongroom.gateway.metrics import Metrics
from strongroom.gateway.protection import Prepared, prepare
from strongroom.gateway.records import Records
from strongroom.gateway.reminding import remind
from strongroom.gateway.standing import settle, stand
from strongroom.gateway.tasks import Tasks
from strongroom.keys.kek import Keks, danger_written, database_of
from strongroom.keys.model import Keyset
from strongroom.keys.root.entering import Entered
from strongroom.people.throttle import Rules
from strongroom.session.metering import OTHER
from strongroom.state import State, open_state

_log = structlog.get_logger("strongroom.supervisor")

BACKLOG = 1024
RESTARTS_AT_MOST = 5
"""So many workers may die within `RESTART_WINDOW_SECONDS` before the gateway gives up."""
RESTART_WINDOW_SECONDS = 30.0
STOP_GRACE_SECONDS = 10.0
"""What a worker gets beyond `drain_seconds` before it is killed."""
KEY_LOOKS = ("rotated", "due")
"""What the caretaker finds, in metrics; all else is that something could not be looked after."""
OWN_COUNTS = (
    ("strongroom_worker_deaths_total",),
    *(("strongroom_configuration_loads_total", result) for result in ("accepted", "refused")),
    *(("strongroom_key_looks_total", found) for found in (*KEY_LOOKS, OTHER)),
)
"""What the supervisor counts by itself."""
WATCH_SECONDS = 3600.0
"""How often it is written down how far the state has come: a copy from before that is known for one."""


def serve(settings: Settings) -> None:
    """Serve until told to stop; raises `ConfigError` before anything is accepted."""
    set_up_log()
    used = settings.protection is not None or any(one.columns for one in settings.databases.values())
    needed = settings.keys is not None and used
    entered = Entered.ask(settings.keys.roots) if needed and settings.keys else Entered()
    uvloop.run(_serve(settings, entered))


async def _serve(settings: Settings, entered: Entered) -> None:
    state = open_state(settings.state)
    try:
        await Supervisor(settings, await _agree(settings, state, entered, {}), state, entered).run()
    finally:
        state.close()


@dataclass(frozen=True, slots=True)
class _Agreed:
    """What may be served, and since when that is known."""

    prepared: Prepared
    places: Sequence[Place]
    began: float
    """By the keeper's clock: before any root or provider was asked."""
    stance: str = ""
    """The digest of what is protected, where taking less takes people."""
    weaker: int = 0
    """In so many places it protects less than before, as these people signed."""
    signed_by: tuple[str, ...] = ()


async def _agree(settings: Settings, state: State, entered: Entered, held: Mapping[str, Keyset]) -> _Agreed:
    """Read what the workers will read, and make keys and databases agree: a mistake shows here, at once.

    Returns the key-encryption keys, for the workers: only the supervisor opens roots. ``held`` are those of
    tenants that count still, though their providers may not answer now.
    """
    began = elapsed()
    for name in settings.databases:
        gate_of(name, settings, state.installation_secret)
    authorizer = authorizer_of(settings)
    everywhere = _places(settings, state, every=True)
    policy = None if authorizer is None else authorizer.policy
    standing = await stand(settings, state, everywhere, entered, policy)
    places = _places(settings, state)
    prepared = await prepare(settings, state, places, entered=entered, held=held)
    said = await settle(standing, settings, state, everywhere, roots=prepared.roots, entered=entered)
    said += await remind(state, places, prepared.keks.by_name.values(), prepared.roots)
    for line in (*prepared.said, *said):
        _log.warning(line)
    stance = standing.stance.digest if standing.is_bound else ""
    people = () if standing.signed is None else tuple(standing.signed.people)
    return _Agreed(prepared, places, began, stance, len(standing.weaker), people)


def _places(settings: Settings, state: State, *, every: bool = False) -> list[Place]:
    """The databases with something to protect, or every one."""
    places = []
    for name, database in settings.databases.items():
        if database.columns or every:
            connector = gate_of(name, settings, state.installation_secret).connector
            places.append(Place(name, connector, owner_of(name, settings) or connector))
    return places


@dataclass(eq=False)
class _Worker:
    number: int
    process: asyncio.subprocess.Process
    line: Line
    ready: bool = False
    admitted: Counter[str] = field(default_factory=Counter)


@dataclass(eq=False)
class _Cancel:
    """A CancelRequest that other workers were asked to carry out, and whose answers are awaited."""

    asked_by: _Worker
    number: int
    awaited: set[_Worker]


class Supervisor:
    """Runs the workers of one gateway."""

    def __init__(self, settings: Settings, agreed: _Agreed, state: State, entered: Entered) -> None:
        self._settings = settings
        self._state = state
        self._stance = agreed.stance
        self._entered = entered  # a reload asks nobody
        self._config: Path = settings.file
        self._accepted = read_file(settings.file)  # a worker that starts later must not read something else
        self._tasks = Tasks()
        self._listeners: dict[str, socket.socket] = {}
        self._workers: dict[int, _Worker] = {}
        self._deaths: list[float] = []
        self._cancels: dict[int, _Cancel] = {}
        self._tickets = itertools.count(1)
        self._stop = asyncio.Event()
        self._rereading = False  # a worker has met a key that only a root opens
        self._reloads = itertools.count(1)
        self._taken = 0  # the number of the reload whose settings these are
        self._failure: StrongroomError | None = None
        self._keeper = Keeper(state, self._tenants_changed, self._tasks, entered)
        self._keks = self._keeper.take(settings, agreed.prepared, agreed.places, agreed.began)
        self._door = Door(settings.login.rules, self._locked)
        self._lent: Everyones = {}
        self._caretaker = Caretaker(self._charge, self._found, random.SystemRandom())
        self._metrics = Metrics()
        self._counts: Counter[tuple[str, ...]] = Counter()  # the supervisor's own, by name and labels
        self._taken_at = time.time()
        self._records = Records(settings, self._accepted, state, self._tasks, self._metrics)

    async def run(self) -> None:
        """Start, serve, drain."""
        await self._records.start()
        self._listen()
        health = None
        if self._settings.health is not None:
            health = serve_health(self._settings.health, self._health, self._served)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, lambda: self._tasks.start("reload", self._reload()))
        for stop in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(stop, self._stop.set)
        for number in range(self._settings.workers):
            await self._start(number)
        self._tasks.start("tenants", self._keeper.run())
        self._tasks.start("watch", self._watch())
        self._tasks.start("people", watch(self._state, self._sign_in_rules, self._revoked))
        self._tasks.start(
            "grants", watch_grants(self._state, lambda: bool(self._settings.people), self._lend)
        )
        self._tasks.start("caretaker", self._caretaker.keep_looking())
        self._tasks.start("policy", say(self._settings, self._accepted))
        await self._stop.wait()
        await self._drain()
        if health is not None:
            health.shutdown()
        if self._failure is not None:
            raise self._failure

    # ---------------------------------------------------------------- listening

    def _listen(self) -> None:
        for name, database in self._settings.databases.items():
            listener = listen(database.listen, "listen", BACKLOG)
            listener.setblocking(False)
            self._listeners[name] = listener
            _log.info("listening", database=name, address=str(database.listen))

    async def _watch(self) -> None:
        """Now and then, see whether this state is the only one of its id (`generations`)."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                state = open_state(self._settings.state)
                try:
                    said = await look_again(state, _places(self._settings, state), self._keks)
                finally:
                    state.close()
            except StrongroomError as error:
                said = [f"a state that is copied back would not be noticed: {error.message}"]
            for line in said:
                _log.warning(line)

    # ---------------------------------------------------------------- workers

    async def _start(self, number: int) -> None:
        mine, theirs = socket.socketpair()
        accepted, stance = self._accepted, self._stance
        listeners = [f"--listener={name}={sock.fileno()}" for name, sock in self._listeners.items()]
        with theirs, tempfile.TemporaryFile() as content:
            content.write(accepted.encode())
            content.seek(0)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "strongroom.gateway.worker"),
                *(f"--config={self._config}", f"--number={number}", f"--line={theirs.fileno()}"),
                f"--content={content.fileno()}",
                *([] if self._records.socket is None else [f"--recorder={self._records.socket}"]),
                *listeners,
                pass_fds=[
                    theirs.fileno(),
                    content.fileno(),
                    *(sock.fileno() for sock in self._listeners.values()),
                ],
                start_new_session=True,  # a Ctrl-C at the terminal is the supervisor's to handle
            )
        worker = _Worker(number, process, await Line.over(mine))
        worker.line.tell("keys", keks=danger_written(self._keks), stance=stance)
        worker.line.tell("grants", people=told(self._lent))
        if accepted is not self._accepted:  # a reload told those that were there
            worker.line.tell(
                "reload", content=self._accepted, keks=danger_written(self._keks), stance=self._stance
            )
        self._workers[number] = worker
        self._tasks.start(f"worker {number}", self._attend(worker))

    async def _attend(self, worker: _Worker) -> None:
        """Listen to a worker until its line breaks, then start another in its place."""
        async for message in worker.line.messages():
            self._heard(worker, message)
        status = await worker.process.wait()
        worker.line.close()
        self._workers.pop(worker.number, None)
        self._metrics.ended(worker)
        for ticket in list(self._cancels):
            self._has_cancelled(worker, ticket)
        if self._stop.is_set():
            return
        _log.error("worker died", number=worker.number, status=status)
        self._counts["strongroom_worker_deaths_total",] += 1
        self._records.worker_died()
        if self._may_restart():
            await self._start(worker.number)

    def _may_restart(self) -> bool:
        now = asyncio.get_running_loop().time()
        self._deaths = [then for then in self._deaths if now - then < RESTART_WINDOW_SECONDS] + [now]
        if len(self._deaths) <= RESTARTS_AT_MOST:
            return True
        self._failure = WorkersFail(
            f"{len(self._deaths)} workers died within {RESTART_WINDOW_SECONDS:.0f} s",
            hint="The lines before this one say why.",
        )
        self._stop.set()
        return False

    def _heard(self, worker: _Worker, message: dict[str, Any]) -> None:
        what = message["what"]
        if what == "ready":
            worker.ready = True
            _log.info("worker ready", number=worker.number, process_id=worker.process.pid)
        elif what == "admit":
            self._asked_in(worker, message)
        elif what == "release":
            worker.admitted[message["account"]] -= 1
        elif what == "catalog":
            for other in self._workers.values():
                other.line.tell("catalog", database=message["database"])
        elif what == "tenant":
            self._tasks.start("tenant", self._make_tenant(worker, message))
        elif what == "assume":
            self._tasks.start("assume", self._write_down(worker, message))
        elif what == "keys":
            self._read_keys()
        elif what == "due":
            self._caretaker.ask()
        elif what == "metrics":
            self._metrics.take(worker, heard(message["report"]))
        elif what == "cancel":
            self._pass_on(worker, message)
        elif what == "cancelled":
            self._has_cancelled(worker, message["number"])

    async def _make_tenant(self, worker: _Worker, message: dict[str, Any]) -> None:
        """Make the keys of a tenant that a client writes for; they are with all workers before the answer."""
        refusal = None
        try:
            await self._keeper.make(message["database"], message["tenant"])
        except StrongroomError as error:
            refusal = error.message
            _log.warning("a tenant was not added", code=error.code, why=error.message)
        worker.line.tell("tenant", number=message["number"], refusal=refusal)

    async def _write_down(self, worker: _Worker, message: dict[str, Any]) -> None:
        """Say who assumes which role, and keep it; only then it counts."""
        refusal = await assumed(self._state, message)
        worker.line.tell("assumed", number=message["number"], refusal=refusal)

    def _tenants_changed(self, came: Sequence[Keyset], gone: Sequence[str]) -> None:
        self._keks = self._keks.changed(came, gone)
        written = danger_written(Keks.of(came))
        for worker in self._workers.values():
            worker.line.tell("tenants", keks=written, gone=list(gone))

    def _pass_on(self, worker: _Worker, message: dict[str, Any]) -> None:
        """Ask the other workers to cancel; who has no session with this key answers at once."""
        ticket = next(self._tickets)
        others = {other for other in self._workers.values() if other is not worker}
        self._cancels[ticket] = _Cancel(worker, message["number"], others)
        for other in others:
            fields = {"process_id": message["process_id"], "key": message["key"]}
            other.line.tell("cancel", number=ticket, **fields)
        self._has_cancelled(worker, ticket)

    def _has_cancelled(self, worker: _Worker, ticket: int) -> None:
        """Note that a worker has answered, or is gone; tell who asked once all have."""
        cancel = self._cancels.get(ticket)
        if cancel is None:
            return
        cancel.awaited.discard(worker)
        if not cancel.awaited:
            del self._cancels[ticket]
            cancel.asked_by.line.tell("cancelled", number=cancel.number)

    def _asked_in(self, worker: _Worker, message: dict[str, Any]) -> None:
        """Have the door decide; the answer may come later."""
        one = Try(message["account"], message["source"], message["proved"], message["counted"])
        self._door.ask(
            one,
            lambda: self._admit(worker, one.account),
            lambda refusal: worker.line.tell("admitted", number=message["number"], refusal=refusal),
        )

    def _locked(self, account: str, source: str) -> None:
        known = account in self._settings.accounts or account in self._settings.people
        self._records.locked(account if known else None, source)

    def _sign_in_rules(self) -> Rules | None:
        return self._settings.login.rules if self._settings.people else None

    def _revoked(self, credentials: Sequence[str]) -> None:
        for worker in self._workers.values():
            worker.line.tell("revoked", credentials=list(credentials))

    def _lend(self, everyones: Everyones) -> None:
        self._lent = everyones
        for worker in self._workers.values():
            worker.line.tell("grants", people=told(everyones))

    def _admit(self, worker: _Worker, account: str) -> str | None:
        """Take a place; return None, or the limit that is reached."""
        limits = self._settings.limits
        if sum(other.admitted.total() for other in self._workers.values()) >= limits.connections:
            return "connections"
        if sum(other.admitted[account] for other in self._workers.values()) >= limits.connections_per_account:
            return "connections_per_account"
        worker.admitted[account] += 1
        return None

    # ---------------------------------------------------------------- keys that are due

    def _charge(self) -> Charge:
        return Charge(self._settings, self._config, self._accepted, self._keks)

    def _found(self, finding: dict[str, Any]) -> None:
        """Hear what was found: the workers need not wait until they read the new key by themselves."""
        found = finding["what"] if finding["what"] in KEY_LOOKS else OTHER
        self._counts["strongroom_key_looks_total", found] += 1
        if finding["what"] == "rotated":
            database = database_of(finding["key"])
            for worker in self._workers.values():
                worker.line.tell("catalog", database=database)
        elif finding.get("code") == KekMissing.code:
            self._read_keys()

    def _read_keys(self) -> None:
        """A key was met that only a root opens: read everything anew, once for all who ask meanwhile."""
        if not self._rereading:
            self._rereading = True
            self._tasks.start("keys", self._reload())

    # ---------------------------------------------------------------- signals

    async def _reload(self) -> None:
        """Take new settings, if they are good; listeners stay as they are until the next start.

        Of reloads that look at the same time, since a root is slow, the one that began last counts.
        """
        self._rereading = False
        number = next(self._reloads)
        content = ""
        try:
            content = read_file(self._config)
            settings = load(self._config, content=content)
            self._records.refuse_other(settings)
            agreed = await _agree(settings, self._state, self._entered, self._keeper.held)
        except StrongroomError as error:
            weakens = error.detail.splitlines() if isinstance(error, ProtectionWeakened) else []
            why = {"code": error.code, "why": error.message, **({"weakens": weakens} if weakens else {})}
            _log.error("configuration refused, the old one stays", **why)
            self._counts["strongroom_configuration_loads_total", "refused"] += 1
            self._records.refused(content, error, len(weakens))
            return
        if number < self._taken:
            return
        self._taken = number
        for name, database in settings.databases.items():
            before = self._settings.databases.get(name)
            if before is None or before.listen != database.listen:
                _log.warning("a listener changes only at the next start", database=name)
        self._keks = self._keeper.take(settings, agreed.prepared, agreed.places, agreed.began)
        self._door.take(settings.login.rules)
        self._settings, self._accepted, self._stance = settings, content, agreed.stance
        self._taken_at = time.time()
        self._counts["strongroom_configuration_loads_total", "accepted"] += 1
        written = danger_written(self._keks)
        _log.info("configuration accepted")
        self._records.accepted(content, agreed.weaker, agreed.signed_by, agreed.stance)
        self._tasks.start("policy", say(settings, content))
        for worker in self._workers.values():
            # The file may be another by the time it is read.
            worker.line.tell("reload", content=content, keks=written, stance=self._stance)

    async def _drain(self) -> None:
        _log.info("draining", connections=self._health().connections)
        for sock in self._listeners.values():
            sock.close()
        workers = list(self._workers.values())
        for worker in workers:
            worker.line.tell("drain")
        patience = self._settings.limits.drain_seconds + STOP_GRACE_SECONDS
        await asyncio.gather(*(_end(worker, patience) for worker in workers))
        await self._records.stop()
        await self._tasks.cancel_all()
        _log.info("stopped")

    def _served(self) -> bytes:
        """All metrics; asked for in another thread."""
        health, draft = self._health(), Draft()
        draft.put("strongroom_build_info", 1, __version__)
        draft.put("strongroom_workers_configured", health.workers)
        draft.put("strongroom_workers_alive", health.alive)
        draft.put("strongroom_workers_ready", health.ready)
        if self._records.is_ready is not None:
            draft.put("strongroom_recorder_ready", self._records.is_ready)
        draft.put("strongroom_draining", health.draining)
        draft.put("strongroom_configuration_timestamp_seconds", self._taken_at)
        for name, *labels in OWN_COUNTS:
            draft.put(name, self._counts[name, *labels], *labels)
        draft.processor("supervisor")
        return self._metrics.text(draft.report)

    def _health(self) -> Health:
        workers = list(self._workers.values())
        return Health(
            workers=self._settings.workers,
            alive=len(workers),
            ready=sum(worker.ready for worker in workers),
            draining=self._stop.is_set(),
            connections=sum(worker.admitted.total() for worker in workers),
        )


async def _end(worker: _Worker, patience: float) -> None:
    try:
        async with asyncio.timeout(patience):
            await worker.process.wait()
    except TimeoutError:
        _log.error("worker killed", number=worker.number)
        with contextlib.suppress(ProcessLookupError):
            worker.process.kill()
        await worker.process.wait()
