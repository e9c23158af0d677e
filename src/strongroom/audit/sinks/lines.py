"""The contents of records as lines of JSON in a file, for what collects such files.

A file that has grown to its limit becomes FILE.1, that one FILE.2, and so on to as many as are kept; the
collector must be faster. A line that a kill left unfinished is taken away and written anew. Run by
``gateway/shipping.py`` in a thread beside the log's writer.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from strongroom.audit.sinks.follower import Follower
from strongroom.errors import SinkRefused, SinkUnreachable
from strongroom.keys.new_file import sync_folder

TAIL_BYTES = 2 << 20
"""More than the longest line."""


class LinesSink:
    """A file that follows a log."""

    def __init__(self, follower: Follower, file: Path, *, limit: int, keep: int) -> None:
        """``limit`` is in octets; ``keep`` files beside the one that grows."""
        self._follower = follower
        self._file = file
        self._limit = limit
        self._keep = keep
        self._is_ending = False

    def begin(self) -> None:
        """Raises ``SinkRefused`` where the file cannot be written."""
        self._follower.size()
        if self._file.exists() and not self._file.is_file():
            raise SinkRefused(f"{self._file} is no file of lines", hint="name one that is not there yet")
        try:
            os.close(self._opened())
        except OSError as error:
            raise SinkRefused(f"{self._file} cannot be written: {error.strerror}") from error

    def end(self) -> None:
        """The batch that is under way is the last."""
        self._is_ending = True

    def close(self) -> None:
        """Nothing is open between two sendings."""

    def send(self) -> int:
        """Returns how many records were written in all; raises ``SinkUnreachable`` on a full disk, say."""
        size = self._follower.size()
        for batch in self._follower.batches(size):
            if self._is_ending:
                return self._follower.sent()
            try:
                self._append([content for _, content in batch])
            except OSError as error:
                raise SinkUnreachable(f"{self._file} cannot be written: {error.strerror}") from error
            self._follower.took(batch[-1][0] + 1)
        self._follower.took(size)  # the last ones may have been erased
        return size

    def _append(self, contents: Sequence[bytes]) -> None:
        """On the disk when it returns."""
        descriptor = self._opened()
        whole = _whole_lines(descriptor)
        os.ftruncate(descriptor, whole)  # before it is rotated, too: nobody mends an older file
        if whole >= self._limit:
            os.close(descriptor)
            self._rotate()
            descriptor, whole = self._opened(), 0
        with os.fdopen(descriptor, "r+b") as file:
            file.seek(whole)
            file.writelines(b"%b\n" % one for one in contents)
            file.flush()
            os.fsync(descriptor)

    def _opened(self) -> int:
        """Readable for the group of its folder, in which the collector may be."""
        return os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def _rotate(self) -> None:
        for number in reversed(range(self._keep)):
            older = self._numbered(number)
            if older.exists():
                older.replace(self._numbered(number + 1))
        sync_folder(self._file.parent)

    def _numbered(self, number: int) -> Path:
        return self._file.with_name(f"{self._file.name}.{number}") if number else self._file


def _whole_lines(descriptor: int) -> int:
    """Where the last line that is whole ends."""
    size = os.fstat(descriptor).st_size
    start = max(0, size - TAIL_BYTES)
    tail = os.pread(descriptor, TAIL_BYTES, start)
    return start + tail.rfind(b"\n") + 1 if b"\n" in tail or not start else size
