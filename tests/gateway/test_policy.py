"""A policy before a real gateway: the same statements as an application, a support agent and an intern.

`people` has a protected column (email, deterministic), a protected one that nobody looks up (iban) and
ordinary ones; `notes` has none.
"""

import signal
import subprocess
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import psycopg
import pytest
import yaml
from psycopg import errors
from psycopg.rows import TupleRow
from tests.gateway.serving import logged

from strongroom.testing.gateway import Account, Gateway
from strongroom.testing.raw_client import RawClient
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until
from strongroom.wire.postgres import messages as m

COLUMNS = {
    "public.people.email": {"type": "text", "encryption": "deterministic"},
    "public.people.iban": {"type": "text", "encryption": "randomized"},
}
ROLES: dict[str, Any] = {
    "application": {
        "tables": {"public.*": ["select", "insert", "update", "delete", "copy"]},
        "columns": {"*": "reveal"},
    },
    "support": {
        "tables": {
            "public.people": ["select", "update"],
            "public.notes": ["select"],
            "public.plain": ["select"],
            "public.functional": ["select"],
        },
        "columns": {
            "public.people.id": "reveal",
            "public.people.email": {"show": {"mask": "email"}, "filter": True},
            "public.people.iban": {"show": {"mask": "last", "n": 4}},
            "public.people.name": {"show": {"mask": "first", "n": 1}},
            "public.people.born": {"show": {"mask": "date", "to": "year"}},
            "public.people.note": "write_only",
            "public.plain.word": {"show": {"mask": "full"}, "filter": True},
            "public.notes.*": "reveal",
        },
    },
    "intern": {
        "tables": {"public.notes": ["select"]},
        "columns": {"public.notes.*": "reveal"},
    },
}
NO_ROLES: dict[str, Any] = {"support": {}, "intern": {}}
PASSWORD = "correct horse battery"
ACCOUNTS = {"app": ["application"], "sam": ["support"], "ivy": ["intern"], "nobody": []}
TABLES = """
CREATE TABLE people (id int PRIMARY KEY, email bytea, iban bytea, name text, born date, note text);
CREATE TABLE notes (id int, body text);
CREATE TABLE plain (word text);
INSERT INTO plain VALUES ('hidden');
CREATE VIEW names AS SELECT id, name FROM people;
CREATE FUNCTION made_up() RETURNS text LANGUAGE sql AS $$ SELECT 'of a function'::text $$;
CREATE VIEW functional AS SELECT id, made_up() AS made FROM notes;
INSERT INTO notes VALUES (1, 'hello');
"""


def with_policy(gateway: Gateway, roles: Mapping[str, Any] = ROLES) -> None:
    """Writes roles and accounts into the configuration."""
    gateway.give_roles(roles, ACCOUNTS, PASSWORD)


@pytest.fixture(scope="module")
def policed(shop: PostgresServer) -> Iterator[Gateway]:
    """A gateway with the roles, and a row for whom it is about."""
    shop.create_database("policed")
    shop.run(TABLES, "policed")
    account = Account("app", PASSWORD)
    with Gateway.start(
        shop, "policed", workers=1, account=account, more={"columns": COLUMNS}, first=with_policy
    ) as running:
        with session(running, "app") as app:
            app.execute(
                "INSERT INTO people VALUES (1, %s, %s, 'Johanna', '1987-06-05', 'vip')",
                ("jo@example.com", "DE0012345678"),
            )
        yield running


def session(gateway: Gateway, account: str) -> psycopg.Connection[TupleRow]:
    """Logged in as an account."""
    return psycopg.connect(gateway.uri(account, PASSWORD), autocommit=True)


REFUSED = (errors.InsufficientPrivilege, errors.FeatureNotSupported, errors.SyntaxError)
EVERYTHING = "SELECT id, email, iban, name, born FROM people"


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@pytest.mark.parametrize("prepared", [False, True], ids=["once", "prepared"])
def test_the_same_query_as_three(policed: Gateway, binary: bool, prepared: bool) -> None:
    """The application gets the values, the support agent masks of the same types, the intern an error."""
    with session(policed, "app") as app, session(policed, "sam") as sam, session(policed, "ivy") as ivy:
        for _ in range(3):
            whole = app.execute(EVERYTHING, binary=binary, prepare=prepared).fetchone()
            masked = sam.execute(EVERYTHING, binary=binary, prepare=prepared).fetchone()
            with pytest.raises(errors.InsufficientPrivilege, match=r"select on public\.people"):
                ivy.execute(EVERYTHING, binary=binary, prepare=prepared)
            assert whole is not None
            assert masked is not None
            assert [str(one) for one in whole] == [
                "1",
                "jo@example.com",
                "DE0012345678",
                "Johanna",
                "1987-06-05",
            ]
            assert [str(one) for one in masked] == [
                "1",
                "j***@example.com",
                "****5678",
                "J****",
                "1987-01-01",
            ]
            assert [type(one) for one in masked] == [type(one) for one in whole]
            assert ivy.execute("SELECT body FROM notes").fetchone() == ("hello",)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT email FROM people",
        "SELECT p.email FROM people p, notes n WHERE n.id = p.id",
        "SELECT email FROM (SELECT * FROM (SELECT id, email FROM people) x) y",
        "WITH x AS (SELECT email FROM people) SELECT email FROM x",
        "SELECT email FROM people UNION ALL SELECT email FROM people",
        "SELECT email FROM people WHERE email = 'jo@example.com'",
    ],
)
def test_masks_follow_the_column(policed: Gateway, query: str) -> None:
    """Through joins, subqueries, WITH and UNION ALL."""
    with session(policed, "sam") as sam:
        assert {row[0] for row in sam.execute(query).fetchall()} == {"j***@example.com"}


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("SELECT upper(name) FROM people", "reveal on public.people.name"),
        ("SELECT name || '' FROM people", "reveal on public.people.name"),
        ("SELECT substr(name, 2) FROM people", "reveal on public.people.name"),
        ("SELECT name::varchar FROM people", "reveal on public.people.name"),
        ("SELECT row_to_json(p) FROM (SELECT name FROM people) p", "reveal on public.people.name"),
        ("SELECT max(name) FROM people", "reveal on public.people.name"),
        ("SELECT array_agg(name) FROM people", "reveal on public.people.name"),
        ("SELECT name FROM names UNION ALL SELECT body FROM notes", "reveal on public.people.name"),
        ("SELECT id FROM people WHERE name LIKE 'J%'", "filter on public.people.name"),
        ("SELECT id FROM people ORDER BY name", "filter on public.people.name"),
        ("SELECT count(*) FROM people GROUP BY name", "filter on public.people.name"),
        ("SELECT DISTINCT name FROM people", "filter on public.people.name"),
        ("SELECT id FROM people WHERE born < '1990-01-01'", "filter on public.people.born"),
        ("SELECT 1/(name = 'Johanna')::int FROM people", "reveal on public.people.name"),
        ("SELECT p.id FROM people p JOIN notes n ON n.body = p.name", "filter on public.people.name"),
        ("SELECT id FROM notes WHERE body IN (SELECT name FROM people)", "filter on public.people.name"),
        ("SELECT note FROM people", "show on public.people.note"),
        ("EXPLAIN ANALYZE SELECT name FROM people", "filter on public.people.name"),
        ("COPY people (name) TO STDOUT", "reveal on public.people.name"),
        ("COPY (SELECT name FROM people) TO STDOUT", "reveal on public.people.name"),
        ("CREATE TABLE copied AS SELECT name FROM people", "ddl on public.people"),
        ("CREATE TEMP TABLE copied AS SELECT name FROM people", "ddl on public.people"),
        ("CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT name FROM people'", "ddl on policed"),
        ("DO $$ BEGIN RAISE NOTICE '%', (SELECT name FROM people); END $$", "might touch a protected table"),
        ("UPDATE people SET note = name", "reveal on public.people.name"),
        ("UPDATE people SET name = 'x'", "write on public.people.name"),
        ("UPDATE people SET note = 'x' RETURNING upper(name)", "reveal on public.people.name"),
        ("INSERT INTO people (id) VALUES (2)", "insert on public.people"),
        ("DELETE FROM people", "delete on public.people"),
        ("TRUNCATE people", "truncate on public.people"),
        ("SET ROLE postgres", "ddl on policed"),
        ('SET "ROLE" TO postgres', "ddl on policed"),
        ("SELECT name FROM names", "select on public.names"),
        ("SELECT most_common_vals FROM pg_stats", "select on pg_catalog.pg_stats"),
        ("SELECT * FROM pg_stat_activity", "select on pg_catalog.pg_stat_activity"),
        ("SELECT xmlelement(name x, name) FROM people", "reveal on public.people.name"),
        ("SELECT p.id FROM people p, generate_series(1, ascii(p.name)) g", "reveal on public.people.name"),
        ("SELECT 1 WHERE EXISTS (SELECT 1/ascii(name) FROM people OFFSET 0)", "reveal on public.people.name"),
        (
            "SELECT email FROM people FULL JOIN (SELECT email FROM people) y USING (email)",
            "reveal on public.people.email",
        ),
        ("SELECT query FROM pg_stat_get_activity(NULL)", "call on pg_catalog.pg_stat_get_activity"),
        ("SELECT pg_read_file('PG_VERSION')", "call on pg_catalog.pg_read_file"),
        ("SELECT set_config('role', 'postgres', false)", "ddl on policed"),
        ("COPY (SELECT body FROM notes) TO STDOUT", "copy on public.notes"),
        ("SELECT * FROM (SELECT * FROM notes) n FOR UPDATE", "update on public.notes"),
        ("UPDATE notes SET id = 1 RETURNING WITH (OLD AS o) o.id", "yntax"),
        ("SELECT made FROM functional", "show on public.functional.made"),
        ("PREPARE p AS SELECT note FROM people", "show on public.people.note"),
        ("SELECT query_to_xml('SELECT name FROM people', true, true, '')", "query_to_xml"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("extended", [False, True], ids=["simple", "extended"])
def test_ways_around_a_mask(policed: Gateway, query: str, what: str, extended: bool) -> None:
    """What would compute with it, guess it, keep it elsewhere, or read it from where the database has it."""
    with session(policed, "sam") as sam:
        with pytest.raises(REFUSED) as refused:
            sam.execute(query, prepare=extended)
        assert what in str(refused.value)
        assert "Johanna" not in str(refused.value)
        assert sam.execute("SELECT id FROM people").fetchone() == (1,)


@pytest.mark.parametrize("extended", [False, True], ids=["simple", "extended"])
@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("DELETE FROM notes", "delete_all on public.notes"),
        ("DELETE FROM notes WHERE id = 7 OR 1 = 1", "delete_all on public.notes"),
        ("UPDATE notes SET body = 'x' WHERE id = id", "update_all on public.notes"),
        ("WITH d AS (DELETE FROM notes RETURNING id) SELECT 1 FROM d", "delete_all on public.notes"),
        ("DELETE FROM people", "delete_all on public.people"),
    ],
)
def test_a_change_of_all_rows_is_refused_unless_allowed(
    policed: Gateway, query: str, what: str, extended: bool
) -> None:
    """An account that may delete row by row may not by accident delete them all."""
    with session(policed, "app") as app:
        with pytest.raises(errors.InsufficientPrivilege) as refused:
            app.execute(query, prepare=extended)
        assert what in str(refused.value)
        assert "WHERE" in (refused.value.diag.message_hint or "")
        assert app.execute("DELETE FROM notes WHERE id = 7").rowcount == 0
        assert app.execute("SELECT count(*) FROM notes").fetchone() == (1,)


@pytest.mark.parametrize("protected", ["email", "name"])
def test_what_sql_prepared_is_masked_by_bind(policed: Gateway, protected: str) -> None:
    """A statement of PREPARE that the extended protocol runs by its name."""
    with session(policed, "sam") as sam:
        sam.execute(f"PREPARE named AS SELECT {protected} FROM people")
        row = sam.pgconn.exec_prepared(b"named", None).get_value(0, 0)
        assert row in {b"j***@example.com", b"J****"}


@pytest.mark.parametrize("extended", [False, True], ids=["simple", "extended"])
@pytest.mark.parametrize(
    ("condition", "error"),
    [
        ("word::int = 1", errors.InvalidTextRepresentation),
        ("word::regclass IS NULL", errors.UndefinedTable),
        ("has_table_privilege(word, 'select')", errors.UndefinedTable),
        ("word::regrole IS NULL", errors.UndefinedObject),
        ("current_setting(word) = 'x'", errors.UndefinedObject),
        ("nextval(word) = 1", errors.UndefinedTable),
    ],
)
def test_errors_say_nothing_of_what_is_filtered_by(
    policed: Gateway, condition: str, error: type[psycopg.Error], extended: bool
) -> None:
    """A condition may be computed with a column that is seen masked; PostgreSQL would quote its value."""
    with session(policed, "sam") as sam:
        with pytest.raises(error) as failed:
            sam.execute(f"SELECT 1 FROM plain WHERE {condition}", prepare=extended)
        assert "hidden" not in str(failed.value)


def test_a_setting_that_is_missing_is_no_rotation(policed: Gateway) -> None:
    """Its SQLSTATE is that of a key's guard that went with the key, which only protected columns have."""
    with session(policed, "app") as app, pytest.raises(errors.UndefinedObject, match=r"no\.such"):
        app.execute("SELECT body FROM notes WHERE body = current_setting('no.such')")


def test_errors_say_what_is_wrong_with_a_text(policed: Gateway) -> None:
    """They are found before a row is read, and quote no value of one."""
    with (
        session(policed, "sam") as sam,
        pytest.raises(errors.UndefinedFunction, match=r"text = integer"),
    ):
        sam.execute("SELECT 1 FROM plain WHERE word = 1")


@pytest.mark.parametrize(
    "telling",
    [
        "set_config('application_name', word, false) = ''",
        "set_config('my.own', word, false) = ''",
        "pg_notify('heard', word) IS NULL",
        "pg_sleep(length(word)) IS NULL",
        "pg_catalog.set_config('my.own', (SELECT word), false) = ''",
    ],
)
def test_a_condition_tells_nobody(policed: Gateway, telling: str) -> None:
    """A function that keeps or sends what it is given would hand over what may only be filtered by."""
    with session(policed, "sam") as sam:
        with pytest.raises(errors.InsufficientPrivilege, match=r"reveal on public\.plain\.word"):
            sam.execute(f"SELECT 1 FROM plain WHERE {telling}")
        assert sam.execute("SHOW application_name").fetchone() == ("",)


@pytest.mark.parametrize("options", ["-c role=postgres", "-c ro\\\\le=postgres", "--session-authorization=x"])
def test_nobody_begins_as_another_role(policed: Gateway, options: str) -> None:
    """What SET ROLE may not do, the start-up packet may not either."""
    with pytest.raises(psycopg.OperationalError, match="start-up packet"):
        psycopg.connect(policed.uri("sam", PASSWORD), options=options).close()


@pytest.mark.parametrize(
    "command", [r"\d people", r"\dt", r"\dv", r"\l", r"\du", r"\dn", r"\df", r"\d+ names", r"\di"]
)
def test_psql_describes(policed: Gateway, shop: PostgresServer, command: str) -> None:
    """What there is, anybody may see who may do anything."""
    psql = shop.installation.program("psql")
    run = subprocess.run(
        [psql, "-X", "-v", "ON_ERROR_STOP=1", "-c", command, policed.uri("sam", PASSWORD)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "permission denied" not in run.stderr


def test_what_may_be_written_and_not_read(policed: Gateway) -> None:
    """By parameter and literal; the application sees it."""
    with session(policed, "sam") as sam, session(policed, "app") as app:
        sam.execute("UPDATE people SET note = %s WHERE id = 1", ("called",))
        assert app.execute("SELECT note FROM people").fetchone() == ("called",)


def test_a_prepared_transaction_is_ended_by_who_may(policed: Gateway, shop: PostgresServer) -> None:
    """All accounts are one user to the database, which would let each of them end those of others."""
    with shop.connect("policed") as other, session(policed, "ivy") as ivy:
        other.execute("BEGIN")
        other.execute("INSERT INTO notes VALUES (2, 'kept')")
        other.execute("PREPARE TRANSACTION 'kept'")
        for ending in ("COMMIT PREPARED 'kept'", "ROLLBACK PREPARED 'kept'"):
            with pytest.raises(errors.InsufficientPrivilege, match="pg_prepared_xact"):
                ivy.execute(ending)
        assert other.execute("ROLLBACK PREPARED 'kept'").statusmessage == "ROLLBACK PREPARED"


def test_an_account_without_a_role_may_do_nothing(policed: Gateway) -> None:
    """Not even what touches nothing."""
    with (
        session(policed, "nobody") as nobody,
        pytest.raises(errors.InsufficientPrivilege, match="none of your"),
    ):
        nobody.execute("SELECT 1")


def test_a_reload_is_heard_by_live_sessions(shop: PostgresServer) -> None:
    """Prepared statements, portals and cursors that were there before do not outlive what permitted them."""
    shop.create_database("revoked")
    shop.run(TABLES, "revoked")
    roles = deepcopy(ROLES)
    account = Account("app", PASSWORD)

    def first(gateway: Gateway) -> None:
        with_policy(gateway, roles)

    with Gateway.start(shop, "revoked", account=account, more={"columns": COLUMNS}, first=first) as gateway:
        with session(gateway, "app") as app:
            app.execute(
                "INSERT INTO people (id, email, name) VALUES (1, 'jo@example.com', 'Jo'), (2, 'x', 'X')"
            )
        with session(gateway, "sam") as sam:
            query, ordinary = "SELECT name FROM people ORDER BY id", "SELECT body FROM notes"
            for _ in range(3):
                assert sam.execute(query, prepare=True).fetchone() == ("J****",)
                assert sam.execute(ordinary, prepare=True).fetchone() == ("hello",)
            sam.execute("BEGIN")
            sam.execute("DECLARE c CURSOR FOR SELECT name FROM people")
            sam.execute("PREPARE p AS SELECT name FROM people")
            assert sam.execute("FETCH 1 FROM c").fetchone() == ("J****",)
            roles["support"]["columns"]["public.people.name"] = "nothing"
            del roles["support"]["tables"]["public.notes"]
            with_policy(gateway, roles)
            gateway.signal(signal.SIGHUP)
            wait_until(lambda: logged(gateway, "configuration reloaded"), "the gateway has reloaded")
            for late in ("EXECUTE p", "FETCH 1 FROM c", query, ordinary):  # psycopg deallocates at ROLLBACK
                sam.execute("SAVEPOINT s")
                missing = r"select on public\.notes" if late == ordinary else r"show on public\.people\.name"
                with pytest.raises(errors.InsufficientPrivilege, match=missing):
                    sam.execute(late, prepare=late in (query, ordinary))
                sam.execute("ROLLBACK TO s")
            sam.execute("COMMIT")


def test_a_policy_with_an_error_is_refused_whole(policed: Gateway) -> None:
    """The one before stays, in every worker, and for those who come later."""
    before = policed.configuration.read_text()
    (policed.folder / "more.cedar").write_text("permit (principal, action, resource) when { nonsense };")
    policed.configure({**yaml.safe_load(before), "policies": ["more.cedar"]})
    refused = "configuration refused, the old one stays"
    count = len(logged(policed, refused))
    policed.signal(signal.SIGHUP)
    wait_until(lambda: len(logged(policed, refused)) > count, "the new policy is refused")
    policed.configuration.write_text(before)
    assert logged(policed, refused)[-1]["code"] == "policy-invalid"
    with session(policed, "ivy") as ivy, pytest.raises(errors.InsufficientPrivilege):
        ivy.execute(EVERYTHING)


def test_a_cursor_of_declare_is_not_executed_past_its_masks(policed: Gateway) -> None:
    """Execute names it in the protocol, where no Bind has said what opens or masks its rows."""
    with RawClient.connect(policed.port) as client:
        client.log_in("sam", PASSWORD, policed.database)
        client.ask("BEGIN")
        client.ask("DECLARE c CURSOR FOR SELECT name, born FROM people")
        client.send(m.Execute("c").serialise() + m.SYNC)
        came = client.until("Z")
    assert [tag for tag, _ in came] == ["E", "Z"]
    assert not any(b"Johanna" in body for _, body in came)


def test_a_database_without_protected_columns(shop: PostgresServer) -> None:
    """Its statements are looked into all the same."""
    shop.create_database("plainly")
    shop.run(TABLES.replace("bytea", "text"), "plainly")
    shop.run("INSERT INTO people (id, email, name) VALUES (1, 'jo@example.com', 'Johanna')", "plainly")
    account = Account("app", PASSWORD)
    with (
        Gateway.start(shop, "plainly", account=account, first=with_policy) as gateway,
        session(gateway, "sam") as sam,
    ):
        assert sam.execute("SELECT email, name FROM people").fetchone() == ("j***@example.com", "J****")
        with pytest.raises(errors.InsufficientPrivilege):
            sam.execute("SELECT lower(email) FROM people")
        with pytest.raises(errors.InsufficientPrivilege):
            sam.execute("SELECT note FROM people")


def test_what_is_wrong_with_a_policy_is_logged_when_it_is_loaded(shop: PostgresServer) -> None:
    """Names that are not there, rules that disagree, and masks that types do not take: those are refused."""
    shop.create_database("misfits")
    shop.run("CREATE TABLE notes (id int, born date)", "misfits")
    role = {
        "tables": {"public.notes": ["select"], "public.nots": ["select"]},
        "columns": {"public.notes.id": "reveal", "public.notes.born": {"show": {"mask": "email"}}},
    }
    with Gateway.start(
        shop,
        "misfits",
        workers=1,
        account=Account("app", PASSWORD),
        first=lambda gateway: with_policy(gateway, {**NO_ROLES, "application": role}),
    ) as running:
        event = "a rule of the policy is wrong"
        wait_until(lambda: len(logged(running, event)) == 2, "the policy was looked at")
        told = {one["place"]: one for one in logged(running, event)}
        born = told["roles.application.columns.public.notes.born"]
        assert "does not fit the type date" in born["wrong"]
        assert born["line"].partition(":")[0] == running.configuration.name
        assert "no such table" in told["roles.application.tables.public.nots"]["wrong"]
        with session(running, "app") as app:
            with pytest.raises(errors.InsufficientPrivilege, match="can only be shown masked, and not so"):
                app.execute("SELECT born FROM notes")
            assert app.execute("SELECT id FROM notes").fetchall() == []
        with_policy(running, {**NO_ROLES, "application": {**role, "columns": {"public.notes.ids": "reveal"}}})
        running.signal(signal.SIGHUP)
        wait_until(lambda: len(logged(running, event)) == 4, "the policy was looked at again")
        assert logged(running, event)[-1]["place"] == "roles.application.columns.public.notes.ids"
