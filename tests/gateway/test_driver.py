"""Limits, slow sides and slow upstreams: what one session may use, seen on a running gateway."""

import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from tests.gateway.serving import connections, logged_in, resident, workers

from strongroom.testing.gateway import Gateway
from strongroom.testing.raw_client import Ended, RawClient
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres.codec import message

LIMITS = {
    "startup_packet_bytes": 300,
    "message_bytes": 65_536,
    "login_seconds": 2,
    "idle_seconds": 2,
    "statements_per_session": 3,
    "buffer_bytes": 65_536,
}
ROOM = 16 << 20
"""How much the gateway may grow while one side does not take what the other sends."""


@pytest.fixture(scope="module")
def limited(shop: PostgresServer) -> Iterator[Gateway]:
    """A gateway with low limits."""
    with Gateway.start(shop, "shop", limits=LIMITS) as running:
        yield running


# ------------------------------------------------------------------------------------------- limits


def test_a_start_up_packet_over_the_limit(limited: Gateway) -> None:
    """Nothing of it is kept, and nothing answered."""
    with RawClient.connect(limited.port) as client:
        client.start("app", "shop", application_name="x" * 300)
        assert client.is_closed()


def test_a_message_over_the_limit(limited: Gateway) -> None:
    """The limit's name is in the answer."""
    with logged_in(limited) as client:
        client.send(b"Q" + (65_537).to_bytes(4))
        error = client.error()
        assert (error["V"], error["C"]) == ("FATAL", "54000")
        assert "limits.message_bytes" in error["H"]
        assert client.is_closed()


def test_statements_over_the_limit(limited: Gateway) -> None:
    """The one too many is refused, the session and the others stay."""
    with psycopg.connect(limited.uri(), autocommit=True, prepare_threshold=0) as db:
        for number in range(3):
            assert db.execute(f"SELECT {number}").fetchone() == (number,)
        with pytest.raises(psycopg.Error, match="statement-limit"):
            db.execute("SELECT 3")
        assert db.execute("SELECT 1").fetchone() == (1,)
        db.execute("DEALLOCATE ALL", prepare=False)


def test_the_time_to_log_in(limited: Gateway) -> None:
    """Who says nothing is hung up on; who stops half way is told why."""
    with RawClient.connect(limited.port) as silent, RawClient.connect(limited.port) as slow:
        slow.start("app", "shop")
        slow.begin_scram("guess")
        assert slow.error()["C"] == "57P05"
        assert slow.is_closed()
        assert silent.is_closed()


def test_idle_time(limited: Gateway) -> None:
    """An idle session ends; one in a transaction does not."""
    with logged_in(limited) as idle, logged_in(limited) as busy:
        busy.ask("BEGIN")
        error = idle.error()
        assert (error["V"], error["C"]) == ("FATAL", "57P05")
        assert "idle_seconds" in error["M"]
        assert idle.is_closed()
        assert busy.ask("COMMIT")[0].body == b"COMMIT\0"


# ------------------------------------------------------------------------------------ back-pressure


def waits_for(shop: PostgresServer, name: str, event: str) -> bool:
    with shop.connect() as db:
        found = db.execute(
            "SELECT 1 FROM pg_stat_activity WHERE application_name = %s AND wait_event = %s", [name, event]
        ).fetchone()
    return found is not None


def test_a_client_that_stops_reading_slows_only_its_own_upstream(
    limited: Gateway, shop: PostgresServer
) -> None:
    """PostgreSQL itself waits for it, the gateway does not grow, and nothing is lost."""
    [worker] = workers(limited)
    with logged_in(limited, application_name="slow") as slow, logged_in(limited) as quick:
        before = resident(worker)
        slow.send(m.Query("SELECT repeat('x', 1000) FROM generate_series(1, 100000)").serialise())
        wait_until(lambda: waits_for(shop, "slow", "ClientWrite"), "PostgreSQL waits for the client")
        assert resident(worker) - before < ROOM
        assert [tag for tag, _ in quick.ask("SELECT 1")] == ["T", "D", "C", "Z"]
        row = len(message(b"D", b"\0\1\0\0\0\0" + b"x" * 1000))
        assert read_all(slow.socket, b"Z\0\0\0\5I") > 100_000 * row
        assert resident(worker) - before < ROOM


def read_all(sock: socket.socket, end: bytes) -> int:
    count, tail = 0, b""
    while not tail.endswith(end):
        got = sock.recv(1 << 20)
        assert got
        count, tail = count + len(got), (tail + got)[-len(end) :]
    return count


def test_an_upstream_that_stops_reading_slows_only_its_own_client(
    limited: Gateway, shop: PostgresServer
) -> None:
    """COPY data that PostgreSQL does not take yet stays with the client, not in the gateway."""
    [worker] = workers(limited)
    with held(shop), logged_in(limited) as client:
        before = resident(worker)
        copy_until_held(client)
        assert resident(worker) - before < ROOM


@contextlib.contextmanager
def held(shop: PostgresServer) -> Iterator[None]:
    """A table ``held`` that takes no row while this lasts."""
    shop.run(
        "DROP TABLE IF EXISTS held; CREATE TABLE held (t text);"
        "CREATE OR REPLACE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NEW; END $$;"
        "CREATE TRIGGER hold BEFORE INSERT ON held FOR EACH ROW EXECUTE FUNCTION hold()",
        "shop",
    )
    with shop.connect("shop") as holder:
        holder.execute("SELECT pg_advisory_lock(7)")
        yield


def copy_until_held(client: RawClient) -> None:
    """Send COPY data until nobody takes any more."""
    line = message(b"d", b"x" * 999 + b"\n")
    client.send(m.Query("COPY held FROM STDIN").serialise())
    client.until("G")
    client.socket.settimeout(1)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < 500_000:
            client.socket.sendall(line * 50)
            sent += 50
    assert sent < 500_000


def test_a_client_that_breaks_off_is_noticed_while_it_is_not_read(
    limited: Gateway, shop: PostgresServer
) -> None:
    """Its place is free again although its upstream still takes nothing."""
    with held(shop):
        with logged_in(limited) as client:
            copy_until_held(client)
            assert connections(limited) == 1
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wait_until(lambda: connections(limited) == 0, "the place is free again")


# ------------------------------------------------------------------------------------------- fairness


def test_a_storm_of_messages_takes_little_room(limited: Gateway) -> None:
    """Of requests that nobody waits for, only so many are under way; the rest waits in the client."""
    [worker] = workers(limited)
    with logged_in(limited) as client:
        client.send(m.Parse("s", "SELECT 1").serialise() + m.SYNC)
        client.until("Z")
        before = resident(worker)
        storm = m.Target("S", "s").describe() * 200_000 + m.SYNC
        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(client.socket.sendall, storm)
            answered = sum(tag == "T" for tag, _ in client.until("Z"))
            sending.result()
        assert answered == 200_000
        assert resident(worker) - before < ROOM


# ------------------------------------------------------------------------------------ slow upstream


def test_an_upstream_that_never_answers(shop: PostgresServer) -> None:
    """The time to log in ends the wait; client and upstream are let go, and the place is free again."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(20)
        upstream = f"postgresql://u@127.0.0.1:{silent.getsockname()[1]}/shop?sslmode=require"
        limits = {"login_seconds": 1}
        with Gateway.start(shop, "shop", limits=limits, more={"upstream": upstream}) as gateway:
            with RawClient.connect(gateway.port) as client:
                with contextlib.suppress(TimeoutError):
                    client.start(gateway.account.name, "shop")
                    scram, said = client.begin_scram(gateway.account.password)
                    client.send(message(b"p", scram.final(said)))
                accepted, _ = silent.accept()
                with accepted:
                    accepted.settimeout(20)
                    assert client.error()["C"] == "57P05"
                    while accepted.recv(1000):
                        pass
            wait_until(lambda: connections(gateway) == 0, "the place is free again")


# ---------------------------------------------------------------------------------------------- soak


@pytest.mark.full
def test_many_sessions_with_random_ends(limited: Gateway, shop: PostgresServer) -> None:
    """Two thousand sessions that end in every way leave nothing behind: no place, no memory to speak of."""
    [worker] = workers(limited)
    grown = 0
    for round_ in range(2_000):
        client = logged_in(limited)
        kind = round_ % 5
        with client:
            if kind == 0:
                client.ask("SELECT 1")
            elif kind == 1:
                client.send(m.Query("SELECT generate_series(1, 100000)").serialise())
                client.receive()
            elif kind == 2:
                client.send(os.urandom(50))
                with contextlib.suppress(Ended):
                    client.until("E")
            elif kind == 3:
                client.ask("BEGIN")
            else:
                client.send(m.TERMINATE)
        if round_ == 500:
            grown = resident(worker)
    wait_until(lambda: connections(limited) == 0, "all places are free again")
    assert resident(worker) - grown < ROOM
    with shop.connect() as db:
        count = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'shop'"
        wait_until(lambda: db.execute(count).fetchone() == (0,), "no session is left upstream")
