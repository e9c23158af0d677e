"""How guessing of passwords is slowed, and who is locked out for a while: arithmetic on counts and times.

    one account from one source   3 wrong tries are free; then each next one counts only after a pause that
                                  doubles; after 10 nothing counts until the lock ends by itself
    one account, one source       after 100 wrong tries, those who never logged in well take turns, a second
                                  apart: guessing from many places, or at many accounts, becomes slow

So a stranger can lock out an account from his own address only, and at worst delays those who come from
where they never came from before. A try counts when it is decided, not when it begins: of a thousand that
come at once, ten are looked at. Unknown accounts count as known ones do.

Pure: times are arguments, in seconds of any clock that goes forward. `gateway/door.py` keeps the counts of
log-ins in the supervisor's memory, for all workers; `sign_in` those of ``strongroom login`` in the state.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum
from hashlib import blake2b

from strongroom.people.source import neighbourhood_of

FREE = 3
"""So many wrong tries cost no time: a person mistypes."""
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 30.0
CROWD = 100
"""So many wrong tries at one account, or from one source, make those who are new there take turns."""
TURN_SECONDS = 1.0
PATIENCE_SECONDS = 20.0
"""Who would wait for longer is refused at once: nobody's turn is kept beyond `login_seconds`."""
ENTRIES_AT_MOST = 20_000
"""Of each kind; then the oldest go. An entry takes some 300 octets."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration says under ``login``."""

    failures: int = 10
    """So many wrong tries of one account from one source lock it for that source."""
    lock_seconds: float = 900.0
    """So long; and so long after the last wrong try all is forgotten."""


@dataclass(frozen=True, slots=True)
class Tally:
    """The wrong tries of one account from one source, of one account, or of one source."""

    failures: int = 0
    last: float = float("-inf")
    free_at: float = float("-inf")
    """When the next try counts."""

    def at(self, now: float, rules: Rules) -> "Tally":
        """The same, or none where it is so long ago that it counts no more."""
        return Tally() if now - self.last >= rules.lock_seconds else self

    def is_locked(self, rules: Rules) -> bool:
        """Whether nothing counts; to be asked of what `at` gave."""
        return self.failures >= rules.failures

    def failed(self, now: float) -> "Tally":
        """One more wrong try."""
        return Tally(self.failures + 1, now, max(self.free_at, now + pause_after(self.failures + 1)))


def pause_after(failures: int) -> float:
    """Seconds after so many wrong tries: 0, 0, 0, 0.25, 0.5, 1, 2, 4, ..., 30."""
    if failures <= FREE:
        return 0.0
    return min(FIRST_PAUSE * 2.0 ** min(failures - FREE - 1, 16), LONGEST_PAUSE)


class Standing(Enum):
    """What a wrong try has led to; to be said in the log when it is reached, and not with each try."""

    COUNTED = "counted"
    SLOWED = "slowed"
    LOCKED = "locked"


@dataclass(slots=True)
class Throttle:
    """The counts of one gateway."""

    rules: Rules = field(default_factory=Rules)
    _pairs: OrderedDict[bytes, Tally] = field(default_factory=OrderedDict)
    _crowds: OrderedDict[bytes, Tally] = field(default_factory=OrderedDict)
    _good: OrderedDict[bytes, None] = field(default_factory=OrderedDict)

    def take_turn(self, account: str, source: str, now: float) -> float | None:
        """Seconds until a try may be decided, and its turn is taken; None: it does not count at all."""
        pair, *crowds = _keys(account, source)
        tally = self._pairs.get(pair, Tally()).at(now, self.rules)
        if tally.is_locked(self.rules):
            return None
        crowded = {} if pair in self._good else self._crowded(crowds, now)
        start = max([now, tally.free_at, *(one.free_at for one in crowded.values())])
        if start - now > PATIENCE_SECONDS:
            return None
        if tally.failures > FREE:  # of several that come at once, each waits for the one before it
            _keep(self._pairs, pair, replace(tally, free_at=start + pause_after(tally.failures)))
        for key, crowd in crowded.items():
            _keep(self._crowds, key, replace(crowd, free_at=start + TURN_SECONDS))
        return start - now

    def is_locked(self, account: str, source: str, now: float) -> bool:
        """Whether the lock came while a try waited for its decision."""
        tally = self._pairs.get(_keys(account, source)[0], Tally())
        return tally.at(now, self.rules).is_locked(self.rules)

    def failed(self, account: str, source: str, now: float) -> Standing:
        """Counts a wrong try."""
        pair, *crowds = _keys(account, source)
        tally = self._pairs.get(pair, Tally()).at(now, self.rules).failed(now)
        _keep(self._pairs, pair, tally)
        for key in crowds:
            crowd = self._crowds.get(key, Tally()).at(now, self.rules)
            _keep(self._crowds, key, replace(crowd, failures=crowd.failures + 1, last=now))
        if tally.is_locked(self.rules):
            return Standing.LOCKED
        return Standing.SLOWED if tally.failures == FREE + 1 else Standing.COUNTED

    def succeeded(self, account: str, source: str) -> None:
        """Forgets the wrong tries of this account from this source, and remembers that it is good."""
        pair = _keys(account, source)[0]
        self._pairs.pop(pair, None)
        self._good[pair] = None
        self._good.move_to_end(pair)
        while len(self._good) > ENTRIES_AT_MOST:
            self._good.popitem(last=False)

    def forgive(self, rules: Rules) -> None:
        """Forgets all wrong tries, but not who is good; goes by these rules from now on."""
        self.rules = rules
        self._pairs.clear()
        self._crowds.clear()

    @property
    def entries(self) -> int:
        """How many counts are kept."""
        return len(self._pairs) + len(self._crowds) + len(self._good)

    def _crowded(self, keys: Iterable[bytes], now: float) -> dict[bytes, Tally]:
        """Those of the account and the source at which so much was tried that newcomers take turns."""
        found = {key: self._crowds.get(key, Tally()).at(now, self.rules) for key in keys}
        return {key: one for key, one in found.items() if one.failures >= CROWD}


def _keep(kept: OrderedDict[bytes, Tally], key: bytes, tally: Tally) -> None:
    kept[key] = tally
    kept.move_to_end(key)
    while len(kept) > ENTRIES_AT_MOST:
        kept.popitem(last=False)


def _keys(account: str, source: str) -> tuple[bytes, bytes, bytes]:
    """The pair, the account and the source, each as 16 octets: names may be long, and are anyone's."""
    place = neighbourhood_of(source)
    return _digest("pair", account, place), _digest("account", account), _digest("source", place)


def _digest(*parts: str) -> bytes:
    octets = b"".join(
        len(one).to_bytes(4) + one for one in (part.encode("utf-8", "replace") for part in parts)
    )
    return blake2b(octets, digest_size=16).digest()
