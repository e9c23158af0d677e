"""Sends the audit log to where it goes beside its folder: a thread for each place, pauses after failures.

None of them is in the writer's way: they read what it published, and while they cannot send it stays in the
folder. One thing stops the writer, which it is told of: that a place has another history of this log, or a
longer one. Run by `recorder`.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from strongroom.errors import AuditError, LogContradicted, LogRolledBack, SinkUnreachable
from strongroom.gateway.meters import Draft

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0
FINISH_SECONDS = 10.0
"""For the last records, at the end; what was not sent then is sent after the next start."""

_log = structlog.get_logger("strongroom.recorder")


class Sink(Protocol):
    """Where the log goes."""

    def begin(self) -> None:
        """Raises an ``AuditError`` where it cannot go there; asked once, before anything is recorded."""

    def send(self) -> int:
        """Sends what is new, and returns how many records are there; raises an ``AuditError``."""

    def end(self) -> None:
        """Has `send` come to an end soon; called from another thread."""

    def close(self) -> None:
        """Hangs up."""


@dataclass(frozen=True, slots=True)
class Way:
    """A sink, by the name that it was given."""

    name: str
    sink: Sink
    seconds: float
    """Between two looks for what is new."""


class Shipping:
    """All ways of one log."""

    def __init__(self, ways: Sequence[Way], contradicted: Callable[[AuditError], None]) -> None:
        """``contradicted`` is called in another thread, when the log must not go on."""
        self._ways = ways
        self._contradicted = contradicted
        self._ending = threading.Event()
        self._sent_at = {way.name: 0.0 for way in ways}  # by the wall's clock
        self._failures = {way.name: 0 for way in ways}
        self._threads = [
            threading.Thread(target=self._keep_sending, args=(way,), name=f"audit-{way.name}", daemon=True)
            for way in ways
        ]

    def begin(self, *, again: bool) -> None:
        """Look at each place before anything is recorded; raises an ``AuditError`` where that must not be.

        One that cannot be reached now is tried later. One that refuses stops a start, as nobody would miss
        what never came; but not ``again``, after a recorder died under sessions that wait for another.
        """
        for way in self._ways:
            try:
                way.sink.begin()
            except AuditError as error:
                if isinstance(error, LogRolledBack | LogContradicted) or not (again or _passes(error)):
                    raise
                _log.error("the audit log cannot be sent", to=way.name, code=error.code, why=error.message)

    def start(self) -> None:
        """Begin to send."""
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Return once the last records were sent, or could not be in time."""
        self._ending.set()
        deadline = time.monotonic() + FINISH_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for way in self._ways:
            way.sink.end()

    def _keep_sending(self, way: Way) -> None:
        pause = 0.0
        while True:
            is_last = self._ending.wait(pause or way.seconds)
            sent = self._send(way, pause)
            if is_last or sent is None:
                break
            pause = 0.0 if sent else min(max(FIRST_PAUSE_SECONDS, 2 * pause), LONGEST_PAUSE_SECONDS)
        way.sink.close()

    def _send(self, way: Way, pause: float) -> bool | None:
        """Whether it was sent; None where the log must not go on."""
        try:
            records = self._counted(way)
        except (LogRolledBack, LogContradicted) as error:
            self._contradicted(error)
            return None
        except AuditError as error:
            _log.error("the audit log cannot be sent", to=way.name, code=error.code, why=error.message)
            return False
        except Exception as error:  # noqa: BLE001  # a defect of ours must not end the sending unseen
            _log.error("the audit log cannot be sent", to=way.name, exc_info=error)
            return False
        if pause:
            _log.info("the audit log is sent again", to=way.name, records=records)
        return True

    def _counted(self, way: Way) -> int:
        try:
            records = way.sink.send()
        except Exception:
            self._failures[way.name] += 1
            raise
        self._sent_at[way.name] = time.time()
        return records

    def write(self, draft: Draft) -> None:
        """Put into a report when the log was last sent to each place, and how often it could not be."""
        for name in self._failures:
            draft.put("strongroom_audit_sent_timestamp_seconds", self._sent_at[name], name)
            draft.put("strongroom_audit_send_failures_total", self._failures[name], name)


def _passes(error: AuditError) -> bool:
    """Whether it may be well a moment later, with nobody doing anything."""
    return isinstance(error, SinkUnreachable)
