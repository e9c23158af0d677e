"""Messages that no driver sends in this order, octet by octet to both twins: the answers are the same.

What PostgreSQL answers and the gateway refuses is listed beside it: never is a sealed value shown as it is.
"""

from collections.abc import Iterator

import pytest
from tests.conformance.twins import Twin, Twins

from strongroom.testing.installations import EMBEDDED
from strongroom.testing.raw_client import Message, RawClient
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres.codec import HEADER

pytestmark = pytest.mark.parametrize("twins", [EMBEDDED], indirect=True)

MAIL = b"ada.xq7mark@example.org"
BY_ID = "SELECT email FROM customers WHERE id = $1"
BY_MAIL = "SELECT id, email FROM customers WHERE email = $1"
MAILS = "SELECT email FROM customers ORDER BY id"
CITIES = "SELECT city FROM customers ORDER BY id"


def query(text: str) -> bytes:
    """A simple query."""
    return m.Query(text).serialise()


def parse(name: str, text: str) -> bytes:
    """A Parse without types."""
    return m.Parse(name, text).serialise()


def bind(portal: str, statement: str, *values: bytes, formats: tuple[int, ...] = ()) -> bytes:
    """A Bind of values in text."""
    return m.Bind(portal, statement, (), values, formats).serialise()


def execute(portal: str = "", rows: int = 0) -> bytes:
    """An Execute."""
    return m.Execute(portal, rows).serialise()


def describe(kind: str, name: str) -> bytes:
    """A Describe of a statement (S) or portal (P)."""
    return m.Target(kind, name).describe()


def close(kind: str, name: str) -> bytes:
    """A Close."""
    return m.Target(kind, name).close()


def run(text: str) -> bytes:
    """A statement by Parse, Bind and Execute, without a Sync."""
    return parse("", text) + bind("", "") + execute()


Said = tuple[object, ...]


def answers(twin: Twin, *chunks: bytes) -> list[Said]:
    """What comes back, each chunk being sent when the one before it was answered."""
    parameters = twin.parameters
    with RawClient.connect(int(parameters["port"])) as client:
        client.log_in(parameters["user"], parameters["password"], parameters["dbname"])
        came: list[Message] = []
        for chunk in chunks:
            client.send(chunk)
            for tag in _tags(chunk):
                if tag in "SQ":
                    came += client.until("Z")
    return [_said(one) for one in came if one.tag not in "NS"]


def _tags(chunk: bytes) -> Iterator[str]:
    at = 0
    while at < len(chunk):
        yield chr(chunk[at])
        at += 1 + int.from_bytes(chunk[at + 1 : at + HEADER])


def _said(message: Message) -> Said:
    tag, body = message
    if tag == "E":
        return tag, m.ErrorResponse.parse(body).fields["C"]
    if tag == "T":
        fields = m.RowDescription.parse(body).fields
        return tag, *((one.name, one.type_oid, one.format) for one in fields)
    return tag, body


SAME = {
    "another search path": [
        parse("s", BY_ID) + m.SYNC, bind("",
        "s", b"1") + execute() + m.SYNC, query("SET search_path = archive"),
        bind("", "s", b"1") + execute() + m.SYNC, query("SET search_path = public"),
        bind("", "s", b"1") + execute() + m.SYNC,
    ],
    "another search path in a pipeline": [
        parse("s", BY_ID) + m.SYNC,
        run("SET search_path = archive") + bind("", "s", b"1") + execute()
        + run("SET search_path = public") + bind("", "s", b"1") + execute() + m.SYNC,
    ],
    "a column renamed and taken back": [
        parse("s", "SELECT name, email FROM customers WHERE id = $1") + m.SYNC, query("BEGIN"),
        query("ALTER TABLE customers RENAME name TO title"), bind("", "s", b"1") + execute() + m.SYNC,
        query("ROLLBACK"), bind("", "s", b"1") + execute() + m.SYNC,
    ],
    "a column added and taken back": [
        parse("s", BY_ID) + m.SYNC, query("BEGIN"), query("ALTER TABLE customers ADD x int"),
        bind("", "s", b"1") + execute() + m.SYNC, query("ROLLBACK"), bind("", "s", b"1") + execute() + m.SYNC,
    ],
    "a temporary table before it, in a pipeline": [
        parse("s", BY_ID) + m.SYNC,
        run("BEGIN") + run("CREATE TEMP TABLE customers (id int, email text)")
        + run("INSERT INTO customers VALUES (1, 'x')") + bind("", "s", b"1") + execute() + run("ROLLBACK")
        + bind("", "s", b"1") + execute() + m.SYNC,
    ],
    "FETCH that was prepared, of two cursors": [
        query("BEGIN"), query(f"DECLARE c CURSOR FOR {MAILS}"),
        parse("f", "FETCH 2 FROM c") + bind("", "f") + execute() + run("CLOSE c")
        + run("DECLARE c CURSOR FOR SELECT id, email FROM customers ORDER BY id") + bind("", "f") + execute()
        + m.SYNC,
    ],
    "EXECUTE that was prepared, of two statements": [
        query("PREPARE p AS SELECT email FROM customers WHERE id = $1"),
        parse("e", "EXECUTE p(1)") + bind("", "e") + execute() + m.SYNC, query("DEALLOCATE p"),
        query("PREPARE p AS SELECT id FROM customers WHERE id = $1"), bind("", "e") + execute() + m.SYNC,
    ],
    "EXECUTE of another statement, its argument no longer sealed": [
        query("PREPARE p AS SELECT id FROM customers WHERE email <> $1 ORDER BY id"),
        # No value that is searched for: the second time it is one of an unprotected table.
        parse("e", "EXECUTE p('nobody')") + bind("", "e") + execute() + m.SYNC, query("DEALLOCATE p"),
        query("PREPARE p AS SELECT id FROM contacts WHERE email <> $1 ORDER BY id"),
        bind("", "e") + execute() + m.SYNC,
    ],
    "a cursor closed and its name bound": [
        query("BEGIN"), query(f"DECLARE c CURSOR FOR {MAILS}"),
        run("CLOSE c") + parse("s", CITIES) + bind("c",
        "s") + execute("c", 1) + run("FETCH 1 FROM c") + m.SYNC,
    ],
    "a portal closed and its name declared": [
        query("BEGIN"),
        parse("s", CITIES) + bind("c", "s") + execute("c", 1) + close("P",
        "c") + run(f"DECLARE c CURSOR FOR {MAILS}")
        + run("FETCH 1 FROM c") + close("P", "c") + bind("c", "s") + execute("c", 1) + m.SYNC,
    ],
    "FETCH from a portal": [
        query("BEGIN"),
        parse("s", MAILS) + bind("c", "s", formats=(1,)) + run("FETCH 1 FROM c") + execute("c", 1)
        + parse("", "FETCH 1 FROM c") + bind("", "", formats=(1,)) + describe("P", "") + execute() + m.SYNC,
        query("FETCH 1 FROM c"),
    ],
    "a binary cursor, asked for in text": [
        query("BEGIN"), query("DECLARE c BINARY CURSOR FOR SELECT email, id FROM customers ORDER BY id"),
        query("FETCH 1 FROM c"),
        parse("", "FETCH 1 FROM c") + bind("", "", formats=(0,)) + describe("P", "") + execute() + m.SYNC,
    ],
    "rows in portions, beside savepoints": [
        query("BEGIN"), parse("s", MAILS) + bind("c", "s") + execute("c", 2) + m.SYNC,
        run("SAVEPOINT a") + execute("c", 1) + run("ROLLBACK TO a") + execute("c", 1) + m.SYNC,
    ],
    "PREPARE, then Bind": [
        query(f"PREPARE p AS {BY_MAIL}"),
        describe("S", "p") + bind("", "p", MAIL) + describe("P", "") + execute() + m.SYNC,
        bind("", "p", MAIL, formats=(1,)) + execute() + m.SYNC,
    ],
    "PREPARE and Bind in one pipeline": [
        run(f"PREPARE p AS {BY_MAIL}") + describe("S", "p") + bind("", "p", MAIL) + execute() + m.SYNC,
    ],
    "DEALLOCATE, PREPARE and Describe in one pipeline": [
        parse("p", CITIES) + run("DEALLOCATE p") + run(f"PREPARE p AS {BY_MAIL}") + describe("S", "p")
        + bind("", "p", MAIL) + execute() + m.SYNC,
    ],
    "PREPARE of which a parameter is split": [
        query("PREPARE p AS SELECT id FROM customers WHERE email = $1 OR name = $1"), describe("S",
        "p") + m.SYNC,
        bind("", "p", b"Ada") + execute() + m.SYNC, query("EXECUTE p('Ada')"),
    ],
    "Parse, then EXECUTE": [
        parse("s", BY_MAIL) + m.SYNC, query(f"EXECUTE s('{MAIL.decode()}')"),
        run(f"EXECUTE s('{MAIL.decode()}')") + m.SYNC, query("DEALLOCATE s"), bind("", "s",
        MAIL) + execute() + m.SYNC,
    ],
    "DISCARD ALL": [parse("s", BY_ID) + m.SYNC, query("DISCARD ALL"), bind("",
    "s", b"1") + execute() + m.SYNC],
    "names that are taken, and names of nothing": [
        query("BEGIN"), parse("s", MAILS) + bind("c", "s") + bind("c", "s") + m.SYNC, query("ROLLBACK"),
        parse("s", CITIES) + m.SYNC, bind("", "nobody") + m.SYNC, describe("S", "nobody") + m.SYNC,
        execute("nobody") + m.SYNC, close("S", "nobody") + close("P", "nobody") + m.SYNC,
    ],
    "an error in the middle of a pipeline": [
        run(BY_ID.replace("$1", "1")) + run("SELECT 1 / 0") + run(MAILS) + m.SYNC, run(MAILS) + m.SYNC,
        query(f"{MAILS}; SELECT 1 / 0; {MAILS}"),
    ],
}  # fmt: skip
SAME |= {
    f"PREPARE {how}, then a change of the catalog": [
        prepare, bind("", "p", MAIL) + execute() + m.SYNC, query("CREATE TABLE passing (id int)"),
        bind("", "p", MAIL) + execute() + m.SYNC, query(f"EXECUTE p('{MAIL.decode()}')"),
        query("DROP TABLE passing"),
    ]
    for how, prepare in {
        "alone": query(f"PREPARE p AS {BY_MAIL}"),
        "among others": query(f"BEGIN; PREPARE p AS {BY_MAIL}; COMMIT"),
        "by Execute": run(f"PREPARE p AS {BY_MAIL}") + m.SYNC,
    }.items()
}  # fmt: skip
SAME |= {
    f"DISCARD {what} takes neither statement nor cursor": [
        parse("s", BY_ID) + m.SYNC, query("BEGIN"), query(f"DECLARE c CURSOR FOR {MAILS}"),
        query(f"DISCARD {what}"), bind("", "s", b"1") + execute() + m.SYNC, query("FETCH 1 FROM c"),
    ]
    for what in ("PLANS", "TEMP", "SEQUENCES")
}  # fmt: skip


COLUMNS = "id, email, phone, born, visits, ref"
GIVEN = (b"7001", b"a@example.org", b"1", b"2001-02-03", b"4", b"00010203-0405-0607-0809-0a0b0c0d0e0f")


def rounds(*changes: tuple[int, bytes | None], described: bool = True, statement: str = "s") -> bytes:
    """A series of INSERTs, one more for each change, of which each replaces one value of its row."""
    series = b""
    for number, (place, value) in enumerate([(0, b"7001"), *changes, (0, b"7999")]):
        values: list[bytes | None] = [*GIVEN]
        values[0] = b"%d" % (7001 + number)
        values[1] = b"%d@example.org" % number
        values[place] = value
        series += m.Bind("", statement, (), tuple(values)).serialise()
        series += describe("P", "") * described + execute()
    return series


def inserted(*chunks: bytes) -> list[bytes]:
    """These chunks inside a transaction, in which INSERT is prepared, and what is there afterwards."""
    prepare = parse("s", f"INSERT INTO customers ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6)")
    there = query(f"SELECT {COLUMNS} FROM customers WHERE id > 7000 ORDER BY id")
    return [prepare + m.SYNC, query("BEGIN"), *chunks, there, query("ROLLBACK"), there]


PLAIN_ROWS = [(2, None), (3, None), (4, b"-2147483648"), (5, None)]
OTHER_FORMS = [(3, b"2002-3-4"), (4, b" 5 "), (5, b"{00010203-0405-0607-0809-0A0B0C0D0E0F}"), (2, b"x   ")]
SAME |= {
    "a series": inserted(rounds(*PLAIN_ROWS) + m.SYNC),
    "a series without Describe": inserted(rounds(*PLAIN_ROWS, described=False) + m.SYNC),
    "a series of values in other forms": inserted(rounds(*OTHER_FORMS) + m.SYNC),
    "a series of which a value is of another type": inserted(rounds((4, b"many"), *PLAIN_ROWS) + m.SYNC),
    "a series of which a value is out of range": inserted(rounds(*PLAIN_ROWS, (4, b"2147483648")) + m.SYNC),
    "a series of which a value is no text": inserted(rounds((1, b"\xff")) + m.SYNC),
    "a series of which a row is there already": inserted(rounds((1, b"0@example.org"), *PLAIN_ROWS) + m.SYNC),
    "a series of which upstream refuses a value": inserted(rounds((0, b"no number"), *PLAIN_ROWS) + m.SYNC),
    "two series, and a query between": inserted(
        rounds(*PLAIN_ROWS) + run("DELETE FROM customers WHERE id > 7000") + rounds(*PLAIN_ROWS) + m.SYNC
    ),
    "series outside a transaction": [
        *inserted()[:1], rounds(*PLAIN_ROWS) + m.SYNC + rounds((1, None)) + m.SYNC, *inserted()[2:-2],
        query("DELETE FROM customers WHERE id > 7000"),
    ],
    "a series of a statement that is not there": inserted(rounds(statement="t") + m.SYNC),
    "a series of too few values": inserted((bind("", "s", b"7001") + execute()) * 3 + m.SYNC),
}  # fmt: skip


@pytest.mark.parametrize("chunks", SAME.values(), ids=SAME)
def test_the_answers_are_the_same(twins: Twins, chunks: list[bytes]) -> None:
    """Message for message; of errors, the SQLSTATE."""
    assert answers(twins.protected, *chunks) == answers(twins.plain, *chunks)


OF_ANOTHER_MEANING = {
    "in order": [
        query("BEGIN"),
        parse("s", CITIES) + bind("c",
        "s") + execute("c", 1) + run("CLOSE c") + run(f"DECLARE c CURSOR FOR {MAILS}")
        + execute("c", 1) + m.SYNC,
    ],
    "bound before": [
        query("BEGIN"), parse("s", CITIES) + parse("x", "CLOSE c") + parse("d",
        f"DECLARE c CURSOR FOR {MAILS}") + m.SYNC,
        bind("c", "s") + execute("c", 1) + bind("p1", "x") + bind("p2", "d") + execute("p1") + execute("p2")
        + execute("c", 1) + m.SYNC,
    ],
    "by a simple query": [
        query("BEGIN"), parse("s", CITIES) + bind("c", "s") + execute("c", 1) + m.SYNC,
        query(f"CLOSE c; DECLARE c CURSOR FOR {MAILS}") + describe("P", "c") + execute("c", 1) + m.SYNC,
    ],
    "sealed first": [
        query("BEGIN"), parse("s", MAILS) + parse("x", "CLOSE c") + parse("d",
        f"DECLARE c CURSOR FOR {CITIES}") + m.SYNC,
        bind("c", "s") + execute("c", 1) + bind("p1", "x") + bind("p2", "d") + execute("p1") + execute("p2")
        + execute("c", 1) + m.SYNC,
    ],
}  # fmt: skip


@pytest.mark.parametrize("chunks", OF_ANOTHER_MEANING.values(), ids=OF_ANOTHER_MEANING)
def test_a_portal_that_became_a_cursor(twins: Twins, chunks: list[bytes]) -> None:
    """Execute of a cursor's name gives rows without a word of their format: refused, never shown sealed."""
    plain, ours = answers(twins.plain, *chunks), answers(twins.protected, *chunks)
    until = next((index for index, said in enumerate(ours) if said[0] == "E"), len(ours))
    assert ours[:until] == plain[:until]
    assert ours[until:] in ([("E", "34000"), ("Z", b"E")], plain[until:])


def test_what_a_refused_parse_leaves(twins: Twins) -> None:
    """The Binds behind it send no value, and the transaction is as PostgreSQL would leave it."""
    chunks = (
        query("BEGIN"),
        parse("s", "SELECT id FROM customers WHERE lower(email) = $1")
        + bind("", "s", MAIL)
        + execute()
        + m.SYNC,
        bind("", "s", MAIL) + execute() + m.SYNC,
        query("ROLLBACK"),
        bind("", "s", MAIL) + execute() + m.SYNC,
        query("SELECT 1"),
    )
    came = answers(twins.protected, *chunks)
    assert [said[1] for said in came if said[0] == "Z"] == [b"T", b"E", b"E", b"I", b"I", b"I"]
    assert [said[0] for said in came].count("D") == 1
    assert not [leak for leak in twins.leaks() if MAIL in leak.around and b"statement" in leak.around]
