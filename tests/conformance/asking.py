"""One statement, asked on one connection in one of the ways of the protocol, and all that came back.

It speaks libpq's own functions, since drivers hide what is compared here: types in descriptions, command
tags, SQLSTATEs, the octets of values.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import psycopg
from psycopg import pq
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq.abc import PGconn, PGresult

Parameter = str | int | bool | None
_CODE = re.compile(r"strongroom: .* \[([a-z-]+)\]\n?$", re.DOTALL)
_TEXTUAL = {18, 19, 25, 1042, 1043, 114}
_PLACEHOLDER = re.compile(r"\$(\d+)")


class Way(Enum):
    """How a statement travels (manual, "Message Flow")."""

    SIMPLE = "simple"  # Query; parameters as literals
    EXTENDED = "extended"  # unnamed; parameters and results as text, no types declared
    BINARY = "binary"  # named; parameters, by their described types, and results in binary
    PREPARED = "prepared"  # named, described, executed twice


@dataclass(frozen=True, slots=True)
class Field:
    """What a RowDescription says of a column; twins differ in OIDs of tables."""

    name: str
    type: int
    modifier: int
    size: int
    format: int
    of_table: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one statement."""

    status: str
    tag: str = ""
    fields: tuple[Field, ...] = ()
    rows: tuple[tuple[bytes | None, ...], ...] = ()
    parameters: tuple[int, ...] = ()
    sqlstate: str = ""

    def __str__(self) -> str:
        if self.sqlstate:
            return f"error {self.sqlstate}"
        fields = [
            f"{one.name}:{one.type}({one.modifier},{one.size},{one.format},{one.of_table})"
            for one in self.fields
        ]
        rows = [f"{len(self.rows)} rows", *map(str, self.rows[:2])] if self.fields else []
        return " ".join([self.tag or self.status, str(list(self.parameters or "")), *fields, *rows])


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error of the gateway's own; `said` is all of it that the client sees."""

    code: str
    sqlstate: str
    hint: str
    said: str

    def __str__(self) -> str:
        return f"refused: {self.said}"


Outcome = Answer | Refusal


def ask(connection: PGconn, way: Way, sql: str, parameters: Sequence[Parameter]) -> list[Outcome]:
    """Everything that the statement gave."""
    if way is Way.SIMPLE:
        connection.send_query(_with_literals(sql, parameters).encode())
        return _results(connection)
    if way is Way.PREPARED:
        return _prepared(connection, sql, parameters)
    if way is Way.EXTENDED:
        connection.send_query_params(sql.encode(), _as_text(parameters))
        return _results(connection)
    return _binary(connection, sql, parameters)


def _binary(connection: PGconn, sql: str, parameters: Sequence[Parameter]) -> list[Outcome]:
    prepared = _outcome(connection.prepare(b"", sql.encode()))
    if prepared.sqlstate:
        return [prepared]
    described = connection.describe_prepared(b"")
    if described.status != pq.ExecStatus.COMMAND_OK:
        return [_outcome(described)]
    values, formats = [], []
    for i, text in enumerate(_as_text(parameters)):
        value, code = _in_binary(text, described.param_type(i)) if i < described.nparams else (text, 0)
        values.append(value)
        formats.append(code)
    connection.send_query_prepared(b"", values, param_formats=formats, result_format=1)
    return _results(connection)


def _in_binary(text: bytes | None, type_oid: int) -> tuple[bytes | None, int]:
    """A value in binary; in text where it is none of its type, or psycopg has no binary form of it."""
    if text is None:
        return None, 1
    if type_oid in _TEXTUAL:
        return text, 1
    transformer = Transformer()
    try:
        value = transformer.get_loader(type_oid, pq.Format.TEXT).load(text)
        dumper = transformer.get_dumper(value, PyFormat.BINARY)
        made = dumper.dump(value)
    except (psycopg.Error, ValueError):
        return text, 0
    return (bytes(made), 1) if made is not None and dumper.oid == type_oid else (text, 0)


def _prepared(connection: PGconn, sql: str, parameters: Sequence[Parameter]) -> list[Outcome]:
    outcomes = [_outcome(connection.prepare(b"asked", sql.encode()))]
    if outcomes[0].sqlstate:
        return outcomes
    outcomes.append(_outcome(connection.describe_prepared(b"asked")))
    for _ in range(2):
        if not outcomes[-1].sqlstate:
            connection.send_query_prepared(b"asked", _as_text(parameters))
            outcomes += _results(connection)
    connection.exec_(b"DEALLOCATE asked")
    return outcomes


def _results(connection: PGconn) -> list[Outcome]:
    outcomes = []
    while (result := connection.get_result()) is not None:
        outcomes.append(_outcome(result))
        if result.status == pq.ExecStatus.COPY_OUT:
            while connection.get_copy_data(0)[0] > 0:
                pass
    return outcomes


def _outcome(result: PGresult) -> Outcome:
    sqlstate = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
    status = pq.ExecStatus(result.status).name
    if status == "FATAL_ERROR":
        said = _everything(result)
        primary = (result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"").decode()
        hint = (result.error_field(pq.DiagnosticField.MESSAGE_HINT) or b"").decode()
        if found := _CODE.search(primary):
            return Refusal(found[1], sqlstate, hint, said)
        return Answer(status, sqlstate=sqlstate or f"none: {said}")
    fields = tuple(
        Field(
            (result.fname(i) or b"").decode(),
            result.ftype(i),
            result.fmod(i),
            result.fsize(i),
            result.fformat(i),
            result.ftable(i) != 0,
        )
        for i in range(result.nfields)
    )
    rows = tuple(
        tuple(result.get_value(row, column) for column in range(result.nfields))
        for row in range(result.ntuples)
    )
    parameters = tuple(result.param_type(i) for i in range(result.nparams))
    return Answer(status, (result.command_status or b"").decode(), fields, rows, parameters)


def _everything(result: PGresult) -> str:
    fields = [result.error_field(field) for field in pq.DiagnosticField]
    return " | ".join(one.decode() for one in fields if one) or result.error_message.decode(errors="replace")


def _as_text(parameters: Sequence[Parameter]) -> list[bytes | None]:
    return [
        None if one is None else str(one).lower().encode() if isinstance(one, bool) else str(one).encode()
        for one in parameters
    ]


def _with_literals(sql: str, parameters: Sequence[Parameter]) -> str:
    return (
        sql
        if not parameters
        else _PLACEHOLDER.sub(lambda found: _literal(parameters[int(found[1]) - 1]), sql)
    )


def _literal(value: Parameter) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool | int):
        return str(value).lower()
    return "'" + value.replace("'", "''") + "'"
