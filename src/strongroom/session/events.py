"""What can happen to a session: its inputs.

`gateway/driver.py` makes them from sockets and timers; tests write them down by hand.
"""

from dataclasses import dataclass

from strongroom.errors import StrongroomError
from strongroom.session.analyses import Question
from strongroom.session.login import Credentials, Peer
from strongroom.session.policing import Judge
from strongroom.session.snapshot import Snapshot
from strongroom.session.upstream_login import UpstreamLogin
from strongroom.sql.statement import Analysis


@dataclass(frozen=True, slots=True)
class Accepted:
    """A client has connected and, where it asked for TLS, finished its handshake."""

    tls: bool
    peer: Peer


@dataclass(frozen=True, slots=True)
class ClientData:
    """Octets from the client."""

    data: bytes


@dataclass(frozen=True, slots=True)
class UpstreamData:
    """Octets from the database."""

    data: bytes


@dataclass(frozen=True, slots=True)
class ClientClosed:
    """The client is gone."""


@dataclass(frozen=True, slots=True)
class UpstreamClosed:
    """The database closed the connection, or it broke."""


@dataclass(frozen=True, slots=True)
class AccountKnown:
    """Answers `LookUpAccount`: how the account may log in to this database, or None."""

    credentials: Credentials | None


@dataclass(frozen=True, slots=True)
class Admitted:
    """Answers `Admit`: ``refusal`` is None, `LOGIN`, or names the limit that is reached."""

    refusal: str | None = None
    judge: Judge | None = None  # where there is a policy


LOGIN = "login"
"""The refusal that says nothing of why."""


@dataclass(frozen=True, slots=True)
class UpstreamConnected:
    """Answers `OpenUpstream`: connected, TLS verified and pinned where configured; ``login`` comes next."""

    login: UpstreamLogin


@dataclass(frozen=True, slots=True)
class UpstreamFailed:
    """Answers `OpenUpstream`: there is no connection, and why."""

    error: StrongroomError


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Answers `Cancel`: the database has been told, or there is nobody to tell."""


@dataclass(frozen=True, slots=True)
class Analysed:
    """Answers `Analyse`: what the text touches, why it may not pass, or None: analyse it here."""

    question: Question
    outcome: Analysis | StrongroomError | None


@dataclass(frozen=True, slots=True)
class TenantMade:
    """Answers `MakeTenant`: the tenant's keys are in the snapshot, or were refused."""


@dataclass(frozen=True, slots=True)
class Assumed:
    """Answers `Assume`: whether it was written down; only then the role counts."""

    written: bool


@dataclass(frozen=True, slots=True)
class GoOn:
    """Answers `Yield`."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """A limit of time is reached; ``limit`` is its name in the configuration."""

    limit: str


@dataclass(frozen=True, slots=True)
class SnapshotChanged:
    """What is protected, or the catalog, was read anew."""

    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class PolicyChanged:
    """There is another policy, or others hold its roles."""

    judge: Judge


@dataclass(frozen=True, slots=True)
class SnapshotAged:
    """What is protected could not be read anew for too long."""


@dataclass(frozen=True, slots=True)
class SnapshotLost:
    """It could not be read for so long that its keys count no more."""

    error: StrongroomError


@dataclass(frozen=True, slots=True)
class Expelled:
    """Who logged in may be here no longer."""

    error: StrongroomError


@dataclass(frozen=True, slots=True)
class Kept:
    """Answers `Keep`: what was recorded is on the disk, or need not be."""


@dataclass(frozen=True, slots=True)
class StatementCancelled:
    """The client cancels a statement that has not been sent."""


@dataclass(frozen=True, slots=True)
class Drain:
    """The gateway is stopping: end when the session is idle."""


Event = (
    Accepted
    | ClientData
    | UpstreamData
    | ClientClosed
    | UpstreamClosed
    | AccountKnown
    | Admitted
    | UpstreamConnected
    | UpstreamFailed
    | Cancelled
    | Analysed
    | TenantMade
    | Assumed
    | GoOn
    | TimedOut
    | SnapshotChanged
    | PolicyChanged
    | SnapshotAged
    | SnapshotLost
    | Expelled
    | Kept
    | StatementCancelled
    | Drain
)
