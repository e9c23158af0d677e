"""``strongroom policy explain``, on the catalog of a real database."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Run

from strongroom.testing.servers import PostgresServer

Explain = Callable[..., Run]
TABLES = """
CREATE TABLE customers (id integer PRIMARY KEY, email bytea, name text, born date, note text);
CREATE TABLE orders (id integer PRIMARY KEY, customer integer, total numeric);
CREATE SCHEMA own; CREATE TABLE own.orders (id integer, secret text);
"""
CONFIGURATION = """
state: sqlite:state.db
keys: {{root: 'file:root.key'}}
databases:
  shop:
    upstream: '{uri}'
    upstream_password: ${{SHOP_DB_PASSWORD}}
    listen: 127.0.0.1:6432
    columns:
      public.customers.email: {{type: text, encryption: deterministic}}
  far: {{upstream: 'postgresql://db.example/far', listen: 127.0.0.1:6433}}
roles:
  application:
    databases: [shop]
    tables: {{"public.*": [select, insert, update, delete]}}
    columns: {{"*": reveal}}
  support:
    databases: [shop]
    tables: {{public.customers: [select, update], public.orders: [select]}}
    columns:
      public.customers.id: reveal
      public.customers.email: {{show: {{mask: email}}, filter: yes}}
      public.customers.name: {{show: {{mask: first, n: 1}}}}
      public.customers.born: {{show: {{mask: last, n: 4}}}}
      public.customers.note: write_only
      public.orders.*: reveal
    when: {{second_factor: 15m, hours: Mon-Fri 08:00-18:00 Europe/Berlin}}
    limits: {{rows_per_hour: 1000}}
  counted:
    databases: [shop]
    tables: {{public.customers: [select]}}
    columns: {{"*": reveal, public.customers.email: {{show: {{mask: email}}}}}}
    limits: {{reveals_per_hour: 100}}
  dba:
    databases: [shop]
    tables: {{"*": [ddl]}}
    when: {{assumed: yes, second_factor: 5m}}
accounts:
  app: {{databases: [shop], roles: [application]}}
  other: {{databases: [far], roles: [application]}}
people:
  anna: {{databases: [shop], roles: [support]}}
  carl: {{databases: [shop], roles: [counted, dba]}}
"""
WORK = ("--second-factor", "5m", "--at", "2026-11-23 10:00 Europe/Berlin")


@pytest.fixture
def explain(
    postgres: PostgresServer,
    tmp_path: Path,
    strongroom: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
) -> Explain:
    """Explains a statement of somebody's."""
    name = postgres.create_database("explained")
    postgres.run(TABLES, name)
    file = tmp_path / "strongroom.yaml"
    file.write_text(CONFIGURATION.format(uri=postgres.uri(name, password="")), encoding="utf-8")
    monkeypatch.setenv("SHOP_DB_PASSWORD", postgres.password)

    def run(who: str, sql: str, *more: str) -> Run:
        return strongroom("policy", "explain", "--as", who, sql, "--config", str(file), *more)

    return run


def answers(run: Run) -> dict[str, tuple[str, str]]:
    """The answer to each access, and the rule that made it."""
    told = json.loads(run.stdout)
    assert run.status == (0 if told["permitted"] else 1), run.stderr
    return {row["access"]: (row["answer"], row["by"]) for row in told["accesses"]}


def test_each_column_with_its_rule(explain: Explain) -> None:
    """A masked column, one to filter by, and the table that they are of."""
    run = explain("anna", "SELECT id, email AS mail FROM customers WHERE email = $1", *WORK, "--json")
    assert run.status == 0
    assert answers(run) == {
        "select public.customers": ("yes", "roles.support.tables.public.customers"),
        "filter public.customers.email": ("yes", "roles.support.columns.public.customers.email"),
        "show public.customers.id": ("reveal", "roles.support.columns.public.customers.id"),
        "show public.customers.email": ("mask email", "roles.support.columns.public.customers.email"),
    }
    shown = {row["access"]: row["output"] for row in json.loads(run.stdout)["accesses"]}
    assert shown["show public.customers.email"] == "mail"


@pytest.mark.parametrize(
    ("sql", "access", "by"),
    [
        ("SELECT upper(name) FROM customers", "reveal public.customers.name", "no rule permits it"),
        ("SELECT note FROM customers", "show public.customers.note", "no rule permits it"),
        ("DELETE FROM customers WHERE id = 1", "delete public.customers", "no rule permits it"),
        ("UPDATE customers SET note = 'x'", "update_all public.customers", "no rule permits it"),
        ("PREPARE p AS SELECT note FROM customers", "show public.customers.note", "no rule permits it"),
        ("SELECT secret FROM own.orders", "show own.orders.secret", "no rule permits it"),
        ("SET ROLE postgres", "ddl shop", "no rule permits it"),
        ("SELECT born FROM customers", "show public.customers.born", "does not fit the type date"),
    ],
)
def test_what_is_refused(explain: Explain, sql: str, access: str, by: str) -> None:
    """The exit status is 1, and the access that no rule gives says so; so does a mask that does not fit."""
    run = explain("anna", sql, *WORK, "--json")
    assert run.status == 1
    answer, rule = answers(run)[access]
    assert answer == "no"
    assert by in rule


@pytest.mark.parametrize(
    "more",
    [
        (),
        ("--second-factor", "20m", "--at", "2026-11-23 10:00 Europe/Berlin"),
        ("--second-factor", "5m", "--at", "2026-11-22 10:00 Europe/Berlin"),
    ],
)
def test_circumstances(explain: Explain, more: tuple[str, ...]) -> None:
    """What a role gives counts while its conditions hold; which one does not is said."""
    run = explain("anna", "SELECT id FROM orders", *more, "--json")
    assert run.status == 1
    (role,) = json.loads(run.stdout)["roles"]
    assert (role["role"], role["counts"]) == ("support", False)
    assert "15m" in role["conditions"]
    assert explain("anna", "SELECT id FROM orders", *WORK).status == 0


def test_for_people(explain: Explain) -> None:
    """A table, and what it comes to."""
    run = explain("anna", "SELECT email FROM customers")
    assert run.status == 1
    assert run.stdout.splitlines()[-1] == "refused"
    assert "the role support does not count now: second factor within 15m" in run.stdout
    well = explain("anna", "SELECT email FROM customers", *WORK)
    assert "mask email" in well.stdout
    assert well.stdout.splitlines()[-1] == "permitted"


def test_several_statements(explain: Explain) -> None:
    """Each is numbered; one that touches nothing is permitted to whom any role counts."""
    run = explain("app", "BEGIN; DELETE FROM orders", "--json")
    assert run.status == 1
    rows: list[dict[str, Any]] = json.loads(run.stdout)["accesses"]
    assert [(row["statement"], row["access"], row["answer"]) for row in rows] == [
        (1, "any statement", "yes"),
        (2, "delete public.orders", "yes"),
        (2, "delete_all public.orders", "no"),
    ]
    assert rows[0]["by"] == "needs no role"
    run = explain("app", "SELECT 1; SELECT 2", "--json")
    assert [row["by"] for row in json.loads(run.stdout)["accesses"]] == ["roles.application"] * 2


def test_limits(explain: Explain) -> None:
    """What a statement uses up of them, by which number; one that reads nothing uses nothing up."""
    told = json.loads(explain("anna", "SELECT id, email FROM customers", *WORK, "--json").stdout)
    assert told["limits"] == [
        {"statement": 1, "rows_per_hour": 1000, "reveals_per_hour": None, "reveals_per_row": 1}
    ]
    shown = explain("anna", "SELECT id FROM customers", *WORK).stdout.splitlines()
    assert shown[-2:] == ["at most 1000 rows an hour", "permitted"]
    assert json.loads(explain("anna", "SELECT 1", *WORK, "--json").stdout)["limits"] == []
    assert json.loads(explain("app", "SELECT id FROM customers", "--json").stdout)["limits"] == []
    few = explain("carl", "SELECT id, email, note FROM customers; SELECT 1").stdout.splitlines()
    assert few[-2] == "statement 1: at most 100 revealed values an hour; each row reveals 2"
    assert explain("carl", "SELECT lower(note) FROM customers").status == 1


def test_a_role_that_is_to_be_assumed(explain: Explain) -> None:
    """By whom it may be, with which second factor, and what it then gives."""
    sql, fresh = "SET strongroom.role = 'dba: order 17'", ("--second-factor", "1m")
    assert answers(explain("carl", sql, *fresh, "--json")) == {"assume dba": ("yes", "roles.dba.when")}
    assert answers(explain("carl", sql, "--json"))["assume dba"][0] == "no"
    assert answers(explain("anna", sql, *WORK, "--json"))["assume dba"][0] == "no"
    assert explain("carl", "SET strongroom.role = 'dba'", *fresh).stdout.startswith("refused: ")
    assert explain("carl", "DROP TABLE orders", *fresh).status == 1
    assert explain("carl", "DROP TABLE orders", *fresh, "--assumed", "dba").status == 0


def test_what_needs_no_role(explain: Explain) -> None:
    """What says whose values are meant, and what begins and takes back: a condition may hang on it."""
    for sql in ("BEGIN", "SET strongroom.tenant = 'acme'", "RESET strongroom.tenant", "ROLLBACK"):
        assert explain("anna", sql).status == 0
    for sql in ("COMMIT", "SET work_mem = '1MB'", "SELECT 1"):
        assert explain("anna", sql).status == 1


def test_a_prepared_statement(explain: Explain) -> None:
    """Each access is told once, with what the statement shows when it is executed."""
    run = explain("anna", "PREPARE p AS SELECT email FROM customers", *WORK, "--json")
    assert run.status == 0
    rows = json.loads(run.stdout)["accesses"]
    assert [(row["access"], row["answer"]) for row in rows] == [
        ("select public.customers", "yes"),
        ("show public.customers.email", "mask email"),
    ]


def test_the_search_path(explain: Explain) -> None:
    """The same name may be another table."""
    sql = "SELECT id FROM orders"
    assert explain("app", sql).status == 0
    assert explain("app", sql, "--search-path", "own,public").status == 1


def test_what_analysis_refuses(explain: Explain) -> None:
    """Is refused to everybody, with the reason and without the values."""
    run = explain("app", "SELECT lower(email) || 'secret' FROM customers", "--json")
    assert run.status == 1
    told = json.loads(run.stdout)
    assert (told["permitted"], told["accesses"]) == (False, [])
    assert told["refused"]["code"] == "function-refused"
    assert "secret" not in run.stdout
    assert explain("app", "SELECT lower(email) FROM customers").stdout.startswith("refused: ")


def test_an_account_that_may_not_come_in(explain: Explain) -> None:
    """Whatever its roles say."""
    run = explain("other", "SELECT 1", "--database", "shop", "--json")
    assert answers(run)["log in to shop"] == ("no", "other: databases")


@pytest.mark.parametrize(
    ("who", "more", "complaint"),
    [
        ("app", ("--at", "tomorrow"), "--at: is not a moment"),
        ("app", ("--second-factor", "soon"), "--second-factor: is not a length of time"),
        ("app", ("--address", "here"), "--address: is not an address"),
        ("apple", (), "apple is neither an account nor a person"),
    ],
)
def test_wrong_use(explain: Explain, who: str, more: tuple[str, ...], complaint: str) -> None:
    """Ends with status 2, and says what was wrong."""
    run = explain(who, "SELECT 1", *more)
    assert run.status == 2
    assert complaint in run.stderr


def test_from_standard_input(
    explain: Explain, monkeypatch: pytest.MonkeyPatch, postgres: PostgresServer
) -> None:
    """A dash reads the statement from standard input; nothing is executed."""
    monkeypatch.setattr("sys.stdin", io.StringIO("INSERT INTO orders (id) VALUES (1)"))
    assert explain("app", "-").status == 0
    with postgres.connect("explained") as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (0,)
