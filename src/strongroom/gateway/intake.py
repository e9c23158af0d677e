"""What workers record, taken in and written to the audit log.

Workers connect over a Unix socket and send records; they are told how many of theirs are on the disk. What
several send at once is kept by one wait for the disk, off the way of every session. Where the recorder died
another takes the log up, and workers send again what they were not told of, and nothing twice.

    worker → recorder    a line of JSON, `{"source": NAME, "kept": COUNT}`, with how many it was told of; then
                         records, each behind its length in four octets, whose highest bit says that somebody
                         waits for it
    recorder → worker    how many of this source's records are on the disk, in eight octets; first of all once

Run by `recorder`; the other end is `outbox`.
"""

import asyncio
import contextlib
import json
import socket
import struct
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

import structlog

from strongroom._kernel import cut_records
from strongroom._kernel.logging import LENGTH
from strongroom.audit.log import Log
from strongroom.errors import LogUnwritable
from strongroom.gateway.meters import Draft

COUNT = struct.Struct(">Q")
WAITING_BYTES = 64 << 20
"""Of records that are not written yet: beyond it nothing is read, and workers keep theirs."""
RETRY_SECONDS = 1.0
"""Pause before a disk that was full is tried again."""
HEAR_OUT_SECONDS = 5.0
"""For workers that have ended to be heard to their end."""
SETTLE_SECONDS = 60.0
SETTLE_RECORDS = 200_000
"""Whichever comes first: so much the journal holds twice, and a start reads."""

_log = structlog.get_logger("strongroom.recorder")


@dataclass(frozen=True, slots=True)
class Pace:
    """How long records may wait; in seconds."""

    batch: float = 0.02
    """For others, before they are written to the disk together; none waits where somebody waits for it."""
    checkpoint: float = 1.0
    """Before a checkpoint covers them."""


class _Source(asyncio.Protocol):
    """A worker."""

    def __init__(self, intake: "Intake") -> None:
        self.name = ""
        self.read = 0
        """How many of its records came, in all."""
        self.records: list[bytes] = []
        self.is_gone = False
        self._intake = intake
        self._rest = b""
        self._transport: asyncio.Transport | None = None

    def tell(self, count: int) -> None:
        """So many of its records are on the disk."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(COUNT.pack(count))

    def listen(self, *, wanted: bool) -> None:
        """Read from it, or leave what it sends in the kernel."""
        if self._transport is None or self._transport.is_closing():
            return
        if wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def hang_up(self) -> None:
        """Nothing more is told."""
        if self._transport is not None:
            self._transport.close()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        if not self.name:
            line, newline, data = data.partition(b"\n")
            if not newline:
                self._rest = line
                return
            said = json.loads(line)
            self.name = said["source"]
            self._intake.greet(self, said["kept"])
        records, end, urgent = cut_records(data)
        self._rest = data[end:]
        self.records += records
        self._intake.took(end, urgent=urgent)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_gone = True  # what came of it is written yet; what it was not told of, it sends again
        self._intake.lost()


@dataclass(frozen=True, slots=True)
class _Batch:
    source: _Source
    records: list[bytes]
    number: int
    octets: int


class Intake:
    """Writes what its workers send to one log."""

    def __init__(self, log: Log, pace: Pace, *, settled: Callable[[int], None] = lambda _: None) -> None:
        """``settled`` hears of sizes that the log will never be below again, in another thread."""
        self._log = log
        self._pace = pace
        self._settled = settled
        self._sources: set[_Source] = set()
        self._waiting = 0  # octets
        self._reading = True
        self._work, self._urgent = asyncio.Event(), asyncio.Event()
        self._settling: asyncio.Task[None] | None = None
        self._settled_size, self._settled_at = log.size, 0.0
        self._published_at = 0.0
        self._covered_at = time.time()  # by the wall's clock: all that was there then is under a checkpoint
        self._failures = 0
        self._is_asked_to_settle = False
        self._left = asyncio.Event()
        self._stopping = False

    async def serve(self, listener: socket.socket, ready: Callable[[], None], stop: Awaitable[float]) -> None:
        """Write what comes until told to stop; then what is there, and the last checkpoint.

        ``stop`` gives the seconds that workers have to hang up.
        """
        server = await asyncio.get_running_loop().create_unix_server(lambda: _Source(self), sock=listener)
        writing = asyncio.create_task(self._keep_writing(), name="write")
        ready()
        stopping = asyncio.ensure_future(stop)
        await asyncio.wait([stopping, writing], return_when=asyncio.FIRST_COMPLETED)
        if writing.done():
            await writing  # raises: another recorder finds out at its start what is wrong with the log
        server.close()
        await self._hear_out(stopping.result())
        self._stopping = True
        self._work.set()
        self._urgent.set()
        await writing
        if self._settling is not None:
            await self._settling
        await asyncio.to_thread(self._log.close)
        await asyncio.to_thread(self._settled, self._log.size)
        for source in self._sources:
            source.hang_up()

    def write(self, draft: Draft) -> None:
        """Put into a report how large the log is, how much of it is covered, and what failed."""
        size, uncovered = self._log.size, self._log.size - self._log.published
        if not uncovered:
            self._covered_at = time.time()
        draft.put("strongroom_audit_log_records", size)
        draft.put("strongroom_audit_uncovered_records", uncovered)
        draft.put("strongroom_audit_checkpoint_timestamp_seconds", self._covered_at)
        draft.put("strongroom_audit_write_failures_total", self._failures)

    def settle_soon(self) -> None:
        """Settles what there is: somebody waits for records to stand in the log's files alone."""
        self._is_asked_to_settle = True
        self._work.set()

    async def _hear_out(self, seconds: float) -> None:
        """Workers end before their recorder: what they sent last is on its way still."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while any(not source.is_gone for source in self._sources):
                    self._left.clear()
                    await self._left.wait()

    # ------------------------------------------------------------------------------------------- what comes

    def greet(self, source: _Source, kept: int) -> None:
        """A worker has said its name, and how many it was told of: it hears how many are known."""
        source.read = max(self._log.heard_of(source.name), kept)
        self._sources.add(source)
        source.tell(source.read)
        source.listen(wanted=self._has_room)

    def took(self, octets: int, *, urgent: bool) -> None:
        """So much came of one, and somebody waits for it, or nobody."""
        if octets:
            self._waiting += octets
            self._work.set()
        if urgent:
            self._urgent.set()
        self._make_room()

    def lost(self) -> None:
        """A worker is gone."""
        self._work.set()
        self._left.set()

    @property
    def _has_room(self) -> bool:
        return self._waiting <= WAITING_BYTES

    def _make_room(self) -> None:
        """Nobody is read while too much waits."""
        if self._reading is not self._has_room:
            self._reading = self._has_room
            for source in self._sources:
                source.listen(wanted=self._reading)

    # ---------------------------------------------------------------------------------------------- writing

    async def _keep_writing(self) -> None:
        while not self._stopping:
            due = self._log.size > self._log.published
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pace.checkpoint if due else None):
                    await self._work.wait()
            if self._work.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._pace.batch):
                        await self._urgent.wait()
            await self._write(self._taken())
            await self._publish_if_due()

    def _taken(self) -> list[_Batch]:
        self._work.clear()
        self._urgent.clear()
        batches = [self._batch(source) for source in self._sources if source.records]
        self._sources = {source for source in self._sources if not source.is_gone}
        return batches

    def _batch(self, source: _Source) -> _Batch:
        records, source.records = source.records, []
        source.read += len(records)
        return _Batch(source, records, source.read, sum(map(len, records)) + LENGTH.size * len(records))

    async def _write(self, batches: list[_Batch]) -> None:
        """On the disk, and told; however long the disk is full."""
        left = deque(batches)
        while True:
            try:
                await asyncio.to_thread(self._append, left)
                break
            except LogUnwritable as error:
                self._failures += 1
                _log.error("cannot write", code=error.code, why=error.message)
                await asyncio.sleep(RETRY_SECONDS)
        for batch in batches:
            self._waiting -= batch.octets
            batch.source.tell(batch.number)
        self._make_room()

    def _append(self, left: deque[_Batch]) -> None:
        while left:
            self._log.append(left[0].records, left[0].source.name, left[0].number)
            left.popleft()
        self._log.flush()

    async def _publish_if_due(self) -> None:
        now = asyncio.get_running_loop().time()
        is_new = self._log.size > self._log.published and now - self._published_at >= self._pace.checkpoint
        if not is_new and not self._is_asked_to_settle:
            return
        try:
            if self._is_to_settle(now):
                self._is_asked_to_settle = False
                await asyncio.to_thread(self._log.turn)
                self._settled_size, self._settled_at = self._log.size, now
                self._settling = asyncio.create_task(self._settle(), name="settle")
            else:
                await asyncio.to_thread(self._log.publish)
            self._published_at, self._covered_at = now, time.time()
        except LogUnwritable as error:
            self._failures += 1
            _log.error("cannot publish", code=error.code, why=error.message)
            await asyncio.sleep(RETRY_SECONDS)

    def _is_to_settle(self, now: float) -> bool:
        if self._settling is not None and not self._settling.done():
            return False
        many = self._log.size - self._settled_size >= SETTLE_RECORDS
        return many or self._is_asked_to_settle or now - self._settled_at >= SETTLE_SECONDS

    async def _settle(self) -> None:
        size = self._settled_size
        try:
            await asyncio.to_thread(self._log.settle)
            await asyncio.to_thread(self._settled, size)
        except LogUnwritable as error:
            _log.error("cannot settle", code=error.code, why=error.message)
