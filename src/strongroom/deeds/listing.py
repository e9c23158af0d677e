"""The list of deeds in the state, one for each log: appended to by commands, taken up by the gateway.

Each row has a record as the log is to have it, and the hash of that and of the row before; so a row that is
deleted or changed before it is taken up shows (`Untaken.removed`), unless who did it wrote the rest anew.
What is in the log is deleted here, once it is on the log's disk. Refused sign-ins, which others than
administrators can cause, are bounded: what goes beyond is counted. Every function is one step of a
transaction that the caller has begun, and which holds SQLite's write lock. Times are milliseconds by the
machine's clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Integer,
    LargeBinary,
    Row,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.engine import Connection

from strongroom.audit.records.changes import AccountChanged
from strongroom.audit.records.codes import Record
from strongroom.audit.records.reading import read
from strongroom.audit.records.running import ClockTurnedBack, CommandRun, JobTurned
from strongroom.audit.records.sessions import LoginFailed, SignedIn
from strongroom.deeds.clock import TOLERANCE
from strongroom.errors import InvalidRecord
from strongroom.state import metadata

MINOR_AT_MOST = 1000
"""Refused sign-ins that wait to be taken up; more are counted, and not listed."""
AT_ONCE = 500
"""Deeds that a gateway takes at a time."""
KINDS = (AccountChanged, ClockTurnedBack, CommandRun, JobTurned, LoginFailed, SignedIn)
"""The records that may stand in the list."""

_NOTHING = b"\0" * 32
"""The digest before the first."""

_deeds = Table(
    "deeds",
    metadata,
    Column("origin", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("octets", LargeBinary, nullable=False),
    Column("minor", Boolean, nullable=False),
    Column("digest", LargeBinary, nullable=False),
)
_lists = Table(
    "deed_lists",
    metadata,
    Column("origin", Text, primary_key=True),
    Column("number", Integer, nullable=False),  # of the newest row, and its digest
    Column("digest", LargeBinary, nullable=False),
    Column("taken", Integer, nullable=False),  # the same of the last that is in the log, and when
    Column("taken_digest", LargeBinary, nullable=False),
    Column("taken_at", Integer, nullable=False),
    Column("left_out", Integer, nullable=False),
    Column("clock", Integer, nullable=False),  # what the machine's clock was last known to say
)


@dataclass(frozen=True, slots=True)
class Untaken:
    """What the log does not have yet."""

    records: Sequence[bytes]
    """As they are to stand there, in the order in which they were done."""
    removed: int
    """So many rows are not there any more, or are not what was listed."""
    left_out: int
    """So many were only counted."""
    since: int
    """When what is here was last taken up; 0 for never."""
    number: int
    """Of the last row that this goes up to, and its digest."""
    digest: bytes

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.records or self.removed or self.left_out)


@dataclass(frozen=True, slots=True)
class DeedList:
    """The list for the log of one origin."""

    origin: str

    def append(self, connection: Connection, octets: bytes, *, minor: bool = False) -> bool:
        """Adds a record; False where it is one of too many ``minor`` ones, and only counted."""
        standing = self._standing(connection)
        if minor and self._minor(connection) >= MINOR_AT_MOST:
            self._set(connection, left_out=standing.left_out + 1)
            return False
        number, digest = standing.number + 1, _digest(standing.digest, octets)
        row = {"origin": self.origin, "number": number, "octets": octets, "minor": minor, "digest": digest}
        connection.execute(insert(_deeds).values(**row))
        self._set(connection, number=number, digest=digest)
        return True

    def untaken(self, connection: Connection) -> Untaken:
        """The oldest of what the log does not have."""
        standing = self._standing(connection)
        query = select(_deeds).where((_deeds.c.origin == self.origin) & (_deeds.c.number > standing.taken))
        rows = connection.execute(query.order_by(_deeds.c.number).limit(AT_ONCE)).all()
        number, digest, removed = standing.taken, standing.taken_digest, 0
        records = []
        for row in rows:
            follows = row.number == number + 1
            removed += row.number - number - 1
            # Behind a row that is missing there is nothing to hold this one's digest against.
            octets = _octets(row.octets)
            whole = not follows or row.digest == _digest(digest, octets)
            if whole and self._is_deed(octets):
                records.append(octets)
            else:
                removed += 1
            number, digest = row.number, _octets(row.digest)
        if len(rows) < AT_ONCE and number < standing.number:
            removed += standing.number - number
            number, digest = standing.number, standing.digest
        return Untaken(records, removed, standing.left_out, standing.taken_at, number, digest)

    def take(self, connection: Connection, taken: Untaken, now: int) -> None:
        """Forgets what is in the log now, and on its disk."""
        standing = self._standing(connection)
        mine = (_deeds.c.origin == self.origin) & (_deeds.c.number <= taken.number)
        connection.execute(delete(_deeds).where(mine))
        self._set(
            connection,
            taken=taken.number,
            taken_digest=taken.digest,
            taken_at=now,
            left_out=max(standing.left_out - taken.left_out, 0),
        )

    def hear(self, connection: Connection, now: int) -> int | None:
        """Notes what the clock says; returns what it said before, where that was later."""
        before = self._standing(connection).clock
        self._set(connection, clock=now)
        return before if now < before - TOLERANCE else None

    def _is_deed(self, octets: bytes) -> bool:
        try:
            record: Record = read(octets)
        except InvalidRecord:
            return False
        return isinstance(record, KINDS) and record.head.gateway == self.origin

    def _minor(self, connection: Connection) -> int:
        mine = (_deeds.c.origin == self.origin) & _deeds.c.minor
        return connection.scalar(select(func.count()).select_from(_deeds).where(mine)) or 0

    def _standing(self, connection: Connection) -> Row[Any]:
        metadata.create_all(connection, tables=[_deeds, _lists])
        query = select(_lists).where(_lists.c.origin == self.origin)
        found = connection.execute(query).first()
        if found is None:
            first = {"number": 0, "taken": 0, "taken_at": 0, "left_out": 0, "clock": 0}
            digests = {"digest": _NOTHING, "taken_digest": _NOTHING}
            connection.execute(insert(_lists).values(origin=self.origin, **first, **digests))
            found = connection.execute(query).one()
        return found

    def _set(self, connection: Connection, **values: object) -> None:
        connection.execute(update(_lists).where(_lists.c.origin == self.origin).values(**values))


def _octets(found: object) -> bytes:
    """SQLite keeps anything anywhere; what is no octets was put there by somebody else."""
    return found if isinstance(found, bytes) else b""


def _digest(before: bytes, octets: bytes) -> bytes:
    return sha256(before + octets).digest()
