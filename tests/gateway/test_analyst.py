"""Long statements, analysed by a process of their own; and a gateway that they do not hold up."""

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest
import uvloop
from tests.gateway.serving import connections, is_alive, logged_in, workers
from tests.sql.world import PATH, PROTECTIONS, SCHEMA

import strongroom
from strongroom.errors import ComparisonRefused, StatementTooComplex
from strongroom.gateway.analyst import Analyst
from strongroom.session.analyses import LENGTH_KEPT, Question
from strongroom.session.snapshot import Snapshot
from strongroom.sql.resolve import analyse
from strongroom.sql.statement import Analysis, Context
from strongroom.testing.gateway import Gateway
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until
from strongroom.wire.postgres import messages as m

SNAPSHOT = Snapshot(SCHEMA, {}, PROTECTIONS, {})
INSERT = "INSERT INTO customers (id, email) VALUES " + ", ".join(f"({n}, 'e{n}')" for n in range(2_000))


@pytest.fixture(autouse=True)
def finds_strongroom(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of ours that a test starts runs this very strongroom."""
    monkeypatch.setenv("PYTHONPATH", str(Path(strongroom.__file__).parent.parent))


def asked(*texts: str) -> list[object]:
    """What an analyst says of texts, one after the other."""

    async def ask(analyst: Analyst) -> list[object]:
        return [await analyst.analyse(Question(text, (), PATH, SNAPSHOT)) for text in texts]

    return with_analyst(ask)


T = TypeVar("T")


def with_analyst(work: Callable[[Analyst], Awaitable[T]]) -> T:
    async def talk() -> T:
        analyst = Analyst()
        try:
            async with asyncio.timeout(60):
                return await work(analyst)
        finally:
            await analyst.end()

    return uvloop.run(talk())


def children() -> set[int]:
    pid = os.getpid()
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


# ---------------------------------------------------------------------------------------- the process


def test_it_says_what_analysis_says() -> None:
    """Analysis, refusal with its hint, and again: all as it would be on the spot."""
    refused = "SELECT id FROM customers WHERE iban = 'x'"
    context = Context(SCHEMA, PROTECTIONS, PATH)
    first, second, third = asked(INSERT, refused, "SELECT email FROM customers")
    assert first == analyse(INSERT, (), context)
    assert isinstance(second, ComparisonRefused)
    assert second.hint
    assert third == analyse("SELECT email FROM customers", (), context)


@pytest.mark.parametrize(
    "text", ["EXECUTE s", "FETCH c", "PREPARE s AS SELECT 1; SELECT 2", "SELECT 1; EXECUTE s"]
)
def test_what_speaks_of_its_session_is_its_session_s_to_analyse(text: str) -> None:
    """Names of statements and cursors are known there alone."""
    assert asked(text) == [None]


def test_it_is_started_anew_where_it_died() -> None:
    """The text that was too much for it is refused; the next one is analysed."""

    async def talk(analyst: Analyst) -> tuple[object, object]:
        await analyst.analyse(Question("SELECT 1", (), PATH, SNAPSHOT))
        [process] = children() - before
        os.kill(process, signal.SIGSTOP)
        asking = asyncio.ensure_future(analyst.analyse(Question(INSERT, (), PATH, SNAPSHOT)))
        await asyncio.sleep(0)
        os.kill(process, signal.SIGKILL)
        return await asking, await analyst.analyse(Question(INSERT, (), PATH, SNAPSHOT))

    before = children()
    broken, whole = with_analyst(talk)
    assert isinstance(broken, StatementTooComplex)
    assert isinstance(whole, Analysis)
    assert children() == before


# ---------------------------------------------------------------------------------------- the gateway

TABLE = "CREATE TABLE people (id int PRIMARY KEY, email bytea UNIQUE, note bytea, town text)"
COLUMNS = {
    "public.people.email": {"type": "text", "encryption": "deterministic"},
    "public.people.note": {"type": "text", "encryption": "randomized"},
}
ROWS = 10_000
MANY = "INSERT INTO people VALUES " + ", ".join(f"({n}, 'e{n}', 'note {n}', 'town')" for n in range(ROWS))
ROUNDS = 20
"""Far more than pass while a statement holds up its worker, far fewer than otherwise."""


@pytest.fixture(scope="module")
def people(shop: PostgresServer) -> Iterator[Gateway]:
    """A gateway of one worker before a table with protected columns."""
    name = shop.create_database("people")
    shop.run(TABLE, name)
    with Gateway.start(shop, name, more={"columns": COLUMNS}) as running:
        yield running


@pytest.fixture
def db(people: Gateway) -> Iterator[psycopg.Connection]:
    """A session, and an empty table."""
    with psycopg.connect(people.uri(), autocommit=True) as one:
        one.execute("DELETE FROM people")
        yield one


def analysts(gateway: Gateway) -> list[int]:
    """The analysts of a gateway's workers."""
    return [
        int(pid)
        for worker in workers(gateway)
        for pid in Path(f"/proc/{worker}/task/{worker}/children").read_text().split()
    ]


def test_other_sessions_go_on_while_a_long_statement_is_analysed(
    people: Gateway, db: psycopg.Connection
) -> None:
    """Both sessions are in the one worker there is; the long INSERT is then whole, sealed, and opens."""
    done = threading.Event()

    def insert() -> None:
        with psycopg.connect(people.uri(), autocommit=True) as other:
            other.execute(MANY)
        done.set()

    thread, rounds = threading.Thread(target=insert), 0
    thread.start()
    while not done.is_set() and thread.is_alive():
        assert db.execute("SELECT id FROM people WHERE email = %s", ["nobody"]).fetchone() is None
        rounds += 1
    thread.join()
    assert rounds >= ROUNDS
    assert db.execute("SELECT count(*) FROM people").fetchone() == (ROWS,)
    assert db.execute("SELECT id, note FROM people WHERE email = 'e77'").fetchone() == (77, "note 77")


def test_what_follows_a_long_statement_waits_for_it(people: Gateway, db: psycopg.Connection) -> None:
    """Queries and a pipeline sent at once are answered in their order, each seeing the one before."""
    long = ", ".join(f"({n}, 'e{n}', NULL, NULL)" for n in range(2_000))
    again = m.Parse("", f"INSERT INTO people VALUES {long} ON CONFLICT DO NOTHING").serialise()
    with logged_in(people) as client:
        client.send(m.Query(f"INSERT INTO people VALUES {long}").serialise())
        client.send(m.Query("SELECT count(*) FROM people").serialise())
        client.send(again + m.Bind("", "").serialise() + m.Execute("").serialise() + m.SYNC)
        said = [client.until("Z") for _ in range(3)]
    assert ["".join(tag for tag, _ in one) for one in said] == ["CZ", "TDCZ", "12CZ"]
    assert said[1][1].body.endswith(b"2000")
    assert said[2][2].body == b"INSERT 0 0\0"


def test_a_long_statement_is_refused_like_any_other(db: psycopg.Connection) -> None:
    """With the same error, and the session goes on."""
    values = ", ".join(f"'n{n}'" for n in range(LENGTH_KEPT))
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="comparison-refused"):
        db.execute(f"SELECT id FROM people WHERE note IN ({values})")
    assert db.execute("SELECT 1").fetchone() == (1,)


def test_a_long_statement_of_prepared_ones(db: psycopg.Connection) -> None:
    """EXECUTE needs what only the session knows, however long its text is."""
    db.execute("PREPARE one (int, text) AS INSERT INTO people (id, email) VALUES ($1, $2)")
    db.execute("; ".join(f"EXECUTE one ({n}, 'e{n}')" for n in range(1_000)))
    assert db.execute("SELECT id FROM people WHERE email = 'e999'").fetchone() == (999,)


def test_an_analyst_that_is_killed_costs_its_statement_alone(people: Gateway, db: psycopg.Connection) -> None:
    """The statement is refused, the transaction fails as with any error, and the worker goes on."""
    values = ", ".join(f"({n}, 'e{n}')" for n in range(2_000))
    db.execute(f"INSERT INTO people (id, email) VALUES {values}")
    [before], worker = analysts(people), workers(people)
    os.kill(before, signal.SIGSTOP)
    with logged_in(people) as client:
        client.send(m.Query(MANY).serialise())
        os.kill(before, signal.SIGKILL)
        assert client.error()["C"] == "54001"
        client.until("Z")
    db.execute("DELETE FROM people")
    db.execute(f"INSERT INTO people (id, email) VALUES {values}")
    assert workers(people) == worker


def test_a_killed_worker_takes_its_analyst_along(shop: PostgresServer) -> None:
    """The analyst hears that nobody asks any more; the worker that comes next starts its own."""
    name = shop.create_database("orphans")
    shop.run(TABLE, name)
    values = ", ".join(f"({n}, 'e{n}')" for n in range(2_000))
    with Gateway.start(shop, name, more={"columns": COLUMNS}) as gateway:
        for _ in range(2):
            with psycopg.connect(gateway.uri(), autocommit=True) as one:
                one.execute(f"INSERT INTO people (id, email) VALUES {values} ON CONFLICT DO NOTHING")
            [worker], [analyst] = workers(gateway), analysts(gateway)
            os.kill(worker, signal.SIGKILL)
            wait_until(lambda analyst=analyst: not is_alive(analyst), "the analyst ends")  # type: ignore[misc]  # bound at once
            wait_until(gateway.is_ready, "another worker is ready")


def test_a_client_that_leaves_meanwhile_leaves_nothing(people: Gateway, db: psycopg.Connection) -> None:
    """What it sent is carried out, as PostgreSQL would; then its session ends."""
    with logged_in(people) as client:
        client.send(m.Query(MANY).serialise() + m.TERMINATE)
    wait_until(lambda: connections(people) == 1, "the place is free again", 60)
    count = "SELECT count(*) FROM people"
    wait_until(lambda: db.execute(count).fetchone() == (ROWS,), "PostgreSQL has carried it out", 60)
