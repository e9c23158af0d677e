"""audit/hash_secrets.py: the secrets behind keyed hashes, in a real state."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from strongroom.audit.hash_secrets import HashSecrets
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
    """By whichever worker comes first; another log has another."""
    first = HashSecrets(state.engine, ORIGIN).newest(NOON)
    again = HashSecrets(state.engine, ORIGIN).newest(NOON + timedelta(days=1))
    assert (again.octets, again.since) == (first.octets, NOON)
    assert len(first.octets) == 32
    assert HashSecrets(state.engine, "gateway.example/other").newest(NOON).octets != first.octets


def test_one_follows_another(state: State) -> None:
    """The newest makes hashes; the former find what they made, until they are forgotten."""
    secrets = HashSecrets(state.engine, ORIGIN)
    other = HashSecrets(state.engine, "gateway.example/other").newest(NOON)
    first, second = secrets.newest(NOON), secrets.add(NOON + timedelta(days=1))
    assert secrets.newest(NOON).octets == second.octets != first.octets
    assert [one.number for one in secrets.all()] == [2, 1]
    assert secrets.forget_former() == 1
    assert [one.octets for one in secrets.all()] == [second.octets]
    assert secrets.add(NOON).number == 3
    assert [one.octets for one in HashSecrets(state.engine, "gateway.example/other").all()] == [other.octets]


def test_it_is_not_printed(state: State) -> None:
    """Whatever prints one."""
    found = HashSecrets(state.engine, ORIGIN).newest(NOON)
    assert repr(found.octets) not in repr(found)
