"""`protect` and `unprotect`, from the plan to the last statement; run again after a kill, it goes on.

Each step looks at what is there before it does anything, so that there is one way through for a first run and
for any later one. The CLI gives a connection of the database's owner, and the columns; the keysets of these
must be kept beside the data. Every step but the swap leaves the application as it was; until then
``abandon`` takes everything back.
"""

import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

import psycopg

from strongroom.changeover import leftovers, record, statements
from strongroom.changeover.database import Database
from strongroom.changeover.fill import Filler
from strongroom.changeover.model import (
    Direction,
    Limits,
    Plan,
    Progress,
    Report,
    Stage,
    Table,
    Target,
    Tell,
    silent,
)
from strongroom.changeover.survey import survey
from strongroom.changeover.swap import TooManyLeft, swap
from strongroom.changeover.throttle import Throttle
from strongroom.errors import ChangeoverRefused
from strongroom.protect.check import quoted
from strongroom.protect.scheme import Scheme, split_column

SWAP_TRIES = 50

_VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)"


def plan_of(
    connection: psycopg.Connection[Any],
    targets: Sequence[Target],
    direction: Direction,
    *,
    accepted: Collection[str] = (),
) -> Plan:
    """What a changeover would do, for ``--dry-run``; changes nothing. ``accepted``: see ``survey``."""
    database = Database(connection, Limits())
    database.settle_session()
    return survey(database, targets, direction, accepted)


def check(plan: Plan) -> None:
    """Raises ``ChangeoverRefused`` if something stands in the way of the plan."""
    if plan.refusals:
        raise ChangeoverRefused(
            f"{len(plan.refusals)} things stand in the way of the change",
            hint="deal with each, then run it again",
            detail="\n".join(plan.refusals),
        )


def run(
    connection: psycopg.Connection[Any],
    targets: Sequence[Target],
    direction: Direction,
    *,
    accepted: Collection[str] = (),
    limits: Limits | None = None,
    tell: Tell = silent,
    rewrite: bool = False,
    along: Callable[[], None] = lambda: None,
) -> Report:
    """Changes the columns, or goes on where an earlier run stopped.

    The connection is in autocommit and serves nothing else meanwhile; ``along`` is done on it, in the
    transaction of the swap. Raises ``ChangeoverRefused`` with all
    reasons in its detail, ``ChangeoverLocked``, ``ChangeoverBusy`` or ``ChangeoverMismatch``; whatever was
    done until then stays, and is found by the next run.
    """
    job = _Job(Database(connection, limits or Limits()), targets, direction, accepted, tell)
    return job.run(rewrite, along)


def settle(connection: psycopg.Connection[Any], tell: Tell = silent) -> None:
    """Runs what is left to do after a swap of an earlier run, if there is anything."""
    job = _Job(Database(connection, Limits()), (), Direction.REKEY, (), tell)
    job.settle()


def is_under_way(connection: psycopg.Connection[Any]) -> bool:
    """Whether a changeover was begun in this database and has not come to its end."""
    database = Database(connection, Limits())
    return bool(record.read(database))


def tenants_of(connection: psycopg.Connection[Any], scheme: Scheme) -> set[str]:
    """The tenants to whom a column's plaintext belongs, as its table names them; scans the table."""
    database = Database(connection, Limits())
    database.settle_session()
    schema, table, column = split_column(scheme.column)
    name = quoted(str(scheme.tenant))
    query = (
        f"SELECT DISTINCT {name}::text FROM {quoted(schema)}.{quoted(table)}"
        f" WHERE {quoted(column)} IS NOT NULL AND {name} IS NOT NULL"
    )
    return {str(one) for (one,) in database.rows(query)}


def abandon(connection: psycopg.Connection[Any], *, rekeyed: str | None = None) -> list[str]:
    """Takes back what has not been swapped, or of that one keyset's change of keys; returns the tables."""
    database = Database(connection, Limits())
    database.settle_session()
    record.lock(database)
    try:
        rows = [row for row in record.read(database).values() if row.remaining is None]
        return [_abandon(database, row) for row in rows if rekeyed is None or _rekeys(row, rekeyed)]
    finally:
        record.unlock(database)


def _rekeys(row: record.Row, keyset: str) -> bool:
    return row.direction is Direction.REKEY and keyset in row.columns.values()


def _abandon(database: Database, row: record.Row) -> str:
    found = database.value(
        "SELECT format('%%I.%%I', n.nspname, c.relname) FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = %s",
        row.relation,
    )
    if found is None:
        record.finish(database, row.relation)
        return "a table that was dropped"
    database.locked([found], lambda: _take_back(database, found, row))
    return str(found)


def _take_back(database: Database, table: str, row: record.Row) -> None:
    for statement in statements.take_back(table, row.relation, row.columns):
        database.run(statement)
    record.finish(database, row.relation)


class _Job:
    """One run."""

    def __init__(
        self,
        database: Database,
        targets: Sequence[Target],
        direction: Direction,
        accepted: Collection[str],
        tell: Tell,
    ) -> None:
        self._database = database
        self._targets = targets
        self._direction = direction
        self._accepted = accepted
        self._tell = tell

    def run(self, rewrite: bool, along: Callable[[], None]) -> Report:
        begun = time.monotonic()
        database = self._database
        database.settle_session()
        record.lock(database)
        try:
            finished = self.settle()
            plan = self._survey()
            if finished and self._all_done():
                return self._report(plan, [], begun)
            self._refuse(plan)
            fillers = self._fill(plan)
            self._swap(plan, fillers, along)
            self.settle()
            cleared = rewrite and self._rewrite(plan)
            self._tell(Progress(Stage.DONE, "", 1, 1))
            return self._report(plan, fillers, begun, rewritten=rewrite, statistics_cleared=cleared)
        finally:
            if not database.connection.closed:
                record.unlock(database)

    def _survey(self) -> Plan:
        return survey(self._database, self._targets, self._direction, self._accepted)

    def _all_done(self) -> bool:
        """Whether the columns have the form already that they should get."""
        other = Direction.UNPROTECT if self._direction is Direction.PROTECT else Direction.PROTECT
        return not survey(self._database, self._targets, other, self._accepted).refusals

    def _refuse(self, plan: Plan) -> None:
        check(plan)
        if self._direction.seals:
            record.check_keysets(self._database, plan)

    # ------------------------------------------------------------------------------------ until the swap

    def _fill(self, plan: Plan) -> list[Filler]:
        self._prepare(plan)
        rows = record.read(self._database)
        throttle = Throttle(self._database.limits)
        fillers = [self._filler(table, throttle) for table in plan.tables]
        for filler in fillers:
            filler.fill(rows[filler.table.oid].filled)
        wanted = [name for table in plan.tables for name in _wanted(table)]
        for place, (schema, name, statement) in enumerate(wanted):
            self._tell(Progress(Stage.INDEX, name, place, len(wanted)))
            self._build(schema, name, statement)
        for filler in fillers:
            filler.catch_up(self._database.limits.last_rows // 4)
        for filler in fillers:
            filler.verify()
        return fillers

    def _filler(self, table: Table, throttle: Throttle) -> Filler:
        return Filler(
            self._database,
            table,
            self._direction,
            self._tell,
            throttle,
            lambda block: record.filled(self._database, table.oid, block),
        )

    def _prepare(self, plan: Plan) -> None:
        """Shadows, triggers, CHECKs and the record, table by table, each all or nothing."""
        self._database.run("CREATE SCHEMA IF NOT EXISTS strongroom_keys")
        self._database.run(record.CREATE)
        rows = record.read(self._database)
        for place, table in enumerate(plan.tables):
            self._tell(Progress(Stage.PREPARE, table.sql, place, len(plan.tables)))
            row = rows.get(table.oid)
            if row is None:
                self._database.locked([table.sql], lambda table=table: self._prepare_one(table))  # type: ignore[misc]  # bound at once
            elif not _same(row, table, self._direction):
                raise ChangeoverRefused(
                    f"another change of {table.sql} is under way: {row.direction.value} of"
                    f" {', '.join(row.columns)}",
                    hint="run that one again until it is done, or abandon it",
                )

    def _prepare_one(self, table: Table) -> None:
        for statement in statements.prepare(table, self._direction):
            self._database.run(statement)
        record.begin(self._database, table, self._direction)

    def _build(self, schema: str, name: str, statement: str) -> None:
        """Builds an index beside the writers; a half-built one, of a run that was killed, is made anew."""
        shown = f"{quoted(schema)}.{quoted(name)}"
        valid = self._database.value(_VALID, shown)
        if valid:
            return
        if valid is False:
            self._database.run(f"DROP INDEX CONCURRENTLY {shown}")
        self._database.run(statement)

    # ------------------------------------------------------------------------------------ from the swap on

    def _swap(self, plan: Plan, fillers: Sequence[Filler], along: Callable[[], None]) -> None:
        for place in range(SWAP_TRIES):
            self._tell(Progress(Stage.SWAP, "", place, SWAP_TRIES))
            try:
                swap(self._database, plan, fillers, self._survey, along)
            except TooManyLeft:
                for filler in fillers:
                    filler.catch_up(self._database.limits.last_rows // 4)
            else:
                return
        raise ChangeoverRefused(
            "writers change rows faster than they are filled", hint="run it again at a quieter time"
        )

    def settle(self) -> bool:
        """Runs what is left after a swap, of this run or an earlier one; whether there was anything."""
        rows = [row for row in record.read(self._database).values() if row.remaining is not None]
        for row in rows:
            assert row.remaining is not None
            for place, step in enumerate(row.remaining):
                self._tell(Progress(Stage.SETTLE, step.sql, place, len(row.remaining)))
                self._settle_one(row.relation, step)
            record.finish(self._database, row.relation)
        return bool(rows)

    def _settle_one(self, relation: int, step: statements.Step) -> None:
        def work() -> None:
            self._database.run(step.sql)
            record.strike_off(self._database, relation)

        self._database.locked([step.locks] if step.locks else [], work)

    def _rewrite(self, plan: Plan) -> bool:
        """Removes what tables and statistics still have of former values; holds each meanwhile.

        Returns whether the statistics are clear too: all who plan would wait behind us for them, so that they
        are left where we may not, or somebody has them open.
        """
        for place, table in enumerate(plan.tables):
            self._tell(Progress(Stage.REWRITE, table.sql, place, len(plan.tables)))
            self._database.run(f"VACUUM (FULL, ANALYZE) {table.sql}")
        if not self._database.value(leftovers.OWNS_STATISTICS):
            return False
        return all(self._database.if_free(f"VACUUM (FULL) {one}") for one in leftovers.STATISTICS)

    def _report(
        self,
        plan: Plan,
        fillers: Sequence[Filler],
        begun: float,
        *,
        rewritten: bool = False,
        statistics_cleared: bool = False,
    ) -> Report:
        return Report(
            plan=plan,
            rows=sum(filler.rows for filler in fillers),
            verified=sum(filler.verified for filler in fillers),
            seconds=time.monotonic() - begun,
            longest_lock=self._database.locks.longest,
            lock_attempts=self._database.locks.attempts,
            leftovers=leftovers.of(
                self._database, plan, rewritten=rewritten, statistics_cleared=statistics_cleared
            ),
        )


def _same(row: record.Row, table: Table, direction: Direction) -> bool:
    columns = {column.name: column.target.keyset_name for column in table.columns}
    return row.direction is direction and dict(row.columns) == columns


def _wanted(table: Table) -> list[tuple[str, str, str]]:
    """(schema, name, statement) of the indexes to build: of what is left to fill, then the new ones."""
    todo = (table.schema, statements.todo_name(table.oid), statements.todo_index(table))
    built = [
        (index.schema, index.new_name, statements.new_index(table, index))
        for index in table.indexes
        if not index.dropped
    ]
    return [todo, *built]
