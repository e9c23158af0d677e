"""A worker's way to the recorder: what is recorded, and how much of it is on the disk.

`record` returns at once; `kept` waits. What the recorder has not confirmed is held here and sent again when
it was started anew. How much that may be is for the caller to ask (`waiting_bytes`). Used by `server`.
"""

import asyncio
import contextlib
import json
import secrets
from collections import deque
from collections.abc import Callable
from pathlib import Path

import structlog

from strongroom.gateway.intake import COUNT, LENGTH, URGENT

END_SECONDS = 5.0
"""For the last records, when a worker ends."""
RETRY_SECONDS = 0.1
"""Pause before the recorder is looked for again."""

_log = structlog.get_logger("strongroom.outbox")


class Outbox:
    """What one worker has recorded."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._source = secrets.token_hex(8)  # another for each process: its count begins at nothing
        self._unkept: deque[bytes] = deque()
        """Frames that are not known to be on the disk, the oldest first."""
        self._numbered = 0
        self._kept = 0
        self._sent = 0  # the number of the last that went out over this connection
        self._writer: asyncio.StreamWriter | None = None
        self._sending = False
        self._waiters: dict[int, list[asyncio.Future[None]]] = {}
        self._room: Callable[[], None] = lambda: None
        self.waiting_bytes = 0
        """Of what is not known to be on the disk."""

    def record(self, content: bytes, *, urgent: bool = False) -> int:
        """Sends a record soon; returns its number among those of this worker."""
        frame = LENGTH.pack(len(content) | (URGENT if urgent else 0)) + content
        self._unkept.append(frame)
        self.waiting_bytes += len(frame)
        self._numbered += 1
        if not self._sending:
            self._sending = True
            asyncio.get_running_loop().call_soon(self._send)
        return self._numbered

    @property
    def numbered(self) -> int:
        """How many there are: the number of the last."""
        return self._numbered

    @property
    def waiting(self) -> int:
        """How many are not known to be on the disk."""
        return len(self._unkept)

    async def kept(self, number: int) -> None:
        """Return once the record of this number is on the disk."""
        if number > self._kept:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.setdefault(number, []).append(waiter)
            await waiter

    async def ended(self) -> None:
        """Return once all of it is on the disk, or after some seconds: the recorder may be gone."""
        try:
            async with asyncio.timeout(END_SECONDS):
                await self.kept(self._numbered)
        except TimeoutError:
            _log.error("records are lost", count=len(self._unkept))

    def hang_up(self) -> None:
        """Nothing more comes."""
        if self._writer is not None:
            self._writer.close()

    async def run(self, room: Callable[[], None] = lambda: None) -> None:
        """Keep the way to the recorder open, until cancelled; ``room`` hears when less is waiting."""
        self._room = room
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._converse(*await asyncio.open_unix_connection(self._path))
            _log.warning("the recorder is away", waiting=len(self._unkept))
            await asyncio.sleep(RETRY_SECONDS)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(json.dumps({"source": self._source}).encode() + b"\n")
            self._confirmed(*COUNT.unpack(await reader.readexactly(COUNT.size)))
            self._writer, self._sent = writer, self._kept
            self._send()
            while True:
                self._confirmed(*COUNT.unpack(await reader.readexactly(COUNT.size)))
        finally:
            self._writer = None
            writer.close()

    def _send(self) -> None:
        self._sending = False
        count = self._numbered - self._sent
        if self._writer is None or not count:
            return
        frames = list(self._unkept)[-count:] if count < len(self._unkept) else list(self._unkept)
        self._writer.write(b"".join(frames))
        self._sent = self._numbered

    def _confirmed(self, number: int) -> None:
        for _ in range(number - self._kept):
            self.waiting_bytes -= len(self._unkept.popleft())
        self._kept = max(number, self._kept)
        self._room()
        for waited in [one for one in self._waiters if one <= number]:
            for waiter in self._waiters.pop(waited):
                if not waiter.done():
                    waiter.set_result(None)
