"""The door of a gateway: log-ins are counted here, for all workers, and each is decided when its turn is.

A worker asks after each proof, a right one as well as a wrong one, and tells the client nothing before the
answer: what came too often is refused in the same words, whatever it was worth. `people.throttle` has the
arithmetic; this holds it against the clock and says in the log what it led to.

`watch` sees within a second what ``strongroom people`` took back, so that sessions end, and who was locked
out of ``strongroom login``, which has no log of its own. Both run in the supervisor.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from strongroom.errors import StrongroomError
from strongroom.people import store
from strongroom.people.throttle import Rules, Standing, Throttle
from strongroom.session.events import LOGIN
from strongroom.state import State

_log = structlog.get_logger("strongroom.door")

TICK_SECONDS = 1.0
"""Between two looks at what was taken back."""


@dataclass(frozen=True, slots=True)
class Try:
    """A log-in, as a worker reports it: ``proved`` if it is good, ``counted`` if it could be a guess."""

    account: str
    source: str
    proved: bool
    counted: bool


class Door:
    """The log-ins of one gateway."""

    def __init__(self, rules: Rules, locked: Callable[[str, str], None] = lambda *_: None) -> None:
        """``locked`` hears of which account from which source nothing counts for a while."""
        self._throttle = Throttle(rules)
        self._locked = locked

    def take(self, rules: Rules) -> None:
        """Goes by other rules from now on, and ends all locks: a reload is how an operator does that."""
        self._throttle.forgive(rules)

    def ask(self, one: Try, admit: Callable[[], str | None], answer: Callable[[str | None], None]) -> None:
        """Decides now or when its turn is; ``admit`` takes a place, ``answer`` hears the refusal or None."""
        loop = asyncio.get_running_loop()
        turn = self._throttle.take_turn(one.account, one.source, loop.time()) if one.counted else 0.0
        if turn is None:
            answer(LOGIN)
        elif turn:
            loop.call_later(turn, lambda: answer(self._decide(one, admit)))
        else:
            answer(self._decide(one, admit))

    def _decide(self, one: Try, admit: Callable[[], str | None]) -> str | None:
        now = asyncio.get_running_loop().time()
        if not one.counted:
            return admit() if one.proved else LOGIN
        if self._throttle.is_locked(one.account, one.source, now):
            return LOGIN
        if one.proved:
            self._throttle.succeeded(one.account, one.source)
            return admit()
        self._say(one, self._throttle.failed(one.account, one.source, now))
        return LOGIN

    def _say(self, one: Try, standing: Standing) -> None:
        if standing is Standing.SLOWED:
            _log.warning("log-ins are slowed", account=one.account, source=one.source)
        elif standing is Standing.LOCKED:
            seconds = self._throttle.rules.lock_seconds
            _log.warning("log-ins are locked", account=one.account, source=one.source, seconds=seconds)
            self._locked(one.account, one.source)


async def watch(
    state: State, rules: Callable[[], Rules | None], tell: Callable[[Sequence[str]], None]
) -> None:
    """Calls ``tell`` with the ids of credentials that were taken back, until it is cancelled.

    ``rules`` are those by which sign-ins are counted; None while nobody can sign in.
    """
    told, said = set[str](), set[tuple[str, str]]()
    while True:
        await asyncio.sleep(TICK_SECONDS)
        if (present := rules()) is None:
            continue
        try:
            gone, locked = await asyncio.to_thread(_look, state, present)
        except StrongroomError as error:
            _log.warning("credentials not read", code=error.code, why=error.message)
            continue
        if gone - told:
            tell(sorted(gone - told))
        for person, source in sorted(locked - said):
            _log.warning("sign-ins are locked", person=person, source=source, seconds=present.lock_seconds)
        told, said = gone, locked


def _look(state: State, rules: Rules) -> tuple[set[str], set[tuple[str, str]]]:
    now = datetime.now(UTC)
    with state.engine.begin() as connection:
        return store.revoked(connection, now), store.locked(connection, rules, now)
