"""Keys are rotated while sessions work: every answer is right, or an error that is to be tried again."""

import asyncio
import contextlib
import itertools
import os
import secrets
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import LiteralString

import psycopg
import pytest
from tests.gateway.serving import workers

from strongroom.changeover.rotation import Propagation, Rotated
from strongroom.changeover.rotation import rotate as rotate_keyset
from strongroom.cli.worksite import worksite
from strongroom.config import load
from strongroom.gateway.protection import prepare
from strongroom.keys.store import KeyStore
from strongroom.keys.uses import Reservations
from strongroom.testing.gateway import Gateway
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until

TABLES = """\
CREATE TABLE people (id int PRIMARY KEY, email bytea UNIQUE, note bytea);
CREATE TABLE orders (id int PRIMARY KEY, email bytea REFERENCES people (email), total int)"""
COLUMNS = {
    "public.people.email": {"type": "text", "encryption": "deterministic"},
    "public.people.note": {"type": "text", "encryption": "randomized"},
    "public.orders.email": {
        "type": "text",
        "encryption": "deterministic",
        "key": "public.people.email",
    },
}
ROWS = 300
TRY_AGAIN = "40001"
BOTH = ("public.people.email", "public.orders.email")


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    """A new database whose columns await sealed values."""
    name = postgres.create_database(f"db{secrets.token_hex(4)}")
    postgres.run(TABLES, name)
    return name


@pytest.fixture
def gateway(postgres: PostgresServer, database: str) -> Iterator[Gateway]:
    """A gateway with two workers, and people and orders behind it."""
    with Gateway.start(postgres, database, more={"columns": COLUMNS}, workers=2) as running:
        with session(running) as one:
            one.cursor().executemany(
                "INSERT INTO people VALUES (%s, %s, %s)",
                [(i, f"p{i}@example.org", f"note {i}") for i in range(ROWS)],
            )
            one.cursor().executemany(
                "INSERT INTO orders VALUES (%s, %s, %s)", [(i, f"p{i}@example.org", i) for i in range(ROWS)]
            )
        yield running


def session(gateway: Gateway, **options: object) -> psycopg.Connection:
    return psycopg.connect(gateway.uri(), autocommit=True, **options)  # type: ignore[arg-type]  # passed on


def reload(gateway: Gateway) -> None:
    """Have all workers read keys and catalog anew, and wait until they have."""
    word = "configuration reloaded"
    before = gateway.log.read_text().count(word)
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: gateway.log.read_text().count(word) >= before + 2, "both workers have reloaded")


def rotate(gateway: Gateway, *columns: str, reencrypt: bool = True, wait: bool = True) -> Rotated:
    """As `strongroom keys rotate` does it; gateways hear of the key by a reload, and not in a minute."""
    settings = load(gateway.configuration, dict(gateway.environment))
    with worksite(settings, None, "strongroom keys rotate") as site:
        prepared = asyncio.run(prepare(settings, site.state, [site.place]))
        store = KeyStore(site.state.engine, prepared.keks)
        told = Propagation(1.0 if wait else 0.0, lambda _: reload(gateway))
        return rotate_keyset(
            site.connection,
            [site.schemes[column] for column in columns],
            prepared.keks,
            store.adopt,
            Reservations(store.reserve),
            reencrypt=reencrypt,
            propagation=told,
        )


@dataclass
class Worker:
    """An application at work: what it got, and how often it had to try again."""

    work: Callable[[psycopg.Connection, int], None]
    gateway: Gateway
    options: dict[str, object]
    done: int = 0
    again: int = 0
    wrong: list[str] = field(default_factory=list)

    def run(self, stop: threading.Event) -> None:
        number = 0
        connection = session(self.gateway, **self.options)
        while not stop.is_set():
            number += 1
            try:
                self.work(connection, number % ROWS)
                self.done += 1
            except psycopg.Error as error:
                if error.sqlstate != TRY_AGAIN:
                    self.wrong.append(f"{error.sqlstate} {error}")
                self.again += 1
                if connection.closed:
                    connection = session(self.gateway, **self.options)
            except AssertionError as error:
                self.wrong.append(str(error))
        connection.close()


@contextmanager
def at_work(*workers: Worker) -> Iterator[None]:
    """All of them, until the end; none of their answers may have been wrong."""
    stop = threading.Event()
    threads = [threading.Thread(target=worker.run, args=[stop]) for worker in workers]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: all(worker.done > 20 or worker.wrong for worker in workers), "all are at work")
        assert [worker.wrong for worker in workers] == [[]] * len(workers)
        yield
        reached = [worker.done for worker in workers]
        wait_until(
            lambda: all(w.done > then + 20 or w.wrong for w, then in zip(workers, reached, strict=True)),
            "all are at work again",
        )
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    for worker in workers:
        assert worker.wrong == []


def look_up(connection: psycopg.Connection, number: int) -> None:
    found = connection.execute("SELECT id, note FROM people WHERE email = %s", [f"p{number}@example.org"])
    assert found.fetchall() == [(number, f"note {number}")]


def look_up_a_literal(connection: psycopg.Connection, number: int) -> None:
    found = connection.execute(f"SELECT id FROM people WHERE email = 'p{number}@example.org'".encode())
    assert found.fetchall() == [(number,)]


def look_up_several(connection: psycopg.Connection, number: int) -> None:
    wanted = [f"p{number}@example.org", f"p{(number + 1) % ROWS}@example.org"]
    found = connection.execute(
        "WITH both_of AS (SELECT email FROM people WHERE email = ANY(%s)) SELECT count(*) FROM both_of",
        [wanted],
    )
    assert found.fetchone() == (2,)


def join(connection: psycopg.Connection, number: int) -> None:
    found = connection.execute(
        "SELECT o.total FROM orders o JOIN people p USING (email) WHERE p.email = %s",
        [f"p{number}@example.org"],
    )
    assert found.fetchall() == [(number,)]


def change(connection: psycopg.Connection, number: int) -> None:
    changed = connection.execute(
        "UPDATE orders SET total = total WHERE email = %s", [f"p{number}@example.org"]
    )
    assert changed.rowcount == 1


def test_a_deterministic_key_while_sessions_look_up(gateway: Gateway) -> None:
    """By parameters, literals and arrays, prepared and not, joined and changed: no answer is ever empty."""
    plans: list[tuple[Callable[[psycopg.Connection, int], None], dict[str, object]]] = [
        (look_up, {}),
        (look_up, {"prepare_threshold": 0}),
        (look_up_a_literal, {}),
        (look_up_several, {}),
        (join, {"prepare_threshold": 0}),
        (change, {}),
    ]
    workers = [Worker(work, gateway, options) for work, options in plans]
    with at_work(*workers):
        rotated = rotate(gateway, *BOTH)
    assert rotated.resealed >= 2 * ROWS
    assert len(rotated.keyset.versions) == 2
    with session(gateway) as one:
        look_up(one, 7)


def test_unique_and_foreign_keys_hold_while_a_deterministic_key_is_rotated(gateway: Gateway) -> None:
    """Each row that was accepted is found; a second of one email, or an order of nobody, never is."""
    ids = itertools.count(ROWS)
    added: list[int] = []

    def add(connection: psycopg.Connection, _: int) -> None:
        one = next(ids)
        connection.execute("INSERT INTO people VALUES (%s, %s, 'new')", [one, f"n{one}@example.org"])
        added.append(one)

    def order(connection: psycopg.Connection, number: int) -> None:
        connection.execute("INSERT INTO orders VALUES (%s, %s, 0)", [next(ids), f"p{number}@example.org"])

    def add_another(connection: psycopg.Connection, number: int) -> None:
        with pytest.raises(psycopg.errors.UniqueViolation):
            _tried(
                connection, "INSERT INTO people VALUES (%s, %s, '')", [next(ids), f"p{number}@example.org"]
            )

    def order_for_nobody(connection: psycopg.Connection, number: int) -> None:
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            _tried(connection, "INSERT INTO orders VALUES (%s, %s, 0)", [next(ids), f"x{number}@example.org"])

    workers = [Worker(work, gateway, {}) for work in (add, order, add_another, order_for_nobody, look_up)]
    with at_work(*workers):
        rotate(gateway, *BOTH)
    with session(gateway) as one:
        for number in added:
            found = one.execute("SELECT id FROM people WHERE email = %s", [f"n{number}@example.org"])
            assert found.fetchall() == [(number,)]
        orphans = "SELECT count(*) FROM orders o LEFT JOIN people p USING (email) WHERE p.id IS NULL"
        assert one.execute(orphans).fetchone() == (0,)


def _tried(connection: psycopg.Connection, statement: LiteralString, values: list[object]) -> None:
    """Until there is an answer that is not to be tried again."""
    while True:
        try:
            connection.execute(statement, values)
        except psycopg.Error as error:
            if error.sqlstate != TRY_AGAIN or connection.closed:
                raise
        else:
            return


def test_a_randomized_key_while_sessions_read_and_write(gateway: Gateway) -> None:
    """What is read is right throughout, and what is written stays."""

    def read(connection: psycopg.Connection, number: int) -> None:
        look_up(connection, number)

    def write(connection: psycopg.Connection, number: int) -> None:
        connection.execute("UPDATE people SET note = %s WHERE id = %s", [f"note {number}", number])

    workers = [Worker(read, gateway, {}), Worker(write, gateway, {}), Worker(write, gateway, {})]
    with at_work(*workers):
        rotated = rotate(gateway, "public.people.note")
    assert rotated.resealed >= ROWS
    with session(gateway) as one:
        notes = one.execute("SELECT id, note FROM people ORDER BY id").fetchall()
    assert notes == [(i, f"note {i}") for i in range(ROWS)]


def test_without_reencryption_both_versions_open(gateway: Gateway) -> None:
    """The new one seals, in every worker that has heard of it."""
    rotate(gateway, "public.people.note", reencrypt=False)
    reload(gateway)
    with session(gateway) as one:
        one.execute("UPDATE people SET note = 'new' WHERE id = 1")
        assert one.execute("SELECT note FROM people WHERE id IN (1, 2) ORDER BY id").fetchall() == [
            ("new",),
            ("note 2",),
        ]


def test_a_gateway_that_was_not_told_finds_out(gateway: Gateway) -> None:
    """Its first look-up by the old key is refused, to be tried again, and never answered with nothing."""
    with session(gateway) as one:
        look_up(one, 3)
        rotate(gateway, *BOTH, wait=False)

        def knows() -> bool:
            with contextlib.suppress(psycopg.errors.SerializationFailure):
                look_up(one, 3)
                return True
            return False

        wait_until(knows, "the gateway has read the new key")


def test_prepared_statements_of_sql(gateway: Gateway) -> None:
    """One that holds a value sealed by the old key says that it must be prepared again."""
    with session(gateway) as one:
        one.execute("PREPARE seek AS SELECT id FROM people WHERE email = 'p5@example.org'")
        assert one.execute("EXECUTE seek").fetchall() == [(5,)]
        rotate(gateway, *BOTH)
        reload(gateway)
        with pytest.raises(psycopg.Error) as caught:
            one.execute("EXECUTE seek")
        assert "PREPARE it again" in str(caught.value)
        one.execute("DEALLOCATE seek")
        one.execute("PREPARE seek AS SELECT id FROM people WHERE email = 'p5@example.org'")
        assert one.execute("EXECUTE seek").fetchall() == [(5,)]


def test_a_worker_that_dies_after_the_kek_was_rotated_is_replaced(
    postgres: PostgresServer, database: str
) -> None:
    """The new one cannot open the keysets until the supervisor has fetched the new KEK: it asks for that."""
    with Gateway.start(postgres, database, more={"columns": COLUMNS}) as gateway:
        with session(gateway) as one:
            one.execute("INSERT INTO people VALUES (1, 'a@example.org', 'n')")
        gateway.command("keys", "rotate", "--kek")
        (first,) = workers(gateway)
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: attempt(gateway) == ("a@example.org", "n"), "a worker serves", 60)
        assert gateway.log.read_text().count("worker died") <= 2


def attempt(gateway: Gateway) -> object:
    try:
        with session(gateway) as one:
            return one.execute("SELECT email, note FROM people").fetchone()
    except psycopg.Error:
        return None
