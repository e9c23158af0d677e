"""keys/removals.py: what is scheduled, and when it may be done."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from strongroom.config import StateAddress
from strongroom.errors import RootRemovalRefused
from strongroom.keys.removals import Removals
from strongroom.state import open_state

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DUE = NOW + timedelta(days=7)


@pytest.fixture
def removals(tmp_path: Path) -> Iterator[Removals]:
    """Of an empty state."""
    state = open_state(StateAddress(path=tmp_path / "state.db"))
    yield Removals(state.engine)
    state.close()


def test_it_is_due_on_its_day(removals: Removals) -> None:
    """Not a second before."""
    assert removals.schedule("file 1", DUE) == DUE
    with pytest.raises(RootRemovalRefused, match="due on 2026-01-08 00:00Z"):
        removals.refuse_early("file 1", DUE - timedelta(seconds=1))
    removals.refuse_early("file 1", DUE)


def test_to_schedule_it_again_changes_nothing(removals: Removals) -> None:
    """Nobody can put it off, or bring it forward, by accident."""
    removals.schedule("file 1", DUE)
    assert removals.schedule("file 1", NOW) == DUE
    assert removals.all() == {"file 1": DUE}


def test_what_was_not_scheduled_is_never_due(removals: Removals) -> None:
    """Nor what was taken back."""
    removals.schedule("file 1", DUE)
    assert removals.forget("file 1")
    assert not removals.forget("file 1")
    for name in ("file 1", "file 2"):
        with pytest.raises(RootRemovalRefused, match="was not scheduled"):
            removals.refuse_early(name, DUE)
