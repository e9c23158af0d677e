"""What one worker records: who came in, who did not, who left, and what became of each statement.

It knows when it is, and counts; what was done a session says (`session.recording`), and its `Scribe` writes.
Where more waits for the disk than may (`audit.waiting_bytes`), it is `full`: then either nobody is read
any more, or what is done goes unrecorded, and how much that was is recorded once there is room. In the mode
``sync`` a statement waits until its intent is on the disk (`kept`), or, where it may go unrecorded, for some
seconds; then none waits until that is made up for, and that it was so is recorded as a gap.
Used by `server`.
"""

import asyncio
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from strongroom import __version__
from strongroom.audit.records.codes import Record
from strongroom.audit.records.encoding import encode
from strongroom.audit.records.running import Gap, Loss
from strongroom.audit.records.sessions import (
    UNKNOWN_USER,
    LoginFailed,
    Refusal,
    SessionClosed,
    SessionOpened,
    Way,
)
from strongroom.audit.records.shared import Client, Head, Holder
from strongroom.config.audit import Audit
from strongroom.gateway.driver import Driver
from strongroom.gateway.meters import Draft
from strongroom.gateway.outbox import Outbox
from strongroom.policy.model import Subject
from strongroom.session.login import Method
from strongroom.session.metering import Meter
from strongroom.session.recording import Answers, Begun, Deed, Done
from strongroom.session.scribe import Scribe, Shapes

_WAYS: Mapping[Method | None, Way] = {
    None: Way.UNKNOWN,
    Method.CERTIFICATE: Way.CERTIFICATE,
    Method.SCRAM: Way.SCRAM,
    Method.SCRAM_PLUS: Way.SCRAM_PLUS,
}


COLLECTED_SECONDS = 0.01
"""What sessions did waits so long at most, where it is not counted among what waits for the disk."""
ALLOWED_SECONDS = 5.0
"""For a statement's intent before it goes on without, where that is allowed: time for another recorder."""

_COUNTED = frozenset({Refusal.PROOF, Refusal.UNKNOWN})


@dataclass(eq=False, slots=True)
class _Chapter:
    """What is recorded of one session, from its opening on."""

    client: Client
    scribe: Scribe
    opened: float
    meter: Meter
    statements: int = 0
    rows: int = 0
    values: int = 0
    intent: int = 0
    """The number of the last record of a statement that has to wait for it."""


@dataclass(slots=True)
class _Lost:
    """What could not be recorded, or not in time, since when."""

    began: int
    count: int = 0


class Chronicle:
    """What one worker records, in its order."""

    def __init__(self, outbox: Outbox, audit: Audit, worker: int, full: Callable[[], None]) -> None:
        """``full`` hears when it has come to be full."""
        self._outbox = outbox
        self._told_full = full
        self._noted: list[Driver] = []
        self._audit = audit
        run = f"worker {worker}, process {os.getpid()}, run {secrets.token_hex(4)}"
        self._shapes = Shapes(Head(0, 1, run, audit.origin, __version__))
        self._chapters: dict[Driver, _Chapter] = {}
        self._sequence = 0
        self._lost: _Lost | None = None
        self._late = 0  # the number of the last intent that was not waited for to its end
        self._lost_in_all = 0

    @property
    def is_full(self) -> bool:
        """Whether nobody's statements may be taken until there is room again."""
        return self._audit.unwritable == "block" and self._is_waiting

    @property
    def _is_waiting(self) -> bool:
        return self._outbox.waiting_bytes > self._audit.waiting_bytes

    @property
    def _is_behind(self) -> bool:
        return not self._outbox.has_kept(self._late)

    def write(self, draft: Draft) -> None:
        """Put into a report what waits, and what was lost."""
        draft.put("strongroom_audit_records_total", self._outbox.numbered)
        draft.put("strongroom_audit_records_waiting", self._outbox.waiting)
        draft.put("strongroom_audit_waiting_bytes", self._outbox.waiting_bytes)
        draft.put("strongroom_audit_records_lost_total", self._lost_in_all)
        draft.put("strongroom_audit_blocked", self.is_full)

    # ---------------------------------------------------------------- sessions

    def opened(self, driver: Driver, subject: Subject, second_factor: datetime | None) -> None:
        """A session begins, and so its chapter; the second factor was shown then."""
        origin = driver.origin
        if origin is None:
            return  # it began before anything was recorded
        self._close_gap()
        kind = Holder.PERSON if subject.kind == "person" else Holder.ACCOUNT
        application, address = origin.application[:64] or None, driver.source or None
        client = Client(subject.name, kind, secrets.token_hex(8), address, application)
        self._record(
            SessionOpened(
                self._head(),
                client,
                driver.database,
                subject.name,
                _WAYS[driver.way],
                second_factor is not None,
                origin.is_encrypted,
                driver.upstream_user,
                tuple(sorted(subject.roles)),
                origin.certificate,
                second_factor_at=None if second_factor is None else int(second_factor.timestamp() * 1000),
            )
        )
        scribe = Scribe(self._shapes, client, driver.database)
        self._chapters[driver] = _Chapter(client, scribe, time.monotonic(), driver.meter)

    def closed(self, driver: Driver) -> None:
        """It is over, if it was open."""
        chapter = self._chapters.pop(driver, None)
        if chapter is None:
            return
        self._write(chapter, driver.deeds(), _ahead())
        self._record(
            SessionClosed(
                self._head(),
                chapter.client,
                driver.database,
                chapter.client.account,
                int((time.monotonic() - chapter.opened) * 1000),
                driver.ending,
                chapter.statements,
                chapter.rows,
                chapter.values,
            )
        )

    def turned_away(self, driver: Driver, user: str | None, refusal: Refusal) -> None:
        """Somebody did not come in; ``user`` is None where nobody has the name."""
        self._close_gap()
        counted, name = refusal in _COUNTED, UNKNOWN_USER if user is None else user
        way, address = _WAYS[driver.way], driver.source or None
        self._record(LoginFailed(self._head(), name, way, refusal, counted, driver.database, address))

    # ---------------------------------------------------------------- statements

    def note(self, driver: Driver) -> None:
        """A session did something: what it was is written down with what others do meanwhile, all at once."""
        if not self._noted:
            soon = min(self._audit.gathering_seconds, COLLECTED_SECONDS)
            asyncio.get_running_loop().call_later(soon, self._collect)
        self._noted.append(driver)

    def _collect(self) -> None:
        noted, self._noted = self._noted, []
        ahead = _ahead()
        for driver in noted:
            self._write(self._chapters.get(driver), driver.deeds(), ahead)
        self._outbox.send()
        if self.is_full:
            self._told_full()

    def deed(self, driver: Driver, deed: Deed) -> None:
        """What became of a statement."""
        self._write(self._chapters.get(driver), [deed], _ahead())

    def _write(self, chapter: _Chapter | None, deeds: Sequence[Deed | Answers], ahead: float) -> None:
        if chapter is None:
            return  # it ended before it was open
        began = chapter.meter.clock()
        self._close_gap()
        for deed in deeds:
            if isinstance(deed, Answers):
                self._write_answers(chapter, deed, ahead)
                continue
            self._sequence += 1
            octets = chapter.scribe.octets(deed, int(deed.at * 1000 + ahead), self._sequence)
            if isinstance(deed, Begun):
                chapter.intent = self._send(octets, urgent=True)
                continue
            chapter.statements += 1
            if isinstance(deed, Done):
                chapter.rows += deed.rows
                chapter.values += deed.values
            self._send(octets)
        if deeds:
            chapter.meter.audit.note(chapter.meter.clock() - began)

    def _write_answers(self, chapter: _Chapter, answers: Answers, ahead: float) -> None:
        records, rows = chapter.scribe.answers(answers, ahead, self._sequence + 1)
        self._sequence += len(records)
        chapter.statements += len(records)
        chapter.rows += rows
        chapter.values += rows * answers.recorded.values
        if not self._is_losing:
            self._outbox.record_all(records)
            return
        for record in records:
            self._send(record)

    async def kept(self, driver: Driver) -> None:
        """Return once the statements that a session intends may go upstream."""
        chapter = self._chapters.get(driver)
        if chapter is None:
            return
        number, allowed = chapter.intent, self._audit.unwritable == "allow"
        if allowed and self._is_behind:
            return
        try:
            async with asyncio.timeout(ALLOWED_SECONDS if allowed else None):
                await self._outbox.kept(number)
        except TimeoutError:
            self._late = max(self._late, number)
            self._lost = self._lost or _Lost(_now())

    # ---------------------------------------------------------------- all of them

    def _head(self) -> Head:
        self._sequence += 1
        return replace(self._shapes.origin, time=_now(), sequence=self._sequence)

    def _record(self, record: Record) -> None:
        self._send(encode(record))

    def _send(self, octets: bytes, *, urgent: bool = False) -> int:
        """A session that is held back ends what it has begun: this goes beyond the limit, and no further.

        Its number among those of this worker; 0 where it is lost.
        """
        if self._is_losing:
            self._lost = self._lost or _Lost(_now())
            self._lost.count += 1
            self._lost_in_all += 1
            return 0
        return self._outbox.record(octets, urgent=urgent)

    @property
    def _is_losing(self) -> bool:
        return self._audit.unwritable == "allow" and self._is_waiting

    def _close_gap(self) -> None:
        """Say what was lost, once there is room again; before anything behind it gets its number."""
        if self._lost is None or self._is_losing or self._is_behind:
            return
        lost, self._lost = self._lost, None
        gap = Gap(self._head(), Loss.UNWRITABLE, lost.count, lost.began, max(lost.began, _now()))
        self._outbox.record(encode(gap))


def _ahead() -> float:
    """Milliseconds that the wall's clock is ahead of the event loop's, by which sessions go."""
    return time.time_ns() / 1_000_000 - asyncio.get_running_loop().time() * 1000


def _now() -> int:
    """Milliseconds, by the wall's clock: recorded, not trusted."""
    return time.time_ns() // 1_000_000
