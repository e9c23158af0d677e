"""An index of the log's records, so that a search reads few of them, however many there are.

A file of SQLite beside the log, named after it: ``audit-index.db`` for ``audit/``. A record is in it with
its number and its kind alone; a kind is a set of traits (`records.traits`), of which there are few. Of
each file of contents it has the size, the time of its last change, and the times between which its records
are. So `follow` knows which files to read anew: those that grew, and those in which something was erased,
which then is in the index no more. It holds nothing that the log has not, and is made from it at any time:
one that is damaged, cut short, of another version or of another log is thrown away, and what was begun is
gone on with.

INVARIANT: an index is never believed. It says where to look; what is shown is read there and held against its
entry. What it leaves out was changed in it by somebody's hand: ``strongroom audit index --rebuild``.
"""

import heapq
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from strongroom.audit.checkpoint import Checkpoint
from strongroom.audit.contents import Contents, Kept, Stamp
from strongroom.audit.criteria import Criteria
from strongroom.audit.leaf import Content
from strongroom.audit.proving import prove_growth
from strongroom.audit.records.skimming import KINDS, Skimmed, Skimmer
from strongroom.audit.records.statements import Ended
from strongroom.audit.records.traits import Role, Trait, Traits
from strongroom.audit.tiles import TILE_WIDTH
from strongroom.errors import IndexUnusable, InvalidRecord, ProofInvalid, RecordsPruned

VERSION = 1
_STRONGROOM = 0x53726169
"""SQLite's application_id: ``Srai``."""
BATCH = 512
"""Bundles in one transaction: 131,072 records, which are done again where it is interrupted."""
MANY = 2048
"""New bundles for which the order by kinds is made anew behind them: half a million records."""
_CACHE_KIB = 65_536
LOCKED_SECONDS = 60.0
"""How long to wait for a transaction of another process."""
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
"""SQLite's codes for a file that is none of its own, or has not our tables."""

WRONG, UNREAD = "wrong", "unread"
"""Names of `Role.UNREADABLE`: not what the entry commits to; not a record that this version reads."""

_SCHEMA = """
CREATE TABLE heads (origin TEXT NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL);
CREATE TABLE names (id INTEGER PRIMARY KEY, role TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (role, name));
CREATE TABLE kinds (id INTEGER PRIMARY KEY, names TEXT NOT NULL UNIQUE);
CREATE TABLE traits (name INTEGER NOT NULL, kind INTEGER NOT NULL, PRIMARY KEY (name, kind)) WITHOUT ROWID;
CREATE TABLE records (number INTEGER PRIMARY KEY, kind INTEGER NOT NULL);
CREATE TABLE marks (mark TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (mark, number)) WITHOUT ROWID;
CREATE INDEX marks_of_records ON marks (number);
CREATE TABLE bundles (
    bundle INTEGER PRIMARY KEY, width INTEGER NOT NULL, octets INTEGER NOT NULL, changed INTEGER NOT NULL,
    earliest INTEGER, latest INTEGER
);
"""

_BY_KIND = "CREATE INDEX IF NOT EXISTS records_of_kinds ON records (kind, number)"


def index_of(log: Path) -> Path:
    """Where the index of a log is, unless it is said: beside its folder, and not in it."""
    return log.with_name(f"{log.name}-index.db")


def hash_mark(column: str, hash_: str) -> str:
    """By which records with this keyed hash are found."""
    return f"keyed {column} {hash_}"


def end_mark(session: str, statement: int) -> str:
    """By which the end of a statement is found that was intended."""
    return f"ended {session} {statement}"


class Index:
    """An open index of one log."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._skimmer = Skimmer()
        self._ids: dict[Traits, int] = {}
        self._names: dict[Trait, int] = {}
        self._seen = 0
        """SQLite's data_version: another one, and another process has written, and may have swept kinds."""
        self._touched: set[int] = set()

    @classmethod
    def open(cls, file: Path, log: Contents, note: Callable[[str], None]) -> Self:
        """That of this log; ``note`` hears why a former one was thrown away. Raises ``IndexUnusable``."""
        try:
            if file.exists() and (why := _unfit(file, log)):
                note(f"{file} {why}: it is made anew")
                remove(file)
            if not file.exists():
                _begin(file, log.checkpoint)
            return cls(_connect(file))
        except (OSError, sqlite3.Error) as error:
            raise IndexUnusable(f"{file} cannot be an index of the audit log: {error}") from error

    def close(self) -> None:
        """Lets go of the file."""
        self._connection.close()

    # ------------------------------------------------------------------------------------- following the log

    def follow(self, log: Contents) -> int:
        """Takes up what is new in the log, or was changed or erased there; how many files were read."""
        stamps = log.stamps()
        try:
            changed, is_bulk = self._changed(log, stamps)
            # Filled in the order of the log, it would be written all over for each transaction: one that is
            # missing, as behind a run that was interrupted, is made when it is needed.
            self._connection.execute("DROP INDEX IF EXISTS records_of_kinds" if is_bulk else _BY_KIND)
            for start in range(0, len(changed), BATCH):
                with self._connection:
                    self._connection.execute("BEGIN IMMEDIATE")
                    self._look_around()
                    self._go_on_to(log.checkpoint)
                    self._take(log, changed[start : start + BATCH], stamps)
            self._connection.execute(_BY_KIND)
        except sqlite3.Error as error:
            raise IndexUnusable(f"the index of the audit log cannot be written: {error}") from error
        return len(changed)

    def _look_around(self) -> None:
        ((seen,),) = self._connection.execute("PRAGMA data_version").fetchall()
        if seen != self._seen or len(self._ids) > KINDS:
            self._ids, self._names, self._seen = {}, {}, seen

    def _go_on_to(self, checkpoint: Checkpoint) -> None:
        """Another process that has seen more of the log is not undone."""
        ((size,),) = self._connection.execute("SELECT size FROM heads").fetchall()
        if size > checkpoint.size:
            raise IndexUnusable("another process follows the audit log meanwhile", hint="Run it once more.")
        self._connection.execute("UPDATE heads SET size = ?, root = ?", _head(checkpoint))

    def _changed(self, log: Contents, stamps: dict[int, Stamp]) -> tuple[list[int], bool]:
        """Bundles that are not in the index as they are in the log, and whether they are many and all new."""
        rows = self._connection.execute("SELECT bundle, width, octets, changed FROM bundles")
        known = {bundle: (width, octets, changed) for bundle, width, octets, changed in rows}
        changed = sorted(
            bundle
            for bundle in {*known, *stamps}
            if bundle not in stamps or known.get(bundle) != (log.width(bundle), *stamps[bundle])
        )
        return changed, len(changed) >= MANY and known.keys().isdisjoint(changed)

    def _take(self, log: Contents, bundles: Sequence[int], stamps: dict[int, Stamp]) -> None:
        for bundle in bundles:
            self._drop(bundle)
            if bundle in stamps:
                self._put(bundle, log.width(bundle), stamps[bundle], log.bundle(bundle))
        self._sweep()

    def _drop(self, bundle: int) -> None:
        run, span = self._connection.execute, (bundle * TILE_WIDTH, (bundle + 1) * TILE_WIDTH)
        rows = run("SELECT DISTINCT kind FROM records WHERE number >= ? AND number < ?", span)
        self._touched |= {kind for (kind,) in rows}
        run("DELETE FROM records WHERE number >= ? AND number < ?", span)
        run("DELETE FROM marks WHERE number >= ? AND number < ?", span)
        run("DELETE FROM bundles WHERE bundle = ?", [bundle])

    def _put(self, bundle: int, width: int, stamp: Stamp, kept: Iterable[Kept]) -> None:
        records, marks, times = [], [], []
        for number, state, octets in kept:
            if state is Content.ERASED:
                continue
            skimmed = self._skimmed(octets) if state is Content.RIGHT else WRONG
            if isinstance(skimmed, str):
                records.append((number, self._kind(frozenset({(Role.UNREADABLE, skimmed)}))))
                continue
            records.append((number, self._kind(skimmed.kind.traits)))
            times.append(skimmed.time)
            marks += [(mark, number) for mark in _marks(skimmed)]
        many = self._connection.executemany
        many("INSERT INTO records VALUES (?, ?)", records)
        many("INSERT OR IGNORE INTO marks VALUES (?, ?)", marks)
        span = min(times, default=None), max(times, default=None)
        many("INSERT INTO bundles VALUES (?, ?, ?, ?, ?, ?)", [(bundle, width, *stamp, *span)])

    def _skimmed(self, octets: bytes) -> Skimmed | str:
        try:
            return self._skimmer.skim(octets)
        except InvalidRecord:
            return UNREAD

    def _kind(self, traits: Traits) -> int:
        found = self._ids.get(traits)
        if found is None:
            run = self._connection.execute
            names = sorted(self._name(role, name) for role, name in traits)
            run("INSERT OR IGNORE INTO kinds (names) VALUES (?)", [_joined(names)])
            found = int(run("SELECT id FROM kinds WHERE names = ?", [_joined(names)]).fetchone()[0])
            pairs = [(name, found) for name in names]
            self._connection.executemany("INSERT OR IGNORE INTO traits VALUES (?, ?)", pairs)
            self._ids[traits] = found
        return found

    def _name(self, role: Role, name: str) -> int:
        found = self._names.get((role, name))
        if found is None:
            run = self._connection.execute
            run("INSERT OR IGNORE INTO names (role, name) VALUES (?, ?)", [role, name])
            rows = run("SELECT id FROM names WHERE role = ? AND name = ?", [role, name])
            found = self._names[role, name] = int(rows.fetchone()[0])
        return found

    def _sweep(self) -> None:
        """Kinds and names of which no record is left are erased as their records were."""
        run = self._connection.execute
        gone = [
            kind
            for kind in self._touched
            if run("SELECT 1 FROM records WHERE kind = ? LIMIT 1", [kind]).fetchone() is None
        ]
        for kind in gone:
            for name in run("SELECT names FROM kinds WHERE id = ?", [kind]).fetchone()[0].split():
                run("DELETE FROM traits WHERE name = ? AND kind = ?", [name, kind])
                if run("SELECT 1 FROM traits WHERE name = ? LIMIT 1", [name]).fetchone() is None:
                    run("DELETE FROM names WHERE id = ?", [name])
            run("DELETE FROM kinds WHERE id = ?", [kind])
        if gone:
            self._ids, self._names = {}, {}
        self._touched = set()

    # --------------------------------------------------------------------------------------------- looking

    def find(self, criteria: Criteria) -> Iterator[int]:
        """Numbers of records that may be what is looked for, the newest first; no such one is left out."""
        span = self._span(criteria)
        kinds = self._kinds(criteria)
        if span is None:
            return
        if kinds is None:
            query = "SELECT number FROM records WHERE number >= ? AND number < ? ORDER BY number DESC"
            yield from (number for (number,) in self._select(query, span))
            return
        first, behind = span
        # The newest of each kind, and in the place of the one that is taken the next of its kind: as few are
        # looked up as are asked for, whether the kinds have ten records or ten million.
        heap = [
            (-number, kind) for kind in kinds if (number := self._before(kind, behind, first)) is not None
        ]
        heapq.heapify(heap)
        while heap:
            negative, kind = heap[0]
            yield -negative
            number = self._before(kind, -negative, first)
            if number is None:
                heapq.heappop(heap)
            else:
                heapq.heapreplace(heap, (-number, kind))

    def names(self, role: Role) -> list[str]:
        """All that are of this role in a record."""
        query = "SELECT name FROM names WHERE role = ? ORDER BY name"
        return [name for (name,) in self._select(query, [role])]

    @property
    def records(self) -> int:
        """How many records are in it."""
        ((count,),) = self._select("SELECT count(*) FROM records")
        return int(count)

    @property
    def is_sound(self) -> bool:
        """Whether SQLite finds nothing wrong in its file, of which it reads all."""
        try:
            return bool(self._connection.execute("PRAGMA integrity_check(1)").fetchone() == ("ok",))
        except sqlite3.DatabaseError:
            return False

    def marked(self, mark: str) -> list[int]:
        """Numbers of the records with a mark, the newest first."""
        query = "SELECT number FROM marks WHERE mark = ? ORDER BY number DESC"
        return [number for (number,) in self._select(query, [mark])]

    def unreadable(self, why: str) -> list[int]:
        """Numbers of what stands in the log and is not read, for this reason."""
        query = (
            "SELECT number FROM records WHERE kind IN (SELECT kind FROM traits JOIN names ON id = traits.name"
            " WHERE role = ? AND names.name = ?) ORDER BY number"
        )
        return [number for (number,) in self._select(query, [Role.UNREADABLE, why])]

    def _before(self, kind: int, behind: int, first: int) -> int | None:
        query = (
            "SELECT number FROM records WHERE kind = ? AND number < ? AND number >= ? ORDER BY number DESC"
        )
        return next((number for (number,) in self._select(f"{query} LIMIT 1", [kind, behind, first])), None)

    def _span(self, criteria: Criteria) -> tuple[int, int] | None:
        """Between which numbers the time can be: clocks go back, so each file says it for itself."""
        query = "SELECT min(bundle), max(bundle) FROM bundles WHERE latest >= ? AND earliest < ?"
        times = criteria.since or 0, 1 << 62 if criteria.until is None else criteria.until
        ((low, high),) = self._select(query, times)
        return None if low is None else (low * TILE_WIDTH, (high + 1) * TILE_WIDTH)

    def _kinds(self, criteria: Criteria) -> set[int] | None:
        """Kinds that have what is wanted; None for any."""
        found: set[int] | None = None
        for roles, matches in criteria.wanted():
            kinds = self._kinds_with(roles, matches)
            found = kinds if found is None else found & kinds
        return found

    def _kinds_with(self, roles: Iterable[Role], matches: Callable[[str], bool]) -> set[int]:
        kinds: set[int] = set()
        for role in roles:
            names = list(self._select("SELECT id, name FROM names WHERE role = ?", [role]))
            for name in (name for name, text in names if matches(text)):
                rows = self._select("SELECT kind FROM traits WHERE name = ?", [name])
                kinds |= {kind for (kind,) in rows}
        return kinds

    def _select(self, query: str, values: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        try:
            found = self._connection.execute(query, values)
            while (row := found.fetchone()) is not None:  # `yield from` would close it behind the index
                yield row
        except sqlite3.Error as error:
            raise IndexUnusable(f"the index of the audit log cannot be read: {error}") from error


def _marks(skimmed: Skimmed) -> Iterator[str]:
    like = skimmed.kind.like
    if isinstance(like, Ended):
        yield end_mark(skimmed.session, skimmed.statement)
    for one in getattr(like, "keyed", None) or ():
        yield hash_mark(one.column, one.hash)


# ------------------------------------------------------------------------------------------------ its file


def remove(file: Path) -> None:
    """Throws an index away."""
    for one in (file, file.with_name(f"{file.name}-journal")):
        with suppress(FileNotFoundError):
            one.unlink()


def _begin(file: Path, checkpoint: Checkpoint) -> None:
    remove(file)  # a journal that is left of a former file would be played back into this one
    os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))  # it has names of people
    connection = _connect(file)
    try:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(f"PRAGMA application_id = {_STRONGROOM}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute("INSERT INTO heads VALUES (?, ?, ?)", [checkpoint.origin, *_head(checkpoint)])
    finally:
        connection.close()


def _connect(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=LOCKED_SECONDS, isolation_level=None)
    # What is deleted is overwritten, and the journal does not outlive a transaction: erased is erased.
    for pragma in ("secure_delete = ON", "journal_mode = DELETE", f"cache_size = -{_CACHE_KIB}"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _unfit(file: Path, log: Contents) -> str | None:
    """Why a file is not the index of this log."""
    try:
        former = _former(file)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in _DAMAGED:  # locked, or not to be opened: another's affair
            raise
        return "is damaged"
    if former is None:
        return "is no index of this version"
    if former.origin != log.checkpoint.origin:
        return f"is the index of another log, {former.origin}"
    try:
        prove_growth(log.folder, former, log.checkpoint)
    except RecordsPruned:
        return "is of before the log was pruned"
    except ProofInvalid:
        return "is of a log that this one does not go on from; `strongroom audit verify --since` tells more"
    return None


def _former(file: Path) -> Checkpoint | None:
    """The log's head when it was last followed."""
    connection = _connect(file)
    try:
        version = connection.execute("PRAGMA application_id").fetchone() + (
            connection.execute("PRAGMA user_version").fetchone()
        )
        if version != (_STRONGROOM, VERSION):
            return None
        ((origin, size, root),) = connection.execute("SELECT origin, size, root FROM heads").fetchall()
        return Checkpoint(origin, size, root)
    except ValueError:  # no head, or several
        return None
    finally:
        connection.close()


def _head(checkpoint: Checkpoint) -> tuple[int, bytes]:
    return checkpoint.size, checkpoint.root


def _joined(names: Iterable[int]) -> str:
    return " ".join(map(str, names))
