"""What was done to keys, and when: a list in the state to which things are only added.

Names, ids and dates, never material nor values. `strongroom keys events` shows it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Connection, DateTime, Engine, Integer, Row, Table, Text, select, type_coerce

from strongroom.audit.records.shared import Doer, Holder
from strongroom.deeds.present import present
from strongroom.state import metadata

_events = Table(
    "key_events",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("at", DateTime, nullable=False),
    Column("what", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("details", Text, nullable=False),
)
_doers = Table(
    "key_event_doers",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
)
"""Beside the list, which is older: who did each thing, where that is known."""


@dataclass(frozen=True, slots=True)
class KeyEvent:
    """One thing that was done."""

    number: int
    at: datetime
    what: str
    """A word or two: rotated, exported, compromised."""
    subject: str
    """The name of a keyset, a KEK, a root or a backup."""
    details: Mapping[str, object]


class Journal:
    """The list."""

    def __init__(self, engine: Engine) -> None:
        metadata.create_all(engine, tables=[_events, _doers])
        self._engine = engine

    def add(self, what: str, subject: str, **details: object) -> None:
        """Writes one thing down, on the disk before this returns."""
        with self._engine.begin() as connection:
            note(connection, what, subject, **details)

    def take_over(self, events: Iterable[KeyEvent]) -> None:
        """The list of a lost state, from a backup; what is there already is not written twice."""
        there = {(one.at, one.what, one.subject) for one in self.events()}
        rows = [
            {
                "at": one.at.astimezone(UTC).replace(tzinfo=None),
                "what": one.what,
                "subject": one.subject,
                "details": json.dumps(dict(one.details)),
            }
            for one in events
            if (one.at, one.what, one.subject) not in there
        ]
        with self._engine.begin() as connection:
            for row in rows:
                connection.execute(_events.insert().values(row))

    def events(self) -> list[KeyEvent]:
        """All of it, oldest first."""
        return self.since(0)

    def since(self, number: int) -> list[KeyEvent]:
        """What came after this one, oldest first."""
        query = select(_events).where(_events.c.number > number).order_by(_events.c.number)
        with self._engine.begin() as connection:
            rows = connection.execute(query).all()
        return [
            KeyEvent(row.number, row.at.replace(tzinfo=UTC), row.what, row.subject, json.loads(row.details))
            for row in rows
        ]

    def readable(self, number: int) -> list[tuple[int, KeyEvent | None]]:
        """The same by their numbers, with None for a row that somebody made unreadable."""
        at = type_coerce(_events.c.at, Text).label("at")
        columns = (_events.c.number, at, _events.c.what, _events.c.subject, _events.c.details)
        query = select(*columns).where(_events.c.number > number).order_by(_events.c.number)
        with self._engine.begin() as connection:
            return [(row.number, _event(row)) for row in connection.execute(query)]

    def doers(self, number: int) -> Mapping[int, Doer]:
        """Who did what came after this one, by its number, as far as it was noted and can be read."""
        query = select(_doers).where(_doers.c.number > number)
        with self._engine.begin() as connection:
            return {
                row.number: Doer(row.name, Holder(row.kind))
                for row in connection.execute(query)
                if isinstance(row.name, str) and row.kind in list(Holder)
            }


def _event(row: Row[Any]) -> KeyEvent | None:
    """SQLite keeps anything anywhere: what is not of the form was put there by somebody else."""
    try:
        at, details = datetime.fromisoformat(row.at).replace(tzinfo=UTC), json.loads(row.details)
    except (ValueError, TypeError, RecursionError):
        return None
    whole = isinstance(row.what, str) and isinstance(row.subject, str)
    return KeyEvent(row.number, at, row.what, row.subject, details) if whole else None


def note(connection: Connection, what: str, subject: str, **details: object) -> None:
    """Writes one thing down in a transaction that does something else, too."""
    metadata.create_all(connection, tables=[_events, _doers])
    at = datetime.now(UTC).replace(tzinfo=None)
    row = {"at": at, "what": what, "subject": subject, "details": json.dumps(details, default=str)}
    added = connection.execute(_events.insert().values(row)).inserted_primary_key
    pen = present()
    if pen is not None and added is not None:
        who = {"number": added[0], "name": pen.doer.name, "kind": pen.doer.kind.value}
        connection.execute(_doers.insert().values(who))
