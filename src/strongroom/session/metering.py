"""What is counted and timed of the sessions of one database, for metrics.

Statements are counted by increments of plain integers, where what became of them is known anyway; the shell
reads them when it reports. Nothing here knows a clock: the shell gives one. A text, a value or a name that a
client chose is never part of it.

Held by all rooms of `session`; made and read by `gateway/meters.py`; pure.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable

from strongroom.errors import AccessDenied, BudgetSpent, StrongroomError

BOUNDS = (
    *(0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5),
    *(0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1.0, 10.0),
)
"""Seconds: the upper bounds of the classes of times. A statement's own work takes tenths of a millisecond."""

SQLSTATE_CLASSES = frozenset(
    [
        *("00", "01", "02", "03", "08", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "10", "20", "21", "22"),
        *("23", "24", "25", "26", "27", "28", "2B", "2D", "2F", "34", "38", "39", "3B", "3D", "3F", "40"),
        *("42", "44", "53", "54", "55", "57", "58", "72", "F0", "HV", "P0", "XX"),
    ]
)
"""Manual, appendix "PostgreSQL Error Codes". A function may raise any other, which counts as `OTHER`."""

OTHER = "other"

_DENIALS = (AccessDenied, BudgetSpent)


class Times:
    """How long something took, each time: the sum, and how many were of which class."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.seconds = 0.0
        self.counts = [0] * (len(BOUNDS) + 1)

    def note(self, seconds: float) -> None:
        """It took so long once more."""
        self.seconds += seconds
        self.counts[bisect_left(BOUNDS, seconds)] += 1


class Lookups:
    """How often something was found in a cache, and how often it was not."""

    __slots__ = ("hits", "misses")

    def __init__(self) -> None:
        self.hits = self.misses = 0


class Meter:
    """The counts of one database's sessions; ``clock`` gives seconds from any beginning."""

    def __init__(self, clock: Callable[[], float] = lambda: 0.0) -> None:
        self.clock = clock
        self.passed = 0
        """Statements that went upstream and were answered, well or not; with those that came masked."""
        self.veiled = 0
        """Of these, those of which a column came masked."""
        self.denied = 0
        """Statements that the policy did not let pass."""
        self.refused = 0
        """Statements that could not pass for another reason."""
        self.failures: Counter[str] = Counter()
        """Errors of the database's own, by the class of their SQLSTATE."""
        self.errors: Counter[str] = Counter()
        """Errors of ours that ended a statement or a session, by their code."""
        self.opened = 0
        """Places of protected columns in rows that went to clients; NULLs are among them."""
        self.sealed = 0
        """Values that were sealed, to be stored or compared."""
        self.parse, self.decide, self.protect = Times(), Times(), Times()
        self.upstream, self.audit = Times(), Times()
        self.analyses, self.plans, self.decisions = Lookups(), Lookups(), Lookups()

    def refuse(self, error: StrongroomError) -> None:
        """A statement did not pass."""
        self.errors[error.code] += 1
        if isinstance(error, _DENIALS):
            self.denied += 1
        else:
            self.refused += 1

    def fail(self, sqlstate: str) -> None:
        """The database answered with an error."""
        found = sqlstate[:2]
        self.failures[found if found in SQLSTATE_CLASSES else OTHER] += 1
