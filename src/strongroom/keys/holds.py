"""Legal holds: keys that must not be destroyed, whoever asks, until the hold is released or its day is over.

A hold names a key as text: a keyset, a KEK, a root, or a tenant; all of it, or one version. It stops what
would end the key (``keys destroy``, ``keys root remove``) and nothing else. Kept in the state and in backups
of keys; one that was released stays in the list. Called by the key commands.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import Column, Date, DateTime, Engine, Integer, Table, Text, select, update
from sqlalchemy.dialects.sqlite import insert

from strongroom.errors import HoldUnknown
from strongroom.state import metadata

_holds = Table(
    "key_holds",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=True),
    Column("reason", Text, nullable=False),
    Column("since", DateTime, nullable=False),
    Column("until", Date, nullable=True),
    Column("released", DateTime, nullable=True),
    Column("released_for", Text, nullable=True),
)


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold."""

    id: str
    name: str
    """Of what it holds."""
    version: int | None
    """The number of the version that it holds; None for all."""
    reason: str
    since: datetime
    until: date | None = None
    """The last day, in UTC; None where it ends only by being released."""
    released: datetime | None = None
    released_for: str | None = None
    """Why it was released."""

    @classmethod
    def new(
        cls, name: str, version: int | None, reason: str, since: datetime, until: date | None = None
    ) -> "Hold":
        """A hold that begins."""
        return cls(secrets.token_hex(4), name, version, reason, since, until)

    def in_force(self, now: datetime) -> bool:
        """Whether it holds still."""
        return self.released is None and (self.until is None or now.astimezone(UTC).date() <= self.until)


class Holds:
    """The holds of one state."""

    def __init__(self, engine: Engine) -> None:
        metadata.create_all(engine, tables=[_holds])
        self._engine = engine

    def lay(self, hold: Hold) -> None:
        """Begins a hold; on the disk before this returns."""
        self.take_over([hold])

    def take_over(self, holds: Iterable[Hold]) -> None:
        """Those of a backup; one that is there already stays as it is."""
        with self._engine.begin() as connection:
            for one in holds:
                row = {
                    "id": one.id,
                    "name": one.name,
                    "version": one.version,
                    "reason": one.reason,
                    "since": _kept(one.since),
                    "until": one.until,
                    "released": None if one.released is None else _kept(one.released),
                    "released_for": one.released_for,
                }
                connection.execute(insert(_holds).values(row).on_conflict_do_nothing())

    def release(self, id_: str, reason: str, now: datetime) -> Hold:
        """Ends a hold; raises ``HoldUnknown`` where none of this number is in force."""
        where = (_holds.c.id == id_) & _holds.c.released.is_(None)
        values = {"released": _kept(now), "released_for": reason}
        with self._engine.begin() as connection:
            if connection.execute(update(_holds).where(where).values(values)).rowcount == 0:
                raise HoldUnknown(f"no hold {id_!r} is in force")
        return next(one for one in self.all() if one.id == id_)

    def all(self) -> list[Hold]:
        """Every hold, oldest first, those that are over included."""
        with self._engine.begin() as connection:
            rows = connection.execute(select(_holds).order_by(_holds.c.since, _holds.c.id)).all()
        return [
            Hold(
                row.id,
                row.name,
                row.version,
                row.reason,
                row.since.replace(tzinfo=UTC),
                row.until,
                row.released and row.released.replace(tzinfo=UTC),
                row.released_for,
            )
            for row in rows
        ]

    def naming(self, name: str, version: int | None = None) -> list[Hold]:
        """The holds in force on what has this name; with a version, those on it and on all versions."""
        now = datetime.now(UTC)
        return [
            one
            for one in self.all()
            if one.name == name
            and one.in_force(now)
            and (version is None or one.version is None or one.version == version)
        ]


def _kept(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None)
