"""A client's login on the gateway: every state with every input, and nobody learns who exists."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import Bug, ClientError, LoginMalformed, LoginRefused
from strongroom.secret import Secret
from strongroom.session.login import (
    MAX_LOGIN_MESSAGE_BYTES,
    PASSWORD,
    Admitted,
    Challenged,
    ClientLogin,
    Credentials,
    Method,
    Peer,
)
from strongroom.wire.postgres.authentication import (
    Authentication,
    AuthenticationCode,
    SASLInitialResponse,
    authentication_sasl,
)
from strongroom.wire.postgres.codec import HEADER
from strongroom.wire.postgres.messages import authentication
from strongroom.wire.postgres.scram import MAX_MESSAGE_BYTES, SCRAM, SCRAM_PLUS, ScramClient
from strongroom.wire.postgres.verifier import SALT_BYTES, Verifier, make_verifier

RIGHT, WRONG = Secret("correct horse"), Secret("battery staple")
WITH_PASSWORD = Credentials(make_verifier(RIGHT, b"s" * SALT_BYTES))
BINDING = b"b" * 32
OK = authentication(AuthenticationCode.OK)


def login(credentials: Credentials | None = WITH_PASSWORD, peer: Peer | None = None) -> ClientLogin:
    return ClientLogin("app", credentials, peer or Peer(), nonce="servernonce", mock_secret=b"installation")


class Client:
    """A client that answers as libpq does."""

    def __init__(self, password: Secret = RIGHT, *, plus: bool = False, binding: bytes | None = None) -> None:
        self.scram = ScramClient(password, "clientnonce", plus_offered=plus, binding=binding)

    def initial(self) -> bytes:
        return SASLInitialResponse(self.scram.mechanism, self.scram.first()).serialise()[HEADER:]

    def answer(self, challenged: Challenged | Admitted) -> bytes:
        asked = Authentication.parse(challenged.send[HEADER:])
        assert asked.code == AuthenticationCode.SASL_CONTINUE
        return self.scram.final(asked.data)

    def complete(self, server: ClientLogin) -> Admitted:
        server.start()
        outcome = server.receive(PASSWORD, self.answer(server.receive(PASSWORD, self.initial())))
        assert isinstance(outcome, Admitted)
        return outcome


# ------------------------------------------------------------------------------------- ways to log in


def test_the_right_password_is_admitted() -> None:
    """SCRAM is asked for, answered, and ends with the server's own proof and AuthenticationOk."""
    server, client = login(), Client()
    started = server.start()
    assert started == Challenged(authentication_sasl((SCRAM,)))
    outcome = server.receive(PASSWORD, client.answer(server.receive(PASSWORD, client.initial())))
    assert isinstance(outcome, Admitted)
    assert (outcome.account, outcome.method) == ("app", Method.SCRAM)
    final, ok = outcome.send[: -len(OK)], outcome.send[-len(OK) :]
    client.scram.verify(Authentication.parse(final[HEADER:]).data)
    assert ok == OK


def test_over_tls_plus_is_offered_first_and_taken() -> None:
    """With binding data both mechanisms are offered, PLUS before plain."""
    server = login(peer=Peer(binding=BINDING))
    assert server.start() == Challenged(authentication_sasl((SCRAM_PLUS, SCRAM)))
    outcome = Client(plus=True, binding=BINDING).complete(login(peer=Peer(binding=BINDING)))
    assert outcome.method is Method.SCRAM_PLUS


def test_over_tls_a_client_may_do_without_plus() -> None:
    """A client that cannot bind logs in with plain SCRAM."""
    assert Client(plus=True, binding=None).complete(login(peer=Peer(binding=BINDING))).method is Method.SCRAM


@pytest.mark.parametrize(("password", "met"), [(RIGHT, 0), (WRONG, 1)])
def test_the_outcome_says_which_password_it_was(password: Secret, met: int) -> None:
    """Of the verifiers that count, by their place."""
    first = WITH_PASSWORD.verifier
    assert first is not None
    credentials = Credentials(first, others=(make_verifier(WRONG, first.salt, first.iterations),))
    assert Client(password).complete(login(credentials)).met == met


@pytest.mark.parametrize("verifier", [None, WITH_PASSWORD.verifier])
def test_a_certificate_that_names_the_account_is_admitted_at_once(verifier: Verifier | None) -> None:
    """No password is asked for, whether or not there is one."""
    credentials = Credentials(verifier, frozenset({"app-certificate"}))
    outcome = login(credentials, Peer("app-certificate", BINDING)).start()
    assert outcome == Admitted(OK, "app", Method.CERTIFICATE)


@pytest.mark.parametrize(
    ("credentials", "name"),
    [
        (WITH_PASSWORD, "app"),  # the account does not log in by certificate
        (Credentials(WITH_PASSWORD.verifier, frozenset({"app"})), "other"),
        (Credentials(WITH_PASSWORD.verifier, frozenset({"app"})), None),
        (Credentials(WITH_PASSWORD.verifier, frozenset({"app"})), "App"),
    ],
)
def test_a_certificate_that_does_not_name_the_account_leaves_the_password(
    credentials: Credentials, name: str | None
) -> None:
    """Another's certificate is neither enough nor in the way."""
    outcome = Client(plus=True, binding=BINDING).complete(login(credentials, Peer(name, BINDING)))
    assert outcome.method is Method.SCRAM_PLUS


# --------------------------------------------------------------------------------- who is not let in

STRANGERS = [
    ("wrong password", WITH_PASSWORD, WRONG),
    ("unknown account", None, RIGHT),
    ("account without a password", Credentials(), RIGHT),
    ("certificate account, no certificate", Credentials(None, frozenset({"app"})), RIGHT),
]


@pytest.mark.parametrize(("why", "credentials", "password"), STRANGERS)
def test_every_stranger_hears_the_same(why: str, credentials: Credentials | None, password: Secret) -> None:
    """Same steps, same shape of challenge, same refusal: nothing says which part was wrong."""
    server, client = login(credentials), Client(password)
    assert server.start() == Challenged(authentication_sasl((SCRAM,)))
    challenge = server.receive(PASSWORD, client.initial())
    assert len(challenge.send) == len(after_start().receive(PASSWORD, Client().initial()).send)
    with pytest.raises(LoginRefused) as caught:
        server.receive(PASSWORD, client.answer(challenge))
    assert caught.value.sqlstate == "28P01"
    assert caught.value.message == "login refused"


def test_an_unknown_account_looks_the_same_at_every_try() -> None:
    """Its salt and iteration count do not change, as a real account's do not."""

    def challenge(credentials: Credentials | None) -> list[bytes]:
        server = login(credentials)
        server.start()
        sent = server.receive(PASSWORD, Client().initial()).send
        return Authentication.parse(sent[HEADER:]).data.split(b",")

    unknown, known = challenge(None), challenge(WITH_PASSWORD)
    assert unknown == challenge(None)
    assert unknown[1] != known[1]
    assert (unknown[2], len(unknown[1])) == (known[2], len(known[1]))


# --------------------------------------------------------------------------------- state × input

QUERY, TERMINATE = ord("Q"), ord("X")
NO_DATA = SASLInitialResponse(SCRAM, None).serialise()[HEADER:]
TORN = SASLInitialResponse(SCRAM, b"n,,n=,r=x").serialise()[HEADER:-1]
LONG = SASLInitialResponse(SCRAM, b"n,,n=,r=" + b"x" * MAX_MESSAGE_BYTES).serialise()[HEADER:]
UNKNOWN_MECHANISM = SASLInitialResponse("SCRAM-SHA-1", b"n,,n=,r=x").serialise()[HEADER:]
PASSWORD_MESSAGE = b"correct horse\0"

INPUTS: dict[str, tuple[int, bytes]] = {
    "initial": (PASSWORD, Client().initial()),
    "no data": (PASSWORD, NO_DATA),
    "torn": (PASSWORD, TORN),
    "long": (PASSWORD, LONG),
    "mechanism": (PASSWORD, UNKNOWN_MECHANISM),
    "password": (PASSWORD, PASSWORD_MESSAGE),
    "empty": (PASSWORD, b""),
    "query": (QUERY, b"SELECT 1\0"),
    "terminate": (TERMINATE, b""),
}


def after_start() -> ClientLogin:
    server = login()
    server.start()
    return server


def after_challenge() -> ClientLogin:
    server = after_start()
    server.receive(PASSWORD, Client().initial())
    return server


def after_admission() -> ClientLogin:
    server = login()
    Client().complete(server)
    return server


def after_refusal() -> ClientLogin:
    server = after_start()
    with pytest.raises(LoginMalformed):
        server.receive(QUERY, b"")
    return server


STATES = {
    "new": login,
    "started": after_start,
    "challenged": after_challenge,
    "admitted": after_admission,
    "refused": after_refusal,
}
GOES_ON = {("started", "initial")}


@pytest.mark.parametrize("given_input", INPUTS)
@pytest.mark.parametrize("state", STATES)
def test_every_state_with_every_input(state: str, given_input: str) -> None:
    """One pair goes on; in the two live states the rest is malformed; before and after, asking is our bug."""
    server = STATES[state]()
    if (state, given_input) in GOES_ON:
        assert isinstance(server.receive(*INPUTS[given_input]), Challenged)
        return
    with pytest.raises(LoginMalformed if state in {"started", "challenged"} else Bug):
        server.receive(*INPUTS[given_input])
    with pytest.raises(Bug):  # there is no way back
        server.receive(*INPUTS["initial"])


@pytest.mark.parametrize("state", [name for name in STATES if name != "new"])
def test_a_login_starts_once(state: str) -> None:
    """A second start is our bug, in any state."""
    with pytest.raises(Bug):
        STATES[state]().start()


@given(
    st.lists(st.tuples(st.sampled_from([PASSWORD, QUERY]), st.binary(max_size=100)), min_size=1, max_size=4)
)
def test_random_messages_never_log_in(messages: list[tuple[int, bytes]]) -> None:
    """Whatever comes, the end is one of our errors, blamed on the client."""
    server = after_start()
    try:
        for tag, body in messages:
            assert isinstance(server.receive(tag, body), Challenged)
    except ClientError:
        return


def test_the_longest_legal_message_fits_the_limit() -> None:
    """The framing's limit holds a SASL message of full length behind its mechanism, with the length field."""
    longest = SASLInitialResponse(SCRAM_PLUS, b"x" * MAX_MESSAGE_BYTES).serialise()
    assert struct.unpack("!I", longest[1:HEADER])[0] <= MAX_LOGIN_MESSAGE_BYTES
