"""Who asked for a customer, and which columns where no role is asked: by a real gateway, log and command."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors
from tests.gateway.serving import configuration
from tests.gateway.test_chronicle import one_of, records
from tests.gateway.test_recorder import ORIGIN, stopped

from strongroom.audit.records.statements import MORE, UNKNOWN, Denied, Permitted
from strongroom.testing.gateway import Gateway
from strongroom.testing.servers import PostgresServer

TABLE = """
CREATE TABLE customers (id int PRIMARY KEY, big bigint, code uuid, name text, email bytea);
CREATE VIEW named AS SELECT id, name FROM customers
"""
COLUMNS = ["id", "big", "code", "email"]
EMAIL = {"public.customers.email": {"type": "text", "encryption": "deterministic"}}
ID, BIG, CODE = 2071234567, 918273645546372819, "5f0c9a52-1a6f-4a53-93ab-6a3c0a5f8e11"
ADDRESS = "anna@customers.example"


@pytest.fixture
def gateway(postgres: PostgresServer) -> Iterator[Gateway]:
    """With keyed columns, one of them protected; nobody has a role."""
    postgres.create_database("keyed")
    postgres.run(TABLE, "keyed")
    with Gateway.start(postgres, "keyed", more={"columns": EMAIL}, first=configure) as running:
        yield running
    postgres.run("DROP DATABASE keyed WITH (FORCE)", "postgres")


def configure(gateway: Gateway, **more: object) -> None:
    names = [f"public.customers.{one}" for one in COLUMNS]
    audit = {"log": "audit", "origin": ORIGIN, "keyed_hashes": names}
    gateway.configure(configuration(gateway) | {"audit": audit} | more)


def who_saw(gateway: Gateway, *asked: str) -> list[dict[str, Any]]:
    """What the command answers."""
    command = [sys.executable, "-m", "strongroom", "audit", "who-saw", "--config", str(gateway.configuration)]
    environment = dict(gateway.environment)
    done = subprocess.run(
        [*command, "--json", *asked], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, list)
    return found


def names_seen(gateway: Gateway, key: str) -> int:
    """How many statements about a value showed the name."""
    rows = who_saw(gateway, "--table", "customers", "--key", key)
    return sum(one["statements"] for one in rows if one["column"] == "public.customers.name")


def permitted(gateway: Gateway) -> list[Permitted]:
    return [one for one in records(gateway) if isinstance(one, Permitted) and "customers" in str(one.plan)]


def test_who_asked_for_a_customer(gateway: Gateway) -> None:
    """However the value came; the row of another is another's, and no value is in any file of the log."""
    text, where = "SELECT name FROM customers WHERE", f"id = {ID}"
    with psycopg.connect(gateway.uri(), autocommit=True) as client:
        client.execute("INSERT INTO customers VALUES (%s, %s, %s, 'Anna', %s)", (ID, BIG, CODE, ADDRESS))
        client.execute(f"{text} {where}").fetchall()
        client.execute(f"{text} id = '{ID}'").fetchall()
        for binary in (False, True):
            cursor = client.cursor(binary=binary)
            for mark in ("%t", "%b"):
                cursor.execute(f"{text} id = {mark}", (ID,)).fetchall()
                cursor.execute(f"{text} id = ANY({mark})", ([1, ID],)).fetchall()
        for _ in range(3):
            client.execute(f"{text} id = %s AND name <> ''", (ID,), prepare=True).fetchall()
        with client.pipeline():
            for number in (ID, 1, ID):
                client.execute(f"{text} id = %s OR false", (number,))
        client.execute("SELECT name FROM named WHERE id = %s", (ID,)).fetchall()
        client.execute(f"PREPARE p AS {text} id = $1")
        client.execute(f"EXECUTE p({ID})").fetchall()
        client.execute(f"BEGIN; DECLARE c CURSOR FOR {text} {where}; FETCH c; COMMIT")
        for mark, value in (("big = %s", BIG), ("code = %s", CODE), ("email = %s", ADDRESS)):
            client.execute(f"{text} {mark}", (value,)).fetchall()
            client.execute(f"{text} {mark.replace('%s', repr(value))}").fetchall()
        client.execute(f"{text} email = %b", (ADDRESS,)).fetchall()
        client.execute(f"{text} id = 1").fetchall()
        client.execute(f"{text} name = 'Anna'").fetchall()  # the same row, not by a keyed column
    subprocess.run(["psql", gateway.uri(), "-qtc", f"{text} {where}"], check=True, capture_output=True)
    stopped(gateway)
    # Literals, parameters, prepared, in a pipeline, through a view, EXECUTE, FETCH, psql.
    assert names_seen(gateway, str(ID)) == 2 + 8 + 3 + 2 + 1 + 1 + 1 + 1
    assert names_seen(gateway, str(BIG)) == 2
    assert names_seen(gateway, CODE) == 2
    assert names_seen(gateway, ADDRESS) == 3
    assert names_seen(gateway, "2071234568") == 0
    gateway.command("audit", "rotate-hash-secret")
    assert names_seen(gateway, CODE) == 2  # by the former one
    former = str(gateway.folder / "former.secret")
    gateway.command("audit", "export-hash-secret", former, "--number", "1")
    gateway.command("audit", "rotate-hash-secret", "--forget-former")
    assert names_seen(gateway, CODE) == 0
    assert who_saw(gateway, "--table", "customers", "--key", CODE, "--secret", former) != []
    written = [one for one in permitted(gateway) if one.plan.written]
    assert {one.column for one in written[0].keyed or ()} == {f"public.customers.{one}" for one in COLUMNS}
    for path in gateway.folder.glob("audit*/**/*"):
        octets = path.read_bytes() if path.is_file() else b""
        for value in (str(ID), str(BIG), CODE, ADDRESS):
            assert value.encode() not in octets, path


def test_values_that_are_not_hashed(gateway: Gateway) -> None:
    """A stream, a computed value and a long list are said; the database's own errors are as they were."""
    with psycopg.connect(gateway.uri(), autocommit=True) as client:
        with client.cursor().copy("COPY customers (id, name) FROM STDIN") as copy:
            copy.write_row((ID, "Anna"))
        client.execute("SELECT name FROM customers WHERE id = %s::int + 0", (ID,)).fetchall()
        client.execute("SELECT name FROM customers WHERE id = ANY(%s)", (list(range(200)),)).fetchall()
        with pytest.raises(errors.InvalidTextRepresentation):
            client.execute("SELECT name FROM customers WHERE id = 'x'")
    stopped(gateway)
    found = [[one.hash for one in record.keyed or ()] for record in permitted(gateway)]
    stream, computed, many, wrong = found
    assert (stream, computed, wrong) == ([MORE], [UNKNOWN], [UNKNOWN])
    assert (len(many), many[-1]) == (101, MORE)


def test_columns_where_no_role_is_asked(gateway: Gateway) -> None:
    """What is shown, filtered by and written is in the record; what cannot be followed runs, and says so."""
    with psycopg.connect(gateway.uri(), autocommit=True) as client:
        client.execute("CREATE TABLE plain (id int, txt text)")
        client.execute("INSERT INTO plain (id, txt) VALUES (1, 'x')")
        client.execute("SELECT upper(txt), id FROM plain WHERE id = 1").fetchall()
        client.execute("PREPARE q AS SELECT txt FROM plain")
        client.execute("EXECUTE q").fetchall()
        client.execute("SELECT p.* FROM plain p, LATERAL json_to_record('{\"a\": 1}') AS j(a int)").fetchall()
        client.execute("SELECT * FROM plain TABLESAMPLE SYSTEM (100) NATURAL JOIN pg_class").fetchall()
    stopped(gateway)
    found = [one.plan for one in records(gateway) if isinstance(one, Permitted) and "plain" in str(one.plan)]
    by_text = {one.text.split()[0] + str(index): one for index, one in enumerate(found)}
    insert, select = by_text["INSERT1"], by_text["SELECT2"]
    assert insert.written == ("public.plain.id", "public.plain.txt")
    assert (select.revealed, select.filtered) == (
        ("public.plain.id", "public.plain.txt"),
        ("public.plain.id",),
    )
    assert select.actions == ("select",)
    executed = next(one for one in found if one.text == "EXECUTE q")
    assert executed.revealed == ("public.plain.txt",)
    assert found[-1].revealed == ("public.plain.*",)


def test_the_policy_is_named(postgres: PostgresServer) -> None:
    """By its SHA-256, in what it permits and denies; a denial says what its rules do not."""
    roles = {"reader": {"databases": ["policed"], "tables": {"public.plain": ["select"]}}}

    def first(gateway: Gateway) -> None:
        found = configuration(gateway)
        found["accounts"]["app"]["roles"] = ["reader"]
        gateway.configure(found | {"roles": roles, "audit": {"log": "audit", "origin": ORIGIN}})

    postgres.create_database("policed")
    postgres.run("CREATE TABLE plain (id int)", "policed")
    with Gateway.start(postgres, "policed", first=first) as gateway:
        with psycopg.connect(gateway.uri(), autocommit=True) as client:
            client.execute("SELECT 1 FROM plain").fetchall()
            with pytest.raises(errors.InsufficientPrivilege):
                client.execute("DELETE FROM plain")
        stopped(gateway)
        found = records(gateway)
    postgres.run("DROP DATABASE policed WITH (FORCE)", "postgres")
    denied = one_of(found, Denied)
    allowed = [one for one in found if isinstance(one, Permitted) and one.plan.tables]
    assert denied.remark == "no rule permits it"
    assert denied.plan.policy is not None
    assert len(denied.plan.policy) == 64
    assert {one.plan.policy for one in allowed} == {denied.plan.policy}
