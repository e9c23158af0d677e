"""The settings of Strongroom as frozen, checked types; the names are those of strongroom.yaml.

Pydantic checks each key where it stands; what depends on two keys is checked at the end of the class that
holds both. ``problems`` words the failures. What is kept as text here (URIs, types, pins) is parsed by the
room that uses it. Paths come out absolute: relative ones are relative to the configuration file.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from strongroom.config.approvals import ACTS, People, parse_acts, parse_people
from strongroom.config.audit import Audit
from strongroom.config.people import Login, Person, PersonName
from strongroom.config.protection import Protection
from strongroom.config.roles import Classes, Groups, RoleName, Roles, roles_fit
from strongroom.config.roots import PassphraseAddress, RootAddress, parse_root
from strongroom.config.shamir_address import ShamirAddress
from strongroom.config.values import (
    Address,
    ColumnName,
    StateAddress,
    invalid,
    parse_address,
    parse_column_name,
    parse_database_name,
    parse_path,
    parse_pin,
    parse_secret,
    parse_state,
    parse_upstream,
    parse_verifier,
)
from strongroom.keys.approvals import Requirement
from strongroom.keys.rotation import Period
from strongroom.protect.tenants import is_tenant_name
from strongroom.secret import Secret

__all__ = [
    "Account",
    "Address",
    "Column",
    "ColumnName",
    "Database",
    "Keys",
    "Limits",
    "Login",
    "Person",
    "Protection",
    "RootAddress",
    "SessionLimits",
    "Settings",
    "StateAddress",
    "Tls",
]


def _folder(info: ValidationInfo) -> Path:
    return cast(Path, info.context).parent


FileName = Annotated[Path, PlainValidator(lambda value, info: parse_path(value, _folder(info)))]
SecretText = Annotated[Secret, PlainValidator(parse_secret)]
Verifier = Annotated[Secret, PlainValidator(parse_verifier)]
UpstreamUri = Annotated[str, PlainValidator(parse_upstream)]
Pin = Annotated[str, PlainValidator(parse_pin)]
Listen = Annotated[Address, PlainValidator(parse_address)]
State = Annotated[StateAddress, PlainValidator(lambda value, info: parse_state(value, _folder(info)))]
Root = Annotated[RootAddress, PlainValidator(lambda value, info: parse_root(value, _folder(info)))]
DatabaseName = Annotated[str, PlainValidator(parse_database_name)]
QualifiedColumn = Annotated[ColumnName, PlainValidator(parse_column_name)]


def _some_reason(text: str) -> str:
    if not text.strip():
        raise invalid("say why the function may be called near protected columns")
    return text


Reason = Annotated[str, AfterValidator(_some_reason)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class SessionLimits(_Frozen):
    """What one session may use; under ``databases.<name>.limits`` it narrows the limits of that database."""

    startup_packet_bytes: int = Field(default=10_000, ge=8, le=1 << 20)
    """PostgreSQL's MAX_STARTUP_PACKET_LENGTH (src/include/libpq/pqcomm.h)."""
    message_bytes: int = Field(default=64 << 20, ge=1 << 16, le=0x3FFFFFFF)
    """One protocol message; at most PostgreSQL's MaxAllocSize (src/include/utils/memutils.h), 1 GiB - 1."""
    login_seconds: float = Field(default=60, gt=0, le=600)
    """PostgreSQL's authentication_timeout, default and largest value (manual, section 19.3.1)."""
    idle_seconds: float = Field(default=0, ge=0)
    """Silence from a client before its session is ended; 0 is never, as PostgreSQL's idle_session_timeout."""
    statements_per_session: int = Field(default=10_000, ge=1)
    """Prepared statements and portals that a session may hold open."""
    buffer_bytes: int = Field(default=1 << 20, ge=1 << 16)
    """Bytes waiting towards one side before the other side is no longer read."""


class Limits(SessionLimits):
    """The limits of the whole gateway, and what holds for a session where its database says nothing else."""

    connections: int = Field(default=1_000, ge=1)
    """Client connections, over all databases and workers."""
    connections_per_account: int = Field(default=200, ge=1)
    """Sessions of one account, over all databases and workers."""
    drain_seconds: float = Field(default=30, ge=0)
    """How long SIGTERM lets sessions end by themselves before they are closed."""


class Rotate(_Frozen):
    """When a key has served for long enough."""

    days: int = Field(default=730, ge=1)
    """NIST SP 800-57 part 1, table 1: up to two years for a symmetric key that protects stored data."""
    share: float = Field(default=0.5, gt=0, le=1)
    """Of the uses that are safe, which themselves are half of those of NIST SP 800-38D."""
    by_itself: bool = True
    """Whether gateways that run give randomized columns a new version when their key is due."""

    @property
    def period(self) -> Period:
        """The same as keys understand it."""
        return Period(timedelta(days=self.days), self.share)


class Tenants(_Frozen):
    """The key-encryption keys of tenants (`tenant:` of a column)."""

    copies: FileName | None = None
    """The folder of their second copies, which is in no backup of the database, and can be cleared."""
    cache_seconds: int = Field(default=300, ge=2, le=86_400)
    """For so long a tenant's key is used after its own provider last gave it."""
    own: Mapping[str, Root] = Field(default_factory=dict)
    """`DATABASE@TENANT`: the provider in which the tenant holds its own key."""
    add: Literal["by_hand", "automatic"] = "by_hand"
    """Whether a tenant's key is made when a client first writes for a tenant of this name."""
    limit: int = Field(default=10_000, ge=1, le=100_000)
    """So many tenants of a database are made automatically, and no more."""

    destroy_delay_days: int | None = Field(default=None, ge=0, le=365)
    """Between the decision to destroy a tenant's key and the deed; else as for other keys."""

    @model_validator(mode="after")
    def _nobody_is_asked(self) -> Self:
        for name, address in self.own.items():
            if isinstance(address, ShamirAddress) or address == PassphraseAddress(None):
                raise invalid(
                    f"keys.tenants.own.{name} asks people, and a gateway asks a tenant's provider again and"
                    " again",
                    instead="name a key service, a token, or a passphrase: from the environment",
                )
        return self


class Approvals(_Frozen):
    """What one person alone may not do."""

    needed: int = Field(ge=1)
    """So many different people, the one who asks included."""
    by: Annotated[People, PlainValidator(parse_people)]
    acts: Annotated[frozenset[str], PlainValidator(parse_acts)] = Field(default=frozenset(ACTS), alias="for")

    @model_validator(mode="after")
    def _enough_people(self) -> Self:
        if self.needed > len(self.by):
            raise invalid(f"needs {self.needed} people to sign, and names {len(self.by)}")
        return self

    @property
    def requirement(self) -> Requirement:
        """The same as approvals understand it."""
        return Requirement(self.needed, self.by, self.acts)


class Keys(_Frozen):
    """Where keys get their protection from."""

    root: Root
    second_root: Root | None = None
    """Another that opens the same keys, so that the loss of one is not the loss of all."""
    rotate: Rotate = Field(default_factory=Rotate)
    tenants: Tenants = Field(default_factory=Tenants)
    destroy_delay_days: int = Field(default=7, ge=1, le=365)
    """Between the decision to do what cannot be undone and the deed."""
    approvals: Approvals | None = None

    @property
    def period(self) -> Period:
        """When a key is due for rotation."""
        return self.rotate.period

    @property
    def roots(self) -> Sequence[RootAddress]:
        """All that are configured, the first first."""
        return (self.root,) if self.second_root is None else (self.root, self.second_root)


class Tls(_Frozen):
    """The listener's certificate; with ``client_ca`` a client may show one of its own."""

    certificate: FileName
    key: FileName
    client_ca: FileName | None = None


class Column(_Frozen):
    """How one column is protected."""

    type: str = Field(min_length=1)
    """The type that clients see, as PostgreSQL spells it; parsed by ``protect``."""
    encryption: Literal["randomized", "deterministic"]
    key: QualifiedColumn | None = None
    """The column whose keyset is used, so that the two can be compared."""
    accept_leakage: Literal["frequency"] | None = None
    pad: int | None = Field(default=None, ge=1, le=1 << 16)
    """Plaintexts are padded to a multiple of so many bytes."""
    tenant: str | None = Field(default=None, min_length=1)
    """Each value is sealed by its tenant's keys: the table's column that names it, or `session`."""

    @model_validator(mode="after")
    def _tenants_compare_nothing(self) -> Self:
        if self.tenant is None:
            return self
        if self.encryption != "randomized":
            raise invalid(
                "equal values of two tenants would not look equal, so a column with tenant: cannot be"
                " deterministic",
                instead="make it randomized, or leave tenant: out",
            )
        if self.key is not None:
            raise invalid("a column with tenant: shares its keys with no other", instead="leave key: out")
        return self


class Database(_Frozen):
    """One upstream database and the listener in front of it."""

    upstream: UpstreamUri
    upstream_password: SecretText | None = None
    upstream_pin: Sequence[Pin] = ()
    owner: UpstreamUri | None = None
    owner_password: SecretText | None = None
    listen: Listen
    tls: Tls | None = None
    plaintext: Literal["accepted"] | None = None
    columns: Mapping[QualifiedColumn, Column] = Field(default_factory=dict)
    functions: Mapping[str, Reason] = Field(default_factory=dict)
    limits: SessionLimits = Field(default_factory=SessionLimits)

    @field_validator("columns", mode="before")
    @classmethod
    def _columns_stand_once(cls, data: object) -> object:
        """Two ways to write one name would be one key, and the last would count."""
        written: dict[str, str] = {}
        for key in data if isinstance(data, Mapping) else ():
            try:
                name = str(parse_column_name(key))
            except PydanticCustomError:
                continue  # is said where it stands
            first = written.setdefault(name, str(key))
            if first != key:
                raise invalid(
                    f"has the column {name} twice, as {first} and as {key}", instead="write it once"
                )
        return data

    @model_validator(mode="after")
    def _plaintext_stays_on_this_machine(self) -> Self:
        if self.tls is None and self.plaintext is None and not self.listen.is_loopback:
            raise invalid(
                "listens away from loopback without TLS: rows would cross the network in the clear",
                instead="add tls: {certificate: server.crt, key: server.key}, "
                "listen on 127.0.0.1, or write plaintext: accepted",
            )
        return self

    @model_validator(mode="after")
    def _a_row_has_one_tenant(self) -> Self:
        named: dict[tuple[str, str], str] = {}
        for name, column in self.columns.items():
            if column.tenant in {None, "session"}:
                continue
            first = named.setdefault((name.schema, name.table), str(column.tenant))
            if first != column.tenant:
                raise invalid(
                    f"columns.{name} names tenants by {column.tenant}, another of its table by {first}",
                    instead="name one column, so that a row is of one tenant",
                )
        return self

    @model_validator(mode="after")
    def _shared_keys_fit(self) -> Self:
        for name, column in self.columns.items():
            if column.key is None:
                continue
            shared = self.columns.get(column.key)
            if shared is None:
                raise invalid(f"columns.{name}.key names {column.key}, which is not a configured column")
            if shared.key is not None:
                raise invalid(
                    f"columns.{name}.key names {column.key}, which itself uses another column's key"
                )
            if shared.encryption != column.encryption:
                raise invalid(
                    f"columns.{name} and {column.key} share a key, so their encryption must be the same"
                )
        return self


class Account(_Frozen):
    """Who may log in to the gateway, and as whom they reach the database."""

    databases: Sequence[str] = Field(min_length=1)
    password: Verifier | None = None
    """A SCRAM-SHA-256 verifier; without it, the one that ``strongroom password`` put in the state."""
    certificate: str | None = Field(default=None, min_length=1)
    """The common name in the client certificate that logs this account in."""
    upstream_user: str | None = Field(default=None, min_length=1)
    upstream_password: SecretText | None = None
    roles: Sequence[RoleName] = ()


class Settings(_Frozen):
    """The whole configuration."""

    state: State
    keys: Keys | None = None
    databases: Mapping[DatabaseName, Database] = Field(min_length=1)
    accounts: Mapping[str, Account] = Field(default_factory=dict)
    people: Mapping[PersonName, Person] = Field(default_factory=dict)
    login: Login = Field(default_factory=Login)
    protection: Protection | None = None
    audit: Audit | None = None
    groups: Groups = Field(default_factory=dict)
    roles: Roles = Field(default_factory=dict)
    classes: Classes = Field(default_factory=dict)
    mask_by_default: bool = False
    policies: Sequence[FileName] = ()
    limits: Limits = Field(default_factory=Limits)
    workers: int = Field(default=1, ge=1, le=256)
    health: Listen | None = None

    _file: Path = PrivateAttr()

    @property
    def file(self) -> Path:
        """The configuration file, absolute; what is relative in it is relative to its folder."""
        return self._file

    @property
    def approvals(self) -> Requirement | None:
        """Who must sign what is done to keys."""
        return None if self.keys is None or self.keys.approvals is None else self.keys.approvals.requirement

    def model_post_init(self, context: object, /) -> None:
        """Remembers the file that was parsed."""
        self._file = cast(Path, context)

    @model_validator(mode="before")
    @classmethod
    def _limits_are_inherited(cls, data: object) -> object:
        """What a database says nothing about is as the whole gateway's limits say."""
        if not isinstance(data, dict):
            return data
        common, databases = data.get("limits"), data.get("databases")
        if not isinstance(common, dict) or not isinstance(databases, dict):
            return data
        shared = {key: value for key, value in common.items() if key in SessionLimits.model_fields}
        return data | {"databases": {name: _with_limits(one, shared) for name, one in databases.items()}}

    @model_validator(mode="after")
    def _accounts_fit_databases(self) -> Self:
        for name, account in self.accounts.items():
            for wanted in account.databases:
                if wanted not in self.databases:
                    raise invalid(f"accounts.{name}.databases names {wanted}, which is not under databases")
                tls = self.databases[wanted].tls
                if account.certificate is not None and (tls is None or tls.client_ca is None):
                    raise invalid(
                        f"accounts.{name} logs in with a certificate, "
                        f"but databases.{wanted} has no tls.client_ca to verify it with"
                    )
        return self

    @model_validator(mode="after")
    def _roles_fit(self) -> Self:
        roles_fit(self)
        return self

    @model_validator(mode="after")
    def _people_fit_databases(self) -> Self:
        for name, person in self.people.items():
            if name in self.accounts:
                raise invalid(f"people.{name} has the name of an account", instead="rename one of them")
            for wanted in person.databases:
                if wanted not in self.databases:
                    raise invalid(f"people.{name}.databases names {wanted}, which is not under databases")
        return self

    @model_validator(mode="after")
    def _listeners_differ(self) -> Self:
        taken: dict[Address, str] = {} if self.health is None else {self.health: "health"}
        for name, database in self.databases.items():
            if database.listen in taken:
                raise invalid(f"databases.{name}.listen is the address of {taken[database.listen]} already")
            taken[database.listen] = f"databases.{name}"
        return self

    @model_validator(mode="after")
    def _tenants_are_of_databases(self) -> Self:
        for name in () if self.keys is None else self.keys.tenants.own:
            if not _is_tenant(name, self.databases):
                raise invalid(
                    f"keys.tenants.own names {name}, which is no DATABASE@TENANT of the databases here"
                )
        return self

    @model_validator(mode="after")
    def _protected_columns_have_a_root(self) -> Self:
        if self.keys is None and any(database.columns for database in self.databases.values()):
            raise invalid(
                "columns are protected, but there is no keys.root to protect their keys",
                instead="add keys: {root: file:/etc/strongroom/root.key}",
            )
        if self.keys is None and self.protection is not None:
            raise invalid(
                "protection is kept beside the data under a root, but there is no keys.root",
                instead="add keys: {root: file:/etc/strongroom/root.key}",
            )
        return self


def _is_tenant(name: str, databases: Mapping[str, Database]) -> bool:
    database, sign, tenant = name.partition("@")
    return database in databases and bool(sign) and is_tenant_name(tenant)


def _with_limits(database: object, shared: Mapping[str, object]) -> object:
    if not isinstance(database, dict):
        return database
    own = database.get("limits", {})
    if not isinstance(own, dict):
        return database
    return database | {"limits": {**shared, **own}}
