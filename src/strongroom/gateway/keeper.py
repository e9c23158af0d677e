"""The keys of tenants in a gateway that runs: which are here, asked for anew, taken away, and made.

A tenant who holds its own key can withdraw it. So its provider is asked again and again, each time before
`keys.tenants.cache_seconds` are over since it last gave the key; when they are, without another yes, the key
is taken from all workers at once. Whatever the reason is, the time is the same: a provider that is down for a
moment harms nobody. Once a second a look at the state finds the tenants that commands made or destroyed.

Runs in the supervisor, which passes on what came and went; asks providers in threads of its own, so that a
slow one keeps no session and no other tenant waiting.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import structlog

from strongroom.config import RootAddress, Settings
from strongroom.config.awskms_address import AwsKmsAddress
from strongroom.config.kmip_address import KmipAddress
from strongroom.config.pkcs11_uri import Pkcs11Address
from strongroom.config.vault_address import VaultAddress
from strongroom.errors import RootError, StrongroomError, TenantsTooMany
from strongroom.gateway.kept import Place
from strongroom.gateway.newcomers import Site, add, standing_of
from strongroom.gateway.protection import Prepared, opened_roots
from strongroom.gateway.tasks import Tasks
from strongroom.gateway.tenants import Rows, holds_own
from strongroom.keys.journal import Journal
from strongroom.keys.kek import Keks, WrappedKek, kek_name, scope_of, tenant_of
from strongroom.keys.model import Keyset
from strongroom.keys.root.entering import Entered
from strongroom.keys.store import forget_keysets, kept_keks, tenants_mark
from strongroom.keys.tenants import Standing
from strongroom.state import State

_log = structlog.get_logger("strongroom.tenants")

TICK_SECONDS = 1.0
"""Between two looks at the state and the clock; shorter where the cache is."""

ASK_SHARE = 0.5
"""Of the cache's time, after which a provider is asked again, at the latest; spread out below it."""

AGAIN_SECONDS = 15.0
"""A provider that gave no key is asked again after so long, or a quarter of the cache's time."""

THREADS = 32
"""So many questions are under way at once; those that hang do so for as long as their clients wait."""

AT_ONE = 2
"""Of these, to one service: one that is silent has its own tenants wait, and hardly anyone else's."""

MAKING_AT_MOST = 50
"""So many new tenants may wait for their keys, and no more."""

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed() -> float:
    """Seconds, those included in which the machine slept: what was withdrawn then is not used after.

    As clock_gettime(2) has it under CLOCK_BOOTTIME; where there is none, they stand still meanwhile.
    """
    return time.clock_gettime(_CLOCK)


Tell = Callable[[Sequence[Keyset], Sequence[str]], None]
"""What is called with key-encryption keys that came, and the names of those that went."""


@dataclass(slots=True)
class _Own:
    """A tenant's own key, as its provider last gave it."""

    name: str
    given: float
    """When a question was asked that was answered with the key; by the keeper's clock."""
    ask_at: float
    is_here: bool
    asking: bool = False
    why: str = ""


class Keeper:
    """The tenants of one gateway."""

    def __init__(
        self,
        state: State,
        tell: Tell,
        tasks: Tasks,
        entered: Entered,
        clock: Callable[[], float] = elapsed,
    ) -> None:
        self._state, self._tell, self._tasks, self._entered = state, tell, tasks, entered
        self._clock = clock
        self._threads = ThreadPoolExecutor(THREADS, "tenant")
        self._turns: dict[object, asyncio.Semaphore] = {}
        self._own: dict[str, _Own] = {}
        self._keks: dict[str, Keyset] = {}
        self._revisions: dict[str, int] = {}
        self._mark: object = None
        self._making = asyncio.Lock()
        self._waiting = 0

    def take(self, settings: Settings, prepared: Prepared, places: Iterable[Place], began: float) -> Keks:
        """Begins, or goes on, with what a start or a reload found; ``began`` is when that was.

        Returns the KEKs that count now: the time of some may have ended while a reload looked.
        """
        self._take_away()
        self._settings, self._roots = settings, prepared.roots
        self._places = {place.name: place for place in places}
        self._keks = {name: kek for name, kek in prepared.keks.by_name.items() if tenant_of(name)}
        standings = [one for tenancy in prepared.tenancies.values() for one in tenancy.standings.values()]
        self._revisions = {
            name: revision for one in prepared.tenancies.values() for name, revision in one.revisions.items()
        }
        self._revisions |= {one.name: one.row.revision for one in standings if one.row is not None}
        self._mark = None  # the state may have changed since it was read
        own = [one for one in standings if holds_own(settings, one.name) and not one.is_destroyed]
        before = self._own
        self._own = {one.name: self._own_now(one, began) for one in own}
        for name, one in self._own.items():
            if one.is_here and name in before and not before[name].is_here:
                self._say_it_is_back(name)  # with another token, say, that a reload brought
        over = [name for name, one in self._own.items() if not one.is_here]
        self._keks = {name: kek for name, kek in self._keks.items() if name not in over}
        return prepared.keks.changed((), over)

    @property
    def held(self) -> Mapping[str, Keyset]:
        """The keys of tenants who hold their own that count still."""
        return {name: self._keks[name] for name, one in self._own.items() if one.is_here}

    async def run(self) -> None:
        """Looks at clock and state until it is cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch_providers(), name="tenants' providers")
                group.create_task(self._watch_state(), name="tenants in the state")
        finally:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _watch_providers(self) -> None:
        while True:
            await asyncio.sleep(min(TICK_SECONDS, self._cache / 10))
            self.look()

    async def _watch_state(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                await self.look_at_state()
            except StrongroomError as error:
                _log.warning("tenants not read", code=error.code, why=error.message)

    async def make(self, database: str, tenant: str) -> None:
        """Makes the keys of a new tenant; one at a time. Raises a ``StrongroomError``."""
        if self._waiting >= MAKING_AT_MOST:
            raise TenantsTooMany(f"{self._waiting} new tenants wait for their keys already")
        self._waiting += 1
        try:
            async with self._making:
                if kek_name(f"{database}@{tenant}") not in self._keks:
                    await self._make(database, tenant)
        finally:
            self._waiting -= 1

    async def _make(self, database: str, tenant: str) -> None:
        assert self._settings.keys is not None  # there are protected columns
        tenants = self._settings.keys.tenants
        count = sum(tenant_of(name, database) is not None for name in self._revisions)
        if tenants.add != "automatic" or count >= tenants.limit:
            raise TenantsTooMany(
                f"databases.{database} has {count} tenants, and keys.tenants.limit is {tenants.limit}"
                if tenants.add == "automatic"
                else "keys of tenants are made by hand here"
            )
        try:
            made = await add(self._site(database), [tenant])
        except RootError:  # it was opened long ago
            await self._reopen()
            made = await add(self._site(database), [tenant])
        for kek in made.keks:
            rows = await asyncio.to_thread(kept_keks, self._state.engine, kek.name)
            self._came(Standing(kek.name, kek, rows.get(kek.name)))
            _log.info("the key of a tenant was made", tenant=scope_of(kek.name))

    def _site(self, database: str) -> Site:
        return Site(self._settings, self._state, self._places[database], self._roots)

    async def _reopen(self) -> None:
        self._roots = await asyncio.to_thread(opened_roots, self._settings, self._state, self._entered)

    # ---------------------------------------------------------------- own keys

    @property
    def _cache(self) -> float:
        return 0.0 + (self._settings.keys.tenants.cache_seconds if self._settings.keys is not None else 60)

    def look(self) -> None:
        """One look at the clock: takes away the keys whose time is over, and asks for those that are due."""
        self._take_away()
        self._ask_who_is_due()

    def _own_now(self, standing: Standing, began: float) -> _Own:
        before = self._own.get(standing.name)
        fresh = standing.kek is not None and standing.failure is None
        given = began if fresh or before is None else before.given
        wait = self._spread(ASK_SHARE * self._cache / 2, ASK_SHARE * self._cache) if fresh else 0.0
        is_here = standing.kek is not None and self._clock() - given < self._cache
        return _Own(standing.name, given, began + wait, is_here)

    def _ask_who_is_due(self) -> None:
        now = self._clock()
        for one in self._own.values():
            if now >= one.ask_at and not one.asking:
                one.asking = True
                self._tasks.start(f"ask {one.name}", self._ask(one))

    async def _ask(self, one: _Own) -> None:
        """Asks a provider, and notes what it answers."""
        loop = asyncio.get_running_loop()
        try:
            place = self._places[scope_of(one.name).partition("@")[0]]
            question = partial(_asked, self._clock, self._settings, self._state, place, one.name)
            async with self._turn(one.name):
                asked, standing = await loop.run_in_executor(self._threads, question)
        finally:
            one.asking = False
        if self._own.get(one.name) is not one:
            return  # a reload took its place
        if standing.kek is None:
            one.why = "" if standing.failure is None else standing.failure.message
            one.ask_at = self._clock() + self._spread(0.5, 1.0) * min(AGAIN_SECONDS, self._cache / 4)
            return
        one.given, one.ask_at = asked, asked + self._spread(0.7, 1.0) * ASK_SHARE * self._cache
        if not one.is_here or standing.kek.revision > self._keks[one.name].revision:
            if not one.is_here:
                self._say_it_is_back(one.name)
            one.is_here = True
            self._came(standing)

    def _turn(self, name: str) -> asyncio.Semaphore:
        """What keeps a service from being asked more often at once than it should."""
        assert self._settings.keys is not None  # there are protected columns
        service = service_of(self._settings.keys.tenants.own.get(scope_of(name)))
        return self._turns.setdefault(service, asyncio.Semaphore(AT_ONE))

    def _say_it_is_back(self, name: str) -> None:
        _log.warning("the key of a tenant is here again", tenant=scope_of(name))
        self._note("tenant key given again", name)

    def _take_away(self) -> None:
        """Takes away the keys whose time is over."""
        now = self._clock()
        for one in self._own.values():
            if one.is_here and now - one.given >= self._cache:
                one.is_here = False
                self._went([one.name])
                _log.warning("the key of a tenant was taken away", tenant=scope_of(one.name), why=one.why)
                self._note("tenant key withdrawn", one.name)

    # ---------------------------------------------------------------- what commands did

    async def look_at_state(self) -> None:
        """Finds the tenants that were made, changed or destroyed by a command."""
        if not self._places:
            return
        mark = await asyncio.to_thread(tenants_mark, self._state.engine)
        if mark == self._mark:
            return
        rows = await asyncio.to_thread(kept_keks, self._state.engine)
        changed = [row for name, row in rows.items() if self._is_news(name, row)]
        gone = [row.name for row in changed if row.is_destroyed]
        if gone:
            await asyncio.to_thread(forget_keysets, self._state.engine, [scope_of(name) for name in gone])
            for name in gone:
                self._own.pop(name, None)
                _log.warning("the key of a tenant was destroyed", tenant=scope_of(name))
            self._went(gone)
        self._came(*[one for row in changed if not row.is_destroyed for one in await self._look(row.name)])
        self._revisions |= {row.name: row.revision for row in changed}
        self._mark = mark

    def _is_news(self, name: str, row: WrappedKek) -> bool:
        database = scope_of(name).partition("@")[0]
        known = self._revisions.get(name) == row.revision
        return tenant_of(name) is not None and database in self._places and not known

    async def _look(self, name: str) -> list[Standing]:
        """Opens a key that was made or changed; one of a tenant's own is asked for as others are."""
        if holds_own(self._settings, name):
            now, one = self._clock(), self._own.get(name)
            self._own[name] = (
                replace(one, ask_at=now, asking=False) if one is not None else _Own(name, now, now, False)
            )
            return []
        database = scope_of(name).partition("@")[0]
        standing = await standing_of(self._site(database), name, {})
        if isinstance(standing.failure, RootError):  # it was opened long ago
            await self._reopen()
            standing = await standing_of(self._site(database), name, {})
        if standing.kek is not None:
            _log.info("the key of a tenant is here", tenant=scope_of(name))
            return [standing]
        if (failure := standing.failure) is not None:
            _log.warning("a tenant's key is not here", tenant=scope_of(name), why=failure.message)
        return []

    def _came(self, *standings: Standing) -> None:
        """Passes on, all at once, what is here now."""
        keks = [one.kek for one in standings if one.kek is not None]
        if keks:
            self._keks |= {kek.name: kek for kek in keks}
            self._revisions |= {one.name: one.row.revision for one in standings if one.row is not None}
            self._tell(keks, [])

    def _went(self, names: Sequence[str]) -> None:
        for name in names:
            self._keks.pop(name, None)
        self._tell([], names)

    def _note(self, what: str, name: str) -> None:
        """Into the journal, in a thread: the state may be busy."""
        work = asyncio.to_thread(Journal(self._state.engine).add, what, scope_of(name))
        self._tasks.start("journal", work)

    def _spread(self, low: float, high: float) -> float:
        return random.uniform(low, high)  # noqa: S311  # so that not all are asked at once


def _asked(
    clock: Callable[[], float], settings: Settings, state: State, place: Place, name: str
) -> tuple[float, Standing]:
    """How a tenant stands that holds its own key, and when that was asked; the database is not asked.

    Not before its turn came: what waits for others has not been refused.
    """
    rows = Rows(settings, state, place, kept_keks(state.engine, name), {}, {})
    return clock(), rows.stand_own(name)


def service_of(address: RootAddress | None) -> object:
    """What answers for a provider: a server, a region, a token's library, a file."""
    match address:
        case VaultAddress(url=url):
            return url
        case KmipAddress(server=server):
            return server
        case AwsKmsAddress(region=region, endpoint=endpoint):
            return endpoint or region
        case Pkcs11Address(module=module):
            return module
    return address
