"""One session from its first octet to its last, as playbooks."""

import itertools

import pytest
from tests.session.conversation import COPY_DATA, COPY_IN, DONE, ERROR, FATAL, IDLE, IN_TRANSACTION, QUERY
from tests.session.guarding import SNAPSHOT

from strongroom.errors import KeysUnread, LoginRefused, UpstreamUnreachable
from strongroom.secret import Secret
from strongroom.session import effects as do
from strongroom.session import events as ev
from strongroom.session.login import Credentials, Method, Peer
from strongroom.session.postgres import ANYWHERE, STEPS, Phase, Session
from strongroom.session.relay import Limits
from strongroom.session.rules import Entropy, Rules
from strongroom.session.upstream_login import LoginRules, UpstreamCredentials, UpstreamLogin, UpstreamPeer
from strongroom.testing.playbook import Asks, Logs, Playbook, Tells, ends
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres.codec import message
from strongroom.wire.postgres.reader import int32
from strongroom.wire.postgres.scram import SCRAM, ScramClient
from strongroom.wire.postgres.verifier import make_verifier

ROOM = 1 << 16
RULES = Rules("shop", Limits(1 << 20, 10, ROOM), 10_000, mock_secret=b"m" * 32)
ENTROPY = Entropy("nonce-of-the-gateway", 4711, b"0123456789abcdef0123456789abcdef")
WITH_CERTIFICATE = Credentials(None, frozenset({"app"}))
CERTIFIED = ev.Accepted(tls=True, peer=Peer(certificate_name="app"))
PLAIN = ev.Accepted(tls=False, peer=Peer())
SETTINGS = {"client_encoding": "UTF8", "standard_conforming_strings": "on", "server_version": "18.4"}
KEY = m.BackendKeyData(99, b"upstream's key")
PROTOCOL = ("malformed-message", "08P01")


def startup(version: int = m.PROTOCOL_3_2, parameters: dict[str, str] | None = None) -> bytes:
    own = {"user": "app", "database": "shop"}
    return m.StartupMessage(version, own | (parameters or {})).serialise()


def upstream_login(version: int = m.PROTOCOL_3_2) -> UpstreamLogin:
    return UpstreamLogin(
        UpstreamCredentials("owner", "shop"), LoginRules(), UpstreamPeer(), nonce="n", version=version
    )


def welcome(settings: dict[str, str] = SETTINGS, key: m.BackendKeyData = KEY) -> bytes:
    statuses = b"".join(m.ParameterStatus(*item).serialise() for item in settings.items())
    return m.authentication(0) + statuses + key.serialise() + IDLE


def fresh(rules: Rules = RULES) -> Playbook:
    return Playbook(Session(rules, ENTROPY))


def until(phase: Phase, rules: Rules = RULES) -> Playbook:
    """A session that has come as far as ``phase``."""
    book = fresh(rules)
    if phase is Phase.LOGIN:
        return (
            book.when(PLAIN)
            .client(startup())
            .then(do.LookUpAccount("app"))
            .when(ev.AccountKnown(None))
            .then(Tells("R"))
        )
    if phase is Phase.STARTUP:
        return book.when(CERTIFIED)
    if phase is Phase.CANCELLING:
        request = m.CancelRequest(7, b"k" * 32).serialise()
        return book.when(CERTIFIED).client(request).then(do.Cancel(7, b"k" * 32))
    book.when(CERTIFIED).client(startup()).then(do.LookUpAccount("app"))
    if phase is Phase.LOOKING_UP:
        return book
    book.when(ev.AccountKnown(WITH_CERTIFICATE)).then(do.Admit("app", Method.CERTIFICATE))
    if phase is Phase.ADMITTING:
        return book
    book.when(ev.Admitted()).then(Tells("R"), do.OpenUpstream("app", m.PROTOCOL_3_2, {}))
    if phase is Phase.OPENING:
        return book
    book.when(ev.UpstreamConnected(upstream_login())).then(do.SendUpstream(upstream_login().start()))
    if phase is Phase.UPSTREAM_LOGIN:
        return book
    book.upstream(welcome()).then(
        do.RegisterCancel(99, b"upstream's key", ENTROPY.secret_key), do.LoggedIn(), Tells("SSSKZ")
    )
    if phase is Phase.CLOSED:
        book.when(ev.ClientClosed()).then(Asks("X"), do.Close())
    return book


# --------------------------------------------------------------------------------- from first to last


def test_a_session_from_its_first_octet_to_its_last() -> None:
    """Log in, be admitted, open the database, ask, be answered, leave."""
    (
        until(Phase.OPEN)
        .client(QUERY)
        .then(do.SendUpstream(QUERY))
        .upstream(DONE + IDLE)
        .then(do.SendClient(DONE + IDLE))
        .client(m.TERMINATE)
        .then(do.SendUpstream(m.TERMINATE), do.Close())
        .client(QUERY)
        .when(ev.UpstreamClosed())
        .when(ev.ClientClosed())
        .over()
    )


def test_a_password_login_goes_through_scram() -> None:
    """Challenge, answer, proof; the client hears that it was right once the session is admitted."""
    book = proved("correct horse").then(do.Admit("app", Method.SCRAM))
    book.when(ev.Admitted()).then(Tells("RR"), do.OpenUpstream("app", m.PROTOCOL_3_2, {}))


def proved(password: str) -> Playbook:
    """A session whose client has shown this password, where another is right."""
    client = ScramClient(Secret(password), "client-nonce", plus_offered=False, binding=None)
    first = client.first()
    verifier = make_verifier(Secret("correct horse"), b"salt" * 4)
    book = fresh().when(PLAIN).client(startup()).then(do.LookUpAccount("app"))
    book.when(ev.AccountKnown(Credentials(verifier))).then(Tells("R"))
    challenge = book.session.handle(
        ev.ClientData(message(b"p", SCRAM.encode() + b"\0" + int32(len(first)) + first))
    )
    assert isinstance(challenge[0], do.SendClient)
    return book.client(message(b"p", client.final(challenge[0].data[9:])))


@pytest.mark.parametrize(("password", "method"), [("correct horse", Method.SCRAM), ("wrong", None)])
def test_a_log_in_that_does_not_count_tells_nothing_of_its_password(
    password: str, method: Method | None
) -> None:
    """After too many tries a right password hears what a wrong one hears, and not the server's proof."""
    book = proved(password).then(do.Admit("app", method))
    book.when(ev.Admitted(ev.LOGIN)).then(*ends("login-refused", "28P01"))


@pytest.mark.parametrize("refusal", [None, "connections"])
def test_a_wrong_password_is_refused_whatever_the_house_says(refusal: str | None) -> None:
    """Nothing but a proof admits."""
    proved("wrong").then(do.Admit("app", None)).when(ev.Admitted(refusal)).then(
        *ends("login-refused", "28P01")
    )


def test_who_is_expelled_hears_why() -> None:
    """A session ends at once, with the error that was given."""
    until(Phase.OPEN).when(ev.Expelled(KeysUnread("over"))).then(*ends(KeysUnread.code, KeysUnread.sqlstate))


def test_the_client_reads_its_own_cancel_key() -> None:
    """The key that the client gets is the gateway's, not upstream's: 32 octets in 3.2, four in 3.0."""
    for version, length in ((m.PROTOCOL_3_2, 32), (m.PROTOCOL_3_0 + 1, 4), (m.PROTOCOL_3_0, 4)):
        session = Session(RULES, ENTROPY)
        asked = m.PROTOCOL_3_2 if version == m.PROTOCOL_3_2 else m.PROTOCOL_3_0
        book = Playbook(session).when(CERTIFIED).client(startup(version)).then(do.LookUpAccount("app"))
        book.when(ev.AccountKnown(WITH_CERTIFICATE)).then(do.Admit("app", Method.CERTIFICATE))
        book.when(ev.Admitted()).then(Tells("R"), do.OpenUpstream("app", asked, {}))
        book.when(ev.UpstreamConnected(upstream_login(asked))).then(_startup_of(asked))
        effects = session.handle(ev.UpstreamData(welcome(key=m.BackendKeyData(99, b"four"))))
        greeting = b"".join(one.data for one in effects if isinstance(one, do.SendClient))
        assert m.BackendKeyData(4711, ENTROPY.secret_key[:length]).serialise() in greeting
        assert b"four" not in greeting


def _startup_of(version: int) -> do.SendUpstream:
    return do.SendUpstream(upstream_login(version).start())


def test_byte_by_byte() -> None:
    """A start-up packet may come in any pieces."""
    book = fresh().when(CERTIFIED)
    packet = startup()
    for octet in packet[:-1]:
        book.client(bytes([octet]))
    book.client(packet[-1:]).then(do.LookUpAccount("app"))


def test_run_time_parameters_go_upstream_and_what_is_ours_does_not() -> None:
    """user, database, replication and protocol options are settled here."""
    wanted = {"application_name": "psql", "options": "-c work_mem=1MB"}
    packet = startup(parameters={**wanted, "replication": "off", "_pq_.x": "1"})
    book = fresh().when(CERTIFIED).client(packet).then(Tells("v"), do.LookUpAccount("app"))
    book.when(ev.AccountKnown(WITH_CERTIFICATE)).then(do.Admit("app", Method.CERTIFICATE))
    book.when(ev.Admitted()).then(Tells("R"), do.OpenUpstream("app", m.PROTOCOL_3_2, wanted))


# ------------------------------------------------------------------------------------------ refused


@pytest.mark.parametrize(
    ("packet", "code", "sqlstate"),
    [
        (int32(8) + int32(m.SSL_REQUEST), *PROTOCOL),
        (int32(8) + int32(m.GSSENC_REQUEST), *PROTOCOL),
        (int32(10_001) + int32(m.PROTOCOL_3_0), "startup-packet-too-large", "08P01"),
        (int32(9) + int32(2 << 16) + b"\0", "unsupported-protocol", "0A000"),
        (m.StartupMessage(m.PROTOCOL_3_0, {"database": "shop"}).serialise(), *PROTOCOL),
        (startup() + b"x", *PROTOCOL),
        (startup() + QUERY, *PROTOCOL),
        (startup(parameters={"replication": "true"}), "unsupported-protocol", "0A000"),
        (startup(parameters={"replication": "database"}), "unsupported-protocol", "0A000"),
        (startup(parameters={"replication": "1"}), "unsupported-protocol", "0A000"),
    ],
)
def test_first_packets_that_are_refused(packet: bytes, code: str, sqlstate: str) -> None:
    """The client is told by name what was wrong with its first packet."""
    fresh().when(CERTIFIED).client(packet).then(*ends(code, sqlstate)).over()


def test_plaintext_is_refused_where_tls_is_required() -> None:
    """Nothing is looked up for a client that came in the clear."""
    rules = Rules("shop", RULES.limits, 10_000, tls_required=True, mock_secret=b"m" * 32)
    fresh(rules).when(PLAIN).client(startup()).then(*ends("tls-required", "28000"))
    fresh(rules).when(CERTIFIED).client(startup()).then(do.LookUpAccount("app"))


def test_a_cancel_request_is_passed_on_and_ends_its_connection() -> None:
    """It may come in the clear, as libpq's PQcancel sends it; its end says that the database was told."""
    rules = Rules("shop", RULES.limits, 10_000, tls_required=True, mock_secret=b"m" * 32)
    request = m.CancelRequest(7, b"k" * 32)
    book = fresh(rules).when(PLAIN).client(request.serialise()).then(do.Cancel(7, b"k" * 32))
    book.client(b"more").when(ev.Drain()).when(ev.Cancelled()).then(do.Close())


def test_a_cancel_request_does_not_wait_for_ever() -> None:
    """Where the database cannot be told in time, the connection ends without a word, as always."""
    request = m.CancelRequest(7, b"k" * 32)
    book = fresh().when(PLAIN).client(request.serialise()).then(do.Cancel(7, b"k" * 32))
    book.when(ev.TimedOut("login_seconds")).then(do.Close())


def test_another_database_is_refused_after_the_login() -> None:
    """Who has not logged in does not learn which databases there are."""
    book = (
        fresh()
        .when(CERTIFIED)
        .client(startup(parameters={"database": "other"}))
        .then(do.LookUpAccount("app"))
    )
    book.when(ev.AccountKnown(WITH_CERTIFICATE)).then(do.Admit("app", Method.CERTIFICATE))
    book.when(ev.Admitted()).then(Tells("R"), *ends("database-unknown", "3D000"))


def test_a_message_that_is_no_password_ends_the_login() -> None:
    """While logging in, only SASL answers count."""
    until(Phase.LOGIN).client(QUERY).then(*ends("login-malformed", "08P01"))


def test_a_login_message_over_its_limit_is_refused() -> None:
    """Nobody who has not logged in can make the gateway hold much."""
    until(Phase.LOGIN).client(b"p" + int32(1 << 20)).then(*ends("message-too-large", "54000"))


@pytest.mark.parametrize("limit", ["connections", "connections_per_account"])
def test_a_limit_of_connections_is_named(limit: str) -> None:
    """The client gets the SQLSTATE that drivers know for it."""
    book = until(Phase.ADMITTING).when(ev.Admitted(limit)).then(Tells("R"), *ends("limit-reached", "53300"))
    assert book.session.handle(ev.ClientClosed()) == []


# ----------------------------------------------------------------------------------------- upstream


def test_an_upstream_that_cannot_be_reached() -> None:
    """Why there is no connection is the client's error."""
    error = UpstreamUnreachable("the database cannot be reached", hint="Check the address.")
    until(Phase.OPENING).when(ev.UpstreamFailed(error)).then(*ends("upstream-unreachable", error.sqlstate))


def test_an_upstream_that_refuses_the_login() -> None:
    """Its SQLSTATE goes on, its words do not."""
    refusal = m.ErrorResponse.of("FATAL", "53300", "too many clients for role owner at 10.0.0.1").serialise()
    book = until(Phase.UPSTREAM_LOGIN)
    effects = book.session.handle(ev.UpstreamData(refusal))
    assert isinstance(effects[0], do.SendClient)
    assert b"53300" in effects[0].data
    assert b"10.0.0.1" not in effects[0].data
    assert isinstance(effects[-1], do.Close)


@pytest.mark.parametrize(
    "said",
    [
        QUERY,
        message(b"R", int32(99)),
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        message(b"Z", b"I"),
        b"E\0\0\0\0",
        DONE,
    ],
)
def test_an_upstream_that_speaks_nonsense_while_logging_in(said: bytes) -> None:
    """The session ends with an error that blames upstream, and the client hears nothing of the nonsense."""
    effects = until(Phase.UPSTREAM_LOGIN).session.handle(ev.UpstreamData(said))
    tells, log, closes = effects
    assert isinstance(tells, do.SendClient)
    assert isinstance(log, do.Log)
    assert str(log.fields["code"]).startswith("upstream")
    assert said not in tells.data
    assert closes == do.Close()


def test_an_upstream_that_does_not_keep_to_the_pinned_settings() -> None:
    """A database that reports another encoding than was asked for is not used."""
    effects = until(Phase.UPSTREAM_LOGIN).session.handle(
        ev.UpstreamData(welcome(SETTINGS | {"client_encoding": "LATIN1"}))
    )
    assert effects[-1] == do.Close()
    assert not any(isinstance(effect, do.LoggedIn) for effect in effects)


def test_an_upstream_that_speaks_too_early() -> None:
    """Octets before the login, or behind its end, are nobody's answer."""
    until(Phase.OPENING).upstream(IDLE).then(Tells("E"), Logs("session failed", "upstream"), do.Close())
    until(Phase.UPSTREAM_LOGIN).upstream(welcome() + b"x").then(
        Tells("E"), Logs("session failed", "upstream"), do.Close()
    )


@pytest.mark.parametrize("phase", [Phase.OPENING, Phase.UPSTREAM_LOGIN, Phase.OPEN])
def test_an_upstream_that_dies(phase: Phase) -> None:
    """The client is told that the outcome is unknown, and the session ends."""
    until(phase).when(ev.UpstreamClosed()).then(*ends("upstream-gone", "08006"))


def test_an_upstream_that_dies_in_the_middle_of_a_row() -> None:
    """The client must not take our error for the rest of the row: it sees the connection end."""
    book = until(Phase.OPEN).client(QUERY).then(do.SendUpstream(QUERY))
    part = message(b"D", bytes(1000))[:500]
    book.upstream(part).then(do.SendClient(part))
    book.when(ev.UpstreamClosed()).then(Logs("session failed", "upstream-gone"), do.Close())


def test_a_client_that_leaves_in_the_middle_of_copy_data() -> None:
    """Upstream must not take Terminate for data."""
    book = until(Phase.OPEN).client(QUERY).then(do.SendUpstream(QUERY))
    book.upstream(COPY_IN).then(do.SendClient(COPY_IN))
    part = message(b"d", bytes(1000))[:500]
    book.client(part).then(do.SendUpstream(part)).when(ev.ClientClosed()).then(do.Close())


def test_an_upstream_that_dies_behind_its_own_fatal() -> None:
    """What PostgreSQL said last is the last that the client hears."""
    until(Phase.OPEN).upstream(FATAL).then(do.SendClient(FATAL), do.Close()).when(ev.UpstreamClosed()).over()


def test_rows_that_came_before_a_fault_still_reach_the_client() -> None:
    """What was fine of a chunk is passed on before the session ends."""
    book = until(Phase.OPEN).client(QUERY).then(do.SendUpstream(QUERY))
    effects = book.session.handle(ev.UpstreamData(DONE + IDLE + message(b"?", b"")))
    assert effects[-1] == do.Close()


# --------------------------------------------------------------------------------- time and the end


TALKING = [Phase.LOOKING_UP, Phase.ADMITTING, Phase.OPENING, Phase.UPSTREAM_LOGIN]


@pytest.mark.parametrize("phase", TALKING)
def test_a_client_that_goes_on_before_it_was_answered(phase: Phase) -> None:
    """A client of PostgreSQL's waits for each answer of the login."""
    until(phase).client(QUERY).then(*ends(*PROTOCOL))


@pytest.mark.parametrize("phase", [*TALKING, Phase.STARTUP, Phase.LOGIN])
def test_the_time_to_log_in_is_limited(phase: Phase) -> None:
    """Wherever the login is when its time is over, it ends."""
    until(phase).when(ev.TimedOut("login_seconds")).then(*ends("time-limit-reached", "57P05"))


def test_idle_time_ends_only_an_idle_session() -> None:
    """In a transaction, or with a reply owed, a session is not idle."""
    timeout = ev.TimedOut("idle_seconds")
    book = until(Phase.OPEN).client(QUERY).then(do.SendUpstream(QUERY)).when(timeout)
    book.upstream(DONE + IN_TRANSACTION).then(Tells("CZ")).when(timeout)
    book.client(QUERY).then(do.SendUpstream(QUERY)).upstream(DONE + IDLE).then(Tells("CZ"))
    book.when(timeout).then(*ends("time-limit-reached", "57P05"))


def test_draining_ends_a_session_when_it_is_idle() -> None:
    """An idle session ends at once; one in a transaction ends when that has."""
    shutting_down = ends("draining", "57P01")
    until(Phase.OPEN).when(ev.Drain()).then(*shutting_down)
    book = until(Phase.OPEN).client(QUERY).then(do.SendUpstream(QUERY)).when(ev.Drain())
    book.upstream(DONE + IN_TRANSACTION).then(Tells("CZ"))
    book.client(QUERY).then(do.SendUpstream(QUERY))
    book.upstream(DONE + IDLE).then(Tells("CZ"), *shutting_down)


def test_draining_lets_a_login_come_to_its_end() -> None:
    """A session that is just being opened ends as soon as it is open; a connection without one at once."""
    until(Phase.STARTUP).when(ev.Drain()).then(do.Close())
    book = until(Phase.UPSTREAM_LOGIN).when(ev.Drain())
    book.upstream(welcome()).then(
        do.RegisterCancel(99, b"upstream's key", ENTROPY.secret_key),
        do.LoggedIn(),
        Tells("SSSKZ"),
        *ends("draining", "57P01"),
    )


@pytest.mark.parametrize("phase", [*TALKING, Phase.STARTUP, Phase.LOGIN])
def test_a_client_that_leaves_early(phase: Phase) -> None:
    """Everything is closed, and answers that come later are ignored."""
    book = until(phase).when(ev.ClientClosed()).then(do.Close())
    book.when(ev.AccountKnown(None)).when(ev.Admitted()).upstream(welcome()).when(ev.UpstreamClosed()).over()


def test_a_client_that_leaves_ends_upstream_too() -> None:
    """PostgreSQL is told, so that it need not find out."""
    until(Phase.OPEN).when(ev.ClientClosed()).then(do.SendUpstream(m.TERMINATE), do.Close())


# ------------------------------------------------------------------------------------ back-pressure


def test_the_client_is_not_read_while_it_has_nothing_to_say() -> None:
    """Between its turns of the login, and while more than there is room for waits for upstream."""
    wants = {
        phase: _session(until(phase)).wants_client
        for phase in (*TALKING, Phase.STARTUP, Phase.LOGIN, Phase.OPEN, Phase.CLOSED)
    }
    assert {phase for phase, wanted in wants.items() if wanted} == {Phase.STARTUP, Phase.LOGIN, Phase.OPEN}
    book = until(Phase.OPEN).client(QUERY + COPY_DATA).then(do.SendUpstream(QUERY + m.FLUSH))
    assert _session(book).wants_client
    assert _session(book).held >= len(COPY_DATA)
    much = COPY_DATA * (ROOM // len(COPY_DATA) + 1)
    book.client(much)
    assert not _session(book).wants_client
    book.upstream(COPY_IN).then(do.SendUpstream(COPY_DATA + much), do.SendClient(COPY_IN))
    assert _session(book).wants_client
    assert _session(book).held == 0


def test_a_client_that_leaves_while_it_waits_has_what_it_sent_carried_out() -> None:
    """As PostgreSQL does, which reads on until it meets the end; then upstream is told."""
    copy = COPY_DATA + m.COPY_DONE
    book = until(Phase.OPEN).client(QUERY + copy).then(do.SendUpstream(QUERY + m.FLUSH))
    book.when(ev.ClientClosed()).upstream(COPY_IN)
    book.then(do.SendUpstream(copy), do.SendClient(COPY_IN), Asks("X"), do.Close())


def _session(book: Playbook) -> Session:
    assert isinstance(book.session, Session)
    return book.session


# ------------------------------------------------------------------------------------ every phase

EVENTS: list[ev.Event] = [
    CERTIFIED,
    ev.ClientData(b"x" * 100),
    ev.UpstreamData(b"x" * 100),
    ev.ClientClosed(),
    ev.UpstreamClosed(),
    ev.AccountKnown(None),
    ev.Admitted(),
    ev.UpstreamConnected(upstream_login()),
    ev.UpstreamFailed(UpstreamUnreachable("gone", hint="Look.")),
    ev.Cancelled(),
    ev.TimedOut("login_seconds"),
    ev.Drain(),
    ev.SnapshotLost(KeysUnread("gone")),
    ev.Expelled(LoginRefused("gone")),
]


def named(case: object) -> str:
    return case.name if isinstance(case, Phase) else type(case).__name__


@pytest.mark.parametrize(("phase", "event"), list(itertools.product(Phase, EVENTS)), ids=named)
def test_every_phase_meets_every_event(phase: Phase, event: ev.Event) -> None:
    """What the table names is dealt with; anything else is a bug, and ends the session as one."""
    effects = until(phase).session.handle(event)
    bug = any(isinstance(effect, do.Log) and effect.fields.get("code") == "bug" for effect in effects)
    known = phase is Phase.CLOSED or (phase, type(event)) in STEPS or type(event) in ANYWHERE
    assert bug is not known
    if phase is Phase.CLOSED:
        assert effects == []
    assert [effect for effect in effects if isinstance(effect, do.Close)] == (
        [do.Close()] if effects and isinstance(effects[-1], do.Close) else []
    )


def test_an_error_of_upstream_s_passes() -> None:
    """A statement's error is the client's to read; the session goes on."""
    book = until(Phase.OPEN).client(QUERY).then(do.SendUpstream(QUERY))
    book.upstream(ERROR + IDLE).then(do.SendClient(ERROR + IDLE))
    book.client(QUERY).then(do.SendUpstream(QUERY))


def test_a_session_ends_with_the_keys_that_it_looks_at() -> None:
    """One that looks into nothing goes on."""
    event = ev.SnapshotLost(KeysUnread("the keys could not be read"))
    assert Session(RULES, ENTROPY).handle(event) == []
    told, *_, last = Session(RULES, ENTROPY, SNAPSHOT).handle(event)
    assert isinstance(told, do.SendClient)
    assert b"FATAL" in told.data
    assert b"keys-unread" in told.data
    assert isinstance(last, do.Close)
