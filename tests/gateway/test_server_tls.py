"""Clients over TLS, in front of a PostgreSQL over TLS with a pin."""

import signal
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from tests.conftest import Servers
from tests.gateway.serving import configuration, go_on, logged, stop, workers
from tests.gateway.test_connector import certificate_of

from strongroom.gateway.certificate import pins_of
from strongroom.testing.certificates import Authority, Certificate
from strongroom.testing.gateway import Gateway
from strongroom.testing.raw_client import RawClient
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until
from strongroom.wire.postgres import messages as m


@pytest.fixture(scope="module")
def upstream(servers: Servers) -> PostgresServer:
    """A PostgreSQL with TLS."""
    server = servers.server("15")
    server.create_database("vault")
    return server


@pytest.fixture(scope="module")
def sealed(upstream: PostgresServer, authority: Authority) -> Iterator[Gateway]:
    """A gateway of two workers with TLS on both sides, and a pin; ``app`` may log in by certificate."""
    pin = str(pins_of(certificate_of(upstream))[0])
    with Gateway.start(
        upstream, "vault", authority=authority, workers=2, more={"upstream_pin": [pin]}
    ) as gateway:
        settings = configuration(gateway)
        settings["accounts"]["app"]["certificate"] = "till-1"
        gateway.configure(settings)
        gateway.signal(signal.SIGHUP)
        wait_until(lambda: len(logged(gateway, "configuration reloaded")) == 2, "both workers have reloaded")
        yield gateway


@pytest.fixture(scope="module")
def till(authority: Authority) -> Certificate:
    """The certificate of a client."""
    return authority.client("till-1")


def with_certificate(certificate: Certificate) -> dict[str, str]:
    return {"sslcert": str(certificate.certificate), "sslkey": str(certificate.key)}


@contextmanager
def over_tls(gateway: Gateway, authority: Authority, alpn: str | None = None) -> Iterator[RawClient]:
    with RawClient.connect(gateway.port) as client:
        assert client.ask_for(m.SSL_REQUEST) == b"S"
        client.wrap(context(authority, alpn))
        yield client


def context(authority: Authority, alpn: str | None) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=str(authority.certificate))
    if alpn is not None:
        made.set_alpn_protocols([alpn])
    return made


@pytest.mark.parametrize("negotiation", ["postgres", "direct"])
@pytest.mark.parametrize("binding", ["require", "disable"])
def test_a_password_over_tls(sealed: Gateway, negotiation: str, binding: str) -> None:
    """With channel binding and without, asked for by SSLRequest or begun at once."""
    uri = sealed.uri(sslnegotiation=negotiation, channel_binding=binding)
    with psycopg.connect(uri) as db:
        assert db.pgconn.ssl_in_use
        assert db.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone() == (True,)


def test_a_client_certificate(sealed: Gateway, till: Certificate) -> None:
    """Who shows the certificate of the account needs no password."""
    with psycopg.connect(sealed.uri(password="none", require_auth="none", **with_certificate(till))) as db:
        assert db.execute("SELECT 1").fetchone() == (1,)


def test_a_certificate_of_another_name(sealed: Gateway, authority: Authority) -> None:
    """It says who the client is, and that is not this account: the password decides."""
    other = with_certificate(authority.client("till-2"))
    with psycopg.connect(sealed.uri(**other)) as db:
        assert db.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError, match="login-refused"):
        psycopg.connect(sealed.uri(password="wrong", **other))


def test_a_certificate_of_another_authority(
    sealed: Gateway, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A certificate that our client_ca did not sign ends the handshake, password or not."""
    stranger = Authority.make(tmp_path_factory.mktemp("stranger")).client("till-1")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(sealed.uri(**with_certificate(stranger)))


def test_plaintext_is_refused(sealed: Gateway) -> None:
    """No password is asked for in the clear."""
    with RawClient.connect(sealed.port) as client:
        client.start("app", "vault")
        error = client.error()
        assert error["C"] == "28000"
        assert "tls-required" in error["M"]
        assert client.is_closed()


def test_octets_behind_an_ssl_request(sealed: Gateway) -> None:
    """They end the connection before TLS begins."""
    with RawClient.connect(sealed.port) as client:
        packet = m.StartupMessage(m.PROTOCOL_3_0, {"user": "app"}).serialise()
        client.send((8).to_bytes(4) + m.SSL_REQUEST.to_bytes(4) + packet)
        assert client.is_closed()


@pytest.mark.parametrize("alpn", [None, "http/1.1"])
def test_direct_tls_without_our_protocol(sealed: Gateway, authority: Authority, alpn: str | None) -> None:
    """A browser that was led here is not talked to (the ALPACA attack)."""
    with RawClient.connect(sealed.port) as client:
        try:
            client.wrap(context(authority, alpn))
            client.start("app", "vault")
            assert client.is_closed()
        except ssl.SSLError:
            assert alpn is not None  # refused within the handshake


def test_tls_without_alpn_behind_an_ssl_request(sealed: Gateway, authority: Authority) -> None:
    """Clients older than libpq 17 do not name the protocol."""
    with over_tls(sealed, authority) as client:
        client.log_in("app", sealed.account.password, "vault")
        assert [tag for tag, _ in client.ask("SELECT 1")] == ["T", "D", "C", "Z"]


@pytest.mark.parametrize("encrypted", [True, False])
@pytest.mark.parametrize("accepting", [0, 1])
def test_a_cancel_over_tls_and_pin(
    sealed: Gateway, upstream: PostgresServer, authority: Authority, accepting: int, encrypted: bool
) -> None:
    """Whichever worker accepts it, in TLS or (as libpq's PQcancel) in the clear: upstream it goes by TLS."""
    pids = workers(sealed)
    stop(pids[1])
    with over_tls(sealed, authority) as client:
        client.log_in("app", sealed.account.password, "vault", application_name="sleeper")
        go_on(pids[1])
        client.send(m.Query("SELECT pg_sleep(60)").serialise())
        wait_until(lambda: sleeps(upstream), "the statement runs")
        stop(pids[1 - accepting])
        try:
            with RawClient.connect(sealed.port) as canceller:
                if encrypted:
                    assert canceller.ask_for(m.SSL_REQUEST) == b"S"
                    canceller.wrap(context(authority, None))
                canceller.send(client.cancel_request())
                assert canceller.is_closed()
        finally:
            go_on(pids[1 - accepting])
        assert client.error()["C"] == "57014"


def sleeps(server: PostgresServer) -> bool:
    query = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'sleeper' AND wait_event = 'PgSleep'"
    with server.connect() as db:
        return db.execute(query).fetchone() is not None
