"""The secrets behind a log's keyed hashes, in the state beside the keys that sign it.

The newest makes the hashes; the former ones find those that were made before. One that is forgotten finds
nothing any more; its hashes say no more than which of them are alike. They sign nothing and open no value.
Called by workers and by ``strongroom audit``.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Column, Engine, Integer, LargeBinary, Table, Text, delete, func, select
from sqlalchemy.dialects.sqlite import insert

from strongroom.audit.records.keyed import KEY_OCTETS
from strongroom.state import Utc, metadata

_secrets = Table(
    "audit_hash_secrets",
    metadata,
    Column("origin", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("secret", LargeBinary, nullable=False),
    Column("since", Utc, nullable=False),
)


@dataclass(frozen=True, slots=True)
class HashSecret:
    """One of them; ``since`` is when it was made, in UTC."""

    number: int
    since: datetime
    octets: bytes = field(repr=False)


class HashSecrets:
    """Those of one log."""

    def __init__(self, engine: Engine, origin: str) -> None:
        metadata.create_all(engine, tables=[_secrets])
        self._engine = engine
        self._origin = origin

    def all(self) -> Sequence[HashSecret]:
        """Every one that is not forgotten, the newest first."""
        query = select(_secrets).where(_secrets.c.origin == self._origin).order_by(_secrets.c.number.desc())
        with self._engine.begin() as connection:
            return [HashSecret(row.number, row.since, row.secret) for row in connection.execute(query)]

    def newest(self, now: datetime) -> HashSecret:
        """The one that makes hashes; the first there is, is made. All workers have the same."""
        if not self.all():
            self._insert(1, now)
        return self.all()[0]

    def add(self, now: datetime) -> HashSecret:
        """Another one, which makes hashes from the gateway's next reload or start on."""
        query = select(func.max(_secrets.c.number)).where(_secrets.c.origin == self._origin)
        with self._engine.begin() as connection:
            last = int(connection.scalar(query) or 0)
        self._insert(last + 1, now)
        return self.all()[0]

    def forget_former(self) -> int:
        """Forgets all but the newest; returns how many those were."""
        former = self.all()[1:]
        with self._engine.begin() as connection:
            for one in former:
                mine = (_secrets.c.origin == self._origin) & (_secrets.c.number == one.number)
                connection.execute(delete(_secrets).where(mine))
        return len(former)

    def _insert(self, number: int, now: datetime) -> None:
        """Unless another process was first."""
        row = {
            "origin": self._origin,
            "number": number,
            "secret": secrets.token_bytes(KEY_OCTETS),
            "since": now,
        }
        with self._engine.begin() as connection:
            connection.execute(insert(_secrets).values(row).on_conflict_do_nothing())
