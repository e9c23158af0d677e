"""A question of the gateway's own to the database, over a connection made as a session's is.

Reads the catalog and the keysets kept beside the data: connect, log in, one simple query, all its rows as
text, close. Called by `server`; jobs that need more than questions use psycopg.
"""

import asyncio
from collections.abc import AsyncIterator

from strongroom.errors import ClientError, UpstreamError, UpstreamGone
from strongroom.gateway.connector import Connector
from strongroom.session.upstream_login import LoggedIn
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres.codec import HEADER, Framer
from strongroom.wire.postgres.reader import Reader

ANSWER_SECONDS = 60.0
"""A catalog of a hundred thousand columns answers in a few seconds."""

CLOSE_SECONDS = 1.0
"""For the peer to answer the end of TLS; then the connection is cut."""

MESSAGE_BYTES = 256 << 20
"""Longest answer: the catalog comes as one value."""

Row = tuple[bytes | None, ...]


async def ask(connector: Connector, query: str) -> list[Row]:
    """Return the rows of the query, values in text format; raises `UpstreamError`."""
    transport, inbox, peer = await connector.open(_Inbox)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            login = connector.login(peer)
            transport.write(login.start())
            async for tag, body in inbox.messages():
                outcome = login.receive(tag, body)
                if isinstance(outcome, LoggedIn):
                    break
                transport.write(outcome.send)
            transport.write(m.Query(query).serialise())
            return await _rows(inbox)
    except TimeoutError:
        raise UpstreamError("the database did not answer a question of the gateway's own in time") from None
    finally:
        if not transport.is_closing():
            transport.write(m.TERMINATE)
        transport.close()
        await inbox.closed(transport)


async def _rows(inbox: "_Inbox") -> list[Row]:
    rows: list[Row] = []
    async for tag, body in inbox.messages():
        letter = chr(tag)
        if letter == "D":
            reader = Reader(body)
            rows.append(tuple(reader.value() for _ in range(reader.count())))
        elif letter == "E":
            code = m.ErrorResponse.parse(body).fields.get("C", "")
            raise UpstreamError(
                f"the database refused a question of the gateway's own: SQLSTATE {code}",
                hint="Does the upstream user have the right to read what Strongroom keeps in the database?",
            )
        elif letter == "Z":
            break
    return rows


class _Inbox(asyncio.Protocol):
    """Messages as they come."""

    def __init__(self) -> None:
        self._frames = Framer(MESSAGE_BYTES)
        self._queue: asyncio.Queue[tuple[int, bytes] | UpstreamError] = asyncio.Queue()
        self._lost = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        try:
            whole, spans = self._frames.feed(data)
        except ClientError as error:  # the codec cannot know which side it reads
            self._queue.put_nowait(UpstreamError(f"from the database: {error.message}"))
            return
        for tag, start, end in spans:
            self._queue.put_nowait((tag, whole[start + HEADER : end]))

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._lost.set()
        self._queue.put_nowait(UpstreamGone("the database closed a connection of the gateway's own"))

    async def closed(self, transport: asyncio.Transport) -> None:
        """Wait until nothing of the connection is left; the loop may end after this."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._lost.wait()
        except TimeoutError:
            transport.abort()

    async def messages(self) -> AsyncIterator[tuple[int, bytes]]:
        """Give messages; raises `UpstreamError` where no more can come."""
        while True:
            item = await self._queue.get()
            if isinstance(item, UpstreamError):
                raise item
            yield item
