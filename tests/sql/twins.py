"""Two databases that hold the same rows, one in plaintext and one sealed, and a client that goes to both.

The sealing is a stand-in that anyone can open: a keyset's name and the plaintext, with a nonce where
encryption is randomized. So any statement can be run on both sides and its results compared, before there
are keys.
"""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import pq
from psycopg.pq.abc import PGresult

from strongroom.sql.resolve import after, analyse
from strongroom.sql.schema import CATALOG_QUERY, Protection, Schema
from strongroom.sql.statement import Analysis, Context, Parameter, Piece, Resolved

VARCHAR_12, VARCHAR_34 = 16, 38
DECLARED = {
    "customers.email": Protection("public.customers.email", "k1", 25, -1, True),
    "customers.iban": Protection("public.customers.iban", "k2", 1043, VARCHAR_34, False),
    "customers.name": Protection("public.customers.name", "k3", 1043, VARCHAR_12, True),
    "customers.born": Protection("public.customers.born", "k4", 1082, -1, True),
    "customers.score": Protection("public.customers.score", "k5", 23, -1, True),
    "orders.email": Protection("public.orders.email", "k1", 25, -1, True),
    "events.email": Protection("public.events.email", "k1", 25, -1, True),
}
TABLES = """
CREATE TABLE customers (id int PRIMARY KEY, email {text} UNIQUE, iban {iban}, name {name}, note text,
    born {date}, score {int});
CREATE TABLE orders (id int PRIMARY KEY, customer int, email {text}, total numeric(8,2), label varchar(10));
CREATE TABLE plain (id int PRIMARY KEY, txt text, n bigint);
CREATE TABLE events (id int, email {text}, kind text) PARTITION BY LIST (kind);
CREATE TABLE events_a PARTITION OF events FOR VALUES IN ('a');
CREATE TABLE events_b (kind text, email {text}, id int);
ALTER TABLE events ATTACH PARTITION events_b FOR VALUES IN ('b');
CREATE VIEW mails AS SELECT id, email AS mail, note, score FROM customers WHERE note IS NOT NULL;
CREATE VIEW bought AS
    SELECT o.id, c.email, c.name AS who, o.total FROM orders o JOIN customers c USING (email);
"""
PLAINTEXT = {"text": "text", "iban": "varchar(34)", "name": "varchar(12)", "date": "date", "int": "int"}
SEALED = dict.fromkeys(PLAINTEXT, "bytea")

_nonce = itertools.count(1)


def sealed(protection: Protection, value: str) -> str:
    """A value as the sealed database has it, as bytea in hex."""
    nonce = "" if protection.comparable else str(next(_nonce))
    return "\\x" + "\x1f".join((protection.keyset, nonce, value)).encode().hex()


def opened(protection: Protection, value: str) -> str:
    """The plaintext; fails if the value was not sealed for this keyset."""
    keyset, _, plaintext = bytes.fromhex(value.removeprefix("\\x")).decode().split("\x1f")
    assert keyset == protection.keyset, "a value of one keyset came out as one of another"
    return plaintext


@dataclass(frozen=True, slots=True)
class Described:
    """What PostgreSQL says of a statement, and what it gave."""

    parameters: tuple[int, ...]
    names: tuple[str, ...]
    types: tuple[int, ...]
    typmods: tuple[int, ...]
    origins: tuple[tuple[int, int], ...]
    rows: tuple[tuple[str | None, ...], ...]


class Refused(Exception):
    """PostgreSQL refused a statement."""


class Database:
    """One side."""

    def __init__(self, conninfo: str) -> None:
        self.connection = pq.PGconn.connect(conninfo.encode())
        assert self.connection.status == pq.ConnStatus.OK, self.connection.error_message

    def script(self, text: str) -> PGresult:
        """Runs simple SQL that must succeed."""
        result = self.connection.exec_(text.encode())
        assert result.status in {pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK}, result.error_message
        return result

    def schema(self) -> Schema:
        """The catalog snapshot."""
        value = self.script(CATALOG_QUERY).get_value(0, 0)
        assert value is not None
        return Schema.from_catalog(json.loads(value))

    def run(self, text: str, types: Sequence[int], values: Sequence[str | None]) -> Described:
        """Prepares, describes and runs one statement."""
        connection = self.connection
        self._check(connection.prepare(b"", text.encode(), list(types)))
        about = connection.describe_prepared(b"")
        self._check(about)
        encoded = [None if value is None else value.encode() for value in values]
        result = connection.exec_prepared(b"", encoded)  # type: ignore[arg-type]  # it takes None for NULL
        self._check(result)
        return Described(
            parameters=tuple(about.param_type(index) for index in range(about.nparams)),
            names=tuple((about.fname(index) or b"").decode() for index in range(about.nfields)),
            types=tuple(about.ftype(index) for index in range(about.nfields)),
            typmods=tuple(about.fmod(index) for index in range(about.nfields)),
            origins=tuple((about.ftable(index), about.ftablecol(index)) for index in range(about.nfields)),
            rows=tuple(
                tuple(_text(result.get_value(row, column)) for column in range(result.nfields))
                for row in range(result.ntuples)
            ),
        )

    def _check(self, result: PGresult) -> None:
        if result.status not in {pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK}:
            raise Refused(result.error_message.decode())


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def context(schema: Schema) -> Context:
    """What analysis of the sealed side depends on."""
    protections = {}
    for qualified, protection in DECLARED.items():
        table, name = qualified.split(".")
        relation = schema.names["public", table]
        column = next(column for column in relation.columns if column.name == name)
        protections[relation.oid, column.attnum] = protection
    return Context(schema, protections, schema.path)


def written(pieces: Sequence[Piece]) -> str:
    """The text with its holes filled by sealed literals."""
    out = []
    for piece in pieces:
        if isinstance(piece, str):
            out.append(piece)
        elif piece.is_array:
            out.append(f"'{_sealed_array(piece.protection, piece.value, piece.cut)}'::pg_catalog.bytea[]")
        else:
            out.append(f"'{sealed(piece.protection, _cut(piece.value, piece.cut))}'::pg_catalog.bytea")
    return "".join(out)


def bound(parameter: Parameter, values: Sequence[str | None]) -> str | None:
    """The value of a parameter as it goes upstream."""
    value = values[parameter.client - 1]
    if value is None or parameter.protection is None:
        return value
    return (
        _sealed_array(parameter.protection, value, parameter.cut)
        if parameter.is_array
        else sealed(parameter.protection, _cut(value, parameter.cut))
    )


def _cut(value: str, length: int) -> str:
    return value[:length] if length else value


def _sealed_array(protection: Protection, value: str, cut: int) -> str:
    """A flat array of simple elements, sealed one by one."""
    elements = [item for item in value.strip("{}").split(",") if item]
    shown = (
        "NULL" if item == "NULL" else '"' + sealed(protection, _cut(item, cut)).replace("\\", "\\\\") + '"'
        for item in elements
    )
    return "{" + ",".join(shown) + "}"


def client_rows(resolved: Resolved, rows: Sequence[Sequence[str | None]]) -> list[tuple[str | None, ...]]:
    """The rows as the client sees them, opened."""
    outputs = resolved.outputs or ()
    return [tuple(_client_value(outputs[index], value) for index, value in enumerate(row)) for row in rows]


def _client_value(output: object, value: str | None) -> str | None:
    protection = getattr(output, "protection", None)
    if value is None or protection is None:
        return value
    if getattr(output, "is_array", False):
        items = [item.strip('"').replace("\\\\", "\\") for item in value.strip("{}").split(",") if item]
        return "{" + ",".join(item if item == "NULL" else opened(protection, item) for item in items) + "}"
    return opened(protection, value)


def understood(text: str, types: Sequence[int], where: Context) -> tuple[Analysis, Context]:
    """One statement's analysis, and the context after it."""
    analysis = analyse(text, types, where)
    for resolved in analysis.statements:
        where = after(where, resolved)
    return analysis, where
