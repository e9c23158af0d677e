"""Roles that people have for a time, as a gateway that runs hears of them.

The commands write to the state. Within `LOOK_SECONDS` the supervisor sees it (`watch_grants`), says in the
log what was done, each thing once, and tells the workers who has what (`told`, `Lending`). If the state
cannot be read, the workers keep what they were told last: that ends by the clock, and nothing new counts.
Nothing is asked when a statement is judged.

A role that a session assumes is written down by the supervisor before it counts (`write_down`, `assumed`).

Used by `supervisor` and `server`.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog

from strongroom.errors import StrongroomError
from strongroom.gateway.control import Questions
from strongroom.gateway.driver import Driver
from strongroom.gateway.judging import SessionJudge
from strongroom.lending import store
from strongroom.lending.deeds import ASSUMED, BROKE_GLASS
from strongroom.lending.store import RoleEvent
from strongroom.policy.offers import Lent
from strongroom.session import effects as do
from strongroom.state import State

_log = structlog.get_logger("strongroom.roles")

LOOK_SECONDS = 1.0
"""Between two looks at the state."""
WRITING_SECONDS = 20.0
"""Longer than the state waits for another's write (`state.BUSY_SECONDS`)."""

Everyones = Mapping[str, tuple[Lent, ...]]
"""What people have, by their names."""


async def watch_grants(state: State, wanted: Callable[[], bool], tell: Callable[[Everyones], None]) -> None:
    """Calls ``tell`` with what everyone has whenever that changes, until it is cancelled.

    ``wanted`` says whether there are people at all.
    """
    last: Everyones = {}
    while True:
        try:
            if wanted():
                present, events = await asyncio.to_thread(_look, state)
                if present != last:
                    tell(present)
                    last = present
                if events:
                    for event in events:
                        say(event)
                    await asyncio.to_thread(_note_said, state, events)
        except (StrongroomError, ValueError) as error:  # ValueError: of a row that is not one
            _log.warning("roles for a time not read", code=getattr(error, "code", type(error).__name__))
        await asyncio.sleep(LOOK_SECONDS)


def say(event: RoleEvent) -> None:
    """In the log; of broken glass at the level that wakes somebody up."""
    fields = {name: value for name, value in event.details.items() if value is not None}
    write = _log.critical if event.what == BROKE_GLASS else _log.warning
    write(event.what, role=event.role, person=event.person, **fields)


async def write_down(
    questions: Questions, driver: Driver, judge: SessionJudge | None, wish: do.Assume
) -> bool:
    """In a worker: have the supervisor write down that a session assumes a role."""
    until = None if judge is None else judge.assumed_until(wish.role)
    if until is None:
        return False
    fields = {"person": driver.account, "session": driver.name, "source": driver.source}
    try:
        async with asyncio.timeout(WRITING_SECONDS):
            refusal = await questions.ask(
                "assume", role=wish.role, reason=wish.reason, until=until.isoformat(), **fields
            )
    except TimeoutError:
        return False
    return refusal is None


async def assumed(state: State, message: Mapping[str, Any]) -> str | None:
    """In the supervisor: write it down and say it; what it was that failed, where it did."""
    details = {name: message[name] for name in ("reason", "until", "session", "source")}
    event = RoleEvent(0, datetime.now(UTC), ASSUMED, message["role"], message["person"], details)
    try:
        await asyncio.to_thread(_keep, state, event)
    except StrongroomError as error:
        _log.error("a role was not assumed", person=event.person, role=event.role, code=error.code)
        return error.code
    say(event)
    return None


def _keep(state: State, event: RoleEvent) -> None:
    with state.engine.begin() as connection:
        store.note(connection, event, announced=True)


def _look(state: State) -> tuple[Everyones, Sequence[RoleEvent]]:
    with state.engine.begin() as connection:
        return store.in_force(connection, datetime.now(UTC)), store.unannounced(connection)


def _note_said(state: State, events: Sequence[RoleEvent]) -> None:
    """After it was said: rather twice than never."""
    with state.engine.begin() as connection:
        store.announce(connection, events)


def told(everyones: Everyones) -> dict[str, list[list[Any]]]:
    """As the line between supervisor and worker has it."""
    return {person: [_written(one) for one in lent] for person, lent in everyones.items()}


class Lending:
    """What people have for a time, as one worker knows it."""

    def __init__(self) -> None:
        self._everyones: Everyones = {}

    def heard(self, said: Mapping[str, Sequence[Sequence[Any]]]) -> Collection[str]:
        """Takes what the supervisor says; returns the people for whom that is something else than before."""
        before, self._everyones = (
            self._everyones,
            {person: tuple(_read(one) for one in lent) for person, lent in said.items()},
        )
        names = before.keys() | self._everyones.keys()
        return {name for name in names if before.get(name) != self._everyones.get(name)}

    def of(self, person: str) -> tuple[Lent, ...]:
        """What one person has."""
        return self._everyones.get(person, ())


def _written(one: Lent) -> list[Any]:
    return [one.role, one.begins.isoformat(), one.until.isoformat(), one.broke_glass, sorted(one.agreed)]


def _read(one: Sequence[Any]) -> Lent:
    role, begins, until, broke_glass, agreed = one
    begun, over = datetime.fromisoformat(begins), datetime.fromisoformat(until)
    return Lent(role, begun, over, broke_glass, frozenset(agreed))
