"""The line between the supervisor and a worker: one JSON object a line over a socket pair.

    worker → supervisor    admit, assume, release, cancel, cancelled, catalog, due, keys, metrics, tenant,
                           ready
    supervisor → worker    keys (first of all), grants, admitted, assumed, cancel, cancelled, catalog,
                           tenants, tenant, revoked, reload, drain

The supervisor alone counts connections and log-ins, so that limits hold across workers; when a worker dies
its line breaks, and its connections are no longer counted. When the supervisor dies, the workers drain.

Used by `worker` and `supervisor`.
"""

import asyncio
import contextlib
import itertools
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

LINE_BYTES = 256 << 20
"""More than any message needs: the longest carries a configuration, each octet written as six at most, and
the key-encryption keys of up to 100,000 tenants, a kilobyte each."""


class Line:
    """One end of the line."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, sock: socket.socket) -> "Line":
        """Make an end from a connected socket."""
        return cls(*await asyncio.open_unix_connection(sock=sock, limit=LINE_BYTES))

    def tell(self, what: str, **fields: Any) -> None:
        """Send a message; a broken line is noticed by who reads it."""
        if not self._writer.is_closing():
            self._writer.write(json.dumps({"what": what, **fields}).encode() + b"\n")

    @property
    def is_clear(self) -> bool:
        """Whether all that was told is on its way: what can be said later need not wait in memory."""
        return self._writer.transport.get_write_buffer_size() == 0

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        """Give what the other end sends, until it is gone."""
        with contextlib.suppress(ConnectionError):  # the other end died with something unread
            while line := await self._reader.readline():
                yield json.loads(line)

    def close(self) -> None:
        """Hang up."""
        self._writer.close()

    async def end(self) -> None:
        """Hang up, and return once what was told is on its way."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


class Questions:
    """What one end asks over the line, each under a number that its answer bears."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Any]] = {}

    async def ask(self, what: str, **fields: Any) -> Any:
        """Send a question and wait for what `answered` is called with."""
        number = next(self._numbers)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            self._line.tell(what, number=number, **fields)
            return await answer
        finally:
            del self._asked[number]

    def answered(self, number: int, answer: Any) -> None:
        """Take an answer; nobody may wait for it any more."""
        asked = self._asked.get(number)
        if asked is not None and not asked.done():
            asked.set_result(answer)
