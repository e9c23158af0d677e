"""Files that are there whole or not at all."""

import multiprocessing
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.errors import BackupNotWritten, BackupPlaceRefused
from strongroom.keys.new_file import refuse_place, write_new

CONTENT = os.urandom(50_000)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def accept(back: bytes) -> None:
    assert back == CONTENT


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if (
        mount is None
        or subprocess.run(
            [mount, "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(place)], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("file systems cannot be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_it_is_written(tmp_path: Path) -> None:
    """Whole, for its owner alone, and nothing is left beside it."""
    write_new(tmp_path / "file", CONTENT, accept)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["file"]


def test_it_has_its_name_after_it_was_verified(tmp_path: Path) -> None:
    """What does not verify never gets the name, and is removed."""

    def refuse(back: bytes) -> None:
        assert back == CONTENT
        assert not (tmp_path / "file").exists()
        raise BackupNotWritten("no")

    with pytest.raises(BackupNotWritten):
        write_new(tmp_path / "file", CONTENT, refuse)
    assert names(tmp_path) == []


def test_never_over_another(tmp_path: Path) -> None:
    """A file that came meanwhile stays; so does one that a dangling link stands for."""

    def overtaken(back: bytes) -> None:
        assert back == CONTENT
        (tmp_path / "file").write_text("another's")

    with pytest.raises(BackupPlaceRefused):
        write_new(tmp_path / "file", CONTENT, overtaken)
    assert (tmp_path / "file").read_text() == "another's"
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(BackupPlaceRefused):
        write_new(tmp_path / "link", CONTENT, accept)
    assert names(tmp_path) == ["file", "link"]


def test_a_full_disk(small_disk: Path) -> None:
    """It says so, and leaves nothing."""
    with pytest.raises(BackupNotWritten, match="No space left"):
        write_new(small_disk / "file", CONTENT, accept)
    assert names(small_disk) == []


def _die(back: bytes) -> None:
    assert back == CONTENT
    os.kill(os.getpid(), 9)


def test_a_kill_while_writing(tmp_path: Path) -> None:
    """No file has the name, what is left is closed to others, and the next try succeeds."""
    child = multiprocessing.get_context("fork").Process(
        target=write_new, args=(tmp_path / "file", CONTENT, _die)
    )
    child.start()
    child.join()
    assert child.exitcode == -9
    (left,) = tmp_path.iterdir()
    assert left.name.endswith(".part")
    assert left.stat().st_mode & 0o077 == 0
    write_new(tmp_path / "file", CONTENT, accept)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_places_that_are_refused(tmp_path: Path) -> None:
    """The state's folder, a work tree, a folder that is not there, a name that is taken."""
    (tmp_path / "state").mkdir()
    (tmp_path / "tree" / ".git").mkdir(parents=True)
    (tmp_path / "taken").touch()
    for path in ("state/file", "tree/file", "nowhere/file", "taken"):
        with pytest.raises(BackupPlaceRefused):
            refuse_place(tmp_path / path, tmp_path / "state")
    refuse_place(tmp_path / "file", tmp_path / "state")
