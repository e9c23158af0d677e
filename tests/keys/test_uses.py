"""keys/uses.py: uses are counted in batches, before they happen."""

import pytest

from strongroom.errors import KeyUsesSpent
from strongroom.keys.uses import FIRST_BATCH, LARGEST_BATCH, Reservations


class Ledger:
    """What was reserved, in order; refuses beyond a limit."""

    def __init__(self, limit: int = 2**40) -> None:
        self.reserved: list[int] = []
        self.limit = limit

    def reserve(self, keyset: str, key_id: int, count: int) -> None:
        if sum(self.reserved) + count > self.limit:
            raise KeyUsesSpent("spent")
        self.reserved.append(count)


def test_uses_are_reserved_before_they_are_made() -> None:
    """At every moment what is reserved is at least what was taken, and batches grow up to the largest."""
    ledger = Ledger()
    uses = Reservations(ledger.reserve)
    for taken in range(1, 300_000):
        uses.take("k", 1, 1)
        assert sum(ledger.reserved) >= taken
    assert ledger.reserved[:3] == [FIRST_BATCH, FIRST_BATCH * 2, FIRST_BATCH * 4]
    assert ledger.reserved[-1] == LARGEST_BATCH


def test_many_at_once_reserve_what_they_need() -> None:
    """A batch of rows larger than the reservation is still counted to the last."""
    ledger = Ledger()
    uses = Reservations(ledger.reserve)
    uses.take("k", 1, 10)
    uses.take("k", 1, 10_000)
    assert sum(ledger.reserved) >= 10_010


def test_keys_are_counted_apart() -> None:
    """One key's reservation serves no other."""
    ledger = Ledger()
    uses = Reservations(ledger.reserve)
    uses.take("k", 1, 1)
    uses.take("k", 2, 1)
    uses.take("l", 1, 1)
    assert ledger.reserved == [FIRST_BATCH] * 3


def test_a_spent_key_seals_nothing_more() -> None:
    """The refusal of the ledger reaches the one who wants to seal, each time."""
    uses = Reservations(Ledger(limit=FIRST_BATCH).reserve)
    uses.take("k", 1, FIRST_BATCH)
    for _ in range(2):
        with pytest.raises(KeyUsesSpent):
            uses.take("k", 1, 1)
