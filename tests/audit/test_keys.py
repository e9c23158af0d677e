"""audit/keys.py: which keys sign, and how far a log is known to have come, in a real state."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from strongroom.audit.keys import LogKeys
from strongroom.config import StateAddress
from strongroom.state import State, open_state

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ORIGIN = "gateway.example/audit"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """An empty one."""
    opened = open_state(StateAddress(tmp_path / "state.db"))
    yield opened
    opened.close()


def test_the_first_is_made_once(state: State) -> None:
    """And is the same after a start; another log has others."""
    keys = LogKeys(state.engine, ORIGIN)
    (first,) = keys.to_sign(NOON)
    (again,) = LogKeys(state.engine, ORIGIN).to_sign(NOON + timedelta(days=1))
    assert again.verifier == first.verifier
    assert (again.since, again.until) == (NOON, None)
    (other,) = LogKeys(state.engine, "gateway.example/other").to_sign(NOON)
    assert other.verifier != first.verifier


def test_one_follows_another(state: State) -> None:
    """Both sign for as long as was said; the former is known ever after."""
    keys = LogKeys(state.engine, ORIGIN)
    (first,) = keys.to_sign(NOON)
    second = keys.add(NOON, overlap_until=NOON + timedelta(days=30))
    soon, later = NOON + timedelta(days=29), NOON + timedelta(days=30)
    assert [one.verifier for one in keys.to_sign(soon)] == [first.verifier, second.verifier]
    assert [one.verifier for one in keys.to_sign(later)] == [second.verifier]
    third = keys.add(later)
    assert [one.verifier for one in keys.to_sign(later)] == [third.verifier]
    assert [one.verifier for one in keys.all()] == [first.verifier, second.verifier, third.verifier]


def test_the_size_never_falls(state: State) -> None:
    """Whatever is noted after the largest."""
    keys = LogKeys(state.engine, ORIGIN)
    assert keys.known_size() == 0
    for size in (5, 9, 7):
        keys.note_size(size)
    assert keys.known_size() == 9
    assert LogKeys(state.engine, "gateway.example/other").known_size() == 0
