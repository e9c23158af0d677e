"""The CHECKs of sealed columns: which keys each allows, and letting it allow others.

The database so refuses what a gateway sealed that has not heard of a rotation (``protect/check.py`` has the
text). A CHECK is replaced in a moment, under a lock that gives up, and validated afterwards beside the
writers. Called by ``rotation.py``.
"""

from collections.abc import Collection
from dataclasses import dataclass

from psycopg import errors as database_errors

from strongroom.changeover.database import Database
from strongroom.changeover.statements import literal
from strongroom.errors import ColumnMissing, ColumnNotProtected
from strongroom.keys.model import Algorithm
from strongroom.protect.check import check_expression, constraint_name, key_ids_in, quoted
from strongroom.protect.scheme import Scheme, split_column
from strongroom.wire.postgres import types

_COLUMN = """\
SELECT c.oid::int8, a.atttypid::int8 FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = %s AND c.relname = %s AND a.attname = %s"""
_CHECK = """\
SELECT pg_get_constraintdef(oid), obj_description(oid, 'pg_constraint'), convalidated
FROM pg_constraint WHERE conrelid = %s AND contype = 'c' AND conname = %s"""


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column that holds sealed values, as the catalog has it."""

    scheme: Scheme
    table: int
    sql: str
    """Its table's quoted, qualified name."""
    name: str

    @property
    def check(self) -> str:
        """The quoted name of its CHECK."""
        return quoted(constraint_name(self.name))


def find(database: Database, scheme: Scheme) -> SealedColumn:
    """The column of a scheme; raises ``ColumnMissing`` or ``ColumnNotProtected``."""
    schema, table, name = split_column(scheme.column)
    found = database.rows(_COLUMN, schema, table, name)
    if not found:
        raise ColumnMissing(
            f"there is no column {scheme.column}",
            hint="Correct its name; if it was renamed in the database, rename it here too.",
        )
    oid, type_oid = found[0]
    if type_oid != types.BYTEA:
        raise ColumnNotProtected(
            f"{scheme.column} holds plaintext",
            hint="Run `strongroom protect`: it is sealed by the newest key.",
        )
    return SealedColumn(scheme, oid, f"{quoted(schema)}.{quoted(table)}", name)


def allowed(database: Database, column: SealedColumn) -> frozenset[int]:
    """The ids of the keys whose values the column may hold; none where it has no CHECK."""
    found = database.rows(_CHECK, column.table, constraint_name(column.name))
    return key_ids_in(found[0][0]) if found else frozenset()


def allow(database: Database, column: SealedColumn, algorithm: Algorithm, key_ids: Collection[int]) -> None:
    """Lets the column hold values of these keys and of no others, from the next write on."""
    if allowed(database, column) == frozenset(key_ids):
        return

    def work() -> None:
        found = database.rows(_CHECK, column.table, constraint_name(column.name))
        condition = check_expression(column.name, algorithm, key_ids)
        database.run(f"ALTER TABLE {column.sql} DROP CONSTRAINT IF EXISTS {column.check}")
        database.run(f"ALTER TABLE {column.sql} ADD CONSTRAINT {column.check} CHECK ({condition}) NOT VALID")
        comment = found[0][1] if found else None
        if comment is not None:  # it holds the order of the columns: sql.schema.read_order
            database.run(f"COMMENT ON CONSTRAINT {column.check} ON {column.sql} IS {literal(comment)}")

    database.locked([column.sql], work)


def validate(database: Database, column: SealedColumn) -> bool:
    """Whether every value is of a key that the CHECK allows; scans the table beside its writers."""
    try:
        database.run(f"ALTER TABLE {column.sql} VALIDATE CONSTRAINT {column.check}")
    except database_errors.CheckViolation:
        return False
    return True
