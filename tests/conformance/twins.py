"""Two databases with the same shop: one in plaintext, one protected behind a real gateway.

Each has a server of its own, so that every file of the protected one, write-ahead log included, can be
searched for plaintext. Both are filled by the same statements. ``start`` makes a pair; ``compare`` asks both
the same and says whether the answers are equal.
"""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq.abc import PGconn
from tests.conformance.asking import Answer, Outcome, Parameter, Refusal, Way, ask
from tests.conformance.shop import COLUMNS, EMPTY, MARKERS, SEED, definitions

from strongroom.keys.model import Algorithm
from strongroom.protect.check import add_constraint
from strongroom.protect.scheme import split_column
from strongroom.testing.certificates import Authority
from strongroom.testing.gateway import Account, Gateway
from strongroom.testing.installations import Installation
from strongroom.testing.servers import PostgresServer

DATABASE = "shop"
USER = "app"
PASSWORD = "the same for both twins"
TELLING = {
    "log_statement": "all",
    "log_parameter_max_length": "-1",
    "log_parameter_max_length_on_error": "-1",
    "log_min_duration_statement": "0",
    "log_error_verbosity": "verbose",
    "autovacuum": "off",
}
"""The server logs all that it is sent."""
RESTART = b"SELECT setval('customers_id_seq', 1000), setval('orders_id_seq', 1000)"
"""Sequences are not rolled back."""


@dataclass(frozen=True, slots=True)
class Leak:
    """Plaintext of a protected value where none may be."""

    file: str
    around: bytes


@dataclass(slots=True, eq=False)
class Twin:
    """One of the two, and a connection to it that is made again when it breaks."""

    server: PostgresServer
    uri: str
    _connection: PGconn | None = None

    @property
    def connection(self) -> PGconn:
        """A connection of libpq that is in order."""
        if self._connection is None or self._connection.status != pq.ConnStatus.OK:
            self._connection = pq.PGconn.connect(self.uri.encode())
            assert self._connection.status == pq.ConnStatus.OK, self._connection.error_message
        return self._connection

    @property
    def parameters(self) -> dict[str, str]:
        """What libpq calls the parameters of a connection."""
        return {key: str(value) for key, value in conninfo_to_dict(self.uri).items()}

    def ask(self, way: Way, sql: str, parameters: tuple[Parameter, ...] = ()) -> list[Outcome]:
        """Asks on that connection."""
        return ask(self.connection, way, sql, parameters)

    def fill(self) -> None:
        """Puts what the shop begins with in place of what is there."""
        with contextlib.suppress(psycopg.OperationalError):
            self.connection.exec_(b"ROLLBACK")
        for statement in (EMPTY, *SEED, RESTART.decode()):
            (outcome,) = self.ask(Way.SIMPLE, statement)
            assert not outcome.sqlstate, outcome

    def close(self) -> None:
        """Ends the connection."""
        if self._connection is not None:
            self._connection.finish()


@dataclass(slots=True, eq=False)
class Twins:
    """The pair."""

    plain: Twin
    protected: Twin
    gateway: Gateway

    @classmethod
    def start(cls, installation: Installation, authority: Authority) -> "Twins":
        """Starts both servers and the gateway, and fills both."""
        plain = _server(installation, authority, protected=False)
        protected = _server(installation, authority, protected=True)
        gateway = Gateway.start(
            protected,
            DATABASE,
            upstream=(USER, PASSWORD),
            account=Account(USER, PASSWORD),
            authority=authority if installation.tls else None,
            more={"columns": COLUMNS},
        )
        _add_checks(protected)
        twins = cls(Twin(plain, plain.uri(DATABASE, USER, PASSWORD)), Twin(protected, gateway.uri()), gateway)
        twins.fill()
        return twins

    def fill(self) -> None:
        """Both hold what the shop begins with."""
        self.plain.fill()
        self.protected.fill()

    def begin(self) -> None:
        """A transaction on both, on connections that have nothing left from before."""
        for twin in (self.plain, self.protected):
            for statement in (b"ROLLBACK", b"DEALLOCATE ALL", b"BEGIN", RESTART):
                result = twin.connection.exec_(statement)
                assert result.status in {pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK}, (
                    result.error_message
                )

    def stop(self) -> None:
        """Ends everything."""
        self.plain.close()
        self.protected.close()
        self.gateway.stop()
        self.plain.server.stop()
        self.protected.server.stop()

    def leaks(self) -> list[Leak]:
        """Every marker in the protected server's log and files, and in what the gateway wrote."""
        with self.protected.server.connect(DATABASE) as connection:
            connection.execute("CHECKPOINT")
        protected = self.protected.server
        return search(protected.log, protected.data, self.gateway.folder)


def search(*places: Path) -> list[Leak]:
    """Every marker in files and folders."""
    files = [file for place in places for file in [place, *sorted(place.rglob("*"))]]
    return [leak for file in files for leak in _leaks(file)]


def same(plain: list[Outcome], protected: list[Outcome], *, ordered: bool) -> bool:
    """Whether both gave the same; rows in any order where none was asked for.

    An error is the same with the same SQLSTATE, also where the gateway is the one who finds it.
    """
    ours = [_settled(one, ordered) for one in protected]
    theirs = [_settled(one, ordered) for one in plain]
    if ours and protected[-1].sqlstate and protected[-1].sqlstate == plain[-1].sqlstate:
        return ours[:-1] == theirs[: len(ours) - 1]  # we may find an error in Parse, PostgreSQL in Execute
    return ours == theirs


def refusal(outcomes: list[Outcome]) -> Refusal | None:
    """The first refusal."""
    return next((one for one in outcomes if isinstance(one, Refusal)), None)


def _settled(outcome: Outcome, ordered: bool) -> object:
    if outcome.sqlstate:
        return outcome.sqlstate
    assert isinstance(outcome, Answer)
    rows = list(outcome.rows)
    if not ordered:
        rows.sort(key=lambda row: [(one is None, one or b"") for one in row])
    return outcome.status, outcome.tag, outcome.fields, rows, outcome.parameters


def _server(installation: Installation, authority: Authority, *, protected: bool) -> PostgresServer:
    certificate = None
    if installation.tls:
        made = authority.server("127.0.0.1", "localhost")
        certificate = (authority.certificate, made.certificate, made.key)
    server = PostgresServer.start(
        installation, settings=TELLING if protected else {}, server_certificate=certificate
    )
    server.create_user(USER, PASSWORD)
    server.create_database(DATABASE, USER)
    server.run(f"ALTER SCHEMA public OWNER TO {USER}", DATABASE)
    with server.connect(DATABASE, USER) as connection:
        connection.execute(definitions(protected=protected).encode())
    return server


def _add_checks(server: PostgresServer) -> None:
    """The CHECKs that `strongroom protect` makes, now that the keys are known."""
    with server.connect(DATABASE, USER) as connection:
        keys = {
            str(name): list(ids)
            for name, ids in connection.execute(
                "SELECT c.name, k.key_ids FROM strongroom_keys.columns c"
                " JOIN strongroom_keys.keysets k ON k.name = c.keyset"
            )
        }
        assert keys.keys() == COLUMNS.keys()
        for name, column in COLUMNS.items():
            schema, table, bare = split_column(name)
            algorithm = Algorithm(column["encryption"])
            connection.execute(add_constraint(f"{schema}.{table}", bare, algorithm, keys[name]).encode())


def _leaks(file: Path) -> Iterator[Leak]:
    if not file.is_file():
        return
    data = file.read_bytes()
    for marker in MARKERS:
        for found in re.finditer(re.escape(marker), data):
            yield Leak(file.name, data[max(0, found.start() - 200) : found.end() + 60])
