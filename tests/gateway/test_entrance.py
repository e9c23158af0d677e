"""Log-ins through a running gateway of two workers: former passwords, and too many wrong ones."""

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from tests.gateway.conftest import DATABASE
from tests.gateway.serving import configuration, logged, workers

from strongroom.testing.gateway import Gateway
from strongroom.testing.raw_client import SECONDS, RawClient
from strongroom.testing.servers import PostgresServer
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres.codec import message

LOCKED_AFTER = 5


@pytest.fixture(scope="module")
def locking(shop: PostgresServer) -> Iterator[Gateway]:
    """Two workers, accounts whose passwords are in the state, and a lock after five wrong tries."""

    def first(gateway: Gateway) -> None:
        read = configuration(gateway)
        read["accounts"] |= {
            name: {"databases": [DATABASE]} for name in ("rotated", "ended", "guessed", "other")
        }
        gateway.configure(read | {"login": {"failures": LOCKED_AFTER}})
        for name in read["accounts"]:
            if name != gateway.account.name:
                gateway.set_password(name, "first")

    with Gateway.start(shop, DATABASE, workers=2, first=first) as running:
        yield running


def logs_in(gateway: Gateway, user: str, password: str, source: str = "127.0.0.1") -> bool:
    """Whether this is let in from this address of loopback; else it hears what everyone hears."""
    with closing(socket.create_connection(("127.0.0.1", gateway.port), SECONDS, (source, 0))) as sock:
        client = RawClient(sock)
        client.start(user, DATABASE)
        scram, first = client.begin_scram(password)
        client.send(message(b"p", scram.final(first)))
        tag, body = client.receive()
        if tag != "E":
            return True
        fields = m.ErrorResponse.parse(body).fields
        assert (fields["C"], fields["M"]) == ("28P01", "strongroom: login refused [login-refused]")
        return False


# ------------------------------------------------------------------------------- former passwords


def test_a_former_password_counts_for_its_time(locking: Gateway) -> None:
    """With a real driver, in both workers; and its use is in the log."""
    locking.set_password("rotated", "second", "--keep-old", "24h")
    for _ in range(4):
        for word in ("first", "second"):
            with psycopg.connect(locking.uri("rotated", word)) as db:
                assert db.execute("SELECT 1").fetchone() == (1,)
    used = logged(locking, "a former password was used")
    assert [line["account"] for line in used] == ["rotated"] * 4
    assert not logs_in(locking, "rotated", "third")


def test_after_its_time_it_is_a_wrong_one(locking: Gateway) -> None:
    """The new one goes on."""
    locking.set_password("ended", "second", "--keep-old", "24h")
    assert logs_in(locking, "ended", "first")
    with closing(sqlite3.connect(locking.folder / "state" / "state.db")) as db, db:
        db.execute("UPDATE former_passwords SET until = datetime('now', '-1 second') WHERE account = 'ended'")
    assert not logs_in(locking, "ended", "first")
    assert logs_in(locking, "ended", "second")


# ------------------------------------------------------------------------------- too many wrong ones


def test_too_many_wrong_tries_lock_one_account_from_one_source(locking: Gateway) -> None:
    """In all workers; a right password then hears what a wrong one hears, and elsewhere nothing changes."""
    tries = [logs_in(locking, "guessed", "wrong", "127.0.0.2") for _ in range(LOCKED_AFTER)]
    assert not any(tries)
    assert not any(logs_in(locking, "guessed", "first", "127.0.0.2") for _ in range(6))
    assert logs_in(locking, "guessed", "first")
    assert logs_in(locking, "other", "first", "127.0.0.2")
    (line,) = logged(locking, "log-ins are locked")
    assert (line["account"], line["source"]) == ("guessed", "127.0.0.2")
    assert len(workers(locking)) == 2
    assert "wrong" not in Path(locking.log).read_text()


def test_who_began_before_the_lock_gains_nothing(locking: Gateway) -> None:
    """A try counts when it is decided: of many that begin at once no more are looked at."""
    clients = []
    for word in ["wrong"] * 12 + ["first"]:
        sock = socket.create_connection(("127.0.0.1", locking.port), SECONDS, ("127.0.0.3", 0))
        client = RawClient(sock)
        client.start("guessed", DATABASE)
        clients.append((client, *client.begin_scram(word)))
    *wrong, right = clients
    for some in (wrong, [right]):
        for client, scram, challenge in some:
            client.send(message(b"p", scram.final(challenge)))
        for client, *_ in some:
            with client:
                assert client.error()["C"] == "28P01"


def test_an_unknown_account_is_locked_too(locking: Gateway) -> None:
    """So a lock does not tell who exists."""
    for _ in range(LOCKED_AFTER + 1):
        assert not logs_in(locking, "nobody", "wrong", "127.0.0.4")
    assert "nobody" in [line["account"] for line in logged(locking, "log-ins are locked")]
