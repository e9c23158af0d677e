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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
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
from strongroom.audit.records.reading import read
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
        self._unmarked: dict[str, int] = {}
        """Up to where lists were recorded, where that could not be noted in the state."""
        self._undropped: list[str] = []
        """Removals that were recorded, and whose files may be there still: they are not recorded again."""
        self._skipped = asked.once(lambda why: _log.error("skipped beside the audit log", why=why))

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
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Record what is new, which is on the disk then. Whatever fails is tried again with the next look.

        It keeps none of the others from being recorded: the state's file and the log's folder can be written
        by others, and who breaks one of them would have silenced all.
        """
        for step in (self.look_at_clock, self._keys_list, self._roles_list, self._deeds_list, self._removals):
            try:
                await step()
            except Exception as error:  # noqa: BLE001 - what others wrote can fail in any way
                code = error.code if isinstance(error, StrongroomError) else None
                what = step.__name__.strip("_")
                _log.error("not recorded", what=what, error=type(error).__name__, code=code)

    async def _keys_list(self) -> None:
        events, doers = await asyncio.to_thread(self._new_of_keys, await self._since("keys"))
        for number, event in events:
            if event is None or not self._record_key(event, doers.get(number, COMMAND)):
                self._record_broken("keys", number)
        await self._mark("keys", events)

    async def _roles_list(self) -> None:
        events = await asyncio.to_thread(self._new_of_roles, await self._since("roles"))
        for number, event in events:
            if event is None or not self._tried(partial(self._role_changed, event)):
                self._record_broken("roles", number)
        await self._mark("roles", events)

    async def _deeds_list(self) -> None:
        while not (untaken := await asyncio.to_thread(self._untaken)).is_empty:
            await self._take(untaken)

    async def _removals(self) -> None:
        """Of the log itself: there is a record of each before nothing else tells of it."""
        for name, one in await asyncio.to_thread(self._standing):
            if one.done and name not in self._undropped:
                self._record(self._removed(one))
                self._undropped.append(name)
        if self._undropped:
            await self.outbox.kept(self.outbox.numbered)
            await asyncio.to_thread(asked.drop, self._audit.log, self._undropped)
            self._undropped = []

    def _standing(self) -> Sequence[tuple[str, Asked]]:
        return list(asked.standing(self._audit.log, self._skipped))

    def _record_key(self, event: KeyEvent, doer: Doer) -> bool:
        """As far as it can be said: where its details are not of the form, that there was something."""
        bare = replace(event, details={})
        return self._tried(lambda: self._key_changed(event, doer)) or self._tried(
            lambda: replace(self._key_changed(bare, doer), deed=KeyDeed.OTHER)
        )

    def _record_broken(self, what: str, number: int) -> None:
        """A row that says nothing was changed by somebody: it counts as one that is missing."""
        _log.error("a row of the state's list cannot be read", what=what, number=number)
        self._record(Gap(self._head(), Loss.REMOVED, 1, _now(), _now()))

    def _tried(self, made: Callable[[], Record]) -> bool:
        """Records what can be made and read; else False, and no number is used up."""
        former = self._sequence
        try:
            octets = encode(made())
            read(octets)
        except Exception as error:  # noqa: BLE001 - what others wrote can fail in any way
            self._sequence = former
            _log.error("no record can be made of a row", error=type(error).__name__)
            return False
        self.outbox.record(octets)
        return True

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

    async def _since(self, name: str) -> int:
        """Up to which number a list is recorded; what could not be noted before is noted first."""
        if name in self._unmarked:
            await self._note_mark(name)
        return (await asyncio.to_thread(self._keys.marks)).get(name, 0)

    async def _mark(self, name: str, found: Sequence[tuple[int, object]]) -> None:
        if found:
            self._unmarked[name] = found[-1][0]
            await self._note_mark(name)

    async def _note_mark(self, name: str) -> None:
        await self.outbox.kept(self.outbox.numbered)
        await asyncio.to_thread(self._keys.mark, name, self._unmarked[name])
        del self._unmarked[name]

    def _new_of_keys(self, since: int) -> tuple[Sequence[tuple[int, KeyEvent | None]], Mapping[int, Doer]]:
        journal = Journal(self._state.engine)
        events = journal.readable(since)
        return events, journal.doers(since) if events else {}

    def _new_of_roles(self, since: int) -> Sequence[tuple[int, RoleEvent | None]]:
        with self._state.engine.begin() as connection:
            return store.readable(connection, since)

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

    def _key_changed(self, event: KeyEvent, doer: Doer) -> KeyChanged:
        details = event.details
        signed = str(details.get("signed_by", "") or "")
        version = details.get("version")
        return KeyChanged(
            self._head(event.at),
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
            head, roles = self._head(event.at), (event.role,)
            return RoleAssumed(head, client, database, event.person, session, roles, reason, until or 0)
        return RoleChanged(
            self._head(event.at),
            Doer(said.get("by") or event.person, Holder.PERSON),
            _ROLE_DEEDS[event.what],
            event.person,
            (event.role,),
            int(said.get("grant") or 0),
            reason,
            (),
            until,
        )

    def _head(self, at: datetime | None = None) -> Head:
        """``at`` is when it was done, where that is not now; process and number are this run's even so."""
        self._sequence += 1
        time = _now() if at is None else int(at.timestamp() * 1000)
        return replace(self._origin, time=time, sequence=self._sequence)

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
