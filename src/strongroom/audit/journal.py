"""The journal: what is acknowledged, in the order of the log, before it stands in the log's own files.

A folder of segments, each named by the index of its first record. A segment has batches: the lines of the
records as they are to stand in the files of contents, and one that closes the batch,

    = COUNT SOURCE NUMBER DIGEST

with how many lines there are, who sent them and how many it had sent in all, and the SHA-256 of the batch
before, of the lines and of these fields. A batch counts once it is closed; what comes behind the last that is
was never acknowledged, and is put aside when the journal is opened. Called by `log`, in one thread.
"""

import contextlib
import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Self

from strongroom.errors import LogDamaged, LogUnwritable
from strongroom.keys.new_file import sync_folder

_CLOSES = b"="
_DIGITS = 20
"""Of a segment's name: a log has no more than 2^63 records."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that one source sent in one go."""

    lines: Sequence[bytes]
    """As the files of contents have them, with their newlines."""
    source: str = "-"
    number: int = 0
    """How many records the source had sent, these included."""

    def closed(self, before: bytes) -> tuple[bytes, bytes]:
        """The batch as it is written, and its digest; ``before`` is the digest of the one before."""
        fields = b"%d %b %d" % (len(self.lines), self.source.encode(), self.number)
        lines = b"".join(self.lines)
        hashed = sha256(before)
        hashed.update(lines)
        hashed.update(fields)
        digest = hashed.hexdigest().encode()
        return b"%b= %b %b\n" % (lines, fields, digest), digest


class Journal:
    """A journal that is open at its end."""

    def __init__(self, folder: Path, first: int) -> None:
        self._folder = folder
        self._begin(first)

    def _begin(self, first: int) -> None:
        path = self._folder / f"{first:0{_DIGITS}}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            sync_folder(self._folder)
        except OSError:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        self._path, self._descriptor = path, descriptor
        self._end, self._digest = 0, path.name.encode()

    @classmethod
    def open(cls, folder: Path, since: int) -> tuple[Self, list[Batch]]:
        """A journal to go on with, and what is in it from the record ``since`` on.

        Of batches before it there is no line left, and how much their sources had sent. All of it is on the
        disk then, also what a recorder that was killed had written, and nobody was told of.
        Raises ``LogDamaged`` where a record between them is missing.
        """
        folder.mkdir(mode=0o700, exist_ok=True)
        segments = sorted(one for one in folder.iterdir() if one.name.isdecimal())
        found: list[Batch] = []
        next_one = since
        for path in segments:
            at = int(path.name)
            _sync(path)
            for batch in _read(path):
                end = at + len(batch.lines)
                if end > next_one and at > next_one:
                    raise LogDamaged(f"the audit log's journal has no records from {next_one} to {at}")
                found.append(Batch(batch.lines[max(next_one - at, 0) :], batch.source, batch.number))
                next_one = max(next_one, end)
                at = end
        # An empty one that a start left behind, before anything was written to it.
        (folder / f"{next_one:0{_DIGITS}}").unlink(missing_ok=True)
        return cls(folder, next_one), found

    def append(self, batch: Batch) -> None:
        """Writes a batch; raises ``LogUnwritable``, and then it is not there."""
        octets, digest = batch.closed(self._digest)
        try:
            written = os.pwrite(self._descriptor, octets, self._end)
            while written < len(octets):
                written += os.pwrite(self._descriptor, octets[written:], self._end + written)
        except OSError as error:
            with contextlib.suppress(OSError):  # what is left of it is not closed, and is written over
                os.ftruncate(self._descriptor, self._end)
            raise LogUnwritable(f"the audit log's journal cannot be written: {error.strerror}") from error
        self._end += len(octets)
        self._digest = digest

    def flush(self) -> None:
        """Returns once what was appended is on the disk; raises ``LogUnwritable``."""
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            raise LogUnwritable(f"the audit log's journal cannot be kept: {error.strerror}") from error

    def turn(self, first: int) -> None:
        """Goes on in another segment, whose first record is this one; raises ``LogUnwritable``, and stays."""
        if int(self._path.name) == first:
            return
        self.flush()
        former = self._descriptor
        try:
            self._begin(first)
        except OSError as error:
            raise LogUnwritable(f"the audit log's journal cannot go on: {error.strerror}") from error
        os.close(former)

    def forget(self, before: int) -> None:
        """Deletes the segments that have only records before this one."""
        segments = sorted(one for one in self._folder.iterdir() if one.name.isdecimal())
        for path, following in itertools.pairwise(segments):
            if int(following.name) <= before:
                path.unlink()

    def close(self) -> None:
        """The journal stays as it is."""
        os.close(self._descriptor)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> Iterator[Batch]:
    """The batches of a segment that are closed; what follows them is put aside."""
    digest, lines, end = path.name.encode(), list[bytes](), 0
    with path.open("rb") as file:
        for line in file:
            if not line.startswith(_CLOSES):
                lines.append(line)
                continue
            batch = _closed(lines, line)
            octets, digest = (b"", digest) if batch is None else batch.closed(digest)
            if batch is None or octets != b"".join([*lines, line]):
                break
            yield batch
            lines, end = [], end + len(octets)
    if end < path.stat().st_size:
        _put_aside(path, end)


def _closed(lines: Sequence[bytes], closing: bytes) -> Batch | None:
    fields = closing.split()
    try:
        count, source, number = int(fields[1]), fields[2].decode(), int(fields[3])
    except (ValueError, IndexError):
        return None
    return Batch(tuple(lines), source, number) if count == len(lines) and len(fields) == 5 else None


def _put_aside(path: Path, end: int) -> None:
    """It was never acknowledged; but somebody may want to see it."""
    with path.open("r+b") as file:
        file.seek(end)
        path.with_suffix(".torn").write_bytes(file.read())
        file.truncate(end)
