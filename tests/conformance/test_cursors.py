"""Cursors of DECLARE and portals of Bind over protected columns, on a real server: they share their names."""

from collections.abc import Iterator

import psycopg
import pytest
from tests.conftest import Servers

from strongroom.testing.gateway import Gateway
from strongroom.testing.installations import EMBEDDED

COLUMNS = {"public.people.email": {"type": "text", "encryption": "deterministic"}}
ROWS = [(n, f"{n}@example.com") for n in range(1, 21)]


@pytest.fixture(scope="module")
def gateway(servers: Servers) -> Iterator[Gateway]:
    """A gateway before a table with a protected column and twenty rows."""
    embedded = servers.server(EMBEDDED)
    embedded.create_database("cursors")
    embedded.run("CREATE TABLE people (id int PRIMARY KEY, email bytea)", "cursors")
    owner = {"owner": embedded.uri("cursors", password=""), "owner_password": embedded.password}
    with Gateway.start(embedded, "cursors", more={"columns": COLUMNS, **owner}) as running:
        with psycopg.connect(running.uri()) as connection, connection.cursor() as cursor:
            cursor.executemany("INSERT INTO people VALUES (%s, %s)", ROWS)
        yield running


@pytest.mark.parametrize("binary", [False, True])
def test_named_cursors(gateway: Gateway, binary: bool) -> None:
    """A cursor of DECLARE is described with the declared types, and its rows are opened."""
    with psycopg.connect(gateway.uri()) as connection, connection.cursor("c", binary=binary) as cursor:
        cursor.execute("SELECT id, email FROM people ORDER BY id")
        assert cursor.description is not None
        assert [column.type_code for column in cursor.description] == [23, 25]
        assert cursor.fetchmany(5) == ROWS[:5]
        assert cursor.fetchall() == ROWS[5:]


def test_names_are_used_again(gateway: Gateway) -> None:
    """A name that was closed means what it is declared as next."""
    with psycopg.connect(gateway.uri()) as connection:
        for query, rows in (("SELECT id FROM people", 20), ("SELECT email, id FROM people WHERE id < 3", 2)):
            with connection.cursor("c") as cursor:
                cursor.execute(query.encode())
                assert len(cursor.fetchall()) == rows
        connection.execute("DECLARE c CURSOR FOR SELECT email FROM people WHERE id = 7")
        assert connection.execute("FETCH c").fetchone() == ("7@example.com",)
        connection.execute("CLOSE ALL")
        with pytest.raises(psycopg.errors.InvalidCursorName):
            connection.execute("FETCH c")


def test_describe(gateway: Gateway) -> None:
    """Describe of a cursor tells the declared types, and moving it leaves its rows to be opened."""
    with psycopg.connect(gateway.uri()) as connection:
        connection.execute("DECLARE c SCROLL CURSOR FOR SELECT email FROM people ORDER BY id")
        assert connection.pgconn.describe_portal(b"c").ftype(0) == 25
        connection.execute("MOVE 3 FROM c")
        assert connection.execute("FETCH 2 FROM c").fetchall() == [("4@example.com",), ("5@example.com",)]
        assert connection.execute("FETCH FIRST FROM c").fetchone() == ("1@example.com",)


def test_a_prepared_fetch_of_another_cursor(gateway: Gateway) -> None:
    """FETCH that was prepared while the name meant another cursor never shows a sealed value."""
    with psycopg.connect(gateway.uri()) as connection:
        connection.execute("DECLARE c CURSOR FOR SELECT id FROM people ORDER BY id")
        assert connection.execute("FETCH 2 FROM c", prepare=True).fetchall() == [(1,), (2,)]
        connection.execute("CLOSE c")
        connection.execute("DECLARE c CURSOR FOR SELECT email FROM people ORDER BY id")
        try:
            found = connection.execute("FETCH 2 FROM c", prepare=True).fetchall()
        except psycopg.Error:
            return
        assert found == [(ROWS[0][1],), (ROWS[1][1],)]
