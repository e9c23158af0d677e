"""One PostgreSQL session from its first octet to its last: events in, effects out.

    STARTUP ─ LOOKING_UP ─ LOGIN ─ ADMITTING ─ OPENING ─ UPSTREAM_LOGIN ─ OPEN ─ CLOSED
            └ CANCELLING ────────────────────────────────────────────────────────┘

`Session.handle` looks up what to do in `STEPS`; what is absent there is ignored only where `Session.handle`
says so, and is a `Bug` otherwise. While the session is OPEN the work is `relay`'s. Randomness comes in with
`Entropy`, time as events, settings as `Rules`.

Driven by `gateway/driver.py`; written down as playbooks in the tests.
"""

from collections.abc import Callable
from enum import Enum, auto

from strongroom.errors import (
    Bug,
    ClientError,
    DatabaseUnknown,
    Draining,
    LimitReached,
    LoginRefused,
    MalformedMessage,
    OriginMismatch,
    StrongroomError,
    TimeLimitReached,
    TlsRequired,
    UnknownKey,
    UpstreamError,
    UpstreamGone,
)
from strongroom.session import effects as do
from strongroom.session import events as ev
from strongroom.session import login, upstream_login
from strongroom.session.guarded import GuardedRelay
from strongroom.session.metering import Meter
from strongroom.session.policing import Judge
from strongroom.session.refusals import to_wire
from strongroom.session.relay import Relay
from strongroom.session.rules import Entropy, Rules
from strongroom.session.snapshot import Snapshot
from strongroom.session.startup import Encryption, account_of, check_settings, first_packet, negotiate
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres.codec import HEADER, Framer
from strongroom.wire.postgres.scram import login_refused


class Phase(Enum):
    """Where a session is."""

    STARTUP = auto()
    CANCELLING = auto()
    LOOKING_UP = auto()
    LOGIN = auto()
    ADMITTING = auto()
    OPENING = auto()
    UPSTREAM_LOGIN = auto()
    OPEN = auto()
    CLOSED = auto()


class Session:
    """One session; ``snapshot`` says what is protected, None where nothing is."""

    def __init__(
        self,
        rules: Rules,
        entropy: Entropy,
        snapshot: Snapshot | None = None,
        meter: Meter | None = None,
    ) -> None:
        self._rules = rules
        self._meter = meter or Meter()
        self._entropy = entropy
        self._effects: list[do.Effect] = []
        self._phase = Phase.STARTUP
        self._draining = False
        self._yielded = False
        self._left = False
        self._early = b""  # octets that came before their time
        self._accepted: ev.Accepted | None = None
        self._startup = m.StartupMessage(0, {})
        self._version = 0
        self._account = ""
        self._frames = Framer(login.MAX_LOGIN_MESSAGE_BYTES)
        self._login: login.ClientLogin | None = None
        self._welcome = b""  # what a client hears that has proved who it is, once it is admitted
        self._upstream_login: upstream_login.UpstreamLogin | None = None
        self._relay = (
            Relay(rules.limits, self._meter)
            if snapshot is None
            else GuardedRelay(rules.limits, snapshot, self._meter)
        )

    @property
    def guarded(self) -> bool:
        """Whether there is something to protect, so that statements are looked into."""
        return isinstance(self._relay, GuardedRelay)

    @property
    def judged(self) -> bool:
        """Whether a policy is asked about statements."""
        return isinstance(self._relay, GuardedRelay) and self._relay.judged

    @property
    def certificate(self) -> bool:
        """Whether the client has shown a certificate that was verified."""
        return self._accepted is not None and self._accepted.peer.certificate_name is not None

    @property
    def wants_client(self) -> bool:
        """Whether there is room for more from the client."""
        if self._phase is Phase.OPEN:
            return not self._relay.full
        return self._phase in (Phase.STARTUP, Phase.CANCELLING, Phase.LOGIN)

    @property
    def held(self) -> int:
        """Octets kept back inside the session, on both sides."""
        return len(self._early) + self._frames.held + self._relay.held

    def handle(self, event: ev.Event) -> list[do.Effect]:
        """Take one event and return what is to be done, in order. Never raises for what a peer sent."""
        if self._phase is Phase.CLOSED:
            return []
        self._effects = []
        try:
            step = STEPS.get((self._phase, type(event))) or ANYWHERE.get(type(event))
            if step is None:
                raise Bug(f"{type(event).__name__} has no place in phase {self._phase.name}")
            step(self, event)
        except StrongroomError as error:
            self._fail(error)
        return self._effects

    def begin_round(self, chunk: bytes) -> bytes | None:
        """Take the client's octets, if they are an ordinary round, and return what goes upstream.

        Where they are not, nothing was taken, and they are to be handled as `ClientData`. With `end_round`
        this spares what most chunks do not need: an event, a list of effects, and a look at what may be read.
        """
        return self._relay.begin_round(chunk) if self._phase is Phase.OPEN else None

    def end_round(self, chunk: bytes) -> bytes | None:
        """Take upstream's octets, if they are the answer to a round, and return what goes to the client.

        Where they are not, nothing was taken, and they are to be handled as `UpstreamData`.
        """
        taken = self._phase is Phase.OPEN and not self._draining
        return self._relay.end_round(chunk) if taken else None

    # ---------------------------------------------------------------- start-up and login

    def _on_accepted(self, event: ev.Accepted) -> None:
        self._accepted = event

    def _on_first_octets(self, event: ev.ClientData) -> None:
        self._early += event.data
        found = first_packet(self._early, self._rules.startup_packet_bytes)
        if found is None:
            return
        packet, length = found
        self._early = self._early[length:]
        if isinstance(packet, Encryption):
            raise MalformedMessage("encryption was asked for a second time")
        if isinstance(packet, m.CancelRequest):
            # In the clear, too: libpq's PQcancel never asks for TLS (manual, section 34.7), and the key that
            # it shows cancels a statement, no more.
            self._effects.append(do.Cancel(packet.process_id, packet.secret_key))
            self._phase = Phase.CANCELLING
            return
        if self._rules.tls_required and self._accepted is not None and not self._accepted.tls:
            raise TlsRequired(
                "this listener takes connections over TLS only",
                hint="Connect with sslmode=verify-full and the listener's CA in sslrootcert.",
            )
        self._on_startup(packet)

    def _on_cancelled(self, _event: ev.Event) -> None:
        # Not before the database has been told: what the client asks next must not be what is cancelled
        # (libpq's PQcancel waits for this end, fe-cancel.c).
        self._close()

    def _on_idle_talk(self, _event: ev.ClientData) -> None:
        """PostgreSQL reads nothing behind a CancelRequest either (backend_startup.c)."""

    def _on_startup(self, startup: m.StartupMessage) -> None:
        if self._early:
            raise MalformedMessage("octets follow the start-up packet before it was answered")
        self._version, answer = negotiate(startup)
        self._account = account_of(startup, guarded=self.guarded)
        self._startup = startup
        self._send_client(answer)
        self._phase = Phase.LOOKING_UP
        self._effects.append(do.LookUpAccount(self._account))

    def _on_account(self, event: ev.AccountKnown) -> None:
        assert self._accepted is not None
        self._login = login.ClientLogin(
            self._account,
            event.credentials,
            self._accepted.peer,
            nonce=self._entropy.login_nonce,
            mock_secret=self._rules.mock_secret,
        )
        self._phase = Phase.LOGIN
        self._go_on(self._login.start())

    def _on_login_octets(self, event: ev.ClientData) -> None:
        assert self._login is not None
        data, spans = self._frames.feed(event.data)
        for tag, start, end in spans:
            if self._phase is not Phase.LOGIN:
                raise MalformedMessage("octets follow the last message of the login before it was answered")
            try:
                self._go_on(self._login.receive(tag, data[start + HEADER : end]))
            except LoginRefused:
                self._go_on(login.Unproved())
        if self._phase is not Phase.LOGIN and self._frames.held:
            raise MalformedMessage("octets follow the last message of the login before it was answered")

    def _go_on(self, outcome: login.Challenged | login.Admitted | login.Unproved) -> None:
        """A right proof and a wrong one take the same way: either may come too often to count."""
        if isinstance(outcome, login.Challenged):
            self._send_client(outcome.send)
            return
        self._phase = Phase.ADMITTING
        if isinstance(outcome, login.Unproved):
            self._effects.append(do.Admit(self._account, None))
        else:
            self._welcome = outcome.send
            self._effects.append(do.Admit(self._account, outcome.method, outcome.met))

    def _check_database(self) -> None:
        wanted = self._startup.parameters.get("database") or self._account
        if wanted != self._rules.database:
            raise DatabaseUnknown(
                "there is no such database at this listener",
                hint="Use the name under `databases:` in strongroom.yaml as the database's name.",
            )

    def _on_admitted(self, event: ev.Admitted) -> None:
        if event.refusal == ev.LOGIN or not self._welcome:
            raise login_refused()
        self._send_client(self._welcome)
        self._check_database()
        if event.refusal is not None:
            raise LimitReached(
                f"there are too many connections: `limits.{event.refusal}` is reached",
                hint="Close idle connections, use a pool in the application, or raise the limit.",
            )
        if event.judge is not None:
            check_settings(self._startup)
            self._police(event.judge)
        settings = {
            name: value
            for name, value in self._startup.parameters.items()
            if name not in upstream_login.RESERVED and not name.startswith("_pq_.")
        }
        self._phase = Phase.OPENING
        version = m.PROTOCOL_3_2 if self._version >= m.PROTOCOL_3_2 else m.PROTOCOL_3_0  # 3.1 is 3.0 renamed
        self._effects.append(do.OpenUpstream(self._account, version, settings))

    # ---------------------------------------------------------------- upstream

    def _on_connected(self, event: ev.UpstreamConnected) -> None:
        self._upstream_login = event.login
        self._frames = Framer(self._rules.limits.message_bytes)
        self._phase = Phase.UPSTREAM_LOGIN
        self._effects.append(do.SendUpstream(event.login.start()))

    def _on_upstream_failed(self, event: ev.UpstreamFailed) -> None:
        raise event.error

    def _on_early_upstream(self, _event: ev.UpstreamData) -> None:
        raise UpstreamError("the database spoke before it was spoken to")

    def _on_upstream_login_octets(self, event: ev.UpstreamData) -> None:
        assert self._upstream_login is not None
        try:
            data, spans = self._frames.feed(event.data)
        except ClientError as error:  # the codec cannot know which side it reads
            raise UpstreamError(f"from the database: {error.message}") from error
        for i, (tag, start, end) in enumerate(spans):
            outcome = self._upstream_login.receive(tag, data[start + HEADER : end])
            if isinstance(outcome, upstream_login.LoggedIn):
                if spans[i + 1 :] or self._frames.held:
                    raise UpstreamError("the database went on talking behind its first ReadyForQuery")
                self._on_open(outcome)
            elif outcome.send:
                self._effects.append(do.SendUpstream(outcome.send))

    def _on_open(self, upstream: upstream_login.LoggedIn) -> None:
        entropy = self._entropy
        key = entropy.secret_key if self._version >= m.PROTOCOL_3_2 else entropy.secret_key[:4]
        greeting = [m.ParameterStatus(*item).serialise() for item in upstream.parameters.items()]
        greeting += [m.BackendKeyData(entropy.process_id, key).serialise(), m.ready_for_query("I")]
        self._effects.append(do.RegisterCancel(upstream.process_id, upstream.secret_key, key))
        self._effects.append(do.LoggedIn())
        self._send_client(b"".join(greeting))
        if isinstance(self._relay, GuardedRelay):
            for item in upstream.parameters.items():
                self._relay.settle_style(*item)
        self._login = self._upstream_login = None  # they hold what is needed no more
        self._phase = Phase.OPEN
        self._drain_if_idle()

    # ---------------------------------------------------------------- open

    def _on_client_data(self, event: ev.ClientData) -> None:
        self._relay.client(event.data)
        self._flush()

    def _on_upstream_data(self, event: ev.UpstreamData) -> None:
        self._relay.upstream(event.data)
        self._flush()
        self._drain_if_idle()

    def _flush(self) -> None:
        relay = self._relay
        if relay.to_upstream:
            self._effects.append(do.SendUpstream(b"".join(relay.to_upstream)))
            relay.to_upstream.clear()
        if relay.to_client:
            self._effects.append(do.SendClient(b"".join(relay.to_client)))
            relay.to_client.clear()
        for code in relay.refused:
            self._effects.append(do.Log("statement refused", {"account": self._account, "code": code}))
        relay.refused.clear()
        if isinstance(relay, GuardedRelay):
            self._ask_for(relay)
        if relay.ended:
            self._close()
        elif self._left and not relay.waiting:
            self._leave()

    def _ask_for(self, relay: GuardedRelay) -> None:
        """What a guarded session wants of the shell."""
        if relay.catalog_changed:
            relay.catalog_changed = False
            self._effects.append(do.CatalogChanged())
        question = relay.take_question()
        if question is not None:
            self._effects.append(do.Analyse(question))
        tenant = relay.take_tenant()
        if tenant is not None:
            self._effects.append(do.MakeTenant(tenant))
        wish = relay.take_wish()
        if wish is not None:
            self._effects.append(do.Assume(wish.role, wish.reason))
        if relay.wants_turn and not self._yielded:
            self._yielded = True
            self._effects.append(do.Yield())

    def _on_analysed(self, event: ev.Analysed) -> None:
        if isinstance(self._relay, GuardedRelay):
            self._relay.answered(event.question, event.outcome)
            self._flush()

    def _on_tenant_made(self, _event: ev.TenantMade) -> None:
        if isinstance(self._relay, GuardedRelay):
            self._relay.tenant_made()
            self._flush()

    def _on_assumed(self, event: ev.Assumed) -> None:
        if isinstance(self._relay, GuardedRelay):
            self._relay.assumed(written=event.written)
            self._flush()

    def _on_turn(self, _event: ev.GoOn) -> None:
        self._yielded = False
        if isinstance(self._relay, GuardedRelay):
            self._relay.go_on()
            self._flush()

    def _on_idle_timeout(self, event: ev.TimedOut) -> None:
        if self._relay.idle or event.limit != "idle_seconds":
            self._on_timeout(event)

    def _on_snapshot(self, event: ev.SnapshotChanged) -> None:
        if isinstance(self._relay, GuardedRelay):
            self._relay.share(event.snapshot)

    def _on_policy(self, event: ev.PolicyChanged) -> None:
        self._police(event.judge)

    def _police(self, judge: Judge) -> None:
        if not isinstance(self._relay, GuardedRelay):
            raise Bug("there is a policy, and statements are not looked into")
        self._relay.police(judge, self._startup.parameters.get("application_name", ""))

    def _on_aged(self, _event: ev.SnapshotAged) -> None:
        if isinstance(self._relay, GuardedRelay):
            self._relay.age()

    def _on_lost(self, event: ev.SnapshotLost) -> None:
        if isinstance(self._relay, GuardedRelay):
            raise event.error

    # ---------------------------------------------------------------- the end

    def _on_expelled(self, event: ev.Expelled) -> None:
        raise event.error

    def _on_drain(self, _event: ev.Drain) -> None:
        self._draining = True
        if self._phase is Phase.STARTUP:
            self._close()
        elif self._phase is Phase.OPEN:
            self._drain_if_idle()

    def _drain_if_idle(self) -> None:
        if self._draining and self._phase is Phase.OPEN and self._relay.idle:
            raise Draining("the gateway is shutting down", hint="Connect again.")

    def _on_timeout(self, event: ev.TimedOut) -> None:
        raise TimeLimitReached(f"`limits.{event.limit}` is over", hint="Connect again, or raise the limit.")

    def _on_upstream_closed(self, _event: ev.UpstreamClosed) -> None:
        raise UpstreamGone(
            "the database closed the connection",
            hint="Whether the last statements took effect is not known. Connect again and look.",
        )

    def _on_client_closed(self, _event: ev.ClientClosed) -> None:
        if self._phase is Phase.OPEN and self._relay.waiting:
            self._left = True  # what it sent before it left is carried out, as PostgreSQL would
        else:
            self._leave()

    def _leave(self) -> None:
        if self._phase is Phase.OPEN and self._relay.upstream_may_be_told:
            self._effects.append(do.SendUpstream(m.TERMINATE))
        self._close()

    def _fail(self, error: StrongroomError) -> None:
        self._meter.errors[error.code] += 1
        if self._phase is Phase.OPEN:
            self._flush_quietly()
            if not self._relay.idle and not error.detail:
                error.detail = "Whether statements that were under way took effect is not known."
        if self._relay.client_may_be_told:
            self._send_client(to_wire(error, "FATAL").serialise())
        self._effects.append(
            do.Log("session failed", {"account": self._account, "code": error.code, "why": error.message})
        )
        if isinstance(error, UnknownKey | OriginMismatch):  # after a rotation that was not heard of yet
            self._effects.append(do.CatalogChanged())
        self._close()

    def _flush_quietly(self) -> None:
        """What was ready for the client before the fault still goes to it; nothing more goes upstream."""
        if self._relay.to_client:
            self._send_client(b"".join(self._relay.to_client))

    def _send_client(self, data: bytes) -> None:
        if data:
            self._effects.append(do.SendClient(data))

    def _close(self) -> None:
        self._phase = Phase.CLOSED
        self._effects.append(do.Close())


_Step = Callable[[Session, ev.Event], None]

STEPS: dict[tuple[Phase, type], Callable[..., None]] = {
    (Phase.STARTUP, ev.Accepted): Session._on_accepted,
    (Phase.STARTUP, ev.ClientData): Session._on_first_octets,
    (Phase.CANCELLING, ev.Cancelled): Session._on_cancelled,
    (Phase.CANCELLING, ev.TimedOut): Session._on_cancelled,
    (Phase.CANCELLING, ev.ClientData): Session._on_idle_talk,
    (Phase.LOOKING_UP, ev.AccountKnown): Session._on_account,
    (Phase.LOGIN, ev.ClientData): Session._on_login_octets,
    (Phase.ADMITTING, ev.Admitted): Session._on_admitted,
    (Phase.OPENING, ev.UpstreamConnected): Session._on_connected,
    (Phase.OPENING, ev.UpstreamFailed): Session._on_upstream_failed,
    (Phase.OPENING, ev.UpstreamClosed): Session._on_upstream_closed,
    (Phase.OPENING, ev.UpstreamData): Session._on_early_upstream,
    (Phase.UPSTREAM_LOGIN, ev.UpstreamData): Session._on_upstream_login_octets,
    (Phase.UPSTREAM_LOGIN, ev.UpstreamClosed): Session._on_upstream_closed,
    (Phase.OPEN, ev.ClientData): Session._on_client_data,
    (Phase.OPEN, ev.UpstreamData): Session._on_upstream_data,
    (Phase.OPEN, ev.UpstreamClosed): Session._on_upstream_closed,
    (Phase.OPEN, ev.Analysed): Session._on_analysed,
    (Phase.OPEN, ev.TenantMade): Session._on_tenant_made,
    (Phase.OPEN, ev.Assumed): Session._on_assumed,
    (Phase.OPEN, ev.GoOn): Session._on_turn,
    (Phase.OPEN, ev.TimedOut): Session._on_idle_timeout,
}
"""What happens where."""


def _speaks_too_early(_session: Session, _event: ev.ClientData) -> None:
    raise MalformedMessage("the client went on talking before it was answered")


ANYWHERE: dict[type, Callable[..., None]] = {
    ev.ClientData: _speaks_too_early,
    ev.ClientClosed: Session._on_client_closed,
    ev.TimedOut: Session._on_timeout,
    ev.Drain: Session._on_drain,
    ev.Expelled: Session._on_expelled,
    ev.SnapshotChanged: Session._on_snapshot,
    ev.PolicyChanged: Session._on_policy,
    ev.SnapshotAged: Session._on_aged,
    ev.SnapshotLost: Session._on_lost,
}
"""What can happen in every phase that `STEPS` does not name."""
