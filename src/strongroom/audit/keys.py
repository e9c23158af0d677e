"""The keys that sign a log's checkpoints, and how far it had come, in the state.

A key signs from the day it was made until it ends; while two count, both sign, so that who verifies has time
to hear of the new one. They are independent of the keys of data: who may read values cannot sign, and the
other way round. How far the log had come is noted now and then, beside the log and not in it, so that an
older copy of its folder does not go unnoticed; and so is how much of the state's own lists is in it. Called
by the recorder, the supervisor and ``strongroom audit``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Column, Engine, Integer, LargeBinary, Table, Text, select, update
from sqlalchemy.dialects.sqlite import insert

from strongroom.audit.checkpoint import Signer, VerifierKey
from strongroom.state import Utc, metadata

_keys = Table(
    "audit_keys",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("origin", Text, nullable=False),
    Column("private", LargeBinary, nullable=False),
    Column("since", Utc, nullable=False),
    Column("until", Utc),
)
_marks = Table(
    "audit_marks",
    metadata,
    Column("origin", Text, primary_key=True),
    Column("list", Text, primary_key=True),
    Column("number", Integer, nullable=False),
)
_sizes = Table(
    "audit_sizes",
    metadata,
    Column("origin", Text, primary_key=True),
    Column("size", Integer, nullable=False),
)


MINIMUM = "minimum"
"""A mark that is no list's: how much of the log was pruned."""


@dataclass(frozen=True, slots=True)
class LogKey:
    """A key, with its times in UTC; ``until`` is None for one that signs until further notice."""

    signer: Signer
    since: datetime
    until: datetime | None

    @property
    def verifier(self) -> VerifierKey:
        """What whoever verifies the log is given."""
        return self.signer.key

    def signs(self, now: datetime) -> bool:
        """Whether it counts still."""
        return self.until is None or now < self.until


class LogKeys:
    """The keys of one log."""

    def __init__(self, engine: Engine, origin: str) -> None:
        metadata.create_all(engine, tables=[_keys, _sizes, _marks])
        self._engine = engine
        self._origin = origin

    def all(self) -> Sequence[LogKey]:
        """Every key that ever was, the oldest first."""
        query = select(_keys).where(_keys.c.origin == self._origin).order_by(_keys.c.number)
        with self._engine.begin() as connection:
            rows = connection.execute(query).all()
        return [
            LogKey(
                Signer(self._origin, Ed25519PrivateKey.from_private_bytes(row.private)), row.since, row.until
            )
            for row in rows
        ]

    def to_sign(self, now: datetime) -> Sequence[LogKey]:
        """Those that count now, the oldest first; the first there is, is made."""
        counting = [one for one in self.all() if one.signs(now)]
        return counting or [self.add(now)]

    def add(self, now: datetime, *, overlap_until: datetime | None = None) -> LogKey:
        """Makes a key that signs from now on. The former one ends when is said; otherwise all end at once."""
        signer = Signer(self._origin, Ed25519PrivateKey.generate())
        row = {"origin": self._origin, "private": signer.private.private_bytes_raw(), "since": now}
        with self._engine.begin() as connection:
            going = (
                _keys.c.until.is_(None) if overlap_until else _keys.c.until.is_(None) | (_keys.c.until > now)
            )
            mine = _keys.c.origin == self._origin
            connection.execute(update(_keys).where(mine & going).values(until=overlap_until or now))
            connection.execute(_keys.insert().values(row))
        return LogKey(signer, now, None)

    def marks(self) -> Mapping[str, int]:
        """Up to which number each list of the state is in the log; one that is not here, not at all."""
        query = select(_marks.c.list, _marks.c.number).where(_marks.c.origin == self._origin)
        with self._engine.begin() as connection:
            return {row.list: row.number for row in connection.execute(query)}

    def mark(self, name: str, number: int) -> None:
        """The list is in the log up to this number, and the log on the disk."""
        statement = insert(_marks).values(origin=self._origin, list=name, number=number)
        with self._engine.begin() as connection:
            connection.execute(
                statement.on_conflict_do_update(index_elements=["origin", "list"], set_={"number": number})
            )

    def minimum(self) -> int:
        """Before which record the log was pruned, as whoever pruned it wrote beside it."""
        return self.marks().get(MINIMUM, 0)

    def known_size(self) -> int:
        """How many records the log is known to have had."""
        with self._engine.begin() as connection:
            query = select(_sizes.c.size).where(_sizes.c.origin == self._origin)
            return int(connection.scalar(query) or 0)

    def note_size(self, size: int) -> None:
        """The log has so many records, and will never have fewer."""
        statement = insert(_sizes).values(origin=self._origin, size=size)
        with self._engine.begin() as connection:
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["origin"], set_={"size": size}, where=_sizes.c.size < size
                )
            )
