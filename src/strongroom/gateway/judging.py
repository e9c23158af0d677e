"""The judge of one session: whose it is, from where, since when, and the policy that the gateway has now.

Made by `server` when a session is admitted, and again when the policy or what its subject holds has changed.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_address

from strongroom.config import Settings
from strongroom.config.access import declared, policy_of
from strongroom.errors import ProtectionWeakened
from strongroom.gateway.budgets import Budgets, Given
from strongroom.gateway.driver import Driver
from strongroom.gateway.stances import stance_of
from strongroom.policy.authorizer import Authorizer
from strongroom.policy.conditions import Conditions
from strongroom.policy.model import Access, Circumstances, Decision, Resource, Subject
from strongroom.policy.offers import Lent, running
from strongroom.policy.residual import UNLIMITED, Limits
from strongroom.policy.roles import Policy
from strongroom.protect.pseudonyms import PseudonymKey
from strongroom.session.policing import Said
from strongroom.stance.access import digest, written
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


def judges_of(settings: Settings, state: State, stance: str = "") -> "Judges | None":
    """What makes the judges of a worker's sessions; raises as `authorizer_of` does.

    ``stance`` is the digest of what was accepted, where that counts. The files that the configuration names
    are read here again, and may be others by now: then ``ProtectionWeakened`` is raised.
    """
    authorizer = authorizer_of(settings)
    if stance:
        policy = None if authorizer is None else authorizer.policy
        if stance_of(settings, policy).digest != stance:
            raise ProtectionWeakened(
                "files that the configuration names are others than when it was accepted",
                hint="Put them back, or reload: what they change is then compared with what was accepted.",
            )
    if authorizer is None:
        return None
    named = digest(written(authorizer.policy))
    return Judges(authorizer, named, state.installation_secret, Budgets(state))


@dataclass(frozen=True, slots=True)
class Judges:
    """The judges under one policy; the installation's secret is behind the pseudonyms that masks give."""

    authorizer: Authorizer
    policy: str
    """Its SHA-256."""
    secret: bytes = field(repr=False)
    budgets: Budgets

    def of(
        self, driver: Driver, subject: Subject, second_factor: datetime | None, lent: Iterable[Lent] = ()
    ) -> "SessionJudge":
        """That of a session whose client is this subject, with what a person has for a time."""
        key = PseudonymKey.derive(self.secret, driver.database)
        return SessionJudge(
            self.authorizer,
            driver.database,
            subject,
            key,
            self.budgets,
            driver.source,
            policy=self.policy,
            certificate=driver.certificate,
            second_factor=second_factor,
            lent=tuple(offered_to(self.authorizer.policy, subject, lent)),
        )


def offered_to(policy: Policy, subject: Subject, lent: Iterable[Lent]) -> Iterator[Lent]:
    """What the policy of today leaves of what a person has for a time."""
    for one in lent if subject.kind == "person" else ():
        role = policy.roles.get(one.role)
        if role is not None:
            left = one.within(role.break_glass if one.broke_glass else role.temporary, subject.name)
            if left is not None:
                yield left


@dataclass(frozen=True, slots=True)
class _Holder:
    """The subject with the roles that it has at a moment, and what they hang on."""

    subject: Subject
    conditions: tuple[Conditions, ...]
    limits: Limits


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
    policy: str = ""
    """SHA-256 of the one by which it decides."""
    certificate: bool = False
    second_factor: datetime | None = None
    """When it was shown."""
    lent: tuple[Lent, ...] = ()
    """What the subject has for a time, beside what it holds."""
    clock: Callable[[], datetime] = now
    _address: IPv4Address | IPv6Address | None = field(init=False)
    _holders: dict[frozenset[str], _Holder] = field(init=False, default_factory=dict)
    _last: _Last = field(init=False, default_factory=_Last)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_address", _address(self.source))

    def standing(self, said: Said) -> object:
        """The policy, the subject as it is now, which of its conditions hold, and which limits are used up.

        The policy itself, which compares by identity: the number of one that is gone may be another's.
        """
        moment, last = self.clock(), self._last
        if last.since <= moment < last.until and last.said == said:
            return last.standing
        holder = self._holder(moment)
        here = self._circumstances(said, moment)
        answers = tuple(one.hold(here) for one in holder.conditions)
        spent = tuple(one.spent(here) for one in holder.limits.each)
        last.standing = self.authorizer, holder.subject, answers, spent
        last.said, last.since, last.until = said, moment, self._until(holder, here)
        return last.standing

    def _until(self, holder: _Holder, here: Circumstances) -> datetime:
        """The moment until which the standing stays what it is, if the session says nothing else."""
        if holder.limits != UNLIMITED:
            return here.now  # what the subject's other sessions use up shows at once
        turns = [turn for one in self.lent for turn in (one.begins, one.until) if turn > here.now]
        return min([NEVER, *turns, *(one.until(here) for one in holder.conditions)])

    def decide(self, accesses: Sequence[Access], said: Said) -> Decision:
        """Whether one statement may make all these accesses."""
        moment = self.clock()
        here = self._circumstances(said, moment)
        return self.authorizer.decide(self._holder(moment).subject, accesses, here)

    def counts(self, column: Resource) -> bool:
        """Whether values of the column, where they come unmasked, count as revealed."""
        return self.authorizer.counts(column)

    def spend(self, rows: int, reveals: int) -> None:
        """So much is to go to the client now; raises `BudgetSpent`, and nothing of it may go."""
        moment = self.clock()
        self.budgets.spend(self.subject, self._holder(moment).limits, Given(rows, reveals), moment)

    def may_assume(self, role: str, said: Said) -> bool:
        """Whether the role would count if it were assumed now."""
        moment = self.clock()
        here = replace(self._circumstances(said, moment), assumed=role)
        subject = self._holder(moment).subject
        return self._must_be_assumed(role) and role in self.authorizer.counting(subject, here)

    def assumed_until(self, role: str) -> datetime | None:
        """When the second factor is too old for it, or its time is over; None where it is not such a role."""
        if self.second_factor is None or not self._must_be_assumed(role):
            return None
        fresh = self.authorizer.policy.roles[role].conditions.second_factor
        lent = () if role in self.subject.roles else self.lent
        ends = [one.until for one in lent if one.role == role]
        return None if fresh is None else min([self.second_factor + fresh, *ends])

    def _must_be_assumed(self, role: str) -> bool:
        found = self.authorizer.policy.roles.get(role)
        return found is not None and found.conditions.assumed == role

    def _holder(self, moment: datetime) -> _Holder:
        """The subject with the roles that it has for a time then."""
        roles = running(self.lent, moment)
        known = self._holders.get(roles)
        if known is None:
            subject = replace(self.subject, roles=self.subject.roles | roles)
            decision = self.authorizer.decide(subject, (), Circumstances(moment))
            conditions = tuple(one for one, _ in decision.residual.answers)
            known = _Holder(subject, conditions, self.authorizer.limits_of(subject))
            self._holders[roles] = known
        return known

    def _circumstances(self, said: Said, moment: datetime) -> Circumstances:
        age = None if self.second_factor is None else moment - self.second_factor
        limited = self._holder(moment).limits != UNLIMITED
        given = self.budgets.given(self.subject, moment) if limited else Given()
        return Circumstances(
            moment,
            self._address,
            age,
            said.application or None,
            self.certificate,
            said.tenant or None,
            said.assumed or None,
            given.rows,
            given.reveals,
        )


def _address(source: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(source)
    except ValueError:
        return None  # of a Unix socket
