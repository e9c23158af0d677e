"""Definitions by who may define a table and not see all of it, before a real gateway.

`staff` has columns that are masked for two accounts, of which one may filter by them; a third, which runs the
migrations, sees all. Nothing is protected.
"""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors
from psycopg.rows import TupleRow

from strongroom.testing.gateway import Account, Gateway
from strongroom.testing.servers import PostgresServer

PASSWORD = "correct horse battery"
MASKED = {
    "public.staff.salary": {"show": {"mask": "number", "step": 10000}},
    "public.staff.name": {"show": {"mask": "first", "n": 1}},
}
GUESSED = {column: {**rule, "filter": True} for column, rule in MASKED.items()}
SEEN = {"public.staff.id": "reveal", "public.staff.note": "reveal"}
DEFINES = ["select", "update", "ddl"]
ROLES: dict[str, Any] = {
    "defines": {"tables": {"*": DEFINES}, "columns": {**SEEN, **MASKED}, "functions": ["*"]},
    "guesses": {"tables": {"*": DEFINES}, "columns": {**SEEN, **GUESSED}},
    "migrates": {"tables": {"*": DEFINES}, "columns": {"*": "reveal"}, "functions": ["*"]},
}
ACCOUNTS = {"app": ["migrates"], "dan": ["defines"], "gus": ["guesses"]}
TABLES = """
CREATE SCHEMA other;
CREATE TABLE staff (id int PRIMARY KEY, salary int, name text, note text);
INSERT INTO staff VALUES (1, 25000, 'Johanna', ''), (2, 26000, 'Johanna', '');
CREATE UNIQUE INDEX paid ON staff (salary);
CREATE TABLE parted (id int, salary int, name text, note text) PARTITION BY LIST (salary);
CREATE TYPE pair AS (salary int, b int);
CREATE TABLE pairs OF pair;
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', OLD; RETURN NEW; END $$;
"""


@pytest.fixture(scope="module")
def defined(shop: PostgresServer) -> Iterator[Gateway]:
    """A gateway with the roles."""
    shop.create_database("defined")
    shop.run(TABLES, "defined")

    def first(gateway: Gateway) -> None:
        gateway.give_roles(ROLES, ACCOUNTS, PASSWORD)

    account = Account("app", PASSWORD)
    with Gateway.start(shop, "defined", workers=1, account=account, first=first) as running:
        yield running


def session(gateway: Gateway, account: str) -> psycopg.Connection[TupleRow]:
    """Logged in as an account."""
    return psycopg.connect(gateway.uri(account, PASSWORD), autocommit=True)


FILTERS = [
    "CREATE VIEW w AS SELECT id FROM staff WHERE salary > 25500",
    "CREATE VIEW w AS SELECT id FROM staff ORDER BY salary",
    "CREATE RECURSIVE VIEW w (a) AS SELECT id FROM staff WHERE salary > 25500",
    "CREATE POLICY p ON staff USING (salary > 25500)",
    "CREATE POLICY p ON staff FOR UPDATE WITH CHECK (salary > 25500)",
    "ALTER TABLE staff ADD CHECK (salary < 27000)",
    "ALTER TABLE staff ADD COLUMN pay int, ADD CHECK (salary < 27000)",
    "ALTER TABLE staff ADD UNIQUE (salary)",
    "ALTER TABLE staff ADD EXCLUDE (salary WITH =)",
    "ALTER TABLE staff ADD COLUMN pay int DEFAULT 25000 REFERENCES staff (salary)",
    "ALTER TABLE staff ALTER salary TYPE bigint",
    "CREATE TABLE guess (pay int REFERENCES staff (salary))",
    "CREATE INDEX ON staff (id) WHERE salary > 25500",
    "CREATE INDEX ON staff (salary) WHERE id > 0",
    "CREATE INDEX ON staff (salary) INCLUDE (id)",
    "CREATE UNIQUE INDEX ON staff (salary)",
    "CREATE STATISTICS s ON id, salary FROM staff",
]
REVEALS = [
    "CLUSTER staff USING paid",  # filters, by any column
    "CREATE VIEW w AS SELECT id, -salary AS pay FROM staff",
    "CREATE MATERIALIZED VIEW w AS SELECT id, salary FROM staff",
    "CREATE TABLE w AS SELECT id, salary FROM staff",
    "CREATE RULE r AS ON UPDATE TO staff WHERE OLD.salary > 25500 DO INSTEAD NOTHING",
    "ALTER TABLE staff ADD COLUMN pay int GENERATED ALWAYS AS (-salary) STORED",
    "ALTER TABLE staff ALTER note TYPE text USING salary::text",
    "ALTER TABLE staff ALTER salary TYPE int USING -salary",
    "CREATE INDEX ON staff ((1 / (salary - 21000)))",
    "CREATE STATISTICS s ON (salary % 2) FROM staff",
    "CREATE TRIGGER t BEFORE UPDATE ON staff FOR EACH ROW EXECUTE PROCEDURE tell()",
    "ALTER TABLE staff RENAME COLUMN salary TO note2",
    "ALTER TABLE staff RENAME TO mine",
    "ALTER INDEX staff RENAME TO mine",
    "ALTER TABLE staff SET SCHEMA other",
    "ALTER SCHEMA public RENAME TO mine",
    "ALTER TYPE pair RENAME ATTRIBUTE salary TO id CASCADE",
    "CREATE TABLE mine PARTITION OF parted DEFAULT",
    "ALTER TABLE parted ATTACH PARTITION staff DEFAULT",
]


@pytest.mark.parametrize("definition", [*FILTERS, *REVEALS])
def test_what_is_masked_is_not_found_out_by_defining(defined: Gateway, definition: str) -> None:
    """Who may define a table may do with its columns what they may do in SELECT."""
    with session(defined, "dan") as dan:
        with pytest.raises(errors.InsufficientPrivilege, match=r"(filter|reveal) on public\."):
            dan.execute(definition)
        assert dan.execute("SELECT salary FROM staff WHERE id = 1").fetchone() == (20000,)


@pytest.mark.parametrize("definition", [*FILTERS, *REVEALS])
def test_migrations_by_who_sees_all_are_not_hindered(defined: Gateway, definition: str) -> None:
    """The same definitions, each taken back."""
    with session(defined, "app") as app:
        app.execute("BEGIN")
        if "PARTITION staff" in definition:
            app.execute("CREATE TABLE public.one (LIKE staff)")
            definition = definition.replace("staff", "one")
        assert app.execute(definition).statusmessage
        app.execute("ROLLBACK")


@pytest.mark.parametrize("definition", FILTERS)
def test_who_may_filter_may_define_what_filters(defined: Gateway, definition: str) -> None:
    """They could guess the values in WHERE as well."""
    with session(defined, "gus") as gus:
        gus.execute("BEGIN")
        assert gus.execute(definition).statusmessage
        gus.execute("ROLLBACK")


@pytest.mark.parametrize(
    "definition",
    [
        "ALTER TABLE staff ADD COLUMN more text DEFAULT 'x' CHECK (more > 'a')",
        "ALTER TABLE staff ALTER salary SET DEFAULT 1, ALTER salary SET NOT NULL",
        "ALTER TABLE staff DROP COLUMN salary",
        "ALTER TABLE staff RENAME COLUMN note TO remark",
        "CREATE INDEX ON staff (salary)",
        "CREATE INDEX ON staff (id, note)",
        "CREATE TABLE alike (LIKE staff INCLUDING ALL)",
        "CREATE VIEW w AS SELECT id, name FROM staff WHERE id > 0",
    ],
)
def test_definitions_that_tell_nothing_take_no_more_than_ddl(defined: Gateway, definition: str) -> None:
    """What reads no masked value, and gives none another name."""
    with session(defined, "dan") as dan:
        dan.execute("BEGIN")
        assert dan.execute(definition).statusmessage
        dan.execute("ROLLBACK")


def test_a_view_of_a_masked_column_is_masked(defined: Gateway) -> None:
    """Whoever made it."""
    with session(defined, "dan") as dan:
        dan.execute("CREATE VIEW w AS SELECT id, name AS id2 FROM staff WHERE id = 1")
        try:
            assert dan.execute("SELECT id2 FROM w").fetchone() == ("J****",)
        finally:
            dan.execute("DROP VIEW w")


def test_what_fails_on_values_does_not_quote_them(defined: Gateway) -> None:
    """DETAIL has the key that is there twice; a cast, the text that it could not read."""
    unique = "CREATE UNIQUE INDEX ON staff (name)"
    with session(defined, "gus") as gus, session(defined, "app") as app:
        with pytest.raises(errors.UniqueViolation) as told:
            app.execute(unique)
        assert "Johanna" in str(told.value.diag.message_detail)
        with pytest.raises(errors.UniqueViolation) as kept:
            gus.execute(unique)
        assert "Johanna" not in str(kept.value)
        for definition in (
            "ALTER TABLE staff ADD CHECK (name::int > 0) NOT VALID",
            "CREATE VIEW w AS SELECT id FROM staff WHERE name::int > 0",
            "CREATE INDEX ON staff (id) WHERE name::int > 0",
        ):
            with pytest.raises(errors.InsufficientPrivilege, match=r"reveal on public\.staff\.name"):
                gus.execute(definition)
