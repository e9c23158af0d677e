"""keys/copies.py: a file for each tenant's key, whole or not there, and gone when it is destroyed."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from strongroom.errors import TenantPlaceRefused
from strongroom.keys.copies import Copies
from strongroom.keys.kek import WrappedKek

NAME = "kek shop@acme"
FIRST = WrappedKek(NAME, 1, {"file 1": b"first wrap"})
SECOND = WrappedKek(NAME, 2, {"file 1": b"second wrap", "file 2": b"other"})


@pytest.fixture
def copies(tmp_path: Path) -> Copies:
    """An empty folder."""
    folder = tmp_path / "copies"
    folder.mkdir(mode=0o700)
    return Copies.open(folder, tmp_path / "state")


def test_what_is_written_is_read(copies: Copies) -> None:
    """By its name, and among all; for its owner alone."""
    assert copies.read(NAME) is None
    copies.write(FIRST)
    assert copies.read(NAME) == FIRST
    assert copies.all() == ([FIRST], [])
    assert copies.path(NAME).stat().st_mode & 0o777 == 0o600
    assert [one.name for one in copies.path(NAME).parent.iterdir()] == ["shop@acme.kek.json"]


def test_an_older_revision_never_replaces_a_newer_one(copies: Copies) -> None:
    """Nor one of the same number: who came first stays."""
    copies.write(SECOND)
    copies.write(FIRST)
    copies.write(WrappedKek(NAME, 2, {"file 9": b"another"}))
    assert copies.read(NAME) == SECOND


def test_of_many_at_once_the_newest_stays(copies: Copies) -> None:
    """Whoever comes last; each that reads back what it wrote knows whether it was overtaken."""
    with ThreadPoolExecutor(8) as threads:
        for turn in range(20):
            rows = [WrappedKek(NAME, 2 * turn + n % 2, {"file": b"%d" % n}) for n in range(8)]
            list(threads.map(copies.write, rows))
            found = copies.read(NAME)
            assert found in rows
            assert found is not None
            assert found.revision == 2 * turn + 1


def test_what_is_replaced_or_destroyed_is_overwritten(copies: Copies) -> None:
    """As a second name of the same file shows, which a disk's free blocks would be."""
    copies.write(FIRST)
    path = copies.path(NAME)
    changes: list[Callable[[], object]] = [lambda: copies.write(SECOND), lambda: copies.destroy(NAME)]
    for number, change in enumerate(changes):
        kept = path.with_name(f"kept{number}")
        os.link(path, kept)
        size = path.stat().st_size
        change()
        assert kept.read_bytes() == bytes(size)
        kept.unlink()
    assert copies.read(NAME) is None
    assert copies.destroy(NAME) is False


def test_names_that_files_cannot_have(copies: Copies) -> None:
    """A database may be called anything; no two keys have one file."""
    names = ["kek ../shop@a", "kek shop b@a", "kek shop%20b@a", "kek Ä@a"]
    for name in names:
        copies.write(WrappedKek(name, 1, {"file 1": name.encode()}))
    assert sorted(one.name for one in copies.all()[0]) == sorted(names)
    assert len({copies.path(name) for name in names}) == len(names)
    assert {copies.path(name).parent for name in names} == {copies.path(NAME).parent}


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"format": "other"}', b'{"format": "strongroom tenant key 1", "name": "x"}'],
)
def test_what_is_no_copy_is_said(copies: Copies, content: bytes) -> None:
    """Never taken for the absence of a key, which would be made anew."""
    copies.path(NAME).write_bytes(content)
    with pytest.raises(TenantPlaceRefused):
        copies.read(NAME)
    copies.write(other := WrappedKek("kek shop@globex", 1, {"file 1": b"x"}))
    rows, damaged = copies.all()
    assert rows == [other]
    assert [str(copies.path(NAME)) in why for why in damaged] == [True]
    copies.write(FIRST)  # by who has the key: it takes the damaged one's place
    assert copies.read(NAME) == FIRST


def test_another_keys_file_is_refused(copies: Copies) -> None:
    """A file that was renamed is no other tenant's key."""
    copies.write(FIRST)
    copies.path(NAME).rename(copies.path("kek shop@globex"))
    with pytest.raises(TenantPlaceRefused):
        copies.read("kek shop@globex")
    assert copies.all()[0] == []
    assert len(copies.all()[1]) == 1


def test_a_full_disk(copies: Copies, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was there stays, and nothing else is left."""
    copies.write(FIRST)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(TenantPlaceRefused, match="No space left"):
            copies.write(SECOND)
    assert copies.read(NAME) == FIRST
    assert len(list(copies.path(NAME).parent.iterdir())) == 1


def test_places_that_are_refused(tmp_path: Path) -> None:
    """The state's folder, one in a git work tree, one that others may enter, one that is not there."""
    state, tree, open_, private = (tmp_path / name for name in ("state", "tree", "open", "private"))
    (tree / ".git").mkdir(parents=True)
    (tree / "copies").mkdir(mode=0o700)
    (state / "copies").mkdir(parents=True, mode=0o700)
    open_.mkdir()
    open_.chmod(0o750)
    for folder in (state, state / "copies", tree / "copies", open_, private):
        with pytest.raises(TenantPlaceRefused):
            Copies.open(folder, state)
