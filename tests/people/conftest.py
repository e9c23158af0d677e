"""A state of its own for each test, and a time to begin with."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from strongroom.config import StateAddress
from strongroom.state import State, open_state

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """An empty state."""
    opened = open_state(StateAddress(tmp_path / "state.db"))
    yield opened
    opened.close()
