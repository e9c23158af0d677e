"""Workers, their limits and their deaths, signals and cancels: a running gateway of several processes."""

import os
import select
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
import pytest
from tests.gateway.serving import (
    configuration,
    connections,
    go_on,
    health,
    is_alive,
    logged,
    logged_in,
    stop,
    workers,
)

from strongroom.errors import ServerFailed
from strongroom.testing.gateway import Gateway
from strongroom.testing.raw_client import RawClient
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until
from strongroom.wire.postgres import messages as m


def gone(pid: int) -> bool:
    return not is_alive(pid)


def answers(client: RawClient) -> bool:
    return [tag for tag, _ in client.ask("SELECT 1")] == ["T", "D", "C", "Z"]


@contextmanager
def only(gateway: Gateway, index: int) -> Iterator[None]:
    """While this lasts, only one worker moves: it accepts what comes."""
    others = [pid for i, pid in enumerate(workers(gateway)) if i != index]
    for pid in others:
        stop(pid)
    try:
        yield
    finally:
        for pid in others:
            go_on(pid)


@contextmanager
def accepted_by(gateway: Gateway, index: int) -> Iterator[RawClient]:
    """A connection that this worker has accepted, and that has said nothing yet that counts."""
    with only(gateway, index):
        one = RawClient.connect(gateway.port)
        assert one.ask_for(m.SSL_REQUEST) == b"N"
    with one:
        yield one


def is_running(shop: PostgresServer, name: str) -> bool:
    with shop.connect() as db:
        found = db.execute(
            "SELECT 1 FROM pg_stat_activity WHERE application_name = %s AND state = 'active'"
            " AND wait_event = 'PgSleep'",
            [name],
        ).fetchone()
    return found is not None


# -------------------------------------------------------------------------------------------- cancel


@pytest.mark.parametrize("version", [m.PROTOCOL_3_0, m.PROTOCOL_3_2])
@pytest.mark.parametrize("accepting", [0, 1])
def test_a_cancel_finds_its_session_whichever_worker_accepts_it(
    gateway: Gateway, shop: PostgresServer, version: int, accepting: int
) -> None:
    """The session is in the first worker, the request comes to the first or the second."""
    with only(gateway, 0):
        client = logged_in(gateway, version, application_name="sleeper")
    assert client.key is not None
    assert len(client.key.secret_key) == (32 if version == m.PROTOCOL_3_2 else 4)
    with client:
        client.send(m.Query("SELECT pg_sleep(60)").serialise())
        wait_until(lambda: is_running(shop, "sleeper"), "the statement runs")
        with accepted_by(gateway, accepting) as canceller:
            canceller.send(client.cancel_request())
            assert canceller.is_closed()
        assert client.error()["C"] == "57014"
        client.until("Z")
        assert answers(client)


def test_a_cancel_s_connection_ends_when_the_database_was_told(
    gateway: Gateway, shop: PostgresServer
) -> None:
    """It stays open for as long as the session's own worker has not acted: nothing later can be hit."""
    with only(gateway, 0):
        client = logged_in(gateway, application_name="late")
    client.send(m.Query("SELECT pg_sleep(60)").serialise())
    wait_until(lambda: is_running(shop, "late"), "the statement runs")
    with client, accepted_by(gateway, 1) as canceller:
        with only(gateway, 1):
            canceller.send(client.cancel_request())
            readable, _, _ = select.select([canceller.socket, client.socket], [], [], 0.5)
            assert readable == []
        assert canceller.is_closed()
        assert client.error()["C"] == "57014"
        client.until("Z")
        assert answers(client)


def test_a_cancel_ends_too_when_the_worker_that_should_act_dies(shop: PostgresServer) -> None:
    """Nobody is left to tell: the client that cancels does not hang."""
    with Gateway.start(shop, "shop", workers=2) as gateway:
        with only(gateway, 0):
            client = logged_in(gateway)
        with client, accepted_by(gateway, 1) as canceller:
            first, _ = workers(gateway)
            stop(first)
            canceller.send(client.cancel_request())
            os.kill(first, signal.SIGKILL)
            assert canceller.is_closed()


@pytest.mark.parametrize("wrong", ["process", "key", "shorter", "longer"])
def test_a_cancel_with_a_wrong_key_does_nothing(gateway: Gateway, shop: PostgresServer, wrong: str) -> None:
    """Process and key must both be right, in their whole length; nobody is told which was wrong."""
    with logged_in(gateway, application_name="unmoved") as client:
        assert client.key is not None
        process, key = client.key.process_id, client.key.secret_key
        request = {
            "process": m.CancelRequest(process ^ 1, key),
            "key": m.CancelRequest(process, bytes(len(key))),
            "shorter": m.CancelRequest(process, key[:4]),
            "longer": m.CancelRequest(process, key + b"x"),
        }[wrong]
        client.send(m.Query("SELECT pg_sleep(0.3)").serialise())
        wait_until(lambda: is_running(shop, "unmoved"), "the statement runs")
        with RawClient.connect(gateway.port) as canceller:
            canceller.send(request.serialise())
            assert canceller.is_closed()
        assert [tag for tag, _ in client.until("Z")] == ["T", "D", "C", "Z"]


def test_psycopg_cancels(gateway: Gateway, shop: PostgresServer) -> None:
    """As a user's Ctrl-C does."""
    with psycopg.connect(gateway.uri(application_name="interrupted"), autocommit=True) as db:

        def interrupt() -> None:
            wait_until(lambda: is_running(shop, "interrupted"), "the statement runs")
            db.cancel_safe()

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            db.execute("SELECT pg_sleep(60)")
        thread.join()
        assert db.execute("SELECT 1").fetchone() == (1,)


# -------------------------------------------------------------------------------------------- limits


def refusal(gateway: Gateway, user: str = "app") -> str:
    with pytest.raises(psycopg.OperationalError) as caught:
        psycopg.connect(gateway.uri(user)).close()
    return str(caught.value)


def reload(gateway: Gateway, settings: dict[str, Any]) -> None:
    """Give both workers new settings."""
    before = len(logged(gateway, "configuration reloaded"))
    gateway.configure(settings)
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: len(logged(gateway, "configuration reloaded")) == before + 2, "both have reloaded")


def test_connections_are_limited_over_all_workers(shop: PostgresServer) -> None:
    """In all, and for each account; it does not matter which worker has them; who leaves makes room."""
    limits = {"connections": 3, "connections_per_account": 2}
    with Gateway.start(shop, "shop", workers=2, limits=limits) as gateway, ExitStack() as open_ones:
        reload(gateway, _with_another_account(configuration(gateway)))
        for index in (0, 1):
            with only(gateway, index):
                open_ones.enter_context(logged_in(gateway))
        for index in (0, 1):
            with only(gateway, index):
                assert "limits.connections_per_account` is reached" in refusal(gateway)
        open_ones.enter_context(psycopg.connect(gateway.uri("other")))
        for index in (0, 1):
            with only(gateway, index):
                assert "limits.connections` is reached" in refusal(gateway, "other")
        assert connections(gateway) == 3
        open_ones.close()
        wait_until(lambda: connections(gateway) == 0, "the places are free again")
        logged_in(gateway).socket.close()


def _with_another_account(settings: dict[str, Any]) -> dict[str, Any]:
    return settings | {"accounts": {"app": settings["accounts"]["app"], "other": settings["accounts"]["app"]}}


# ------------------------------------------------------------------------------------------- reload


def test_a_reload_keeps_sessions_and_a_bad_file_changes_nothing(gateway: Gateway) -> None:
    """The new settings hold for new sessions; a file with a mistake is refused, the old settings stay."""
    with logged_in(gateway) as client:
        before = workers(gateway)
        good = configuration(gateway)
        gateway.configuration.write_text("databases: [oh")
        gateway.signal(signal.SIGHUP)
        wait_until(lambda: logged(gateway, "configuration refused, the old one stays"), "the refusal")
        logged_in(gateway).socket.close()
        reload(gateway, good | {"accounts": {}})
        assert "login-refused" in refusal(gateway)
        assert answers(client)
        reload(gateway, good)
        logged_in(gateway).socket.close()
        assert answers(client)
        assert workers(gateway) == before


def test_workers_take_what_the_supervisor_has_checked(gateway: Gateway) -> None:
    """A file that is changed while it is being reloaded is not read a second time."""
    good = configuration(gateway)
    accepted = len(logged(gateway, "configuration accepted"))
    reloaded = len(logged(gateway, "configuration reloaded"))
    refused = len(logged(gateway, "configuration refused, the old one stays"))
    pids = workers(gateway)
    for pid in pids:
        stop(pid)
    gateway.configure(good | {"accounts": {}})
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: len(logged(gateway, "configuration accepted")) > accepted, "it is checked")
    gateway.configuration.write_text("databases: [oh")
    for pid in pids:
        go_on(pid)
    wait_until(lambda: len(logged(gateway, "configuration reloaded")) == reloaded + 2, "both have it")
    assert len(logged(gateway, "configuration refused, the old one stays")) == refused
    assert "login-refused" in refusal(gateway)
    reload(gateway, good)


# ------------------------------------------------------------------------------------- SIGTERM drains


def test_draining_lets_a_transaction_finish(shop: PostgresServer) -> None:
    """Idle sessions are told to go, nobody listens, a transaction may end; then the process exits with 0."""
    shop.run("DROP TABLE IF EXISTS drained; CREATE TABLE drained (n int)", "shop")
    with Gateway.start(shop, "shop", workers=2) as gateway:
        with logged_in(gateway) as idle, logged_in(gateway) as busy:
            busy.ask("BEGIN; INSERT INTO drained VALUES (1)")
            gateway.signal(signal.SIGTERM)
            error = idle.error()
            assert (error["V"], error["C"]) == ("FATAL", "57P01")
            assert idle.is_closed()
            assert health(gateway, "/readyz")[0] == 503
            wait_until(lambda: not accepts(gateway.port), "nobody listens any more")
            with socket.create_server(("127.0.0.1", gateway.port)):  # another gateway takes over
                busy.ask("INSERT INTO drained VALUES (2)")
                assert busy.ask("COMMIT")[0].body == b"COMMIT\0"
                assert busy.error()["C"] == "57P01"
                assert busy.is_closed()
        assert gateway.wait() == 0
    with shop.connect("shop") as db:
        assert db.execute("SELECT n FROM drained ORDER BY n").fetchall() == [(1,), (2,)]


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_draining_has_an_end(shop: PostgresServer) -> None:
    """A transaction that does not end is cut off after drain_seconds, and PostgreSQL rolls it back."""
    with Gateway.start(shop, "shop", limits={"drain_seconds": 0.5}) as gateway:
        with logged_in(gateway) as client:
            client.ask("BEGIN; CREATE TABLE undone (n int)")
            gateway.signal(signal.SIGTERM)
            assert client.is_closed()
        assert gateway.wait() == 0
    with shop.connect("shop") as db:
        assert db.execute("SELECT to_regclass('undone')").fetchone() == (None,)


# ------------------------------------------------------------------------------------------- deaths


def test_a_killed_worker_is_replaced_and_the_others_go_on(shop: PostgresServer) -> None:
    """Its sessions break, its connections are no longer counted, and what was left unread does no harm.

    The new one serves under the settings that were accepted, whatever the file says by now.
    """
    with Gateway.start(shop, "shop", workers=2) as gateway:
        first, second = workers(gateway)
        with only(gateway, 0):
            lost = logged_in(gateway)
        with only(gateway, 1):
            kept = logged_in(gateway)
        assert connections(gateway) == 2
        stop(first)
        gateway.signal(signal.SIGHUP)  # the supervisor tells a worker that will never read it
        wait_until(lambda: logged(gateway, "configuration reloaded"), "the other worker has reloaded")
        gateway.configuration.write_text("databases: [oh")  # not what was accepted: no worker reads it
        os.kill(first, signal.SIGKILL)
        with lost, kept:
            assert lost.is_closed()
            wait_until(lambda: connections(gateway) == 1, "the lost session is no longer counted")
            wait_until(lambda: first not in workers(gateway), "the supervisor has buried the worker")
            wait_until(lambda: health(gateway)[1]["ready"] == 2, "a new worker is ready")
            assert second in workers(gateway)
            assert answers(kept)
            with only(gateway, workers(gateway).index(second) ^ 1), logged_in(gateway) as newer:
                assert answers(newer)


def test_workers_that_keep_dying_end_the_gateway(shop: PostgresServer) -> None:
    """Starting again for ever would hide the fault: the gateway gives up, with a status that says so."""
    with Gateway.start(shop, "shop") as gateway:
        killed: set[int] = set()

        def kill_one() -> bool:
            for pid in workers(gateway) if is_alive(gateway.pid) else []:
                if pid not in killed:
                    os.kill(pid, signal.SIGKILL)
                    killed.add(pid)
            return not is_alive(gateway.pid)

        wait_until(kill_one, "the gateway gives up", 30)
        assert gateway.wait() != 0
        assert len(killed) == 6
        assert "workers died within" in gateway.log.read_text()


def test_workers_end_when_their_supervisor_is_killed(shop: PostgresServer) -> None:
    """Nobody would count their connections any more; transactions may still end."""
    with Gateway.start(shop, "shop", workers=2) as gateway:
        pids = workers(gateway)
        with logged_in(gateway) as idle, logged_in(gateway) as busy:
            busy.ask("BEGIN")
            os.kill(gateway.pid, signal.SIGKILL)
            assert idle.error()["C"] == "57P01"
            assert busy.ask("COMMIT")[0].body == b"COMMIT\0"
            assert busy.error()["C"] == "57P01"
        for pid in pids:
            wait_until(lambda pid=pid: gone(pid), "the worker ends")  # type: ignore[misc]  # bound at once


# ------------------------------------------------------------------------------------- starting, health


def test_health_and_readiness(gateway: Gateway) -> None:
    """Two endpoints, a count, and nothing else."""
    with logged_in(gateway):
        state = {"workers": 2, "alive": 2, "ready": 2, "draining": False, "connections": 1}
        wait_until(lambda: connections(gateway) == 1, "no session of another test is counted")
        assert health(gateway) == (200, state)
        assert health(gateway, "/readyz") == (200, state)
        assert health(gateway, "/else")[0] == 404


def test_an_address_that_is_taken(shop: PostgresServer) -> None:
    """The gateway does not start, and says which address it was."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ServerFailed) as caught:
            Gateway.start(shop, "shop", more={"listen": address})
        assert f"cannot listen on {address}" in caught.value.detail
