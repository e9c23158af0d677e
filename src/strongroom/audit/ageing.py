"""Goes through with what is asked to be taken away from a log, and erases what is older than it is kept.

In small steps, each of which may be the last: what was done is noted, and the next one goes on from there,
in whichever process. One process does it at a time, the one that holds the log: the recorder of a gateway
(``gateway/ageing.py``), or a command while no gateway runs.
"""

import itertools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from strongroom.audit import asked as asking
from strongroom.audit import pruning
from strongroom.audit.asked import Asked, Run, Say, What
from strongroom.audit.checkpoint import VerifierKey, verify
from strongroom.audit.contents import Contents
from strongroom.audit.erasing import erase_in, expired, time_of
from strongroom.audit.leaf import Content
from strongroom.audit.log import SETTLED, hold
from strongroom.audit.minimum import minimum_of
from strongroom.audit.records.shared import Holder
from strongroom.audit.tiles import TILE_WIDTH
from strongroom.errors import LogDamaged, LogInUse, LogUnwritable

STEP = 8
"""Bundles of a step: some milliseconds, in which the writer's thread may have to wait."""
FILES = 500
"""Files that a step of pruning deletes."""
CHECKED = 64
"""Bundles that a step looks through, for whether they may be pruned."""
LOOK_ON = 64
"""Bundles in which nothing is too old, before what follows is taken to be younger: clocks go back."""
_MILLISECOND = timedelta(milliseconds=1)


class Ageing:
    """Of one log, whose holder calls it."""

    def __init__(
        self,
        log: Path,
        keys: Sequence[VerifierKey],
        settled: Callable[[], int],
        guard: AbstractContextManager[object],
        *,
        keep: timedelta | None = None,
        say: Say = lambda _: None,
    ) -> None:
        """``settled``: records before it stand in the log's files alone. ``guard``: nobody writes these.

        Contents are kept for ``keep``. ``say`` hears of what is passed over.
        """
        self._log = log
        self._keys = list(keys)
        self._settled = settled
        self._guard = guard
        self._keep = keep
        self._say = asking.once(say)
        self._checked: tuple[str, int] = "", 0
        """What is to be pruned, and before which record all of it may be."""
        self._refused: set[str] = set()
        self._old: Iterator[int] | None = None
        self._noted: tuple[str, Asked] | None = None

    @property
    def waits(self) -> bool:
        """Whether there is something to erase that is not settled yet."""
        return any(one.numbers for _, one in self._standing(What.ERASE))

    def step(self) -> bool:
        """Does a little of what is asked for; False where nothing is left that can be done now.

        Raises ``LogUnwritable``, and ``LogDamaged`` where the log cannot be read.
        """
        try:
            return self._erase_some() or self._prune_some()
        except OSError as error:
            raise LogUnwritable(f"the audit log in {self._log} cannot be shortened: {error}") from error

    def step_of_age(self, before: int) -> bool:
        """The same with contents that are older, in milliseconds; each round begins anew."""
        try:
            return self._erase_old(before)
        except OSError as error:
            raise LogUnwritable(f"the audit log in {self._log} cannot be shortened: {error}") from error

    def _standing(self, what: What) -> Iterator[tuple[str, Asked]]:
        found = asking.standing(self._log, self._say)
        return (one for one in found if one[1].what is what and not one[1].done)

    # ------------------------------------------------------------------------------------------- as is asked

    def _erase_some(self) -> bool:
        settled = self._settled()
        for name, asked in self._standing(What.ERASE):
            left, done = _divided(asked.numbers, settled)
            if left and not done:
                continue
            for bundle, places in done:
                with self._guard:
                    erase_in(self._log, bundle, places)
            asking.replace(self._log, name, replace(asked, numbers=left, done=not left))
            return True
        return False

    def _prune_some(self) -> bool:
        for name, asked in self._standing(What.PRUNE):
            if name in self._refused:
                continue
            if self._checked[0] != name:
                self._checked = name, 0
            if (why := self._check_some(asked.limit)) is not None:
                self._refused.add(name)
                self._say(f"{asking.FOLDER}/{name}: the log is not pruned, as {why}")
                continue
            checked = self._checked[1] >= asked.limit
            if checked and not sum(1 for _ in itertools.islice(pruning.prune(self._log, asked.limit), FILES)):
                asking.replace(self._log, name, replace(asked, done=True))
            return True
        return False

    def _check_some(self, limit: int) -> str | None:
        """Goes on with whether it may be pruned: the file is asked nothing but where; or why it may not."""
        if limit % TILE_WIDTH or limit > self._settled():
            return f"{limit} is not where a bundle begins that stands in the log's files for good"
        name, checked = self._checked
        if checked >= limit:
            return None
        until = min(limit, max(checked, minimum_of(self._log)) + CHECKED * TILE_WIDTH)
        kept = None if self._keep is None else time.time_ns() // 1_000_000 - self._keep // _MILLISECOND
        try:
            log = Contents.open(self._log, self._keys)
            found = pruning.prunable(log, until, older=None, kept=kept, since=checked)
        except LogDamaged as error:
            return error.message
        if found < until:
            return f"from record {found} on something is neither erased nor older than `keep`"
        self._checked = name, until
        return None

    # ------------------------------------------------------------------------------------------ as time goes

    def _erase_old(self, before: int) -> bool:
        if self._old is None:
            self._end_former_rounds()
            self._old = self._aged(Contents.open(self._log, self._keys), before)
        try:
            counts = list(itertools.islice(self._old, STEP))
        except BaseException:
            self._old = None  # it has ended, and was not at its end
            raise
        if any(counts):
            self._note(sum(counts), before)
        if len(counts) == STEP:
            return True
        self._end_former_rounds()
        self._old = None
        return False

    def _aged(self, log: Contents, before: int) -> Iterator[int]:
        """Of each file of contents that is there how many were erased in it."""
        idle = 0
        for bundle in sorted(log.stamps()):
            first, settled = bundle * TILE_WIDTH, self._settled()
            if first >= settled or idle > LOOK_ON:
                return
            try:
                places = {place for place in expired(log, bundle, before) if first + place < settled}
            except LogDamaged as error:
                self._say(f"contents that may be too old are not erased: {error.message}")
                yield 0
                continue
            with self._guard:
                count = erase_in(self._log, bundle, places)
            idle = 0 if count else idle + 1
            yield count

    def _note(self, count: int, before: int) -> None:
        """What this round erased, for the record of it."""
        if self._noted is None:
            asked = Asked(What.KEEP, "strongroom", Holder.GATEWAY, before, count, limit=before)
            self._noted = asking.put(self._log, asked), asked
        else:
            name, former = self._noted
            self._noted = name, replace(former, records=former.records + count)
            asking.replace(self._log, *self._noted)

    def _end_former_rounds(self) -> None:
        for name, asked in list(self._standing(What.KEEP)):
            asking.replace(self._log, name, replace(asked, done=True))
        self._noted = None


def _divided(numbers: Sequence[Run], settled: int) -> tuple[tuple[Run, ...], list[tuple[int, set[int]]]]:
    """What is left for later, and the bundles of this step, each with its places."""
    places: dict[int, set[int]] = {}
    left: list[Run] = []
    for first, last in numbers:
        at = first
        while at <= last:
            bundle = at // TILE_WIDTH
            if at >= settled or (bundle not in places and len(places) == STEP):
                left.append((at, last))
                break
            end = min(last + 1, settled, (bundle + 1) * TILE_WIDTH)
            places.setdefault(bundle, set()).update(range(at % TILE_WIDTH, end - bundle * TILE_WIDTH))
            at = end
    return tuple(left), sorted(places.items())


def newest_time(log: Path, keys: Sequence[VerifierKey], size: int) -> int | None:
    """When the newest of the first records of a log was made, in milliseconds; None where there are none.

    0 where the last of them say no time, such as where they are erased: nobody knows.
    """
    if not size:
        return None
    opened = Contents.open(log, keys)
    last = (size - 1) // TILE_WIDTH
    for bundle in range(last, max(last - LOOK_ON, -1), -1):
        try:
            found = opened.bundle(bundle)
        except LogDamaged:
            continue
        right = (one for one in found if one.number < size and one.state is Content.RIGHT)
        times = [time for one in right if (time := time_of(one)) is not None]
        if times:
            return max(times)
    return 0


def settled_size(log: Path, keys: Sequence[VerifierKey]) -> int:
    """Records that stand in the log's files for good, by the log's folder; 0 before the first settling."""
    try:
        note = (log / SETTLED).read_bytes()
    except FileNotFoundError:
        return 0
    return verify(note, keys).checkpoint.size


def go_through(
    log: Path, keys: Sequence[VerifierKey], keep: timedelta | None = None, say: Say = lambda _: None
) -> bool:
    """Does all that is asked for, while no gateway runs; False where one does, and does it itself."""
    try:
        descriptor = hold(log)
    except LogInUse:
        return False
    try:
        ageing = Ageing(log, keys, lambda: settled_size(log, keys), nullcontext(), keep=keep, say=say)
        while ageing.step():
            pass
    finally:
        os.close(descriptor)
    return True
