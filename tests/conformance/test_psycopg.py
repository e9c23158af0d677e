"""psycopg 3: simple and extended queries, text and binary, pipelines, COPY, notifications, cancel."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from tests.conformance.conftest import Endpoint, connect

PEOPLE = "CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, born date, note jsonb)"


@pytest.fixture
def connection(endpoint: Endpoint) -> Iterator[psycopg.Connection]:
    """A connection with a small table."""
    with connect(endpoint) as opened:
        opened.execute(PEOPLE)
        with opened.cursor() as cursor:
            rows = [(n, f"name {n}", date(1970, 1, n), Jsonb({"n": n})) for n in range(1, 11)]
            cursor.executemany("INSERT INTO people VALUES (%s, %s, %s, %s)", rows)
        opened.commit()
        yield opened


def test_who_and_where(endpoint: Endpoint, connection: psycopg.Connection) -> None:
    """The session is that user's in that database, in UTF-8, and knows the server's version."""
    row = connection.execute("SELECT current_user, current_database(), version()").fetchone()
    assert row is not None
    assert row[:2] == (endpoint.user, endpoint.database)
    assert connection.info.encoding == "utf-8"
    assert connection.info.server_version // 10000 == endpoint.server.installation.major


def test_simple_query(connection: psycopg.Connection) -> None:
    """A simple query of several statements gives a result for each."""
    cursor = connection.execute(b"SELECT 1; SELECT name FROM people WHERE id = 2; SELECT 3 WHERE false")
    results = []
    while True:
        results.append(cursor.fetchall())
        if not cursor.nextset():
            break
    assert results == [[(1,)], [("name 2",)], []]


def test_empty_query(connection: psycopg.Connection) -> None:
    """An empty query is answered as such."""
    result = connection.pgconn.exec_(b"")
    assert result.status == psycopg.pq.ExecStatus.EMPTY_QUERY


@pytest.mark.parametrize("binary", [False, True])
def test_types(connection: psycopg.Connection, binary: bool) -> None:
    """Values of many types go up and come back, in both formats."""
    numbers = (True, 7, 2**40, 1.5, Decimal("12.340"))
    values = (*numbers, "zoë 🌳", b"\x00\xff", date(2026, 1, 2), UUID(int=7), [1, 2, None], None)
    cursor = connection.cursor(binary=binary)
    mark = "%b" if binary else "%t"
    cursor.execute(f"SELECT {', '.join([mark] * len(values))}".encode(), values)
    assert cursor.fetchone() == values


@pytest.mark.parametrize("binary", [False, True])
def test_parameters(connection: psycopg.Connection, binary: bool) -> None:
    """A parameter selects its row."""
    cursor = connection.cursor(binary=binary)
    cursor.execute("SELECT id, name, born, note FROM people WHERE id = %s", [3])
    assert cursor.fetchall() == [(3, "name 3", date(1970, 1, 3), {"n": 3})]


def test_columns_are_described(connection: psycopg.Connection) -> None:
    """A result names its columns, their types and where they come from."""
    cursor = connection.execute("SELECT id, name AS who, id + 1 FROM people LIMIT 0")
    assert cursor.description is not None
    assert [(column.name, column.type_code) for column in cursor.description] == [
        ("id", 23),
        ("who", 25),
        ("?column?", 23),
    ]
    assert cursor.pgresult is not None
    assert [cursor.pgresult.ftablecol(n) for n in range(3)] == [1, 2, 0]


def test_prepared_statements(connection: psycopg.Connection) -> None:
    """A statement that is prepared under a name can be executed again and again."""
    for n in range(1, 11):
        cursor = connection.execute("SELECT name FROM people WHERE id = %s", [n], prepare=True)
        assert cursor.fetchone() == (f"name {n}",)


def test_prepare_and_describe(connection: psycopg.Connection) -> None:
    """A named statement can be described, executed and deallocated at the protocol's level."""
    pgconn = connection.pgconn
    assert not pgconn.prepare(b"s1", b"SELECT name FROM people WHERE id = $1", [23]).error_message
    described = pgconn.describe_prepared(b"s1")
    assert (described.nparams, described.param_type(0)) == (1, 23)
    assert [described.fname(n) for n in range(described.nfields)] == [b"name"]
    assert pgconn.exec_prepared(b"s1", [b"4"]).get_value(0, 0) == b"name 4"
    connection.execute("DEALLOCATE s1")
    assert pgconn.exec_prepared(b"s1", [b"4"]).error_field(psycopg.pq.DiagnosticField.SQLSTATE) == b"26000"


def test_sql_prepare(connection: psycopg.Connection) -> None:
    """PREPARE and EXECUTE work as statements, too."""
    connection.execute("PREPARE p (int) AS SELECT name FROM people WHERE id = $1")
    assert connection.execute("EXECUTE p (5)").fetchone() == ("name 5",)


def test_pipeline(connection: psycopg.Connection) -> None:
    """Statements sent without waiting are answered in order."""
    with connection.pipeline():
        cursors = [
            connection.execute("SELECT %s::int, name FROM people WHERE id = %s", [n, n]) for n in range(1, 11)
        ]
        found = [cursor.fetchone() for cursor in cursors]
    assert found == [(n, f"name {n}") for n in range(1, 11)]


def test_an_error_in_a_pipeline(connection: psycopg.Connection) -> None:
    """What follows an error is skipped up to the next Sync, and what was before it is undone."""
    pgconn = connection.pgconn
    pgconn.nonblocking = 0
    pgconn.enter_pipeline_mode()
    for text in (b"UPDATE people SET name = 'before'", b"SELECT 1 / (id - id) FROM people", b"SELECT 1"):
        pgconn.send_query_params(text, None)
    pgconn.pipeline_sync()
    pgconn.send_query_params(b"SELECT name FROM people WHERE id = 1", None)
    pgconn.pipeline_sync()
    seen: list[int] = []
    while seen.count(psycopg.pq.ExecStatus.PIPELINE_SYNC) < 2:
        result = pgconn.get_result()
        if result is not None:
            seen.append(result.status)
    status = psycopg.pq.ExecStatus
    segment = [status.COMMAND_OK, status.FATAL_ERROR, status.PIPELINE_ABORTED, status.PIPELINE_SYNC]
    assert seen == [*segment, status.TUPLES_OK, status.PIPELINE_SYNC]
    pgconn.exit_pipeline_mode()
    assert connection.execute("SELECT name FROM people WHERE id = 1").fetchone() == ("name 1",)


@pytest.mark.parametrize("scrollable", [False, True])
def test_server_side_cursors(connection: psycopg.Connection, scrollable: bool) -> None:
    """A cursor of the server's gives its rows in the portions asked for."""
    with connection.cursor("c", scrollable=scrollable) as cursor:
        cursor.itersize = 3
        cursor.execute("SELECT id FROM people ORDER BY id")
        assert [row[0] for row in cursor.fetchmany(4)] == [1, 2, 3, 4]
        if scrollable:
            cursor.scroll(-2)
        assert [row[0] for row in cursor] == ([3, 4] if scrollable else []) + [5, 6, 7, 8, 9, 10]


def test_row_by_row(connection: psycopg.Connection) -> None:
    """Rows can be taken while others are still on their way."""
    cursor = connection.cursor()
    total = sum(row[0] for row in cursor.stream("SELECT generate_series(1, 5000)", size=1))
    assert total == 5000 * 5001 // 2


@pytest.mark.parametrize("binary", [False, True])
def test_copy(connection: psycopg.Connection, binary: bool) -> None:
    """COPY in and out carries thousands of rows in both formats."""
    options = sql.SQL("(FORMAT binary)" if binary else "")
    connection.execute("CREATE TABLE copied (n int8, t text)")
    with connection.cursor() as cursor:
        with cursor.copy(sql.SQL("COPY copied FROM STDIN {}").format(options)) as copy:
            if binary:
                copy.set_types(["int8", "text"])
            for n in range(5000):
                copy.write_row((n, f"row {n}\t\\" if n % 7 else None))
        with cursor.copy(
            sql.SQL("COPY (SELECT * FROM copied ORDER BY n) TO STDOUT {}").format(options)
        ) as copy:
            copy.set_types(["int8", "text"])
            rows = list(copy.rows())
    assert rows == [(n, f"row {n}\t\\" if n % 7 else None) for n in range(5000)]


def copy_in(connection: psycopg.Connection, rows: Iterable[tuple[int, str]]) -> None:
    with connection.cursor() as cursor, cursor.copy("COPY people (id, name) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def test_an_aborted_copy(connection: psycopg.Connection) -> None:
    """A COPY that the client gives up fails, and the session goes on."""

    def rows() -> Iterator[tuple[int, str]]:
        yield 100, "x"
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        copy_in(connection, rows())
    connection.rollback()
    assert connection.execute("SELECT count(*) FROM people").fetchone() == (10,)


def test_a_failing_copy(connection: psycopg.Connection) -> None:
    """A COPY whose rows the server refuses fails with the server's error, and the session goes on."""
    with pytest.raises(psycopg.errors.UniqueViolation):
        copy_in(connection, ((n, "x" * 100) for n in range(2000)))
    connection.rollback()
    assert connection.execute("SELECT count(*) FROM people").fetchone() == (10,)


def test_notifications(endpoint: Endpoint, connection: psycopg.Connection) -> None:
    """What another session notifies arrives while this one waits."""
    connection.autocommit = True
    connection.execute("LISTEN news")
    with connect(endpoint, autocommit=True) as other:
        other.execute("SELECT pg_notify('news', 'tidings')")
    received = list(connection.notifies(timeout=20, stop_after=1))
    assert [(note.channel, note.payload) for note in received] == [("news", "tidings")]


def test_notices(connection: psycopg.Connection) -> None:
    """A notice arrives with its parts."""
    heard = []
    connection.add_notice_handler(
        lambda said: heard.append((said.severity, said.message_primary, said.message_hint))
    )
    connection.execute("DO $$ BEGIN RAISE WARNING 'mind %', 1 USING HINT = 'so' ; END $$")
    assert heard == [("WARNING", "mind 1", "so")]


def test_a_parameter_status(connection: psycopg.Connection) -> None:
    """A change of a reported setting is reported."""
    connection.execute("SET application_name = 'conformance'")
    assert connection.pgconn.parameter_status(b"application_name") == b"conformance"


def test_transactions(connection: psycopg.Connection) -> None:
    """Commit keeps, rollback undoes, and a failed transaction refuses until it ends."""
    connection.execute("UPDATE people SET name = 'kept' WHERE id = 1")
    connection.commit()
    connection.execute("UPDATE people SET name = 'lost' WHERE id = 1")
    connection.rollback()
    assert connection.execute("SELECT name FROM people WHERE id = 1").fetchone() == ("kept",)
    with pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("SELECT * FROM nowhere")
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        connection.execute("SELECT 1")
    connection.rollback()


def test_savepoints(connection: psycopg.Connection) -> None:
    """A savepoint keeps what went before it."""
    connection.execute("UPDATE people SET name = 'outer' WHERE id = 1")
    connection.execute("SAVEPOINT here")
    connection.execute("UPDATE people SET name = 'inner' WHERE id = 2")
    with pytest.raises(psycopg.errors.NotNullViolation):
        connection.execute("UPDATE people SET name = NULL WHERE id = 3")
    connection.execute("ROLLBACK TO SAVEPOINT here")
    connection.commit()
    found = connection.execute("SELECT name FROM people WHERE id < 4 ORDER BY id").fetchall()
    assert found == [("outer",), ("name 2",), ("name 3",)]


def test_errors(connection: psycopg.Connection) -> None:
    """An error arrives with its SQLSTATE, its position and the names of what it is about."""
    with pytest.raises(psycopg.errors.UniqueViolation) as caught:
        connection.execute("INSERT INTO people VALUES (1, 'x')")
    assert (caught.value.diag.table_name, caught.value.diag.constraint_name) == ("people", "people_pkey")
    connection.rollback()
    with pytest.raises(psycopg.errors.SyntaxError) as wrong:
        connection.execute("SELECT 1 FROM FROM people")
    assert wrong.value.diag.statement_position == "15"


@pytest.mark.parametrize("safely", [False, True])
def test_cancel(connection: psycopg.Connection, safely: bool) -> None:
    """A CancelRequest, in the clear or as the session's own leg, ends the statement that runs."""
    timer = threading.Timer(0.3, connection.cancel_safe if safely else connection.cancel)
    timer.start()
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute("SELECT pg_sleep(20)")
    timer.join()
    connection.rollback()
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_large_result(connection: psycopg.Connection) -> None:
    """Tens of megabytes arrive whole."""
    rows = connection.execute(
        "SELECT n, repeat(md5(n::text), 30) FROM generate_series(1, 20000) n"
    ).fetchall()
    assert len(rows) == 20000
    assert sum(len(row[1]) for row in rows) == 20000 * 32 * 30


def test_large_values(connection: psycopg.Connection) -> None:
    """A value of several megabytes goes up and comes back."""
    value = "0123456789abcdef" * (1 << 18)
    assert connection.execute("SELECT %s::text, length(%s)", [value, value]).fetchone() == (value, len(value))


def test_wide_results(connection: psycopg.Connection) -> None:
    """A result of a thousand columns arrives whole."""
    cursor = connection.cursor(row_factory=dict_row)
    cursor.execute("SELECT " + ", ".join(f"{n} AS c{n}" for n in range(1000)))
    assert cursor.fetchone() == {f"c{n}": n for n in range(1000)}


def test_two_phase_commit(connection: psycopg.Connection) -> None:
    """A prepared transaction can be committed by its name."""
    xid = connection.xid(1, "conformance", "branch")
    connection.tpc_begin(xid)
    connection.execute("UPDATE people SET name = 'two-phase' WHERE id = 1")
    connection.tpc_prepare()
    connection.tpc_commit()
    assert connection.execute("SELECT name FROM people WHERE id = 1").fetchone() == ("two-phase",)


def test_a_wrong_password(endpoint: Endpoint) -> None:
    """A wrong password is refused, and nothing else is said of it."""
    with pytest.raises(psycopg.OperationalError, match=r"password authentication failed|login refused"):
        connect(replace(endpoint, password="wrong"))


def test_options(endpoint: Endpoint) -> None:
    """Settings in the start-up packet hold for the session."""
    with connect(endpoint, options="-c statement_timeout=12345", application_name="started") as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("12345ms",)
        assert connection.execute("SHOW application_name").fetchone() == ("started",)


def test_many_sessions(endpoint: Endpoint) -> None:
    """Fifty sessions at once each see their own transaction."""
    open_ = [connect(endpoint) for _ in range(50)]
    pids = {connection.execute("SELECT pg_backend_pid()").fetchone() for connection in open_}
    for connection in open_:
        connection.close()
    assert len(pids) == 50
