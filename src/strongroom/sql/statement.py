"""What analysis says of a statement: frozen records, handed from `sql/` to `session/`.

`resolve.analyse` makes an `Analysis` of each text; `session/` sends its pieces upstream, sealing the holes,
renumbers Bind by `parameters`, checks RowDescription against `outputs` and opens what they say is sealed.
`explain.rows` renders one for people. Nothing here carries a decision of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, Flag, auto

from strongroom.policy.model import Mask
from strongroom.sql.access import Access
from strongroom.sql.normalized import Normalized
from strongroom.sql.schema import ColumnId, Protection, Schema


class Kind(Enum):
    """What a statement is, as far as the session treats statements differently."""

    SELECT = "SELECT"
    INSERT = "INSERT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    MERGE = "MERGE"
    COPY_IN = "COPY FROM STDIN"
    COPY_OUT = "COPY TO STDOUT"
    PREPARE = "PREPARE"
    EXECUTE = "EXECUTE"
    DEALLOCATE = "DEALLOCATE"
    DECLARE = "DECLARE"
    FETCH = "FETCH"
    CLOSE = "CLOSE"
    EXPLAIN = "EXPLAIN"
    SET = "SET"
    TRANSACTION = "TRANSACTION"
    DISCARD = "DISCARD"
    DDL = "DDL"
    OTHER = "OTHER"


class Barrier(Flag):
    """What must be answered and read anew before anything later is analysed (rule 1 of the design)."""

    NONE = 0
    CATALOG = auto()  # the catalog snapshot may have changed: DDL, temporary objects, DO
    SEARCH_PATH = auto()  # current_schemas(true) may have changed
    ROLE = auto()  # the role, and with it "$user" and what is visible, may have changed
    STYLE = auto()  # the settings by which values are read and written may have changed
    PREPARED = auto()  # the names in Context.prepared change as the statement says
    CURSORS = auto()  # the names in Context.cursors change as the statement says


@dataclass(frozen=True, slots=True)
class Tenant:
    """What names the tenant by whose key a value is sealed: a parameter, a literal, or else the session."""

    column_oid: int = 0  # the type of the column whose value the name is; 0: the session names the tenant
    client: int = 0  # the client's parameter, 1-based; in COPY, the place in the stream; 0: a literal
    type_oid: int = 0  # the parameter's own type; 0: the column's
    literal: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter as it is sent upstream; its place in `Resolved.parameters` is its number upstream."""

    client: int  # the client's parameter (1-based) whose value it takes
    type_oid: int = 0  # what ParameterDescription shows the client for that number; 0: what PostgreSQL says
    upstream_oid: int = (
        0  # what Parse declares upstream: 17 or 1001 (bytea, bytea[]) where sealed; 0: nothing
    )
    protection: Protection | None = None
    is_array: bool = False  # an array, each element sealed by itself
    compared: bool = False  # only compared, never stored: a value too long for the column is no error
    cut: int = 0  # characters to which a cast to varchar(n) cuts it first; 0: none
    members: tuple[int, ...] = ()  # the client's parameters of which it is made an array, to be sealed whole
    withheld: bool = False  # the client's value is a member of such an array; NULL goes in its place
    tenant: Tenant | None = None
    literal: str | None = field(
        default=None, repr=False
    )  # of the text: it goes as a parameter, since another of them names its tenant; never logged


@dataclass(frozen=True, slots=True)
class Output:
    """One column of the rows that come back."""

    name: str
    table_oid: int = 0  # what RowDescription must show; -1: anything that is not a protected column
    attnum: int = 0
    protection: Protection | None = None
    is_array: bool = False
    type_oid: int = 0  # what the client sees; 0: what PostgreSQL says
    typmod: int = -1
    column: ColumnId | None = None  # whose value it is as it stands, where it is one of a table's
    mask: Mask | None = None  # under which alone the client may see it

    @property
    def printed(self) -> bool:
        """Whether the client sees the text of a value of another type."""
        textual = self.type_oid in {25, 1043} and not self.is_array
        return textual and self.protection is not None and self.protection.type_oid not in {25, 1043}


@dataclass(frozen=True, slots=True)
class SealedLiteral:
    """A hole in the text: `value` is sealed and written as a whole literal, cast to bytea or bytea[]."""

    protection: Protection
    value: str = field(repr=False)  # the literal as PostgreSQL's lexer reads it; never logged
    type_oid: int = (
        0  # the type that the text is an input of: the column's, or that of the literal's own cast
    )
    is_array: bool = False  # an array literal; each element sealed by itself
    compared: bool = False
    cut: int = 0
    tenant: Tenant | None = None


Piece = str | SealedLiteral


@dataclass(frozen=True, slots=True)
class CopyColumn:
    """One column of a COPY stream."""

    name: str
    protection: Protection | None
    type_oid: int
    typmod: int
    tenant: Tenant | None = None


@dataclass(frozen=True, slots=True)
class Copy:
    """How the rows of COPY are written (manual, "COPY")."""

    columns: tuple[CopyColumn, ...]
    format: str = "text"  # text, csv or binary
    delimiter: str = "\t"
    null: str = "\\N"
    header: bool = False
    quote: str = '"'
    escape: str = '"'
    force_quote: tuple[str, ...] = ()  # COPY TO csv: these columns, or ("*",)
    force_null: tuple[str, ...] = ()  # COPY FROM csv
    force_not_null: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyedValue:
    """One value, or an array of them, that meets a keyed column (`keyed.py`)."""

    column: ColumnId
    client: int = 0  # the client's parameter, 1-based; 0: none
    literal: str = field(default="", repr=False)  # as PostgreSQL's lexer reads it; never logged
    type_oid: int = 0  # of the value, or of the array, where it stands; 0: the column's
    is_array: bool = False
    is_stored: bool = False  # it is written to the column, and not compared with it
    cut: int = 0  # characters that casts to varchar(n) leave of it; 0: all
    instead: str = ""  # said in place of a hash (`keyed.MORE`, `keyed.UNKNOWN`)


@dataclass(frozen=True, slots=True)
class Noticed:
    """What a statement does, for its record alone: no policy asks, and nothing is refused for it."""

    accesses: frozenset[Access]
    shown: frozenset[ColumnId] = frozenset()  # columns that are output as they stand
    relations: frozenset[int] = frozenset()  # every relation named, those of views, too


@dataclass(frozen=True, slots=True)
class Resolved:
    """One statement, understood."""

    kind: Kind
    pieces: tuple[Piece, ...]
    touched: bool = False  # it comes near a protected table; if not, it is sent as it came
    parameters: tuple[Parameter, ...] | None = None  # None: the client's own, in order, untouched
    outputs: tuple[Output, ...] | None = None  # None: no rows, or rows that need no thought
    touches: frozenset[ColumnId] = frozenset()  # protected columns read, written or compared
    relations: frozenset[int] = frozenset()  # every relation named
    unknown: frozenset[str] = frozenset()  # relations not in the snapshot: it may be old
    barriers: Barrier = Barrier.NONE
    name: str | None = None  # of PREPARE, EXECUTE, DEALLOCATE, DECLARE, FETCH, CLOSE; None: ALL
    transaction: str = ""  # of TRANSACTION: begin, commit, rollback, savepoint, release, rollback to, ...
    defines: "Resolved | None" = None  # what PREPARE or DECLARE defines
    text: str = field(default="", repr=False)  # of PREPARE, as the client wrote it: to be analysed anew
    copy: Copy | None = None
    assumes: str | None = field(default=None, repr=False)  # of SET strongroom.role: what it says
    free: bool = False  # BEGIN, ROLLBACK, SET strongroom.tenant: reads nothing and makes nothing last
    accesses: frozenset[Access] = frozenset()  # but for columns that are output as they stand
    metered: int | None = None  # values that each of its rows reveals, where rows are counted against limits
    hushed: bool = False  # it filters by what its client may not see: errors say nothing of values
    normalized: Normalized | None = None  # for its record, where there is one
    # Both are no part of what it means: a statement that was prepared stays the same with others.
    noticed: Noticed | None = field(default=None, compare=False)  # for its record, where no policy asks
    keyed: tuple[KeyedValue, ...] = field(default=(), compare=False)  # for its record
    context_free: bool = True  # Context.prepared and Context.cursors were not asked

    @property
    def veiled(self) -> bool:
        """Whether any of its outputs comes masked."""
        return any(one.mask is not None for one in self.outputs or ())

    @property
    def takes_back(self) -> bool:
        """Whether it may take back what the transaction, or a part of it, has changed (SET LOCAL too)."""
        return self.transaction in {"commit", "rollback", "rollback to", "prepare"}


@dataclass(frozen=True, slots=True)
class Analysis:
    """A text of one or more statements, understood."""

    statements: tuple[Resolved, ...]
    pieces: tuple[Piece, ...]  # the whole text to send, separators included

    @property
    def touched(self) -> bool:
        """Whether any statement comes near a protected table."""
        return any(statement.touched for statement in self.statements)

    @property
    def barriers(self) -> Barrier:
        """The barriers of all statements together."""
        barriers = Barrier.NONE
        for statement in self.statements:
            barriers |= statement.barriers
        return barriers


@dataclass(frozen=True, slots=True)
class Context:
    """All that analysis depends on."""

    schema: Schema
    protections: Mapping[ColumnId, Protection]
    search_path: tuple[str, ...]  # as current_schemas(true) gives it: pg_temp_N and pg_catalog included
    functions: Mapping[str, str] = field(default_factory=dict)  # `schema.name` that may be called -> reason
    prepared: Mapping[str, Resolved] = field(default_factory=dict)  # statements of this session by name
    cursors: Mapping[str, Resolved | None] = field(default_factory=dict)  # portals by name
    logins: frozenset[str] = frozenset()  # roles by which the gateway logs in
    recorded: bool = False  # statements are recorded, without their values
    policed: bool = False  # every statement is followed, so that a policy can be asked about it
    keyed: frozenset[ColumnId] = frozenset()  # columns of whose values records have keyed hashes
