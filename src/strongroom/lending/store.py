"""Grants in the state, and the record of what was done with roles: a list to which things are only added.

No row is ever deleted: who had what, why, and who agreed stays to be seen. The record is announced by the
gateway, in its log, each line once (`unannounced`, `announce`). Times stand in UTC. Called by `deeds`, the
commands, and the supervisor of a gateway.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Boolean, Column, Integer, Row, Table, Text, insert, select, type_coerce, update
from sqlalchemy.engine import Connection

from strongroom.lending.model import Grant
from strongroom.policy.offers import Lent
from strongroom.state import Utc, metadata

ANNOUNCED_AT_ONCE = 100
"""Lines of the record that a gateway takes at a time."""

_grants = Table(
    "grants",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("role", Text, nullable=False),
    Column("person", Text, nullable=False, index=True),
    Column("seconds", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_at", Utc, nullable=False),
    Column("broke_glass", Boolean, nullable=False),
    Column("agreed", Text, nullable=False),
    Column("begins", Utc),
    Column("until", Utc, index=True),
    Column("ended_by", Text),
    Column("ended_at", Utc),
    sqlite_autoincrement=True,  # a number is never another's
)
_record = Table(
    "role_events",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("at", Utc, nullable=False),
    Column("what", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("details", Text, nullable=False),
    Column("announced", Boolean, nullable=False, index=True),
    sqlite_autoincrement=True,
)


@dataclass(frozen=True, slots=True)
class RoleEvent:
    """One thing that was done."""

    number: int
    at: datetime
    what: str
    """As `deeds` has it."""
    role: str
    person: str
    """Who has the role, or was to."""
    details: Mapping[str, object]


# ------------------------------------------------------------------------------------------- grants


def add(connection: Connection, grant: Grant) -> Grant:
    """Keeps a new grant; returns it with its number."""
    made = connection.execute(insert(_grants).values(_written(grant)))
    number = made.inserted_primary_key
    assert number is not None
    return _read(connection.execute(select(_grants).where(_grants.c.id == number[0])).one())


def keep(connection: Connection, grant: Grant) -> None:
    """Keeps what became of a grant."""
    connection.execute(update(_grants).where(_grants.c.id == grant.id).values(_written(grant)))


def find(connection: Connection, number: int) -> Grant | None:
    """The grant of this number."""
    row = connection.execute(select(_grants).where(_grants.c.id == number)).first()
    return None if row is None else _read(row)


def every(connection: Connection) -> Sequence[Grant]:
    """All that there ever were, oldest first."""
    return [_read(row) for row in connection.execute(select(_grants).order_by(_grants.c.id))]


def unended(connection: Connection) -> Sequence[Grant]:
    """Those that nobody ended."""
    query = select(_grants).where(_grants.c.ended_at.is_(None)).order_by(_grants.c.id)
    return [_read(row) for row in connection.execute(query)]


def in_force(connection: Connection, now: datetime) -> Mapping[str, tuple[Lent, ...]]:
    """What each person has now."""
    query = select(_grants).where((_grants.c.until > now) & _grants.c.ended_at.is_(None))
    found: dict[str, tuple[Lent, ...]] = {}
    for row in connection.execute(query.order_by(_grants.c.id)):
        lent = _read(row).lent(now)
        if lent is not None:
            found[row.person] = (*found.get(row.person, ()), lent)
    return found


def _written(grant: Grant) -> dict[str, object]:
    return {
        "role": grant.role,
        "person": grant.person,
        "seconds": int(grant.length.total_seconds()),
        "reason": grant.reason,
        "made_by": grant.made_by,
        "made_at": grant.made_at,
        "broke_glass": grant.broke_glass,
        "agreed": json.dumps(sorted(grant.agreed)),
        "begins": grant.begins,
        "until": grant.until,
        "ended_by": grant.ended_by,
        "ended_at": grant.ended_at,
    }


def _read(row: Row[Any]) -> Grant:
    return Grant(
        row.id,
        row.role,
        row.person,
        timedelta(seconds=row.seconds),
        row.reason,
        row.made_by,
        row.made_at,
        row.broke_glass,
        frozenset(json.loads(row.agreed)),
        row.begins,
        row.ended_by,
        row.ended_at,
    )


# ------------------------------------------------------------------------------------------- record


def note(connection: Connection, event: RoleEvent, *, announced: bool = False) -> None:
    """Writes one thing down, under a number of its own; ``announced`` where the gateway says it by itself."""
    row = {"at": event.at, "what": event.what, "role": event.role, "person": event.person}
    details = json.dumps(dict(event.details), default=str)
    connection.execute(insert(_record).values(**row, details=details, announced=announced))


def record(connection: Connection) -> Sequence[RoleEvent]:
    """All of it, oldest first."""
    return [_event(row) for row in connection.execute(select(_record).order_by(_record.c.number))]


def unannounced(connection: Connection) -> Sequence[RoleEvent]:
    """What no gateway has said yet, oldest first."""
    query = select(_record).where(~_record.c.announced).order_by(_record.c.number).limit(ANNOUNCED_AT_ONCE)
    return [_event(row) for row in connection.execute(query)]


def readable(connection: Connection, number: int) -> Sequence[tuple[int, RoleEvent | None]]:
    """What was done after this, by its numbers; None for a row that somebody made unreadable."""
    at = type_coerce(_record.c.at, Text).label("at")
    columns = (_record.c.number, at, *(_record.c[one] for one in ("what", "role", "person", "details")))
    query = select(*columns).where(_record.c.number > number).order_by(_record.c.number)
    return [(row.number, _readable(row)) for row in connection.execute(query)]


def announce(connection: Connection, events: Sequence[RoleEvent]) -> None:
    """Notes that these were said."""
    numbers = [one.number for one in events]
    connection.execute(update(_record).where(_record.c.number.in_(numbers)).values(announced=True))


def _readable(row: Row[Any]) -> RoleEvent | None:
    """SQLite keeps anything anywhere: what is not of the form was put there by somebody else."""
    try:
        at, details = datetime.fromisoformat(row.at).replace(tzinfo=UTC), json.loads(row.details)
    except (ValueError, TypeError, RecursionError):
        return None
    whole = all(isinstance(one, str) for one in (row.what, row.role, row.person))
    return RoleEvent(row.number, at, row.what, row.role, row.person, details) if whole else None


def _event(row: Row[Any]) -> RoleEvent:
    return RoleEvent(row.number, row.at, row.what, row.role, row.person, json.loads(row.details))
