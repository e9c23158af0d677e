"""Places that are copied along with other things."""

from pathlib import Path

from strongroom.keys.place import carried_along_by


def test_a_place_of_its_own(tmp_path: Path) -> None:
    """Beside the state's folder nothing copies it."""
    (tmp_path / "state").mkdir()
    assert carried_along_by(tmp_path / "keys" / "file", tmp_path / "state") is None
    assert carried_along_by(tmp_path / "keys" / "file", None) is None


def test_in_the_folder_of_the_state(tmp_path: Path) -> None:
    """The state's folder, however deep, and by whatever way."""
    (tmp_path / "state" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "state" / "deep")
    for path in (tmp_path / "state" / "file", tmp_path / "link" / "file"):
        assert "folder of the state" in str(carried_along_by(path, tmp_path / "state"))


def test_in_a_work_tree(tmp_path: Path) -> None:
    """A git work tree, by its .git, be that a folder or (in a linked tree) a file."""
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    (tmp_path / "tree" / ".git").write_text("gitdir: elsewhere")
    assert "git work tree" in str(carried_along_by(tmp_path / "tree" / "deep" / "file", None))
