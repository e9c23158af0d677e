"""What was asked of the database, what the policy said, and what came of it.

In the mode ``batch`` one record says all (`Permitted`); in ``sync`` `Intended` is on the disk before the
statement goes upstream, and `Ended` follows. Session and number of the statement join the two.
"""

from dataclasses import dataclass
from enum import IntEnum

from strongroom.audit.records.layout import at
from strongroom.audit.records.shared import Client, Head, Result


class Deed(IntEnum):
    """What a statement does: OCSF's activity_id of a Datastore Activity."""

    UPDATE = 2
    QUERY = 4
    WRITE = 5
    """COPY FROM, and MERGE, which may do all of it."""
    CREATE = 6
    """INSERT: OCSF's word for a new record."""
    DELETE = 7
    OTHER = 99


@dataclass(frozen=True, slots=True)
class Masked:
    """A column that came masked."""

    column: str = at("column")
    mask: str = at("mask")
    """As the policy writes it."""


MORE = "more"
"""In place of a hash: there were more values than a record has hashes, or they came in a stream."""

UNKNOWN = "unknown"
"""In place of a hash: a value that the gateway does not know, since the database computes it."""


@dataclass(frozen=True, slots=True)
class Keyed:
    """A keyed hash of a parameter that was held against a column, or written to it (`keyed.py`)."""

    column: str = at("column")
    hash: str = at("hash")
    """In hexadecimal; or `MORE` or `UNKNOWN`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A statement as it was understood, and what the policy said: the same each time it runs.

    Tables and columns are written as `naming.qualified` does.
    """

    deed: Deed = at("activity_id")
    fingerprint: str = at("query_info.uid")
    text: str = at("query_info.query_string", limit=4200)
    """Without values (`sql.normalized`); empty where it does not parse."""
    tables: tuple[str, ...] = at("unmapped.tables")
    revealed: tuple[str, ...] = at("unmapped.revealed")
    """Columns of which values came as they are, or were computed with."""
    masked: tuple[Masked, ...] = at("unmapped.masked")
    filtered: tuple[str, ...] = at("unmapped.filtered")
    """Columns that decided which rows are meant."""
    written: tuple[str, ...] = at("unmapped.written")
    actions: tuple[str, ...] = at("unmapped.actions")
    """What it did to tables: `policy.model.Action`, in the order of the alphabet."""
    functions: tuple[str, ...] = at("unmapped.functions")
    """That it calls by name, as far as a policy is asked about them."""
    rules: tuple[str, ...] = at("unmapped.rules")
    """The places in the configuration of the rules that decided."""
    policy: str | None = at("policy.uid", default=None)
    """SHA-256 of the policy; None where there is none."""
    assumed: str | None = at("unmapped.assumed", default=None)
    """The role that the session had assumed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a statement."""

    result: Result = at("status_id")
    sqlstate: str = at("status_code", limit=5)
    """00000 where all went well (manual, appendix "PostgreSQL Error Codes")."""
    duration: int = at("duration")
    """Milliseconds from where it was sent upstream to its last answer."""
    rows: int = at("unmapped.rows")
    values: int = at("unmapped.values")
    """That came as they are, of columns that a policy covers."""


@dataclass(frozen=True, slots=True)
class Permitted:
    """A statement ran; or was sent, and what came of it is not known."""

    head: Head
    client: Client
    plan: Plan
    outcome: Outcome
    database: str = at("database.name")
    """Strongroom's own name for it."""
    statement: int = at("unmapped.statement")
    """Counts the statements of a session from 1."""
    keyed: tuple[Keyed, ...] | None = at("unmapped.keyed", default=None)
    code: str | None = at("status_detail", default=None)
    """Of the error of ours that ended it, from docs/errors.md."""


@dataclass(frozen=True, slots=True)
class Intended:
    """A statement may go upstream now."""

    head: Head
    client: Client
    plan: Plan
    database: str = at("database.name")
    statement: int = at("unmapped.statement")
    keyed: tuple[Keyed, ...] | None = at("unmapped.keyed", default=None)


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of a statement that was intended."""

    head: Head
    client: Client
    outcome: Outcome
    database: str = at("database.name")
    statement: int = at("unmapped.statement")
    code: str | None = at("status_detail", default=None)


@dataclass(frozen=True, slots=True)
class Denied:
    """A statement did not go upstream: the policy said no, or nobody could say what it does."""

    head: Head
    client: Client
    plan: Plan
    database: str = at("database.name")
    statement: int = at("unmapped.statement")
    code: str = at("status_detail")
    """Of the error, from docs/errors.md."""
    sqlstate: str = at("status_code", limit=5)
    remark: str | None = at("unmapped.remark", default=None)
    """What the rules do not say: that one failed, or that nothing matched."""
