"""What is left of a role that somebody has for a time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from strongroom.policy.offers import Lent, Offer, running

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ONE = Lent("repair", NOON, NOON + HOUR)


@pytest.mark.parametrize(
    ("now", "counts"),
    [
        (NOON - timedelta(microseconds=1), False),
        (NOON, True),
        (NOON + HOUR - timedelta(microseconds=1), True),
        (NOON + HOUR, False),
    ],
)
def test_its_time_runs(now: datetime, counts: bool) -> None:
    """First moment included, last excluded; one from the future does not count."""
    assert ONE.counts(now) is counts
    assert running([ONE], now) == ({"repair"} if counts else set())


def test_the_offer_of_today_counts() -> None:
    """Who is no longer named has nothing, and a shorter time is shorter for what runs."""
    assert ONE.within(Offer(frozenset({"anna"}), 2 * HOUR), "anna") == ONE
    shorter = ONE.within(Offer(frozenset({"anna"}), HOUR / 4), "anna")
    assert shorter is not None
    assert shorter.until == NOON + HOUR / 4
    assert ONE.within(Offer(frozenset({"berta"}), HOUR), "anna") is None
    assert ONE.within(None, "anna") is None


@pytest.mark.parametrize(
    ("agreed", "left"),
    [("", False), ("anna", False), ("dora", False), ("berta", True), ("anna berta", True)],
)
def test_those_who_agreed_must_be_able_to_today(agreed: str, left: bool) -> None:
    """By the gateway's own configuration; whoever has it is none of them."""
    offer = Offer(frozenset({"anna"}), HOUR, frozenset({"anna", "berta"}), 1)
    one = replace(ONE, agreed=frozenset(agreed.split()))
    assert (one.within(offer, "anna") is not None) is left
