"""Which columns hold sealed values: what the state remembers, so that a database cannot take it back.

A configured column that was sealed once is never again taken for one that awaits its sealing, whatever type
the database says that it has: whoever can alter the table could otherwise have plaintext written into it.
Only `unprotect`, which needs the state, takes a column off this list.

Called by `gateway.protection` and the jobs of the command line.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Boolean, Column, Engine, Table, Text, select, update
from sqlalchemy.dialects.sqlite import insert

from strongroom.state import metadata

_sealed = Table(
    "sealed_columns",
    metadata,
    Column("database", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("released", Boolean, nullable=False, default=False),
)


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """One line of the list."""

    database: str
    name: str
    released: bool


class SealedColumns:
    """The list, by logical database and configured name."""

    def __init__(self, engine: Engine) -> None:
        metadata.create_all(engine, tables=[_sealed])
        self._engine = engine

    def of(self, database: str) -> frozenset[str]:
        """The columns of a database that were sealed, and not released since."""
        return self._names(database, released=False)

    def released(self, database: str) -> frozenset[str]:
        """The columns that `unprotect` took back to plaintext."""
        return self._names(database, released=True)

    def add(self, database: str, names: frozenset[str]) -> None:
        """Note that these are sealed."""
        if not names:
            return
        rows = [{"database": database, "name": name, "released": False} for name in sorted(names)]
        statement = insert(_sealed)
        statement = statement.on_conflict_do_update(
            index_elements=["database", "name"], set_={"released": False}
        )
        with self._engine.begin() as connection:
            connection.execute(statement, rows)

    def release(self, database: str, names: frozenset[str]) -> None:
        """Note that these are to be plaintext again."""
        where = (_sealed.c.database == database) & _sealed.c.name.in_(sorted(names))
        with self._engine.begin() as connection:
            connection.execute(update(_sealed).where(where).values(released=True))

    def _names(self, database: str, *, released: bool) -> frozenset[str]:
        where = (_sealed.c.database == database) & (_sealed.c.released == released)
        with self._engine.begin() as connection:
            return frozenset(connection.scalars(select(_sealed.c.name).where(where)))


def sealed_columns(engine: Engine) -> list[SealedColumn]:
    """The whole list, for a backup."""
    metadata.create_all(engine, tables=[_sealed])
    query = select(_sealed).order_by(_sealed.c.database, _sealed.c.name)
    with engine.begin() as connection:
        return [SealedColumn(row.database, row.name, row.released) for row in connection.execute(query)]


def take_over(engine: Engine, columns: Iterable[SealedColumn]) -> None:
    """The list of a backup, into a state that has none."""
    kept = SealedColumns(engine)
    for one in columns:
        kept.add(one.database, frozenset({one.name}))
        if one.released:
            kept.release(one.database, frozenset({one.name}))
