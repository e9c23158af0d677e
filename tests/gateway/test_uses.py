"""Uses of a key that the workers of a running gateway count into one state, one of them killed at work."""

import json
import os
import secrets
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from tests.gateway.serving import workers

from strongroom.keys.uses import LARGEST_BATCH
from strongroom.testing.gateway import Gateway
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until

COLUMN = "public.people.note"
COLUMNS = {COLUMN: {"type": "text", "encryption": "randomized"}}
SESSIONS = 6
PATIENCE = 60.0


@dataclass
class Writers:
    """Sessions that insert without end, and connect again when theirs is gone."""

    gateway: Gateway
    over: threading.Event = field(default_factory=threading.Event)

    def write(self) -> None:
        """One of them."""
        while not self.over.is_set():
            try:
                with psycopg.connect(self.gateway.uri(), autocommit=True) as session:
                    while not self.over.is_set():
                        session.execute("INSERT INTO people (note) VALUES (%s)", ["note"])
            except psycopg.OperationalError:
                continue  # its worker was killed

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """All of them."""
        threads = [threading.Thread(target=self.write) for _ in range(SESSIONS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.over.set()
            for thread in threads:
                thread.join()


def test_no_stored_value_is_uncounted_when_a_worker_is_killed(postgres: PostgresServer) -> None:
    """At each look, before and after: the rows that are there are no more than the uses that are counted."""
    database = postgres.create_database(f"db{secrets.token_hex(4)}")
    postgres.run("CREATE TABLE people (id serial PRIMARY KEY, note bytea)", database)
    with Gateway.start(postgres, database, workers=2, more={"columns": COLUMNS}) as gateway:

        def rows() -> int:
            with postgres.connect(database) as direct:
                [(found,)] = direct.execute("SELECT count(*) FROM people").fetchall()
            return int(found)

        def uses() -> int:
            listed = json.loads(gateway.command("keys", "show", COLUMN, "--json"))
            return sum(int(version["uses"]) for version in listed)

        with Writers(gateway).at_work():
            wait_until(lambda: rows() > 1_500, "some were written", PATIENCE)
            stored = rows()  # first: uses only grow
            assert stored <= uses()
            first, second = workers(gateway)
            os.kill(first, signal.SIGKILL)
            wait_until(lambda: len(set(workers(gateway)) - {first}) == 2, "another worker", PATIENCE)
            before = rows()
            wait_until(lambda: rows() > before + 1_500, "work goes on", PATIENCE)
            stored = rows()
            assert stored <= uses()
            assert second in workers(gateway)
        assert rows() <= uses() <= rows() + 3 * LARGEST_BATCH
