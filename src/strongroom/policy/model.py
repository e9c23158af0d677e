"""Who asks for what, under which circumstances, and what is answered; the words are those of the glossary.

The analysis of a statement says which `Access`es it makes, independently of who asks. `authorizer.Authorizer`
answers with a `Decision`, of which ``effect is PERMIT`` alone permits. Names are compared as PostgreSQL
compares them in its catalog: octet by octet, after unquoted ones were folded where they were written.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Literal

from strongroom.errors import Bug
from strongroom.policy.residual import Residual

__all__ = [
    "COLUMN_ACTIONS",
    "DENY",
    "PERMIT",
    "TABLE_ACTIONS",
    "Access",
    "Action",
    "Circumstances",
    "DataClass",
    "Decision",
    "Effect",
    "Mask",
    "Reason",
    "Resource",
    "Subject",
]


class Action(StrEnum):
    """What a statement does to a resource."""

    SELECT = "select"
    INSERT = "insert"
    UPDATE = "update"
    UPDATE_ALL = "update_all"
    """Besides `update`: no condition says which rows are meant."""
    DELETE = "delete"
    DELETE_ALL = "delete_all"
    TRUNCATE = "truncate"
    DDL = "ddl"
    COPY = "copy"
    CALL = "call"
    REVEAL = "reveal"
    """A column's values are needed as they are: in an expression, or anywhere that no mask can reach."""
    MASK = "mask"
    """A column goes to the client by itself, and may be masked on the way; `reveal` is the better answer."""
    FILTER = "filter"
    """A column decides which rows are meant: WHERE, JOIN, GROUP BY, ORDER BY."""
    WRITE = "write"


TABLE_ACTIONS = (
    Action.SELECT,
    Action.INSERT,
    Action.UPDATE,
    Action.UPDATE_ALL,
    Action.DELETE,
    Action.DELETE_ALL,
    Action.TRUNCATE,
    Action.DDL,
    Action.COPY,
)
COLUMN_ACTIONS = (Action.REVEAL, Action.MASK, Action.FILTER, Action.WRITE)


class DataClass(StrEnum):
    """What a column holds, as the company sees it."""

    SECRET = "secret"  # noqa: S105 - the name of a class of columns
    CONFIDENTIAL = "confidential"
    PROTECTED = "protected"
    """Also every column with an entry under ``columns:``."""
    PUBLIC = "public"


@dataclass(frozen=True, slots=True)
class Subject:
    """Who asks: a program's account, or a person."""

    name: str
    kind: Literal["account", "person"] = "account"
    roles: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    """What the identity provider says; which roles a group holds is in the policy."""


@dataclass(frozen=True, slots=True)
class Resource:
    """What is asked for: a column, table, schema, database or function; what is None is not narrowed down.

    ``database`` is Strongroom's own name for it. The other names stand as in the catalog, unquoted.
    """

    database: str
    schema: str | None = None
    table: str | None = None
    column: str | None = None
    function: str | None = None
    classes: frozenset[DataClass] = frozenset()
    """Beside those that the policy gives the column."""

    @property
    def relation(self) -> "Resource":
        """The table of a column; itself otherwise."""
        return self if self.column is None else replace(self, column=None, classes=frozenset())


@dataclass(frozen=True, slots=True)
class Access:
    """One thing that a statement does."""

    action: Action
    resource: Resource


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Under which the statement runs; whoever asks fills them in, since nothing here reads a clock.

    What is None is not known, and no condition on it holds.
    """

    now: datetime
    """With a time zone, whichever."""
    address: IPv4Address | IPv6Address | None = None
    """Of the client; None for a Unix socket."""
    second_factor_age: timedelta | None = None
    application: str | None = None
    """As the client calls itself (``application_name``); it may call itself anything."""
    certificate: bool = False
    """Whether the client has shown a certificate that was verified."""
    tenant: str | None = None
    assumed: str | None = None
    """The role that the session has assumed, which is in the record."""
    rows_this_hour: int = 0
    """Rows that the subject was given in the last hour, as whoever asks has counted them."""
    reveals_this_hour: int = 0
    """Values that came unmasked, likewise."""

    def __post_init__(self) -> None:
        if self.now.tzinfo is None:
            raise Bug("a moment without a time zone is no moment")


@dataclass(frozen=True, slots=True)
class Mask:
    """What is done to a value on its way out; ``protect`` does it, and says which fits which type."""

    name: str
    argument: str | int | None = None
    """``n`` of first and last, ``text`` of fixed, ``to`` of date, ``step`` of number."""

    def __str__(self) -> str:
        return self.name if self.argument is None else f"{self.name} {self.argument}"


class Effect(Enum):
    """What a decision comes to."""

    PERMIT = "permit"
    DENY = "deny"


PERMIT, DENY = Effect.PERMIT, Effect.DENY


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one access is permitted, masked or denied."""

    access: Access
    effect: Effect
    rules: tuple[str, ...] = ()
    """The rules that decided, as the places in the configuration where they stand; none if none matched."""
    mask: Mask | None = None
    remark: str = ""
    """What the rules do not say: that one failed, or that nothing matched."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one statement; ``effect is PERMIT`` alone permits it."""

    effect: Effect
    masks: Mapping[Resource, Mask] = field(default_factory=dict)
    """For each column that was asked for with `Action.MASK` and comes masked, by that very resource."""
    reasons: tuple[Reason, ...] = ()
    residual: Residual = field(default_factory=Residual)
    """Holds as long as this decision does."""

    def __bool__(self) -> bool:
        raise Bug("a decision is no truth value: ask whether its effect is PERMIT")
