"""Roots whose wraps are to be taken off, and from when that may be done: a table in the state.

Between the decision and the deed lie days, in which somebody may notice that the root is needed after all.
Called by ``strongroom keys root remove``.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import Column, DateTime, Engine, Table, Text, delete, select
from sqlalchemy.dialects.sqlite import insert

from strongroom.errors import RootRemovalRefused
from strongroom.state import metadata

_removals = Table(
    "root_removals",
    metadata,
    Column("name", Text, primary_key=True),
    Column("due", DateTime, nullable=False),
)


class Removals:
    """What was scheduled."""

    def __init__(self, engine: Engine) -> None:
        metadata.create_all(engine, tables=[_removals])
        self._engine = engine

    def all(self) -> Mapping[str, datetime]:
        """By the names of the roots, from when on each may be taken off."""
        with self._engine.begin() as connection:
            return {row.name: row.due.replace(tzinfo=UTC) for row in connection.execute(select(_removals))}

    def schedule(self, name: str, due: datetime) -> datetime:
        """Notes a removal, and returns from when on it may be done: an earlier note stays as it is."""
        row = {"name": name, "due": due.astimezone(UTC).replace(tzinfo=None)}
        with self._engine.begin() as connection:
            connection.execute(insert(_removals).values(row).on_conflict_do_nothing())
        return self.all()[name]

    def refuse_early(self, name: str, now: datetime) -> None:
        """Raises ``RootRemovalRefused`` where the removal was not scheduled, or is not due yet."""
        due = self.all().get(name)
        if due is None:
            raise RootRemovalRefused(
                f"the removal of the root {name!r} was not scheduled",
                hint=f"Run: strongroom keys root remove {name!r}",
            )
        if now < due:
            raise RootRemovalRefused(
                f"the removal of the root {name!r} is due on {due:%Y-%m-%d %H:%M}Z",
                hint=f"Run it again then; to take it back: strongroom keys root remove {name!r} --cancel",
            )

    def forget(self, name: str) -> bool:
        """Takes the note away: it was done, or is not to be done; whether there was one."""
        with self._engine.begin() as connection:
            return connection.execute(delete(_removals).where(_removals.c.name == name)).rowcount > 0
