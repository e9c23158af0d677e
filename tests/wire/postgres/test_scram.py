"""SCRAM-SHA-256(-PLUS) in both roles: RFC vectors, another implementation, and what must fail."""

import pytest
import scramp
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import (
    Bug,
    LoginMalformed,
    LoginRefused,
    UpstreamLoginMalformed,
    UpstreamUntrusted,
)
from strongroom.secret import Secret
from strongroom.wire.postgres.scram import (
    MAX_MESSAGE_BYTES,
    NONCE_BYTES,
    SCRAM,
    SCRAM_PLUS,
    ScramClient,
    ScramServer,
    nonce_of,
)
from strongroom.wire.postgres.verifier import MAX_ITERATIONS, MAX_SALT_BYTES, make_verifier, mock_verifier

# RFC 7677, section 3: user "user", password "pencil".
RFC_SALT = b"[m\x99h\x9d\x125\x8e\xec\xa0K\x14\x126\xfa\x81"
RFC_CLIENT_FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
RFC_SERVER_NONCE = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
RFC_SERVER_FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
RFC_CLIENT_FINAL = (
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)
RFC_SERVER_FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

PASSWORD = Secret("pencil")
VERIFIER = make_verifier(PASSWORD, RFC_SALT)
BINDING = b"b" * 32
PLUS_HEADER = b"p=tls-server-end-point,,"


def server(binding: bytes | None = None, *, doomed: bool = False) -> ScramServer:
    return ScramServer(VERIFIER, RFC_SERVER_NONCE, binding=binding, doomed=doomed)


def client(
    password: Secret = PASSWORD, *, plus: bool = False, binding: bytes | None = None, username: str = ""
) -> ScramClient:
    nonce = "rOprNGfwEbeRWgbNEkqO"
    return ScramClient(password, nonce, plus_offered=plus, binding=binding, username=username)


# ------------------------------------------------------------------------------------- what works


@pytest.mark.parametrize(("password", "met"), [("pencil", 0), ("crayon", 1), ("chalk", 2)])
def test_several_passwords_may_count(password: str, met: int) -> None:
    """Under one salt the proof is held against each verifier, and the server proves that it has that one."""
    others = [make_verifier(Secret(text), RFC_SALT) for text in ("crayon", "chalk")]
    exchange, other = (
        ScramServer(VERIFIER, RFC_SERVER_NONCE, binding=None, others=others),
        client(Secret(password)),
    )
    other.verify(exchange.final(other.final(exchange.first(SCRAM, other.first()))))
    assert exchange.met == met


def test_with_several_passwords_another_is_still_wrong() -> None:
    """None of them is met."""
    other = client(Secret("ink"))
    exchange = ScramServer(
        VERIFIER, RFC_SERVER_NONCE, binding=None, others=[make_verifier(Secret("crayon"), RFC_SALT)]
    )
    with pytest.raises(LoginRefused):
        exchange.final(other.final(exchange.first(SCRAM, other.first())))
    assert exchange.met is None


@pytest.mark.parametrize(("salt", "iterations"), [(b"another salt", 4096), (RFC_SALT, 4097)])
def test_verifiers_of_one_exchange_share_salt_and_count(salt: bytes, iterations: int) -> None:
    """The server could not say both: to ask for it is our bug."""
    other = make_verifier(Secret("crayon"), salt, iterations)
    with pytest.raises(Bug):
        ScramServer(VERIFIER, RFC_SERVER_NONCE, binding=None, others=[other])


def test_the_server_speaks_as_rfc_7677_says() -> None:
    """The exchange of RFC 7677, section 3, byte for byte."""
    exchange = server()
    assert exchange.first(SCRAM, RFC_CLIENT_FIRST) == RFC_SERVER_FIRST
    assert exchange.final(RFC_CLIENT_FINAL) == RFC_SERVER_FINAL


def test_the_client_speaks_as_rfc_7677_says() -> None:
    """The other side of the same exchange, byte for byte; the server's signature verifies."""
    exchange = client(username="user")
    assert exchange.first() == RFC_CLIENT_FIRST
    assert exchange.final(RFC_SERVER_FIRST) == RFC_CLIENT_FINAL
    exchange.verify(RFC_SERVER_FINAL)
    assert exchange.verified


def test_a_user_name_is_escaped() -> None:
    """RFC 5802, section 5.1: comma and equals sign are written =2C and =3D."""
    assert client(username="a,b=c").first() == b"n,,n=a=2Cb=3Dc,r=rOprNGfwEbeRWgbNEkqO"


@pytest.mark.parametrize(
    ("offered", "client_binding", "server_binding", "mechanism"),
    [
        (False, None, None, SCRAM),
        (True, None, BINDING, SCRAM),  # the client cannot bind: "n" is honest
        (False, BINDING, None, SCRAM),  # the server cannot bind: "y" is honest
        (True, BINDING, BINDING, SCRAM_PLUS),
    ],
)
def test_client_and_server_agree(
    offered: bool, client_binding: bytes | None, server_binding: bytes | None, mechanism: str
) -> None:
    """Both roles finish, with PLUS exactly where both ends can bind."""
    ours, theirs = client(plus=offered, binding=client_binding), server(server_binding)
    assert ours.mechanism == mechanism
    ours.verify(theirs.final(ours.final(theirs.first(ours.mechanism, ours.first()))))
    assert ours.verified


@given(st.text(min_size=1, max_size=20), st.binary(min_size=1, max_size=64), st.integers(1, 20))
def test_any_password_salt_and_count_agree(password: str, salt: bytes, iterations: int) -> None:
    """A verifier made of a password lets that password in, whatever its characters."""
    ours = client(Secret(password))
    theirs = ScramServer(make_verifier(Secret(password), salt, iterations), "n", binding=None)
    ours.verify(theirs.final(ours.final(theirs.first(ours.mechanism, ours.first()))))


@pytest.mark.parametrize("binding", [None, ("tls-server-end-point", BINDING)])
def test_scramp_logs_in_to_our_server(binding: tuple[str, bytes] | None) -> None:
    """Another implementation's client finishes against ours, with and without channel binding."""
    theirs = scramp.ScramClient([SCRAM, SCRAM_PLUS], "user", "pencil", channel_binding=binding)
    ours = server(BINDING if binding else None)
    theirs.set_server_first(ours.first(theirs.mechanism_name, theirs.get_client_first().encode()).decode())
    theirs.set_server_final(ours.final(theirs.get_client_final().encode()).decode())
    assert theirs.mechanism_name == (SCRAM_PLUS if binding else SCRAM)


@pytest.mark.parametrize("mechanism", [SCRAM, SCRAM_PLUS])
def test_our_client_logs_in_to_scramp(mechanism: str) -> None:
    """Ours finishes against another implementation's server, with and without channel binding."""
    plus = mechanism == SCRAM_PLUS
    scheme = scramp.ScramMechanism(mechanism)
    info = scheme.make_auth_info("pencil")
    theirs = scheme.make_server(
        lambda _user: info, channel_binding=("tls-server-end-point", BINDING) if plus else None
    )
    ours = client(plus=plus, binding=BINDING if plus else None, username="user")
    theirs.set_client_first(ours.first().decode())
    theirs.set_client_final(ours.final(theirs.get_server_first().encode()).decode())
    ours.verify(theirs.get_server_final().encode())
    assert ours.verified


def test_optional_extensions_are_skipped() -> None:
    """Extensions behind the nonce are ignored, as RFC 5802, section 5.1, asks."""
    exchange = server()
    assert exchange.first(SCRAM, RFC_CLIENT_FIRST + b",x=1").startswith(b"r=rOprNGfwEbeRWgbNEkqO%")


def test_a_nonce_is_printable_and_as_long_as_postgresqls() -> None:
    """18 random bytes give 24 characters without a comma."""
    assert len(nonce_of(b"\xff" * NONCE_BYTES)) == 24
    assert "," not in nonce_of(b"\xff" * NONCE_BYTES)


# ------------------------------------------------------------------- what the server must not take


def test_a_wrong_password_is_refused() -> None:
    """The proof of another password is refused, after the whole exchange."""
    ours, theirs = client(Secret("pencils")), server()
    with pytest.raises(LoginRefused):
        theirs.final(ours.final(theirs.first(SCRAM, ours.first())))


def test_a_doomed_exchange_is_refused_with_the_right_password() -> None:
    """A doomed exchange runs its course and then fails as a wrong password does."""
    wrong = server()
    wrong.first(SCRAM, RFC_CLIENT_FIRST)
    with pytest.raises(LoginRefused) as plain:
        wrong.final(RFC_CLIENT_FINAL.replace(b"p=dH", b"p=eH"))
    doomed = server(doomed=True)
    doomed.first(SCRAM, RFC_CLIENT_FIRST)
    with pytest.raises(LoginRefused) as mocked:
        doomed.final(RFC_CLIENT_FINAL)
    assert (plain.value.message, plain.value.hint) == (mocked.value.message, mocked.value.hint)


def test_no_password_meets_a_mock_verifier() -> None:
    """The mock's keys belong to no password, so even an exchange that is not doomed fails."""
    theirs = ScramServer(mock_verifier("ghost", b"secret"), "n", binding=None)
    ours = client(Secret(""))
    with pytest.raises(LoginRefused):
        theirs.final(ours.final(theirs.first(SCRAM, ours.first())))


def test_a_swallowed_offer_of_channel_binding_is_seen() -> None:
    """A client that says "y" while we offered PLUS was lied to in between (RFC 5802, section 6)."""
    with pytest.raises(LoginMalformed, match="did not see the offer"):
        server(BINDING).first(SCRAM, b"y,,n=,r=abc")


def test_a_binding_to_another_certificate_is_refused() -> None:
    """PLUS over a TLS connection that ends elsewhere fails, with the right password too."""
    ours, theirs = client(plus=True, binding=b"c" * 32), server(BINDING)
    with pytest.raises(LoginMalformed, match="channel binding"):
        theirs.final(ours.final(theirs.first(SCRAM_PLUS, ours.first())))


FIRST_REFUSED = [
    ("empty", SCRAM, b""),
    ("no header", SCRAM, b"n=user,r=abc"),
    ("mechanism not offered", SCRAM_PLUS, PLUS_HEADER + b"n=,r=abc"),
    ("unknown mechanism", "SCRAM-SHA-1", b"n,,n=,r=abc"),
    ("authorization identity", SCRAM, b"n,a=other,n=,r=abc"),
    ("mandatory extension", SCRAM, b"n,,m=x,n=,r=abc"),
    ("bound without PLUS", SCRAM, PLUS_HEADER + b"n=,r=abc"),
    ("unknown flag", SCRAM, b"x,,n=,r=abc"),
    ("no nonce", SCRAM, b"n,,n="),
    ("empty nonce", SCRAM, b"n,,n=,r="),
    ("nonce not printable", SCRAM, b"n,,n=,r=a\x7fb"),
    ("nonce with a line end", SCRAM, b"n,,n=,r=abc\n"),
    ("no user", SCRAM, b"n,,r=abc"),
    ("malformed extension", SCRAM, b"n,,n=,r=abc,x"),
    ("zero octet", SCRAM, b"n,,n=\0,r=abc"),
    ("too long", SCRAM, b"n,,n=,r=" + b"a" * MAX_MESSAGE_BYTES),
]

FIRST_REFUSED_WITH_PLUS = [
    ("PLUS without binding", SCRAM_PLUS, b"n,,n=,r=abc"),
    ("PLUS with y", SCRAM_PLUS, b"y,,n=,r=abc"),
    ("another binding type", SCRAM_PLUS, b"p=tls-unique,,n=,r=abc"),
    ("downgrade", SCRAM, b"y,,n=,r=abc"),
]


@pytest.mark.parametrize(("why", "mechanism", "message"), FIRST_REFUSED)
def test_a_malformed_client_first_message_is_refused(why: str, mechanism: str, message: bytes) -> None:
    """Each deviation from RFC 5802, section 7, or from PostgreSQL's limits, ends the login."""
    with pytest.raises(LoginMalformed):
        server().first(mechanism, message)


@pytest.mark.parametrize(("why", "mechanism", "message"), FIRST_REFUSED_WITH_PLUS)
def test_flag_and_mechanism_must_agree(why: str, mechanism: str, message: bytes) -> None:
    """With PLUS on offer, the flag must be p= for PLUS and n for plain SCRAM."""
    with pytest.raises(LoginMalformed):
        server(BINDING).first(mechanism, message)


FINAL_REFUSED = [
    ("empty", b""),
    ("no proof", RFC_CLIENT_FINAL.split(b",p=")[0]),
    ("empty proof", RFC_CLIENT_FINAL.split(b"p=")[0] + b"p="),
    ("short proof", RFC_CLIENT_FINAL.split(b"p=")[0] + b"p=AAAA"),
    ("proof not base64", RFC_CLIENT_FINAL[:-4] + b"!!!="),
    ("stray bits in the proof", RFC_CLIENT_FINAL.replace(b"VQ=", b"VR=")),
    ("blanks in the proof", RFC_CLIENT_FINAL[:-4] + b" " + RFC_CLIENT_FINAL[-4:]),
    ("data behind the proof", RFC_CLIENT_FINAL + b",x=1"),
    ("another nonce", RFC_CLIENT_FINAL.replace(b"k0,p", b"k1,p")),
    ("shortened nonce", RFC_CLIENT_FINAL.replace(b"k0,p", b"k,p")),
    ("another header", RFC_CLIENT_FINAL.replace(b"biws", b"eSws")),
    ("no header", RFC_CLIENT_FINAL.removeprefix(b"c=biws,")),
    ("order", b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,c=biws," + RFC_CLIENT_FINAL[-46:]),
    ("malformed extension", RFC_CLIENT_FINAL.replace(b",p=", b",1,p=")),
    ("too long", RFC_CLIENT_FINAL.replace(b",p=", b",x=" + b"a" * MAX_MESSAGE_BYTES + b",p=")),
]


@pytest.mark.parametrize(("why", "message"), FINAL_REFUSED)
def test_a_malformed_client_final_message_is_refused(why: str, message: bytes) -> None:
    """Each deviation ends the login as malformed, before any proof is looked at."""
    exchange = server()
    exchange.first(SCRAM, RFC_CLIENT_FIRST)
    with pytest.raises(LoginMalformed):
        exchange.final(message)


@given(st.integers(0, len(RFC_CLIENT_FINAL) - 1), st.integers(1, 255))
def test_no_altered_final_message_logs_in(at: int, flip: int) -> None:
    """Any one changed octet of a right client-final-message is refused."""
    exchange = server()
    exchange.first(SCRAM, RFC_CLIENT_FIRST)
    altered = bytearray(RFC_CLIENT_FINAL)
    altered[at] ^= flip
    with pytest.raises((LoginMalformed, LoginRefused)):
        exchange.final(bytes(altered))


@given(st.sampled_from([SCRAM, SCRAM_PLUS, "X"]), st.binary(max_size=200), st.binary(max_size=200))
def test_random_bytes_never_log_in(mechanism: str, first: bytes, final: bytes) -> None:
    """Whatever a client sends, the server raises its own errors or goes on, and never lets it in."""
    exchange = server(BINDING)
    try:
        exchange.first(mechanism, first)
    except LoginMalformed:
        return
    with pytest.raises((LoginMalformed, LoginRefused)):
        exchange.final(final)


# ------------------------------------------------------------------- what the client must not take


def answered(server_first: bytes) -> bytes:
    ours = client()
    ours.first()
    return ours.final(server_first)


SALT64 = b"W22ZaJ0SNY7soEsUEjb6gQ=="
SERVER_FIRST_REFUSED = [
    ("empty", b""),
    ("another nonce", b"r=XXX,s=" + SALT64 + b",i=4096"),
    ("our nonce, not continued", b"r=rOprNGfwEbeRWgbNEkqO,s=" + SALT64 + b",i=4096"),
    ("nonce not printable", b"r=rOprNGfwEbeRWgbNEkqO\xff,s=" + SALT64 + b",i=4096"),
    ("mandatory extension", b"m=x," + RFC_SERVER_FIRST),
    ("no salt", b"r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096"),
    ("salt not base64", b"r=rOprNGfwEbeRWgbNEkqOx,s=====,i=4096"),
    ("long salt", b"r=rOprNGfwEbeRWgbNEkqOx,s=" + b"AAAA" * (MAX_SALT_BYTES // 3 + 1) + b",i=4096"),
    ("zero iterations", b"r=rOprNGfwEbeRWgbNEkqOx,s=" + SALT64 + b",i=0"),
    ("no iterations", b"r=rOprNGfwEbeRWgbNEkqOx,s=" + SALT64 + b",i="),
    ("too many iterations", b"r=rOprNGfwEbeRWgbNEkqOx,s=%s,i=%d" % (SALT64, MAX_ITERATIONS + 1)),
    ("endless iterations", b"r=rOprNGfwEbeRWgbNEkqOx,s=" + SALT64 + b",i=" + b"9" * 500),
    ("too long", RFC_SERVER_FIRST + b",x=" + b"a" * MAX_MESSAGE_BYTES),
]


@pytest.mark.parametrize(("why", "message"), SERVER_FIRST_REFUSED)
def test_a_malformed_server_first_message_is_refused(why: str, message: bytes) -> None:
    """A server that does not keep to RFC 5802 or to our limits gets no proof."""
    with pytest.raises(UpstreamLoginMalformed):
        answered(message)


def test_a_server_that_does_not_know_the_verifier_is_refused() -> None:
    """A wrong signature is no database of ours, and the exchange does not count as verified."""
    ours = client()
    ours.first()
    ours.final(RFC_SERVER_FIRST)
    with pytest.raises(UpstreamUntrusted):
        ours.verify(RFC_SERVER_FINAL)  # right for the user name "user", not for the empty one
    assert not ours.verified


@pytest.mark.parametrize(
    "message", [b"", b"e=other-error", b"v=", b"v=AAAA", b"v=!", b"v=" + b"A" * 2000], ids=repr
)
def test_a_server_final_message_without_the_signature_is_refused(message: bytes) -> None:
    """An error, an empty or a malformed signature all end the login."""
    ours = client()
    ours.first()
    ours.final(RFC_SERVER_FIRST)
    with pytest.raises((UpstreamUntrusted, UpstreamLoginMalformed)):
        ours.verify(message)
    assert not ours.verified


@given(st.binary(max_size=300))
def test_random_bytes_get_no_proof(message: bytes) -> None:
    """No random server-first-message is answered."""
    with pytest.raises(UpstreamLoginMalformed):
        answered(message)


# ------------------------------------------------------------------------------------------ order


def test_an_exchange_out_of_order_is_a_bug_of_ours() -> None:
    """Each step is taken once and in order, in both roles."""
    for step in (lambda: server().final(b""), lambda: client().final(b""), lambda: client().verify(b"")):
        with pytest.raises(Bug):
            step()
    twice_server, twice_client = server(), client()
    twice_server.first(SCRAM, RFC_CLIENT_FIRST)
    twice_client.first()
    with pytest.raises(Bug):
        twice_server.first(SCRAM, RFC_CLIENT_FIRST)
    with pytest.raises(Bug):
        twice_client.first()
