"""Goes through with what is asked to be taken away from a log, and erases what is older than it is kept.

In small steps, each of which may be the last: what was done is noted, and the next one goes on from there,
in whichever process. One process does it at a time, the one that holds the log: the recorder of a gateway
(``gateway/ageing.py``), or a command while no gateway runs.
"""

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

from strongroom.audit import asked as asking
from strongroom.audit import pruning
from strongroom.audit.asked import Asked, Run, What
from strongroom.audit.checkpoint import VerifierKey, verify
from strongroom.audit.contents import Contents
from strongroom.audit.erasing import erase_in, expired
from strongroom.audit.log import SETTLED, hold
from strongroom.audit.records.shared import Holder
from strongroom.audit.tiles import TILE_WIDTH
from strongroom.errors import LogInUse, LogUnwritable

STEP = 8
"""Bundles of a step: some milliseconds, in which the writer's thread may have to wait."""
FILES = 500
"""Files that a step of pruning deletes."""
LOOK_ON = 64
"""Bundles in which nothing is too old, before what follows is taken to be younger: clocks go back."""


class Ageing:
    """Of one log, whose holder calls it."""

    def __init__(
        self,
        log: Path,
        keys: Sequence[VerifierKey],
        settled: Callable[[], int],
        guard: AbstractContextManager[object],
    ) -> None:
        """``settled``: records before it stand in the log's files alone. ``guard``: nobody writes these."""
        self._log = log
        self._keys = list(keys)
        self._settled = settled
        self._guard = guard
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
        return (one for one in asking.standing(self._log) if one[1].what is what and not one[1].done)

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
            if not sum(1 for _ in itertools.islice(pruning.prune(self._log, asked.limit), FILES)):
                asking.replace(self._log, name, replace(asked, done=True))
            return True
        return False

    # ------------------------------------------------------------------------------------------ as time goes

    def _erase_old(self, before: int) -> bool:
        if self._old is None:
            self._end_former_rounds()
            self._old = self._aged(Contents.open(self._log, self._keys), before)
        counts = list(itertools.islice(self._old, STEP))
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
            places = {place for place in expired(log, bundle, before) if first + place < settled}
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


def settled_size(log: Path, keys: Sequence[VerifierKey]) -> int:
    """Records that stand in the log's files for good, by the log's folder; 0 before the first settling."""
    try:
        note = (log / SETTLED).read_bytes()
    except FileNotFoundError:
        return 0
    return verify(note, keys).checkpoint.size


def go_through(log: Path, keys: Sequence[VerifierKey]) -> bool:
    """Does all that is asked for, while no gateway runs; False where one does, and does it itself."""
    try:
        descriptor = hold(log)
    except LogInUse:
        return False
    try:
        ageing = Ageing(log, keys, lambda: settled_size(log, keys), nullcontext())
        while ageing.step():
            pass
    finally:
        os.close(descriptor)
    return True
