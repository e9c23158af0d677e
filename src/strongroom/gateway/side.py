"""One of a session's two sockets: what comes in pieces, what goes, and whether the peer takes it.

Made by `driver`, which has two of them for each session.
"""

import asyncio
import select
from collections.abc import Callable
from time import monotonic
from typing import cast

LINGER_SECONDS = 5.0
"""How long a closing connection may take to accept its last octets."""

TURN_SECONDS = 0.01
"""How long the octets of one socket may keep the others of a worker waiting, but for a piece's exactness."""

FIRST_PIECE = 1 << 16
LARGEST_PIECE = 1 << 20
SMALLEST_PIECE = 4096


class Side(asyncio.Protocol):
    """One of the two sockets, with its flow control. ``on_made`` hears of the connection first.

    The event loop hands over up to 256 kB at a time, and up to 32 times before anyone else has a turn (libuv,
    uv__read). Octets that take long are therefore taken in pieces, and the socket is not read between them.
    """

    def __init__(
        self, on_data: Callable[[bytes], None], on_lost: Callable[[], None], on_room: Callable[[], None]
    ) -> None:
        self.on_made: Callable[[asyncio.Transport], None] | None = None
        self._on_data = on_data
        self._on_lost = on_lost
        self._on_room = on_room
        self._transport: asyncio.Transport | None = None
        self._reading = True
        self.wanted = True
        """Whether more is to be read."""
        self._piece = FIRST_PIECE
        self._left = b""  # octets that came and wait for their turn
        self._pausing = False
        self.takes = True
        """Whether the peer takes what is written, so that more may be."""
        self.lost = False

    @property
    def over(self) -> bool:
        """Whether there is no connection, any more or at all."""
        return self.lost or self._transport is None

    @property
    def peer(self) -> str:
        """The peer's address as the system has it; nothing where it has none."""
        name = None if self._transport is None else self._transport.get_extra_info("peername")
        return str(name[0]) if isinstance(name, tuple) and name else ""

    def limit(self, buffer_bytes: int) -> None:
        """Let so many octets wait for the peer before it counts as not taking."""
        if self._transport is not None:
            self._transport.set_write_buffer_limits(high=buffer_bytes)

    def read(self, wanted: bool) -> None:
        """Read from the peer, or leave what it sends in the kernel."""
        self.wanted = wanted
        reading = wanted and not self._pausing
        if reading is self._reading or self._transport is None or self._transport.is_closing():
            return
        self._reading = reading
        if reading:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def write(self, data: bytes) -> None:
        """Write, unless the connection is over, or is just ending; then `connection_lost` follows."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """Close when what waits is written, or after `LINGER_SECONDS`."""
        self._left = b""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()
            asyncio.get_running_loop().call_later(LINGER_SECONDS, self.abort)

    def end_if_reset(self) -> None:
        """Notice that a peer that is not read from has broken the connection; the event loop would not.

        A peer that has only said that it sends no more is not looked for: what it sent may still be unread.
        """
        if self._reading or self._transport is None or self._transport.is_closing():
            return
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), 0)  # these two are always told
        if any(found & (select.POLLHUP | select.POLLERR) for _, found in poll.poll(0)):
            self._transport.abort()

    def abort(self) -> None:
        """Close at once."""
        self._left = b""
        if self._transport is not None and not self.lost:
            self._transport.abort()

    # What the event loop calls (asyncio's Protocol).

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self.on_made is not None:
            self.on_made(self._transport)

    def data_received(self, data: bytes) -> None:
        if self._pausing:  # TLS may have had it already
            self._left += data
        else:
            self._take(data)

    def _take(self, data: bytes) -> None:
        """Take a piece; where that took long, let the others have their turn before the next."""
        begun = monotonic()
        while True:
            piece = data if len(data) <= self._piece else data[: self._piece]
            data = data[len(piece) :]
            before = monotonic()
            self._on_data(piece)
            if self._transport is None or self._transport.is_closing():
                return  # what is left is of a session that is over
            now = monotonic()
            if now - before > TURN_SECONDS:
                self._piece = max(SMALLEST_PIECE, int(len(piece) * TURN_SECONDS / (now - before)))
            elif self._piece < LARGEST_PIECE:
                self._piece *= 2
            if now - begun > TURN_SECONDS:
                self._pause(data)
                return
            if not data:
                return

    def _pause(self, data: bytes) -> None:
        self._left = data
        self._pausing = True
        self.read(self.wanted)
        asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._pausing = False
        data, self._left = self._left, b""
        if data:
            self._take(data)
        self.read(self.wanted)

    def pause_writing(self) -> None:
        self.takes = False
        self._on_room()

    def resume_writing(self) -> None:
        self.takes = True
        self._on_room()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc  # why a peer is gone changes nothing
        if self._left:  # it was said before
            data, self._left = self._left, b""
            self._on_data(data)
        self.lost = self.takes = True
        self._on_lost()
