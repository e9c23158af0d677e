"""Looks after keys that are due, about once an hour, and whenever a worker says that one has become due.

Each look is a process of its own (``cli/keys/unattended.py``), so that neither its crash nor a slow database
harms a session; one at a time, also among gateways, since a rotation takes an advisory lock of the database.
What it finds is logged: a rotation each time, what people must see to once a day.

Called by `supervisor`.
"""

import asyncio
import contextlib
import random
import socket
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from strongroom.config import Settings
from strongroom.gateway.control import Line
from strongroom.keys.kek import Keks, danger_written

_log = structlog.get_logger("strongroom.caretaker")

FIRST_SECONDS = 60.0
"""Before the first look; many gateways may have been started at once."""

LOOK_SECONDS = 3600.0
"""Between two looks, give or take a tenth: the age of a key is counted in days, and a worker says by itself
when one was used enough."""

ONE_LOOK_SECONDS = 6 * 3600.0
"""What one look may take: PostgreSQL validates a CHECK at some millions of rows a second."""

AGAIN_SECONDS = 86_400.0
"""Before the same thing is said again, which people must see to."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What the gateway serves now."""

    settings: Settings
    config: Path
    content: str
    keks: Keks

    @property
    def by_itself(self) -> bool:
        """Whether there is anything to look after."""
        keys = self.settings.keys
        protects = any(one.columns for one in self.settings.databases.values())
        return keys is not None and keys.rotate.by_itself and protects


class Caretaker:
    """The looks of one gateway; ``charge`` gives what it serves, ``heard`` hears what was found."""

    def __init__(
        self, charge: Callable[[], Charge], heard: Callable[[dict[str, Any]], None], dice: random.Random
    ) -> None:
        self._charge = charge
        self._heard = heard
        self._dice = dice
        self._asked = asyncio.Event()
        self._said: dict[tuple[object, ...], float] = {}

    def ask(self) -> None:
        """Look now, or as soon as the look that is under way has ended."""
        self._asked.set()

    async def keep_looking(self) -> None:
        """Until cancelled."""
        seconds = FIRST_SECONDS
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds * self._dice.uniform(0.9, 1.1)):
                    await self._asked.wait()
            self._asked.clear()
            seconds = LOOK_SECONDS
            charge = self._charge()
            if charge.by_itself:
                await self._look(charge)

    async def _look(self, charge: Charge) -> None:
        mine, theirs = socket.socketpair()
        with theirs:
            process = await _start(charge, theirs)
        line = await Line.over(mine)
        try:
            async with asyncio.timeout(ONE_LOOK_SECONDS):
                line.tell("keys", keks=danger_written(charge.keks))
                async for finding in line.messages():
                    self._note(finding)
                status = await process.wait()
            if status != 0:
                _log.error("the look at keys that are due broke", status=status)
        except TimeoutError:
            _log.error("the look at keys that are due took too long", seconds=ONE_LOOK_SECONDS)
        finally:
            line.close()
            with contextlib.suppress(ProcessLookupError):
                process.kill()  # it goes on where it stopped, the next time
            await process.wait()

    def _note(self, finding: dict[str, Any]) -> None:
        what, fields = finding["what"], {key: text for key, text in finding.items() if key != "what"}
        self._heard(finding)
        if what == "rotated":
            _log.info("key rotated", advice="make a new backup of the keys: strongroom keys backup", **fields)
        elif self._is_news(what, finding.get("key"), finding.get("database"), finding.get("code")):
            event = "a key is due for rotation" if what == "due" else "keys that are due are not looked after"
            _log.warning(event, **fields)

    def _is_news(self, *about: object) -> bool:
        """Whether this was not said within a day."""
        now = asyncio.get_running_loop().time()
        self._said = {one: then for one, then in self._said.items() if now - then < AGAIN_SECONDS}
        if about in self._said:
            return False
        self._said[about] = now
        return True


async def _start(charge: Charge, line: socket.socket) -> asyncio.subprocess.Process:
    with tempfile.TemporaryFile() as content:
        content.write(charge.content.encode())
        content.seek(0)
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "strongroom.cli.keys.unattended"),
            *(f"--config={charge.config}", f"--content={content.fileno()}", f"--line={line.fileno()}"),
            pass_fds=[content.fileno(), line.fileno()],
            start_new_session=True,  # a Ctrl-C at the terminal is the supervisor's to handle
        )
