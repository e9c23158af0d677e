"""keys/root/opening.py: a root key is made only where nothing was ever wrapped by another."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.protect.samples import scheme

from strongroom.config import StateAddress
from strongroom.errors import RootKeyMissing
from strongroom.keys.generate import new_keyset
from strongroom.keys.root.opening import open_or_make
from strongroom.keys.store import KeyStore
from strongroom.state import State, open_state


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The state's folder."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def state(folder: Path) -> State:
    """An empty state."""
    return open_state(StateAddress(folder / "state.db"))


def test_made_once(state: State, folder: Path, tmp_path: Path) -> None:
    """The first call makes the root and says so, the second opens it."""
    path = tmp_path / "root.key"
    first = open_or_make(path, state, folder, kept_beside_data=False)
    second = open_or_make(path, state, folder, kept_beside_data=False)
    assert (first.made, second.made) == (True, False)
    assert first.root.key_id == second.root.key_id
    assert str(path) in first.notice(path)


def test_not_made_over_a_database_with_keysets(state: State, folder: Path, tmp_path: Path) -> None:
    """A keyset beside the data was wrapped by the root that is missing."""
    with pytest.raises(RootKeyMissing):
        open_or_make(tmp_path / "root.key", state, folder, kept_beside_data=True)
    assert not (tmp_path / "root.key").exists()


def test_not_made_over_a_state_with_keysets(state: State, folder: Path, tmp_path: Path) -> None:
    """So was a keyset in the state."""
    path = tmp_path / "root.key"
    root = open_or_make(path, state, folder, kept_beside_data=False).root
    KeyStore(state.engine, root).adopt([new_keyset(scheme("text"), datetime(2026, 1, 1, tzinfo=UTC))])
    path.unlink()
    with pytest.raises(RootKeyMissing):
        open_or_make(path, state, folder, kept_beside_data=False)
