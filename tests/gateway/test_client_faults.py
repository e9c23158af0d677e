"""Clients that break the protocol, before a real gateway with protected columns: cut, mixed up, random, deaf.

Each time the client that did it gets one clear error or the end of its connection, and nobody else notices.
Messages in an order that makes no sense get what PostgreSQL itself answers to them on a plaintext twin.
"""

import contextlib
import random
from collections.abc import Callable, Iterator

import pytest
from tests.gateway.serving import connections, logged, logged_in, resident, workers

from strongroom.testing.gateway import Gateway
from strongroom.testing.raw_client import RawClient
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres.codec import message
from strongroom.wire.postgres.reader import Reader, int32

TABLE = "CREATE TABLE people (id int, email {type}, town text)"
COLUMNS = {"public.people.email": {"type": "text", "encryption": "deterministic"}}
INSERT = "INSERT INTO people VALUES ($1, $2, 'town')"
SELECT = "SELECT id, email FROM people WHERE email = $1 ORDER BY id"
ROOM = 16 << 20
"""How much the gateway may grow while a client does not take its rows."""


@pytest.fixture(scope="module")
def running(shop: PostgresServer) -> Iterator[Gateway]:
    """A gateway of one worker before a protected table; `twin` is the same in plaintext."""
    for name, type_ in (("broken", "bytea"), ("twin", "text")):
        shop.create_database(name)
        shop.run(TABLE.format(type=type_), name)
    with Gateway.start(shop, "broken", more={"columns": COLUMNS}) as one:
        yield one


@pytest.fixture
def other(running: Gateway) -> Iterator[RawClient]:
    """Another session of the same worker, which goes on; nothing has surprised the gateway."""
    pids = workers(running)
    with logged_in(running) as one:
        one.ask("DELETE FROM people; INSERT INTO people VALUES (0, 'kept', 'town')")
        yield one
        found = one.ask("SELECT id FROM people WHERE email = 'kept'")
        assert [tag for tag, _ in found] == ["T", "D", "C", "Z"]
        wait_until(lambda: connections(running) == 1, "no other session is left")
    assert workers(running) == pids
    assert logged(running, "session broke") == []
    assert logged(running, "a task failed") == []


# ----------------------------------------------------------------------------------------------- cut

PARSE = m.Parse("", INSERT).serialise()
BIND = m.Bind("", "", values=(b"7", b"cut")).serialise()
WHOLE = {
    "query": m.Query("INSERT INTO people VALUES (7, 'cut', 'town')").serialise(),
    "pipeline": PARSE + BIND + m.Execute("").serialise() + m.SYNC,
    "copy": m.Query("COPY people FROM STDIN").serialise() + message(b"d", b"7\tcut\ttown\n") + m.COPY_DONE,
}


@pytest.mark.parametrize("kind", WHOLE)
def test_messages_that_are_cut_short(running: Gateway, other: RawClient, kind: str) -> None:
    """Wherever the connection breaks off, what was not whole is not carried out."""
    octets = WHOLE[kind]
    last = len(octets) - (len(m.SYNC) if kind == "pipeline" else 0)
    for end in range(1, last, 7):
        with logged_in(running) as client:
            client.send(octets[:end])
    wait_until(lambda: connections(running) == 1, "all have ended")
    count = other.ask("SELECT count(*) FROM people WHERE id = 7")
    assert count[1].body.endswith(b"0")


BODIES = {
    "a query without its end": message(b"Q", b"SELECT 1"),
    "a query with more": message(b"Q", b"SELECT 1\0SELECT 2\0"),
    "a parse without its types": message(b"P", b"\0SELECT 1\0"),
    "a parse with half a type": message(b"P", b"\0SELECT 1\0\0\1\0"),
    "a bind of nothing": PARSE + message(b"B", b""),
    "a bind without its values": PARSE + message(b"B", b"\0\0\0\0\0\2"),
    "a bind with a value of no length": PARSE + message(b"B", b"\0\0\0\0\0\1" + int32(-2)),
    "a bind with a value beyond its end": PARSE + message(b"B", b"\0\0\0\0\0\1" + int32(1 << 30) + b"x"),
    "a bind with a format of its own": PARSE
    + message(b"B", b"\0\0\0\1\0\7\0\2" + (int32(1) + b"7") * 2 + b"\0\0"),
    "an execute without its limit": PARSE + BIND + message(b"E", b"\0"),
    "a describe of a table": PARSE + message(b"D", b"T\0"),
    "a close of nothing": message(b"C", b""),
    "a length below its own": b"Q" + int32(3),
    "a length below nothing": b"Q" + int32(-1),
    "a length without measure": b"P" + int32((1 << 31) - 1),
    "a message of the database's": message(b"Z", b"I"),
    "a type that does not exist": message(b"\xff", b""),
    "text that is not UTF-8": message(b"Q", b"SELECT '\xff'\0"),
    "a second login": m.StartupMessage(m.PROTOCOL_3_0, {"user": "app"}).serialise(),
}


@pytest.mark.parametrize("what", BODIES)
def test_messages_that_are_malformed(running: Gateway, other: RawClient, what: str) -> None:
    """The session ends with an error that says what was wrong with the message, and what to do."""
    with logged_in(running) as client:
        client.send(BODIES[what])
        fields = client.error()
        assert (fields["V"], fields["C"][:2]) in {("FATAL", "08"), ("FATAL", "54"), ("FATAL", "0A")}
        assert fields["M"].startswith("strongroom: ")
        assert fields["H"]
        assert client.is_closed()


# ----------------------------------------------------------------------------------------- mixed up


def mixed_up(chance: random.Random, count: int) -> list[bytes]:
    """Messages that are well-formed one by one, in no order."""

    def name() -> str:
        return chance.choice(["", "a", "b"])

    def value() -> bytes:
        return chance.choice([b"kept", b"new", b"other"])

    makers: list[Callable[[], bytes]] = [
        lambda: m.Parse(name(), SELECT).serialise(),
        lambda: m.Parse(name(), INSERT).serialise(),
        lambda: m.Parse(name(), "SELECT nothing FROM people").serialise(),
        lambda: m.Bind(name(), name(), values=(value(),)).serialise(),
        lambda: m.Bind(name(), name(), values=(b"1", value())).serialise(),
        lambda: m.Bind(name(), name(), values=(b"x", value())).serialise(),
        lambda: m.Execute(name()).serialise(),
        lambda: m.Execute(name(), 1).serialise(),
        lambda: m.Target(chance.choice("SP"), name()).describe(),
        lambda: m.Target(chance.choice("SP"), name()).close(),
        lambda: m.SYNC,
        lambda: m.FLUSH,
        lambda: message(b"d", b"stray"),
        lambda: m.COPY_DONE,
        lambda: m.copy_fail("stray"),
        lambda: m.Query(
            chance.choice(["BEGIN", "COMMIT", "ROLLBACK", "SELECT email FROM people"])
        ).serialise(),
        lambda: m.Query("SELECT 1/0").serialise(),
    ]
    weights = [6, 6, 1, 6, 6, 1, 8, 4, 4, 3, 6, 1, 1, 1, 1, 4, 1]
    return [chance.choices(makers, weights)[0]() for _ in range(count)]


EITHER = {"08P01": "26000"}
"""Of a Bind with too many values to a statement that an error took away, either fault may be named."""

SIMPLE = ["BEGIN", "COMMIT", "ROLLBACK", "SELECT email FROM people"]
END = m.SYNC + m.Query("ROLLBACK").serialise() + m.Query("SELECT 'the end'").serialise()


def answers(client: RawClient) -> list[object]:
    """What the client hears, as far as it must be the same: no table's number, no wording."""
    heard: list[object] = []
    while True:
        tag, body = client.receive()
        if tag == "E":
            code = m.ErrorResponse.parse(body).fields["C"]
            heard.append((tag, EITHER.get(code, code)))
        elif tag == "T":
            fields = m.RowDescription.parse(body).fields
            heard.append((tag, [(one.name, one.type_oid, one.format) for one in fields]))
        elif tag not in {"N", "S", "A"}:
            heard.append((tag, body))
        if tag == "D" and body.endswith(b"the end"):
            client.until("Z")
            return heard


@pytest.fixture
def twin(shop: PostgresServer) -> Iterator[RawClient]:
    """A session of PostgreSQL's own before the table in plaintext."""
    with RawClient.connect(shop.port) as client:
        client.log_in("postgres", shop.password, "twin")
        client.ask("DELETE FROM people; INSERT INTO people VALUES (0, 'kept', 'town')")
        yield client


@pytest.mark.parametrize("seed", range(40))
def test_messages_in_no_order(running: Gateway, other: RawClient, twin: RawClient, seed: int) -> None:
    """Row for row and error for error, the gateway answers what PostgreSQL answers to the plaintext twin."""
    octets = b"".join(mixed_up(random.Random(seed), 25)) + END
    with logged_in(running) as client:
        for one in (client, twin):
            one.send(octets)
        assert answers(client) == answers(twin)


# ------------------------------------------------------------------------------------- random, deaf


@pytest.mark.parametrize("logged_in_before", [False, True], ids=["at once", "logged in"])
def test_random_octets(running: Gateway, other: RawClient, logged_in_before: bool) -> None:
    """Noise ends its own connection, and leaves nothing behind."""
    chance = random.Random(7)
    for _ in range(60):
        noise = chance.randbytes(chance.randrange(1, 200))
        if logged_in_before:
            noise = bytes([chance.choice(b"QPBEDCSHdcfXF")]) + int32(chance.randrange(4, 300)) + noise
        client = logged_in(running) if logged_in_before else RawClient.connect(running.port)
        with client, contextlib.suppress(OSError):
            client.send(noise)
            client.send(noise)


def test_a_client_that_does_not_take_its_rows(running: Gateway, other: RawClient) -> None:
    """Rows with protected values are not opened faster than they are taken: the gateway does not grow."""
    [worker] = workers(running)
    other.ask("INSERT INTO people SELECT n, NULL, repeat('x', 1000) FROM generate_series(1, 60000) n")
    other.ask("UPDATE people SET email = 'opened' WHERE id > 0")
    before = resident(worker)
    with logged_in(running) as deaf:
        deaf.send(m.Query("SELECT email, town FROM people").serialise())
        deaf.receive()
        for _ in range(50):
            assert other.ask("SELECT 1")[-1].tag == "Z"
        assert resident(worker) - before < ROOM
        came = deaf.until("Z")
    assert sum(tag == "D" for tag, _ in came) == 60_001
    assert Reader(came[-3].body).count() == 2
    assert resident(worker) - before < ROOM
    other.ask("DELETE FROM people WHERE id > 0")
