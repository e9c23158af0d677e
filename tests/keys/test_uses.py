"""keys/uses.py: uses are counted in batches, before they happen."""

import pytest
from tests.protect.samples import keyset_for, scheme

from strongroom.errors import KeyUsesSpent
from strongroom.keys.model import MAX_USES_DETERMINISTIC, MAX_USES_RANDOMIZED
from strongroom.keys.uses import FIRST_BATCH, LARGEST_BATCH, Reservations

K1, K2 = keyset_for(scheme("text"), 1), keyset_for(scheme("text"), 2)
L1 = keyset_for(scheme("text", column="public.t.d"), 1)


class Ledger:
    """What was reserved, in order; refuses beyond a limit."""

    def __init__(self, limit: int = 2**40) -> None:
        self.reserved: list[int] = []
        self.limit = limit

    def reserve(self, keyset: str, key_id: int, count: int, limit: int) -> None:
        assert limit == MAX_USES_RANDOMIZED
        if sum(self.reserved) + count > self.limit:
            raise KeyUsesSpent("spent")
        self.reserved.append(count)


def test_uses_are_reserved_before_they_are_made() -> None:
    """At every moment what is reserved is at least what was taken, and batches grow up to the largest."""
    ledger = Ledger()
    uses = Reservations(ledger.reserve)
    for taken in range(1, 300_000):
        uses.take(K1, 1)
        assert sum(ledger.reserved) >= taken
    assert ledger.reserved[:3] == [FIRST_BATCH, FIRST_BATCH * 2, FIRST_BATCH * 4]
    assert ledger.reserved[-1] == LARGEST_BATCH


def test_many_at_once_reserve_what_they_need() -> None:
    """A batch of rows larger than the reservation is still counted to the last."""
    ledger = Ledger()
    uses = Reservations(ledger.reserve)
    uses.take(K1, 10)
    uses.take(K1, 10_000)
    assert sum(ledger.reserved) >= 10_010


def test_keys_are_counted_apart() -> None:
    """One key's reservation serves no other."""
    ledger = Ledger()
    uses = Reservations(ledger.reserve)
    uses.take(K1, 1)
    uses.take(K2, 1)
    uses.take(L1, 1)
    assert ledger.reserved == [FIRST_BATCH] * 3


def test_a_spent_key_seals_nothing_more() -> None:
    """The refusal of the ledger reaches the one who wants to seal, each time."""
    uses = Reservations(Ledger(limit=FIRST_BATCH).reserve)
    uses.take(K1, FIRST_BATCH)
    for _ in range(2):
        with pytest.raises(KeyUsesSpent):
            uses.take(K1, 1)


def test_a_deterministic_key_lasts_for_look_ups() -> None:
    """It has no nonce to collide, and each look-up by its column is a use."""
    limits: list[int] = []
    uses = Reservations(lambda keyset, key_id, count, limit: limits.append(limit))
    uses.take(keyset_for(scheme("text", "deterministic")), 1)
    assert limits == [MAX_USES_DETERMINISTIC]
    assert MAX_USES_DETERMINISTIC > 1_000_000 * 86_400 * 365  # a million look-ups a second for a year
