"""``strongroom keys backup`` and ``backups``."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyrage
import pytest
from tests.cli.keys.conftest import House
from tests.keys.people import an_identity, program

from strongroom.testing.gateway import Gateway

NOTE = "public.people.note"
TERMINAL = Path(__file__).parent.parent.parent / "kit" / "terminal.py"


def listed(house: House) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(house("keys", "backups", "--json").stdout)
    return found


def test_what_is_written_and_registered(house: House, tmp_path: Path) -> None:
    """One file, for its owner alone; the register says where, to whom, and what it holds."""
    _, recipient = an_identity(tmp_path)
    file = house.safe / "keys.age"
    made = json.loads(house("keys", "backup", str(file), "-r", recipient, "--json").stdout)
    names = [f"kek {house.database}", *(f"{house.database}/public.people.{one}" for one in ("email", "note"))]
    assert sorted(made["names"]) == sorted(names)
    assert made["keys"] == 3
    assert file.stat().st_mode & 0o777 == 0o600
    (entry,) = listed(house)
    assert (entry["id"], entry["to"], entry["place"]) == (made["id"], recipient, str(file))
    assert sorted(entry["holds"]) == sorted(names)
    assert "never" in house("keys", "backups").stdout


def test_a_file_of_recipients(house: House, tmp_path: Path) -> None:
    """Each of its lines opens the backup."""
    people = []
    for name in ("ada", "grace"):
        (tmp_path / name).mkdir()
        people.append(an_identity(tmp_path / name))
    lines = tmp_path / "recipients"
    lines.write_text("# who may\n" + "".join(f"{recipient}\n" for _, recipient in people))
    file = house.safe / "keys.age"
    assert house("keys", "backup", str(file), "--recipients-file", str(lines)).status == 0
    for identity, _ in people:
        opened = subprocess.run(
            [program("age"), "-d", "-i", str(identity), str(file)], capture_output=True, check=True
        )
        assert json.loads(opened.stdout)["format"] == "strongroom key backup 1"


def test_a_passphrase_at_a_terminal(house: House) -> None:
    """It is asked for twice, does not show, and opens the backup by asking once."""
    file, config = house.safe / "keys.age", str(house.folder / "strongroom.yaml")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ours = [sys.executable, "-m", "strongroom", "keys"]
    words = "correct horse battery staple"
    for command, questions in (("backup", 2), ("drill", 1)):
        run = subprocess.run(
            [sys.executable, str(TERMINAL), words, *ours, command, str(file), "--config", config],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout
        assert run.stdout.count("Passphrase") + run.stdout.count("Again") == questions
        assert "horse" not in run.stdout


def test_no_terminal_and_no_word_of_whom(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not wait for a passphrase that nobody types."""
    with Path(os.devnull).open() as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        run = house("keys", "backup", str(house.safe / "keys.age"))
    assert run.status == 2
    assert "backup-key-needed" in run.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--shares", "3/5", "-r", "age1x"), "exclude each other"),
        (("--shares", "three"), "3/5"),
        (("--shares", "4/3"), "shares-impossible"),
        (("-r", "age1x"), "backup-recipient"),
        (("--recipients-file", "/nowhere/at/all"), "No such file"),
    ],
)
def test_wrong_use(house: House, words: tuple[str, ...], said: str) -> None:
    """It says what is wrong; no file and no entry is made."""
    run = house("keys", "backup", str(house.safe / "keys.age"), *words)
    assert run.status == 2
    assert said in run.stderr
    assert not list(house.safe.iterdir())
    assert listed(house) == []


def test_places_that_are_refused(house: House) -> None:
    """Never in the state's folder, nor over another file, nor in a work tree; before anything is asked."""
    (house.safe / "taken").touch()
    (house.folder / "tree" / ".git").mkdir(parents=True)
    for place in ("state/keys.age", "safe/taken", "tree/keys.age", "nowhere/keys.age"):
        run = house("keys", "backup", str(house.folder / place))
        assert run.status == 2
        assert "backup-place" in run.stderr
    assert listed(house) == []


def test_without_keys(house: House) -> None:
    """An empty state gives no backup that would look like one."""
    house.burn("state")
    run = house("keys", "backup", str(house.safe / "keys.age"), "--shares", "2/3")
    assert run.status == 2
    assert "nothing-to-recover" in run.stderr


def test_one_that_was_destroyed(house: House) -> None:
    """It is forgotten by its id, which the list and the journal go on saying."""
    house.backup()
    (entry,) = listed(house)
    assert house("keys", "backups", "--forget", entry["id"]).status == 0
    assert listed(house)[0]["forgotten"] is not None
    again = house("keys", "backups", "--forget", entry["id"])
    assert again.status == 2
    assert "backup-unknown" in again.stderr
    assert json.loads(house("keys", "events", "--json").stdout)[-1]["what"] == "backup forgotten"


def test_one_that_a_lost_state_knew(house: House) -> None:
    """Read and entered again, with those before it; it stands in the way of a destruction then."""
    first, hold = house.backup("first.age"), ("keys", "hold", NOTE, "--reason", "case 17")
    assert house(*hold).status == 0
    second = house.backup("second.age")
    ids = [one["id"] for one in listed(house)]
    house.burn("state")
    assert house("keys", "rotate", NOTE, "--reencrypt", "--no-wait").status == 0
    assert house("keys", "rollbacks", "--acknowledge").status == 0
    assert listed(house) == []
    run = house("keys", "backups", "--register", str(second), "--identity", house.identity, "--json")
    assert run.status == 0, run.stderr
    assert "legal hold" in run.stderr
    assert "case 17" in run.stderr
    entered = {one["id"]: one["place"] for one in json.loads(run.stdout)}
    assert entered == dict(zip(ids, [str(first), str(second)], strict=True))
    refused = house("keys", "destroy", NOTE, "1")
    assert refused.status == 1
    assert all(one in refused.stdout for one in ids)


def test_a_file_that_is_not_to_be_registered(house: House) -> None:
    """One that does not open, and one that holds other keys than are here: neither is entered."""
    file = house.backup()
    house.burn("state")
    words = ("keys", "backups", "--register", str(file), "--identity")
    stranger = house.safe / "stranger"
    stranger.write_text(f"{pyrage.x25519.Identity.generate()}\n")
    assert house(*words, str(stranger)).status == 2
    foreign = house(*words, house.identity)
    assert (foreign.status, "backup-unknown" in foreign.stderr) == (2, True)
    assert house("keys", "backups", "--register", str(file), "--forget", "1").status == 2
    assert listed(house) == []


def test_nothing_of_it_in_what_is_said(house: House) -> None:
    """No key, share or passphrase in messages: shares stand on standard output alone."""
    run = house("keys", "backup", str(house.safe / "keys.age"), "--shares", "2/3")
    shares = [line for line in run.stdout.splitlines() if line.startswith("strongroom-share-1")]
    assert len(shares) == 3
    assert "strongroom-share" not in run.stderr
    events = house("keys", "events", "--json").stdout + house("keys", "backups", "--json").stdout
    assert not any(share.split()[3] in events for share in shares)
    in_json = json.loads(
        house("keys", "backup", str(house.safe / "2.age"), "--shares", "2/3", "--json").stdout
    )
    assert len(in_json["shares"]) == 3


def test_beside_a_running_gateway(house: House) -> None:
    """A backup and a drill need nothing to stop."""
    user = ("postgres", house.server.password)
    columns = house.settings["databases"][house.database]["columns"]
    with Gateway.start(
        house.server, house.database, upstream=user, more={"columns": columns}, first=house.move_in
    ) as gateway:
        file = gateway.folder / "keys" / "keys.age"
        secret = gateway.folder / "keys" / "passphrase"
        secret.write_text("correct horse battery staple\n")
        gateway.command("keys", "backup", str(file), "--passphrase-from", str(secret))
        said = gateway.command("keys", "drill", str(file), "--passphrase-from", str(secret))
        assert "would bring everything back" in said
