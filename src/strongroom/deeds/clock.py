"""Whether the machine's clock was turned back: it is recorded, not trusted.

Where Linux corrects the clock's speed, it does so for the wall's clock and the monotonic one alike (its
manual, clock_gettime(2)); what they differ by is less only once somebody, or NTP in a step, has set the clock
back.
"""

import time
from collections.abc import Callable

TOLERANCE = 250
"""Milliseconds that the clock may go back without a record; of several steps, together."""
_ASKED_WITHIN = 5
"""Milliseconds between two looks at the monotonic clock, with one at the wall's between them."""
_TRIES = 50

Reading = tuple[int, int]
"""What the wall's clock says, and the monotonic one: milliseconds."""


def reading() -> Reading:
    """Both clocks at one moment; on a machine that is busy, as near to it as can be had."""
    found = []
    for _ in range(_TRIES):
        before, wall, after = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        found.append((after - before, wall // 1_000_000, before // 1_000_000))
        if after - before < _ASKED_WITHIN * 1_000_000:
            break
    _, wall, monotonic = min(found)
    return wall, monotonic


class Clock:
    """Watches the clock of one machine, from one process."""

    def __init__(self, read: Callable[[], Reading] = reading) -> None:
        self._read = read
        wall, monotonic = read()
        self._ahead = wall - monotonic
        """The most that the wall's clock was ahead of the monotonic one since it was last turned back."""

    def look(self) -> int | None:
        """What the clock would say had nobody turned it back; None where nobody has."""
        wall, monotonic = self._read()
        ahead = wall - monotonic
        former = monotonic + self._ahead
        if ahead < self._ahead - TOLERANCE:
            self._ahead = ahead
            return former
        self._ahead = max(ahead, self._ahead)
        return None
