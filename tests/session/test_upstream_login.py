"""The gateway's login to the database: every state with every input, and what is never sent to whom."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import (
    Bug,
    UpstreamError,
    UpstreamLoginMalformed,
    UpstreamLoginRefused,
    UpstreamUntrusted,
)
from strongroom.secret import Secret
from strongroom.session.upstream_login import (
    MAX_LOGIN_MESSAGES,
    PINNED,
    AuthMethod,
    ChannelBinding,
    LoggedIn,
    LoginRules,
    Reply,
    UpstreamCredentials,
    UpstreamLogin,
    UpstreamPeer,
)
from strongroom.wire.postgres.authentication import (
    AuthenticationCode,
    SASLInitialResponse,
    authentication_sasl,
)
from strongroom.wire.postgres.codec import HEADER
from strongroom.wire.postgres.messages import (
    PROTOCOL_3_0,
    PROTOCOL_3_2,
    BackendKeyData,
    ErrorResponse,
    NegotiateProtocolVersion,
    ParameterStatus,
    StartupMessage,
    authentication,
    ready_for_query,
)
from strongroom.wire.postgres.scram import SCRAM, SCRAM_PLUS, ScramServer
from strongroom.wire.postgres.verifier import make_verifier

PASSWORD = Secret("correct horse")
WHO = UpstreamCredentials("strongroom", "shop", PASSWORD)
BINDING = b"b" * 32
VERIFIED = UpstreamPeer(verified=True, binding=BINDING)
UNVERIFIED = UpstreamPeer(verified=False, binding=BINDING)
VERIFIER = make_verifier(PASSWORD, b"salt", 1)

OK = authentication(AuthenticationCode.OK)
CLEARTEXT = authentication(AuthenticationCode.CLEARTEXT_PASSWORD)
MD5 = authentication(AuthenticationCode.MD5_PASSWORD, b"\x01\x02\x03\x04")
SASL = authentication_sasl((SCRAM,))
SASL_WITH_PLUS = authentication_sasl((SCRAM_PLUS, SCRAM))
PINS = (
    ParameterStatus("client_encoding", "UTF8").serialise()
    + ParameterStatus("standard_conforming_strings", "on").serialise()
)
KEY = BackendKeyData(4711, b"\x01\x02\x03\x04")
READY = ready_for_query("I")


def login(
    who: UpstreamCredentials = WHO,
    peer: UpstreamPeer = VERIFIED,
    *,
    methods: frozenset[AuthMethod] = frozenset(AuthMethod),
    binding: ChannelBinding = ChannelBinding.PREFER,
    version: int = PROTOCOL_3_0,
    parameters: dict[str, str] | None = None,
) -> UpstreamLogin:
    rules = LoginRules(methods, binding)
    return UpstreamLogin(who, rules, peer, nonce="clientnonce", version=version, parameters=parameters)


def started(**settings: object) -> UpstreamLogin:
    conversation = login(**settings)  # type: ignore[arg-type]  # the tests name the settings of `login`
    conversation.start()
    return conversation


def feed(conversation: UpstreamLogin, octets: bytes) -> Reply | LoggedIn:
    """Deliver whole messages; the outcome of the last counts."""
    outcome: Reply | LoggedIn = Reply()
    while octets:
        end = 1 + int.from_bytes(octets[1:HEADER])
        outcome = conversation.receive(octets[0], octets[HEADER:end])
        octets = octets[end:]
    return outcome


def sent(outcome: Reply | LoggedIn) -> bytes:
    assert isinstance(outcome, Reply)
    return outcome.send


class Database:
    """The server's side of SCRAM, as PostgreSQL speaks it."""

    def __init__(self, binding: bytes | None = None) -> None:
        self.scram = ScramServer(VERIFIER, "servernonce", binding=binding)

    def challenge(self, answer: bytes) -> bytes:
        response = SASLInitialResponse.parse(answer[HEADER:])
        assert response.data is not None
        first = self.scram.first(response.mechanism, response.data)
        return authentication(AuthenticationCode.SASL_CONTINUE, first)

    def final(self, answer: bytes) -> bytes:
        return authentication(AuthenticationCode.SASL_FINAL, self.scram.final(answer[HEADER:]))


def logged_in(conversation: UpstreamLogin) -> LoggedIn:
    outcome = feed(conversation, PINS + KEY.serialise() + READY)
    assert isinstance(outcome, LoggedIn)
    return outcome


# ------------------------------------------------------------------------------------- start-up


def test_the_pins_stand_last_and_alone() -> None:
    """A client's own value of a pinned setting, in whatever case, is left out; the rest goes up."""
    conversation = login(parameters={
        "Client_Encoding": "LATIN1", "bytea_output": "escape", "DateStyle": "ISO",
        "options": "-c standard_conforming_strings=off",
    })  # fmt: skip
    packet = StartupMessage.parse(conversation.start()[4:])
    assert list(packet.parameters.items()) == [
        ("user", "strongroom"),
        ("database", "shop"),
        ("DateStyle", "ISO"),
        ("options", "-c standard_conforming_strings=off"),
        *PINNED.items(),
    ]
    assert packet.version == PROTOCOL_3_0


@pytest.mark.parametrize("name", ["user", "database", "replication", "_pq_.x"])
def test_a_parameter_that_is_no_setting_is_a_bug(name: str) -> None:
    """A client may not choose the upstream user; whoever let it through is wrong."""
    with pytest.raises(Bug):
        login(parameters={name: "x"})


def test_a_version_that_does_not_exist_is_a_bug() -> None:
    """Only 3.0 and 3.2 are spoken."""
    with pytest.raises(Bug):
        login(version=3 << 16 | 1)


# --------------------------------------------------------------------------------- ways to log in


@pytest.mark.parametrize(
    ("peer", "offer", "server_binding", "mechanism"),
    [
        (VERIFIED, SASL_WITH_PLUS, BINDING, SCRAM_PLUS),
        (UNVERIFIED, SASL_WITH_PLUS, BINDING, SCRAM_PLUS),
        (VERIFIED, SASL, None, SCRAM),
        (UpstreamPeer(), SASL, None, SCRAM),
        (UpstreamPeer(verified=True), SASL_WITH_PLUS, BINDING, SCRAM),  # no digest: nothing to bind with
    ],
)
def test_scram_with_plus_wherever_it_can_be_had(
    peer: UpstreamPeer, offer: bytes, server_binding: bytes | None, mechanism: str
) -> None:
    """The whole exchange, against our own server role."""
    conversation, database = started(peer=peer), Database(server_binding)
    initial = sent(feed(conversation, offer))
    assert SASLInitialResponse.parse(initial[HEADER:]).mechanism == mechanism
    answer = sent(feed(conversation, database.challenge(initial)))
    assert sent(feed(conversation, database.final(answer) + OK)) == b""
    outcome = logged_in(conversation)
    assert (outcome.process_id, outcome.secret_key, outcome.version) == (
        4711,
        b"\x01\x02\x03\x04",
        PROTOCOL_3_0,
    )
    assert outcome.parameters == {"client_encoding": "UTF8", "standard_conforming_strings": "on"}


def test_md5_answers_as_the_manual_says() -> None:
    """concat('md5', md5(concat(md5(concat(password, user)), salt)))."""
    conversation = started()
    assert sent(feed(conversation, MD5)) == b"p\x00\x00\x00\x28md5d36224d77511ccd4529ac336a7286494\0"
    assert sent(feed(conversation, OK)) == b""
    assert logged_in(conversation)


def test_a_password_in_clear_text_goes_to_a_verified_peer() -> None:
    """Verified by an authority or a pin, over TLS."""
    conversation = started()
    assert sent(feed(conversation, CLEARTEXT)) == b"p\x00\x00\x00\x12correct horse\0"
    assert sent(feed(conversation, OK)) == b""
    assert logged_in(conversation)


def test_without_a_question_there_is_no_answer() -> None:
    """trust, peer, and a client certificate that TLS has shown: AuthenticationOk at once."""
    conversation = started(who=replace(WHO, password=None))
    assert sent(feed(conversation, OK)) == b""
    assert logged_in(conversation)


# -------------------------------------------------------------------------------- what is not given


@pytest.mark.parametrize("peer", [UNVERIFIED, UpstreamPeer()])
def test_a_password_in_clear_text_goes_to_no_other(peer: UpstreamPeer) -> None:
    """Not without TLS, and not over TLS to somebody."""
    with pytest.raises(UpstreamUntrusted, match="clear text"):
        feed(started(peer=peer), CLEARTEXT)


@pytest.mark.parametrize(
    ("method", "question"),
    [
        (AuthMethod.PASSWORD, CLEARTEXT),
        (AuthMethod.MD5, MD5),
        (AuthMethod.SCRAM, SASL),
        (AuthMethod.NONE, OK),
    ],
)
def test_require_auth_excludes_a_method(method: AuthMethod, question: bytes) -> None:
    """A method that is not allowed is refused before anything is sent; allowed alone, it is used."""
    feed(started(methods=frozenset({method})), question)
    with pytest.raises(UpstreamUntrusted, match="require_auth"):
        feed(started(methods=frozenset(AuthMethod) - {method}), question)


@pytest.mark.parametrize(
    ("peer", "question"),
    [
        (VERIFIED, OK),
        (VERIFIED, SASL),
        (UpstreamPeer(), SASL_WITH_PLUS),
        (UpstreamPeer(verified=True), SASL_WITH_PLUS),
    ],
)
def test_channel_binding_required_and_not_had_is_refused(peer: UpstreamPeer, question: bytes) -> None:
    """No exchange, no offer, no TLS, no digest: each ends the login."""
    with pytest.raises(UpstreamUntrusted, match="channel binding"):
        feed(started(peer=peer, binding=ChannelBinding.REQUIRE), question)


@pytest.mark.parametrize("question", [CLEARTEXT, MD5])
def test_channel_binding_required_refuses_a_password(question: bytes) -> None:
    """A password exchange cannot bind, so nothing of the password is sent."""
    with pytest.raises(UpstreamUntrusted, match="channel binding"):
        feed(started(binding=ChannelBinding.REQUIRE), question)


def test_channel_binding_required_and_had() -> None:
    """SCRAM-SHA-256-PLUS satisfies it."""
    conversation, database = started(binding=ChannelBinding.REQUIRE), Database(BINDING)
    answer = sent(feed(conversation, database.challenge(sent(feed(conversation, SASL_WITH_PLUS)))))
    feed(conversation, database.final(answer) + OK)
    assert logged_in(conversation)


def test_channel_binding_disabled_takes_plain_scram() -> None:
    """The offer of PLUS is passed over, and the flag is "n"."""
    initial = sent(feed(started(binding=ChannelBinding.DISABLE), SASL_WITH_PLUS))
    response = SASLInitialResponse.parse(initial[HEADER:])
    assert response.mechanism == SCRAM
    assert (response.data or b"").startswith(b"n,,")


@pytest.mark.parametrize("question", [CLEARTEXT, MD5, SASL])
def test_a_password_that_is_not_configured_is_said_so(question: bytes) -> None:
    """The operator reads which line is missing."""
    with pytest.raises(UpstreamLoginRefused, match="none is configured"):
        feed(started(who=replace(WHO, password=None)), question)


@pytest.mark.parametrize("code", [2, 7, 8, 9, 6, 99, -1])
def test_other_methods_are_refused(code: int) -> None:
    """Kerberos, GSSAPI, SSPI, SCM credentials, and what does not exist."""
    with pytest.raises(UpstreamUntrusted):
        feed(started(), authentication(code, b"\0"))


def test_only_mechanisms_that_we_speak() -> None:
    """OAUTHBEARER alone, or PLUS alone where we cannot bind, is refused."""
    for conversation, offer in (
        (started(), authentication_sasl(("OAUTHBEARER",))),
        (started(peer=UpstreamPeer()), authentication_sasl((SCRAM_PLUS,))),
        (started(), authentication_sasl(())),
    ):
        with pytest.raises(UpstreamUntrusted, match="mechanism"):
            feed(conversation, offer)


# --------------------------------------------------------------------------------- a false database


def test_ok_in_the_middle_of_scram_is_refused() -> None:
    """Before the challenge and before its proof, the database may not just let us in."""
    conversation = started()
    feed(conversation, SASL)
    with pytest.raises(UpstreamUntrusted, match="changed or skipped"):
        feed(conversation, OK)
    conversation, database = started(), Database()
    feed(conversation, database.challenge(sent(feed(conversation, SASL))))
    with pytest.raises(UpstreamUntrusted, match="changed or skipped"):
        feed(conversation, OK)


def test_a_false_proof_is_refused() -> None:
    """Whoever does not know the verifier cannot sign."""
    conversation, database = started(), Database()
    feed(conversation, database.challenge(sent(feed(conversation, SASL))))
    with pytest.raises(UpstreamUntrusted, match="could not prove"):
        feed(conversation, authentication(AuthenticationCode.SASL_FINAL, b"v=" + b"A" * 43 + b"="))


@pytest.mark.parametrize("second", [CLEARTEXT, MD5, SASL])
def test_a_second_question_is_refused(second: bytes) -> None:
    """After one method has been answered there is no other (the downgrade that would get the password)."""
    for first in (CLEARTEXT, MD5):
        conversation = started()
        feed(conversation, first)
        with pytest.raises(UpstreamUntrusted, match="changed or skipped"):
            feed(conversation, second)


def test_an_error_shows_its_sqlstate_and_no_text() -> None:
    """The database's words may name users and addresses; the SQLSTATE is enough."""
    conversation = started()
    feed(conversation, SASL)
    error = ErrorResponse.of("FATAL", "28P01", "password authentication failed for user strongroom")
    with pytest.raises(UpstreamLoginRefused) as caught:
        feed(conversation, error.serialise())
    assert caught.value.upstream_sqlstate == "28P01"
    assert "strongroom" not in caught.value.message + caught.value.hint + caught.value.detail


# ------------------------------------------------------------------------------------ versions, keys


def test_an_older_database_negotiates_3_0() -> None:
    """PostgreSQL before 18 answers 3.2 with NegotiateProtocolVersion; the key is then 4 octets."""
    conversation = started(version=PROTOCOL_3_2)
    feed(conversation, NegotiateProtocolVersion(PROTOCOL_3_0).serialise() + OK)
    assert logged_in(conversation).version == PROTOCOL_3_0


@pytest.mark.parametrize("length", [4, 32, 256])
def test_protocol_3_2_has_keys_of_other_lengths(length: int) -> None:
    """PostgreSQL 18 sends 32 octets; 4 to 256 are allowed."""
    conversation = started(version=PROTOCOL_3_2)
    outcome = feed(conversation, OK + PINS + BackendKeyData(1, b"k" * length).serialise() + READY)
    assert isinstance(outcome, LoggedIn)
    assert (outcome.version, outcome.secret_key) == (PROTOCOL_3_2, b"k" * length)


def test_a_session_without_a_key_cannot_be_cancelled() -> None:
    """Some poolers send none."""
    outcome = feed(started(), OK + PINS + READY)
    assert isinstance(outcome, LoggedIn)
    assert (outcome.process_id, outcome.secret_key) == (0, b"")


MALFORMED = [
    ("key of 5 octets in 3.0", PROTOCOL_3_0, OK + BackendKeyData(1, b"12345").serialise()),
    ("key of 3 octets", PROTOCOL_3_2, OK + BackendKeyData(1, b"123").serialise()),
    ("key of 257 octets", PROTOCOL_3_2, OK + BackendKeyData(1, b"k" * 257).serialise()),
    ("two keys", PROTOCOL_3_0, OK + KEY.serialise() * 2),
    ("negotiation not asked for", PROTOCOL_3_0, NegotiateProtocolVersion(PROTOCOL_3_0).serialise()),
    ("negotiation upwards", PROTOCOL_3_0, NegotiateProtocolVersion(PROTOCOL_3_2).serialise()),
    ("negotiation of nothing", PROTOCOL_3_2, NegotiateProtocolVersion(PROTOCOL_3_2).serialise()),
    ("version 3.1", PROTOCOL_3_2, NegotiateProtocolVersion(3 << 16 | 1).serialise()),
    ("version 2.0", PROTOCOL_3_2, NegotiateProtocolVersion(2 << 16).serialise()),
    ("options refused", PROTOCOL_3_2, NegotiateProtocolVersion(PROTOCOL_3_0, ("_pq_.x",)).serialise()),
    ("negotiated twice", PROTOCOL_3_2, NegotiateProtocolVersion(PROTOCOL_3_0).serialise() * 2),
    ("ready in a transaction", PROTOCOL_3_0, OK + PINS + ready_for_query("T")),
    ("ready without authentication", PROTOCOL_3_0, READY),
    ("encoding not taken", PROTOCOL_3_0, OK + PINS.replace(b"UTF8", b"EUCX") + READY),
    ("strings not taken", PROTOCOL_3_0, OK + PINS.replace(b"on\0", b"of\0") + READY),
    ("pins not reported", PROTOCOL_3_0, OK + READY),
    ("md5 without salt", PROTOCOL_3_0, authentication(5)),
    ("md5 with a long salt", PROTOCOL_3_0, authentication(5, b"12345")),
    ("octets behind ok", PROTOCOL_3_0, authentication(0, b"x")),
    ("octets behind cleartext", PROTOCOL_3_0, authentication(3, b"x")),
    ("torn list of mechanisms", PROTOCOL_3_0, authentication(10, b"SCRAM")),
    ("torn parameter", PROTOCOL_3_0, OK + b"S\x00\x00\x00\x06ab"),
    ("no code", PROTOCOL_3_0, b"R\x00\x00\x00\x04"),
    ("torn error", PROTOCOL_3_0, b"E\x00\x00\x00\x05S"),
    ("rows", PROTOCOL_3_0, OK + b"D\x00\x00\x00\x06\x00\x00"),
]  # fmt: skip


@pytest.mark.parametrize(("why", "version", "octets"), MALFORMED)
def test_nonsense_is_refused(why: str, version: int, octets: bytes) -> None:
    """What PostgreSQL never sends ends the login, and the database is to blame."""
    with pytest.raises(UpstreamLoginMalformed):
        feed(started(version=version), octets)


def test_an_endless_login_ends() -> None:
    """A database that never gets ready is given up after a bounded number of messages."""
    notice = ErrorResponse.of("NOTICE", "00000", "wait").serialise(b"N")
    conversation = started()
    feed(conversation, OK + notice * (MAX_LOGIN_MESSAGES - 1))
    with pytest.raises(UpstreamLoginMalformed, match="more than"):
        feed(conversation, notice)


# ----------------------------------------------------------------------------------- state × input


def in_continue() -> UpstreamLogin:
    conversation = started()
    feed(conversation, SASL)
    return conversation


def in_final() -> UpstreamLogin:
    conversation, database = started(), Database()
    feed(conversation, database.challenge(sent(feed(conversation, SASL))))
    return conversation


def awaiting_ok() -> UpstreamLogin:
    conversation = started()
    feed(conversation, CLEARTEXT)
    return conversation


def settling() -> UpstreamLogin:
    conversation = started()
    feed(conversation, OK + PINS)
    return conversation


def over() -> UpstreamLogin:
    conversation = settling()
    feed(conversation, READY)
    return conversation


STATES: dict[str, Callable[[], UpstreamLogin]] = {
    "new": login,
    "started": started,
    "continue": in_continue,
    "final": in_final,
    "awaiting ok": awaiting_ok,
    "settling": settling,
    "over": over,
}

INPUTS = {
    "ok": OK,
    "cleartext": CLEARTEXT,
    "md5": MD5,
    "gss": authentication(AuthenticationCode.GSS),
    "sasl": SASL,
    "sasl continue": authentication(AuthenticationCode.SASL_CONTINUE, b"r=clientnoncex,s=c2FsdA==,i=1"),
    "sasl final": authentication(AuthenticationCode.SASL_FINAL, b"v=" + b"A" * 43 + b"="),
    "negotiate": NegotiateProtocolVersion(PROTOCOL_3_0).serialise(),
    "parameter": ParameterStatus("a", "b").serialise(),
    "key": KEY.serialise(),
    "ready": READY,
    "notice": ErrorResponse.of("NOTICE", "00000", "x").serialise(b"N"),
    "error": ErrorResponse.of("FATAL", "53300", "x").serialise(),
    "row": b"D\x00\x00\x00\x06\x00\x00",
}

GOES_ON = {
    ("started", "ok"), ("started", "cleartext"), ("started", "md5"), ("started", "sasl"),
    ("continue", "sasl continue"),
    ("awaiting ok", "ok"),
    ("settling", "parameter"), ("settling", "key"), ("settling", "ready"),
} | {(state, "notice") for state in STATES if state not in {"new", "over"}}  # fmt: skip

UNTRUSTED = {
    (state, given)
    for state in ("started", "continue", "final", "awaiting ok")
    for given in ("ok", "cleartext", "md5", "gss", "sasl", "sasl continue", "sasl final")
} - GOES_ON


@pytest.mark.parametrize("given_input", INPUTS)
@pytest.mark.parametrize("state", STATES)
def test_every_state_with_every_input(state: str, given_input: str) -> None:
    """What goes on is listed; the rest is untrusted, refused or malformed, or a bug outside a login."""
    conversation = STATES[state]()
    if (state, given_input) in GOES_ON:
        feed(conversation, INPUTS[given_input])
        return
    expected: type[Exception] = UpstreamLoginMalformed
    if state in {"new", "over"}:
        expected = Bug
    elif given_input == "error":
        expected = UpstreamLoginRefused
    elif (state, given_input) in UNTRUSTED:
        expected = UpstreamUntrusted
    with pytest.raises(expected):
        feed(conversation, INPUTS[given_input])
    with pytest.raises(Bug):  # there is no way back
        feed(conversation, INPUTS["notice"])


@pytest.mark.parametrize("state", [name for name in STATES if name != "new"])
def test_a_login_starts_once(state: str) -> None:
    """A second start is our bug, in any state."""
    with pytest.raises(Bug):
        STATES[state]().start()


TAGS = st.sampled_from(sorted(b"REvSKZNDTX"))


@given(st.lists(st.tuples(TAGS, st.binary(max_size=40)), max_size=6))
def test_random_messages_end_in_errors_of_ours(messages: list[tuple[int, bytes]]) -> None:
    """Whatever a database sends, the blame is the database's, and nothing else is raised."""
    conversation = started(peer=UNVERIFIED)
    try:
        for tag, body in messages:
            conversation.receive(tag, body)
    except UpstreamError:
        return
