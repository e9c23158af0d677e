"""What a session wants done: its outputs, performed in order by `gateway/driver.py` alone."""

from dataclasses import dataclass

from strongroom.session.analyses import Question
from strongroom.session.login import Method
from strongroom.session.recording import Deed


@dataclass(frozen=True, slots=True)
class SendClient:
    """Write to the client."""

    data: bytes


@dataclass(frozen=True, slots=True)
class SendUpstream:
    """Write to the database."""

    data: bytes


@dataclass(frozen=True, slots=True)
class LookUpAccount:
    """Ask the configuration and the state for an account; answered by `AccountKnown`."""

    name: str


@dataclass(frozen=True, slots=True)
class Admit:
    """Have a log-in counted, and ask for a place among all connections; answered by `Admitted`.

    ``method`` is how the client has proved who it is, None where its proof is worth nothing; ``met`` says by
    which of the account's verifiers.
    """

    account: str
    method: Method | None
    met: int = 0


@dataclass(frozen=True, slots=True)
class OpenUpstream:
    """Connect to the database; answered by `UpstreamConnected` or `UpstreamFailed`.

    ``version`` and ``parameters`` are the protocol and the run-time parameters that the client asked for.
    """

    account: str
    version: int
    parameters: dict[str, str]


@dataclass(frozen=True, slots=True)
class RegisterCancel:
    """Remember what cancels this session upstream, and the key that the client was given for it."""

    process_id: int
    secret_key: bytes
    client_key: bytes


@dataclass(frozen=True, slots=True)
class Cancel:
    """Find the session whose client was given this key, in any worker, and cancel what it runs.

    Answered by `Cancelled`.
    """

    process_id: int
    secret_key: bytes


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The session is authenticated and open: the time to log in no longer runs."""


@dataclass(frozen=True, slots=True)
class CatalogChanged:
    """Committed DDL may have changed the catalog: other sessions, in all workers, must look again."""


@dataclass(frozen=True, slots=True)
class Analyse:
    """Have a long text analysed where it keeps nobody waiting; answered by `Analysed`."""

    question: Question


@dataclass(frozen=True, slots=True)
class MakeTenant:
    """Have the keys of a new tenant made; answered by `TenantMade`."""

    tenant: str


@dataclass(frozen=True, slots=True)
class Assume:
    """Have it written down that the session assumes a role, and why; answered by `Assumed`."""

    role: str
    reason: str


@dataclass(frozen=True, slots=True)
class Yield:
    """Let other sessions have a turn in the middle of long work; answered by `GoOn`."""


@dataclass(frozen=True, slots=True)
class Log:
    """Write a line to the log; ``fields`` holds names and numbers, never a value of a row."""

    event: str
    fields: dict[str, str | int]


@dataclass(frozen=True, slots=True)
class Record:
    """Write into the audit log what was done with a statement; the shell says when, and by whom."""

    deed: Deed


@dataclass(frozen=True, slots=True)
class Keep:
    """Have what was recorded of this session put on the disk; answered by `Kept`."""


@dataclass(frozen=True, slots=True)
class Close:
    """Flush and close both sides."""


Effect = (
    SendClient
    | SendUpstream
    | LookUpAccount
    | Admit
    | OpenUpstream
    | RegisterCancel
    | Cancel
    | LoggedIn
    | CatalogChanged
    | Analyse
    | MakeTenant
    | Assume
    | Yield
    | Log
    | Record
    | Keep
    | Close
)
