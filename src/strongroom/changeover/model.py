"""What a changeover knows: the columns to change, what the catalog says of their tables, what came of it.

A changeover takes plaintext columns to sealed ones (`protect`), back (`unprotect`), or sealed ones to another
key (`keys rotate`), all in one go, since columns that foreign keys or indexes tie together must change in one
moment (design, rule 5). Frozen values; `survey.py` makes `Plan`, `job.py` carries it out and makes `Report`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from strongroom.keys.model import Keyset
from strongroom.protect.check import bounded_name, quoted
from strongroom.protect.plan import ColumnCodec
from strongroom.protect.scheme import Scheme
from strongroom.protect.tenants import TenantCodecs, TenantNames
from strongroom.sql.schema import SHADOW


class Direction(Enum):
    """Which form a changeover ends in."""

    PROTECT = "protect"
    UNPROTECT = "unprotect"
    REKEY = "rekey"
    """From the values of one key to those of another, which nobody may compare with each other."""

    @property
    def seals(self) -> bool:
        """Whether it ends in sealed values."""
        return self is not Direction.UNPROTECT


@dataclass(frozen=True, slots=True)
class Target:
    """A column to change; its keyset, or its tenants', must be kept beside the data already."""

    scheme: Scheme
    keyset: Keyset | None
    """None: each tenant has one."""
    codec: ColumnCodec | TenantCodecs
    tenant: str | None = None
    """Whose all values are that are plaintext still, where sessions say it of those to come."""

    @property
    def keyset_name(self) -> str:
        """The name of its keyset, or what tenants' names of theirs have in common."""
        return self.scheme.keyset

    @property
    def key_ids(self) -> frozenset[int] | None:
        """The ids of the keys whose values it may hold; None: those of any tenant."""
        return None if self.keyset is None else self.keyset.key_ids


@dataclass(frozen=True, slots=True)
class Naming:
    """The column of a table that names the tenants to which its rows belong."""

    name: str
    names: TenantNames


@dataclass(frozen=True, slots=True)
class Column:
    """A column to change, as the catalog has it."""

    target: Target
    attnum: int
    name: str
    not_null: bool
    comment: str | None
    grants: tuple[tuple[str, str, bool], ...]
    """(quoted grantee, privilege, grantable) of column privileges."""
    naming: Naming | None = None
    """What says by whose key a value is sealed, where the table does."""

    @property
    def shadow(self) -> str:
        """The name of the column that will take its place."""
        return shadow_name(self.name)

    def form(self, direction: Direction) -> str:
        """The type that the shadow has."""
        return "pg_catalog.bytea" if direction.seals else str(self.target.scheme.type)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an index: a column, or the text of an expression; then collation, class and order."""

    column: str | None
    text: str
    rest: str


@dataclass(frozen=True, slots=True)
class Index:
    """An index over columns that change, to be built anew on their shadows."""

    oid: int
    schema: str
    name: str
    unique: bool
    method: str
    keys: tuple[Part, ...]
    included: tuple[Part, ...]
    predicate: str
    storage: str
    """Its parameters and tablespace, as text after the columns."""
    constraint: str | None
    """'p' or 'u' where it belongs to a constraint, which has its name."""
    deferrable: str
    """How its constraint is deferrable, as text."""
    dropped: bool
    """Not built anew: an order of randomized values serves nobody."""

    @property
    def new_name(self) -> str:
        """Its name until the swap."""
        return f"strongroom_new_{self.oid}"


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key between columns that change; its definition names columns, so it is the same after."""

    table: int
    name: str
    definition: str
    validated: bool


@dataclass(frozen=True, slots=True)
class Table:
    """A table with columns that change."""

    oid: int
    schema: str
    name: str
    columns: tuple[Column, ...]
    indexes: tuple[Index, ...]
    order: tuple[tuple[int, str], ...]
    """(attnum, name) of all live columns but ours, in the order that clients know."""
    triggers: tuple[str, ...]
    """Triggers of users, whose functions are accepted; ours must fire after them."""

    @property
    def sql(self) -> str:
        """Its quoted, qualified name."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What will happen, or why it may not."""

    direction: Direction
    tables: tuple[Table, ...]
    foreign_keys: tuple[ForeignKey, ...]
    refusals: tuple[str, ...]
    notes: tuple[str, ...]
    """What the operator should know, in sentences."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """All columns that change."""
        return tuple(column for table in self.tables for column in table.columns)


class Stage(Enum):
    """The steps of a changeover, in order."""

    PREPARE = "prepare"
    PROPAGATE = "wait for gateways"
    FILL = "fill"
    RESEAL = "seal anew"
    INDEX = "index"
    CATCH_UP = "catch up"
    VERIFY = "verify"
    SWAP = "swap"
    SETTLE = "settle"
    REWRITE = "rewrite"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage is, in its own units: blocks of a table, indexes, statements."""

    stage: Stage
    what: str
    done: int
    total: int
    rows: int = 0


Tell = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """Tells nobody."""
    del progress


@dataclass(frozen=True, slots=True)
class Limits:
    """How hard a changeover may press; times in seconds."""

    lock_wait: float = 0.5
    """How long others may have to queue behind a lock that we wait for (lock_timeout)."""
    lock_tries: int = 120
    last_rows: int = 2000
    """Rows that may be left for the swap to fill under its lock; about 50,000 a second are filled."""
    batch_seconds: float = 0.15
    """What a batch should take: its locks on rows are held so long."""
    share: float = 0.95
    """The part of the time in which we work."""
    share_beside: float = 0.3
    """The same while others are at work: they are slowed down by less than a tenth."""
    replica_lag_bytes: int = 64 << 20
    """Replicas further behind than this are waited for."""


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a changeover."""

    plan: Plan
    rows: int
    """Values sealed or opened by the back-fill, those that writers made it do again included."""
    verified: int
    """Values that were opened again and compared."""
    seconds: float
    longest_lock: float
    """Seconds for which the longest exclusive lock was held, waiting for it not included."""
    lock_attempts: int
    leftovers: tuple[str, ...] = field(default=())
    """Where the former values may remain, in sentences."""


def shadow_name(column: str) -> str:
    """The shadow of a column; a name that would be too long is cut and made unique by its hash."""
    return bounded_name(SHADOW, column)
