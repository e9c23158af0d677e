"""What people and commands do, in the log of a real gateway: while it runs, while none does, and killed."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psycopg
import pyotp
import pytest
import yaml
from sqlalchemy import text
from tests.audit.test_log import contents
from tests.gateway.serving import configuration, logged
from tests.gateway.test_recorder import ORIGIN, is_held, stopped

from strongroom.audit.records.changes import AccountChanged, AccountDeed, KeyChanged, KeyDeed
from strongroom.audit.records.codes import Record
from strongroom.audit.records.reading import read
from strongroom.audit.records.running import ClockTurnedBack, CommandRun, Gap, Job, JobTurned, Loss
from strongroom.audit.records.sessions import UNKNOWN_USER, LoginFailed, Refusal, SignedIn
from strongroom.audit.records.shared import Holder, Result
from strongroom.config import StateAddress
from strongroom.deeds.listing import DeedList
from strongroom.deeds.whose import administrator
from strongroom.errors import ServerFailed
from strongroom.state import State, open_state
from strongroom.testing.gateway import Gateway
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until

NOTE, PHONE = "public.people.note", "public.people.phone"
COLUMNS = {NOTE: {"type": "text", "encryption": "randomized"}}
TABLE = """
CREATE TABLE people (id int PRIMARY KEY, note bytea, phone text);
INSERT INTO people (id, phone) VALUES (1, '0301234567'), (2, '0307654321');
"""
WORDS, WRONG, CODE = "correct horse battery staple", "not-her-password", "000000"
SECRETS = [WORDS, WRONG, "0301234567", "0307654321"]


def audited(gateway: Gateway) -> None:
    """With an audit log, a person, and an account without a password."""
    found = configuration(gateway)
    found["accounts"]["late"] = {"databases": ["deeds"]}
    gateway.configure(
        found
        | {
            "audit": {"log": "audit", "origin": ORIGIN},
            "people": {"anna": {"databases": ["deeds"]}},
            "login": {"failures": 5},
        }
    )


@pytest.fixture
def gateway(postgres: PostgresServer) -> Iterator[Gateway]:
    """With a protected column, a person to come, and an audit log."""
    postgres.create_database("deeds")
    postgres.run(TABLE, "deeds")
    with Gateway.start(postgres, "deeds", more={"columns": COLUMNS}, first=audited) as running:
        yield running
    postgres.run("DROP DATABASE deeds WITH (FORCE)", "postgres")


def opened(gateway: Gateway) -> State:
    return open_state(StateAddress(gateway.folder / "state" / "state.db"))


def in_state(gateway: Gateway, statement: str) -> int:
    """What somebody does who has the file: rows that it was done to."""
    state = opened(gateway)
    with state.engine.begin() as connection:
        count = connection.execute(text(statement)).rowcount
    state.close()
    return count


def waiting(gateway: Gateway) -> int:
    """Deeds that are not in the log."""
    state = opened(gateway)
    with state.engine.begin() as connection:
        found = len(DeedList(ORIGIN).untaken(connection).records)
    state.close()
    return found


def records(gateway: Gateway) -> list[Any]:
    """All that is in the log of a gateway that was stopped; with nothing secret in any file of it."""
    octets = b"".join(one.read_bytes() for one in (gateway.folder / "audit").rglob("*") if one.is_file())
    assert not [one for one in SECRETS if one.encode() in octets]
    return [read(one) for one in contents(gateway.folder / "audit")]


def of(kind: type[Record], found: list[Any]) -> list[Any]:
    return [one for one in found if isinstance(one, kind)]


def do_everything(gateway: Gateway) -> None:
    """A deed of each kind."""
    added = gateway.command("people", "add", "anna", typed=f"{WORDS}\n")
    secret = pyotp.parse_uri(next(one for one in added.split() if one.startswith("otpauth:"))).secret
    SECRETS.append(secret)
    code = pyotp.TOTP(secret).now()
    gateway.command("login", "--as", "anna", typed=f"{WORDS}\n{code}\n")
    with pytest.raises(ServerFailed):
        gateway.command("login", "--as", "anna", typed=f"{WRONG}\n{CODE}\n")
    gateway.command("keys", "rotate", NOTE, "--reencrypt", "--no-wait")
    before = configuration(gateway)
    columns = {**COLUMNS, PHONE: {"type": "text", "encryption": "randomized"}}
    after = yaml.safe_load(yaml.safe_dump(before))
    after["databases"]["deeds"]["columns"] = columns
    gateway.configure(after)
    gateway.command("protect", PHONE)
    gateway.command("unprotect", PHONE)
    gateway.configure(before)


def is_everything(found: list[Any]) -> None:
    """Each once, by whoever ran it."""
    me = administrator()
    assert [(one.deed, one.user, one.doer) for one in of(AccountChanged, found)] == [
        (AccountDeed.ADDED, "anna", me)
    ]
    assert [(one.user, one.kind, one.address) for one in of(SignedIn, found)] == [
        ("anna", Holder.PERSON, "127.0.0.1")
    ]
    assert [(one.user, one.refusal) for one in of(LoginFailed, found)] == [("anna", Refusal.PROOF)]
    rotated = [one for one in of(KeyChanged, found) if one.deed is KeyDeed.ROTATED]
    assert [(one.subject, one.doer) for one in rotated] == [(f"deeds/{NOTE}", me)]
    jobs = of(JobTurned, found)
    assert [(one.job, one.column, one.rows, one.doer) for one in jobs] == [
        (Job.ROTATE_BEGAN, NOTE, 0, me),
        (Job.ROTATE_ENDED, NOTE, 0, me),
        (Job.PROTECT_BEGAN, PHONE, 0, me),
        (Job.PROTECT_ENDED, PHONE, 2, me),
        (Job.UNPROTECT_BEGAN, PHONE, 0, me),
        (Job.UNPROTECT_ENDED, PHONE, 2, me),
    ]
    ran = [(one.command, one.exit) for one in of(CommandRun, found)]
    commands = ("people add", "keys rotate", "protect", "unprotect")
    assert ran == [(one, status) for one in commands for status in (None, 0)]
    assert not of(Gap, found)


def test_while_it_runs(gateway: Gateway) -> None:
    """It is in the log within seconds, each once, and in the state no more; a search shows it."""
    do_everything(gateway)
    wait_until(lambda: waiting(gateway) == 0, "all is in the log")
    stopped(gateway)
    is_everything(records(gateway))
    shown = gateway.command("audit", "search", "--person", administrator().name)
    assert all(one in shown for one in ("command.run", "protect.ended", "account.added", "2 rows", "exit 0"))
    gateway.launch()
    stopped(gateway)
    is_everything(records(gateway))


def test_while_none_runs(gateway: Gateway) -> None:
    """The next start finds it; the times are those of the deeds."""
    stopped(gateway)
    do_everything(gateway)
    with pytest.raises(AssertionError):
        is_everything(records(gateway))
    gateway.launch()
    wait_until(lambda: waiting(gateway) == 0, "all is in the log")
    stopped(gateway)
    found = records(gateway)
    is_everything(found)
    times = [one.head.time for one in found]
    assert times != sorted(times)  # the start was recorded before what had been done before it
    assert not of(ClockTurnedBack, found)


def test_killed_right_after_a_command(gateway: Gateway) -> None:
    """Nothing is lost: what the log does not have is found at the next start."""
    for number in range(2):
        gateway.command("password", "late", *(("--keep-old", "1h") if number else ()), typed=f"{WORDS}\n")
        gateway.signal(signal.SIGKILL)
        assert gateway.wait() == -signal.SIGKILL
        wait_until(lambda: not is_held(gateway.folder / "audit"), "the recorder has ended")
        gateway.launch()
    wait_until(lambda: waiting(gateway) == 0, "all is in the log")
    stopped(gateway)
    found = records(gateway)
    changed = {(one.head.process, one.head.sequence): one.deed for one in of(AccountChanged, found)}
    assert list(changed.values()) == [AccountDeed.ADDED, AccountDeed.PASSWORD_CHANGED]
    ran = {(one.head.process, one.head.sequence) for one in of(CommandRun, found)}
    assert len(ran) == 4


def test_a_command_that_was_killed(gateway: Gateway) -> None:
    """Shows as one that began and has no end."""
    command = [sys.executable, "-m", "strongroom", "people", "add", "anna", "--config"]
    running = subprocess.Popen(
        [*command, str(gateway.configuration)], stdin=subprocess.PIPE, env=dict(gateway.environment)
    )
    begun = "UPDATE deed_lists SET number = number WHERE number = 1"
    wait_until(lambda: in_state(gateway, begun) == 1, "it has begun")
    running.kill()
    running.communicate()
    wait_until(lambda: waiting(gateway) == 0, "it is in the log")
    stopped(gateway)
    assert [(one.command, one.result) for one in of(CommandRun, records(gateway))] == [
        ("people add", Result.UNKNOWN)
    ]


def test_what_was_taken_out_of_the_list(gateway: Gateway) -> None:
    """Is missed, and counted; and a clock that says less than it did is recorded."""
    stopped(gateway)
    gateway.command("people", "add", "anna", typed=f"{WORDS}\n")
    assert in_state(gateway, "DELETE FROM deeds WHERE number = 2") == 1
    ahead = 4_000_000_000_000
    assert in_state(gateway, f"UPDATE deed_lists SET clock = {ahead}, left_out = 3") == 1
    gateway.launch()
    wait_until(lambda: waiting(gateway) == 0, "all is in the log")
    stopped(gateway)
    found = records(gateway)
    assert [(one.loss, one.lost) for one in of(Gap, found)] == [(Loss.REMOVED, 1), (Loss.OVERLOADED, 3)]
    assert not of(AccountChanged, found)
    assert len(of(CommandRun, found)) == 2
    (turned,) = of(ClockTurnedBack, found)
    assert turned.former == ahead
    assert logged(gateway, "the clock was turned back")


def test_who_tries_too_often_at_the_gateway(gateway: Gateway) -> None:
    """The lock is recorded, with the address; of a name that nobody has, without the name."""
    for name in ("app", "a-typed-password"):
        for _ in range(5):
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(gateway.uri(name, "wrong"))
    stopped(gateway)
    found = records(gateway)
    assert [(one.deed, one.user, one.address) for one in of(AccountChanged, found)] == [
        (AccountDeed.LOCKED, "app", "127.0.0.1"),
        (AccountDeed.LOCKED, UNKNOWN_USER, "127.0.0.1"),
    ]
    assert "a-typed-password" not in str(found)
