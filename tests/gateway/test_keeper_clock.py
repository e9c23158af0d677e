"""gateway/keeper.py by a clock of the test's own: to the second until when a tenant's own key counts.

No gateway and no database: the provider is a file, and what the workers would be told is written down.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from strongroom.config import Settings, load
from strongroom.errors import RootUnreachable
from strongroom.gateway.gate import upstream_of
from strongroom.gateway.keeper import ASK_SHARE, Keeper
from strongroom.gateway.kept import Place
from strongroom.gateway.protection import Prepared
from strongroom.gateway.tasks import Tasks
from strongroom.gateway.tenants import Tenancy
from strongroom.keys.hierarchy import Roots, wrapped
from strongroom.keys.kek import Keks, WrappedKek, kek_name, new_kek
from strongroom.keys.model import Keyset
from strongroom.keys.root.entering import Entered
from strongroom.keys.root.file import FileRoot
from strongroom.keys.store import adopt_keks
from strongroom.keys.tenants import Standing
from strongroom.state import State, open_state

CACHE_SECONDS = 100
ACME, GLOBEX = kek_name("shop@acme"), kek_name("shop@globex")
PATIENCE = 30.0
"""Seconds that questions to the provider may take: before then each has an answer, or none ever will."""


@dataclass
class Kept:
    """A keeper whose clock stands still until it is set, and what workers would have heard."""

    folder: Path
    state: State
    settings: Settings
    keks: dict[str, Keyset]
    row: WrappedKek
    tasks: Tasks
    now: float = 1000.0
    told: list[tuple[list[str], list[str]]] = field(default_factory=list)
    answering: threading.Event = field(default_factory=threading.Event)
    """While it is not set, questions are on their way."""

    def __post_init__(self) -> None:
        self.answering.set()
        self.keeper = Keeper(self.state, self._tell, self.tasks, Entered(), self._clock)

    def _clock(self) -> float:
        if threading.current_thread() is not threading.main_thread():  # one that asks a provider
            assert self.answering.wait(20)
        return self.now

    def _tell(self, came: Sequence[Keyset], gone: Sequence[str]) -> None:
        self.told.append(([kek.name for kek in came], list(gone)))

    def take(self, began: float, *, answered: bool = True) -> Keks:
        """What a start or a reload brings that began then; acme's provider has answered it, or not."""
        failure = None if answered else RootUnreachable("nobody there")
        standing = Standing(ACME, self.keks[ACME], self.row, failure)
        others = Standing(GLOBEX, self.keks[GLOBEX])
        tenancy = Tenancy({ACME: standing, GLOBEX: others}, {ACME: self.row.revision})
        upstream = upstream_of("shop", self.settings)
        prepared = Prepared(Keks.of(self.keks.values()), Roots(()), (), {"shop": tenancy})
        return self.keeper.take(self.settings, prepared, [Place("shop", upstream, upstream)], began)

    async def look(self, at: float) -> None:
        """One look at the clock, and all the questions that it asks, to their answers."""
        self.now = at
        self.keeper.look()
        await self.answered()

    async def answered(self) -> None:
        """Every question that is under way has been answered."""
        async with asyncio.timeout(PATIENCE):
            while asking := [one for one in asyncio.all_tasks() if one is not asyncio.current_task()]:
                await asyncio.wait(asking)

    @property
    def provider(self) -> Path:
        """The file that stands for acme's provider."""
        return self.folder / "own.key"

    @property
    def is_here(self) -> bool:
        """Whether acme's key counts."""
        return ACME in self.keeper.held


def at_work(tmp_path: Path, work: Callable[[Kept], Awaitable[None]]) -> None:
    """Runs a test in a loop, with a keeper of its own."""
    root = FileRoot.create(tmp_path / "own.key", None)
    (tmp_path / "state").mkdir(mode=0o700)
    database = {
        "upstream": "postgresql://nobody@127.0.0.1:1/shop",
        "listen": "127.0.0.1:6432",
        "columns": {"public.people.iban": {"type": "text", "encryption": "randomized", "tenant": "tenant"}},
    }
    own = {"shop@acme": f"file:{tmp_path / 'own.key'}"}
    tenants = {"copies": "copies", "cache_seconds": CACHE_SECONDS, "own": own}
    keys = {"root": "file:root.key", "tenants": tenants}
    written = {"state": "sqlite:state/state.db", "keys": keys, "databases": {"shop": database}}
    (tmp_path / "strongroom.yaml").write_text(yaml.safe_dump(written))
    settings = load(tmp_path / "strongroom.yaml", {})
    keks = {name: new_kek(name.removeprefix("kek "), datetime.now(UTC)) for name in (ACME, GLOBEX)}
    row = wrapped(keks[ACME], 1, Roots((root,)))
    state = open_state(settings.state)

    async def run() -> None:
        tasks = Tasks()
        adopt_keks(state.engine, [row])
        await work(Kept(tmp_path, state, settings, keks, row, tasks))
        await tasks.cancel_all()

    try:
        asyncio.run(run())
    finally:
        state.close()


def test_it_counts_to_the_last_second_and_no_longer(tmp_path: Path) -> None:
    """From the last question that was answered with it; others' keys are not touched."""

    async def work(kept: Kept) -> None:
        assert set(kept.take(1000.0).by_name) == {ACME, GLOBEX}
        await kept.look(1000.0 + ASK_SHARE * CACHE_SECONDS)  # asked again, and answered
        kept.provider.unlink()
        given = 1000.0 + ASK_SHARE * CACHE_SECONDS
        await kept.look(given + CACHE_SECONDS - 0.001)
        assert kept.is_here
        assert kept.told == []
        await kept.look(given + CACHE_SECONDS)
        assert not kept.is_here
        assert kept.told == [([], [ACME])]

    at_work(tmp_path, work)


def test_it_is_asked_for_before_its_time_is_over(tmp_path: Path) -> None:
    """A provider that answers keeps it here for ever, with half of the time to spare."""

    async def work(kept: Kept) -> None:
        kept.take(1000.0)
        for turn in range(1, 20):
            await kept.look(1000.0 + turn * ASK_SHARE * CACHE_SECONDS)
            assert kept.is_here
        assert kept.told == []

    at_work(tmp_path, work)


def test_reloads_without_an_answer_do_not_prolong_it(tmp_path: Path) -> None:
    """One each second, each of which finds that the gateway holds the key still."""

    async def work(kept: Kept) -> None:
        kept.take(1000.0)
        kept.provider.unlink()
        for second in range(1, CACHE_SECONDS):
            kept.now = 1000.0 + second
            assert ACME in kept.take(kept.now, answered=False).by_name
            await kept.look(kept.now)
        assert kept.is_here
        await kept.look(1000.0 + CACHE_SECONDS)
        assert kept.told == [([], [ACME])]
        assert ACME not in kept.keeper.held

    at_work(tmp_path, work)


@pytest.mark.parametrize("answered", [True, False], ids=["answered before", "held"])
def test_a_reload_that_ends_later_than_its_time_does_not_bring_it_back(
    tmp_path: Path, *, answered: bool
) -> None:
    """It began while the key counted, and a root was slow: what it found is over by then."""

    async def work(kept: Kept) -> None:
        kept.take(1000.0)
        kept.provider.unlink()
        kept.now = 1000.0 + CACHE_SECONDS + 1
        assert set(kept.take(1000.0, answered=answered).by_name) == {GLOBEX}
        assert kept.told == [([], [ACME])]  # who is told of the reload only later has heard this first
        assert not kept.is_here
        await kept.look(kept.now + 1)
        assert kept.told == [([], [ACME])]

    at_work(tmp_path, work)


def test_given_again_it_is_back_with_the_next_answer(tmp_path: Path) -> None:
    """And counts from that question on."""

    async def work(kept: Kept) -> None:
        kept.take(1000.0)
        kept.provider.rename(kept.folder / "away")
        await kept.look(1000.0 + CACHE_SECONDS)
        (kept.folder / "away").rename(kept.provider)
        await kept.look(2000.0)
        assert kept.told == [([], [ACME]), ([ACME], [])]
        kept.provider.unlink()
        await kept.look(2000.0 + CACHE_SECONDS - 0.001)
        assert kept.is_here
        await kept.look(2000.0 + CACHE_SECONDS)
        assert not kept.is_here

    at_work(tmp_path, work)


def test_a_key_that_changes_while_it_is_asked_for_is_asked_for_again(tmp_path: Path) -> None:
    """What was on its way is of the former one, and counts for nothing; the next question does."""

    async def work(kept: Kept) -> None:
        kept.take(1000.0)
        kept.answering.clear()
        kept.now = 1000.0 + ASK_SHARE * CACHE_SECONDS
        kept.keeper.look()
        await asyncio.sleep(0)  # the question is on its way
        adopt_keks(kept.state.engine, [replace(kept.row, revision=kept.row.revision + 1)])
        await kept.keeper.look_at_state()
        kept.answering.set()
        await kept.answered()
        await kept.look(kept.now + 1)
        await kept.look(1000.0 + CACHE_SECONDS)
        assert kept.is_here

    at_work(tmp_path, work)
