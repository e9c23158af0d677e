"""Connection strings: what each keyword means, and what is refused by name."""

import ssl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import InvalidUpstreamAddress
from strongroom.gateway.certificate import Pin, PinKind
from strongroom.gateway.tls import SslMode
from strongroom.gateway.upstream_address import Upstream, is_loopback, parse_upstream
from strongroom.secret import Secret
from strongroom.session.upstream_login import AuthMethod, ChannelBinding
from strongroom.wire.postgres.messages import PROTOCOL_3_0, PROTOCOL_3_2

BASE = Path("/etc/strongroom")
PIN = Pin(PinKind.PUBLIC_KEY, b"p" * 32)


def parsed(text: str, *, pins: tuple[Pin, ...] = ()) -> Upstream:
    return parse_upstream(text, base=BASE, pins=pins)


def test_a_whole_uri_is_understood() -> None:
    """The URI of the documentation, with every part that is kept."""
    upstream = parsed(
        "postgresql://strongroom@db.example:6543/shop?sslmode=verify-full&sslrootcert=ca.pem"
        "&sslcert=client.crt&sslkey=client.key&sslnegotiation=direct&ssl_min_protocol_version=TLSv1.3"
        "&require_auth=scram-sha-256&channel_binding=require&connect_timeout=3&max_protocol_version=3.2"
        "&application_name=gateway&options=-c%20work_mem%3D4MB"
    )
    assert (upstream.host, upstream.port, upstream.address) == ("db.example", 6543, None)
    assert (upstream.credentials.user, upstream.credentials.database) == ("strongroom", "shop")
    assert upstream.credentials.password is None
    assert upstream.tls.mode is SslMode.VERIFY_FULL
    assert upstream.tls.root == BASE / "ca.pem"
    assert (upstream.tls.certificate, upstream.tls.key) == (BASE / "client.crt", BASE / "client.key")
    assert upstream.tls.direct
    assert upstream.tls.minimum is ssl.TLSVersion.TLSv1_3
    assert upstream.rules.methods == {AuthMethod.SCRAM}
    assert upstream.rules.channel_binding is ChannelBinding.REQUIRE
    assert upstream.connect_seconds == 3
    assert upstream.protocol == PROTOCOL_3_2
    assert upstream.parameters == (("application_name", "gateway"), ("options", "-c work_mem=4MB"))


def test_what_is_left_out_has_safe_defaults() -> None:
    """A bare address is verified by the system's authorities, over TLS 1.2 or later, as protocol 3.0."""
    upstream = parsed("postgresql://app@db.example")
    assert (upstream.port, upstream.credentials.database) == (5432, "app")
    assert (upstream.tls.mode, upstream.tls.root) == (SslMode.VERIFY_FULL, None)
    assert upstream.tls.minimum is ssl.TLSVersion.TLSv1_2
    assert upstream.rules.methods == frozenset(AuthMethod)
    assert upstream.rules.channel_binding is ChannelBinding.PREFER
    assert upstream.protocol == PROTOCOL_3_0


@pytest.mark.parametrize(
    ("uri", "mode"),
    [
        ("postgresql://u@127.0.0.1/d", SslMode.DISABLE),
        ("postgresql://u@[::1]/d", SslMode.DISABLE),
        ("postgresql://u@localhost/d", SslMode.DISABLE),
        ("postgresql://u@/d?host=/run/postgresql", SslMode.DISABLE),
        ("postgresql://u@localhost/d?sslrootcert=ca.pem", SslMode.VERIFY_FULL),
        ("postgresql://u@localhost/d?sslnegotiation=direct", SslMode.VERIFY_FULL),
        ("postgresql://u@localhost/d?sslnegotiation=postgres", SslMode.DISABLE),
        ("postgresql://u@db.example/d?hostaddr=127.0.0.1", SslMode.DISABLE),
        ("postgresql://u@localhost/d?hostaddr=192.0.2.1", SslMode.VERIFY_FULL),
        ("postgresql://u@localhost.example/d", SslMode.VERIFY_FULL),
        ("postgresql://u@192.0.2.1/d", SslMode.VERIFY_FULL),
        ("postgresql://u@db/d?sslmode=disable", SslMode.DISABLE),
        ("postgresql://u@db/d?sslmode=require", SslMode.REQUIRE),
        ("postgresql://u@db/d?sslmode=require&sslrootcert=ca.pem", SslMode.VERIFY_CA),  # as libpq
        ("postgresql://u@db/d?sslmode=verify-ca&sslrootcert=ca.pem", SslMode.VERIFY_CA),
        ("postgresql://u@db/d?sslrootcert=system", SslMode.VERIFY_FULL),
    ],
)
def test_the_mode_of_tls(uri: str, mode: SslMode) -> None:
    """Left out, sslmode is verify-full away from loopback, or where anything else speaks of TLS."""
    assert parsed(uri).tls.mode is mode


def test_pins_ask_for_tls_on_loopback_too() -> None:
    """A pin without sslmode means verify-full, and it is kept."""
    upstream = parsed("postgresql://u@localhost/d", pins=(PIN,))
    assert (upstream.tls.mode, upstream.tls.pins) == (SslMode.VERIFY_FULL, (PIN,))


def test_a_unix_socket_has_a_path_and_tcp_has_none() -> None:
    """libpq's name of the socket in its directory, in both ways to write it."""
    for uri in ("postgresql://u@%2Frun%2Fpg:6000/d", "host=/run/pg port=6000 user=u dbname=d"):
        assert parsed(uri).unix_socket == Path("/run/pg/.s.PGSQL.6000")
    assert parsed("postgresql://u@db/d").unix_socket is None


def test_a_host_address_saves_the_look_up() -> None:
    """host stays the name to verify; hostaddr alone is both."""
    both = parsed("host=db.example hostaddr=192.0.2.7 user=u")
    assert (both.host, both.address) == ("db.example", "192.0.2.7")
    alone = parsed("hostaddr=192.0.2.7 user=u")
    assert (alone.host, alone.address) == ("192.0.2.7", "192.0.2.7")


def test_a_password_beside_the_string_wins() -> None:
    """upstream_password is taken before one in the string; neither is ever shown."""
    inside = parsed("postgresql://u:inside@db/d")
    assert inside.credentials.password == Secret("inside")
    beside = parse_upstream("postgresql://u:inside@db/d", base=BASE, password=Secret("beside"))
    assert beside.credentials.password == Secret("beside")
    assert "inside" not in repr(inside) + str(inside)


def test_another_user_of_the_same_database() -> None:
    """as_user changes who logs in, and nothing else."""
    upstream = parsed("postgresql://u@db/d")
    other = upstream.as_user("v", Secret("x"))
    assert (other.credentials.user, other.credentials.database) == ("v", "d")
    assert (other.host, other.tls, other.rules) == (upstream.host, upstream.tls, upstream.rules)


@pytest.mark.parametrize(
    ("text", "methods"),
    [
        ("scram-sha-256", {AuthMethod.SCRAM}),
        ("scram-sha-256,none", {AuthMethod.SCRAM, AuthMethod.NONE}),
        ("!password,!md5", {AuthMethod.SCRAM, AuthMethod.NONE}),
        ("gss,scram-sha-256", {AuthMethod.SCRAM}),
        ("!gss", set(AuthMethod)),
    ],
)
def test_require_auth_lists_or_excludes_methods(text: str, methods: set[AuthMethod]) -> None:
    """As libpq reads it; methods that we do not speak only ever narrow the list."""
    assert parsed(f"host=db user=u require_auth={text}").rules.methods == methods


@pytest.mark.parametrize(
    "settings",
    ["gssencmode=prefer", "target_session_attrs=any", "client_encoding=UTF8", "keepalives=1", "sslsni=1"],
)
def test_a_setting_that_says_what_we_do_anyway_is_accepted(settings: str) -> None:
    """Keywords that consoles of cloud vendors add do no harm."""
    assert parsed(f"host=db user=u {settings}").host == "db"


REFUSED = [
    ("", "host"),
    ("postgresql:///d", "host"),
    ("postgresql://db/d", "user"),
    ("postgresql://u@a,b/d", "host"),
    ("postgresql://u@a:1,b:2/d", "host"),
    ("host=a hostaddr=192.0.2.1,192.0.2.2 user=u", "hostaddr"),
    ("host=a hostaddr=example user=u", "hostaddr"),
    ("host=@abstract user=u", "host"),
    ("postgresql://u@db:0/d", "port"),
    ("postgresql://u@db:65536/d", "port"),
    ("host=db user=u port=x", "port"),
    ("host=db user=u sslmode=prefer", "sslmode"),
    ("host=db user=u sslmode=allow", "sslmode"),
    ("host=db user=u sslmode=on", "sslmode"),
    ("host=db user=u sslmode=verify-ca", "sslmode"),
    ("host=db user=u sslmode=verify-ca sslrootcert=system", "sslmode"),
    ("host=db user=u sslmode=require sslrootcert=system", "sslrootcert"),
    ("host=db user=u sslmode=disable sslrootcert=ca.pem", "sslmode"),
    ("host=db user=u sslmode=disable sslnegotiation=direct", "sslmode"),
    ("host=/run user=u sslmode=verify-full", "sslmode"),
    ("host=/run user=u sslrootcert=ca.pem", "sslmode"),
    ("host=db user=u sslnegotiation=maybe", "sslnegotiation"),
    ("host=db user=u ssl_min_protocol_version=TLSv1", "ssl_min_protocol_version"),
    ("host=db user=u channel_binding=maybe", "channel_binding"),
    ("host=localhost user=u channel_binding=require", "channel_binding"),
    ("host=db user=u require_auth=kerberos", "require_auth"),
    ("host=db user=u require_auth=md5,!none", "require_auth"),
    ("host=db user=u require_auth=gss", "require_auth"),
    ("host=db user=u connect_timeout=0", "connect_timeout"),
    ("host=db user=u connect_timeout=99999999999", "connect_timeout"),
    ("host=db user=u max_protocol_version=4.0", "max_protocol_version"),
    ("host=db user=u client_encoding=LATIN1", "client_encoding"),
    ("host=db user=u gssencmode=require", "gssencmode"),
    ("host=db user=u target_session_attrs=read-write", "target_session_attrs"),
    ("host=db user=u service=x", "service"),
    ("host=db user=u passfile=x", "passfile"),
    ("host=db user=u replication=database", "replication"),
    ("host=db user=u sslcrl=x", "sslcrl"),
]


@pytest.mark.parametrize(("text", "keyword"), REFUSED)
def test_what_cannot_be_kept_is_refused_by_name(text: str, keyword: str) -> None:
    """A keyword or value that we do not honour is named, with what to do."""
    with pytest.raises(InvalidUpstreamAddress) as caught:
        parsed(text)
    assert f": {keyword} " in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("text", ["postgresql://u:hunter2@db/d?bogus=hunter2", "password=hunter2 nonsense"])
def test_a_string_that_libpq_cannot_read_is_not_repeated(text: str) -> None:
    """It may hold a password, so neither the message nor the cause shows any of it."""
    with pytest.raises(InvalidUpstreamAddress) as caught:
        parsed(text)
    assert "hunter2" not in caught.value.message + caught.value.hint
    assert caught.value.__suppress_context__


def test_a_unix_socket_with_a_pin_is_refused() -> None:
    """There is no certificate that a pin could hold to."""
    with pytest.raises(InvalidUpstreamAddress, match="sslmode or a pin"):
        parsed("host=/run user=u", pins=(PIN,))


@given(st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    """No text makes anything else than an Upstream or InvalidUpstreamAddress."""
    try:
        parsed(text)
    except InvalidUpstreamAddress:
        return


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "/run/postgresql"])
def test_loopback(host: str) -> None:
    """Addresses of this machine, and the directory of a socket."""
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "db", "localhost.example", ""])  # noqa: S104 - parsed, not bound
def test_not_loopback(host: str) -> None:
    """Everything else, the unspecified addresses included."""
    assert not is_loopback(host)
