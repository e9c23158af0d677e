"""``strongroom explain``, on the catalog of a real database."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Run

from strongroom.testing.servers import PostgresServer

Explain = Callable[..., Run]
SCHEMA = """
CREATE TABLE customers (id integer PRIMARY KEY, email bytea, iban bytea, city text);
CREATE SCHEMA other; CREATE TABLE other.customers (id integer PRIMARY KEY, email text);
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
      public.customers.iban: {{type: text, encryption: randomized}}
  second:
    upstream: '{uri}'
    upstream_password: ${{SHOP_DB_PASSWORD}}
    listen: 127.0.0.1:6433
"""


@pytest.fixture
def explain(
    postgres: PostgresServer,
    tmp_path: Path,
    strongroom: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
) -> Explain:
    """Explains a statement to the database shop."""
    name = postgres.create_database("shop")
    postgres.run(SCHEMA, name)
    file = tmp_path / "strongroom.yaml"
    file.write_text(CONFIGURATION.format(uri=postgres.uri(name, password="")), encoding="utf-8")
    monkeypatch.setenv("SHOP_DB_PASSWORD", postgres.password)

    def run(sql: str, *more: str) -> Run:
        return strongroom("explain", sql, "--config", str(file), *more)

    return run


def meanings(run: Run) -> dict[str, Any]:
    """What is said about what, of the first statement."""
    assert run.status == 0, run.stdout + run.stderr
    answer = json.loads(run.stdout)
    assert answer["refused"] is None
    return {row["about"]: row["meaning"] for row in answer["statements"] if row["statement"] == 1}


def test_what_would_be_sent(explain: Explain) -> None:
    """The resolved statement is shown with the sealed literal's place, and never its value."""
    run = explain(
        "SELECT email, id FROM customers WHERE email = 'a@example.org' AND id = $1",
        "--database",
        "shop",
        "--json",
    )
    found = meanings(run)
    assert ".customers WHERE email = ⟨public.customers.email⟩" in found["sent"]
    assert found["column email"] == "opened by the key of public.customers.email"
    assert found["column id"] == "plain"
    assert found["parameter $1"] == "plain"
    assert "a@example.org" not in run.stdout


def test_barriers(explain: Explain) -> None:
    """What must be answered before anything else is analysed is said."""
    found = meanings(explain("SET search_path TO other", "--database", "shop", "--json"))
    assert "search_path" in found["barrier"]


def test_for_people(explain: Explain) -> None:
    """Without --json there is a table."""
    run = explain("INSERT INTO customers (id, iban) VALUES (1, $1)", "--database", "shop")
    assert run.status == 0, run.stderr
    assert "sealed for public.customers.iban" in run.stdout


def test_a_refusal(explain: Explain) -> None:
    """A statement that would be refused is shown with its reason and the way out; the exit status is 1."""
    run = explain("SELECT id FROM customers WHERE iban = 'DE00'", "--database", "shop")
    assert run.status == 1
    assert run.stdout.startswith("refused: ")
    assert "public.customers.iban" in run.stdout
    assert "docs/errors.md#" in run.stdout
    assert "DE00" not in run.stdout + run.stderr


def test_a_refusal_as_data(explain: Explain) -> None:
    """With --json the refusal comes as data."""
    run = explain("SELECT lower(email) FROM customers", "--database", "shop", "--json")
    assert run.status == 1
    refused = json.loads(run.stdout)["refused"]
    assert refused["code"] == "function-refused"
    assert refused["sqlstate"] == "0A000"


def test_the_search_path(explain: Explain) -> None:
    """Under another search path the same name is another table."""
    sql = "SELECT email FROM customers"
    near = meanings(explain(sql, "--database", "shop", "--json"))
    far = meanings(explain(sql, "--database", "shop", "--search-path", "other,public", "--json"))
    assert "near protected" in near["kind"]
    assert "sent as it came" in far["kind"]


def test_from_standard_input(explain: Explain, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dash reads the statements from standard input, and each is numbered."""
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT 1; SELECT city FROM customers"))
    run = explain("-", "--database", "shop")
    assert run.status == 0, run.stderr
    assert "statement" in run.stdout.splitlines()[0]


@pytest.mark.parametrize("arguments", [[], ["--database", "third"]])
def test_which_database(explain: Explain, arguments: list[str]) -> None:
    """Of several databases one must be named, and it must be there."""
    run = explain("SELECT 1", *arguments)
    assert run.status == 2
    assert "shop, second" in " ".join(run.stderr.replace("│", " ").split())


def test_nothing_runs(explain: Explain, postgres: PostgresServer) -> None:
    """The statement is not executed."""
    assert explain("INSERT INTO customers (id) VALUES (1)", "--database", "shop").status == 0
    with postgres.connect("shop") as connection:
        assert connection.execute("SELECT count(*) FROM customers").fetchone() == (0,)


def test_a_configured_column_that_is_missing(explain: Explain, postgres: PostgresServer) -> None:
    """Nothing is explained as unprotected because the configuration names a column that is not there."""
    postgres.run("ALTER TABLE customers RENAME COLUMN iban TO account", "shop")
    run = explain("SELECT account FROM customers", "--database", "shop")
    assert run.status == 2
    assert "column-missing" in run.stderr
