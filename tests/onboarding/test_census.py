"""onboarding/census.py: what a live catalog says of its columns."""

import asyncio
from pathlib import Path

import pytest

from strongroom.config import ColumnName
from strongroom.gateway.connector import Connector
from strongroom.gateway.upstream_address import parse_upstream
from strongroom.onboarding.census import Dependent, LiveColumn, take_census
from strongroom.testing.servers import PostgresServer

SCHEMA = """
CREATE TABLE customers (
    id integer PRIMARY KEY,
    email varchar(20) UNIQUE,
    phone text DEFAULT 'none',
    city text CONSTRAINT has_city CHECK (city <> ''),
    town text GENERATED ALWAYS AS (lower(city)) STORED,
    gone text
);
ALTER TABLE customers DROP COLUMN gone;
CREATE INDEX by_phone ON customers (lower(phone));
CREATE VIEW emails AS SELECT email FROM customers;
CREATE STATISTICS both_known (mcv) ON email, phone FROM customers;
CREATE TABLE orders (id integer, email varchar(20) REFERENCES customers (email)) PARTITION BY RANGE (id);
CREATE TABLE orders_1 PARTITION OF orders DEFAULT;
CREATE SCHEMA strongroom_keys; CREATE TABLE strongroom_keys.keysets (name text);
"""


@pytest.fixture
def census(postgres: PostgresServer) -> dict[str, LiveColumn]:
    """The columns of a database in which much rests on them, by table and name."""
    name = postgres.create_database("census")
    postgres.run(SCHEMA, name)
    connector = Connector.to(parse_upstream(postgres.uri(name), base=Path.cwd()))
    return {f"{one.name.table}.{one.name.column}": one for one in asyncio.run(take_census(connector))}


@pytest.mark.parametrize("postgres", ["embedded", "15"], indirect=True)
def test_columns(census: dict[str, LiveColumn]) -> None:
    """Columns of tables are there with type and keys; partitions, dropped columns and our own are not."""
    assert set(census) == {
        *(f"customers.{name}" for name in ("id", "email", "phone", "city", "town")),
        "orders.id",
        "orders.email",
    }
    email = census["customers.email"]
    assert (email.type, email.indexed, email.is_unique) == ("character varying(20)", True, True)
    assert census["orders.email"].references == ColumnName("public", "customers", "email")
    assert census["customers.phone"].has_default
    assert not census["customers.phone"].indexed
    assert census["customers.town"].generated
    assert not census["customers.city"].folds


@pytest.mark.parametrize("postgres", ["embedded", "15"], indirect=True)
def test_dependents(census: dict[str, LiveColumn]) -> None:
    """What is built on a column is named with it."""
    assert census["customers.email"].dependents == (
        Dependent("extended statistics", "both_known"),
        Dependent("view", "emails"),
    )
    assert census["customers.phone"].dependents == (
        Dependent("extended statistics", "both_known"),
        Dependent("index over an expression", "by_phone"),
    )
    assert census["customers.city"].dependents == (
        Dependent("CHECK", "has_city"),
        Dependent("generated column", "town"),
    )
    assert census["orders.id"].dependents == (Dependent("partition key", "orders"),)


@pytest.mark.parametrize("postgres", ["15"], indirect=True)
def test_nondeterministic_collations(postgres: PostgresServer) -> None:
    """A column whose collation calls different texts equal is known (the embedded server has no ICU)."""
    name = postgres.create_database("census")
    postgres.run(
        """CREATE COLLATION folding (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
        CREATE TABLE t (email text COLLATE folding)""",
        name,
    )
    connector = Connector.to(parse_upstream(postgres.uri(name), base=Path.cwd()))
    (email,) = asyncio.run(take_census(connector))
    assert email.folds
