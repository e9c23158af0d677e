"""What the benchmarks run on: one PostgreSQL with the tables, and four ways to it, with TLS or without.

The gateway is there twice, with the kernel that it chooses and with the one in Python.

The tables stand twice, in plaintext and with two of five columns sealed: the gateway reads the sealed one,
the others its plaintext twin. Before and behind pgbouncer and the gateway there is TLS, or on neither side.
"""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from strongroom.demo.customers import customers
from strongroom.testing.certificates import Authority
from strongroom.testing.gateway import Account, Gateway
from strongroom.testing.installations import Installation, installations
from strongroom.testing.pgbouncer import Pgbouncer
from strongroom.testing.servers import PostgresServer

CACHE = Path(__file__).parent.parent / ".cache"
DATABASE, USER, PASSWORD = "bench", "bench", "bench"
ROUTES = ("direct", "pgbouncer", "strongroom", "Python kernel")
COLUMNS = "id, name, email, iban, city"

SETTINGS = {
    "shared_buffers": "512MB",
    "synchronous_commit": "on",
    "fsync": "off",  # the disk of the machine is not what is compared
    "max_connections": "1200",
    "max_wal_size": "4GB",
    "autovacuum": "off",  # no run may be slower than another for a vacuum
}
SHAPE = "id int PRIMARY KEY, name text, email {sealed}, iban {sealed}, city text"
TABLES = f"""
CREATE TABLE plain_people ({SHAPE.format(sealed="text")});
CREATE TABLE sealed_people ({SHAPE.format(sealed="bytea")});
CREATE TABLE plain_load (LIKE plain_people);
CREATE TABLE sealed_load (LIKE sealed_people);
"""
SEALED = {
    f"public.sealed_{table}.{column}": {"type": "text", "encryption": encryption}
    for table in ("people", "load")
    for column, encryption in (("email", "deterministic"), ("iban", "randomized"))
}


@dataclass(frozen=True, slots=True)
class Route:
    """One way to the database; ``gateway`` is there for the one that has one."""

    name: str
    port: int
    authority: Authority | None
    gateway: Gateway | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        """Where programs of libpq connect to."""
        tls = {"PGSSLMODE": "disable"}
        if self.authority is not None:
            tls = {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(self.authority.certificate)}
        where = {"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGDATABASE": DATABASE}
        return where | {"PGUSER": USER, "PGPASSWORD": PASSWORD} | tls

    def connect(self) -> psycopg.Connection:
        """A connection in autocommit."""
        names = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGPASSWORD": "password"}
        names |= {"PGDATABASE": "dbname", "PGSSLMODE": "sslmode", "PGSSLROOTCERT": "sslrootcert"}
        parameters = {names[key]: value for key, value in self.environment.items()}
        return psycopg.connect(**parameters, autocommit=True)  # type: ignore[arg-type]  # mypy cannot see into **

    def table(self, name: str) -> str:
        """The table of that name: sealed for the gateway, its plaintext twin for the others."""
        return f"{'sealed' if self.gateway else 'plain'}_{name}"


@dataclass(frozen=True, slots=True)
class Stage:
    """The server, and the routes to it."""

    server: PostgresServer
    routes: Sequence[Route]
    rows: int
    tls: bool

    def run(self, route: Route, program: str, *arguments: str, text: str = "") -> str:
        """Runs a client program of the server's version on a route; returns what it printed."""
        done = subprocess.run(
            [self.server.installation.program(program), *arguments],
            env={"PATH": "/usr/bin:/bin", **route.environment},
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{program} on {route.name}: {done.stderr}"
        return done.stdout


@contextlib.contextmanager
def stage(*, tls: bool, rows: int, scale: int) -> Iterator[Stage]:
    """Everything, running; gone afterwards. ``rows`` is the size of the tables, ``scale`` pgbench's."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        Path(folder).chmod(0o755)
        authority = Authority.make(Path(folder))
        made = authority.server("127.0.0.1", "localhost")
        files = (authority.certificate, made.certificate, made.key) if tls else None
        server = PostgresServer.start(_programs(), settings=SETTINGS, server_certificate=files)
        stack.enter_context(server)
        server.create_user(USER, PASSWORD)
        server.create_database(DATABASE, USER)
        with server.connect(DATABASE, USER) as connection:
            connection.execute(TABLES)
        pair = (made.certificate, made.key) if tls else None
        bouncer = stack.enter_context(Pgbouncer.start(server, DATABASE, USER, PASSWORD, pair))
        trust = authority if tls else None
        gateway = stack.enter_context(_gateway(server, trust))
        in_python = stack.enter_context(_gateway(server, trust, twin_of=gateway))
        routes = [
            Route(ROUTES[0], server.port, trust),
            Route(ROUTES[1], bouncer.port, trust),
            Route(ROUTES[2], gateway.port, trust, gateway),
            Route(ROUTES[3], in_python.port, trust, in_python),
        ]
        here = Stage(server, routes, rows, tls)
        _fill(here, scale)
        yield here


def _programs() -> Installation:
    found = installations(CACHE).get("18")
    assert found is not None, "run `make bench`, which fetches PostgreSQL 18"
    return found


def _gateway(server: PostgresServer, authority: Authority | None, twin_of: Gateway | None = None) -> Gateway:
    """A gateway, or the twin of one: under the same keys, with the kernel in Python."""
    owner = {"owner": server.uri(DATABASE, password=""), "owner_password": server.password}

    def share_root(twin: Gateway) -> None:
        if twin_of is not None:
            shutil.copy(twin_of.folder / "keys" / "root.key", twin.folder / "keys")

    return Gateway.start(
        server,
        DATABASE,
        upstream=(USER, PASSWORD),
        account=Account(USER, PASSWORD),
        authority=authority,
        limits={"connections": 1100, "connections_per_account": 1100},
        more={"columns": SEALED, **owner},
        first=share_root,
        variables=None if twin_of is None else {"STRONGROOM_KERNEL": "python"},
    )


def _fill(here: Stage, scale: int) -> None:
    """pgbench's tables, and as many people as wanted in both twins."""
    here.run(here.routes[0], "pgbench", "-i", "-q", "-s", str(scale))
    for route in (here.routes[0], here.routes[2]):
        with route.connect() as connection:
            with (
                connection.cursor() as cursor,
                cursor.copy(f"COPY {route.table('people')} FROM STDIN") as copy,
            ):
                for one in customers(here.rows):
                    copy.write_row((one.id, one.name, one.email, one.iban, one.city))
            connection.execute(f"CREATE INDEX ON {route.table('people')} (email)")
    here.server.run("VACUUM ANALYZE", DATABASE)
