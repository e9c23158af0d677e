"""gateway/chronicle.py in the mode `sync`: what reaches the database was on the disk before, as an intent."""

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors
from tests.gateway.serving import connections, go_on, logged_in, stop, workers
from tests.gateway.test_chronicle import PHONE, SECRET, one_of, records, started
from tests.gateway.test_recorder import recorder

from strongroom.audit.records.reading import read
from strongroom.audit.records.running import Gap, ProcessTurned
from strongroom.audit.records.sessions import SessionClosed
from strongroom.audit.records.shared import Result
from strongroom.audit.records.statements import Denied, Ended, Intended, Permitted
from strongroom.testing.gateway import Gateway
from strongroom.testing.raw_client import RawClient
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until
from strongroom.wire.postgres import messages as m

INSERT = "INSERT INTO people VALUES (1, NULL, NULL)"
SLOW = 120.0
"""Seconds for a process to be started in place of one that was killed, or to end, on a busy machine."""
pytestmark = pytest.mark.timeout(600)  # where processes are started in place of others


@pytest.fixture
def gateway(postgres: PostgresServer) -> Iterator[Gateway]:
    """With a protected column, a masked one and an audit log in which statements are intended first."""
    yield from started(postgres, durability="sync")


def stopped(gateway: Gateway) -> None:
    gateway.signal(signal.SIGTERM)
    assert gateway.wait(SLOW) == 0


def joined(found: list[Any]) -> list[tuple[Intended, Ended | None]]:
    """Each statement that was intended, and its end; what is doubled or in the wrong order fails."""
    ends = {(one.client.session, one.statement): one for one in found if isinstance(one, Ended)}
    assert len(ends) == sum(isinstance(one, Ended) for one in found)
    places = {(type(one), one.client.session, one.statement): place for place, one in enumerate(found) if
              isinstance(one, Intended | Ended)}  # fmt: skip
    for _, session, statement in (one for one in places if one[0] is Ended):
        assert places[Intended, session, statement] < places[Ended, session, statement]
    intents = [one for one in found if isinstance(one, Intended)]
    assert len({(one.client.session, one.statement) for one in intents}) == len(intents)
    return [(one, ends.get((one.client.session, one.statement))) for one in intents]


def people(postgres: PostgresServer) -> set[int]:
    """The rows that the database has."""
    with psycopg.connect(postgres.uri("audited")) as owner:
        return {number for (number,) in owner.execute("SELECT id FROM people")}


def heard(gateway: Gateway) -> None:
    """Return once the worker has dealt with all that was sent to it before: a log-in takes several turns."""
    logged_in(gateway).socket.close()


@contextlib.contextmanager
def held(gateway: Gateway) -> Iterator[int]:
    """Inside, nothing comes to the disk."""
    paused = recorder(gateway)
    stop(paused)
    try:
        yield paused
    finally:
        with contextlib.suppress(ProcessLookupError):
            go_on(paused)


def test_each_statement_has_two_records(gateway: Gateway, postgres: PostgresServer) -> None:
    """Simple and prepared, in pipelines, COPY, portals in pieces, what fails and what is skipped then."""
    with psycopg.connect(gateway.uri(), autocommit=True) as client:
        client.execute("INSERT INTO people VALUES (%s, %s, %s)", (1, SECRET, PHONE))
        for _ in range(3):  # rounds, from the second one on
            client.execute("SELECT note FROM people WHERE id = %s", (1,), prepare=True).fetchall()
        with client.pipeline():
            for number in range(2, 22):
                client.execute("INSERT INTO people VALUES (%s, %s, NULL)", (number, SECRET))
        with client.cursor().copy("COPY people (id, note) FROM STDIN") as copy:
            for number in range(100, 105):
                copy.write_row((number, SECRET))
        with client.cursor().copy("COPY people (id, note) TO STDOUT") as copy:
            assert len(b"".join(map(bytes, copy)).splitlines()) == 26
        with pytest.raises(errors.UniqueViolation):
            client.execute("SELECT 1; INSERT INTO people VALUES (1, NULL, NULL); SELECT 2")
        with pytest.raises(errors.UniqueViolation):
            insert_in_pipeline(client, 200, 1, 201)
        with pytest.raises(errors.InsufficientPrivilege):
            client.execute("DELETE FROM people")
    with logged_in(gateway) as raw:
        raw.send(m.Parse("", "SELECT id FROM people WHERE id < 6").serialise())
        raw.send(m.Bind("p", "").serialise() + m.Execute("p", 2).serialise() * 3 + m.SYNC)
        assert "".join(tag for tag, _ in raw.until("Z")) == "12DDsDDsDCZ"
    stopped(gateway)
    found = records(gateway)
    assert not [one for one in found if isinstance(one, Permitted)]
    of_people = [(one, end) for one, end in joined(found) if "people" in one.plan.text]
    assert all(end is not None for _, end in joined(found))
    inserts = [end for one, end in of_people if one.plan.text == "INSERT INTO people VALUES ($1, ...)"]
    assert sum(end.outcome.rows for end in inserts if end) == 22  # the last of them was taken back
    copies = [end.outcome.rows for one, end in of_people if end and one.plan.text.startswith("COPY")]
    assert copies == [5, 26]
    pieces = [end.outcome.rows for one, end in of_people if end and "id < $1" in one.plan.text]
    assert pieces == [2, 2, 1]
    values = [end.outcome.values for one, end in of_people if end and one.plan.text.startswith("SELECT note")]
    assert values == [1, 1, 1]
    failed = [end for _, end in joined(found) if end and end.outcome.result is Result.FAILURE]
    assert [(end.outcome.sqlstate, end.code) for end in failed] == [
        ("23505", None),
        ("57014", "statement-not-run"),
        ("23505", None),
        ("57014", "statement-not-run"),
    ]
    assert one_of(found, Denied).code == "access-denied"
    closed = [one for one in found if isinstance(one, SessionClosed)]
    assert sum(one.statements for one in closed) == len(joined(found)) + 1
    started_ones = [one for one in found if isinstance(one, ProcessTurned)]
    assert {one.audit for one in started_ones} == {"sync, block"}
    for process in {one.head.process for one in found}:
        numbers = [one.head.sequence for one in found if one.head.process == process]
        assert sorted(numbers) == list(range(1, len(numbers) + 1))


def insert_in_pipeline(client: psycopg.Connection[Any], *numbers: int) -> None:
    with client.pipeline():
        for number in numbers:
            client.execute("INSERT INTO people VALUES (%s, NULL, NULL)", (number,))


def test_what_reads_the_log_counts_a_statement_once(gateway: Gateway) -> None:
    """Rows and values are those of its end; one without an end is found, too."""
    with psycopg.connect(gateway.uri(), autocommit=True) as client:
        client.execute("INSERT INTO people VALUES (%s, %s, %s)", (1, SECRET, PHONE))
        client.execute("SELECT note FROM people").fetchall()
        blocker = psycopg.connect(gateway.uri())
        blocker.execute("INSERT INTO people VALUES (2, NULL, NULL)")
        with logged_in(gateway) as raw:  # waits for the row of another's transaction, and dies so
            raw.send(m.Query("INSERT INTO people VALUES (2, NULL, NULL) RETURNING note").serialise())
            wait_until(partial(is_intended, gateway, "RETURNING note"), "its intent is on the disk")
            (worker,) = [pid for pid in workers(gateway) if pid != recorder(gateway) and is_worker(pid)]
            os.kill(worker, signal.SIGKILL)
        blocker.close()
    stopped(gateway)
    said = gateway.command("audit", "who-saw", "--column", "people.note")
    rows = [line.split() for line in said.splitlines()]
    (app,) = [row for row in rows if row[0] == "app"]
    assert app[5:8] == ["2", "1", "1"]  # statements, rows, values
    assert app[-1] == "1"  # unknown
    said = gateway.command("audit", "search", "--event", "statement.intended", "--table", "people")
    assert sum("statement.intended" in line for line in said.splitlines()) == 4
    tail = gateway.command("audit", "tail", "-n", "100")
    assert re.search(r"statement.ended .* statement \d+ of session [0-9a-f]{16} .*1 rows, 1 values", tail)
    month = re.search(r"\d{4}-\d{2}", tail)
    assert month is not None
    page = gateway.command("audit", "report", "--month", month[0])
    assert re.search(r"app.*people\.note.*revealed.*\b2\b.*\b1\b", page)


def is_worker(pid: int) -> bool:
    return b"strongroom.gateway.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()


def is_intended(gateway: Gateway, text: str) -> bool:
    return any(text in one.plan.text for one in written(gateway) if isinstance(one, Intended))


def written(gateway: Gateway) -> list[Any]:
    """What the journal of a running gateway has: all that was recorded in the last minute."""
    return [one for batch in batches(gateway) for one in batch]


def batches(gateway: Gateway) -> list[list[Any]]:
    """Each closed with a wait for the disk, or with others before one."""
    found: list[list[Any]] = [[]]
    for path in sorted((gateway.folder / "audit" / "journal").iterdir()):
        for line in path.read_bytes().splitlines():
            if line.startswith(b"= "):
                found.append([])
            else:
                found[-1].append(read(line.partition(b" ")[2]))
    return found[:-1]


@pytest.mark.parametrize("fatal", [False, True])
def test_nothing_reaches_the_database_without_a_recorder(
    gateway: Gateway, postgres: PostgresServer, *, fatal: bool
) -> None:
    """It holds still, or is killed: the statement runs once, when there is one again."""
    with logged_in(gateway) as client:
        client.ask("SELECT 1")
        with held(gateway) as paused:
            client.send(m.Query(INSERT).serialise())
            heard(gateway)
            assert people(postgres) == set()
            assert not running(postgres, "INSERT INTO")
            if fatal:
                os.kill(paused, signal.SIGKILL)
        client.socket.settimeout(SLOW)
        assert [tag for tag, _ in client.until("Z")] == ["C", "Z"]
    assert people(postgres) == {1}
    stopped(gateway)
    (pair,) = [(one, end) for one, end in joined(records(gateway)) if "INSERT" in one.plan.text]
    assert pair[1] is not None
    assert pair[1].outcome.rows == 1


def running(postgres: PostgresServer, text: str) -> bool:
    """Whether any other session of the database has been asked for such a thing last."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE %s AND pid <> pg_backend_pid()"
    with psycopg.connect(postgres.uri("audited")) as owner:
        row = owner.execute(query, (f"{text}%",)).fetchone()
        assert row is not None
        return bool(row[0])


EXTENDED = m.Parse("", INSERT).serialise() + m.Bind("", "").serialise() + m.Execute("").serialise() + m.SYNC


@pytest.mark.parametrize("asked", [m.Query(INSERT).serialise(), EXTENDED], ids=["simple", "extended"])
def test_a_statement_that_waits_can_be_cancelled(
    gateway: Gateway, postgres: PostgresServer, asked: bytes
) -> None:
    """The client hears of it at once, whether there is a recorder or not; the session goes on."""
    with logged_in(gateway) as client:
        client.ask("SELECT 1")
        with held(gateway):
            client.send(asked)
            heard(gateway)
            with RawClient.connect(gateway.port) as other:
                other.send(client.cancel_request())
                assert other.is_closed()
            assert client.error()["C"] == "57014"
            client.until("Z")
        assert [tag for tag, _ in client.ask("SELECT 1")] == ["T", "D", "C", "Z"]
    assert people(postgres) == set()
    stopped(gateway)
    assert ends_of_insert(gateway) == [(Result.FAILURE, "57014", "statement-not-run")]


def ends_of_insert(gateway: Gateway) -> list[tuple[Result, str, str | None]]:
    pairs = [(one, end) for one, end in joined(records(gateway)) if "INSERT" in one.plan.text]
    return [(end.outcome.result, end.outcome.sqlstate, end.code) for _, end in pairs if end is not None]


def test_a_client_that_leaves_while_it_waits(gateway: Gateway, postgres: PostgresServer) -> None:
    """Its statement is not sent, and recorded as such."""
    with held(gateway):
        with logged_in(gateway) as client:
            client.send(m.Query(INSERT).serialise())
            heard(gateway)
        wait_until(lambda: connections(gateway) == 0, "its session is over")
    stopped(gateway)
    assert people(postgres) == set()
    assert ends_of_insert(gateway) == [(Result.FAILURE, "57014", "statement-not-run")]


def test_where_it_is_allowed_statements_go_on(postgres: PostgresServer) -> None:
    """After some seconds; then at once, until the log has caught up, and a gap says so."""
    for gateway in started(postgres, durability="sync", unwritable="allow"):
        with psycopg.connect(gateway.uri(), autocommit=True) as client:
            with held(gateway):
                for number in range(1, 6):
                    client.execute("INSERT INTO people VALUES (%s, NULL, NULL)", (number,))
                assert people(postgres) == {1, 2, 3, 4, 5}
            wait_until(partial(has_gap, client, gateway), "the log has caught up")
        stopped(gateway)
        found = records(gateway)
        assert one_of(found, Gap).lost == 0
        assert len(ends_of_insert(gateway)) == 5


def has_gap(client: psycopg.Connection[Any], gateway: Gateway) -> bool:
    client.execute("SELECT id FROM people WHERE id = 1")
    return any(isinstance(one, Gap) for one in written(gateway))


def test_sessions_share_a_wait(gateway: Gateway) -> None:
    """What eight of them intend is brought to the disk with fewer waits."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(logged_in(gateway)) for _ in range(8)]
        for client in clients:
            client.ask("SELECT 1")
        with held(gateway):
            for client in clients:
                client.send(m.Query("SELECT 2 AS shared").serialise())
            heard(gateway)
        for client in clients:
            client.until("Z")
        waits = [sum(is_shared(one) for one in batch) for batch in batches(gateway)]
    assert sum(waits) == 8
    assert len([count for count in waits if count]) < 8


def is_shared(record: Any) -> bool:
    return isinstance(record, Intended) and "shared" in record.plan.text


ASKING = """\
import itertools, psycopg, sys
first = int(sys.argv[2])
with psycopg.connect(sys.argv[1], autocommit=True) as client:
    for number in itertools.count(first):
        text = f"INSERT INTO people VALUES (%s, NULL, NULL) RETURNING id AS row_{number}"
        client.execute(text, (number,), prepare=number % 3 > 0)
        print(number, flush=True)
"""


def test_what_the_database_did_was_intended(gateway: Gateway, postgres: PostgresServer) -> None:
    """However a worker is killed, and the recorder with it: of each row there is an intent in the log."""
    chance, first = random.Random(20261123), 1000
    for turn in range(6):
        if turn == 3:  # a gateway whose workers die too often gives up
            stopped(gateway)
            gateway.launch()
        command = [sys.executable, "-c", ASKING, gateway.uri(), str(first)]
        silent: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, text=True, **silent) as asking:
            assert asking.stdout is not None
            for _ in range(chance.randrange(1, 12)):
                assert asking.stdout.readline()
            doomed = [pid for pid in workers(gateway) if is_worker(pid)] + [recorder(gateway)] * (turn % 2)
            for pid in doomed:
                os.kill(pid, signal.SIGKILL)
            assert asking.wait() != 0
        first += 1000
        wait_until(partial(answers, gateway), "there is another worker", SLOW)
    stopped(gateway)
    texts = [one.plan.text for one, _ in joined(records(gateway))]
    intended = {int(found[1]) for text in texts if (found := re.search(r"AS row_(\d+)", text))}
    rows = people(postgres)
    assert len(rows) >= 6
    assert rows <= intended


def answers(gateway: Gateway) -> bool:
    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(gateway.uri()) as client:
        return client.execute("SELECT 1").fetchone() == (1,)
    return False
