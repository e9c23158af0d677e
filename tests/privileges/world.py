"""A database as it should be, under a policy, and what a database administrator does to it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from psycopg import errors

from strongroom.config import load
from strongroom.gateway.judging import authorizer_of
from strongroom.onboarding.finding import Finding, Verdict
from strongroom.privileges.compare import compare
from strongroom.testing.servers import PostgresServer

DATABASE = 'the "Shop" db'
GATEWAY = 'Gate"way'
PASSWORD = "correct horse battery"
ITEMS = '"My Shop"."Order ""Items"""'
"""A table with names that need quotes."""

# As it should be: the gateway's user may do what the policy gives, and nobody else comes in.
RIGHT = f"""
CREATE SCHEMA "My Shop";
CREATE TABLE {ITEMS} (id serial PRIMARY KEY, note text);
CREATE TABLE customers (id integer, name text);
GRANT USAGE ON SCHEMA "My Shop" TO "Gate""way";
GRANT SELECT, INSERT ON {ITEMS} TO "Gate""way";
GRANT USAGE ON ALL SEQUENCES IN SCHEMA "My Shop" TO "Gate""way";
GRANT SELECT ON customers TO "Gate""way";
REVOKE CONNECT ON DATABASE "the ""Shop"" db" FROM PUBLIC;
GRANT CONNECT ON DATABASE "the ""Shop"" db" TO "Gate""way";
"""
ROLES = {
    "application": {
        "databases": ["shop"],
        "tables": {'"My Shop".*': ["select", "insert"], "public.customers": ["select"]},
        "columns": {"*": "reveal"},
    },
    "reader": {
        "databases": ["shop"],
        "tables": {"public.customers": ["select"]},
        "columns": {"*": "reveal"},
        "functions": ["public.known"],
    },
}
ACCOUNTS = {"app": {"databases": ["shop"], "roles": ["application", "reader"]}}


def emptied(server: PostgresServer) -> None:
    """Without the databases, roles and slots of another test."""
    server.run("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
    with server.connect() as connection:
        rows = connection.execute(
            "SELECT datname FROM pg_database WHERE oid >= 16384 OR datname LIKE '%hop%'"
        )
        for (name,) in rows.fetchall():
            connection.execute(f'DROP DATABASE "{name.replace(chr(34), chr(34) * 2)}" WITH (FORCE)'.encode())
        rows = connection.execute(
            "SELECT string_agg(quote_ident(rolname), ',') FROM pg_roles WHERE oid >= 16384"
        )
        ((names,),) = rows.fetchall()
        if names:
            connection.execute(f"DROP OWNED BY {names} CASCADE".encode())
            connection.execute(f"DROP ROLE {names}".encode())


@dataclass(frozen=True, slots=True)
class World:
    """The database, and a configuration."""

    server: PostgresServer
    file: Path

    @classmethod
    def make(cls, server: PostgresServer, folder: Path) -> "World":
        """As it should be."""
        emptied(server)
        server.create_user(GATEWAY, PASSWORD)
        server.create_database(DATABASE)
        world = cls(server, folder / "strongroom.yaml")
        world.run(RIGHT)
        world.configure(roles=ROLES, accounts=ACCOUNTS)
        return world

    def configure(self, *, user: str = GATEWAY, owner: str | None = None, **more: object) -> None:
        """Writes the configuration."""
        upstream = self.server.uri(DATABASE, user, "")
        shop = {"upstream": upstream, "upstream_password": "${PASSWORD}", "listen": "127.0.0.1:6432"}
        if owner is not None:
            shop["owner"] = self.server.uri(DATABASE, owner, "")
        written = {"state": "sqlite:state.db", "databases": {"shop": shop}, **more}
        self.file.write_text(yaml.safe_dump(written))

    def run(self, *statements: str) -> None:
        """As the superuser, each by itself."""
        with self.server.connect(DATABASE) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def found(self, *administrators: str) -> list[Finding]:
        """What is said of it."""
        asked = yaml.safe_load(self.file.read_text())["databases"]["shop"]["upstream"]
        password = self.server.password if "postgres@" in asked else PASSWORD
        settings = load(self.file, {"PASSWORD": password})
        return asyncio.run(compare(settings, authorizer_of(settings), administrators))

    def may(self, statement: str, user: str = GATEWAY) -> bool:
        """Whether a role's statement succeeds."""
        with self.server.connect(DATABASE, user) as connection:
            try:
                connection.execute(statement.encode())
            except errors.InsufficientPrivilege:
                return False
        return True


def sql_of(found: Sequence[Finding]) -> list[str]:
    """All that is printed, in order."""
    return [statement for one in found for statement in one.sql]


def open_gaps(found: Sequence[Finding]) -> list[str]:
    """What must be mended."""
    return [one.remark for one in found if one.verdict is Verdict.FAILS]
