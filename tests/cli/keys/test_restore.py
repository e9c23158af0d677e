"""``strongroom keys restore``: a machine is lost, and everything comes back from a file."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.keys.conftest import EVERYONE, House
from tests.keys.people import an_identity

COLUMN = "public.people.note"


def test_everything_comes_back_under_a_new_root(house: House) -> None:
    """State and root are lost; with the backup and a new root the gateway serves every row."""
    file = house.backup()
    before = house.rows("SELECT wraps FROM strongroom_keys.keks")
    house.burn("state", "keys")
    run = house.restore(file)
    assert run.status == 0, run.stderr
    came = json.loads(run.stdout)
    assert [one["key"].rpartition("/")[2] for one in came] == [
        f"kek {house.database}",
        "public.people.email",
        "public.people.note",
    ]
    assert "root.key was made" in run.stderr
    assert house.rows("SELECT wraps FROM strongroom_keys.keks") != before
    assert house.served() == EVERYONE


def test_the_register_comes_back(house: House) -> None:
    """The backup that brought it back is known in the new state, and so are those made before it."""
    first = house.backup("first.age")
    house.backup("second.age")
    house.burn("state", "keys")
    assert house.restore(first).status == 0
    listed = json.loads(house("keys", "backups", "--json").stdout)
    assert [Path(one["place"]).name for one in listed] == ["first.age"]
    events = json.loads(house("keys", "events", "--json").stdout)
    assert [one["what"] for one in events][-1] == "restored"


def test_the_old_root_may_still_be_there(house: House) -> None:
    """Then nothing beside the data is touched."""
    file = house.backup()
    before = house.rows("SELECT wraps FROM strongroom_keys.keks")
    house.burn("state")
    assert house.restore(file).status == 0
    assert house.rows("SELECT wraps FROM strongroom_keys.keks") == before
    assert house.served() == EVERYONE


def test_another_kind_of_root(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a root in a file to one made of a passphrase, and from that to another passphrase."""
    monkeypatch.setenv("ROOT_PASSPHRASE", "six words that nobody puts together")
    file = house.backup()
    house.burn("state", "keys")
    house.configure(keys={"root": "passphrase:${ROOT_PASSPHRASE}"})
    assert house.restore(file).status == 0
    assert "passphrase" in str(house.rows("SELECT wraps FROM strongroom_keys.keks"))
    house.burn("state")
    monkeypatch.setenv("ROOT_PASSPHRASE", "and six quite different ones this time")
    run = house.restore(file)
    assert run.status == 0, run.stderr
    assert house("keys", "list", "--json").status == 0


def test_a_second_root_that_is_down(house: House) -> None:
    """A key service that does not answer is no reason to wait: the other root is enough, and it is said."""
    file = house.backup()
    house.burn("state", "keys")
    token = house.folder / "keys" / "token"
    token.write_text("a token")
    token.chmod(0o600)
    down = f"vault:http://127.0.0.1:9/transit/strongroom?token_file={token}"
    house.configure(keys={"root": "file:keys/root.key", "second_root": down})
    run = house.restore(file)
    assert run.status == 0, run.stderr
    assert "one of two roots cannot be used" in run.stderr
    house.configure(keys={"root": "file:keys/root.key"})
    assert house.served() == EVERYONE


def test_a_state_with_keys_is_refused(house: House) -> None:
    """It names what is there, and changes nothing."""
    file = house.backup()
    run = house.restore(file)
    assert run.status == 2
    assert "state-not-empty" in run.stderr
    assert f"kek {house.database}" in run.stderr
    assert COLUMN in run.stderr


def test_keys_that_were_rotated_since_and_still_open(house: House) -> None:
    """Their KEK is the backup's, so the newer keyset beside the data is taken, and counted as used."""
    file = house.backup()
    assert house("keys", "rotate", COLUMN, "--no-wait").status == 0
    house.burn("state", "keys")
    run = house.restore(file)
    assert run.status == 0, run.stderr
    came = {one["key"].rpartition(".")[2]: one for one in json.loads(run.stdout)}
    assert came["note"]["versions"] == 2
    assert "newer" in came["note"]["from"]
    assert "newer" not in came["email"]["from"]
    listed = {one["key"]: one for one in json.loads(house("keys", "list", "--json").stdout)}
    (note,) = (one for name, one in listed.items() if name.endswith("note"))
    assert note["uses"] == 2**30
    assert note["due"]
    assert house.served() == EVERYONE


def test_a_kek_that_was_rotated_since(house: House) -> None:
    """It is lost with its root; the keysets are those of the backup, and are put under the backup's KEK."""
    file = house.backup()
    assert house("keys", "rotate", "--kek", "--no-wait").status == 0
    house.burn("state", "keys")
    run = house.restore(file)
    assert run.status == 0, run.stderr
    assert [one["versions"] for one in json.loads(run.stdout)] == [1, 1, 1]
    assert run.stderr.count("since the backup is lost") == 2
    assert house.served() == EVERYONE


def test_a_backup_older_than_the_data(house: House) -> None:
    """Rotated KEK and column: the column is named with the key that it needs, and nothing is changed."""
    file = house.backup()
    assert house("keys", "rotate", "--kek", "--no-wait").status == 0
    assert house("keys", "rotate", COLUMN, "--no-wait").status == 0
    needed = json.loads(house("keys", "show", COLUMN, "--json").stdout)[-1]["key_id"]
    before = _beside(house)
    shutil.copytree(house.folder / "keys", house.folder / "old-keys")
    house.burn("state", "keys")
    run = house.restore(file)
    assert run.status == 2
    assert "backup-outdated" in run.stderr
    assert f"{COLUMN}: its keyset is at revision" in run.stderr
    assert needed in run.stderr
    assert "people.email:" not in run.stderr
    assert _beside(house) == before
    assert house("keys", "list", "--json").stdout.strip() == "[]"
    # As the hint says: the old root brings everything back, without any backup.
    house.burn("keys")
    shutil.copytree(house.folder / "old-keys", house.folder / "keys", dirs_exist_ok=True)
    assert house("keys", "recover").status == 0
    assert house.served() == EVERYONE


def _beside(house: House) -> list[object]:
    return [house.rows(f"SELECT * FROM strongroom_keys.{name} ORDER BY 1") for name in ("keks", "keysets")]


def test_to_recipients(house: House, tmp_path: Path) -> None:
    """Made to a recipient, brought back with the identity; without it, what is missing is said."""
    identity, recipient = an_identity(tmp_path)
    file = house.safe / "keys.age"
    assert house("keys", "backup", str(file), "-r", recipient).status == 0
    house.burn("state", "keys")
    run = house("keys", "restore", str(file))
    assert run.status == 2
    assert "backup-key-needed" in run.stderr
    assert house("keys", "restore", str(file), "--identity", str(identity)).status == 0
    assert house.served() == EVERYONE


def test_to_shares(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any three of five bring it back; two do not, and three of which one is of another set do not."""
    file, other = house.safe / "keys.age", house.safe / "other.age"
    shares = [_shares(house("keys", "backup", str(one), "--shares", "3/5").stdout) for one in (file, other)]
    assert [len(some) for some in shares] == [5, 5]
    house.burn("state", "keys")
    cases = [
        (shares[0][:2], "shares-missing"),
        ([*shares[0][:2], shares[1][2]], "share-foreign"),
        (shares[1][:3], "backup-key-wrong"),
    ]
    for lines, code in cases:
        _typed(monkeypatch, lines)
        run = house("keys", "restore", str(file), "--shares")
        assert run.status == 2
        assert code in run.stderr
    _typed(monkeypatch, shares[0][2:])
    assert house("keys", "restore", str(file), "--shares").status == 0
    assert house.served() == EVERYONE


def _shares(printed: str) -> list[str]:
    return [line for line in printed.splitlines() if line.startswith("strongroom-share-1")]


def _typed(monkeypatch: pytest.MonkeyPatch, lines: list[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(lines) + "\n"))


def test_a_wrong_passphrase_makes_nothing(house: House) -> None:
    """No root is made, and the next try with the right one succeeds."""
    file, right, wrong = (house.safe / name for name in ("keys.age", "right", "wrong"))
    right.write_text("correct horse battery staple\n")
    wrong.write_text("something quite different\n")
    assert house("keys", "backup", str(file), "--passphrase-from", str(right)).status == 0
    house.burn("state", "keys")
    run = house("keys", "restore", str(file), "--passphrase-from", str(wrong))
    assert run.status == 2
    assert "backup-key-wrong" in run.stderr
    assert list((house.folder / "keys").iterdir()) == []
    assert house("keys", "restore", str(file), "--passphrase-from", str(right)).status == 0


def test_a_changed_file(house: House) -> None:
    """Cut or changed, it is damaged; nothing is made."""
    file = house.backup()
    content = file.read_bytes()
    house.burn("state", "keys")
    for bad in (content[:-20], content[:-20] + bytes([content[-20] ^ 1]) + content[-19:]):
        (house.safe / "bad.age").write_bytes(bad)
        run = house.restore(house.safe / "bad.age")
        assert run.status == 2
        assert "backup-damaged" in run.stderr
    assert list((house.folder / "keys").iterdir()) == []


def test_a_database_that_is_out_of_reach(house: House) -> None:
    """It could hold newer keys: nothing is made, and the next try succeeds."""
    file, entry = house.backup(), house.settings["databases"][house.database]
    house.burn("state", "keys")
    house.configure(databases={house.database: {**entry, "upstream": "postgresql://nobody@127.0.0.1:9/x"}})
    run = house.restore(file)
    assert run.status == 1
    assert "upstream-unreachable" in run.stderr
    assert list((house.folder / "keys").iterdir()) == []
    house.configure(databases={house.database: entry})
    assert house.restore(file).status == 0


KILLED = """
import os, sys
from strongroom.gateway import restoring
def die(*_): os.kill(os.getpid(), 9)
setattr(restoring, sys.argv.pop(1), die)
from strongroom.cli import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize("step", ["replace_beside", "kept_beside", "take_over", "fill"])
def test_a_kill_while_restoring(house: House, step: str) -> None:
    """Killed before any step, it is run again, and everything is there."""
    file = house.backup()
    house.burn("state", "keys")
    words = ["keys", "restore", str(file), "--identity", house.identity]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, step, *words, "--config", str(house.folder / "strongroom.yaml")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
        capture_output=True,
    )
    assert killed.returncode == -9, killed.stderr
    assert house.restore(file).status == 0
    assert house.served() == EVERYONE
