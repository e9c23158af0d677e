"""Talking to the database: statements by name of what they need, locks that give up, values as raw bytes.

The connection is the owner's, in autocommit, with nothing else running on it. Called by all of this room.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, LiteralString

import psycopg
from psycopg import errors as database_errors

from strongroom.changeover import places
from strongroom.changeover.model import Limits
from strongroom.errors import ChangeoverLocked

# What our statements rest on, whatever the role's own settings say.
SETTINGS = {
    "search_path": "pg_catalog",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "bytea_output": "hex",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    "row_security": "off",  # a policy that hides rows is an error then, and never a hole in the back-fill
    "synchronous_commit": "on",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "session_replication_role": "origin",
}

# For what may be left undone: an autovacuum of the same table is over after one or two.
FREE_TRIES = 5

Values = tuple[bytes | None, ...]


@dataclass
class Locks:
    """The exclusive locks that a changeover took: how long the longest was held, how often it gave up."""

    longest: float = 0.0
    attempts: int = 0


@dataclass
class Database:
    """One connection of a changeover."""

    connection: psycopg.Connection[Any]
    limits: Limits
    locks: Locks = field(default_factory=Locks)
    sleep: Callable[[float], None] = time.sleep

    def settle_session(self) -> None:
        """Sets what our statements rest on."""
        places.register(self.connection)
        for name, value in SETTINGS.items():
            if name != "session_replication_role" or self.value("SHOW session_replication_role") != "origin":
                self.run("SELECT set_config(%s, %s, false)", name, value)

    def run(self, statement: str, *parameters: Any) -> None:
        """Executes a statement of ours."""
        self.connection.execute(text(statement), parameters or None)

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self.connection.execute(text(query), parameters or None).fetchall()

    def value(self, query: str, *parameters: Any) -> Any:
        """The one value of a query; None where there is no row."""
        found = self.connection.execute(text(query), parameters or None).fetchone()
        return found[0] if found else None

    def raw(self, query: str, *parameters: Any, binary: bool) -> list[Values]:
        """The rows of a query, their values as the bytes that came."""
        with self.connection.cursor(binary=binary) as cursor:
            cursor.execute(text(query), parameters or None)
            result = cursor.pgresult
            assert result is not None
            columns = range(result.nfields)
            return [tuple(result.get_value(row, one) for one in columns) for row in range(result.ntuples)]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One transaction."""
        with self.connection.transaction():
            yield

    def locked(self, tables: Sequence[str], work: Callable[[], None]) -> None:
        """Does the work in one transaction under exclusive locks, in one order, as briefly as can be.

        Whoever waits for such a lock makes all others queue behind it; so we wait for ``lock_wait`` only, let
        the queue pass and try again. Raises ``ChangeoverLocked`` at last.
        """
        for attempt in range(self.limits.lock_tries):
            self.locks.attempts += 1
            try:
                self._once(sorted(tables), work)
            except (database_errors.LockNotAvailable, database_errors.DeadlockDetected):
                self.sleep(min(0.1 * 2 ** min(attempt, 5), 3.0))
            else:
                return
        raise ChangeoverLocked(
            f"no exclusive lock was to be had on {', '.join(tables)} in {self.limits.lock_tries} tries",
            hint="end the transactions that are open for long (pg_stat_activity, and those of PREPARE "
            "TRANSACTION in pg_prepared_xacts), then run it again",
        )

    def if_free(self, statement: str) -> bool:
        """Runs a statement that wants a lock and no transaction, where nobody is in its way for long.

        It waits for ``lock_wait`` as ``locked`` does, and a few times only; returns whether it was run.
        """
        self.run(f"SET lock_timeout = {int(self.limits.lock_wait * 1000)}")
        try:
            return any(self._was_free(statement) for _ in range(FREE_TRIES))
        finally:
            self.run("RESET lock_timeout")

    def _was_free(self, statement: str) -> bool:
        try:
            self.run(statement)
        except database_errors.LockNotAvailable:
            self.sleep(0.1)
            return False
        return True

    def _once(self, tables: Sequence[str], work: Callable[[], None]) -> None:
        begun: float | None = None
        try:
            with self.transaction():
                self.run(f"SET LOCAL lock_timeout = {int(self.limits.lock_wait * 1000)}")
                for table in tables:
                    self.run(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
                    begun = begun or time.monotonic()
                work()
        finally:
            if begun is not None:
                self.locks.longest = max(self.locks.longest, time.monotonic() - begun)


def text(statement: str) -> LiteralString:
    """Our statements are built of quoted names and constants; psycopg asks for a promise of that."""
    return statement
