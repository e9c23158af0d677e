"""keys/endings.py: what is announced, and when it may be done."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from strongroom.config import StateAddress
from strongroom.errors import DestructionRefused, RootRemovalRefused
from strongroom.keys.endings import Ending, Endings, Kind, of_kek, of_root, of_version
from strongroom.state import open_state

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DUE = NOW + timedelta(days=7)
ROOT = of_root("file 1")
VERSION = of_version("shop/public.t.iban", 2, 0x1F2E3D4C)
KEK = of_kek("kek shop@acme", "strongroom keys destroy-tenant shop@acme")


@pytest.fixture
def endings(tmp_path: Path) -> Iterator[Endings]:
    """Of an empty state."""
    state = open_state(StateAddress(path=tmp_path / "state.db"))
    yield Endings(state.engine)
    state.close()


@pytest.mark.parametrize(
    ("ending", "error"),
    [(ROOT, RootRemovalRefused), (VERSION, DestructionRefused), (KEK, DestructionRefused)],
)
def test_not_before_its_day(endings: Endings, ending: Ending, error: type[Exception]) -> None:
    """From that moment on it may be done."""
    endings.schedule(ending, DUE)
    with pytest.raises(error, match="due on 2026-01-08 00:00Z"):
        endings.refuse_early(ending, DUE - timedelta(seconds=1))
    endings.refuse_early(ending, DUE)


def test_to_schedule_it_again_changes_nothing(endings: Endings) -> None:
    """Nobody can put it off, or bring it forward, by accident."""
    endings.schedule(ROOT, DUE)
    assert endings.schedule(ROOT, NOW) == DUE
    assert endings.all(Kind.ROOT) == {"file 1": DUE}
    assert endings.due(ROOT) == DUE


def test_kinds_are_apart(endings: Endings) -> None:
    """A root is no KEK of the same name."""
    endings.schedule(of_root("x"), DUE)
    endings.schedule(of_kek("x", "..."), NOW)
    assert endings.all(Kind.ROOT) == {"x": DUE}
    assert endings.forget(of_root("x"))
    assert endings.all(Kind.KEK) == {"x": NOW}


def test_what_was_not_scheduled_is_never_due(endings: Endings) -> None:
    """Nor what was taken back."""
    endings.schedule(ROOT, DUE)
    assert endings.forget(ROOT)
    assert not endings.forget(ROOT)
    for ending in (ROOT, of_root("file 2")):
        with pytest.raises(RootRemovalRefused, match="was not scheduled"):
            endings.refuse_early(ending, DUE)


def test_the_command_is_one_that_a_shell_takes(endings: Endings) -> None:
    """A name with blanks is one word; the hint says how to take it back."""
    assert VERSION.command == "strongroom keys destroy shop/public.t.iban 2"
    endings.schedule(ROOT, DUE)
    with pytest.raises(RootRemovalRefused) as caught:
        endings.refuse_early(ROOT, NOW)
    assert "strongroom keys root remove 'file 1' --cancel" in caught.value.hint


def test_where_it_was_begun(endings: Endings) -> None:
    """The first mark stays, for the run that goes on; it goes with the note."""
    endings.schedule(VERSION, DUE)
    assert endings.begun(VERSION) is None
    assert endings.begun(VERSION, "first") == "first"
    assert endings.begun(VERSION, "second") == "first"
    endings.forget(VERSION)
    assert endings.begun(VERSION) is None
