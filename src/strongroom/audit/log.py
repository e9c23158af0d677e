"""The log's writer: one folder, one origin, one process at a time.

What comes in is written to the journal (`append`), acknowledged once that is on the disk (`flush`), and then
put into the log's own files under a new checkpoint (`publish`). These files are left to the system to write;
now and then `settle` waits until they are on the disk, notes the checkpoint up to which they are, and lets
the journal forget what came before. A start goes on from there with what the journal has, so that killed
anywhere the log has every acknowledged record, and each in the place that it had: a checkpoint that was
signed is always the beginning of what follows.

The folder is that of C2SP tlog-tiles (docs/spec/audit-log.md) with `content/`, and beside it `journal/`,
`settled` and `lock`. Called by the recorder, in one thread.
"""

import fcntl
import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from strongroom.audit.checkpoint import Checkpoint, Signer, VerifierKey, sign, verify
from strongroom.audit.journal import Batch, Journal
from strongroom.audit.leaf import Committed, commit, entry_of
from strongroom.audit.tiles import TILE_WIDTH, Edge, File, content_path, edge_paths
from strongroom.errors import LogDamaged, LogInUse, LogRolledBack, LogUnwritable
from strongroom.keys.new_file import sync_folder

CHECKPOINT = "checkpoint"
SOURCES_KEPT = 1000
"""Of which it is known how much they had sent: a worker that dies never comes back."""
SETTLED = "settled"
_JOURNAL, _LOCK = "journal", "lock"


@dataclass(frozen=True, slots=True)
class _Turned:
    """Where the journal's last segment begins: what comes before is in the log's own files."""

    size: int
    note: bytes
    """The checkpoint of that size."""
    whole: tuple[str, ...]
    """Paths of tiles and bundles that became whole before, and whose partial files are to go."""


class Log:
    """A log that is open at its right edge."""

    def __init__(self, folder: Path, signers: Sequence[Signer], lock: int) -> None:
        self._folder = folder
        self._signers = signers
        self._lock = lock
        self._edge = Edge()
        self._settled = 0
        self._waiting = Committed([], [])  # acknowledged or to be, and in no file but the journal
        self._sources: dict[str, int] = {}
        self._whole: list[str] = []
        """Paths of tiles and bundles that became whole, and whose partial files are to go."""
        self._turned = _Turned(0, b"", ())
        self.contents_lock = threading.Lock()
        """Held while files of contents are written, and by whoever erases in them."""

    @classmethod
    def open(
        cls, folder: Path, signers: Sequence[Signer], former: Iterable[VerifierKey] = (), known: int = 0
    ) -> Self:
        """Takes up the log in a folder, or begins one; raises an ``AuditError``.

        ``former`` are keys that signed before these; ``known`` is a size that the log is known to have had.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            log = cls(folder, signers, hold(folder))
        except OSError as error:
            raise LogUnwritable(f"{folder} cannot be a folder for the audit log: {error.strerror}") from error
        try:
            log._take_up([*(one.key for one in signers), *former])
            if log.size < known:
                raise LogRolledBack(
                    f"the audit log in {folder} has {log.size} records, and had {known} before"
                )
        except BaseException:
            os.close(log._lock)
            raise
        return log

    @property
    def origin(self) -> str:
        """The log's name."""
        return self._signers[0].name

    @property
    def size(self) -> int:
        """Records that were appended, on the disk or not."""
        return self._edge.size + len(self._waiting.entries)

    @property
    def published(self) -> int:
        """Records that the last checkpoint covers."""
        return self._edge.size

    @property
    def settled(self) -> int:
        """Records before it stand in the log's own files, on the disk, and are never written again."""
        return self._settled

    @property
    def folder(self) -> Path:
        """Where it stands."""
        return self._folder

    def heard_of(self, source: str) -> int:
        """How many records of a source are in the journal: it need not send these again."""
        return self._sources.get(source, 0)

    def append(self, contents: Sequence[bytes], source: str = "-", number: int = 0) -> int:
        """Writes records to the journal; returns the log's size with them. Raises ``LogUnwritable``."""
        committed = commit(contents)
        self._journal.append(Batch(committed.lines, source, number))
        self._wait(committed)
        self._sources.pop(source, None)  # the one that sent last stands last
        self._sources[source] = number
        return self.size

    def flush(self) -> None:
        """Returns once all that was appended is on the disk; raises ``LogUnwritable``."""
        self._journal.flush()

    def publish(self) -> bytes | None:
        """Puts what was flushed under a new checkpoint, and returns that; None where there is nothing new.

        Raises ``LogUnwritable``, and nothing is lost: the next one does it again.
        """
        if not self._waiting.entries and (self._folder / CHECKPOINT).exists():
            return None
        self.flush()
        appended = self._edge.append(self._waiting.entries)
        try:
            with self.contents_lock:
                self._write_contents()
            for file in (*appended.files, *appended.edge.partial()):
                self._write(file)
            note = sign(Checkpoint(self.origin, appended.edge.size, appended.edge.root), self._signers)
            self._replace(CHECKPOINT, note)
        except OSError as error:
            raise LogUnwritable(f"the audit log in {self._folder} cannot be written: {error}") from error
        self._whole += (file.path for file in appended.files)
        self._edge, self._waiting = appended.edge, Committed([], [])
        return note

    def settle(self) -> None:
        """Waits until the log's files are on the disk, and lets the journal forget what is in them.

        It takes the disk's time: `turn` comes first, in the writer's thread, and then this may run beside all
        but another `turn`.
        """
        turned = self._turned
        if turned.size == self._settled:
            return
        os.sync()  # the files are many and small: one wait for all, where fsync would wait for each
        try:
            self._replace(SETTLED, turned.note)
        except OSError as error:
            raise LogUnwritable(f"the audit log in {self._folder} cannot be settled: {error}") from error
        self._journal.forget(turned.size)
        self._settled = turned.size
        self._sweep(turned.whole)
        self._turned = _Turned(turned.size, turned.note, ())

    def turn(self) -> None:
        """Publishes, and begins another segment of the journal: what comes before it can be settled."""
        self.publish()
        self._journal.turn(self.size)
        self._carry_over()
        self._turned = _Turned(
            self.published, (self._folder / CHECKPOINT).read_bytes(), (*self._turned.whole, *self._whole)
        )
        self._whole = []

    def _carry_over(self) -> None:
        """Notes in the journal's new segment how much each source had sent: the others will be gone."""
        self._sources = dict(list(self._sources.items())[-SOURCES_KEPT:])
        for source, number in self._sources.items():
            self._journal.append(Batch([], source, number))
        self._journal.flush()

    def close(self) -> None:
        """Publishes and settles what there is, and lets another have the log."""
        try:
            self.turn()
            self.settle()
        finally:
            self._journal.close()
            os.close(self._lock)

    def _wait(self, committed: Committed) -> None:
        self._waiting.entries.extend(committed.entries)
        self._waiting.lines.extend(committed.lines)

    # ---------------------------------------------------------------------------------------- taking it up

    def _take_up(self, keys: Sequence[VerifierKey]) -> None:
        settled, published = self._checkpoint(SETTLED, keys), self._checkpoint(CHECKPOINT, keys)
        if settled is not None:
            files = {path: self._read(path) for path in edge_paths(settled.size)}
            self._edge, self._settled = Edge.resume(settled.size, settled.root, files), settled.size
        (self._folder / _JOURNAL).mkdir(mode=0o700, exist_ok=True)
        self._journal, batches = Journal.open(self._folder / _JOURNAL, self._settled)
        self._journal.forget(self._settled)  # killed between the two, it has contents that were erased since
        for batch in batches:
            entries = [entry_of(line.removesuffix(b"\n")) for line in batch.lines]
            self._wait(Committed(entries, list(batch.lines)))
            self._sources[batch.source] = batch.number
        self._carry_over()
        if published is not None:
            self._agree(published)
        self._turned = _Turned(self._settled, b"", ())
        self.publish()

    def _checkpoint(self, name: str, keys: Sequence[VerifierKey]) -> Checkpoint | None:
        """Raises ``CheckpointInvalid`` where these keys did not sign it, and ``LogDamaged`` for another's."""
        try:
            checkpoint = verify((self._folder / name).read_bytes(), keys).checkpoint
        except FileNotFoundError:
            return None
        if checkpoint.origin != self.origin:
            raise LogDamaged(
                f"the log in {self._folder} is of origin {checkpoint.origin!r}, not of {self.origin!r}"
            )
        return checkpoint

    def _agree(self, published: Checkpoint) -> None:
        """What was signed last must be the beginning of what there is."""
        count = published.size - self._edge.size
        if not 0 <= count <= len(self._waiting.entries):
            raise LogDamaged(
                f"the audit log has {self.size} records left of the {published.size} that were signed for"
            )
        if self._edge.append(self._waiting.entries[:count]).edge.root != published.root:
            raise LogDamaged("the audit log's journal has other records than were signed for")

    # --------------------------------------------------------------------------------------------- its files

    def _read(self, path: str) -> bytes:
        try:
            return (self._folder / path).read_bytes()
        except FileNotFoundError:
            return b""

    def _write_contents(self) -> None:
        """Each record's salt and content, in the file of its bundle: from where the last checkpoint ends."""
        at = self._edge.size
        lines, done = self._waiting.lines, 0
        while done < len(lines):
            index, start = divmod(at, TILE_WIDTH)
            here = lines[done : done + TILE_WIDTH - start]
            path = self._folder / content_path(index)
            kept = b"".join(self._lines_of(path, start))
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with path.open("r+b" if kept else "wb") as file:
                file.seek(len(kept))
                file.write(b"".join(here))
                file.truncate()
            at, done = at + len(here), done + len(here)

    @staticmethod
    def _lines_of(path: Path, count: int) -> list[bytes]:
        """The first lines of a file; raises ``LogDamaged`` where there are fewer."""
        if not count:
            return []
        with path.open("rb") as file:
            lines = [line for _, line in zip(range(count), file, strict=False)]
        if len(lines) < count or not lines[-1].endswith(b"\n"):
            raise LogDamaged(f"{path} has fewer records than the log")
        return lines

    def _write(self, file: File) -> None:
        path = self._folder / file.path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.new")  # whoever reads meanwhile sees all of it or none
        fresh.write_bytes(file.octets)
        fresh.replace(path)

    def _replace(self, name: str, octets: bytes) -> None:
        """All of the old or all of the new, whenever the machine stops."""
        fresh = self._folder / f"{name}.new"
        with fresh.open("wb") as file:
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._folder / name)
        sync_folder(self._folder)

    def _sweep(self, whole: Sequence[str]) -> None:
        """Takes away the partial files of what is whole on the disk: nobody needs them (C2SP tlog-tiles)."""
        for path in whole:
            partial = self._folder / f"{path}.p"
            if partial.is_dir():
                for one in partial.iterdir():
                    one.unlink()
                partial.rmdir()


def hold(folder: Path) -> int:
    """A descriptor: the folder is held until that is closed. Raises ``LogInUse``."""
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise LogInUse(f"another process writes the audit log in {folder}") from None
    return descriptor
