"""The judge of one session: whose it is, from where, since when, and the policy that the gateway has now.

Made by `server` when a session is admitted, and again when the policy or what its subject holds has changed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_address

from strongroom.config import Settings
from strongroom.config.access import declared, policy_of
from strongroom.gateway.budgets import Budgets, Given
from strongroom.gateway.driver import Driver
from strongroom.policy.authorizer import Authorizer
from strongroom.policy.conditions import Conditions
from strongroom.policy.model import Access, Circumstances, Decision, Resource, Subject
from strongroom.policy.residual import UNLIMITED, Limits
from strongroom.protect.pseudonyms import PseudonymKey
from strongroom.session.policing import Said
from strongroom.state import State

NEVER = datetime.max.replace(tzinfo=UTC)


def now() -> datetime:
    """The moment, by the wall's clock."""
    return datetime.now(UTC)


def authorizer_of(settings: Settings) -> Authorizer | None:
    """What decides by these settings; None where they say nothing of who may do what.

    Raises ``InvalidPolicy`` and ``ConfigError`` of files written by hand.
    """
    return Authorizer(policy_of(settings)) if declared(settings) else None


def judges_of(settings: Settings, state: State) -> "Judges | None":
    """What makes the judges of a worker's sessions; raises as `authorizer_of` does."""
    authorizer = authorizer_of(settings)
    return None if authorizer is None else Judges(authorizer, state.installation_secret, Budgets(state))


@dataclass(frozen=True, slots=True)
class Judges:
    """The judges under one policy; the installation's secret is behind the pseudonyms that masks give."""

    authorizer: Authorizer
    secret: bytes = field(repr=False)
    budgets: Budgets

    def of(self, driver: Driver, subject: Subject, second_factor: datetime | None) -> "SessionJudge":
        """That of a session whose client is this subject."""
        key = PseudonymKey.derive(self.secret, driver.database)
        return SessionJudge(
            self.authorizer,
            driver.database,
            subject,
            key,
            self.budgets,
            driver.source,
            certificate=driver.certificate,
            second_factor=second_factor,
        )


@dataclass(slots=True)
class _Last:
    """What a session's standing was found to be, and for how long: it is asked for at each statement."""

    standing: object = None
    said: Said | None = None
    since: datetime = NEVER
    until: datetime = NEVER


@dataclass(frozen=True, slots=True)
class SessionJudge:
    """Decides for one session (`session.policing.Judge`)."""

    authorizer: Authorizer
    database: str
    subject: Subject
    key: PseudonymKey
    budgets: Budgets
    source: str = ""
    """The client's address; empty where it has none."""
    certificate: bool = False
    second_factor: datetime | None = None
    """When it was shown."""
    clock: Callable[[], datetime] = now
    _address: IPv4Address | IPv6Address | None = field(init=False)
    _conditions: tuple[Conditions, ...] = field(init=False)
    _limits: Limits = field(init=False)
    _last: _Last = field(init=False, default_factory=_Last)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_address", _address(self.source))
        object.__setattr__(self, "_limits", self.authorizer.limits_of(self.subject))
        decision = self.authorizer.decide(self.subject, (), self._circumstances(Said()))
        object.__setattr__(self, "_conditions", tuple(one for one, _ in decision.residual.answers))

    def standing(self, said: Said) -> object:
        """The policy, the subject, which of its conditions hold, and which of its limits are used up.

        The policy itself, which compares by identity: the number of one that is gone may be another's.
        """
        moment, last = self.clock(), self._last
        if last.since <= moment < last.until and last.said == said:
            return last.standing
        here = self._circumstances(said)
        spent = tuple(one.spent(here) for one in self._limits.each)
        answers = tuple(one.hold(here) for one in self._conditions)
        last.standing = self.authorizer, self.subject, answers, spent
        last.said, last.since = said, here.now
        # What others of the subject's sessions use up shows at once.
        ends = (one.until(here) for one in self._conditions)
        last.until = min(ends, default=NEVER) if self._limits == UNLIMITED else here.now
        return last.standing

    def decide(self, accesses: Sequence[Access], said: Said) -> Decision:
        """Whether one statement may make all these accesses."""
        return self.authorizer.decide(self.subject, accesses, self._circumstances(said))

    def counts(self, column: Resource) -> bool:
        """Whether values of the column, where they come unmasked, count as revealed."""
        return self.authorizer.counts(column)

    def spend(self, rows: int, reveals: int) -> None:
        """So much is to go to the client now; raises `BudgetSpent`, and nothing of it may go."""
        self.budgets.spend(self.subject, self._limits, Given(rows, reveals), self.clock())

    def _circumstances(self, said: Said) -> Circumstances:
        moment = self.clock()
        age = None if self.second_factor is None else moment - self.second_factor
        limited = self._limits != UNLIMITED
        given = self.budgets.given(self.subject, moment) if limited else Given()
        return Circumstances(
            moment,
            self._address,
            age,
            said.application or None,
            self.certificate,
            said.tenant or None,
            given.rows,
            given.reveals,
        )


def _address(source: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(source)
    except ValueError:
        return None  # of a Unix socket
