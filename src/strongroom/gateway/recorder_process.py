"""The supervisor's side of the recorder: it starts it, and another where it died.

The socket that workers connect to is made here and stays, so that those who connect while there is no
recorder are heard by the next. Called by `supervisor`.
"""

import asyncio
import contextlib
import socket
import sys
import tempfile
from pathlib import Path

import structlog

from strongroom.errors import LogUnusable
from strongroom.gateway.control import Line
from strongroom.gateway.meters import heard
from strongroom.gateway.metrics import Metrics
from strongroom.gateway.tasks import Tasks

RETRY_SECONDS = 1.0
"""Pause before another recorder is started."""
STOP_SECONDS = 30.0
"""For the last records and the last checkpoint."""

_log = structlog.get_logger("strongroom.recorder")


class RecorderProcess:
    """The recorder of a gateway; ``config`` and ``content`` are what its workers were given, too."""

    def __init__(self, config: Path, content: str, tasks: Tasks, metrics: Metrics) -> None:
        self._config = config
        self._content = content
        self._tasks = tasks
        self._metrics = metrics
        self._folder = tempfile.TemporaryDirectory(prefix="strongroom-")  # which only its owner may enter
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen()
        self.is_ready = False  # another thread reads it
        self._was_ready = False  # else there is no gateway, whose sessions wait for it
        self._stopping = False

    @property
    def path(self) -> Path:
        """Of the socket; it is short, as the names of sockets must be."""
        return Path(self._folder.name) / "recorder"

    async def start(self) -> None:
        """Return once it is ready; raises ``LogUnusable``."""
        try:
            await self._begin()
            await self._ready()
        except LogUnusable:
            self._release()
            raise

    async def _begin(self) -> None:
        """Raises ``LogUnusable`` where no process was begun; one that was is attended."""
        try:
            self._process, self._line = await self._begun()
        except OSError as error:
            raise LogUnusable(f"no recorder of the audit log can be started: {error.strerror}") from error
        self._tasks.start("recorder", self._attend(self._process, self._line))

    async def _ready(self) -> None:
        async for message in self._line.messages():
            if message["what"] == "ready":
                _log.info("audit log open", records=message["size"])
                self._was_ready = self.is_ready = True
                self._tasks.start("recorder's reports", self._hear(self._line))
                return
            raise LogUnusable(f"the audit log: {message['message']}", hint=message["hint"])
        raise LogUnusable("the recorder of the audit log ended at once: the lines before this one say why")

    async def _begun(self) -> tuple[asyncio.subprocess.Process, Line]:
        mine, theirs = socket.socketpair()
        with contextlib.ExitStack() as failing, theirs, tempfile.TemporaryFile() as content:
            failing.enter_context(mine)
            content.write(self._content.encode())
            content.seek(0)
            named = {"line": theirs.fileno(), "listener": self._listener.fileno()}
            descriptors = {**named, "content": content.fileno()}
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "strongroom.gateway.recorder", f"--config={self._config}"),
                *(f"--{name}={one}" for name, one in descriptors.items()),
                *(["--again"] if self._was_ready else []),
                pass_fds=list(descriptors.values()),
                start_new_session=True,  # a Ctrl-C at the terminal is the supervisor's to handle
            )
            failing.pop_all()
        return process, await Line.over(mine)

    async def _hear(self, line: Line) -> None:
        """Take what it counts, until it ends."""
        async for message in line.messages():
            if message["what"] == "metrics":
                self._metrics.take(line, heard(message["report"]))
        self._metrics.ended(line)

    async def _attend(self, process: asyncio.subprocess.Process, line: Line) -> None:
        """Wait until it ends, then start another in its place; what cannot be recorded waits as long."""
        status = await process.wait()
        self.is_ready = False
        line.close()
        if self._stopping or not self._was_ready:
            return
        _log.error("recorder died", status=status)
        begun = False  # from then on it is the next one's to go on trying
        while not begun:
            await asyncio.sleep(RETRY_SECONDS)
            if self._stopping:
                return
            try:
                await self._begin()
                begun = True
                await self._ready()
            except LogUnusable as error:
                _log.error("the audit log cannot be written", code=error.code, why=error.message)

    async def stop(self) -> None:
        """Return once all that workers recorded is in the log."""
        self._stopping = True
        self._line.tell("stop")
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            _log.error("recorder killed")
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        self._release()

    def _release(self) -> None:
        self._listener.close()
        self._folder.cleanup()
