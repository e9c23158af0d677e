"""How far the contents of a log's records were sent to a place that takes them one after the other.

The position stands in the log's folder, under the name of the place, and is written after what it stands for
was taken. So each record comes at least once, in order; after a kill some come again. Called by `lines` and
`syslog`.
"""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from strongroom.audit.checkpoint import VerifierKey
from strongroom.audit.sinks import files
from strongroom.errors import LogRolledBack, LogUnwritable
from strongroom.keys.new_file import sync_folder

SENT = "sent"
BATCH = 256
"""Records between two positions."""


class Follower:
    """One place's way through a log."""

    def __init__(self, folder: Path, name: str, keys: list[VerifierKey]) -> None:
        self._folder = folder
        self._name = name
        self._keys = keys

    def size(self) -> int:
        """How many records the log has; raises ``LogRolledBack`` where more were sent."""
        found = files.head(self._folder, self._keys)
        size = 0 if found is None else found[1].size
        if (sent := self.sent()) > size:
            raise LogRolledBack(
                f"the audit log in {self._folder} has {size} records, and {sent} were sent on before"
            )
        return size

    def sent(self) -> int:
        """Records up to this one were taken."""
        return sent(self._folder, self._name)

    def batches(self, size: int) -> Iterator[list[tuple[int, bytes]]]:
        """What is to be sent, with each record's number; after each batch `took` is called."""
        if (sent := self.sent()) == size:
            return
        waiting = files.records(self._folder, sent, size)
        while batch := list(islice(waiting, BATCH)):
            yield batch

    def took(self, upto: int) -> None:
        """All records before this one were taken, for good."""
        took(self._folder, self._name, upto)


def sent(log: Path, name: str) -> int:
    """How many records the place of this name has taken, as the log's folder says."""
    try:
        text = (log / SENT / name).read_text()
    except FileNotFoundError:
        return 0
    return int(text) if text.isdecimal() else 0


def took(log: Path, name: str, upto: int) -> None:
    """The place has taken all records before this one, for good."""
    if upto == sent(log, name):
        return
    folder = log / SENT
    fresh = folder / f"{name}.new"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        with fresh.open("w") as file:
            file.write(str(upto))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(folder / name)
        sync_folder(folder)
    except OSError as error:
        raise LogUnwritable(f"{folder / name} cannot be written: {error.strerror}") from error
