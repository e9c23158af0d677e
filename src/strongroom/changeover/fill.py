"""Filling shadows, and opening them again to compare: a batch of rows at a time, in the order they lie.

A batch is read, converted here and written back by (ctid, xmin), which name one version of one row: what was
changed meanwhile is not found, is still empty (the trigger's work) and is met again later. Nothing is locked
longer than one UPDATE takes. Called by ``job.py``, and by ``swap.py`` for the last rows.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from strongroom.changeover import places
from strongroom.changeover.database import Database, Values
from strongroom.changeover.model import Column, Direction, Progress, Stage, Table, Tell
from strongroom.changeover.pace import Pace
from strongroom.changeover.statements import missing
from strongroom.changeover.throttle import Throttle
from strongroom.errors import ChangeoverMismatch, ChangeoverRefused
from strongroom.protect.check import quoted
from strongroom.protect.plan import BINARY_FORMAT, TEXT_FORMAT, ColumnCodec, Sent
from strongroom.protect.style import TextStyle

# As ``database.SETTINGS`` has it.
STYLE = TextStyle(date_style="ISO", date_order="YMD")
CATCH_UP_ROWS = 1000
CATCH_UP_ROUNDS = 10_000  # ten million rows changed behind us: they will not be caught up with

NOTE_SECONDS = 2.0
"""Between two notes of how far we are."""


@dataclass
class Filler:
    """Fills and verifies the shadows of one table."""

    database: Database
    table: Table
    direction: Direction
    tell: Tell
    throttle: Throttle
    note: Callable[[int], None]
    """Writes down up to which block the table is filled."""
    rows: int = 0
    verified: int = 0

    def __post_init__(self) -> None:
        self._pace = Pace(self.database, self.table.oid, self.throttle)

    def fill(self, start: int) -> None:
        """One pass over all rows from a block on; rows that change behind us are left for ``catch_up``."""
        noted = time.monotonic()
        for batch in self._pace.batches(start):
            batch.rows = self._fill_where(f"{batch.condition} AND ({missing(self.table)})")
            self.rows += batch.rows
            self.tell(Progress(Stage.FILL, self.table.sql, batch.done, batch.total, self.rows))
            if time.monotonic() - noted > NOTE_SECONDS:
                self.note(batch.last)
                noted = time.monotonic()
        self.note(self._pace.blocks())

    def catch_up(self, enough: int) -> None:
        """Fills what writers emptied, by the index of such rows, until ``enough`` or fewer were left."""
        for _ in range(CATCH_UP_ROUNDS):
            begun = time.monotonic()
            rows = self.fill_some(CATCH_UP_ROWS)
            self.rows += rows
            self.tell(Progress(Stage.CATCH_UP, self.table.sql, 0, 0, self.rows))
            if rows <= enough and self.left(enough) <= enough:
                return
            self._pace.rest(rows, time.monotonic() - begun)
        raise ChangeoverRefused(
            f"rows of {self.table.sql} are changed as fast as they are filled",
            hint="run it again at a quieter time; if there are none, look at the triggers of the table",
        )

    def left(self, limit: int) -> int:
        """How many rows are still to be filled, counted up to one beyond a limit."""
        query = (
            f"SELECT count(*) FROM (SELECT FROM {self.table.sql} t WHERE {missing(self.table)}"
            f" LIMIT {limit + 1}) s"
        )
        return int(self.database.value(query))

    def fill_some(self, limit: int) -> int:
        """Fills up to so many rows that are left, and compares them as they are stored."""
        return self._fill_where(f"({missing(self.table)}) LIMIT {limit}", compare=True)

    def verify(self) -> None:
        """Opens each value again and compares it with the original; raises ``ChangeoverMismatch``.

        All in one snapshot, so that no row escapes by moving; later ones are compared as they are written.
        """
        with self.database.transaction():
            self.database.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            for batch in self._pace.batches():
                query = f"SELECT {self._pairs()} FROM {self.table.sql} t WHERE {batch.condition}"
                self._compare_rows(self.database.raw(query, binary=True))
                self.tell(Progress(Stage.VERIFY, self.table.sql, batch.done, batch.total, self.verified))

    # ------------------------------------------------------------------------------------ batches

    def _fill_where(self, where: str, *, compare: bool = False) -> int:
        """Fills the rows of a condition; returns how many were read."""
        columns = self.table.columns
        naming = [column.naming for column in columns if column.naming is not None]
        read = [*(column.name for column in columns), *(one.name for one in naming)]
        names = ", ".join(f"t.{quoted(name)}" for name in read)
        query = f"SELECT {places.READ}, {names} FROM {self.table.sql} t WHERE {where}"
        rows = self.database.raw(query, binary=True)
        if not rows:
            return 0
        found = _columns(rows)
        tenants = dict(zip((one.name for one in naming), found[len(columns) :], strict=True))
        values = [
            _converted(column, self.direction, of_column, tenants)
            for column, of_column in zip(columns, found, strict=False)
        ]
        sent: Sequence[object] = values
        if not self.direction.seals:
            sent = [[_decoded(value) for value in column] for column in values]
        self._write(places.of(rows), sent, compare=compare)
        return len(rows)

    def _write(self, where: Sequence[object], values: Sequence[object], *, compare: bool) -> None:
        if not compare:
            self.database.run(self._update(), *where, *values)
            return
        stored = f"{self._update()} RETURNING {self._pairs().replace('%', '%%')}"
        self._compare_rows(self.database.raw(stored, *where, *values, binary=True))

    def _update(self) -> str:
        columns = self.table.columns
        form = "%b::bytea[]" if self.direction.seals else "%t::text[]"
        arrays = ", ".join(form for _ in columns)
        names = ", ".join(f"v{place}" for place in range(len(columns)))
        sets = ", ".join(
            f"{quoted(column.shadow)} = CAST(s.v{place} AS {column.form(self.direction)})"
            for place, column in enumerate(columns)
        )
        return (
            f"UPDATE {self.table.sql} t SET {sets}".replace("%", "%%")  # what follows has placeholders
            + f" FROM (SELECT id, x, {names}"
            f" FROM unnest({places.UNNESTED}, {arrays}) u(id, x, {names}) OFFSET 0) s"
            " WHERE t.ctid = s.id AND t.xmin = s.x"
        )

    def _pairs(self) -> str:
        """The originals and shadows of all columns."""
        return ", ".join(
            f"t.{quoted(name)}" for column in self.table.columns for name in (column.name, column.shadow)
        )

    def _compare_rows(self, rows: Sequence[Values]) -> None:
        for place, column in enumerate(self.table.columns):
            # A shadow is empty for NULL, or emptied by a writer and filled again before the swap.
            pairs = [row[2 * place : 2 * place + 2] for row in rows if row[2 * place + 1] is not None]
            before: Sequence[bytes | None] = [pair[0] for pair in pairs]
            after = [pair[1] for pair in pairs]
            if self.direction is not Direction.PROTECT:
                before = _opened(column, before)
            if (_opened(column, after) if self.direction.seals else after) != before:
                raise ChangeoverMismatch(
                    f"a value of {column.target.scheme.column} does not come out of its shadow as it went in",
                    hint="nothing was swapped; run `strongroom check`, and report it with the column's type",
                )
            self.verified += len(pairs)


def _converted(
    column: Column,
    direction: Direction,
    values: Sequence[bytes | None],
    tenants: Mapping[str, Sequence[bytes | None]],
) -> Sequence[bytes | None]:
    """``tenants`` are the values of columns that name them, by column."""
    codec = column.target.codec
    if direction is Direction.UNPROTECT:
        return codec.open_all(values, format_code=TEXT_FORMAT, style=STYLE)
    plain = values if direction is Direction.PROTECT else _opened(column, values)
    sent = Sent(STYLE, column.target.scheme.type.oid, BINARY_FORMAT)
    if isinstance(codec, ColumnCodec):
        return codec.seal_all(plain, sent)
    return codec.seal_all(plain, _whose(column, len(plain), tenants), sent)


def _whose(column: Column, rows: int, tenants: Mapping[str, Sequence[bytes | None]]) -> Sequence[str | None]:
    """The tenant of each row."""
    naming = column.naming
    if naming is None:
        return [column.target.tenant] * rows
    return [None if name is None else naming.names.stored(name) for name in tenants[naming.name]]


def _opened(column: Column, values: Sequence[bytes | None]) -> Sequence[bytes | None]:
    return column.target.codec.open_all(values, format_code=BINARY_FORMAT, style=STYLE)


def _columns(rows: list[Values]) -> list[list[bytes | None]]:
    """The values of a batch by column, those that name the rows left out."""
    return [list(column) for column in zip(*rows, strict=True)][2:]


def _decoded(value: bytes | None) -> str | None:
    return None if value is None else value.decode()
