"""Who acts in this process now, and its pen: what is done is noted by whoever does it, in its transaction.

A process runs one command. So who acts is a fact of the process, set once where commands are run
(``cli/recording.py``), and no argument of everything that a command can reach; what forgets to pass it on
cannot go unrecorded. Where nobody is set, as in a worker, nothing is noted.
"""

import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from strongroom import __version__
from strongroom.audit.records.codes import Record
from strongroom.audit.records.encoding import encode
from strongroom.audit.records.running import ClockTurnedBack
from strongroom.audit.records.shared import Doer, Head
from strongroom.deeds.listing import DeedList
from strongroom.errors import StrongroomError

Make = Callable[[Head, Doer], Record]
"""Makes a record, of when and by which process, and of who did it."""


class Pen:
    """What one process notes; nothing where there is no ``origin``, the log's name."""

    def __init__(self, doer: Doer, command: str, origin: str | None) -> None:
        self.doer = doer
        self._process = f"{command}, process {os.getpid()}, run {secrets.token_hex(4)}"
        self._list = None if origin is None else DeedList(origin)
        self._noted = 0

    @property
    def writes(self) -> bool:
        """Whether anything is listed at all."""
        return self._list is not None

    def note(self, connection: Connection, make: Make, *, minor: bool = False) -> None:
        """Lists a deed in a transaction of the state; ``minor`` ones are counted where there are too many."""
        if self._list is None:
            return
        now = time.time_ns() // 1_000_000
        former = self._list.hear(connection, now)
        if former is not None:
            self._append(self._list, connection, ClockTurnedBack(self._head(now, self._list), former), False)
        self._append(self._list, connection, make(self._head(now, self._list), self.doer), minor)

    def _append(self, deeds: DeedList, connection: Connection, record: Record, minor: bool) -> None:
        self._noted += deeds.append(connection, encode(record), minor=minor)

    def _head(self, now: int, deeds: DeedList) -> Head:
        return Head(now, self._noted + 1, self._process, deeds.origin, __version__)


_pens: list[Pen] = []
"""At most one: a process runs one command."""


@contextmanager
def acting(pen: Pen) -> Iterator[Pen]:
    """While this is done, it is noted by that pen."""
    _pens.append(pen)
    try:
        yield pen
    finally:
        _pens.remove(pen)


def present() -> Pen | None:
    """The pen of whoever acts in this process."""
    return _pens[-1] if _pens else None


def note(connection: Connection, make: Make, *, minor: bool = False) -> None:
    """As `Pen.note`, by whoever acts; nothing where nobody is known to."""
    pen = present()
    if pen is not None:
        pen.note(connection, make, minor=minor)


@contextmanager
def ending() -> Iterator[None]:
    """While the end of something is noted: it is done by then, and what came of it counts, recorded or not.

    What began and has no end shows in the log; whoever waits is told on the standard error.
    """
    try:
        yield
    except (StrongroomError, SQLAlchemyError, OSError) as error:
        why = error.message if isinstance(error, StrongroomError) else type(error).__name__
        print(f"its end is not recorded: {why}", file=sys.stderr)
