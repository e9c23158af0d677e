"""Log-ins are counted and decided, in a loop whose clock the test moves."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from structlog.testing import capture_logs

from strongroom.gateway.door import Door, Try
from strongroom.people.throttle import Rules
from strongroom.session.events import LOGIN

RULES = Rules(failures=5, lock_seconds=900)
RIGHT = Try("app", "192.0.2.1", proved=True, counted=True)
WRONG = Try("app", "192.0.2.1", proved=False, counted=True)
CERTIFIED = Try("app", "192.0.2.1", proved=True, counted=False)
EXPIRED = Try("app", "192.0.2.1", proved=False, counted=False)


class Loop(asyncio.SelectorEventLoop):
    """Its time goes on when it is told to, too."""

    later = 0.0

    def time(self) -> float:
        return super().time() + self.later


class Hearing:
    """What a worker would hear of the tries that it reports."""

    def __init__(self, refusal: str | None = None) -> None:
        self.door = Door(RULES)
        self.heard: list[str | None] = []
        self.places = 0
        self._refusal = refusal

    def ask(self, *tries: Try) -> list[str | None]:
        """What was heard at once."""
        before = len(self.heard)
        for one in tries:
            self.door.ask(one, self._admit, self.heard.append)
        return self.heard[before:]

    def _admit(self) -> str | None:
        self.places += 1
        return self._refusal


async def move(seconds: float) -> None:
    """Lets so much time go by, and what is due then happen."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Loop)
    loop.later += seconds
    for _ in range(3):
        await asyncio.sleep(0)


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(work())


def test_a_right_one_takes_a_place_and_a_wrong_one_does_not() -> None:
    """What the place says is passed on."""

    async def talk() -> None:
        hearing = Hearing("connections")
        assert hearing.ask(WRONG, RIGHT) == [LOGIN, "connections"]
        assert hearing.places == 1

    run(talk)


def test_after_wrong_ones_the_next_waits_for_its_turn() -> None:
    """The right one too; it is answered when its turn is."""

    async def talk() -> None:
        hearing = Hearing()
        assert hearing.ask(*[WRONG] * 4) == [LOGIN] * 4
        assert hearing.ask(RIGHT) == []
        await move(0.26)
        assert hearing.heard[4:] == [None]
        assert hearing.ask(RIGHT) == [None]

    run(talk)


def test_a_lock_is_for_right_ones_too_and_ends_by_itself() -> None:
    """It is said in the log once, however many had their proofs ready."""

    async def talk() -> None:
        hearing = Hearing()
        hearing.ask(*[WRONG] * 9)
        await move(30)
        assert hearing.heard == [LOGIN] * 9
        assert hearing.ask(RIGHT) == [LOGIN]
        await move(RULES.lock_seconds)
        assert hearing.ask(RIGHT) == [None]

    with capture_logs() as logs:
        run(talk)
    assert [(line["event"], line["account"], line["source"]) for line in logs] == [
        ("log-ins are slowed", "app", "192.0.2.1"),
        ("log-ins are locked", "app", "192.0.2.1"),
    ]


@pytest.mark.parametrize(("one", "answer"), [(CERTIFIED, None), (EXPIRED, LOGIN)])
def test_what_is_no_guess_is_neither_counted_nor_kept_waiting(one: Try, answer: str | None) -> None:
    """A certificate passes a lock; a credential that is over makes none."""

    async def talk() -> None:
        hearing = Hearing()
        assert hearing.ask(*[one] * 20) == [answer] * 20
        assert hearing.ask(RIGHT) == [None]
        hearing.ask(*[WRONG] * 9)
        await move(30)
        assert hearing.ask(one) == [answer]

    run(talk)


def test_other_rules_end_all_locks() -> None:
    """A reload is the way out at three in the morning; from then on the new rules count."""

    async def talk() -> None:
        hearing = Hearing()
        hearing.ask(*[WRONG] * 9)
        await move(30)
        assert hearing.ask(RIGHT) == [LOGIN]
        hearing.door.take(Rules(failures=6, lock_seconds=900))
        assert hearing.ask(RIGHT) == [None]
        for number in range(7):
            assert (hearing.ask(WRONG), number) == ([LOGIN], number)
            await move(30)
        assert hearing.ask(RIGHT) == [LOGIN]

    run(talk)
