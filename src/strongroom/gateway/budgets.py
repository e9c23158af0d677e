"""What people and programs were given within the hour, where their roles limit it: rows and revealed values.

Counted in the state, so that all workers of a gateway, and the next start of it, go by one count. It is taken
before the rows go out, in the transaction that looks whether they may; a worker that is killed in between has
counted what nobody got, and never the other way round. Rows count until the minute in which they went out is
an hour old.

Made by `judging`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Column, Integer, Table, Text, delete, func, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import Connection

from strongroom.errors import BudgetSpent
from strongroom.policy.model import Subject
from strongroom.policy.residual import Limits
from strongroom.state import State, metadata

_given = Table(
    "given",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("minute", Integer, primary_key=True),
    Column("rows", Integer, nullable=False),
    Column("reveals", Integer, nullable=False),
)

HOUR = timedelta(hours=1) // timedelta(minutes=1)
"""In the unit in which we count."""


@dataclass(frozen=True, slots=True)
class Given:
    """So much within the hour."""

    rows: int = 0
    reveals: int = 0


@dataclass(frozen=True, slots=True)
class Budgets:
    """The counts of everybody whom limits bind."""

    state: State

    def given(self, subject: Subject, now: datetime) -> Given:
        """What the subject was given within the hour."""
        with self.state.engine.begin() as connection:
            return _within_the_hour(connection, _named(subject), _minute(now))

    def spend(self, subject: Subject, limits: Limits, more: Given, now: datetime) -> None:
        """Counts what is about to go out; where it would be too much, raises `BudgetSpent` instead."""
        name, minute = _named(subject), _minute(now)
        with self.state.engine.begin() as connection:
            before = _within_the_hour(connection, name, minute)
            if not limits.allow(before.rows + more.rows, before.reveals + more.reveals):
                raise BudgetSpent(f"no more than {limits}")
            connection.execute(delete(_given).where(_given.c.minute <= minute - HOUR - 1))
            row = insert(_given).values(subject=name, minute=minute, rows=more.rows, reveals=more.reveals)
            added = {key: _given.c[key] + row.excluded[key] for key in ("rows", "reveals")}
            connection.execute(row.on_conflict_do_update(index_elements=["subject", "minute"], set_=added))


def _within_the_hour(connection: Connection, subject: str, minute: int) -> Given:
    """What lies ahead counts, too: a clock that was put back gives nobody more."""
    sums = (func.coalesce(func.sum(_given.c[key]), 0) for key in ("rows", "reveals"))
    query = select(*sums).where(_given.c.subject == subject, _given.c.minute > minute - HOUR - 1)
    rows, reveals = connection.execute(query).one()
    return Given(rows, reveals)


def _named(subject: Subject) -> str:
    return f"{subject.kind} {subject.name}"


def _minute(now: datetime) -> int:
    return int(now.astimezone(UTC).timestamp()) // 60
