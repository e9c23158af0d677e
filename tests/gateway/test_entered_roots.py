"""A gateway whose root people enter at its start: a reload asks nobody."""

import os
import pty
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
import yaml
from tests.gateway.serving import logged

from strongroom.keys.root.shamir import ShamirRoot
from strongroom.testing.gateway import Gateway
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until

DATABASE = "entered"
COLUMNS = {"public.people.email": {"type": "text", "encryption": "randomized"}}
WORDS = "correct horse battery staple"


@pytest.fixture
def entered(postgres: PostgresServer) -> Iterator[Gateway]:
    """A gateway that was started with a file's root, and is not running now."""
    database = postgres.create_database(DATABASE)
    postgres.run("CREATE TABLE people (id int PRIMARY KEY, email bytea)", database)
    with Gateway.start(postgres, database, more={"columns": COLUMNS}) as gateway:
        with psycopg.connect(gateway.uri(), autocommit=True) as db:
            db.execute("INSERT INTO people VALUES (1, 'ada@example')")
        gateway.shut_down()
        yield gateway


@contextmanager
def at_a_terminal(gateway: Gateway, *lines: str) -> Iterator[int]:
    """Starts it where these lines are entered; gives the process of the supervisor."""
    command = [sys.executable, "-m", "strongroom", "serve", "--config", str(gateway.configuration)]
    pid, keyboard = pty.fork()
    if pid == 0:
        log = os.open(gateway.log, os.O_WRONLY | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.execve(command[0], command, dict(gateway.environment))  # noqa: S606  # our own command line
    try:
        for line in lines:
            _prompted(keyboard)
            os.write(keyboard, f"{line}\n".encode())
        wait_until(gateway.is_ready, "the gateway serves")
        yield pid
    finally:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
        os.close(keyboard)


def _prompted(keyboard: int) -> None:
    shown = b""
    while not shown.endswith(b"root key: "):
        shown += os.read(keyboard, 100)


def email(gateway: Gateway) -> object:
    with psycopg.connect(gateway.uri(), autocommit=True) as db:
        found = db.execute("SELECT email FROM people WHERE id = 1").fetchone()
    return found and found[0]


def configured(gateway: Gateway, **keys: str) -> None:
    configuration = yaml.safe_load(gateway.configuration.read_text())
    gateway.configure(configuration | {"keys": keys})


def reloaded(gateway: Gateway, pid: int, event: str) -> None:
    before = len(logged(gateway, event))
    os.kill(pid, signal.SIGHUP)
    wait_until(lambda: len(logged(gateway, event)) > before, "the reload")


def test_a_passphrase_is_entered_once(entered: Gateway) -> None:
    """A reload opens the root with the one from the start; it stands in no log."""
    configured(entered, root="file:keys/root.key", second_root="passphrase:")
    with at_a_terminal(entered, WORDS) as pid:
        reloaded(entered, pid, "configuration accepted")
    configured(entered, root="passphrase:")
    with at_a_terminal(entered, WORDS) as pid:
        reloaded(entered, pid, "configuration accepted")
        assert email(entered) == "ada@example"
    assert WORDS not in entered.log.read_text()


def test_shares_are_entered_once(entered: Gateway) -> None:
    """The keepers need not come for a reload; for another set, which nobody entered, they must."""
    root, shares = ShamirRoot.make(count=2, threshold=2)
    address = root.name.replace(" ", ":")
    configured(entered, root="file:keys/root.key", second_root=address)
    with at_a_terminal(entered, *(share.danger_text() for share in shares)) as pid:
        reloaded(entered, pid, "configuration accepted")
        configured(entered, root="shamir:00000007")
        reloaded(entered, pid, "configuration refused, the old one stays")
        [refused] = logged(entered, "configuration refused, the old one stays")
        assert "nobody is asked now" in refused["why"]
        assert email(entered) == "ada@example"
    log = entered.log.read_text()
    assert not any(share.danger_text() in log for share in shares)
