"""The audit log as the supervisor has it: its recorder, and what the supervisor itself records.

Without ``audit:`` every method does nothing, but that a start says so. Called by `supervisor`.
"""

from collections.abc import Sequence
from pathlib import Path

import structlog

from strongroom.audit.records.changes import ConfigurationDeed
from strongroom.audit.records.running import Turn
from strongroom.audit.records.sessions import UNKNOWN_USER
from strongroom.config import Settings
from strongroom.errors import AuditChanged, StrongroomError
from strongroom.gateway.logbook import Logbook
from strongroom.gateway.metrics import Metrics
from strongroom.gateway.outbox import Outbox
from strongroom.gateway.recorder_process import RecorderProcess
from strongroom.gateway.tasks import Tasks
from strongroom.state import State

_log = structlog.get_logger("strongroom.records")


class Records:
    """Of one supervisor; the log that its first configuration names is written until it ends."""

    def __init__(
        self, settings: Settings, content: str, state: State, tasks: Tasks, metrics: Metrics
    ) -> None:
        self._audit = settings.audit
        self._workers = settings.workers
        self._file = settings.file
        self._content = content
        self._tasks = tasks
        self._recorder: RecorderProcess | None = None
        self._logbook: Logbook | None = None
        if settings.audit is not None:
            self._recorder = RecorderProcess(settings.file, content, tasks, metrics)
            self._logbook = Logbook(
                Outbox(self._recorder.path, settings.audit.gathering_seconds), settings.audit, state
            )

    @property
    def socket(self) -> Path | None:
        """Where workers send what they record; None where nothing is recorded."""
        return None if self._recorder is None else self._recorder.path

    @property
    def is_ready(self) -> bool | None:
        """Whether the recorder runs, and has the log open; None where nothing is recorded."""
        return None if self._recorder is None else self._recorder.is_ready

    async def start(self) -> None:
        """Opens the log; raises ``LogUnusable``."""
        if self._recorder is None or self._logbook is None:
            _log.warning("nothing is recorded: the configuration has no audit:")
            return
        await self._recorder.start()
        self._tasks.start("outbox", self._logbook.outbox.run())
        self._tasks.start("logbook", self._logbook.follow())
        self._logbook.turned(Turn.STARTED, self._workers, content=self._content)

    def refuse_other(self, settings: Settings) -> None:
        """Raises ``AuditChanged``: a reload must not end what is recorded, nor seem to begin it."""
        if settings.audit != self._audit:
            raise AuditChanged("audit: is another than when the gateway was started")

    def worker_died(self) -> None:
        """Another is started, or the gateway ends."""
        if self._logbook is not None:
            self._logbook.turned(Turn.WORKER_DIED, self._workers, well=False)

    def locked(self, account: str | None, source: str) -> None:
        """Too many wrong tries came from there; None for an account that there is not."""
        if self._logbook is not None:
            self._logbook.locked(UNKNOWN_USER if account is None else account, source or None)

    def refused(self, content: str, error: StrongroomError, weakenings: int) -> None:
        """A configuration was not taken."""
        if self._logbook is not None:
            deed = ConfigurationDeed.REFUSED
            self._logbook.configuration(
                deed, str(self._file), content, weakenings=weakenings, code=error.code
            )

    def accepted(self, content: str, weakenings: int, signed_by: Sequence[str], stance: str) -> None:
        """A configuration counts from now on."""
        if self._logbook is not None:
            deed = ConfigurationDeed.WEAKENED if weakenings else ConfigurationDeed.ACCEPTED
            self._logbook.configuration(
                deed, str(self._file), content, weakenings=weakenings, signed_by=signed_by, stance=stance
            )

    async def stop(self) -> None:
        """Returns once all that was recorded is in the log; the workers have ended."""
        if self._recorder is None or self._logbook is None:
            return
        self._logbook.turned(Turn.STOPPED, self._workers)
        await self._logbook.outbox.ended()
        self._logbook.outbox.hang_up()
        await self._recorder.stop()
