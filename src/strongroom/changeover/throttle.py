"""How long to rest between two batches: pure arithmetic on what was measured.

We work for a share of the time. When a row takes much longer than it did at best, the database has other
work, and the share shrinks; when a replica falls behind, we wait for it. Called by ``fill.py``.
"""

from dataclasses import dataclass

from strongroom.changeover.model import Limits

SLOW = 2.0  # times the best time a row took: beyond this others are probably waiting for the same machine
MAX_PAUSE = 5.0
LAG_PAUSE = 1.0


@dataclass(slots=True)
class Throttle:
    """The state of one back-fill."""

    limits: Limits
    best: float | None = None
    """Seconds that a row took in the best batch."""

    def pause(self, rows: int, seconds: float, lag_bytes: int) -> float:
        """Seconds to rest after a batch of so many rows."""
        if lag_bytes > self.limits.replica_lag_bytes:
            return LAG_PAUSE
        rest = seconds * (1 - self.limits.share) / self.limits.share
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
