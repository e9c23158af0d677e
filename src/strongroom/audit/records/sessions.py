"""Who came in, who was turned away, and when they left."""

from dataclasses import dataclass
from enum import StrEnum

from strongroom.audit.records.layout import at
from strongroom.audit.records.shared import Client, Head, Holder


class Way(StrEnum):
    """How somebody showed who they are."""

    SCRAM = "scram-sha-256"
    SCRAM_PLUS = "scram-sha-256-plus"
    CERTIFICATE = "certificate"
    PASSWORD_AND_CODE = "password and code"  # noqa: S105 - the name of a way, not a password
    UNKNOWN = "unknown"
    """It did not come so far."""


class Ending(StrEnum):
    """Why a session ended."""

    CLIENT = "client"
    UPSTREAM = "upstream"
    """The database closed the connection, or it broke."""
    ERROR = "error"
    """The code of the error is beside it."""
    DRAINED = "drained"
    EXPELLED = "expelled"
    """Who logged in may be here no longer."""


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """A session is authenticated, here and upstream."""

    head: Head
    client: Client
    database: str = at("unmapped.database")
    """Strongroom's own name for it."""
    user: str = at("user.name")
    """The client's name again, where OCSF has it in this class."""
    way: Way = at("auth_protocol")
    is_mfa: bool = at("is_mfa")
    is_encrypted: bool = at("unmapped.tls")
    upstream_user: str = at("unmapped.upstream_user")
    """As whom the gateway logged in."""
    roles: tuple[str, ...] = at("unmapped.roles")
    certificate: str | None = at("unmapped.certificate", default=None)
    """The name in the client certificate that was verified."""
    credential: str | None = at("unmapped.credential", default=None)
    """The id of what a sign-in gave."""
    second_factor_at: int | None = at("unmapped.second_factor_at", default=None)
    """Milliseconds, as the time of a record."""
    former_password: bool | None = at("unmapped.former_password", default=None)
    """Whether it was one that is to be given up."""


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """A session that was opened is over."""

    head: Head
    client: Client
    database: str = at("unmapped.database")
    """Strongroom's own name for it."""
    user: str = at("user.name")
    duration: int = at("duration")
    """Milliseconds."""
    ending: Ending = at("unmapped.ending")
    statements: int = at("unmapped.statements")
    """That were recorded."""
    rows: int = at("unmapped.rows")
    values: int = at("unmapped.values")
    code: str | None = at("status_detail", default=None)
    """Of the error that ended it, from docs/errors.md."""


class Refusal(StrEnum):
    """Why somebody was turned away; the client hears less."""

    PROOF = "proof"
    """A wrong password, code or certificate."""
    UNKNOWN = "unknown"
    """Nobody of that name may come here: the name is not recorded, since people type passwords there."""
    LOCKED = "locked"
    """After too many wrong tries."""
    EXPIRED = "expired"
    REVOKED = "revoked"
    ELSEWHERE = "elsewhere"
    """A credential for another database, or from another address."""
    LIMIT = "limit"
    PROTOCOL = "protocol"
    UPSTREAM = "upstream"
    """The database refused the gateway, or was not reached."""


UNKNOWN_USER = "(unknown)"
"""In place of a name that nobody here has."""


@dataclass(frozen=True, slots=True)
class LoginFailed:
    """Somebody did not come in."""

    head: Head
    user: str = at("user.name")
    """Of an account or person that there is, or `UNKNOWN_USER`."""
    way: Way = at("auth_protocol")
    refusal: Refusal = at("unmapped.refusal")
    counted: bool = at("unmapped.counted")
    """Whether it counts against name and address."""
    database: str | None = at("unmapped.database", default=None)
    address: str | None = at("src_endpoint.ip", limit=40, default=None)
    application: str | None = at("actor.app_name", limit=64, default=None)
    code: str | None = at("status_detail", default=None)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person signed in, and was given a credential."""

    head: Head
    user: str = at("user.name")
    kind: Holder = at("user.type")
    way: Way = at("auth_protocol")
    is_mfa: bool = at("is_mfa")
    database: str = at("unmapped.database")
    credential: str = at("unmapped.credential")
    expires: int = at("unmapped.expires")
    session_until: int = at("unmapped.session_until")
    address: str | None = at("src_endpoint.ip", limit=40, default=None)
    """To which the credential is bound."""
