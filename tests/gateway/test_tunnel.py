"""A way for a driver through the gateway's own connector."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from tests.conftest import Servers

from strongroom.errors import UpstreamLoginRefused, UpstreamUnreachable, UpstreamUntrusted
from strongroom.gateway.certificate import parse_pin
from strongroom.gateway.connector import Connector
from strongroom.gateway.tunnel import tunnel
from strongroom.gateway.upstream_address import parse_upstream
from strongroom.secret import Secret
from strongroom.testing.installations import EMBEDDED
from strongroom.testing.processes import free_port
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until

WRONG_PIN = "cert-sha256:" + "00" * 32


def way(server: PostgresServer, password: str | None = None, pins: tuple[str, ...] = ()) -> Connector:
    """The connector to a server."""
    secret = Secret(server.password if password is None else password)
    uri = server.uri(password="")
    return Connector.to(parse_upstream(uri, base=Path(), password=secret, pins=tuple(map(parse_pin, pins))))


@pytest.fixture
def server(servers: Servers) -> PostgresServer:
    """A PostgreSQL without TLS."""
    return servers.server(EMBEDDED)


def test_it_is_logged_in_without_credentials(server: PostgresServer) -> None:
    """In autocommit, under the purpose's name; large answers come whole, several connections go at once."""
    with tunnel(way(server)) as through, through.connect("protect") as one, through.connect("check") as other:
        row = one.execute("SELECT current_user::text, current_setting('application_name')").fetchone()
        assert row == ("postgres", "protect")
        assert other.execute("SELECT repeat('x', 3000000)").fetchone() == ("x" * 3_000_000,)
        one.execute("CREATE TEMP TABLE t (id int)")
        assert one.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_tls_and_pins_are_the_connectors(servers: Servers) -> None:
    """A pin that does not fit is told to the driver, and no byte of a login went there."""
    secure = servers.server("15")
    with tunnel(way(secure)) as through, through.connect("x") as connection:
        row = connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()
        assert row == (True,)
    pinned = way(secure, pins=(WRONG_PIN,))
    with tunnel(pinned) as through, pytest.raises(UpstreamUntrusted, match="pin"):
        through.connect("x")


def test_a_login_that_is_refused_is_told(server: PostgresServer) -> None:
    """With its reason and the way out, as the connector says it."""
    with (
        tunnel(way(server, "wrong")) as through,
        pytest.raises(UpstreamLoginRefused, match="28P01") as caught,
    ):
        through.connect("x")
    assert "upstream_password" in caught.value.hint


def test_a_database_that_cannot_be_reached_is_told(server: PostgresServer) -> None:
    """So is what keeps the connector from connecting."""
    upstream = replace(way(server).upstream, port=free_port())
    with tunnel(Connector(upstream, None)) as through, pytest.raises(UpstreamUnreachable, match="cannot be"):
        through.connect("x")


def is_asleep(server: PostgresServer) -> bool:
    """Whether somebody sleeps in the database."""
    with server.connect() as connection:
        found = connection.execute("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'").fetchall()
    return bool(found)


def test_a_cancel_reaches_the_database(server: PostgresServer) -> None:
    """By the key that the driver was given."""
    with tunnel(way(server)) as through, through.connect("x") as connection, ThreadPoolExecutor(1) as pool:
        running = pool.submit(connection.execute, "SELECT pg_sleep(60)")
        wait_until(lambda: is_asleep(server), "it sleeps")
        connection.cancel_safe(timeout=10)
        with pytest.raises(psycopg.errors.QueryCanceled):
            running.result(10)


def test_connections_end_with_it(server: PostgresServer) -> None:
    """And nobody else could have entered its folder."""
    with tunnel(way(server)) as through:
        left = through.connect("left behind")
        folder = Path(left.info.host)
        assert folder.stat().st_mode & 0o077 == 0
    with pytest.raises(psycopg.OperationalError):
        left.execute("SELECT 1")
    left.close()
    assert not folder.exists()
