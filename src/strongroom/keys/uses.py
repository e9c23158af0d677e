"""Counting the uses of keys without a write for each: uses are reserved in batches before they happen.

A batch is written to the state before its first use, so that after a crash the count is too high and never
too low. Batches grow from small to large while a process seals, so that one that seals little wastes little.
One ``Reservations`` a process; it is the ``Uses`` of ``protect/plan.py``.
"""

from collections.abc import Callable

from strongroom.keys.model import Keyset

FIRST_BATCH = 2**10
LARGEST_BATCH = 2**16  # one write to the state for so many values, some milliseconds in several hundred

Reserve = Callable[[str, int, int, int], object]
"""(keyset, key id, how many, how many in all are safe); raises ``KeyUsesSpent``."""


class Reservations:
    """What this process may still use of each key; ``reserve`` is ``KeyStore.reserve``."""

    __slots__ = ("_batches", "_left", "_reserve")

    def __init__(self, reserve: Reserve) -> None:
        self._reserve = reserve
        self._left: dict[tuple[str, int], int] = {}
        self._batches: dict[tuple[str, int], int] = {}

    def take(self, keyset: Keyset, count: int) -> None:
        """Counts ``count`` uses of the primary key; raises ``KeyUsesSpent``, and then none may be made."""
        key = (keyset.name, keyset.primary)
        left = self._left.get(key, 0)
        if left < count:
            batch = self._batches.get(key, FIRST_BATCH)
            wanted = max(batch, count - left)
            self._reserve(*key, wanted, keyset.algorithm.max_uses)
            self._batches[key] = min(batch * 2, LARGEST_BATCH)
            left += wanted
        self._left[key] = left - count
