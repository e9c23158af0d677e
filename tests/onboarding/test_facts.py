"""onboarding/facts.py: what a live database says of itself."""

import asyncio
from pathlib import Path

import pytest

from strongroom.config import ColumnName
from strongroom.gateway.connector import Connector
from strongroom.gateway.upstream_address import parse_upstream
from strongroom.keys.model import Algorithm
from strongroom.onboarding.facts import SealCheck, plaintext_statistics, read_facts, read_role
from strongroom.protect.check import add_constraint
from strongroom.testing.servers import PostgresServer

EMAIL = ColumnName("public", "Customers", "email")
SCHEMA = """
CREATE TABLE "Customers" (id integer, email bytea);
ALTER TABLE "Customers" ADD CONSTRAINT strongroom_not_null_email CHECK (email IS NOT NULL);
CREATE PUBLICATION sales FOR TABLE "Customers";
CREATE FUNCTION noted() RETURNS event_trigger LANGUAGE plpgsql AS 'begin end';
CREATE EVENT TRIGGER noted ON ddl_command_end EXECUTE FUNCTION noted();
CREATE EVENT TRIGGER silent ON ddl_command_end EXECUTE FUNCTION noted();
ALTER EVENT TRIGGER silent DISABLE;
"""
VERSIONS = pytest.mark.parametrize("postgres", ["embedded", "15"], indirect=True)


@pytest.fixture
def connector(postgres: PostgresServer) -> Connector:
    """The way to a database with something of everything."""
    name = postgres.create_database("facts")
    postgres.run(SCHEMA, name)
    return Connector.to(parse_upstream(postgres.uri(name), base=Path.cwd()))


@VERSIONS
def test_facts(connector: Connector, postgres: PostgresServer) -> None:
    """Settings, extensions, publications, slots, event triggers and our CHECKs are read."""
    postgres.run(add_constraint('"Customers"', "email", Algorithm.AES256_SIV, [7]), "facts")
    with postgres.connect("facts") as connection:
        connection.execute("SELECT pg_create_logical_replication_slot('cdc', 'pgoutput')")
        try:
            facts = asyncio.run(read_facts(connector))
        finally:
            connection.execute("SELECT pg_drop_replication_slot('cdc')")
    assert facts.settings["log_statement"] == "none"
    assert facts.extensions == ("plpgsql",)
    assert facts.publications == (("sales", "public", "Customers"),)
    assert facts.slots == (("cdc", "pgoutput"),)
    assert facts.event_triggers == ("noted",)
    assert facts.checks == {EMAIL: SealCheck("strongroom_email", frozenset({7}), False)}


@VERSIONS
def test_the_role(connector: Connector, postgres: PostgresServer) -> None:
    """A role is known with what it owns, by membership too."""
    superuser = asyncio.run(read_role(connector))
    assert superuser.superuser
    assert superuser.version_number // 10_000 == postgres.installation.major
    postgres.run("DROP ROLE IF EXISTS gateway; DROP ROLE IF EXISTS owners; CREATE ROLE owners")
    postgres.create_user("gateway", "secret", "IN ROLE owners")
    uri = postgres.uri("facts", "gateway", password="secret")
    other = Connector.to(parse_upstream(uri, base=Path.cwd()))
    try:
        role = asyncio.run(read_role(other))
        assert (role.name, role.superuser, role.owns) == ("gateway", False, frozenset())
        postgres.run('ALTER TABLE "Customers" OWNER TO owners', "facts")
        assert asyncio.run(read_role(other)).owns == {("public", "Customers")}
    finally:
        postgres.run("DROP OWNED BY owners CASCADE", "facts")
        postgres.run("DROP ROLE gateway; DROP ROLE owners")


@VERSIONS
@pytest.mark.parametrize(("first", "found"), [("01", frozenset[ColumnName]()), ("61", frozenset({EMAIL}))])
def test_statistics(
    connector: Connector, postgres: PostgresServer, first: str, found: frozenset[ColumnName]
) -> None:
    """Statistics of a column hold plaintext where a value in them does not begin as sealed ones do."""
    postgres.run(
        f"""INSERT INTO "Customers" SELECT i, decode('01' || lpad(to_hex(i % 50), 10, '0'), 'hex')
        FROM generate_series(1, 200) i;
        INSERT INTO "Customers" SELECT i, decode('{first}00', 'hex') FROM generate_series(1, 50) i;
        ANALYZE "Customers" """,
        "facts",
    )
    assert asyncio.run(plaintext_statistics(connector, [EMAIL])) == found


def test_no_columns_no_question(connector: Connector) -> None:
    """Without a sealed column nothing is asked."""
    assert asyncio.run(plaintext_statistics(connector, [])) == frozenset()
