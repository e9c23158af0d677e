"""What goes wrong near protected tables: refused in the middle of something, and errors that quote values.

The transaction's state is PostgreSQL's own at every moment: what was refused leaves a transaction failed, a
pipeline skipped up to its Sync, and a COMMIT that rolls back.
"""

import asyncio
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import pq
from psycopg.pq.abc import PGconn, PGresult
from tests.conformance.shop import MARKERS
from tests.conformance.twins import Twins

REFUSED = "SELECT id FROM customers ORDER BY email"
ADA = "ada.xq7mark@example.org"
pytestmark = pytest.mark.parametrize("twins", ["embedded", "15"], indirect=True)


@pytest.fixture
def connection(twins: Twins) -> Iterator[PGconn]:
    """A connection of its own through the gateway, to tables as they were in the beginning."""
    twins.fill()
    made = pq.PGconn.connect(twins.protected.uri.encode())
    assert made.status == pq.ConnStatus.OK, made.error_message
    yield made
    made.finish()
    twins.fill()  # other tests expect the tables so


def state(result: PGresult) -> str:
    """The SQLSTATE, or the command tag."""
    sqlstate = result.error_field(pq.DiagnosticField.SQLSTATE)
    return (sqlstate or result.command_status or b"").decode()


def simple(connection: PGconn, *texts: str) -> list[str]:
    """What simple queries give, one after the other."""
    return [state(connection.exec_(text.encode())) for text in texts]


def rows(connection: PGconn, text: str) -> list[bytes | None]:
    """The first column."""
    result = connection.exec_(text.encode())
    return [result.get_value(row, 0) for row in range(result.ntuples)]


def test_commit_after_a_refusal_rolls_back(connection: PGconn) -> None:
    """BEGIN; INSERT; refused; INSERT; COMMIT: nothing stays, as after any error."""
    insert = "INSERT INTO customers (id, email) VALUES (90, 'kept.xq7mark')"
    found = simple(connection, "BEGIN", insert, REFUSED, "SELECT email FROM customers", "COMMIT")
    assert found == ["BEGIN", "INSERT 0 1", "0A000", "25P02", "ROLLBACK"]
    assert rows(connection, "SELECT count(*) FROM customers WHERE id = 90") == [b"0"]


def test_a_savepoint_undoes_a_refusal(connection: PGconn) -> None:
    """After ROLLBACK TO, the transaction goes on and keeps what was before."""
    insert = "INSERT INTO customers (id, email) VALUES (90, 'kept.xq7mark')"
    found = simple(connection, "BEGIN", insert, "SAVEPOINT s", REFUSED, "ROLLBACK TO s", "COMMIT")
    assert found == ["BEGIN", "INSERT 0 1", "SAVEPOINT", "0A000", "ROLLBACK", "COMMIT"]
    assert rows(connection, "SELECT email FROM customers WHERE id = 90") == [b"kept.xq7mark"]


def test_a_text_with_a_refused_statement_does_nothing(connection: PGconn) -> None:
    """Of several statements in one text none is done when one is refused."""
    text = f"INSERT INTO customers (id, email) VALUES (90, 'kept.xq7mark'); {REFUSED}; SELECT 1"
    assert simple(connection, text) == ["0A000"]
    assert connection.transaction_status == pq.TransactionStatus.IDLE
    assert rows(connection, "SELECT count(*) FROM customers WHERE id = 90") == [b"0"]


def test_a_text_with_its_own_transaction(connection: PGconn) -> None:
    """BEGIN, a refused statement and COMMIT in one text leave no transaction open."""
    text = f"BEGIN; INSERT INTO contacts (id) VALUES (90); {REFUSED}; COMMIT"
    assert simple(connection, text) == ["0A000"]
    assert connection.transaction_status == pq.TransactionStatus.IDLE
    assert rows(connection, "SELECT count(*) FROM contacts WHERE id = 90") == [b"0"]


def test_a_pipeline_is_skipped_up_to_its_sync(connection: PGconn) -> None:
    """What follows a refused statement before Sync is not done; what follows Sync is."""
    connection.enter_pipeline_mode()
    connection.send_query_params(b"INSERT INTO contacts (id) VALUES (90)", None)
    connection.send_query_params(REFUSED.encode(), None)
    connection.send_query_params(b"INSERT INTO contacts (id) VALUES (91)", None)
    connection.pipeline_sync()
    connection.send_query_params(b"SELECT id FROM customers WHERE email = $1", [ADA.encode()])
    connection.pipeline_sync()
    found: list[str] = []
    while len([one for one in found if one == "PIPELINE_SYNC"]) < 2:
        result = connection.get_result()
        if result is not None:
            kind = pq.ExecStatus(result.status).name
            found.append(kind if kind.startswith("PIPELINE") else state(result))
    connection.exit_pipeline_mode()
    expected = ["INSERT 0 1", "0A000", "PIPELINE_ABORTED", "PIPELINE_SYNC", "SELECT 1", "PIPELINE_SYNC"]
    assert found == expected
    assert rows(connection, "SELECT count(*) FROM contacts WHERE id >= 90") == [b"0"]


def test_a_refused_parse_leaves_the_name_free(connection: PGconn) -> None:
    """After a refused Parse the statement does not exist, and its name can be used."""
    assert state(connection.prepare(b"s", REFUSED.encode())) == "0A000"
    assert state(connection.exec_prepared(b"s", None)) == "26000"
    assert state(connection.prepare(b"s", b"SELECT email FROM customers WHERE id = 1")) == ""
    assert connection.exec_prepared(b"s", None).get_value(0, 0) == ADA.encode()


def test_a_refused_value_leaves_the_statement(connection: PGconn) -> None:
    """A value that cannot be sealed fails its Bind; the prepared statement can be used again."""
    connection.prepare(b"s", b"INSERT INTO customers (id, email, born) VALUES ($1, $2, $3)")
    first = connection.exec_prepared(b"s", [b"90", b"a.xq7mark", b"1847-02-30"])
    assert state(first) == "22008"
    assert state(connection.exec_prepared(b"s", [b"90", b"a.xq7mark", b"1847-02-28"])) == "INSERT 0 1"


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        (f"INSERT INTO customers (id, email) VALUES (90, '{ADA}')", "23505"),
        ("INSERT INTO customers (id, email, iban) VALUES (90, NULL, 'iban xq7mark')", "23502"),
        ("INSERT INTO customers (id, email, age) VALUES (90, 'x.xq7mark', 200)", "23514"),
        ("INSERT INTO orders (id, email, total) VALUES (90, 'none.xq7mark', 1)", "23503"),
        (f"UPDATE customers SET id = id + 1 WHERE email = '{ADA}'", "23505"),
        ("INSERT INTO events (id, email) VALUES (999, 'x.xq7mark')", "23514"),
        ("INSERT INTO customers (id, email, born) VALUES (90, 'x.xq7mark', '1847-13-45')", "22008"),
        ("INSERT INTO customers (id, email, visits) VALUES (90, 'x.xq7mark', 'xq7mark')", "22P02"),
        ("INSERT INTO customers (id, email, profile) VALUES (90, 'x.xq7mark', '{xq7mark')", "22P02"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) == 5 else None,
)
def test_errors_quote_no_value(connection: PGconn, sql: str, sqlstate: str) -> None:
    """The error has PostgreSQL's SQLSTATE, and neither a plaintext nor a sealed value in any field."""
    result = connection.exec_(sql.encode())
    fields = [result.error_field(field) or b"" for field in pq.DiagnosticField]
    assert state(result) == sqlstate
    said = b" ".join(fields)
    assert not any(marker in said for marker in MARKERS), said
    assert b"\\x01" not in said, said


def test_a_duplicate_names_its_constraint(connection: PGconn) -> None:
    """Applications tell violations apart by the constraint's name, which stays."""
    result = connection.exec_(f"INSERT INTO customers (id, email) VALUES (90, '{ADA}')".encode())
    assert result.error_field(pq.DiagnosticField.CONSTRAINT_NAME) == b"customers_email_key"
    assert result.error_field(pq.DiagnosticField.TABLE_NAME) == b"customers"


def test_a_plan_shows_no_plaintext(connection: PGconn) -> None:
    """EXPLAIN shows the condition as the database has it: sealed."""
    result = connection.exec_(f"EXPLAIN SELECT name FROM customers WHERE email = '{ADA}'".encode())
    plan = b"\n".join(result.get_value(row, 0) or b"" for row in range(result.ntuples))
    assert b"email = '\\x01" in plan
    assert ADA.encode() not in plan


@pytest.mark.parametrize("setting", ["client_min_messages = debug5", "client_min_messages = log"])
def test_notices_quote_no_value(connection: PGconn, setting: str) -> None:
    """However much a session wants to hear, no notice brings a value."""
    heard: list[bytes] = []
    connection.notice_handler = lambda result: heard.append(
        b" ".join(result.error_field(field) or b"" for field in pq.DiagnosticField)
    )
    simple(connection, f"SET {setting}", f"SELECT id FROM customers WHERE email = '{ADA}'")
    simple(connection, "INSERT INTO customers (id, email) VALUES (90, 'noticed.xq7mark')")
    assert not [one for one in heard if any(marker in one for marker in MARKERS)]


def test_the_check_keeps_plaintext_out(twins: Twins) -> None:
    """Past the gateway, the database itself refuses a plaintext in a protected column."""
    with (
        twins.protected.server.connect("shop", "app") as direct,
        pytest.raises(psycopg.errors.CheckViolation),
    ):
        direct.execute("INSERT INTO customers (id, email) VALUES (95, 'not a marker')")


def test_a_value_copied_into_another_column_does_not_open(twins: Twins, connection: PGconn) -> None:
    """Who moves a sealed value to a column of another key gets an error, not a value."""
    with twins.protected.server.connect("shop") as direct:
        check = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'strongroom_card'"
        ((definition,),) = direct.execute(check).fetchall()
        direct.execute("ALTER TABLE orders DROP CONSTRAINT strongroom_card")
        direct.execute("UPDATE orders SET card = email WHERE id = 1")
        try:
            connection.send_query(b"SELECT card FROM orders WHERE id = 1")
            result = connection.get_result()
            assert result is not None
            assert state(result) == "XX001"
            assert result.ntuples == 0
        finally:
            direct.execute("UPDATE orders SET card = NULL WHERE id = 1")
            direct.execute(f"ALTER TABLE orders ADD CONSTRAINT strongroom_card {definition}".encode())


def test_many_sessions_at_once(twins: Twins) -> None:
    """Sessions that read and write at the same time see their own values."""

    async def one(number: int) -> list[str]:
        async with await psycopg.AsyncConnection.connect(twins.protected.uri, autocommit=True) as session:
            email = f"session{number}.xq7mark"
            await session.execute("INSERT INTO customers (id, email) VALUES (%s, %s)", [2000 + number, email])
            query = "SELECT email FROM customers WHERE email = %s"
            cursors = [await session.execute(query, [email]) for _ in range(10)]
            return [str(row[0]) for cursor in cursors for row in await cursor.fetchall()]

    async def everyone() -> list[list[str]]:
        return await asyncio.gather(*(one(number) for number in range(8)))

    twins.fill()
    try:
        assert asyncio.run(everyone()) == [[f"session{number}.xq7mark"] * 10 for number in range(8)]
    finally:
        twins.fill()  # other tests expect the tables so


def test_a_protected_table_made_anew(connection: PGconn) -> None:
    """A table dropped and made again, its protected column now of type text, takes no plaintext."""
    made = "CREATE TABLE events (id int, kind text, email text)"
    insert = "INSERT INTO events VALUES (1, 'x', 'not a marker')"
    found = simple(connection, "BEGIN", "DROP TABLE events", made, insert, "ROLLBACK")
    assert found[3] != "INSERT 0 1"
