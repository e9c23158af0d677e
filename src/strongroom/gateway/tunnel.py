"""A way for psycopg to the database through the gateway's own connector, pins and logins included.

Jobs such as `protect` want a driver, but a driver of libpq's knows no pins and would need the credentials
again. `tunnel` opens a Unix socket in a folder that only this user can enter; whoever connects there is
connected to the database by the `Connector` and finds itself logged in. It runs in a thread of this process,
so its user must not block in C: `Connection.cancel_safe`, never `cancel`.

Called by the command line.
"""

import asyncio
import contextlib
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg

from strongroom.errors import StrongroomError
from strongroom.gateway.connector import Connector
from strongroom.gateway.tasks import Tasks
from strongroom.session.refusals import to_wire
from strongroom.session.startup import Encryption, first_packet
from strongroom.session.upstream_login import RESERVED, LoggedIn, UpstreamLogin
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres.codec import HEADER
from strongroom.wire.postgres.messages import BackendKeyData, CancelRequest, StartupMessage

PORT = 5432
STARTUP_BYTES = 10_000
PIECE = 1 << 16
CLOSE_SECONDS = 1.0
"""For the database to answer the end of TLS; then the connection is cut."""


class Tunnel:
    """An open tunnel."""

    def __init__(self, folder: Path, connector: Connector) -> None:
        self._folder = folder
        self._connector = connector
        self.failure: StrongroomError | None = None
        """Why the last connection could not be made; of the driver's error only a text would be left."""

    def connect(self, purpose: str) -> "psycopg.Connection[tuple[object, ...]]":
        """A connection in autocommit; ``purpose`` is its application_name.

        Raises `UpstreamError` with the reason where none can be made, `psycopg.Error` where it breaks.
        """
        self.failure = None
        try:
            return psycopg.connect(
                host=str(self._folder),
                port=PORT,
                user=self._connector.upstream.credentials.user,
                dbname=self._connector.upstream.credentials.database,
                application_name=purpose,
                autocommit=True,
            )
        except psycopg.OperationalError:
            if self.failure is None:
                raise
            raise self.failure from None


@contextlib.contextmanager
def tunnel(connector: Connector) -> Iterator[Tunnel]:
    """Open a tunnel; connections through it end with it."""
    with tempfile.TemporaryDirectory(prefix="strongroom-") as name:
        folder = Path(name)
        made = Tunnel(folder, connector)
        ready, stop = threading.Event(), _Stop()
        work = threading.Thread(
            target=lambda: asyncio.run(_serve(folder, connector, made, ready, stop)), daemon=True
        )
        work.start()
        ready.wait()
        try:
            yield made
        finally:
            stop.set()
            work.join()


class _Stop:
    """Ends the tunnel's loop from another thread."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._event = asyncio.Event()

    def belongs_to(self, loop: asyncio.AbstractEventLoop) -> asyncio.Event:
        """Note the loop; returns what it waits for."""
        self._loop = loop
        return self._event

    def set(self) -> None:
        """Say that it is over."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._event.set)


async def _serve(
    folder: Path, connector: Connector, made: Tunnel, ready: threading.Event, stop: _Stop
) -> None:
    over = stop.belongs_to(asyncio.get_running_loop())
    tasks = Tasks()

    def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.start("tunnel", _carry(connector, made, reader, writer))

    server = await asyncio.start_unix_server(welcome, str(folder / f".s.PGSQL.{PORT}"))
    ready.set()
    async with server:
        await over.wait()
        await tasks.cancel_all()
        await asyncio.sleep(0)  # closed transports go with the next turn of the loop


async def _carry(
    connector: Connector, made: Tunnel, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await _connect_through(connector, reader, writer)
    except StrongroomError as error:
        made.failure = error
        writer.write(to_wire(error, "FATAL").serialise())
    finally:
        writer.close()


async def _connect_through(
    connector: Connector, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    packet = await _first(reader, writer)
    if isinstance(packet, CancelRequest):
        await connector.cancel(packet.process_id, packet.secret_key)
        return
    inner = asyncio.StreamReader()
    transport, protocol, peer = await connector.open(lambda: asyncio.StreamReaderProtocol(inner))
    outer = asyncio.StreamWriter(transport, protocol, inner, asyncio.get_running_loop())
    try:
        settings = {name: value for name, value in packet.parameters.items() if name not in RESERVED}
        writer.write(_greeting(await _log_in(connector.login(peer, parameters=settings), inner, outer)))
        await asyncio.gather(_pump(reader, outer), _pump(inner, writer))
    finally:
        await _end(outer)


async def _end(outer: asyncio.StreamWriter) -> None:
    """Close, and wait for the end of TLS; the loop may end after this."""
    outer.close()
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await outer.wait_closed()
    except (OSError, TimeoutError):
        outer.transport.abort()


def _greeting(upstream: LoggedIn) -> bytes:
    greeting = [m.authentication(0)]
    greeting += [m.ParameterStatus(*item).serialise() for item in upstream.parameters.items()]
    greeting += [BackendKeyData(upstream.process_id, upstream.secret_key[:4]).serialise()]
    return b"".join(greeting) + m.ready_for_query("I")


async def _first(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> CancelRequest | StartupMessage:
    data = b""
    while True:
        data += await reader.read(STARTUP_BYTES) or _gone()
        found = first_packet(data, STARTUP_BYTES)
        if found is None:
            continue
        packet, length = found
        if not isinstance(packet, Encryption):
            return packet
        data = data[length:]
        writer.write(b"N")


def _gone() -> bytes:
    raise asyncio.IncompleteReadError(b"", None)


async def _log_in(login: UpstreamLogin, inner: asyncio.StreamReader, outer: asyncio.StreamWriter) -> LoggedIn:
    outer.write(login.start())
    while True:
        header = await inner.readexactly(HEADER)
        body = await inner.readexactly(int.from_bytes(header[1:]) - 4)
        outcome = login.receive(header[0], body)
        if isinstance(outcome, LoggedIn):
            return outcome
        outer.write(outcome.send)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Copy until the source ends, then end the sink."""
    while piece := await source.read(PIECE):
        sink.write(piece)
        await sink.drain()
    sink.close()
