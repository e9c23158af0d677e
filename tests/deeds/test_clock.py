"""Clocks that run backwards, by readings that are arguments."""

import pytest

from strongroom.deeds.clock import LEAP, TOLERANCE, Clock, Leaps, Reading, reading

START = 1_700_000_000_000


@pytest.mark.parametrize(
    ("readings", "told"),
    [
        pytest.param([(1000, 1000), (9000, 9000)], [None, None], id="it goes on"),
        pytest.param([(60_000, 1000)], [None], id="set forward, or awake after sleep"),
        pytest.param([(-59_000, 1000), (-58_000, 2000)], [1000, None], id="set back, and that is told once"),
        pytest.param([(61_000, 1000), (1500, 1500)], [None, 61_500], id="forward, and back again"),
        pytest.param([(1000 - TOLERANCE, 1000)], [None], id="hardly"),
        pytest.param([(800, 1000), (1600, 2000)], [None, 2000], id="in small steps"),
    ],
)
def test_it_notices(readings: list[Reading], told: list[int | None]) -> None:
    """What the clock would say; times since the start, by the wall and by the monotonic clock."""
    given = iter([(START, 0), *((START + wall, monotonic) for wall, monotonic in readings)])
    clock = Clock(lambda: next(given))
    assert [clock.look() for _ in readings] == [None if one is None else START + one for one in told]


def test_this_machines() -> None:
    """Looking often is no clock that runs backwards."""
    clock = Clock()
    assert [clock.look() for _ in range(1000)] == [None] * 1000
    assert reading()[0] > START


@pytest.mark.parametrize(
    ("newest", "readings", "told"),
    [
        pytest.param(0, [(LEAP, LEAP), (9 * LEAP, 9 * LEAP)], [None, None], id="it goes on"),
        pytest.param(-LEAP, [(0, 0), (1, 0)], [None, LEAP + 1], id="a day behind the newest, and more"),
        pytest.param(None, [(0, 0), (2 * LEAP, 5)], [None, 2 * LEAP - 5], id="an empty log, and a leap"),
        pytest.param(0, [(2 * LEAP, 0), (10, 10)], [2 * LEAP, None], id="set right again"),
        pytest.param(0, [(9 * LEAP, 0), (10 * LEAP, LEAP)], [9 * LEAP, None], id="believed after a day"),
        pytest.param(-2 * LEAP, [(0, 0), (LEAP, LEAP)], [2 * LEAP, None], id="nothing ran for days"),
    ],
)
def test_leaps(newest: int | None, readings: list[Reading], told: list[int | None]) -> None:
    """By how much it is ahead of the newest record and of the time since then."""
    given = iter([(START, 0), *((START + wall, monotonic) for wall, monotonic in readings)])
    leaps = Leaps(None if newest is None else START + newest, lambda: next(given))
    assert [leaps.look() for _ in readings] == told
