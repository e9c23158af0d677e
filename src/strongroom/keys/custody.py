"""Who keeps a key, who keeps its backup, and when that was last tested: for roots, KEKs and keysets alike.

Names of people or places, as somebody wrote them; nothing here decides who may do what. A drill is a test of
everything that its backup holds (`drill`); a root's copy is tested by a person, who says so. Called by the
key commands; ``overdue`` and ``unkept`` by `keys list`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Column, DateTime, Engine, Integer, Table, Text, select
from sqlalchemy.dialects.sqlite import insert

from strongroom.keys.kek import database_of, kek_name
from strongroom.state import metadata

GRACE = timedelta(days=30)
"""So long after a key was made somebody must be noted who keeps it, and somebody who keeps its backup."""

NOBODY = "nobody"
"""What is shown where nobody is noted."""

_custody = Table(
    "key_custody",
    metadata,
    Column("name", Text, primary_key=True),
    Column("keeper", Text, nullable=False),
    Column("backup_keeper", Text, nullable=False),
    Column("every", Integer, nullable=True),
    Column("since", DateTime, nullable=False),
    Column("tested", DateTime, nullable=True),
)


@dataclass(frozen=True, slots=True)
class Custody:
    """What is noted of one key."""

    name: str
    """Of a root, a KEK or a keyset."""
    keeper: str
    backup_keeper: str
    every: timedelta | None
    """How often the backup is to be tested, in whole days."""
    since: datetime
    """When this was first noted: from then on a test is due, where there was none."""
    tested: datetime | None = None

    @property
    def due(self) -> datetime | None:
        """When the next test must have been made."""
        return None if self.every is None else (self.tested or self.since) + self.every


@dataclass(frozen=True, slots=True)
class Overdue:
    """A key whose backup should have been tested by now."""

    name: str
    since: datetime
    backup_keeper: str
    """Whom to ask; empty where nobody is noted."""
    unkept: tuple[str, ...] = ()
    """Of what nobody is noted who keeps it: then that is overdue, and not a test."""

    @property
    def words(self) -> str:
        """What is to be said of the key."""
        if self.unkept:
            return (
                f"since {self.since:%Y-%m-%d} somebody should be noted who keeps {' and '.join(self.unkept)}"
            )
        return f"its backup should have been tested by {self.since:%Y-%m-%d}"


def overdue(engine: Engine, now: datetime) -> list[Overdue]:
    """The keys whose backups have not been tested in time, the longest overdue first."""
    late = [(one.due, one) for one in noted(engine) if one.due is not None and one.due < now]
    late.sort(key=lambda pair: (pair[0], pair[1].name))
    return [Overdue(one.name, due, one.backup_keeper) for due, one in late]


def keeping(notes: Mapping[str, Custody], name: str) -> Custody | None:
    """What is noted of a key; of a keyset of which nothing is, what is noted of the KEK that wraps it."""
    if "/" in name and name not in notes:
        return notes.get(kek_name(database_of(name)))
    return notes.get(name)


def unkept(engine: Engine, made: Mapping[str, datetime], now: datetime) -> Iterator[Overdue]:
    """Those of these keys that nobody keeps, or whose backup nobody keeps; with when each was made."""
    notes = {one.name: one for one in noted(engine)}
    for name, since in made.items():
        one = keeping(notes, name)
        kept = {"it": one and one.keeper, "its backup": one and one.backup_keeper}
        missing = tuple(what for what, who in kept.items() if not who)
        if missing and since + GRACE < now:
            yield Overdue(name, since + GRACE, "", missing)


def noted(engine: Engine) -> list[Custody]:
    """Everything that is noted, by name."""
    metadata.create_all(engine, tables=[_custody])
    with engine.begin() as connection:
        rows = connection.execute(select(_custody).order_by(_custody.c.name)).all()
    return [
        Custody(
            row.name,
            row.keeper,
            row.backup_keeper,
            None if row.every is None else timedelta(days=row.every),
            row.since.replace(tzinfo=UTC),
            None if row.tested is None else row.tested.replace(tzinfo=UTC),
        )
        for row in rows
    ]


def note(engine: Engine, entries: Iterable[Custody]) -> None:
    """Keeps these, each in place of what was noted of its key before."""
    rows = [
        {
            "name": one.name,
            "keeper": one.keeper,
            "backup_keeper": one.backup_keeper,
            "every": None if one.every is None else one.every.days,
            "since": _kept(one.since),
            "tested": None if one.tested is None else _kept(one.tested),
        }
        for one in entries
    ]
    metadata.create_all(engine, tables=[_custody])
    with engine.begin() as connection:
        for row in rows:
            statement = insert(_custody).values(row)
            connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=row))


def note_tested(engine: Engine, names: Iterable[str], at: datetime) -> None:
    """The backups of these keys were tested; a key of which nothing is noted gets no entry."""
    metadata.create_all(engine, tables=[_custody])
    with engine.begin() as connection:
        for name in names:
            connection.execute(_custody.update().where(_custody.c.name == name).values(tested=_kept(at)))


def _kept(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None)
