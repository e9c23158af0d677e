"""Rotation in place: the values of a randomized column are sealed anew by the newest key, a batch at a time.

Nobody compares such values, so that a column may hold those of two keys for a while. A batch is read, opened,
sealed, opened once more and compared, and written back by (ctid, xmin), which name one version of one row:
what a writer changed meanwhile is not found, and met in the next pass. Called by ``rotation.py``.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from strongroom.changeover import places
from strongroom.changeover.checks import SealedColumn
from strongroom.changeover.database import Database, Values
from strongroom.changeover.fill import STYLE
from strongroom.changeover.model import Progress, Stage, Tell
from strongroom.changeover.pace import Pace
from strongroom.changeover.throttle import Throttle
from strongroom.errors import ChangeoverMismatch
from strongroom.protect.check import quoted
from strongroom.protect.envelope import PREFIX_SIZE, prefix
from strongroom.protect.plan import BINARY_FORMAT, ColumnCodec, Sent

ROWS_AT_ONCE = 1_000
"""Rows that are written in one statement: some tens of milliseconds, for which each is locked."""


@dataclass
class Resealer:
    """Seals one column's values anew; ``codec`` opens by all keys of the keyset and seals by its newest.

    ``only`` are the keys whose values are met, where others in the column are none of ours: other tenants'.
    """

    database: Database
    column: SealedColumn
    codec: ColumnCodec
    newest: int
    tell: Tell
    throttle: Throttle
    only: Collection[int] | None = None
    rows: int = 0

    def one_pass(self) -> int:
        """Once over the table; returns how many values of older keys there were."""
        before = self.rows
        for batch in Pace(self.database, self.column.table, self.throttle).batches():
            batch.rows = self._batch(batch.condition)
            self.rows += batch.rows
            self.tell(Progress(Stage.RESEAL, self.column.scheme.column, batch.done, batch.total, self.rows))
        return self.rows - before

    def _batch(self, condition: str) -> int:
        name = f"t.{quoted(self.column.name)}"
        rows = self.database.raw(
            f"SELECT {places.READ}, {name} FROM {self.column.sql} t"
            f" WHERE {condition} AND {self._is_old(name)}",
            binary=True,
        )
        parts = [rows[at : at + ROWS_AT_ONCE] for at in range(0, len(rows), ROWS_AT_ONCE)]
        with ThreadPoolExecutor(1) as beside:  # the next part is sealed while the database writes this one
            for part, sealed in zip(parts, _ahead(beside, self._resealed, parts), strict=True):
                self.database.run(self._update(), *places.of(part), sealed)
        return len(rows)

    def _is_old(self, name: str) -> str:
        sealed_by = f"substring({name}, 1, {PREFIX_SIZE})"
        if self.only is None:
            return f"{sealed_by} <> '\\x{prefix(self.newest).hex()}'::bytea"
        old = (f"'\\x{prefix(one).hex()}'::bytea" for one in sorted(self.only))
        return f"{sealed_by} IN ({', '.join(old)})"

    def _resealed(self, rows: Sequence[Values]) -> list[bytes | None]:
        values = [row[2] for row in rows]
        plain = self.codec.open_all(values, format_code=BINARY_FORMAT, style=STYLE)
        sealed = self.codec.seal_all(plain, Sent(STYLE, self.column.scheme.type.oid, BINARY_FORMAT))
        if self.codec.open_all(sealed, format_code=BINARY_FORMAT, style=STYLE) != plain:
            raise ChangeoverMismatch(
                f"a value of {self.column.scheme.column} does not come out of its new key as it went in",
                hint="it was not written; report this with the column's type",
            )
        return sealed

    def _update(self) -> str:
        name = quoted(self.column.name)
        return (
            f"UPDATE {self.column.sql} t SET {name} = s.v".replace("%", "%%")  # what follows has placeholders
            + f" FROM (SELECT id, x, v FROM unnest({places.UNNESTED}, %b::bytea[]) u(id, x, v) OFFSET 0) s"
            " WHERE t.ctid = s.id AND t.xmin = s.x"
        )


def _ahead(
    beside: ThreadPoolExecutor,
    reseal: Callable[[Sequence[Values]], list[bytes | None]],
    parts: Sequence[Sequence[Values]],
) -> Iterator[list[bytes | None]]:
    """Each part resealed, one ahead of what is asked for; what goes wrong is raised in its turn."""
    if not parts:
        return
    coming = beside.submit(reseal, parts[0])
    for part in parts[1:]:
        ready, coming = coming.result(), beside.submit(reseal, part)
        yield ready
    yield coming.result()
