"""What the configuration says of roles that may be had for a time: by whom, for how long, and who must agree.

A role itself never says who may give it: an offer names people, so that holding a role, for a time or for
good, gives nobody the right to give anything. What is given is `Lent`, and counts while the offer stands and
the time runs. Pure; the rules of asking and agreeing are `lending.model`'s.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
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

    def agreed(self, people: frozenset[str], person: str) -> bool:
        """Whether enough agree to give it to this person: who gets it is none of them."""
        return len((people & self.by) - {person}) >= self.approvals


@dataclass(frozen=True, slots=True)
class Lent:
    """A role that somebody has for a time."""

    role: str
    begins: datetime
    until: datetime
    broke_glass: bool = False
    agreed: frozenset[str] = frozenset()

    def counts(self, now: datetime) -> bool:
        """Whether its time runs; one from the future is none: some clock is wrong."""
        return self.begins <= now < self.until

    def within(self, offer: Offer | None, person: str) -> "Lent | None":
        """What the offer of today leaves of it: less time, or nothing.

        Nothing where it is not offered, or where those who agreed could not today: whoever runs a command may
        name a configuration of their own, and this is the gateway's.
        """
        if offer is None or person not in offer.to or not offer.agreed(self.agreed, person):
            return None
        return replace(self, until=min(self.until, self.begins + offer.longest))


def running(lent: Iterable[Lent], now: datetime) -> frozenset[str]:
    """The roles whose time runs."""
    return frozenset(one.role for one in lent if one.counts(now))
