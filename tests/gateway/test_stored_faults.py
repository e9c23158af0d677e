"""Sealed values that were changed in the database, read through a real gateway, however it is read.

A value that does not open is an error that says which kind it is, never an empty or wrong value; the session
ends, since what follows it in a pipeline is not known, and every other session goes on.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg
import pytest
from tests.gateway.serving import logged, logged_in, workers

from strongroom.testing.gateway import Gateway
from strongroom.testing.raw_client import Message, RawClient
from strongroom.testing.servers import PostgresServer
from strongroom.wire.postgres import messages as m

COLUMNS = {
    "public.people.email": {"type": "text", "encryption": "deterministic"},
    "public.people.note": {"type": "text", "encryption": "randomized"},
    "public.people.born": {"type": "date", "encryption": "randomized"},
}
PLAINTEXT = b"xq7mark"
"""Stands in every value, and must stand in no error and no log."""

FLIPPED: dict[str, Callable[[bytes], bytes]] = {
    "the version": lambda value: b"\x02" + value[1:],
    "a prefix of Tink's that is not taken": lambda value: b"\x00" + value[1:],
    "the key id": lambda value: value[:1] + bytes([value[1] ^ 1]) + value[2:],
    "the first octet behind the prefix": lambda value: value[:5] + bytes([value[5] ^ 1]) + value[6:],
    "the middle": lambda value: value[:18] + bytes([value[18] ^ 0x80]) + value[19:],
    "the tag": lambda value: value[:-1] + bytes([value[-1] ^ 1]),
    "its end": lambda value: value[:-1],
    "all but its prefix": lambda value: value[:5],
    "everything": lambda _: b"",
    "an octet more": lambda value: value + b"\0",
    "plaintext": lambda _: PLAINTEXT,
}
CODES = {"the version": "ciphertext-version", "the key id": "ciphertext-key", "the tag": "ciphertext-tag"}
"""What the error is called, where only one name is right."""


@pytest.fixture(scope="module")
def running(shop: PostgresServer) -> Iterator[Gateway]:
    """A gateway of one worker before a table of three rows."""
    shop.create_database("stored")
    shop.run("CREATE TABLE people (id int PRIMARY KEY, email bytea, note bytea, born bytea)", "stored")
    with Gateway.start(shop, "stored", more={"columns": COLUMNS}) as one:
        with psycopg.connect(one.uri(), autocommit=True) as db, db.cursor() as cursor:
            values = [(n, f"xq7mark{n}", f"xq7mark note {n}", "1815-12-10") for n in range(3)]
            cursor.executemany("INSERT INTO people VALUES (%s, %s, %s, %s)", values)
        yield one


@pytest.fixture
def other(running: Gateway) -> Iterator[RawClient]:
    """Another session of the same worker, which goes on; neither error nor log holds a value."""
    pids = workers(running)
    with logged_in(running) as one:
        yield one
        assert [tag for tag, _ in one.ask("SELECT note FROM people WHERE id = 0")] == ["T", "D", "C", "Z"]
    assert workers(running) == pids
    assert logged(running, "session broke") == []
    assert PLAINTEXT not in running.log.read_bytes()


@dataclass(frozen=True, slots=True)
class Stored:
    """What the database has, past the gateway."""

    db: psycopg.Connection

    def value(self, column: str, row: int = 1) -> bytes:
        """The sealed value."""
        query = f"SELECT {column} FROM people WHERE id = {row}"
        found = self.db.execute(query.encode()).fetchone()
        assert found is not None
        value = found[0]
        assert isinstance(value, bytes)
        return value

    def put(self, column: str, value: bytes) -> None:
        """Other octets in its place, in the second row."""
        self.db.execute(f"UPDATE people SET {column} = %s WHERE id = 1".encode(), [value])


@pytest.fixture
def stored(shop: PostgresServer, other: RawClient) -> Iterator[Stored]:
    """The second row, which is as it was when the test is over; the other session goes on meanwhile."""
    columns = ("email", "note", "born")
    with shop.connect("stored") as db:
        one = Stored(db)
        before = [one.value(column) for column in columns]
        yield one
        for column, value in zip(columns, before, strict=True):
            one.put(column, value)


def simple(text: str) -> bytes:
    return m.Query(text).serialise()


def extended(text: str, *formats: int) -> bytes:
    bind = m.Bind("", "", result_formats=formats)
    return m.Parse("", text).serialise() + bind.serialise() + m.Execute("").serialise() + m.SYNC


READ = "SELECT id, {column} FROM people ORDER BY id"
WAYS: dict[str, Callable[[str], bytes]] = {
    "simple": lambda column: simple(READ.format(column=column)),
    "extended, text": lambda column: extended(READ.format(column=column), 0),
    "extended, binary": lambda column: extended(READ.format(column=column), 1),
    "copy, text": lambda column: simple(f"COPY people ({column}) TO STDOUT"),
    "copy, csv": lambda column: simple(f"COPY people ({column}) TO STDOUT (FORMAT csv)"),
    "copy, binary": lambda column: simple(f"COPY people ({column}) TO STDOUT (FORMAT binary)"),
    "returning": lambda column: simple(f"UPDATE people SET id = id RETURNING {column}"),
    "cursor": lambda column: simple(
        f"BEGIN; DECLARE c CURSOR FOR {READ.format(column=column)}; FETCH ALL FROM c; COMMIT"
    ),
    "array": lambda column: simple(f"SELECT array_agg({column}) FROM people"),
}


def refusal(running: Gateway, octets: bytes) -> tuple[list[Message], dict[str, str]]:
    """What comes of a request, and the fields of the error that it ends with."""
    with logged_in(running) as client:
        client.send(octets)
        came = client.until("E")
        assert client.is_closed()
    return came, m.ErrorResponse.parse(came[-1].body).fields


@pytest.mark.parametrize("column", ["email", "note", "born"])
@pytest.mark.parametrize("what", FLIPPED)
def test_a_changed_value_does_not_open(running: Gateway, stored: Stored, column: str, what: str) -> None:
    """Deterministic or randomized, text or date: whatever was changed is noticed, and named."""
    stored.put(column, FLIPPED[what](stored.value(column)))
    came, error = refusal(running, simple(READ.format(column=column)))
    assert (error["V"], error["C"]) == ("FATAL", "XX001")
    assert error["H"]
    assert CODES.get(what, "[ciphertext-") in error["M"]
    assert not any(PLAINTEXT in body for tag, body in came if tag == "E")
    assert sum(tag == "D" for tag, _ in came) <= 1  # the row before it, at most


@pytest.mark.parametrize("way", WAYS)
def test_it_does_not_open_whichever_way_it_is_read(running: Gateway, stored: Stored, way: str) -> None:
    """In every protocol and format; no octet of the changed value reaches the client."""
    changed = FLIPPED["the middle"](stored.value("note"))
    stored.put("note", changed)
    came, error = refusal(running, WAYS[way]("note"))
    assert (error["V"], error["C"]) == ("FATAL", "XX001")
    told = b"".join(body for _, body in came)
    assert changed not in told
    assert changed.hex().encode() not in told


@pytest.mark.parametrize(("source", "target"), [("email", "note"), ("note", "born"), ("born", "email")])
def test_a_value_of_another_column_does_not_open(
    running: Gateway, stored: Stored, source: str, target: str
) -> None:
    """Each column has its own keyset: the value names a key that the other column has not."""
    stored.put(target, stored.value(source))
    _, error = refusal(running, simple(READ.format(column=target)))
    assert error["C"] == "XX001"
    assert "[ciphertext-key]" in error["M"]


def test_a_value_of_another_row_opens(stored: Stored, other: RawClient) -> None:
    """Values of one column can be exchanged between its rows: the threat model says so."""
    stored.put("note", stored.value("note", row=2))
    assert other.ask("SELECT note FROM people WHERE id = 1")[1].body.endswith(b"xq7mark note 2")
