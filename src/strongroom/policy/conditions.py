"""Under which circumstances a role counts: where from, when, how surely, with what.

`Conditions` is a role's ``when:``. All that it names must hold; what it does not name does not matter; what
is not known does not hold. Called by `residual` and `authorizer`, each time, so it is quick.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from strongroom.policy.model import Circumstances

Network = IPv4Network | IPv6Network

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)
_UNITS = ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s"))


@dataclass(frozen=True, slots=True)
class Hours:
    """Some days of the week from one time of day to another, by the clock on the wall of a zone.

    A night belongs to the day on which it begins: ``Fri 22:00-06:00`` ends on Saturday morning.
    """

    days: frozenset[int]
    """Monday is 0."""
    begin: time
    end: time
    """The first moment that is no longer meant; midnight is the end of the day."""
    zone: ZoneInfo

    def hold(self, now: datetime) -> bool:
        """Whether this moment is meant."""
        local = now.astimezone(self.zone)
        clock, today = local.time(), local.weekday()
        if self.begin < self.end or self.end == time():
            return today in self.days and clock >= self.begin and (clock < self.end or self.end == time())
        if clock >= self.begin:
            return today in self.days
        return clock < self.end and (local - _DAY).weekday() in self.days

    def __str__(self) -> str:
        days = ",".join(_runs(sorted(self.days)))
        end = "24:00" if self.end == time() else f"{self.end:%H:%M}"
        return f"{days} {self.begin:%H:%M}-{end} {self.zone.key}"


@dataclass(frozen=True, slots=True)
class Conditions:
    """Each that is not None must hold, by one of its values."""

    addresses: tuple[Network, ...] | None = None
    second_factor: timedelta | None = None
    hours: tuple[Hours, ...] | None = None
    applications: frozenset[str] | None = None
    certificate: bool = False
    tenants: frozenset[str] | None = None
    assumed: str | None = None
    """The role that the session must have assumed: the one whose conditions these are."""

    def hold(self, circumstances: "Circumstances") -> bool:
        """Whether a role under these conditions counts."""
        return (
            (not self.certificate or circumstances.certificate)
            and (self.applications is None or circumstances.application in self.applications)
            and (self.tenants is None or circumstances.tenant in self.tenants)
            and (self.assumed is None or circumstances.assumed == self.assumed)
            and (self.second_factor is None or _is_fresh(circumstances.second_factor_age, self.second_factor))
            and (self.addresses is None or _is_within(circumstances.address, self.addresses))
            and (self.hours is None or any(one.hold(circumstances.now) for one in self.hours))
        )

    def until(self, circumstances: "Circumstances") -> datetime:
        """The moment until which time alone does not change the answer; it may not change then either."""
        now, age, limit = circumstances.now, circumstances.second_factor_age, self.second_factor
        ends = [datetime.max.replace(tzinfo=UTC)]
        if self.hours is not None:  # zones are whole minutes apart, and change their clocks at such
            ends.append(now.replace(second=0, microsecond=0) + _MINUTE)
        if limit is not None and age is not None:
            ends += [now - age + fresh for fresh in (timedelta(), limit) if fresh >= age]
        return min(ends)

    def __str__(self) -> str:
        return "; ".join(self._words())

    def _words(self) -> list[str]:
        words = []
        if self.addresses is not None:
            words.append("from " + ", ".join(map(str, self.addresses)))
        if self.second_factor is not None:
            words.append(f"second factor within {_span(self.second_factor)}")
        if self.hours is not None:
            words.append(" or ".join(map(str, self.hours)))
        if self.applications is not None:
            words.append("application " + " or ".join(sorted(self.applications)))
        if self.certificate:
            words.append("with a certificate")
        if self.tenants is not None:
            words.append("tenant " + " or ".join(sorted(self.tenants)))
        if self.assumed is not None:
            words.append(f"once {self.assumed} is assumed")
        return words


ALWAYS = Conditions()


def _is_fresh(age: timedelta | None, limit: timedelta) -> bool:
    """A second factor from the future was not shown: some clock is wrong."""
    return age is not None and timedelta() <= age <= limit


def _runs(days: list[int]) -> Iterator[str]:
    """Days that follow one another from Monday on, as one range."""
    begin = 0
    for at, day in enumerate(days):
        if at + 1 == len(days) or days[at + 1] != day + 1:
            first, last = _DAYS[days[begin]], _DAYS[day]
            yield first if first == last else f"{first}-{last}"
            begin = at + 1


def _span(time: timedelta) -> str:
    seconds = int(time.total_seconds())
    size, unit = next((size, unit) for size, unit in _UNITS if seconds % size == 0)
    return f"{seconds // size}{unit}"


def _is_within(address: IPv4Address | IPv6Address | None, networks: tuple[Network, ...]) -> bool:
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address  # a listener for both families shows IPv4 so
    return address is not None and any(address in network for network in networks)
