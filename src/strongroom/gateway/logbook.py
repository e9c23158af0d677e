"""What the supervisor records: starts and stops, configurations, and what commands left in the state.

Commands write what they do into lists of the state, whether a gateway runs or not: what is done to keys and
roles into lists to which things are only added, all else as records into the list of deeds (`deeds.listing`).
From there it comes into the audit log, each at least once: how far that has gone is noted once it is on the
disk. What was taken away from the log itself stands beside it until then (`audit.asked`). And the machine's
clock is watched. Used by `supervisor`.
"""

import asyncio
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256

import structlog

from strongroom import __version__
from strongroom.audit import asked
from strongroom.audit.asked import Asked, What
from strongroom.audit.keys import LogKeys
from strongroom.audit.records.changes import (
    AccountChanged,
    AccountDeed,
    ConfigurationChanged,
    ConfigurationDeed,
    KeyChanged,
    KeyDeed,
    KeyKind,
    RoleAssumed,
    RoleChanged,
    RoleDeed,
)
from strongroom.audit.records.codes import Record
from strongroom.audit.records.encoding import encode
from strongroom.audit.records.running import (
    ClockTurnedBack,
    Gap,
    Loss,
    ProcessTurned,
    Removal,
    Removed,
    Turn,
)
from strongroom.audit.records.shared import Client, Doer, Head, Holder, Result
from strongroom.config.audit import Audit
from strongroom.deeds.clock import Clock
from strongroom.deeds.listing import DeedList, Untaken
from strongroom.deeds.whose import GATEWAY
from strongroom.errors import StrongroomError
from strongroom.gateway.outbox import Outbox
from strongroom.keys.journal import Journal, KeyEvent
from strongroom.lending import deeds, store
from strongroom.lending.store import RoleEvent
from strongroom.state import State

LOOK_SECONDS = 1.0
"""Between two looks at the state."""
CLOCK_SECONDS = 60.0
"""How often it is noted in the state what the clock says, so that a later start notices that it says less."""
COMMAND = Doer("strongroom keys", Holder.ADMINISTRATOR)
"""Where the list does not say who did it: it was a former version's, or another state's."""

_KEY_DEEDS: Mapping[str, KeyDeed] = {
    "rotated": KeyDeed.ROTATED,
    "activated": KeyDeed.ACTIVATED,
    "deactivated": KeyDeed.DEACTIVATED,
    "suspended": KeyDeed.SUSPENDED,
    "compromised": KeyDeed.COMPROMISED,
    "floors set": KeyDeed.FLOORS_SET,
    "exported": KeyDeed.EXPORTED,
    "imported": KeyDeed.IMPORTED,
    "backed up": KeyDeed.BACKED_UP,
    "tenants backed up": KeyDeed.BACKED_UP,
    "restored": KeyDeed.RESTORED,
    "recovered": KeyDeed.RESTORED,
    "tenant brought back": KeyDeed.RESTORED,
    "tenant added": KeyDeed.TENANT_ADDED,
    "root removal begun": KeyDeed.ROOT_REMOVED,
    "rewrapped": KeyDeed.ROOT_ADDED,
    "hold laid": KeyDeed.HELD,
    "hold released": KeyDeed.HOLD_LIFTED,
    "drilled": KeyDeed.REHEARSED,
    "state rolled back": KeyDeed.ROLLED_BACK,
    "state begun anew": KeyDeed.ROLLED_BACK,
    "destruction scheduled": KeyDeed.DESTRUCTION_SCHEDULED,
    "root removal scheduled": KeyDeed.DESTRUCTION_SCHEDULED,
    "tenant destruction scheduled": KeyDeed.DESTRUCTION_SCHEDULED,
    "destruction cancelled": KeyDeed.DESTRUCTION_CANCELLED,
    "root removal cancelled": KeyDeed.DESTRUCTION_CANCELLED,
    "tenant destruction cancelled": KeyDeed.DESTRUCTION_CANCELLED,
    "destroyed": KeyDeed.DESTROYED,
    "tenant destroyed": KeyDeed.DESTROYED,
}
"""By the words of ``strongroom keys events``; others are `KeyDeed.OTHER`, and the words say what."""

_ROLE_DEEDS: Mapping[str, RoleDeed] = {
    deeds.ASKED: RoleDeed.ASKED,
    deeds.AGREED: RoleDeed.AGREED,
    deeds.GRANTED: RoleDeed.GRANTED,
    deeds.DENIED: RoleDeed.DENIED,
    deeds.REVOKED: RoleDeed.REVOKED,
    deeds.BROKE_GLASS: RoleDeed.BROKE_GLASS,
}

_log = structlog.get_logger("strongroom.logbook")


class Logbook:
    """What one supervisor records."""

    def __init__(self, outbox: Outbox, audit: Audit, state: State) -> None:
        self.outbox = outbox
        self._audit = audit
        self._state = state
        self._keys = LogKeys(state.engine, audit.origin)
        run = f"supervisor, process {os.getpid()}, run {secrets.token_hex(4)}"
        self._origin = Head(0, 1, run, audit.origin, __version__)
        self._sequence = 0
        self._deeds = DeedList(audit.origin)
        self._clock = Clock()
        self._clock_noted = float("-inf")

    def turned(self, turn: Turn, workers: int, *, well: bool = True, content: str | None = None) -> None:
        """The gateway, or a worker, began or ended; ``content`` is the configuration's text."""
        result = Result.SUCCESS if well else Result.FAILURE
        mode = f"{self._audit.durability}, {self._audit.unwritable}"
        self._record(ProcessTurned(self._head(), turn, result, workers, _digest(content), mode))

    def configuration(
        self,
        deed: ConfigurationDeed,
        file: str,
        content: str,
        *,
        weakenings: int = 0,
        signed_by: Sequence[str] = (),
        stance: str | None = None,
        code: str | None = None,
    ) -> None:
        """The gateway goes by another configuration, or would not."""
        refused = deed is ConfigurationDeed.REFUSED
        self._record(
            ConfigurationChanged(
                self._head(),
                GATEWAY,
                deed,
                file,
                sha256(content.encode()).hexdigest(),
                Result.FAILURE if refused else Result.SUCCESS,
                weakenings,
                tuple(signed_by),
                stance=stance or None,
                code=code,
            )
        )

    def locked(self, user: str, address: str | None) -> None:
        """After too many wrong tries nothing counts for a while that comes from there."""
        deed = AccountDeed.LOCKED
        self._record(AccountChanged(self._head(), GATEWAY, deed, user, Result.SUCCESS, address))

    async def follow(self) -> None:
        """Record what commands write into the state, until cancelled."""
        while True:
            try:
                await self.look_at_clock()
                await self.catch_up()
            except StrongroomError as error:
                _log.warning("the state's lists were not read", code=error.code)
            await asyncio.sleep(LOOK_SECONDS)

    async def catch_up(self) -> None:
        """Record what is new in the state's lists; what was recorded is on the disk then."""
        marks = await asyncio.to_thread(self._keys.marks)
        events, doers, roles = await asyncio.to_thread(self._unrecorded, marks)
        for event in events:
            self._record(self._key_changed(event, doers.get(event.number, COMMAND)))
        await self._mark("keys", events)
        for one in roles:
            self._record(self._role_changed(one))
        await self._mark("roles", roles)
        while not (untaken := await asyncio.to_thread(self._untaken)).is_empty:
            await self._take(untaken)
        await self._record_removals()

    async def _record_removals(self) -> None:
        """Of the log itself: there is a record of each before nothing else tells of it."""
        done = [one for one in await asyncio.to_thread(self._removals) if one[1].done]
        for _, one in done:
            self._record(self._removed(one))
        if done:
            await self.outbox.kept(self.outbox.numbered)
            await asyncio.to_thread(asked.drop, self._audit.log, [name for name, _ in done])

    def _removals(self) -> Sequence[tuple[str, Asked]]:
        return list(asked.standing(self._audit.log))

    def _removed(self, one: Asked) -> Removed:
        pruned = one.what is What.PRUNE
        return Removed(
            self._head(),
            Doer(one.who, one.kind),
            Removal.PRUNED if pruned else Removal.ERASED,
            Result.SUCCESS,
            one.records,
            minimum=one.limit if pruned else None,
            before=one.limit if one.what is What.KEEP else None,
        )

    async def look_at_clock(self) -> None:
        """Record that it was turned back: since the last look, or since it was last noted in the state."""
        former, now = self._clock.look(), time.monotonic()
        if former is not None or now - self._clock_noted >= CLOCK_SECONDS:
            noted = await asyncio.to_thread(self._note_clock)
            self._clock_noted, former = now, noted if former is None else former
        if former is not None:
            self._record(ClockTurnedBack(self._head(), former))
            _log.warning("the clock was turned back", former=former)

    def _note_clock(self) -> int | None:
        with self._state.engine.begin() as connection:
            return self._deeds.hear(connection, _now())

    async def _mark(self, name: str, found: Sequence[KeyEvent] | Sequence[RoleEvent]) -> None:
        if found:
            await self.outbox.kept(self.outbox.numbered)
            await asyncio.to_thread(self._keys.mark, name, found[-1].number)

    def _unrecorded(
        self, marks: Mapping[str, int]
    ) -> tuple[Sequence[KeyEvent], Mapping[int, Doer], Sequence[RoleEvent]]:
        with self._state.engine.begin() as connection:
            roles = store.since(connection, marks.get("roles", 0))
        journal, since = Journal(self._state.engine), marks.get("keys", 0)
        events = journal.since(since)
        return events, journal.doers(since) if events else {}, roles

    def _untaken(self) -> Untaken:
        with self._state.engine.begin() as connection:
            return self._deeds.untaken(connection)

    async def _take(self, untaken: Untaken) -> None:
        """What is listed stands in the log as the command wrote it, with that one's process and number."""
        for loss, lost in ((Loss.REMOVED, untaken.removed), (Loss.OVERLOADED, untaken.left_out)):
            if lost:
                self._record(Gap(self._head(), loss, lost, min(untaken.since, _now()), _now()))
        for octets in untaken.records:
            self.outbox.record(octets)
        await self.outbox.kept(self.outbox.numbered)
        await asyncio.to_thread(self._taken, untaken)

    def _taken(self, untaken: Untaken) -> None:
        with self._state.engine.begin() as connection:
            self._deeds.take(connection, untaken, _now())

    def _key_changed(self, event: KeyEvent, doer: Doer) -> Record:
        details = event.details
        signed = str(details.get("signed_by", "") or "")
        version = details.get("version")
        return KeyChanged(
            self._head(),
            doer,
            _KEY_DEEDS.get(event.what, KeyDeed.OTHER),
            event.subject or "(none)",
            _kind(event.subject),
            Result.SUCCESS,
            tuple(filter(None, signed.split(", "))),
            tuple(_ids(details.get("key_ids"))),
            version if isinstance(version, int) else None,
            event.what,
        )

    def _role_changed(self, event: RoleEvent) -> Record:
        said = {name: str(value or "") for name, value in event.details.items()}
        reason, until = said.get("reason", ""), _milliseconds(said.get("until", ""))
        if event.what == deeds.ASSUMED:
            session, database = said.get("session", ""), said.get("session", "").rpartition("/")[0]
            client = Client(event.person, Holder.PERSON, session, said.get("source") or None)
            head, roles = self._head(), (event.role,)
            return RoleAssumed(head, client, database, event.person, session, roles, reason, until or 0)
        return RoleChanged(
            self._head(),
            Doer(said.get("by") or event.person, Holder.PERSON),
            _ROLE_DEEDS[event.what],
            event.person,
            (event.role,),
            int(said.get("grant") or 0),
            reason,
            (),
            until,
        )

    def _head(self) -> Head:
        self._sequence += 1
        return replace(self._origin, time=_now(), sequence=self._sequence)

    def _record(self, record: Record) -> None:
        self.outbox.record(encode(record))


def _now() -> int:
    """Milliseconds, by the wall's clock: recorded, not trusted."""
    return time.time_ns() // 1_000_000


def _milliseconds(moment: str) -> int | None:
    return int(datetime.fromisoformat(moment).timestamp() * 1000) if moment else None


def _digest(content: str | None) -> str | None:
    return None if content is None else sha256(content.encode()).hexdigest()


def _kind(subject: str) -> KeyKind:
    if subject.startswith("kek "):
        return KeyKind.KEK
    if "/" in subject and "." in subject:
        return KeyKind.KEYSET
    return KeyKind.STATE


def _ids(value: object) -> Iterator[str]:
    for one in value if isinstance(value, list) else []:
        yield f"{one:08x}" if isinstance(one, int) else str(one)
