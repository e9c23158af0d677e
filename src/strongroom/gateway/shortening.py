"""Erases and prunes beside the log's writer, in small steps: `audit/ageing.py` in the recorder.

What commands ask for is looked for each second; contents that are older than ``audit.keep`` once an hour.
Run by `recorder`.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial

import structlog

from strongroom.audit.ageing import Ageing, newest_time
from strongroom.audit.checkpoint import VerifierKey
from strongroom.audit.log import Log
from strongroom.deeds.clock import Leaps
from strongroom.errors import StrongroomError

LOOK_SECONDS = 1.0
"""Between two looks for what is asked for."""
STEP_SECONDS = 0.05
"""Between two steps, for the writer to have the time in between."""
ROUND_SECONDS = 3600.0
"""Between two rounds through what is too old."""
RETRY_SECONDS = 60.0
HOUR = 3_600_000
"""In milliseconds."""

_log = structlog.get_logger("strongroom.recorder")


class Shortening:
    """Of the log that this process writes."""

    def __init__(
        self,
        log: Log,
        keys: Sequence[VerifierKey],
        settle_soon: Callable[[], None],
        keep: timedelta | None,
    ) -> None:
        """``settle_soon`` has the log settled, where something waits for it."""
        self._ageing = Ageing(
            log.folder,
            keys,
            lambda: log.settled,
            log.contents_lock,
            keep=keep,
            say=lambda why: _log.error("passed over in shortening the audit log", why=why),
        )
        self._newest = partial(newest_time, log.folder, keys, log.settled)
        self._leaps: Leaps | None = None
        self._settle_soon = settle_soon
        self._keep = keep
        self._before: int | None = None  # of the round that is under way
        self._due = 0.0
        self._ending = asyncio.Event()

    def start(self) -> None:
        """Begins; `end` is to follow."""
        self._task = asyncio.create_task(self._run(), name="shorten")

    async def end(self) -> None:
        """Returns after the step that is under way."""
        self._ending.set()
        await self._task

    async def _run(self) -> None:
        while not self._ending.is_set():
            pause = await self._pause_after_step()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._ending.wait()

    async def _pause_after_step(self) -> float:
        try:
            if await asyncio.to_thread(self._step):
                return STEP_SECONDS
            if await asyncio.to_thread(lambda: self._ageing.waits):
                self._settle_soon()
        except StrongroomError as error:
            _log.error("the audit log cannot be shortened", code=error.code, why=error.message)
            return RETRY_SECONDS
        except Exception as error:  # noqa: BLE001 - nothing in the log's folder may end this
            _log.error("the audit log cannot be shortened", error=type(error).__name__)
            return RETRY_SECONDS
        return LOOK_SECONDS

    def _step(self) -> bool:
        return self._ageing.step() or self._step_of_age()

    def _step_of_age(self) -> bool:
        if self._keep is None or (self._before is None and time.monotonic() < self._due):
            return False
        if self._before is None:
            if self._has_leapt():
                self._due = time.monotonic() + ROUND_SECONDS
                return False
            self._before = (time.time_ns() - self._keep // timedelta(microseconds=1) * 1000) // 1_000_000
            self._due = time.monotonic() + ROUND_SECONDS
        more = self._ageing.step_of_age(self._before)
        if not more:
            self._before = None
        return more

    def _has_leapt(self) -> bool:
        """Whether the clock says so much more than the log that nothing is erased by it, for a day."""
        if self._leaps is None:
            self._leaps = Leaps(self._newest())
        leap = self._leaps.look()
        if leap is not None:
            _log.error("the clock is ahead of the audit log: nothing is erased by age", hours=leap // HOUR)
        return leap is not None
