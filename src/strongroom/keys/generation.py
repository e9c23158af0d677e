"""Which state this is, and how far it has come: an id, and a number that grows with starts and changes.

Both stand in the state, and then beside the data too, so that a state that was copied back is known: beside
the data stands a number that it has not come to yet, or a mark of that number that it did not draw. It then
becomes another state, with an id of its own: what was asked for in the former one's name is void. The number
is written into the state first and beside the data after that; so a database that was out of reach for a
week, or a kill in between, leaves only too low a number there, which says nothing. Normative:
docs/spec/keys.md, "A state that was copied back". Called by ``gateway/generations.py`` and ``cli/keys``.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Engine,
    Integer,
    Table,
    Text,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert

from strongroom.keys.journal import note
from strongroom.keys.model import Keyset
from strongroom.keys.store import assume_used
from strongroom.protect.envelope import length_prefixed
from strongroom.state import State, metadata

KEPT = 4096
"""How many marks are kept: half a year of hours, for databases that were out of reach so long."""

_LABEL = "strongroom.generation.v1"
_identity = Table(
    "state_identity",
    metadata,
    Column("only", Integer, primary_key=True),
    Column("id", Text, nullable=False),
)
_generations = Table(
    "state_generations",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("mark", Text, nullable=False),
)
_rollbacks = Table(
    "state_rollbacks",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("found", DateTime, nullable=False),
    Column("what", Text, nullable=False),
    Column("former", Text, nullable=False),
    Column("acknowledged", DateTime, nullable=True),
)
_TABLES = [_identity, _generations, _rollbacks]


@dataclass(frozen=True, slots=True)
class Generation:
    """How far a state had come; ``mark`` is drawn for each number, so that copies tell themselves apart."""

    state: str
    number: int
    mark: str
    proof: str
    """That a holder of the state's secret wrote it, and nobody who has the database alone."""


class Verdict(Enum):
    """What a number beside the data says of the state."""

    FINE = "fine"
    BEHIND = "the state was copied back"
    FORKED = "the state was copied, and both copies are in use"
    FORGED = "somebody else wrote it"


RECOVERED = "the state was lost, and recovered from what stands beside the data"
BEGUN_ANEW = "the state knew nothing of keys that stand beside the data, and took them over"


@dataclass(frozen=True, slots=True)
class Rollback:
    """That a state was found to be a copy of a former one, or was made anew after a loss."""

    found: datetime
    what: str
    former: str
    """The id that the state had before; empty where that state was lost."""
    acknowledged: datetime | None

    @property
    def is_loss(self) -> bool:
        """Whether nothing is left of what stood in the former state alone."""
        return not self.former


def state_id(engine: Engine) -> str:
    """The id of a state, drawn at the first call: 16 hexadecimal digits."""
    metadata.create_all(engine, tables=_TABLES)
    with engine.begin() as connection:
        return _id(connection)


def advance(state: State) -> Generation:
    """The next number, on the disk before this returns; it goes beside the data after that."""
    metadata.create_all(state.engine, tables=_TABLES)
    with state.engine.begin() as connection:
        newest = connection.scalar(select(func.max(_generations.c.number))) or 0
        number, mark = newest + 1, secrets.token_hex(8)
        connection.execute(_generations.insert().values(number=number, mark=mark))
        connection.execute(delete(_generations).where(_generations.c.number <= number - KEPT))
        return _proven(state, _id(connection), number, mark)


def judge(state: State, found: Iterable[Generation]) -> tuple[Verdict, Generation] | None:
    """The worst of what stands beside the data, which must have been read before this is called.

    None where all is fine. Another process of this state may advance meanwhile: so the state is read last.
    """
    metadata.create_all(state.engine, tables=_TABLES)
    with state.engine.begin() as connection:
        this = _id(connection)
        known: dict[int, str] = {row.number: row.mark for row in connection.execute(select(_generations))}
    own = [one for one in found if one.state == this]
    judged = [(_judged(state, one, known), one) for one in own]
    for worst in (Verdict.BEHIND, Verdict.FORKED, Verdict.FORGED):
        for verdict, one in judged:
            if verdict is worst:
                return verdict, one
    return None


def _judged(state: State, found: Generation, known: Mapping[int, str]) -> Verdict:
    if not hmac.compare_digest(_proven(state, found.state, found.number, found.mark).proof, found.proof):
        return Verdict.FORGED
    if found.number > max(known, default=0):
        return Verdict.BEHIND
    if known.get(found.number, found.mark) != found.mark:  # what is older than what is kept says nothing
        return Verdict.FORKED
    return Verdict.FINE


def become_another(state: State, former: str, what: str, keysets: Iterable[Keyset]) -> str:
    """Makes a copy of the state ``former`` a state of its own, in one transaction; returns its id.

    How often keys were used since the copy was made is not known: more uses are assumed of every key. Of two
    processes that find it at once the second changes nothing.
    """
    with state.engine.begin() as connection:
        if (this := _id(connection)) != former:
            return this
        connection.execute(update(_identity).values(id=secrets.token_hex(8)))
        connection.execute(delete(_generations))
        row = {"found": _now(), "what": what, "former": former}
        connection.execute(_rollbacks.insert().values(row))
        assume_used(connection, keysets)
        now = _id(connection)
        note(connection, "state rolled back", now, former=former, found=what)
    return now


def note_loss(engine: Engine, what: str = RECOVERED, subject: str = "") -> bool:
    """Notes that the state begins without what only another one knew; before it is filled, and once.

    With a ``subject``, the databases, as an event too. Returns whether this is the once.
    """
    metadata.create_all(engine, tables=_TABLES)
    there = select(_rollbacks.c.number).where(_rollbacks.c.former == "", _rollbacks.c.acknowledged.is_(None))
    with engine.begin() as connection:
        if connection.scalar(there) is not None:
            return False
        connection.execute(_rollbacks.insert().values(found=_now(), what=what, former=""))
        if subject:
            note(connection, "state begun anew", subject, found=what)
    return True


def unseen(engine: Engine) -> list[Rollback]:
    """Those that nobody has seen to."""
    return [one for one in rollbacks(engine) if one.acknowledged is None]


def rollbacks(engine: Engine) -> list[Rollback]:
    """Every one that was found, oldest first."""
    metadata.create_all(engine, tables=_TABLES)
    with engine.begin() as connection:
        rows = connection.execute(select(_rollbacks).order_by(_rollbacks.c.number)).all()
    return [
        Rollback(
            row.found.replace(tzinfo=UTC),
            row.what,
            row.former,
            row.acknowledged and row.acknowledged.replace(tzinfo=UTC),
        )
        for row in rows
    ]


def acknowledge(engine: Engine) -> int:
    """Somebody has seen to them; how many there were."""
    metadata.create_all(engine, tables=_TABLES)
    where = _rollbacks.c.acknowledged.is_(None)
    with engine.begin() as connection:
        seen = connection.execute(update(_rollbacks).where(where).values(acknowledged=_now())).rowcount
        if seen:
            note(connection, "rollback acknowledged", _id(connection))
    return seen


def _id(connection: Connection) -> str:
    drawn = insert(_identity).values(only=1, id=secrets.token_hex(8)).on_conflict_do_nothing()
    connection.execute(drawn)
    return str(connection.scalar(select(_identity.c.id)))


def _proven(state: State, id_: str, number: int, mark: str) -> Generation:
    what = length_prefixed(_LABEL, id_, str(number), mark)
    return Generation(
        id_, number, mark, hmac.new(state.installation_secret, what, hashlib.sha256).hexdigest()
    )


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
