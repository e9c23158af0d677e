"""How long to rest between two batches: pure arithmetic on what was measured.

We work for a share of the time, a small one while others are at work. When a row takes much longer than it
did at best, the database has more to do than is seen, and the share shrinks; when a replica falls behind, we
wait for it. Called by ``fill.py``.
"""

from dataclasses import dataclass

from strongroom.changeover.model import Limits

SLOW = 2.0  # times the best time a row took: beyond this others are probably waiting for the same machine
MAX_PAUSE = 5.0
LAG_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Load:
    """What the database says of itself between two batches."""

    lag_bytes: int = 0
    """How far the last replica is behind."""
    others: bool = False
    """Whether other sessions are at work, or were within a second."""


@dataclass(slots=True)
class Throttle:
    """The state of one back-fill."""

    limits: Limits
    best: float | None = None
    """Seconds that a row took in the best batch."""

    def pause(self, rows: int, seconds: float, load: Load) -> float:
        """Seconds to rest after a batch of so many rows."""
        if load.lag_bytes > self.limits.replica_lag_bytes:
            return LAG_PAUSE
        share = self.limits.share_beside if load.others else self.limits.share
        rest = seconds * (1 - share) / share
        if rows >= 50:  # a small batch is mostly overhead, and says nothing
            each = seconds / rows
            self.best = each if self.best is None else min(self.best, each)
            rest *= max(1.0, each / (SLOW * self.best)) ** 2
        return min(rest, MAX_PAUSE)

    def size(self, blocks: int, seconds: float) -> int:
        """How many blocks the next batch reads, so that it takes as long as it should."""
        if seconds > 2 * self.limits.batch_seconds:
            return max(1, blocks // 2)
        if seconds < self.limits.batch_seconds / 2:
            return min(blocks * 2, 1024)
        return blocks
