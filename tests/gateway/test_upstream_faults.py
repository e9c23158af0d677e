"""An upstream that dies, refuses or speaks nonsense, before a real gateway with protected columns.

Each time the client gets one clear error, no row that was not whole, and no value; the gateway has no
surprise, and its other sessions go on.
"""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from tests.gateway.serving import logged, logged_in, workers

from strongroom.testing.gateway import Gateway
from strongroom.testing.raw_client import Ended, Message, RawClient
from strongroom.testing.servers import PostgresServer
from strongroom.testing.tampering import Tamper, Tampering, honest
from strongroom.testing.waiting import wait_until
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres.codec import message
from strongroom.wire.postgres.reader import int32

COLUMNS = {"public.people.email": {"type": "text", "encryption": "deterministic"}}
MARK = "faulty"
"""Stands in the answers that are tampered with, and in no others."""

QUERY = f"SELECT '{MARK}' AS {MARK}, id, email FROM people ORDER BY id"
ROWS = 5


@pytest.fixture(scope="module")
def way(shop: PostgresServer) -> Iterator[Tampering]:
    """The way from the gateway to PostgreSQL."""
    shop.create_database("faults")
    shop.run("CREATE TABLE people (id int, email bytea)", "faults")
    with Tampering(shop.port) as one:
        yield one


@pytest.fixture(scope="module")
def running(shop: PostgresServer, way: Tampering) -> Iterator[Gateway]:
    """A gateway of one worker, with some rows."""
    upstream = shop.uri("faults", password="").replace(f":{shop.port}/", f":{way.port}/")
    more = {"columns": COLUMNS, "upstream": upstream}
    with Gateway.start(shop, "faults", more=more) as one:
        with psycopg.connect(one.uri(), autocommit=True) as db, db.cursor() as cursor:
            cursor.executemany("INSERT INTO people VALUES (%s, %s)", [(n, f"e{n}") for n in range(ROWS)])
        yield one


@pytest.fixture
def other(running: Gateway, way: Tampering) -> Iterator[RawClient]:
    """Another session of the same worker, which goes on; nothing has surprised the gateway."""
    pids = workers(running)
    with logged_in(running) as one:
        yield one
        way.tamper = honest
        assert [tag for tag, _ in one.ask("SELECT email FROM people WHERE id = 1")] == ["T", "D", "C", "Z"]
    assert workers(running) == pids
    assert logged(running, "session broke") == []
    assert logged(running, "a task failed") == []


def marked(change: Callable[[bytes], bytes], *, goes_on: bool = True) -> Tamper:
    """Tampers with the chunk that has the mark, and with no other."""
    return lambda chunk: (change(chunk), goes_on) if MARK.encode() in chunk else (chunk, True)


def ended(client: RawClient) -> list[Message]:
    """All that a client gets until its connection ends."""
    came: list[Message] = []
    try:
        while True:
            came.append(client.receive())
    except (Ended, ConnectionResetError):
        return came


def rows(came: list[Message]) -> int:
    return sum(tag == "D" for tag, _ in came)


def start_of_rows(chunk: bytes) -> int:
    """Where the first DataRow starts: found message by message, as a table's OID may hold the letter D."""
    start = 0
    while chunk[start : start + 1] != b"D":
        start = end_of(chunk, start)
    return start


def end_of(chunk: bytes, start: int) -> int:
    """Where the message that starts at ``start`` ends."""
    return start + 1 + int.from_bytes(chunk[start + 1 : start + 5])


def cut_behind_the_first_row(chunk: bytes) -> bytes:
    """The description and one whole row."""
    return chunk[: end_of(chunk, start_of_rows(chunk))]


def cut_inside_the_second_row(chunk: bytes) -> bytes:
    """And some octets of the next one."""
    return cut_behind_the_first_row(chunk) + chunk[len(cut_behind_the_first_row(chunk)) :][:9]


def first_row(chunk: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """With another body of the first row."""
    start = start_of_rows(chunk)
    end = end_of(chunk, start)
    return chunk[:start] + message(b"D", change(chunk[start + 5 : end])) + chunk[end:]


def with_other_origin(chunk: bytes) -> bytes:
    """The protected column comes from another table."""
    at = chunk.index(b"email\0") + 6
    return chunk[:at] + int32(1259) + chunk[at + 4 :]


@pytest.mark.parametrize("extended", [False, True], ids=["simple", "extended"])
@pytest.mark.parametrize(
    "change", [cut_behind_the_first_row, cut_inside_the_second_row, lambda _: b""], ids=["row", "torn", "all"]
)
def test_it_dies_in_the_middle_of_its_rows(
    running: Gateway, way: Tampering, other: RawClient, change: Callable[[bytes], bytes], extended: bool
) -> None:
    """Whole rows may have come; then there is an error that says that the end is not known, and the end."""
    text = m.Query(QUERY).serialise()
    if extended:
        text = m.Parse("", QUERY).serialise() + m.Bind("", "").serialise()
        text += m.Target("P", "").describe() + m.Execute("").serialise() + m.SYNC
    with logged_in(running) as client:
        way.tamper = marked(change, goes_on=False)
        client.send(text)
        came = ended(client)
    assert rows(came) < ROWS
    fields = m.ErrorResponse.parse(came[-1].body).fields
    assert (came[-1].tag, fields["V"], fields["C"]) == ("E", "FATAL", "08006")
    assert "upstream-gone" in fields["M"]
    assert fields["H"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param(lambda c: message(b"%", b"faulty") + c, "upstream", id="a type that does not exist"),
        pytest.param(lambda c: message(b"R", int32(0)) + c, "upstream", id="a login"),
        pytest.param(lambda c: b"Z" + int32(5) + b"I" + c, "upstream", id="ready before its time"),
        pytest.param(lambda c: b"Z" + int32(5) + b"?" + c, "upstream", id="a status that does not exist"),
        pytest.param(lambda c: b"D" + int32(3) + c, "upstream", id="a length below its own"),
        pytest.param(lambda c: b"T" + int32((1 << 31) - 1) + c, "upstream", id="a length without measure"),
        pytest.param(lambda c: b"E" + int32(8) + b"SERR" + c, "upstream", id="an error that does not end"),
        pytest.param(lambda c: b"T" + int32(6) + b"\0\x09" + c, "upstream", id="a description cut short"),
        pytest.param(lambda c: first_row(c, lambda b: b[:-2]), "row-malformed", id="a row cut short"),
        pytest.param(lambda c: first_row(c, lambda b: b"\0\2" + b[2:]), "row-malformed", id="a row too long"),
        pytest.param(with_other_origin, "origin-mismatch", id="another table's column"),
        pytest.param(
            lambda c: m.ParameterStatus("client_encoding", "LATIN1").serialise() + c,
            "pinned-setting-changed",
            id="another encoding",
        ),
    ],
)
def test_it_speaks_nonsense(
    running: Gateway, way: Tampering, other: RawClient, change: Callable[[bytes], bytes], code: str
) -> None:
    """The session ends with an error that says whose fault it was, and what to do."""
    with logged_in(running) as client:
        way.tamper = marked(change)
        client.send(m.Query(QUERY).serialise())
        came = ended(client)
    fields = m.ErrorResponse.parse(came[-1].body).fields
    assert (came[-1].tag, fields["V"]) == ("E", "FATAL")
    assert fields["M"].endswith(f"[{code}]")
    assert fields["H"]


@pytest.mark.parametrize(
    "said",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"\0" * 100, b"R" + int32(1 << 20), message(b"Z", b"I")],
    ids=["http", "nothing", "zeros", "long", "ready"],
)
def test_it_speaks_nonsense_at_the_login(
    running: Gateway, way: Tampering, other: RawClient, said: bytes
) -> None:
    """A new session is refused with the reason; those that are there go on."""
    way.tamper = lambda _: (said, False)
    with pytest.raises(psycopg.OperationalError, match=r"strongroom: .*\[upstream"):
        psycopg.connect(running.uri()).close()


def test_it_cannot_be_reached(running: Gateway, shop: PostgresServer) -> None:
    """A new session is refused with the reason, one that is there goes on, and later all is well again."""
    with Tampering(shop.port) as way:
        upstream = shop.uri("faults", password="").replace(f":{shop.port}/", f":{way.port}/")
        with (
            Gateway.start(shop, "faults", more={"upstream": upstream}) as gateway,
            logged_in(gateway) as client,
        ):
            way.refuse()
            with pytest.raises(psycopg.OperationalError, match=r"\[upstream-unreachable\]"):
                psycopg.connect(gateway.uri()).close()
            assert [tag for tag, _ in client.ask("SELECT 1")] == ["T", "D", "C", "Z"]


def test_postgresql_is_killed(running: Gateway, shop: PostgresServer, way: Tampering) -> None:
    """A backend that is terminated in the middle of a statement says so itself; a new session works."""
    with logged_in(running, application_name="victim") as client, shop.connect() as db:
        client.send(m.Query("SELECT pg_sleep(60)").serialise())
        kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'"
        wait_until(lambda: db.execute(kill).fetchone() == (True,), "the backend is terminated")
        assert client.error()["C"] == "57P01"
        assert ended(client) == []
    with logged_in(running) as client:
        assert [tag for tag, _ in client.ask("SELECT email FROM people WHERE id = 1")] == ["T", "D", "C", "Z"]
