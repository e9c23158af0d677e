"""A question of the gateway's own, put to a real PostgreSQL, also over a way that is tampered with."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvloop
from tests.conftest import Servers

from strongroom.errors import UpstreamError, UpstreamGone
from strongroom.gateway import inquiry
from strongroom.gateway.connector import Connector
from strongroom.gateway.inquiry import Row, ask
from strongroom.gateway.upstream_address import parse_upstream
from strongroom.secret import Secret
from strongroom.testing.installations import EMBEDDED
from strongroom.testing.servers import PostgresServer
from strongroom.testing.tampering import Tampering
from strongroom.testing.waiting import wait_until


@pytest.fixture
def server(servers: Servers) -> PostgresServer:
    """The embedded PostgreSQL."""
    return servers.server(EMBEDDED)


@pytest.fixture
def way(server: PostgresServer) -> Iterator[Tampering]:
    """The way to it."""
    with Tampering(server.port) as one:
        yield one


def answers(server: PostgresServer, query: str, port: int = 0) -> list[Row]:
    """What comes back; over the port, if one is given."""
    uri = server.uri(password="", sslmode="disable", application_name="inquiry")
    uri = uri.replace(f":{server.port}/", f":{port or server.port}/")
    connector = Connector.to(parse_upstream(uri, base=Path(), password=Secret(server.password)))

    async def talk() -> list[Row]:
        async with asyncio.timeout(20):
            return await ask(connector, query)

    return uvloop.run(talk())


def test_all_rows_come_as_text(server: PostgresServer) -> None:
    """In order, NULL apart from what is empty; none where there are none."""
    query = "SELECT n, nullif(n, 2), '' FROM generate_series(1, 2) n ORDER BY n"
    assert answers(server, query) == [(b"1", b"1", b""), (b"2", None, b"")]
    assert answers(server, "SELECT 1 WHERE false") == []
    assert answers(server, "SET work_mem = '4MB'") == []


def test_a_long_answer_comes_whole(server: PostgresServer) -> None:
    """The catalog is one value of some megabytes, in many chunks."""
    ((value,),) = answers(server, "SELECT repeat('x', 3000000)")
    assert value == b"x" * 3_000_000


def test_the_connection_is_closed_in_order(server: PostgresServer) -> None:
    """PostgreSQL has nobody of ours left."""
    assert answers(server, "SELECT 1") == [(b"1",)]
    with server.connect() as db:
        left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'inquiry'"
        wait_until(lambda: db.execute(left).fetchone() == (0,), "its backend is gone")


def test_a_refusal_is_told_by_its_code(server: PostgresServer) -> None:
    """Without what PostgreSQL says, which may quote a value."""
    with pytest.raises(UpstreamError, match="SQLSTATE 22P02") as caught:
        answers(server, "SELECT 'geheim'::int")
    assert "geheim" not in caught.value.message + caught.value.hint


def test_a_wrong_password_is_the_login_s_to_tell(server: PostgresServer) -> None:
    """Before anything is asked."""
    uri = server.uri(password="", sslmode="disable")
    connector = Connector.to(parse_upstream(uri, base=Path(), password=Secret("wrong")))
    with pytest.raises(UpstreamError, match="wrong password"):
        uvloop.run(ask(connector, "SELECT 1"))


def after_login(change: Callable[[bytes], tuple[bytes, bool]]) -> Callable[[bytes], tuple[bytes, bool]]:
    """Tampers with the answer, not with the login: the answer has a RowDescription first."""
    return lambda chunk: change(chunk) if chunk.startswith(b"T") else (chunk, True)


def test_a_database_that_goes_away_is_noticed(server: PostgresServer, way: Tampering) -> None:
    """What has come till then is no answer."""
    way.tamper = after_login(lambda chunk: (chunk[:-3], False))
    with pytest.raises(UpstreamGone):
        answers(server, "SELECT 1", way.port)


def test_nonsense_is_no_answer(server: PostgresServer, way: Tampering) -> None:
    """A message that is longer than any may be is not waited for."""
    way.tamper = after_login(lambda chunk: (b"D\x7f\xff\xff\xff" + chunk, True))
    with pytest.raises(UpstreamError, match="from the database"):
        answers(server, "SELECT 1", way.port)


def test_an_answer_is_not_waited_for_for_ever(
    server: PostgresServer, way: Tampering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A catalog that does not come must not hold up the gateway."""
    monkeypatch.setattr(inquiry, "ANSWER_SECONDS", 0.5)
    way.tamper = after_login(lambda chunk: (b"", True))
    with pytest.raises(UpstreamError, match="in time"):
        answers(server, "SELECT 1", way.port)
