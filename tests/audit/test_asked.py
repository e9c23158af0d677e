"""audit/asked.py: files that others put there."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from strongroom.audit.asked import FOLDER, LARGEST, Asked, What, drop, is_done, once, put, standing
from strongroom.audit.records.shared import Holder

ONE = Asked(What.ERASE, "anna@desk", Holder.ADMINISTRATOR, 1, 1, ((3, 3),))
WHOLE = {"what": "erase", "who": "a", "kind": "person", "time": 1, "records": 1, "numbers": [], "limit": 0}


def text(found: object) -> Callable[[Path], object]:
    return lambda path: path.write_text(json.dumps(found))


def field(name: str, value: object) -> Callable[[Path], object]:
    return text({**WHOLE, "done": False, name: value})


def linked(path: Path) -> None:
    target = path.with_suffix(".elsewhere")
    text({**WHOLE, "done": False})(target)
    path.symlink_to(target)


def large(path: Path) -> None:
    path.write_bytes(json.dumps({**WHOLE, "done": False}).encode() + b" " * LARGEST)


BAD = {
    "null": text(None),
    "one": text(1),
    "word": text("x"),
    "fields": text({}),
    "deep": lambda path: path.write_text("[" * 100_000),
    "octets": lambda path: path.write_bytes(b"\xff"),
    "what": field("what", []),
    "who": field("who", 1),
    "kind": field("kind", "king"),
    "time": field("time", 1.5),
    "records": field("records", "1"),
    "flag": field("records", True),
    "negative": field("limit", -1),
    "beyond": field("limit", 2**53),
    "numbers": field("numbers", 7),
    "run": field("numbers", [[1, None]]),
    "done": field("done", 1),
    "folder": lambda path: path.mkdir(),
    "link": linked,
    "pipe": os.mkfifo,
    "large": large,
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_file_is_passed_over(tmp_path: Path, bad: Callable[[Path], object]) -> None:
    """It is named, nobody waits for it, and what stands behind it is found."""
    name = put(tmp_path, ONE)
    bad(tmp_path / FOLDER / "0.json")
    said: list[str] = []
    assert list(standing(tmp_path, said.append)) == [(name, ONE)]
    assert len(said) == 1
    assert said[0].startswith("asked/0.json: it ")
    assert not is_done(tmp_path, "0.json")


def test_the_fields_are_right() -> None:
    """Of the files above, but for the one that each has otherwise."""
    assert set(WHOLE) | {"done"} == set(Asked.__slots__)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_whose_it_is(tmp_path: Path) -> None:
    """What root makes is the log's owner's; that one's and root's are read, another's is not."""
    os.chown(tmp_path, 1234, 1234)
    name = put(tmp_path, ONE)
    for made in (tmp_path / FOLDER, tmp_path / FOLDER / name):
        assert (made.stat().st_uid, made.stat().st_gid) == (1234, 1234)
    assert (tmp_path / FOLDER).stat().st_mode & 0o777 == 0o700
    for owner, found in ((0, [name]), (1234, [name]), (4321, [])):
        os.chown(tmp_path / FOLDER / name, owner, owner)
        assert [one for one, _ in standing(tmp_path, print)] == found


def test_one_that_cannot_be_dropped(tmp_path: Path) -> None:
    """It keeps no other from it, and it is said."""
    name = put(tmp_path, ONE)
    (tmp_path / FOLDER / "0.json").mkdir()
    with pytest.raises(IsADirectoryError):
        drop(tmp_path, ["0.json", name])
    assert is_done(tmp_path, name)


def test_each_is_said_once() -> None:
    """However often it is looked at."""
    said: list[str] = []
    say = once(said.append)
    for what in ("a", "b", "a"):
        say(what)
    assert said == ["a", "b"]
