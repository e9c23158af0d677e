"""One of a session's two sockets; tests/gateway/test_driver.py has the two together."""

import asyncio
import os
import socket
import time

import pytest
import uvloop

from strongroom.gateway.side import SMALLEST_PIECE, TURN_SECONDS, Side


def busy_for(seconds: float) -> None:
    """Use the processor: what holds up an event loop."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


@pytest.mark.parametrize("piece_seconds", [0.0, 2 * TURN_SECONDS])
def test_octets_that_take_long_leave_others_their_turn(piece_seconds: float) -> None:
    """They are taken in order and whole, in smaller pieces, and the loop goes round between two of them."""
    sent = os.urandom(1 << 18)
    pieces: list[tuple[bytes, int]] = []
    turns = 0

    def take(octets: bytes) -> None:
        pieces.append((octets, turns))
        busy_for(piece_seconds)

    def send(there: socket.socket) -> None:
        with there:
            there.sendall(sent)

    async def play() -> None:
        nonlocal turns
        ended = asyncio.Event()
        side = Side(take, ended.set, lambda: None)
        here, there = socket.socketpair()
        await asyncio.get_running_loop().connect_accepted_socket(lambda: side, here)
        writing = asyncio.get_running_loop().run_in_executor(None, send, there)
        while not ended.is_set():
            await asyncio.sleep(0)  # the others' turn
            turns += 1
        await writing

    uvloop.run(play())
    assert b"".join(octets for octets, _ in pieces) == sent
    if piece_seconds:
        assert len({turn for _, turn in pieces}) == len(pieces)
        assert SMALLEST_PIECE in {len(octets) for octets, _ in pieces}
