"""Tasks: named, kept until they end, and heard when they fail."""

import asyncio
import gc
from collections.abc import Awaitable, Callable

import structlog
import uvloop
from structlog.testing import capture_logs

from strongroom.gateway.tasks import Tasks


def run(work: Callable[[Tasks], Awaitable[None]]) -> list[structlog.typing.EventDict]:
    """What is logged while this runs in a loop of its own."""

    async def within() -> None:
        async with asyncio.timeout(10):
            await work(Tasks())

    with capture_logs() as lines:
        uvloop.run(within())
    return list(lines)


def test_a_task_is_named_and_gives_what_it_gives() -> None:
    """Its result is the caller's, if it wants it."""

    async def reading() -> str:
        return "done"

    async def work(tasks: Tasks) -> None:
        task = tasks.start("reader 7", reading())
        assert task.get_name() == "reader 7"
        assert await task == "done"

    assert run(work) == []


def test_a_task_is_kept_though_nobody_holds_it() -> None:
    """The loop alone would forget it."""

    async def work(tasks: Tasks) -> None:
        go = asyncio.Event()
        for number in range(5):
            tasks.start(f"{number}", go.wait())
        gc.collect()
        assert len(tasks._running) == 5
        go.set()
        await asyncio.wait(set(tasks._running))
        await asyncio.sleep(0)
        assert not tasks._running

    run(work)


def test_a_failure_is_heard_without_its_words() -> None:
    """By the task's name and the error's class; what it says might quote a value."""

    async def fail() -> None:
        raise KeyError("geheim")

    async def work(tasks: Tasks) -> None:
        tasks.start("pump", fail())
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    (line,) = run(work)
    assert (line["event"], line["task"], line["error"]) == ("a task failed", "pump", "KeyError")
    assert "geheim" not in str({key: value for key, value in line.items() if key != "exc_info"})


def test_all_are_cancelled_and_waited_for() -> None:
    """Also those that need a moment to end, or fail while they do; a cancelled one is no failure."""
    ended: list[str] = []

    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("slow")

    async def failing() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("failing")
            raise ValueError("x") from None

    async def work(tasks: Tasks) -> None:
        tasks.start("slow", slow())
        tasks.start("failing", failing())
        await asyncio.sleep(0)
        await tasks.cancel_all()
        assert sorted(ended) == ["failing", "slow"]
        assert not tasks._running

    assert [line["task"] for line in run(work)] == ["failing"]
