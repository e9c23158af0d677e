"""A column of a real PostgreSQL, and ours beside it, spoken to in raw bytes."""

import psycopg

from strongroom.errors import StrongroomError, UnsupportedInput
from strongroom.protect.canonical import BINARY_FORMAT, TEXT_FORMAT, Sent, decode, encode
from strongroom.wire.postgres.types import DeclaredType


class Column:
    """One type in a real table, spoken to in raw bytes."""

    def __init__(self, connection: psycopg.Connection, type_: str) -> None:
        self.connection = connection
        connection.execute("DROP TABLE IF EXISTS one")
        connection.execute(f"CREATE TEMP TABLE one (v {type_})".encode())

    def set(self, name: str, value: str) -> None:
        self.connection.execute("SELECT set_config(%s, %s, false)", (name, value))

    def through(self, value: bytes, format_code: int = 0, oid: int = 0) -> tuple[bytes, bytes] | str:
        """(text, binary) of the value after it was stored, or the SQLSTATE of the refusal."""
        pgconn = self.connection.pgconn
        pgconn.exec_(b"TRUNCATE one")
        stored = pgconn.exec_params(b"INSERT INTO one VALUES ($1)", [value], [oid], [format_code])
        if stored.status != psycopg.pq.ExecStatus.COMMAND_OK:
            return (stored.error_field(psycopg.pq.DiagnosticField.SQLSTATE) or b"").decode()
        read = [pgconn.exec_params(b"SELECT v FROM one", [], result_format=f).get_value(0, 0) for f in (0, 1)]
        assert read[0] is not None
        assert read[1] is not None
        return read[0], read[1]


def ours(type_: DeclaredType, value: bytes, sent: Sent) -> tuple[bytes, bytes] | str:
    """What we make of the value, in the same shape; ``form`` where we name an input form as not taken."""
    try:
        canonical = encode(type_, value, sent)
    except UnsupportedInput:
        return "form"
    except StrongroomError as error:
        return error.sqlstate
    return decode(type_, canonical, TEXT_FORMAT, sent.style), decode(
        type_, canonical, BINARY_FORMAT, sent.style
    )
