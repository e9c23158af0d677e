"""The moment of the swap: the last rows, the names, the constraints, in one transaction under one lock.

Under the lock the plan is made once more: if anything about the tables is not as it was, nothing is swapped.
What needs a scan waits until after (``statements.after``). Called by ``job.py``.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from strongroom.changeover import record, statements
from strongroom.changeover.database import Database
from strongroom.changeover.fill import Filler
from strongroom.changeover.model import Plan
from strongroom.changeover.statements import guard_name
from strongroom.errors import ChangeoverRefused
from strongroom.protect.check import constraint_name, quoted

_TRIGGER = "SELECT tgenabled::text FROM pg_trigger WHERE tgrelid = %s AND tgname = %s"
_ATTNUMS = "SELECT attname, attnum FROM pg_attribute WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped"
_OTHER_CHECKS = """\
SELECT conname FROM pg_constraint
WHERE conrelid = %s AND contype = 'c' AND starts_with(conname, 'strongroom_')"""

CHANGED = "something about the tables changed since the plan was made"
CHANGED_HINT = "run it again: it goes on where it stopped, with what is there now"


class TooManyLeft(Exception):
    """Writers were too fast: more rows are left than may be filled under a lock."""


def swap(
    database: Database,
    plan: Plan,
    fillers: Sequence[Filler],
    again: Callable[[], Plan],
    along: Callable[[], None],
) -> None:
    """Swaps all columns of the plan; ``again`` makes the plan anew, ``along`` is done in the same moment."""

    def work() -> None:
        if replace(again(), notes=()) != replace(plan, notes=()):
            raise ChangeoverRefused(CHANGED, hint=CHANGED_HINT)
        for filler in fillers:
            _fill_last(database, filler)
        for statement in statements.swap(plan):
            database.run(statement)
        _remember_order(database, plan)
        record.swapped(database, plan)
        along()

    database.locked([table.sql for table in plan.tables], work)


def _fill_last(database: Database, filler: Filler) -> None:
    """The rows that are left, found by their index; the trigger must have been watching all the time."""
    table = filler.table
    if database.value(_TRIGGER, table.oid, statements.TRIGGER) != "A":
        raise ChangeoverRefused(
            f"the trigger of {table.sql} was disabled or dropped, so that shadows may be old",
            hint="abandon the change of this table, and begin anew",
        )
    database.run("SET LOCAL enable_seqscan = off")
    limit = database.limits.last_rows
    rows = filler.fill_some(limit + 1)
    if rows > limit:
        raise TooManyLeft
    if filler.left(0):
        raise ChangeoverRefused(
            f"rows of {table.sql} cannot be filled: something changes them back", hint="look at its triggers"
        )
    filler.rows += rows


def _remember_order(database: Database, plan: Plan) -> None:
    """Each CHECK of ours on a table bears the order that clients know; see ``sql.schema.read_order``."""
    for table in plan.tables:
        attnums = dict(database.rows(_ATTNUMS, table.oid))
        comment = statements.literal(statements.order_comment(table, attnums))
        gone = {name(column.name) for column in table.columns for name in (constraint_name, guard_name)}
        for (name,) in database.rows(_OTHER_CHECKS, table.oid):
            if plan.direction.seals or name not in gone:
                database.run(f"COMMENT ON CONSTRAINT {quoted(name)} ON {table.sql} IS {comment}")
