"""A worker's way to the recorder: what is recorded, and how much of it is on the disk.

`record` returns at once; `kept` waits. What the recorder has not confirmed is held here and sent again when
it was started anew. How much that may be is for the caller to ask (`waiting_bytes`). Used by `server`.
"""

import asyncio
import contextlib
import json
import secrets
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from strongroom._kernel.logging import LENGTH, URGENT
from strongroom.gateway.intake import COUNT

END_SECONDS = 5.0
"""For the last records, when a worker ends."""
RETRY_SECONDS = 0.1
"""Pause before the recorder is looked for again."""

_log = structlog.get_logger("strongroom.outbox")


class Outbox:
    """What one worker has recorded."""

    def __init__(self, path: Path, gathering: float) -> None:
        """``gathering``: seconds that records wait for others before they are sent, where nobody waits."""
        self._path = path
        self._gathering = gathering
        self._source = secrets.token_hex(8)  # another for each process: its count begins at nothing
        self._unsent: list[bytes] = []
        self._unkept: deque[bytes] = deque()
        """What was sent over this connection, and is not known to be on the disk; the oldest first."""
        self._numbered = 0
        self._kept = 0
        self._writer: asyncio.StreamWriter | None = None
        self._due: asyncio.TimerHandle | None = None
        self._is_urgent = False  # whether somebody waits for what is not sent
        self._waiters: dict[int, list[asyncio.Future[None]]] = {}
        self._room: Callable[[], None] = lambda: None
        self.waiting_bytes = 0
        """Of what is not known to be on the disk."""

    def record(self, content: bytes, *, urgent: bool = False) -> int:
        """Sends a record with those that follow it; returns its number among those of this worker.

        One that is ``urgent`` goes as soon as its like of this moment are there, with what came before it.
        """
        self._unsent.append(content)
        self.waiting_bytes += LENGTH.size + len(content)
        self._numbered += 1
        if urgent and not self._is_urgent:
            self._is_urgent = True
            asyncio.get_running_loop().call_soon(self.send)
        elif not self._is_urgent and self._due is None:
            self._due = asyncio.get_running_loop().call_later(self._gathering, self.send)
        return self._numbered

    def record_all(self, contents: Sequence[bytes]) -> None:
        """Records these, and leaves it to others, or to ``send``, when they go."""
        self._unsent += contents
        self.waiting_bytes += LENGTH.size * len(contents) + sum(map(len, contents))
        self._numbered += len(contents)

    @property
    def numbered(self) -> int:
        """How many there are: the number of the last."""
        return self._numbered

    def has_kept(self, number: int) -> bool:
        """Whether the record of this number is on the disk."""
        return number <= self._kept

    @property
    def waiting(self) -> int:
        """How many are not known to be on the disk."""
        return self._numbered - self._kept

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
                self.send(urgent=True)
                await self.kept(self._numbered)
        except TimeoutError:
            _log.error("records are lost", count=self._numbered - self._kept)

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
            _log.warning("the recorder is away", waiting=self._numbered - self._kept)
            await asyncio.sleep(RETRY_SECONDS)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(json.dumps({"source": self._source, "kept": self._kept}).encode() + b"\n")
            self._confirmed(*COUNT.unpack(await reader.readexactly(COUNT.size)))
            self._unsent[:0], self._writer = self._unkept, writer
            self._unkept.clear()
            self.send(urgent=bool(self._waiters))
            while True:
                self._confirmed(*COUNT.unpack(await reader.readexactly(COUNT.size)))
        finally:
            self._writer = None
            writer.close()

    def send(self, *, urgent: bool = False) -> None:
        """Sends what waits for others no longer; ``urgent`` says that somebody waits for the last of it."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        urgent, self._is_urgent = urgent or self._is_urgent, False
        if self._writer is None or not self._unsent:
            return
        sending, self._unsent = self._unsent, []
        self._unkept.extend(sending)
        self._writer.write(_frames(sending, urgent=urgent))

    def _confirmed(self, number: int) -> None:
        for _ in range(number - self._kept):
            self.waiting_bytes -= LENGTH.size + len(self._unkept.popleft())
        self._kept = max(number, self._kept)
        self._room()
        for waited in [one for one in self._waiters if one <= number]:
            for waiter in self._waiters.pop(waited):
                if not waiter.done():
                    waiter.set_result(None)


def _frames(contents: Sequence[bytes], *, urgent: bool) -> bytes:
    parts = [part for one in contents for part in (LENGTH.pack(len(one)), one)]
    if urgent:
        parts[-2] = LENGTH.pack(len(contents[-1]) | URGENT)
    return b"".join(parts)
