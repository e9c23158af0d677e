"""The judge of one session: whose it is, from where, since when, and the policy that the gateway has now.

Made by `server` when a session is admitted, and again when the policy or what its subject holds has changed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_address

from strongroom.config import Settings
from strongroom.config.access import declared, policy_of
from strongroom.errors import ProtectionWeakened
from strongroom.gateway.driver import Driver
from strongroom.gateway.stances import stance_of
from strongroom.policy.authorizer import Authorizer
from strongroom.policy.conditions import Conditions
from strongroom.policy.model import Access, Circumstances, Decision, Subject
from strongroom.protect.pseudonyms import PseudonymKey
from strongroom.session.policing import Said
from strongroom.state import State


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
    return None if authorizer is None else Judges(authorizer, state.installation_secret)


@dataclass(frozen=True, slots=True)
class Judges:
    """The judges under one policy; the installation's secret is behind the pseudonyms that masks give."""

    authorizer: Authorizer
    secret: bytes = field(repr=False)

    def of(self, driver: Driver, subject: Subject, second_factor: datetime | None) -> "SessionJudge":
        """That of a session whose client is this subject."""
        key = PseudonymKey.derive(self.secret, driver.database)
        return SessionJudge(
            self.authorizer,
            driver.database,
            subject,
            key,
            driver.source,
            certificate=driver.certificate,
            second_factor=second_factor,
        )


@dataclass(frozen=True, slots=True)
class SessionJudge:
    """Decides for one session (`session.policing.Judge`)."""

    authorizer: Authorizer
    database: str
    subject: Subject
    key: PseudonymKey
    source: str = ""
    """The client's address; empty where it has none."""
    certificate: bool = False
    second_factor: datetime | None = None
    """When it was shown."""
    clock: Callable[[], datetime] = now
    _address: IPv4Address | IPv6Address | None = field(init=False)
    _conditions: tuple[Conditions, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_address", _address(self.source))
        decision = self.authorizer.decide(self.subject, (), self._circumstances(Said()))
        object.__setattr__(self, "_conditions", tuple(one for one, _ in decision.residual.answers))

    def standing(self, said: Said) -> object:
        """The policy, the subject, and which of its conditions hold.

        The policy itself, which compares by identity: the number of one that is gone may be another's.
        """
        if not self._conditions:
            return self.authorizer, self.subject
        here = self._circumstances(said)
        return self.authorizer, self.subject, tuple(one.hold(here) for one in self._conditions)

    def decide(self, accesses: Sequence[Access], said: Said) -> Decision:
        """Whether one statement may make all these accesses."""
        return self.authorizer.decide(self.subject, accesses, self._circumstances(said))

    def _circumstances(self, said: Said) -> Circumstances:
        moment = self.clock()
        age = None if self.second_factor is None else moment - self.second_factor
        return Circumstances(
            moment,
            self._address,
            age,
            said.application or None,
            self.certificate,
            said.tenant or None,
        )


def _address(source: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(source)
    except ValueError:
        return None  # of a Unix socket
