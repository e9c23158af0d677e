"""Where the clients connect to: the same database, straight and through a gateway.

Each test runs against every endpoint and finds an empty schema ``public`` that its user owns. The endpoints
with a version in their name have TLS on both legs; those called ``guarded`` protect a column of another
table, so that each statement is analysed. That a test passes ``direct`` shows that it is right.
"""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from tests.conformance.twins import Twins
from tests.conftest import Servers, installation

from strongroom.testing.certificates import Authority
from strongroom.testing.gateway import Account, Gateway
from strongroom.testing.servers import PostgresServer

ENDPOINTS = (
    "direct-embedded",
    "gateway-embedded",
    "guarded-embedded",
    "gateway-15",
    "guarded-15",
    "gateway-16",
    "gateway-17",
    "gateway-18",
)
DATABASE = "conformance"
USER = "conformance_app"
PASSWORD = "the same on both sides, so that one test fits both"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Something that speaks PostgreSQL's protocol; ``server`` is the database behind it."""

    server: PostgresServer
    port: int
    authority: Authority | None
    host: str = "127.0.0.1"
    user: str = USER
    password: str = PASSWORD
    database: str = DATABASE

    @property
    def parameters(self) -> dict[str, str | int]:
        """What libpq calls the parameters of a connection."""
        own: dict[str, str | int] = {"host": self.host, "port": self.port, "user": self.user}
        own |= {"password": self.password, "dbname": self.database}
        if self.authority is not None:
            own |= {"sslmode": "verify-full", "sslrootcert": str(self.authority.certificate)}
        return own

    @property
    def environment(self) -> dict[str, str]:
        """The same, for programs of libpq (manual, section 34.15)."""
        names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
        names |= {"dbname": "PGDATABASE", "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT"}
        return {names[key]: str(value) for key, value in self.parameters.items()}

    @property
    def tls(self) -> ssl.SSLContext | None:
        """A context that trusts the endpoint's certificate; None without TLS."""
        if self.authority is None:
            return None
        return ssl.create_default_context(cafile=str(self.authority.certificate))


def connect(endpoint: Endpoint, **more: str | bool) -> psycopg.Connection:
    """A connection by psycopg."""
    return psycopg.connect(**endpoint.parameters, **more)  # type: ignore[arg-type]  # mypy cannot see into **


@pytest.fixture(scope="session")
def gateways() -> Iterator[dict[str, Gateway]]:
    """The gateways that run now, by the endpoint that they serve."""
    running: dict[str, Gateway] = {}
    yield running
    for gateway in running.values():
        gateway.stop()


@pytest.fixture(params=ENDPOINTS)
def endpoint(
    request: pytest.FixtureRequest, servers: Servers, gateways: dict[str, Gateway], authority: Authority
) -> Endpoint:
    """One of the ways to the database, with an empty schema public."""
    through, _, name = str(request.param).partition("-")
    server = servers.server(name)
    if not _has_database(server):
        server.create_user(USER, PASSWORD)
        server.create_database(DATABASE, USER)
        server.run("CREATE SCHEMA vault; CREATE TABLE vault.safe (id int PRIMARY KEY, code bytea)", DATABASE)
        server.run(f"GRANT USAGE ON SCHEMA vault TO {USER}; GRANT SELECT ON vault.safe TO {USER}", DATABASE)
    server.run(f"DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION {USER}", DATABASE)
    tls = authority if server.installation.tls else None
    if through == "direct":
        return Endpoint(server, server.port, tls)
    if (key := f"{through}-{name}") not in gateways:
        gateways[key] = _gateway(server, tls, guarded=through == "guarded")
    return Endpoint(server, gateways[key].port, tls)


def _gateway(server: PostgresServer, tls: Authority | None, *, guarded: bool) -> Gateway:
    more: dict[str, object] = {}
    if guarded:
        columns = {"vault.safe.code": {"type": "text", "encryption": "randomized"}}
        more = {
            "columns": columns,
            "owner": server.uri(DATABASE, password=""),
            "owner_password": server.password,
        }
    account = Account(USER, PASSWORD)
    return Gateway.start(
        server, DATABASE, upstream=(USER, PASSWORD), account=account, authority=tls, more=more
    )


@pytest.fixture(scope="session")
def every_twins(authority: Authority) -> Iterator[dict[str, Twins]]:
    """The twins that run now, by the name of their servers."""
    running: dict[str, Twins] = {}
    yield running
    for twins in running.values():
        twins.stop()


@pytest.fixture
def twins(request: pytest.FixtureRequest, every_twins: dict[str, Twins], authority: Authority) -> Twins:
    """A plaintext database and a protected one, of the version that the test's parameter names."""
    name = str(request.param)
    if name not in every_twins:
        every_twins[name] = Twins.start(installation(name), authority)
    return every_twins[name]


def _has_database(server: PostgresServer) -> bool:
    with server.connect() as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
    return found is not None
