"""What is to be ended, and from when that may be done: roots taken off, versions and KEKs destroyed.

Announced, delayed, done or cancelled: between the decision and the deed lie days, in which somebody may
notice that it is needed after all. A table in the state; what stands in the way is decided elsewhere
(``obstacles``), at both steps. Called by ``strongroom keys root remove`` and ``keys destroy``.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from sqlalchemy import Column, DateTime, Engine, Table, Text, delete, select, update
from sqlalchemy.dialects.sqlite import insert

from strongroom.errors import DestructionRefused, RootRemovalRefused
from strongroom.keys.journal import note
from strongroom.state import metadata

_endings = Table(
    "key_endings",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("due", DateTime, nullable=False),
    Column("begun", Text, nullable=True),
)


class Kind(Enum):
    """What can be ended."""

    ROOT = "root"
    VERSION = "version"
    KEK = "kek"


@dataclass(frozen=True, slots=True)
class Ending:
    """One thing that is to be ended."""

    kind: Kind
    name: str
    """Of its kind it is the only one of this name."""
    deed: str
    """In words: the removal of the root 'file 1f2e3d4c'."""
    command: str
    """What announces it, carries it out, and takes it back with ``--cancel``."""

    def refused(
        self, message: str, hint: str = "", detail: str = ""
    ) -> RootRemovalRefused | DestructionRefused:
        """The error of its kind."""
        error = RootRemovalRefused if self.kind is Kind.ROOT else DestructionRefused
        return error(message, hint=hint, detail=detail)


def of_root(name: str) -> Ending:
    """What a root wrapped, taken off."""
    command = f"strongroom keys root remove {shlex.quote(name)}"
    return Ending(Kind.ROOT, name, f"the removal of the root {name!r}", command)


def of_version(keyset: str, number: int, key_id: int) -> Ending:
    """One version of a keyset, destroyed; kept by its id, which is never given out again."""
    command = f"strongroom keys destroy {shlex.quote(keyset)} {number}"
    deed = f"the destruction of version {number} of {keyset!r}"
    return Ending(Kind.VERSION, f"{keyset} {key_id:08x}", deed, command)


def of_kek(name: str, command: str) -> Ending:
    """A whole key-encryption key, destroyed with everything that it wraps."""
    return Ending(Kind.KEK, name, f"the destruction of {name!r}", command)


class Endings:
    """What was announced."""

    def __init__(self, engine: Engine) -> None:
        metadata.create_all(engine, tables=[_endings])
        self._engine = engine

    def all(self, kind: Kind) -> Mapping[str, datetime]:
        """By the names of a kind, from when on each may be ended."""
        query = select(_endings.c.name, _endings.c.due).where(_endings.c.kind == kind.value)
        with self._engine.begin() as connection:
            return {row.name: row.due.replace(tzinfo=UTC) for row in connection.execute(query)}

    def due(self, ending: Ending) -> datetime | None:
        """From when on it may be done; None where it was not announced."""
        return self.all(ending.kind).get(ending.name)

    def schedule(self, ending: Ending, due: datetime) -> datetime:
        """Notes it, and returns from when on it may be done: an earlier note stays as it is."""
        row = {
            "kind": ending.kind.value,
            "name": ending.name,
            "due": due.astimezone(UTC).replace(tzinfo=None),
        }
        with self._engine.begin() as connection:
            connection.execute(insert(_endings).values(row).on_conflict_do_nothing())
        return self.all(ending.kind)[ending.name]

    def refuse_early(self, ending: Ending, now: datetime) -> None:
        """Raises the error of its kind where it was not announced, or is not due yet."""
        due = self.due(ending)
        if due is None:
            raise ending.refused(f"{ending.deed} was not scheduled", f"Run: {ending.command}")
        if now < due:
            raise ending.refused(
                f"{ending.deed} is due on {due:%Y-%m-%d %H:%M}Z",
                f"Run it again then; to take it back: {ending.command} --cancel",
            )

    def begun(self, ending: Ending, mark: str | None = None) -> str | None:
        """What was noted when it was first begun, so that an interrupted run goes on where it stopped.

        With a ``mark``, that is noted unless something is already.
        """
        where = (_endings.c.kind == ending.kind.value) & (_endings.c.name == ending.name)
        with self._engine.begin() as connection:
            if mark is not None:
                connection.execute(
                    update(_endings).where(where, _endings.c.begun.is_(None)).values(begun=mark)
                )
            found: str | None = connection.scalar(select(_endings.c.begun).where(where))
        return found

    def done(self, ending: Ending, what: str, **details: object) -> None:
        """Takes the note away and writes the deed down, in one transaction: an event, and one only."""
        where = (_endings.c.kind == ending.kind.value) & (_endings.c.name == ending.name)
        with self._engine.begin() as connection:
            if connection.execute(delete(_endings).where(where)).rowcount:
                note(connection, what, ending.name, **details)

    def forget(self, ending: Ending) -> bool:
        """Takes the note away: it was done, or is not to be done; whether there was one."""
        where = (_endings.c.kind == ending.kind.value) & (_endings.c.name == ending.name)
        with self._engine.begin() as connection:
            return connection.execute(delete(_endings).where(where)).rowcount > 0
