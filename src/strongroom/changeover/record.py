"""What a changeover writes down in the protected database, so that it goes on after a kill at any point.

``strongroom_keys.changeovers`` has a row for each table that is under way: which columns, in which direction,
with which keyset, how far the back-fill is; and, once swapped, the statements that are still to be run.
The row is made with the shadows and goes with the last statement. Called by ``job.py`` and ``swap.py``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from strongroom.changeover import statements
from strongroom.changeover.database import Database
from strongroom.changeover.model import Direction, Plan, Table
from strongroom.changeover.statements import Step
from strongroom.errors import ChangeoverBusy, KeysetMissing

CREATE = """\
CREATE TABLE IF NOT EXISTS strongroom_keys.changeovers (
    relation bigint PRIMARY KEY,
    direction text NOT NULL,
    columns jsonb NOT NULL,
    filled bigint NOT NULL DEFAULT 0,
    remaining jsonb,
    started timestamptz NOT NULL DEFAULT now()
);
GRANT USAGE ON SCHEMA strongroom_keys TO PUBLIC;
GRANT SELECT ON strongroom_keys.changeovers TO PUBLIC;
COMMENT ON TABLE strongroom_keys.changeovers IS
    'Columns that strongroom protect or unprotect is changing now.'"""
"""Readable by all: the gateway, as whichever user, must see what is under way; it holds names only."""

_KEYSET = "SELECT FROM strongroom_keys.keysets WHERE name = %s"
_EXISTS = "SELECT to_regclass(%s) IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Row:
    """One table under way; ``remaining`` are the statements after the swap, None before it."""

    relation: int
    direction: Direction
    columns: Mapping[str, str]
    """Names of columns and of their keysets."""
    filled: int
    remaining: tuple[Step, ...] | None


def lock(database: Database) -> None:
    """One changeover at a time in a database; the lock goes with the connection."""
    if not database.value("SELECT pg_try_advisory_lock(%s, %s)", 0x5374726F, 0x6E67726D):
        raise ChangeoverBusy(
            "another changeover is running in this database",
            hint="wait for it, or find it in pg_stat_activity",
        )


def unlock(database: Database) -> None:
    """Lets the next one begin."""
    database.run("SELECT pg_advisory_unlock(%s, %s)", 0x5374726F, 0x6E67726D)


def check_keysets(database: Database, plan: Plan) -> None:
    """No value is sealed by a key that is not kept beside the data (design, what must be true, 5)."""
    there = database.value(_EXISTS, "strongroom_keys.keysets")
    for column in plan.columns:
        if column.target.keyset is None:
            continue  # a tenant's key is kept before it is used for the first time
        name = column.target.keyset.name
        if not there or not database.rows(_KEYSET, name):
            raise KeysetMissing(
                f"keyset {name!r} is not kept beside the data",
                hint="write it to strongroom_keys.keysets first",
            )


def read(database: Database) -> dict[int, Row]:
    """What is under way, by table."""
    if not database.value(_EXISTS, "strongroom_keys.changeovers"):
        return {}
    rows = database.rows(
        "SELECT relation, direction, columns, filled, remaining"
        " FROM strongroom_keys.changeovers ORDER BY relation"
    )
    return {
        relation: Row(
            relation,
            Direction(direction),
            columns,
            filled,
            None if remaining is None else tuple(Step(*step) for step in remaining),
        )
        for relation, direction, columns, filled, remaining in rows
    }


def begin(database: Database, table: Table, direction: Direction) -> None:
    """In the transaction that makes the shadows."""
    columns = {column.name: column.target.keyset_name for column in table.columns}
    database.run(
        "INSERT INTO strongroom_keys.changeovers (relation, direction, columns) VALUES (%s, %s, %s::jsonb)",
        table.oid,
        direction.value,
        json.dumps(columns),
    )


def filled(database: Database, table: int, block: int) -> None:
    """Up to which block the first pass has come."""
    database.run("UPDATE strongroom_keys.changeovers SET filled = %s WHERE relation = %s", block, table)


def swapped(database: Database, plan: Plan) -> None:
    """In the transaction of the swap: what is left to do, and which columns are protected now."""
    remaining = json.dumps(list(statements.after(plan)))
    first, *others = plan.tables
    database.run(
        "UPDATE strongroom_keys.changeovers SET remaining = %s::jsonb WHERE relation = %s",
        remaining,
        first.oid,
    )
    for table in others:
        finish(database, table.oid)
    for column in plan.columns:
        scheme = column.target.scheme
        if scheme.tenant is not None:
            continue  # no keyset of its own
        if plan.direction.seals:
            database.run(
                "INSERT INTO strongroom_keys.columns (name, keyset) VALUES (%s, %s)"
                " ON CONFLICT (name) DO UPDATE SET keyset = excluded.keyset",
                scheme.column,
                scheme.keyset,
            )
        else:
            database.run("DELETE FROM strongroom_keys.columns WHERE name = %s", scheme.column)


def strike_off(database: Database, relation: int) -> None:
    """The first of the remaining statements was run."""
    database.run(
        "UPDATE strongroom_keys.changeovers SET remaining = remaining - 0 WHERE relation = %s", relation
    )


def finish(database: Database, relation: int) -> None:
    """Nothing is left to do."""
    database.run("DELETE FROM strongroom_keys.changeovers WHERE relation = %s", relation)
