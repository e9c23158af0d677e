"""How often a file was opened, by whichever process: Linux counts it (inotify(7))."""

import ctypes
import os
import struct
from pathlib import Path
from types import TracebackType
from typing import Self

_IN_OPEN = 0x20
_HEAD = struct.Struct("iIII")  # struct inotify_event, before its name


class Opened:
    """``with Opened(file) as opened`` counts from then on; ``opened.times`` is how often by now."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._times = 0

    def __enter__(self) -> Self:
        libc = ctypes.CDLL(None, use_errno=True)
        self._events = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if libc.inotify_add_watch(self._events, os.fsencode(self._file), _IN_OPEN) < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._events)

    @property
    def times(self) -> int:
        """Until now. Like events in a row may be one (inotify(7)): exact where each is asked about."""
        try:
            while events := os.read(self._events, 1 << 16):
                self._times += len(events) // _HEAD.size  # a file that is watched itself has no name in them
        except BlockingIOError:
            pass
        return self._times
