"""Whether the machine's clock was turned back: it is recorded, not trusted.

Where Linux corrects the clock's speed, it does so for the wall's clock and the monotonic one alike (its
manual, clock_gettime(2)); what they differ by is less only once somebody, or NTP in a step, has set the clock
back.
"""

import time
from collections.abc import Callable

TOLERANCE = 250
"""Milliseconds that the clock may go back without a record; of several steps, together."""
LEAP = 24 * 60 * 60 * 1000
"""Milliseconds that the clock may be ahead of what was known, before nothing is erased by it."""
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


class Leaps:
    """Whether the wall's clock is too far ahead to erase by: a wrong one would erase all there is.

    What it should say is known from the newest record and from the monotonic clock since. A machine that was
    off for longer, or slept, looks the same; so a clock that is ahead is believed a day after it was seen.
    """

    def __init__(self, newest: int | None, read: Callable[[], Reading] = reading) -> None:
        """``newest``: when the log's newest record was made, in milliseconds; None where there is none."""
        self._read = read
        wall, monotonic = read()
        self._ahead = (wall if newest is None else newest) - monotonic
        self._noticed: int | None = None

    def look(self) -> int | None:
        """By how many milliseconds it is ahead, where that is too many."""
        wall, monotonic = self._read()
        leap = wall - monotonic - self._ahead
        if leap <= LEAP:
            self._noticed = None
            return None
        self._noticed = monotonic if self._noticed is None else self._noticed
        if monotonic - self._noticed < LEAP:
            return leap
        self._ahead, self._noticed = wall - monotonic, None
        return None
