"""changeover/throttle.py: how long to rest, and how much to do at once."""

import pytest

from strongroom.changeover.model import Limits
from strongroom.changeover.throttle import LAG_PAUSE, MAX_PAUSE, Load, Throttle

ALONE, BESIDE = Load(), Load(others=True)


def test_we_work_for_a_share_of_the_time() -> None:
    """Nearly all of it by default, and three tenths while others are at work."""
    assert Throttle(Limits()).pause(1000, 0.95, ALONE) == pytest.approx(0.05)
    assert Throttle(Limits()).pause(1000, 0.3, BESIDE) == pytest.approx(0.7)


def test_a_slow_database_is_left_more_time() -> None:
    """Where a row takes four times as long as at best, the rest grows with the square of what is too much."""
    throttle = Throttle(Limits(share=0.8))
    throttle.pause(1000, 0.1, ALONE)
    assert throttle.pause(1000, 0.4, ALONE) == pytest.approx(0.1 * 4)
    assert throttle.pause(1000, 0.2, ALONE) == pytest.approx(0.05)
    assert throttle.pause(1000, 100.0, ALONE) == MAX_PAUSE


def test_a_small_batch_says_nothing_of_the_database() -> None:
    """Most of its time is not for rows."""
    throttle = Throttle(Limits())
    throttle.pause(1, 0.000_001, ALONE)
    assert throttle.best is None


def test_a_replica_behind_is_waited_for() -> None:
    """Whatever else was measured."""
    assert Throttle(Limits(replica_lag_bytes=10)).pause(0, 0.0, Load(lag_bytes=11)) == LAG_PAUSE


@pytest.mark.parametrize(("seconds", "blocks"), [(0.01, 32), (0.15, 16), (0.5, 8)])
def test_batches_take_as_long_as_they_should(seconds: float, blocks: int) -> None:
    """Doubled when too quick, halved when too slow."""
    assert Throttle(Limits()).size(16, seconds) == blocks


def test_batches_have_bounds() -> None:
    """One block at least, and not a whole table."""
    assert Throttle(Limits()).size(1, 10.0) == 1
    assert Throttle(Limits()).size(1024, 0.0) == 1024
