"""sql/guards.py: a look-up names the type of its key, behind a lock on a table that has such a column."""

from dataclasses import replace

import pytest
from tests.sql.world import CONTEXT, PROTECTIONS, shown

KEYS = {"k1": "looked_up_by_00000001", "k6": "looked_up_by_00000006"}
GUARDED = replace(
    CONTEXT,
    protections={
        place: replace(one, looked_up_by=KEYS.get(one.keyset, "")) for place, one in PROTECTIONS.items()
    },
)
ONE = '"strongroom guard 1" AS (SELECT NULL::strongroom_keys.looked_up_by_00000001 FROM "public"."customers")'


def sent(text: str) -> str:
    return shown(text, context=GUARDED)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("SELECT id FROM customers WHERE email = $1", "WITH {} SELECT id"),
        ("SELECT id FROM customers WHERE email IN ('a', 'b')", "WITH {} SELECT id"),
        ("(SELECT id FROM customers WHERE email = 'a') UNION SELECT 1", "WITH {} (SELECT id"),
        ("WITH w AS (SELECT 1) SELECT id FROM customers WHERE email = $1", "WITH {}, w AS"),
        (
            "WITH RECURSIVE w AS (SELECT 1) SELECT id FROM customers WHERE email = $1",
            "WITH RECURSIVE {}, w AS",
        ),
        ("UPDATE customers SET score = NULL WHERE email = $1", "WITH {} UPDATE"),
        ("DELETE FROM customers WHERE email = $1", "WITH {} DELETE"),
        (
            "INSERT INTO customers (id, email) SELECT 1, email FROM customers WHERE email = $1",
            "WITH {} INSERT",
        ),
        (
            "INSERT INTO customers (id, email) VALUES (1, $1) RETURNING email = $1",
            "WITH {} INSERT",
        ),
        ("PREPARE p AS SELECT id FROM customers WHERE email = $1", "p (pg_catalog.bytea) AS WITH {} SELECT"),
        ("PREPARE p (text) AS SELECT id FROM customers WHERE email = $1", ") AS WITH {} SELECT"),
        (
            "DECLARE c CURSOR WITH HOLD FOR SELECT id FROM customers WHERE email = 'a'",
            "WITH HOLD FOR WITH {} SELECT",
        ),
        ("EXPLAIN SELECT id FROM customers WHERE email = 'a'", "EXPLAIN WITH {} SELECT"),
        ("EXPLAIN ANALYZE VERBOSE SELECT id FROM customers WHERE email = 'a'", "VERBOSE WITH {} SELECT"),
        (
            "EXPLAIN (COSTS off, FORMAT text) SELECT id FROM customers WHERE email = 'a'",
            "FORMAT text) WITH {} SELECT",
        ),
        ("EXPLAIN (SELECT id FROM customers WHERE email = 'a')", "EXPLAIN WITH {} (SELECT"),
        ("COPY (SELECT id FROM customers WHERE email = 'a') TO STDOUT", "COPY (WITH {} SELECT"),
        ("CREATE TEMP TABLE t AS SELECT id FROM customers WHERE email = 'a'", "TABLE t AS WITH {} SELECT"),
    ],
)
def test_where_it_stands(text: str, place: str) -> None:
    """Before everything else of the query, in every statement that has one."""
    assert place.format(ONE) in sent(text)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT email FROM customers",
        "SELECT c.id FROM customers c JOIN orders o ON c.email = o.email",
        "SELECT id FROM customers WHERE iban IS NULL",
        "INSERT INTO customers (id, email) VALUES (1, $1), (2, 'b')",
        "CREATE VIEW v AS SELECT id FROM customers WHERE email = 'a'",
        "CREATE MATERIALIZED VIEW v AS SELECT id FROM customers WHERE email = 'a'",
        "CREATE INDEX ON customers (id) WHERE email = 'a'",
        "COPY customers (id, email) FROM STDIN",
    ],
)
def test_without_a_look_up_there_is_none(text: str) -> None:
    """Nor in definitions, which would keep it."""
    assert "strongroom guard" not in sent(text)


def test_without_a_type_there_is_none() -> None:
    """As long as the database has none, nothing can name it."""
    assert "strongroom guard" not in shown("SELECT id FROM customers WHERE email = $1")


def test_each_key_has_its_own() -> None:
    """With a table of its own to wait for."""
    text = sent("SELECT 1 FROM customers c, events e WHERE c.email = $1 AND e.email = $2")
    assert ONE in text
    assert (
        '"strongroom guard 2" AS (SELECT NULL::strongroom_keys.looked_up_by_00000006 FROM "public"."events")'
        in text
    )


def test_a_view_stands_for_its_table() -> None:
    """Who may read the view need not reach the table by name."""
    assert 'looked_up_by_00000001 FROM "public"."mails")' in sent("SELECT id FROM mails WHERE mail = $1")


def test_a_partition_stands_for_itself() -> None:
    """Its columns are those of its parent."""
    assert 'looked_up_by_00000006 FROM "public"."events_a")' in sent(
        "SELECT id FROM events_a WHERE email = $1"
    )
