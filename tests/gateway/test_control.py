"""The line between supervisor and worker, over a real socket pair."""

import asyncio
import socket
from typing import Any

import uvloop

from strongroom.gateway.control import Line


async def _pair() -> tuple[Line, Line, socket.socket, socket.socket]:
    one, other = socket.socketpair()
    return await Line.over(one), await Line.over(other), one, other


async def _all(line: Line) -> list[dict[str, Any]]:
    async with asyncio.timeout(10):
        return [message async for message in line.messages()]


def test_messages_come_in_order_and_end_with_the_line() -> None:
    """What was told is heard, and the end of the other side ends the hearing."""

    async def talk() -> None:
        one, other, *_ = await _pair()
        one.tell("admit", number=1, account="äpp\n")
        one.tell("cancel", process_id=7, key="ff" * 256)
        one.close()
        assert await _all(other) == [
            {"what": "admit", "number": 1, "account": "äpp\n"},
            {"what": "cancel", "process_id": 7, "key": "ff" * 256},
        ]
        other.close()

    uvloop.run(talk())


def test_an_end_that_dies_with_something_unread_ends_the_line() -> None:
    """The system reports a reset then; it means the same as an orderly end."""

    async def talk() -> None:
        raw, unread = socket.socketpair()
        one = await Line.over(raw)
        one.tell("reload")
        await asyncio.sleep(0)
        unread.close()  # as the kernel does for a process that was killed
        assert await _all(one) == []
        one.tell("drain")  # nobody hears it, and nothing breaks
        one.close()

    uvloop.run(talk())
