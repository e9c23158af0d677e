"""The way to the database: TLS, pins, cancels, and everything that can stand in the way."""

import asyncio
import contextlib
import socket
import ssl
import threading
from pathlib import Path

import pytest
import uvloop
from tests.conftest import Servers

from strongroom.errors import UpstreamError, UpstreamUnreachable, UpstreamUntrusted
from strongroom.gateway.certificate import parse_pin, pins_of
from strongroom.gateway.connector import Connector
from strongroom.gateway.inquiry import ask
from strongroom.gateway.upstream_address import parse_upstream
from strongroom.secret import Secret
from strongroom.testing.certificates import Authority
from strongroom.testing.installations import EMBEDDED
from strongroom.testing.processes import free_port
from strongroom.testing.servers import PostgresServer

WITH_TLS = "15"


def connector(uri: str, password: str = "", pins: tuple[str, ...] = ()) -> Connector:
    parsed = tuple(parse_pin(pin) for pin in pins)
    return Connector.to(parse_upstream(uri, base=Path(), password=Secret(password), pins=parsed))


def answer(way: Connector, query: str = "SELECT 'well'") -> bytes | None:
    async def talk() -> bytes | None:
        async with asyncio.timeout(20):
            return (await ask(way, query))[0][0]

    return uvloop.run(talk())


@pytest.fixture
def plain(servers: Servers) -> PostgresServer:
    """A PostgreSQL without TLS."""
    return servers.server(EMBEDDED)


@pytest.fixture
def secure(servers: Servers) -> PostgresServer:
    """A PostgreSQL with TLS."""
    return servers.server(WITH_TLS)


def certificate_of(server: PostgresServer) -> bytes:
    return ssl.PEM_cert_to_DER_cert((server.data / "server.crt").read_text().split("-----END")[0] + END)


END = "-----END CERTIFICATE-----\n"
NO_PIN = "cert-sha256:" + "00" * 32


def test_a_connection_in_the_clear(plain: PostgresServer) -> None:
    """Connect, log in with a password, ask."""
    way = connector(plain.uri(password="", sslmode="disable"), plain.password)
    assert answer(way) == b"well"


def test_a_connection_over_tls(secure: PostgresServer) -> None:
    """The certificate is verified, the password is bound to it."""
    way = connector(secure.uri(password=""), secure.password)
    assert answer(way) == b"well"
    assert answer(way, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == b"t"


def test_a_pin(secure: PostgresServer) -> None:
    """One of several pins is enough, of the key or of the certificate; without one nothing is sent."""
    for good in pins_of(certificate_of(secure)):
        way = connector(secure.uri(password=""), secure.password, (NO_PIN, str(good)))
        assert answer(way) == b"well"
    with pytest.raises(UpstreamUntrusted, match="matches no pin"):
        answer(connector(secure.uri(password=""), secure.password, (NO_PIN,)))


def test_another_authority(secure: PostgresServer, tmp_path: Path) -> None:
    """A certificate that our authority did not sign is not trusted."""
    other = Authority.make(tmp_path)
    way = connector(secure.uri(password="", sslrootcert=str(other.certificate)), secure.password)
    with pytest.raises(UpstreamUntrusted, match="does not verify"):
        answer(way)


def test_a_server_without_tls(plain: PostgresServer, authority: Authority) -> None:
    """It is not spoken to in the clear where TLS was asked for."""
    uri = plain.uri(password="", sslmode="verify-full", sslrootcert=str(authority.certificate))
    with pytest.raises(UpstreamUnreachable, match="does not do TLS"):
        answer(connector(uri, plain.password))


def test_nobody_there() -> None:
    """A closed port is told from a slow one."""
    with pytest.raises(UpstreamUnreachable, match="cannot be reached"):
        answer(connector(f"postgresql://u@127.0.0.1:{free_port()}/db?sslmode=disable"))


def test_a_name_that_does_not_exist() -> None:
    """The resolver's error is the operator's to read."""
    with pytest.raises(UpstreamUnreachable, match="cannot be reached"):
        answer(connector("postgresql://u@nowhere.invalid/db?sslmode=require"))


@pytest.mark.parametrize("mode", ["require", "verify-full"])
def test_a_server_that_does_not_answer(mode: str, authority: Authority) -> None:
    """The address's time limit holds for the whole way, TLS included."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"postgresql://u@127.0.0.1:{silent.getsockname()[1]}/db?connect_timeout=1&sslmode={mode}"
        if mode == "verify-full":
            uri += f"&sslrootcert={authority.certificate}"
        with pytest.raises(UpstreamUnreachable, match="within 1 s"):
            answer(connector(uri))


@pytest.mark.parametrize(
    "said", [b"", b"E", b"N", b"SS", b"S" + b"\x16\x03\x03\x00\x02\x02\x28", b"HTTP/1.1"]
)
def test_a_server_that_answers_nonsense(said: bytes) -> None:
    """Whatever answers the request for TLS, no login is sent to it."""
    heard: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        sock, _ = listener.accept()
        # Whoever hangs up first makes the other's sendall or shutdown fail (ENOTCONN is a plain OSError).
        with sock, contextlib.suppress(OSError):
            sock.settimeout(10)
            heard.append(sock.recv(8))
            sock.sendall(said)
            sock.shutdown(socket.SHUT_WR)
            while more := sock.recv(1000):
                heard.append(more)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=[listener])
        thread.start()
        uri = f"postgresql://u@127.0.0.1:{listener.getsockname()[1]}/db?sslmode=require"
        with pytest.raises(UpstreamError):
            answer(connector(uri, "secret"))
        thread.join(10)
    assert b"user" not in b"".join(heard)


@pytest.mark.parametrize("said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"Z\0\0\0\5I", b"\0\0\0\0\0", b""])
def test_a_server_that_talks_nonsense_while_we_log_in(said: bytes) -> None:
    """What is no PostgreSQL is not waited for."""

    def serve(listener: socket.socket) -> None:
        sock, _ = listener.accept()
        with sock, contextlib.suppress(OSError):
            sock.recv(1000)
            sock.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=[listener])
        thread.start()
        with pytest.raises(UpstreamError):
            answer(connector(f"postgresql://u@127.0.0.1:{listener.getsockname()[1]}/db?sslmode=disable"))
        thread.join(10)


def test_another_user_of_the_same_way(secure: PostgresServer) -> None:
    """Accounts may have upstream users of their own."""
    secure.run("DROP ROLE IF EXISTS mary")
    secure.create_user("mary", "her own")
    way = connector(secure.uri(password=""), secure.password).as_user("mary", Secret("her own"))
    assert answer(way, "SELECT current_user") == b"mary"
