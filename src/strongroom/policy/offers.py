"""What the configuration says of roles that may be had for a time: by whom, for how long, and who must agree.

A role itself never says who may give it: an offer names people, so that holding a role, for a time or for
good, gives nobody the right to give anything. What is given is `Lent`, and counts while the offer stands and
the time runs. Pure; the rules of asking and agreeing are `grants.model`'s.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Offer:
    """A role may be had for a time by these people."""

    to: frozenset[str]
    longest: timedelta
    by: frozenset[str] = frozenset()
    """Who may agree, but for whoever gets the role."""
    approvals: int = 0
    """So many of them must; none, where it is taken by breaking the glass."""


@dataclass(frozen=True, slots=True)
class Lent:
    """A role that somebody has for a time."""

    role: str
    begins: datetime
    until: datetime
    broke_glass: bool = False

    def counts(self, now: datetime) -> bool:
        """Whether its time runs; one from the future is none: some clock is wrong."""
        return self.begins <= now < self.until

    def within(self, offer: Offer | None, person: str) -> "Lent | None":
        """What the offer of today leaves of it: nothing where it is no longer offered, or less time."""
        if offer is None or person not in offer.to:
            return None
        return Lent(self.role, self.begins, min(self.until, self.begins + offer.longest), self.broke_glass)


def running(lent: Iterable[Lent], now: datetime) -> frozenset[str]:
    """The roles whose time runs."""
    return frozenset(one.role for one in lent if one.counts(now))
