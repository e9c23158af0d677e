"""Commands on key-encryption keys at once, in processes of their own: one is told, or both succeed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.keys.conftest import EVERYONE, House

import strongroom
from strongroom.keys.kek import kek_name, wraps_of
from strongroom.keys.store import kept_keks
from strongroom.testing.waiting import wait_until

ROTATE = ("keys", "rotate", "--kek")
REWRAP = ("keys", "root", "rewrap")
WAITING = """\
SELECT count(DISTINCT l.pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
WHERE NOT l.granted AND d.datname = current_database()"""
TOLD = ("changeover-busy", "keys-changed")


@pytest.fixture
def two_roots(house: House) -> House:
    """What it has is wrapped by both."""
    assert house("keys", "root", "make", "file:keys/second.key").status == 0
    house.configure(keys={"root": "file:keys/root.key", "second_root": "file:keys/second.key"})
    assert house(*REWRAP).status == 0
    return house


def start(house: House, *words: str) -> subprocess.Popen[str]:
    """A command, as somebody else runs it."""
    source = str(Path(strongroom.__file__).parent.parent)
    return subprocess.Popen(
        [sys.executable, "-m", "strongroom", *words, "--config", str(house.folder / "strongroom.yaml")],
        env={**os.environ, "PYTHONPATH": source},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def at_once(house: House, *commands: tuple[str, ...]) -> list[tuple[int, str]]:
    """Runs them; none can write a key until each has read what there was, or has ended. (status, errors)."""
    with house.server.connect(house.database) as direct, direct.transaction():
        direct.execute("LOCK TABLE strongroom_keys.keks IN SHARE MODE")
        running = [start(house, *words) for words in commands]

        def all_came() -> bool:
            ((waiting,),) = house.rows(WAITING)
            return bool(waiting + sum(one.poll() is not None for one in running) >= len(running))

        wait_until(all_came, "each command waits or has ended", seconds=60.0)
    errors = [one.communicate(timeout=60)[1] for one in running]
    return [(one.returncode, error) for one, error in zip(running, errors, strict=True)]


@pytest.mark.parametrize(
    "commands",
    [(ROTATE, ROTATE), (REWRAP, REWRAP), (ROTATE, REWRAP), (ROTATE, REWRAP, ROTATE, REWRAP)],
    ids=["rotate-rotate", "rewrap-rewrap", "rotate-rewrap", "two-of-each"],
)
def test_one_is_told_or_both_succeed(two_roots: House, commands: tuple[tuple[str, ...], ...]) -> None:
    """Nothing is lost: all opens by both places, and by the database alone, under either root."""
    ended = at_once(two_roots, *commands)
    well = [words for words, (status, _) in zip(commands, ended, strict=True) if status == 0]
    assert well
    for status, error in ended:
        assert status == 0 or any(code in error for code in TOLD), error
    assert two_roots.opened() == EVERYONE
    name = kek_name(two_roots.database)
    with two_roots.opened_state() as state:
        kek = kept_keks(state.engine)[name]
    [(revision, wraps)] = two_roots.rows("SELECT revision, wraps FROM strongroom_keys.keks")
    assert (kek.revision, dict(kek.wraps)) == (revision, dict(wraps_of(wraps)))
    assert len(kek.wraps) == 2
    assert len(versions(two_roots, name)) == 1 + well.count(ROTATE)
    for root in ("root", "second"):
        two_roots.configure(keys={"root": f"file:keys/{root}.key"})
        two_roots.burn("state")
        assert two_roots.opened() == EVERYONE


def versions(house: House, name: str) -> list[object]:
    """As `keys show` has them."""
    return list(json.loads(house("keys", "show", name, "--json").stdout))
