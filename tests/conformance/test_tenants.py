"""Columns whose values belong to tenants, through a real gateway, from plaintext and back to it.

The values of each tenant are sealed by keys of its own; a statement, or the session, says whose they are.
"""

import json
import secrets
import signal
from collections.abc import Iterator
from io import StringIO

import psycopg
import pytest
import yaml
from tests.conftest import Servers
from tests.gateway.serving import logged, logged_in

from strongroom.testing.gateway import Gateway
from strongroom.testing.installations import EMBEDDED
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until
from strongroom.wire.postgres import messages as m

TABLES = """\
CREATE TABLE invoices (
    id int PRIMARY KEY, tenant_id int NOT NULL, iban text, note text, UNIQUE (tenant_id, id));
CREATE TABLE letters (id int PRIMARY KEY, body text);
INSERT INTO invoices SELECT i, 1 + i % 3, 'DE' || i, CASE WHEN i % 2 = 0 THEN 'note ' || i END
FROM generate_series(1, 300) i;
INSERT INTO letters SELECT i, 'letter ' || i FROM generate_series(1, 20) i;
CREATE FUNCTION use_globex() RETURNS void LANGUAGE plpgsql AS
$$ begin set strongroom.tenant = 'globex'; end $$"""
FUNCTIONS = {"public.use_globex": "says whose letters the session reads"}
BY_ROW = {"type": "text", "encryption": "randomized", "tenant": "tenant_id"}
BY_SESSION = {"type": "text", "encryption": "randomized", "tenant": "session"}
COLUMNS = {
    "public.invoices.iban": BY_ROW,
    "public.invoices.note": BY_ROW,
    "public.letters.body": BY_SESSION,
}


pytestmark = pytest.mark.xdist_group("tenants")


@pytest.fixture(scope="module")
def server(servers: Servers) -> PostgresServer:
    """A PostgreSQL."""
    return servers.server(EMBEDDED)


@pytest.fixture(scope="module")
def gateway(server: PostgresServer) -> Iterator[Gateway]:
    """Three tenants in one table, and a table whose sessions say whose letters they read; all protected."""
    name = server.create_database(f"db{secrets.token_hex(4)}")
    server.run(TABLES, name)

    def protect(new: Gateway) -> None:
        written = yaml.safe_load(new.configuration.read_text())
        (new.folder / "copies").mkdir(mode=0o700)
        written["keys"]["tenants"] = {"copies": "copies"}
        new.configure(written)
        new.command("protect", "public.invoices.iban", "public.invoices.note")
        new.command("protect", "public.letters.body", "--tenant", "acme")
        new.command("keys", "tenants", "add", name, "globex")

    with Gateway.start(
        server, name, more={"columns": COLUMNS, "functions": FUNCTIONS}, workers=2, first=protect
    ) as running:
        yield running


@pytest.fixture
def session(gateway: Gateway) -> Iterator[psycopg.Connection]:
    """A connection through the gateway."""
    with psycopg.connect(gateway.uri(), autocommit=True) as connection:
        yield connection


def key_ids(server: PostgresServer, gateway: Gateway, where: str) -> set[bytes]:
    """The prefixes of the sealed values of some invoices, as the database has them."""
    with psycopg.connect(server.uri(gateway.database), autocommit=True) as direct:
        rows = direct.execute(f"SELECT substring(iban, 1, 5) FROM invoices WHERE {where}".encode()).fetchall()
    return {bytes(prefix) for (prefix,) in rows}


def reload(gateway: Gateway) -> None:
    """Have both workers read keys anew, and wait until they have."""
    before = len(logged(gateway, "configuration reloaded"))
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: len(logged(gateway, "configuration reloaded")) >= before + 2, "both have reloaded")


def test_check_finds_nothing_amiss(gateway: Gateway) -> None:
    """Tenants' keys are no reason to warn; and key commands list them."""
    said = gateway.command("check", "--json")
    assert not [one for one in json.loads(said[said.index("[") :]) if one.get("result") == "fails"], said
    listed = gateway.command("keys", "list", "--json")
    assert f"{gateway.database}@1/public.invoices.iban" in listed


def test_each_tenant_has_a_key(gateway: Gateway, server: PostgresServer) -> None:
    """The values that were there are sealed by one key a tenant, and by no other's."""
    found = [key_ids(server, gateway, f"tenant_id = {tenant} AND id <= 300") for tenant in (1, 2, 3)]
    assert [len(one) for one in found] == [1, 1, 1]
    assert len(set.union(*found)) == 3


def test_all_tenants_read_as_one_table(session: psycopg.Connection) -> None:
    """A program that serves all of them sees all values, in text and in binary."""
    rows = session.execute("SELECT id, tenant_id, iban, note FROM invoices WHERE id <= 300 ORDER BY id")
    assert [tuple(row) for row in rows] == [
        (i, 1 + i % 3, f"DE{i}", f"note {i}" if i % 2 == 0 else None) for i in range(1, 301)
    ]
    with session.cursor(binary=True) as cursor:
        cursor.execute("SELECT iban FROM invoices WHERE id = ANY(%s) ORDER BY id", ([1, 2, 3],))
        assert cursor.fetchall() == [("DE1",), ("DE2",), ("DE3",)]


def test_writes_go_to_the_tenants_key(
    session: psycopg.Connection, gateway: Gateway, server: PostgresServer
) -> None:
    """By parameters, by literals, many at once, and by UPDATE; read again, all are right."""
    insert = "INSERT INTO invoices (id, tenant_id, iban) VALUES (%s, %s, %s)"
    session.cursor().executemany(insert, [(1000 + i, 1 + i % 3, f"NL{i}") for i in range(60)])
    session.execute(
        "INSERT INTO invoices (id, tenant_id, iban, note) VALUES (1100, 1, 'L1', 'n'), (1101, 2, 'L2', NULL)"
    )
    session.execute("UPDATE invoices SET iban = %s WHERE id = %s AND tenant_id = %s", ("U1", 1000, 1))
    session.execute(
        "UPDATE invoices SET tenant_id = %s, iban = %s, note = %s WHERE id = %s", (2, "M", None, 1001)
    )
    session.execute(
        "INSERT INTO invoices (id, tenant_id, iban) VALUES (%s, %s, %s)"
        " ON CONFLICT (tenant_id, id) DO UPDATE SET iban = EXCLUDED.iban",
        (1100, 1, "L1 again"),
    )
    rows = session.execute(
        "SELECT id, iban FROM invoices WHERE id IN (1000, 1001, 1005, 1100, 1101) ORDER BY id"
    )
    assert rows.fetchall() == [(1000, "U1"), (1001, "M"), (1005, "NL5"), (1100, "L1 again"), (1101, "L2")]
    for tenant in (1, 2, 3):
        old = key_ids(server, gateway, f"tenant_id = {tenant} AND id <= 300")
        assert key_ids(server, gateway, f"tenant_id = {tenant} AND id BETWEEN 1000 AND 1199") == old


def test_copy_takes_each_row_for_its_tenant(
    session: psycopg.Connection, gateway: Gateway, server: PostgresServer
) -> None:
    """In text, csv and binary, wherever the tenant stands in the row."""
    copies = {
        "COPY invoices (id, iban, tenant_id) FROM STDIN": 2000,
        "COPY invoices (tenant_id, id, iban) FROM STDIN (FORMAT binary)": 2100,
    }
    for statement, first in copies.items():
        with session.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            if "binary" in statement:
                copy.set_types(["int4", "int4", "text"])
            for i in range(first, first + 30):
                row = (i, f"CP{i}", 1 + i % 3)
                copy.write_row((row[2], row[0], row[1]) if "binary" in statement else row)
    text = StringIO("".join(f'{i};"{1 + i % 3}";"CP{i}"\n' for i in range(2200, 2230)))
    with session.cursor() as cursor:
        in_csv = b"COPY invoices (id, tenant_id, iban) FROM STDIN (FORMAT csv, DELIMITER ';')"
        with cursor.copy(in_csv) as copy:
            copy.write(text.read())
    rows = session.execute("SELECT id, iban FROM invoices WHERE id BETWEEN 2000 AND 2299").fetchall()
    assert len(rows) == 90
    assert all(iban == f"CP{i}" for i, iban in rows)
    for tenant in (1, 2, 3):
        old = key_ids(server, gateway, f"tenant_id = {tenant} AND id <= 300")
        assert key_ids(server, gateway, f"tenant_id = {tenant} AND id BETWEEN 2000 AND 2299") == old
    with session.cursor() as cursor, cursor.copy("COPY invoices (id, iban) TO STDOUT") as out:
        assert b"CP2000" in b"".join(out)


@pytest.mark.parametrize(
    ("statement", "parameters", "sqlstate"),
    [
        ("UPDATE invoices SET iban = %s WHERE id = 5", ("x",), "0A000"),
        ("INSERT INTO invoices (id, tenant_id, iban) VALUES (5000, %s, %s)", (99, "x"), "55000"),
        ("UPDATE invoices SET tenant_id = 2 WHERE id = 5", (), "0A000"),
        ("COPY invoices (id, iban) FROM STDIN", (), "0A000"),
        ("INSERT INTO letters VALUES (100, %s)", ("x",), "0A000"),
        ("COPY letters FROM STDIN", (), "0A000"),
    ],
)
def test_what_says_no_tenant_is_refused(
    session: psycopg.Connection, statement: str, parameters: tuple[object, ...], sqlstate: str
) -> None:
    """With a hint, and before anything is stored; the session goes on."""
    with pytest.raises(psycopg.Error) as caught:
        session.execute(statement.encode(), parameters)
    assert caught.value.sqlstate == sqlstate
    assert caught.value.diag.message_hint
    assert session.execute("SELECT iban FROM invoices WHERE id = 5").fetchone() == ("DE5",)


def test_a_session_reads_its_tenants_letters_only(gateway: Gateway) -> None:
    """It says whose by SET, SET LOCAL, set_config or in the connection string; prepared or not."""
    with psycopg.connect(gateway.uri(), options="-c strongroom.tenant=acme", autocommit=True) as acme:
        assert acme.execute("SELECT body FROM letters WHERE id = 3").fetchone() == ("letter 3",)
        read, write = "SELECT body FROM letters WHERE id = %s", "INSERT INTO letters VALUES (%s, %s)"
        for i in range(101, 110):
            acme.execute(write, (i, f"of acme {i}"), prepare=True)
        acme.execute("SET strongroom.tenant = 'globex'")
        acme.execute(write, (201, "of globex"), prepare=True)
        acme.execute("INSERT INTO letters VALUES (202, 'literal of globex')")
        assert acme.execute(read, (201,), prepare=True).fetchone() == ("of globex",)
        with acme.transaction():
            acme.execute("SET LOCAL strongroom.tenant = 'acme'")
            assert acme.execute(read, (105,), prepare=True).fetchone() == ("of acme 105",)
            acme.execute("INSERT INTO letters VALUES (110, 'literal of acme')")
        assert acme.execute(read, (202,), prepare=True).fetchone() == ("literal of globex",)
        acme.execute("SELECT set_config('strongroom.tenant', 'acme', false)")
        assert acme.execute(read, (110,), prepare=True).fetchone() == ("literal of acme",)
        with pytest.raises(psycopg.errors.DataCorrupted, match="another tenant"):
            acme.execute(read, (201,), prepare=True).fetchone()


def test_a_prepared_literal_follows_the_session(gateway: Gateway) -> None:
    """A statement that was prepared with a value in it seals it for the tenant of the day."""
    with psycopg.connect(gateway.uri(), options="-c strongroom.tenant=acme", autocommit=True) as session:
        update = "UPDATE letters SET body = 'constant' WHERE id = %s"
        session.execute(update, (1,), prepare=True)
        session.execute("SET strongroom.tenant = 'globex'")
        session.execute(update, (2,), prepare=True)
        assert session.execute("SELECT body FROM letters WHERE id = 2").fetchone() == ("constant",)
        session.execute("SET strongroom.tenant = 'acme'")
        session.execute(update, (2,), prepare=True)
        assert session.execute("SELECT body FROM letters WHERE id = 1").fetchone() == ("constant",)


SAY_GLOBEX = "SELECT set_config('strongroom.tenant', 'globex', false)"
SUSPENDED = SAY_GLOBEX + " FROM generate_series(1, 10)"
WRITE = "INSERT INTO letters VALUES ($1, 'x')"
FLUSH = b"H\0\0\0\4"


def stored_by(server: PostgresServer, gateway: Gateway, number: int) -> set[bytes]:
    """The keys of a letter, and of what globex wrote, as the database has them."""
    query = f"SELECT substring(body, 1, 5) FROM letters WHERE id IN ({number}, 600)"
    with psycopg.connect(server.uri(gateway.database), autocommit=True) as direct:
        return {bytes(prefix) for (prefix,) in direct.execute(query.encode()).fetchall()}


def test_whatever_says_the_tenant_is_heard(gateway: Gateway, server: PostgresServer) -> None:
    """By a function, by EXECUTE, by a portal that is read in parts: what follows is of that tenant."""
    ways = [["SELECT use_globex()"], [f"PREPARE say AS {SAY_GLOBEX}", "EXECUTE say"]]
    for number, ways_ in enumerate(ways, 601):
        with psycopg.connect(gateway.uri(), options="-c strongroom.tenant=acme", autocommit=True) as one:
            one.execute("INSERT INTO letters VALUES (%s, 'x') ON CONFLICT DO NOTHING", (599,))
            for statement in ways_:
                one.execute(statement.encode())
            one.execute("INSERT INTO letters VALUES (600, 'x') ON CONFLICT (id) DO NOTHING")
            one.execute("INSERT INTO letters VALUES (%s, 'x')", (number,))
        assert len(stored_by(server, gateway, number)) == 1
        assert len(stored_by(server, gateway, 599)) == 2
    with logged_in(gateway, options="-c strongroom.tenant=acme") as raw:
        raw.send(
            m.Parse("say", SUSPENDED).serialise()
            + m.Bind("some", "say").serialise()
            + m.Execute("some", 1).serialise()
            + FLUSH
        )
        raw.until("s")
        raw.send(
            m.Parse("", WRITE).serialise()
            + m.Bind("", "", values=(b"610",)).serialise()
            + m.Execute("").serialise()
            + m.SYNC
        )
        raw.until("Z")
    assert len(stored_by(server, gateway, 610)) == 1


def test_what_was_bound_for_one_tenant_does_not_run_for_another(gateway: Gateway) -> None:
    """Neither a write nor a read; and a statement cannot say the tenant and use it at once."""
    for text, values in ((WRITE, (b"620",)), ("SELECT body FROM letters", ())):
        with logged_in(gateway, options="-c strongroom.tenant=acme") as raw:
            raw.ask("BEGIN")
            raw.send(
                m.Parse("it", text).serialise()
                + m.Bind("bound", "it", values=values).serialise()
                + m.Parse("say", "SET strongroom.tenant = 'globex'").serialise()
                + m.Bind("", "say").serialise()
                + m.Execute("").serialise()
                + m.Execute("bound").serialise()
                + m.SYNC
            )
            assert "another tenant" in raw.error()["M"]
    with psycopg.connect(gateway.uri(), options="-c strongroom.tenant=acme", autocommit=True) as session:
        at_once = f"WITH s AS MATERIALIZED ({SAY_GLOBEX}) INSERT INTO letters SELECT 630, 'x' FROM s"
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="tenant the session says"):
            session.execute(at_once.encode())


def test_one_tenants_key_is_rotated(gateway: Gateway, server: PostgresServer) -> None:
    """Its values move to the new version; those of the others keep theirs, and everything opens."""
    others = key_ids(server, gateway, "tenant_id <> 3")
    before = key_ids(server, gateway, "tenant_id = 3")
    said = gateway.command(
        "keys",
        "rotate",
        "public.invoices.iban@3",
        "--reencrypt",
        "--no-wait",
        "--json",
        "--database",
        gateway.database,
    )
    reload(gateway)
    (report,) = json.loads(said[said.index("[") :])
    assert report["key"] == f"{gateway.database}@3/public.invoices.iban"
    assert report["resealed"] >= 100
    assert key_ids(server, gateway, "tenant_id <> 3") == others
    assert not key_ids(server, gateway, "tenant_id = 3") & before
    with psycopg.connect(gateway.uri(), autocommit=True) as session:
        rows = session.execute("SELECT id, iban FROM invoices WHERE tenant_id = 3 AND id <= 300").fetchall()
    assert len(rows) == 100
    assert all(iban == f"DE{i}" for i, iban in rows)


def test_a_tenants_key_encryption_key_is_rotated(gateway: Gateway) -> None:
    """Its keysets are wrapped anew; sessions that are open read and write on, and so does the next start."""
    database = gateway.database
    with psycopg.connect(gateway.uri(), autocommit=True) as session:
        said = gateway.command("keys", "rotate", "--kek", "--tenant", "1", "--json", "--database", database)
        assert json.loads(said[said.index("{") :]) == {"key": f"kek {database}@1", "keysets": 3}
        insert = "INSERT INTO invoices (id, tenant_id, iban) VALUES (%s, 1, %s)"
        session.execute(insert, (9000, "before"))
        gateway.signal(signal.SIGTERM)
        assert gateway.wait() == 0
    gateway.launch()
    with psycopg.connect(gateway.uri(), autocommit=True) as session:
        session.execute(insert, (9001, "after"))
        rows = session.execute("SELECT iban FROM invoices WHERE id IN (3, 9000, 9001) ORDER BY id").fetchall()
        assert rows == [("DE3",), ("before",), ("after",)]


def test_a_column_with_tenants_goes_back_to_plaintext(gateway: Gateway, server: PostgresServer) -> None:
    """All tenants' values at once."""
    gateway.command("unprotect", "public.invoices.note")
    with psycopg.connect(server.uri(gateway.database), autocommit=True) as direct:
        rows = direct.execute("SELECT id, note FROM invoices WHERE id <= 300 AND note IS NOT NULL").fetchall()
    assert sorted(rows) == [(i, f"note {i}") for i in range(2, 301, 2)]
