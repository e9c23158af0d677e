"""protect/check.py: the CHECK of a protected column, on a real server."""

import psycopg
import pytest

from strongroom.keys.model import Algorithm
from strongroom.protect.check import add_constraint, check_expression, constraint_name, key_ids_in, quoted
from strongroom.protect.envelope import prefix

IDS = (1, 0xFFFEFDFC)
COLUMN = 'E"mail'


@pytest.fixture
def table(embedded: psycopg.Connection) -> psycopg.Connection:
    """A table with a column whose name needs quotes, and its CHECK."""
    embedded.execute("DROP TABLE IF EXISTS checked")
    embedded.execute('CREATE TABLE checked ("E""mail" bytea)')
    embedded.execute(add_constraint("public.checked", COLUMN, Algorithm.AES256_GCM, IDS).encode())
    return embedded


@pytest.mark.parametrize(
    "value", [None, prefix(1) + bytes(28), prefix(0xFFFEFDFC) + b"x" * 500], ids=["null", "shortest", "long"]
)
def test_sealed_values_pass(table: psycopg.Connection, value: bytes | None) -> None:
    """And NULL does."""
    table.execute('INSERT INTO checked ("E""mail") VALUES (%s)', [value])


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\1",
        b"anna@example.org",
        prefix(2) + bytes(28),
        prefix(1) + bytes(27),
        b"\0" + prefix(1)[1:] + bytes(40),
    ],
    ids=["empty", "one byte", "plaintext", "another key", "too short", "another version"],
)
def test_the_database_itself_refuses_anything_else(table: psycopg.Connection, value: bytes) -> None:
    """Whoever goes around the gateway gets a violation of the CHECK, and no other error."""
    with pytest.raises(psycopg.errors.CheckViolation):
        table.execute('INSERT INTO checked ("E""mail") VALUES (%s)', [value])


def test_the_key_ids_are_read_back_from_the_catalog(table: psycopg.Connection) -> None:
    """As pg_get_constraintdef() prints the condition."""
    row = table.execute(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [constraint_name(COLUMN)]
    ).fetchone()
    assert row is not None
    assert key_ids_in(row[0]) == set(IDS)
    name = quoted(constraint_name(COLUMN))
    table.execute(f"ALTER TABLE checked VALIDATE CONSTRAINT {name}".encode())


def test_deterministic_values_may_be_shorter() -> None:
    """They have no nonce."""
    assert ">= 21" in check_expression("c", Algorithm.AES256_SIV, IDS)
    assert ">= 33" in check_expression("c", Algorithm.AES256_GCM, IDS)


def test_a_name_fits_into_an_identifier() -> None:
    """A column's name of any length, counted in bytes."""
    assert constraint_name("email") == "strongroom_email"
    long = constraint_name("ö" * 31)
    assert len(long.encode()) <= 63
    assert long != constraint_name("ö" * 30 + "ä")
    assert key_ids_in("CHECK (email <> '')") == frozenset()
