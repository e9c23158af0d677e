"""A worker process: a `Server` on the listening sockets that the supervisor handed down.

Started by `supervisor` as ``python -m strongroom.gateway.worker``, with the sockets as inherited file
descriptors; a fresh process rather than a fork, so that it begins with nothing of another's. It ends when the
line to the supervisor breaks: nobody would count its connections any more.
"""

import argparse
import asyncio
import contextlib
import ctypes
import gc
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import structlog
import uvloop

from strongroom.config import Settings, core_dumps_allowed, load
from strongroom.errors import KekMissing, StrongroomError
from strongroom.gateway.control import Line
from strongroom.gateway.log import set_up_log
from strongroom.gateway.outbox import Outbox
from strongroom.gateway.server import Server
from strongroom.keys.core_dumps import forbid_core_dumps
from strongroom.keys.kek import Keks, danger_read
from strongroom.state import open_state

FETCH_SECONDS = 10.0
"""So few workers end in vain while a key service is slow that the gateway does not give up
(`supervisor.RESTARTS_AT_MOST`)."""

_log = structlog.get_logger("strongroom.worker")


def main() -> int:
    """Run until told to drain; 2 if the configuration cannot be used."""
    if not core_dumps_allowed():
        forbid_core_dumps()
    arguments = _arguments()
    set_up_log(worker=arguments.number)
    _keep_buffers()
    try:
        with open(arguments.content, "rb") as content:  # noqa: PTH123 - a descriptor, no path
            settings = load(arguments.config, content=content.read().decode())
    except StrongroomError as error:
        _log.error("cannot start", code=error.code, why=error.message)
        return 2
    return uvloop.run(_work(settings, arguments))


def _keep_buffers() -> None:
    """Have glibc keep the memory of freed buffers for the next (its manual, "Malloc Tunable Parameters").

    Reading rows, a worker takes and frees some buffers of 256 KiB again and again. Given back to the system
    each time, every page of theirs would be faulted in and zeroed anew: a tenth of the time of such reading.
    """
    with contextlib.suppress(AttributeError):  # other C libraries
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, 4 << 20)
        mallopt(_M_TRIM_THRESHOLD, 8 << 20)


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A worker of `strongroom serve`, which starts it.")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--content", type=int, required=True, help="descriptor of what the file held")
    parser.add_argument("--number", type=int, required=True)
    parser.add_argument("--line", type=int, required=True, help="descriptor of the line to the supervisor")
    parser.add_argument("--recorder", type=Path, help="the socket of the audit log's recorder")
    parser.add_argument("--listener", action="append", default=[], help="DATABASE=DESCRIPTOR")
    return parser.parse_args()


async def _work(settings: Settings, arguments: argparse.Namespace) -> int:
    line = await Line.over(socket.socket(fileno=arguments.line))
    messages = line.messages()
    try:
        keks, stance = await _keys(messages)
        outbox = None
        if arguments.recorder is not None and settings.audit is not None:
            outbox = Outbox(arguments.recorder, settings.audit.gathering_seconds)
        server = Server(
            settings, open_state(settings.state), line, keks, stance, outbox=outbox, number=arguments.number
        )
        await server.learn()
    except StrongroomError as error:
        _log.error("cannot start", code=error.code, why=error.message)
        if isinstance(error, KekMissing):
            await _fetched(line, messages)
        return 2
    for listener in arguments.listener:
        name, _, descriptor = listener.rpartition("=")
        sock = socket.socket(fileno=int(descriptor))
        sock.setblocking(False)
        server.listen(name, sock)
    server.begin()
    gc.collect()
    gc.freeze()  # modules and catalog live as long as the worker: no collection need walk through them again
    line.tell("ready")
    async for message in messages:
        if message["what"] == "drain":
            break
        server.heard(message)
        if message["what"] == "reload":
            server.tasks.start("reload", _reload(server, arguments.config, message))
    server.tasks.start("line", _listen(server, messages))
    await server.drain(settings.limits.drain_seconds)
    return 0


async def _listen(server: Server, messages: AsyncIterator[dict[str, Any]]) -> None:
    """Go on hearing while sessions end: a tenant's key may be taken away, a request cancelled."""
    async for message in messages:
        server.heard(message)


async def _keys(messages: AsyncIterator[dict[str, Any]]) -> tuple[Keks, str]:
    """The keys, which the supervisor says first, and what it accepted; it alone opens roots."""
    async for message in messages:
        return danger_read(message["keks"]), message.get("stance", "")
    return Keks.of(()), ""  # the supervisor is gone already: so will the worker be


async def _fetched(line: Line, messages: AsyncIterator[dict[str, Any]]) -> None:
    """A KEK was rotated since the supervisor opened it: it does so now, and then starts another worker.

    Who ended at once would be started with the former KEK again and again, until the gateway gives up.
    """
    line.tell("keys")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FETCH_SECONDS):
            async for message in messages:
                if message["what"] in {"reload", "drain"}:
                    return


async def _reload(server: Server, config: Path, message: dict[str, Any]) -> None:
    """Take what the supervisor has read and found good; ``config`` is where its relative paths begin."""
    try:
        await server.reload(load(config, content=message["content"]), message.get("stance", ""))
    except StrongroomError as error:
        _log.error("configuration refused, the old one stays", code=error.code, why=error.message)
    else:
        _log.info("configuration reloaded")


if __name__ == "__main__":
    sys.exit(main())
