"""The register of backups: which there are, where and to whom, what they hold, when each was last drilled.

A backup is registered before its file has its name, so that none is ever out of the register: what destroys a
key must know of every copy. One that was destroyed is forgotten by hand, and stays in the list as such.
Called by the key commands.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType

from sqlalchemy import Column, DateTime, Engine, Table, Text, delete, select, update
from sqlalchemy.dialects.sqlite import insert

from strongroom.errors import BackupUnknown
from strongroom.keys.model import Keyset
from strongroom.state import metadata

_backups = Table(
    "key_backups",
    metadata,
    Column("id", Text, primary_key=True),
    Column("made", DateTime, nullable=False),
    Column("place", Text, nullable=False),
    Column("recipients", Text, nullable=False),
    Column("holds", Text, nullable=False),
    Column("drilled", DateTime, nullable=True),
    Column("forgotten", DateTime, nullable=True),
)


@dataclass(frozen=True, slots=True)
class Held:
    """What a backup holds of one KEK or keyset."""

    revision: int
    key_ids: frozenset[int]


@dataclass(frozen=True, slots=True)
class Backup:
    """One entry of the register; a file in somebody's hands."""

    id: str
    made: datetime
    place: str
    """Where it was written; nobody says if it was carried elsewhere."""
    to: str
    """Who can open it, in words: recipients, a passphrase, a set of shares."""
    holds: Mapping[str, Held] = field(default_factory=dict)
    drilled: datetime | None = None
    """When a drill last proved it whole."""
    forgotten: datetime | None = None
    """When somebody said that it was destroyed."""


def held(keyset: Keyset) -> Held:
    """What a backup made now would hold of a keyset: the keys whose material it has."""
    ids = frozenset(version.key_id for version in keyset.versions if version.dek is not None)
    return Held(keyset.revision, ids)


class Backups:
    """The register in one state."""

    def __init__(self, engine: Engine) -> None:
        metadata.create_all(engine, tables=[_backups])
        self._engine = engine

    def register(self, backup: Backup) -> None:
        """Enters a backup; one that is there already stays as it is."""
        holds = {name: [one.revision, *sorted(one.key_ids)] for name, one in sorted(backup.holds.items())}
        row = {
            "id": backup.id,
            "made": _kept(backup.made),
            "place": backup.place,
            "recipients": backup.to,
            "holds": json.dumps(holds),
            "drilled": _kept(backup.drilled),
            "forgotten": _kept(backup.forgotten),
        }
        with self._engine.begin() as connection:
            connection.execute(insert(_backups).values(row).on_conflict_do_nothing())

    def withdraw(self, id_: str) -> None:
        """Takes one back whose file never got its name."""
        with self._engine.begin() as connection:
            connection.execute(delete(_backups).where(_backups.c.id == id_))

    def all(self) -> list[Backup]:
        """Every backup, oldest first, forgotten ones included."""
        query = select(_backups).order_by(_backups.c.made, _backups.c.id)
        with self._engine.begin() as connection:
            rows = connection.execute(query).all()
        return [
            Backup(
                row.id,
                row.made.replace(tzinfo=UTC),
                row.place,
                row.recipients,
                _holds(row.holds),
                row.drilled and row.drilled.replace(tzinfo=UTC),
                row.forgotten and row.forgotten.replace(tzinfo=UTC),
            )
            for row in rows
        ]

    def holding(self, name: str, key_id: int | None = None) -> list[Backup]:
        """The backups that hold a KEK or keyset, or one key of it, and are not forgotten."""
        return [
            one
            for one in self.all()
            if one.forgotten is None
            and name in one.holds
            and (key_id is None or key_id in one.holds[name].key_ids)
        ]

    def note_drilled(self, id_: str, at: datetime) -> None:
        """A drill proved it whole; raises ``BackupUnknown``."""
        self._set(id_, drilled=_kept(at))

    def forget(self, id_: str, at: datetime) -> None:
        """It was destroyed, says somebody; raises ``BackupUnknown``."""
        self._set(id_, forgotten=_kept(at))

    def _set(self, id_: str, **values: datetime | None) -> None:
        where = (_backups.c.id == id_) & _backups.c.forgotten.is_(None)
        with self._engine.begin() as connection:
            if connection.execute(update(_backups).where(where).values(values)).rowcount == 0:
                raise BackupUnknown(f"no backup {id_!r} is registered, or it was forgotten before")


def _holds(text: str) -> Mapping[str, Held]:
    read = json.loads(text)
    return MappingProxyType({name: Held(one[0], frozenset(one[1:])) for name, one in read.items()})


def _kept(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(UTC).replace(tzinfo=None)
