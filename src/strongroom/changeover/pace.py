"""A walk over the blocks of a table, a batch at a time: batches of the right length, and rests between them.

Called by ``fill.py`` and ``reseal.py``, which do the work of a batch and say how many rows it had.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from strongroom.changeover.database import Database
from strongroom.changeover.throttle import Load, Throttle

FIRST_BLOCKS = 16
LAG_SECONDS = 2.0
"""Between two questions about replicas."""

_LAG = """\
SELECT coalesce(max(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_current_wal_lsn() END,
  replay_lsn)), 0)::int8 FROM pg_stat_replication"""

_OTHERS = """\
SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND CASE backend_type
  WHEN 'client backend' THEN state = 'active' OR state_change > clock_timestamp() - interval '1 second'
  ELSE backend_type IS NULL AND datname = current_database() END)"""
"""Without pg_monitor the sessions of other roles are seen, but not what they do: they count as at work."""


@dataclass(slots=True)
class Batch:
    """The blocks from ``first`` to before ``last``; whoever works on them says how many rows there were."""

    first: int
    last: int
    total: int
    rows: int = 0

    @property
    def done(self) -> int:
        """Up to which block of all the walk has come with it."""
        return min(self.last, self.total)

    @property
    def condition(self) -> str:
        """The rows of the table ``t`` that lie in it."""
        return f"t.ctid >= '({self.first},0)' AND t.ctid < '({self.last},0)'"


@dataclass
class Pace:
    """How one table is walked over."""

    database: Database
    table: int
    throttle: Throttle
    _asked: float = 0.0
    _lag: int = 0

    def blocks(self) -> int:
        """How many blocks the table has now."""
        size = "SELECT pg_relation_size(%s::oid) / current_setting('block_size')::int8"
        return int(self.database.value(size, self.table))

    def batches(self, start: int = 0) -> Iterator[Batch]:
        """The blocks that the table has now, from one on; rests when its user comes for the next."""
        total, first, size = self.blocks(), start, FIRST_BLOCKS
        while first < total:
            batch, begun = Batch(first, first + size, total), time.monotonic()
            yield batch
            seconds = time.monotonic() - begun
            self.rest(batch.rows, seconds)
            first += size
            size = self.throttle.size(size, seconds)

    def rest(self, rows: int, seconds: float) -> None:
        """Pauses after so many rows in so many seconds, as the load of the database asks for."""
        self.database.sleep(self.throttle.pause(rows, seconds, self.load()))

    def load(self) -> Load:
        """What else the database does."""
        self.database.run("SELECT pg_stat_clear_snapshot()")  # a walk may be one transaction
        return Load(self._lag_bytes(), bool(self.database.value(_OTHERS)))

    def _lag_bytes(self) -> int:
        """Bytes that the last replica is behind; 0 where the role may not see it (pg_monitor)."""
        behind = self._lag > self.throttle.limits.replica_lag_bytes
        if behind or time.monotonic() - self._asked > LAG_SECONDS:
            self._lag = int(self.database.value(_LAG))
            self._asked = time.monotonic()
        return self._lag
