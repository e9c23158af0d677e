"""Sessions through a running gateway, in front of a real PostgreSQL."""

import asyncio
import contextlib
import io
from collections.abc import Iterator

import asyncpg
import psycopg
import pytest
from tests.gateway.serving import connections, logged_in

from strongroom.testing.gateway import Gateway
from strongroom.testing.processes import free_port
from strongroom.testing.raw_client import Ended, Message, RawClient
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres.codec import message
from strongroom.wire.postgres.reader import int32

FUNCTION_CALL = message(b"F", b"\0\0\0\x01\0\0\0\0\0\0")


@pytest.fixture
def client(gateway: Gateway) -> Iterator[RawClient]:
    """A raw client with a session and an empty table ``t``."""
    with logged_in(gateway) as one:
        one.ask("DROP TABLE IF EXISTS t; CREATE TABLE t (n int PRIMARY KEY)")
        yield one


def tags(messages: list[Message]) -> str:
    return "".join(tag for tag, _ in messages)


def rows(client: RawClient, text: str) -> list[bytes]:
    return [body[6:] for tag, body in client.ask(text) if tag == "D"]


# ------------------------------------------------------------------------------------------- clients


@pytest.mark.parametrize("version", ["3.0", "3.2"])
def test_psycopg(gateway: Gateway, version: str) -> None:
    """Simple and extended, text and binary, pipelines, COPY, savepoints, notices, notifications."""
    with psycopg.connect(gateway.uri(max_protocol_version=version), autocommit=True) as db:
        assert db.pgconn.full_protocol_version == (30002 if version == "3.2" else 30000)
        db.execute("DROP TABLE IF EXISTS people; CREATE TABLE people (id int PRIMARY KEY, name text)")
        with db.pipeline(), db.cursor() as cursor:
            cursor.executemany("INSERT INTO people VALUES (%s, %s)", [(i, f"n{i}") for i in range(200)])
        with db.cursor(binary=True) as cursor:
            cursor.execute("SELECT id, name FROM people ORDER BY id")
            assert cursor.fetchall() == [(i, f"n{i}") for i in range(200)]
        with db.cursor() as cursor:
            with cursor.copy("COPY people FROM STDIN") as copy:
                for i in range(200, 400):
                    copy.write_row((i, None))
            with cursor.copy("COPY people TO STDOUT") as copy:
                assert sum(1 for _ in copy.rows()) == 400
        with db.transaction():
            with pytest.raises(psycopg.errors.DivisionByZero):
                _fail_behind_a_savepoint(db)
            assert db.execute("SELECT count(*) FROM people").fetchone() == (400,)
        notices: list[str | None] = []
        db.add_notice_handler(lambda notice: notices.append(notice.message_primary))
        db.execute("DO $$ BEGIN RAISE NOTICE 'look'; END $$")
        assert notices == ["look"]
        db.execute("LISTEN shouts; NOTIFY shouts, 'hear'")
        assert [note.payload for note in db.notifies(timeout=10, stop_after=1)] == ["hear"]


def _fail_behind_a_savepoint(db: psycopg.Connection) -> None:
    with db.transaction():
        db.execute("DELETE FROM people")
        db.execute("SELECT 1/0")


def test_asyncpg(gateway: Gateway) -> None:
    """Prepared statements, cursors and binary COPY of a driver that pipelines by itself."""

    async def talk() -> None:
        db = await asyncpg.connect(gateway.uri())
        try:
            await db.execute("DROP TABLE IF EXISTS things; CREATE TABLE things (id int, body bytea)")
            await db.executemany("INSERT INTO things VALUES ($1, $2)", [(i, bytes([i])) for i in range(50)])
            records = [(i, b"x") for i in range(50, 100)]
            await db.copy_records_to_table("things", records=records)
            async with db.transaction():
                found = [
                    row["id"] async for row in db.cursor("SELECT id FROM things ORDER BY id", prefetch=7)
                ]
            assert found == list(range(100))
            out = io.BytesIO()
            await db.copy_from_query("SELECT * FROM things", output=out, format="binary")
            assert out.getvalue().startswith(b"PGCOPY")
            with pytest.raises(asyncpg.DivisionByZeroError):
                await db.fetch("SELECT 1/0")
        finally:
            await db.close()

    asyncio.run(talk())


def test_a_row_limit_suspends_a_portal(client: RawClient) -> None:
    """Execute with a limit gives PortalSuspended, and the next one goes on."""
    client.send(m.Parse("", "SELECT generate_series(1, 5)").serialise() + m.Bind("", "").serialise())
    client.send((m.Execute("", 2).serialise() + m.FLUSH) * 3 + m.SYNC)
    assert tags(client.until("Z")) == "12DDsDDsDCZ"


def test_many_statements_of_one_query(client: RawClient) -> None:
    """Each has its own answers, and the last error ends the query."""
    assert tags(client.ask("SELECT 1; SELECT 2; ; INSERT INTO t VALUES (1)")) == "TDCTDCCZ"
    assert tags(client.ask("SELECT 1; SELECT 1/0; SELECT 2")) == "TDCEZ"
    assert tags(client.ask("")) == "IZ"


def test_copy_in_the_extended_protocol_with_sync_behind_execute(client: RawClient) -> None:
    """What libpq sends for a COPY with parameters; it works, fails in its data, and works again."""
    begin = m.Parse("", "COPY t FROM STDIN").serialise() + m.Bind("", "").serialise()
    begin += m.Execute("").serialise() + m.SYNC
    for data, answers in ((b"1\n", "12GCZ"), (b"x\n", "12GEZ"), (b"2\n", "12GCZ")):
        client.send(begin)
        came = client.until("G")
        client.send(message(b"d", data) + m.COPY_DONE + m.SYNC)
        assert tags(came + client.until("Z")) == answers
    assert rows(client, "SELECT n FROM t ORDER BY n") == [b"1", b"2"]


def test_copy_that_fails_before_it_reads(client: RawClient) -> None:
    """Where PostgreSQL answers both Syncs, both answers reach the client."""
    client.ask(
        "CREATE OR REPLACE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;"
        "CREATE TRIGGER no BEFORE INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION no()"
    )
    begin = m.Parse("", "COPY t FROM STDIN").serialise() + m.Bind("", "").serialise()
    client.send(begin + m.Execute("").serialise() + m.SYNC)
    came = client.until("G") + client.until("Z")
    assert tags(came) == "12GEZ"
    client.send(message(b"d", b"1\n") + m.COPY_DONE + m.SYNC)
    assert tags(client.until("Z")) == "Z"
    assert tags(client.ask("SELECT 1")) == "TDCZ"


def test_a_pipeline_goes_on_behind_its_error(client: RawClient) -> None:
    """Up to the Sync everything is skipped; the next segment is carried out."""
    good = m.Parse("", "INSERT INTO t VALUES (1)").serialise() + m.Bind("", "").serialise()
    good += m.Execute("").serialise()
    bad = m.Parse("", "SELECT nothing FROM nowhere").serialise()
    client.send(good + bad + good + m.SYNC + good + m.SYNC)
    assert tags(client.until("Z")) == "12CEZ"
    assert tags(client.until("Z")) == "12CZ"
    assert rows(client, "SELECT count(*) FROM t") == [b"1"]


# ------------------------------------------------------------------------------------------ refusals


def test_a_refusal_inside_a_transaction_fails_it(client: RawClient) -> None:
    """BEGIN; INSERT; refused; COMMIT ends as ROLLBACK, because PostgreSQL itself saw an error."""
    client.ask("BEGIN")
    client.ask("INSERT INTO t VALUES (1)")
    client.send(FUNCTION_CALL)
    refused = client.until("Z")
    assert m.ErrorResponse.parse(refused[0].body).fields["M"].endswith("[unsupported-message]")
    assert refused[-1].body == b"E"
    assert client.ask("COMMIT")[0].body == b"ROLLBACK\0"
    assert rows(client, "SELECT count(*) FROM t") == [b"0"]


def test_a_savepoint_survives_a_refusal(client: RawClient) -> None:
    """ROLLBACK TO brings the transaction back, as after any error of PostgreSQL's."""
    client.ask("BEGIN; INSERT INTO t VALUES (1); SAVEPOINT s")
    client.send(FUNCTION_CALL)
    client.until("Z")
    client.ask("ROLLBACK TO s")
    assert client.ask("COMMIT")[0].body == b"COMMIT\0"
    assert rows(client, "SELECT count(*) FROM t") == [b"1"]


@pytest.mark.parametrize(
    ("statement", "setting"),
    [
        ("SET client_encoding TO latin1", "client_encoding"),
        ("SET standard_conforming_strings TO off", "standard"),
    ],
)
def test_a_pinned_setting_cannot_be_changed(gateway: Gateway, statement: str, setting: str) -> None:
    """The session ends, or the statement is refused; in no case does it go on under the other setting."""
    with logged_in(gateway) as client:
        client.send(m.Query(statement).serialise())
        assert setting in client.error()["M"]


@pytest.mark.parametrize(
    "parameters",
    [
        {"client_encoding": "LATIN1"},
        {"standard_conforming_strings": "off"},
        {"options": "-c standard_conforming_strings=off -c bytea_output=escape"},
    ],
)
def test_pinned_settings_win_over_start_up_parameters(gateway: Gateway, parameters: dict[str, str]) -> None:
    """Whatever a client asks for at its start, statements are read under ours."""
    with logged_in(gateway, m.PROTOCOL_3_2, **parameters) as client:
        assert client.parameters["client_encoding"] == "UTF8"
        assert client.parameters["standard_conforming_strings"] == "on"
        assert rows(client, "SHOW bytea_output") == [b"hex"]


def test_start_up_parameters_reach_upstream(gateway: Gateway) -> None:
    """The application's name and its options count as on a direct connection."""
    with logged_in(gateway, application_name="till", options="-c work_mem=1234kB") as client:
        assert rows(client, "SHOW application_name") == [b"till"]
        assert rows(client, "SHOW work_mem") == [b"1234kB"]


# --------------------------------------------------------------------------------------------- login


def server_first(gateway: Gateway, user: str) -> dict[str, str]:
    with RawClient.connect(gateway.port) as client:
        client.start(user, gateway.database)
        _, said = client.begin_scram("guess")
        return dict(part.split("=", 1) for part in said.decode().split(","))


def test_an_unknown_account_cannot_be_told_from_a_known_one(gateway: Gateway) -> None:
    """It gets a salt that stays the same, of the same length, and the same number of iterations."""
    known = server_first(gateway, gateway.account.name)
    unknown = [server_first(gateway, "nobody") for _ in range(3)]
    assert {said["s"] for said in unknown} == {unknown[0]["s"]}
    assert len(unknown[0]["s"]) == len(known["s"])
    assert unknown[0]["i"] == known["i"]
    assert server_first(gateway, "somebody")["s"] != unknown[0]["s"]
    assert len({said["r"] for said in unknown}) == 3


@pytest.mark.parametrize("user", ["app", "nobody"])
def test_a_wrong_password_and_an_unknown_account_hear_the_same(gateway: Gateway, user: str) -> None:
    """The words, the SQLSTATE and the fields are the same."""
    with RawClient.connect(gateway.port) as client:
        client.start(user, gateway.database)
        scram, said = client.begin_scram("wrong")
        client.send(message(b"p", scram.final(said)))
        error = client.error()
        assert error["C"] == "28P01"
        assert user not in error["M"]
        assert client.is_closed()


def test_another_database_is_refused(gateway: Gateway) -> None:
    """The listener has one database, and says so after the login."""
    with (
        pytest.raises(psycopg.OperationalError, match="database-unknown"),
        psycopg.connect(gateway.uri(dbname="other")),
    ):
        pytest.fail("the gateway let a client into a database that it does not have")


def test_replication_is_refused(gateway: Gateway) -> None:
    """No walsender is reached."""
    with RawClient.connect(gateway.port) as client:
        client.start(gateway.account.name, gateway.database, replication="true")
        assert client.error()["C"] == "0A000"
        assert client.is_closed()


def test_encryption_that_is_not_offered(gateway: Gateway) -> None:
    """The answer is N, and the client may go on in the clear."""
    with RawClient.connect(gateway.port) as client:
        assert client.ask_for(m.GSSENC_REQUEST) == b"N"
        assert client.ask_for(m.SSL_REQUEST) == b"N"
        client.log_in(gateway.account.name, gateway.account.password, gateway.database)
        assert tags(client.ask("SELECT 1")) == "TDCZ"


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        int32(8) + int32(m.SSL_REQUEST) + b"x",
        b"\x16\x03\x01\x02\x00",
        int32(20_000) + int32(m.PROTOCOL_3_0),
    ],
)
def test_garbage_ends_its_connection_and_no_other(gateway: Gateway, garbage: bytes) -> None:
    """What is no client is hung up on; sessions beside it go on."""
    with logged_in(gateway) as other, RawClient.connect(gateway.port) as client:
        client.send(garbage)
        assert client.is_closed()
        assert tags(other.ask("SELECT 1")) == "TDCZ"


def test_a_protocol_error_ends_its_session_and_no_other(gateway: Gateway) -> None:
    """The client is told, upstream loses the session, sessions beside it go on."""
    with logged_in(gateway) as other, logged_in(gateway) as client:
        client.send(b"?\0\0\0\4")
        assert client.error()["V"] == "FATAL"
        assert client.is_closed()
        assert tags(other.ask("SELECT 1")) == "TDCZ"


def test_a_client_that_leaves_without_a_word(gateway: Gateway, shop: PostgresServer) -> None:
    """Its upstream session ends too, and its place is free again."""
    client = logged_in(gateway, application_name="leaving")
    client.socket.close()

    def gone() -> bool:
        with shop.connect() as db:
            found = db.execute("SELECT 1 FROM pg_stat_activity WHERE application_name = 'leaving'").fetchone()
        return found is None

    wait_until(gone, "the session upstream is gone")
    wait_until(lambda: connections(gateway) == 0, "the connection is no longer counted")


# -------------------------------------------------------------------------------- upstream in trouble


def test_a_session_that_is_terminated_upstream(gateway: Gateway, shop: PostgresServer) -> None:
    """PostgreSQL's own FATAL reaches the client, and the connection closes."""
    with logged_in(gateway) as client, shop.connect() as db:
        pid = int(rows(client, "SELECT pg_backend_pid()")[0])
        db.execute("SELECT pg_terminate_backend(%s)", [pid])
        assert client.error()["C"] == "57P01"
        assert client.is_closed()


def test_a_session_that_dies_in_the_middle_of_its_rows(gateway: Gateway, shop: PostgresServer) -> None:
    """No row is made up: what came whole is whole, and then there is an error or nothing more."""
    with logged_in(gateway) as client, shop.connect() as db:
        pid = int(rows(client, "SELECT pg_backend_pid()")[0])
        client.send(m.Query("SELECT repeat('x', 1000000) FROM generate_series(1, 1000)").serialise())
        assert client.receive().tag == "T"
        db.execute("SELECT pg_terminate_backend(%s)", [pid])
        with pytest.raises(Ended):
            _read_rows_of_a_million(client)


def _read_rows_of_a_million(client: RawClient) -> None:
    while True:
        tag, body = client.receive()
        assert tag == "E" or body == b"\0\1" + int32(1_000_000) + b"x" * 1_000_000


def test_upstream_that_is_not_there(shop: PostgresServer) -> None:
    """The client hears that the database cannot be reached, in words of ours."""
    upstream = f"postgresql://postgres@127.0.0.1:{free_port()}/shop?sslmode=disable"
    with (
        Gateway.start(shop, "shop", more={"upstream": upstream}) as gateway,
        RawClient.connect(gateway.port) as client,
    ):
        client.start(gateway.account.name, "shop")
        scram, said = client.begin_scram(gateway.account.password)
        client.send(message(b"p", scram.final(said)))
        error = client.error()
        assert "upstream-unreachable" in error["M"]
        assert error["C"] == "08001"
        assert client.is_closed()


def test_an_upstream_login_that_fails(shop: PostgresServer) -> None:
    """A wrong upstream password is the gateway's trouble: the client learns so, and no secret is logged."""
    with Gateway.start(shop, "shop", upstream=("postgres", "not-the-secret")) as gateway:
        with pytest.raises(psycopg.OperationalError) as caught, psycopg.connect(gateway.uri()):
            pytest.fail("the gateway logged in with a wrong password")
        assert "upstream-login-refused" in str(caught.value)
        assert "not-the-secret" not in gateway.log.read_text()


def test_strangers_take_no_more_than_all_the_places(shop: PostgresServer) -> None:
    """Who comes when as many wait for their log-in as may be connected is told so; the others go on."""
    with Gateway.start(shop, "shop", limits={"connections": 3}) as gateway, contextlib.ExitStack() as silent:
        known = silent.enter_context(psycopg.connect(gateway.uri(), autocommit=True))
        for _ in range(3):
            silent.enter_context(RawClient.connect(gateway.port))
        with RawClient.connect(gateway.port) as one_too_many:
            error = one_too_many.error()
            assert (error["V"], error["C"]) == ("FATAL", "53300")
            assert "limits.connections" in error["M"]
            assert one_too_many.is_closed()
        assert known.execute("SELECT 1").fetchone() == (1,)
