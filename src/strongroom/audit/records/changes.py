"""What was changed of keys, roles, people and the configuration: by whom, and who agreed."""

from dataclasses import dataclass
from enum import StrEnum

from strongroom.audit.records.layout import at
from strongroom.audit.records.shared import Client, Doer, Head, Result


class KeyDeed(StrEnum):
    """What was done to a key."""

    CREATED = "key.created"
    ROTATED = "key.rotated"
    ACTIVATED = "key.activated"
    DEACTIVATED = "key.deactivated"
    SUSPENDED = "key.suspended"
    COMPROMISED = "key.compromised"
    FLOORS_SET = "key.floors_set"
    DESTRUCTION_SCHEDULED = "key.destruction_scheduled"
    DESTRUCTION_CANCELLED = "key.destruction_cancelled"
    DESTROYED = "key.destroyed"
    EXPORTED = "key.exported"
    IMPORTED = "key.imported"
    BACKED_UP = "key.backed_up"
    RESTORED = "key.restored"
    TENANT_ADDED = "key.tenant_added"
    WITHDRAWN = "key.withdrawn"
    """Its provider does not give it any more."""
    RETURNED = "key.returned"
    ROOT_ADDED = "key.root_added"
    ROOT_REMOVED = "key.root_removed"
    HELD = "key.held"
    HOLD_LIFTED = "key.hold_lifted"
    REHEARSED = "key.rehearsed"
    """A drill, or a test of custody."""
    ROLLED_BACK = "key.rolled_back"
    """The state, or the database, was found to be a former one."""
    OTHER = "key.other"


class KeyKind(StrEnum):
    """What a key is."""

    KEYSET = "keyset"
    KEK = "key-encryption key"
    ROOT = "root"
    TENANT = "tenant"
    BACKUP = "backup"
    STATE = "state"


@dataclass(frozen=True, slots=True)
class KeyChanged:
    """Something was done to a key; names, numbers and ids, never material."""

    head: Head
    doer: Doer
    deed: KeyDeed = at("metadata.event_code")
    subject: str = at("entity.name")
    """A keyset, KEK, root, tenant or backup, by its name."""
    kind: KeyKind = at("entity.type")
    result: Result = at("status_id")
    approved_by: tuple[str, ...] = at("unmapped.approved_by")
    key_ids: tuple[str, ...] = at("unmapped.key_ids")
    """As sealed values name them: eight hexadecimal digits."""
    version: int | None = at("unmapped.version", default=None)
    words: str | None = at("unmapped.words", default=None)
    """What ``strongroom keys events`` calls it."""
    due: int | None = at("unmapped.due", default=None)
    """When what was scheduled is to be, in milliseconds."""


class RoleDeed(StrEnum):
    """What was done about a role for a time."""

    ASKED = "role.asked"
    AGREED = "role.agreed"
    GRANTED = "role.granted"
    DENIED = "role.denied"
    REVOKED = "role.revoked"
    BROKE_GLASS = "role.broke_glass"


@dataclass(frozen=True, slots=True)
class RoleChanged:
    """A person has a role for a time, has it no longer, or somebody asked or answered."""

    head: Head
    doer: Doer
    deed: RoleDeed = at("metadata.event_code")
    person: str = at("user.name")
    """Who gets or loses it."""
    roles: tuple[str, ...] = at("privileges")
    grant: int = at("unmapped.grant")
    reason: str = at("unmapped.reason")
    """In the person's own words."""
    agreed_by: tuple[str, ...] = at("unmapped.agreed_by")
    until: int | None = at("unmapped.until", default=None)
    """Milliseconds; None before it is in force."""


@dataclass(frozen=True, slots=True)
class RoleAssumed:
    """A session took up a role that counts only where it is assumed."""

    head: Head
    client: Client
    database: str = at("unmapped.database")
    user: str = at("user.name")
    session: str = at("session.uid")
    """The client's name and session again, where OCSF has them in this class."""
    roles: tuple[str, ...] = at("privileges")
    reason: str = at("unmapped.reason")
    until: int = at("unmapped.until")


class AccountDeed(StrEnum):
    """What was done to an account or a person."""

    ADDED = "account.added"
    PASSWORD_CHANGED = "account.password_changed"  # noqa: S105 - the name of a deed
    RESET = "account.reset"
    """Password and second factor are others."""
    DISABLED = "account.disabled"
    LOCKED = "account.locked"
    """After too many wrong tries."""


@dataclass(frozen=True, slots=True)
class AccountChanged:
    """Who may come in, and by what, is otherwise now."""

    head: Head
    doer: Doer
    deed: AccountDeed = at("metadata.event_code")
    user: str = at("user.name")
    result: Result = at("status_id")
    address: str | None = at("src_endpoint.ip", limit=40, default=None)
    """From where too many tries came."""


class ConfigurationDeed(StrEnum):
    """What became of a configuration."""

    ACCEPTED = "configuration.accepted"
    WEAKENED = "configuration.weakened"
    """It was accepted, and protects less than the one before."""
    REFUSED = "configuration.refused"
    SIGNED = "configuration.signed"
    """People agreed to what weakens; it is not loaded yet."""


@dataclass(frozen=True, slots=True)
class ConfigurationChanged:
    """The gateway goes by another configuration or policy, or would not."""

    head: Head
    doer: Doer
    deed: ConfigurationDeed = at("metadata.event_code")
    file: str = at("entity.name")
    sha256: str = at("entity.version")
    """Of the file's octets."""
    result: Result = at("status_id")
    weakenings: int = at("unmapped.weakenings")
    signed_by: tuple[str, ...] = at("unmapped.signed_by")
    policy: str | None = at("unmapped.policy", default=None)
    """SHA-256 of the policy that it makes."""
    stance: str | None = at("unmapped.stance", default=None)
    """SHA-256 of all on which protection hangs (docs/spec/weakening.md)."""
    code: str | None = at("status_detail", default=None)
