"""What needs a second person: asked for, signed by the real ssh-keygen, done once."""

import json
import shlex
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tests.cli.keys.conftest import EVERYONE, House
from tests.cli.keys.signing import EXPORT, People, events

from strongroom.config import load
from strongroom.gateway.protection import opened_roots
from strongroom.keys import approvals as requests


def test_an_export_that_two_people_sign(people: People) -> None:
    """Asked for, refused until two have signed, done once, and written down with who signed."""
    house, output = people.house, people.house.safe / "note.json"
    words = (*EXPORT, "--output", str(output))
    people.asked_anew(*words)
    assert not output.exists()
    people.sign(people.anna)
    run = people.ask(*words)
    assert run.status == 2
    assert "approval-incomplete" in run.stderr
    assert "those who did: anna" in run.stderr
    people.sign(people.ben)
    run = people.ask(*words)
    assert run.status == 0, run.stderr
    assert output.exists()
    approved, exported = events(house)[-2:]
    assert (approved["what"], approved["details"]["by"]) == ("export approved", "anna, ben")
    assert exported["what"] == "exported"
    output.unlink()
    run = people.ask(*words)
    assert run.status == 2
    assert "approval-used" in run.stderr
    assert not output.exists()


def test_the_command_that_it_prints_is_one_that_signs(
    people: People, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without --approval the request lies here; the line of ssh-keygen that it says works as it is."""
    monkeypatch.chdir(tmp_path)
    words = (*EXPORT, "--output", str(people.house.safe / "note.json"))
    run = people.house(*words)
    (file,) = tmp_path.glob("strongroom-export-*.json")
    (line,) = (one.strip() for one in run.stderr.splitlines() if "ssh-keygen" in one)
    for signer in (people.anna, people.carla):
        said = line.replace("~/.ssh/id_ed25519", shlex.quote(str(signer.file))).replace("NAME", signer.name)
        subprocess.run(said, shell=True, check=True, capture_output=True)  # noqa: S602  # as a person would
    assert people.house(*words, "--approval", str(file)).status == 0


def test_signatures_that_do_not_count(people: People) -> None:
    """Mallory's, one person's second, a damaged one, one for git, one of another file: each is named."""
    words = (*EXPORT, "--output", str(people.house.safe / "note.json"))
    people.asked_anew(*words)
    content = people.request.read_bytes()
    people.sign(people.anna, people.mallory)
    bad = {
        "again": people.anna.signature(content),
        "git": people.ben.signature(content, namespace="git"),
        "other": people.ben.signature(content + b" "),
        "damaged": people.ben.signature(content)[:-60],
    }
    for name, signature in bad.items():
        (people.house.safe / f"request.json.{name}.sig").write_bytes(signature)
    run = people.ask(*words)
    assert run.status == 2
    assert "approval-incomplete" in run.stderr
    assert "those who did: anna" in run.stderr
    for name in ("git", "other", "damaged", "mallory"):
        assert f"request.json.{name}.sig" in run.stderr
    assert "another purpose" in run.stderr
    assert "nobody who approves" in run.stderr
    # The right one may lie anywhere.
    elsewhere = people.house.folder / "ben's"
    elsewhere.write_bytes(people.ben.signature(content))
    assert people.ask(*words, "--signature", str(elsewhere)).status == 0


def test_another_act_than_the_one_that_was_signed(people: People) -> None:
    """Another column, another file, another command."""
    output, other = people.house.safe / "note.json", people.house.safe / "other.json"
    people.asked_anew(*EXPORT, "--output", str(output))
    people.sign(people.anna, people.ben)
    cases = {
        (*EXPORT, "--output", str(other)): "differs in: file",
        (*EXPORT[:2], "public.people.email", *EXPORT[3:], "--output", str(output)): "differs in: key_ids",
        ("keys", "root", "rewrap"): "export and not root",
    }
    for words, why in cases.items():
        run = people.ask(*words)
        assert run.status == 2
        assert "approval-mismatch" in run.stderr
        assert why in run.stderr
    assert not other.exists()
    assert people.ask(*EXPORT, "--output", str(output)).status == 0


def test_a_rotation_after_the_signature(people: People) -> None:
    """The keys that would go out are other ones than those that were signed."""
    words = (*EXPORT, "--output", str(people.house.safe / "note.json"))
    people.asked_anew(*words)
    people.sign(people.anna, people.ben)
    assert people.house("keys", "rotate", "public.people.note", "--no-wait").status == 0
    assert "differs in: key_ids" in people.ask(*words).stderr


def test_a_changed_request(people: People) -> None:
    """Signed or not, only the octets that Strongroom writes are a request."""
    words = (*EXPORT, "--output", str(people.house.safe / "note.json"))
    people.asked_anew(*words)
    content = people.request.read_bytes()
    document = json.loads(content)
    later = {**document, "expires": (datetime.now(UTC) + timedelta(days=90)).isoformat()}
    for bad, code in [
        (content.replace(b"\n ", b"\n  "), "approval-request"),
        (json.dumps({**document, "more": ""}, indent=1).encode() + b"\n", "approval-request"),
        (b"{}", "approval-request"),
        (b"\xff", "approval-request"),
        (json.dumps(later, indent=1).encode() + b"\n", "approval-expired"),
    ]:
        people.request.write_bytes(bad)
        people.sign(people.anna, people.ben)
        run = people.ask(*words)
        assert run.status == 2
        assert code in run.stderr


def test_a_request_lasts_a_day(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made more than a day ago it holds no longer; made in the future, not yet."""
    words = (*EXPORT, "--output", str(people.house.safe / "note.json"))
    real = requests.Request.new
    for off in (-timedelta(hours=24, minutes=1), timedelta(minutes=6)):

        def new(act: Any, state: str, who: str, now: datetime, off: timedelta = off) -> requests.Request:
            return real(act, state, who, now + off)

        monkeypatch.setattr(requests.Request, "new", new)
        people.asked_anew(*words)
        people.sign(people.anna, people.ben)
        assert "approval-expired" in people.ask(*words).stderr


def test_the_request_of_another_state(people: People) -> None:
    """Of two gateways with a state each, each asks for itself."""
    words = (*EXPORT, "--output", str(people.house.safe / "note.json"))
    people.asked_anew(*words)
    people.sign(people.anna, people.ben)
    people.house.configure(state="sqlite:state/other.db", keys=people.keys())
    assert people.house("keys", "recover").status == 0
    people.require()
    run = people.ask(*words)
    assert run.status == 2
    assert "approval-mismatch" in run.stderr
    assert "is for the state" in run.stderr


def test_a_start_says_that_less_is_asked_for(people: People) -> None:
    """It goes on; and what is on record holds: a root that is only configured wraps nothing."""
    house = people.house
    assert house("protect", "--json").status == 0  # what a start does with keys: on record now
    assert house("keys", "root", "make", "file:keys/second.key").status == 0
    house.configure(keys=people.keys() | {"second_root": "file:keys/second.key"})
    run = house("protect", "--json")
    assert run.status == 0
    assert "asks for fewer approvals than were asked for before" in run.stderr
    assert "is not put to use by itself" in run.stderr
    assert house.rows("SELECT count(*) FROM strongroom_keys.keks k, json_object_keys(k.wraps::json)") == [
        (1,)
    ]


def test_a_restore_on_an_empty_state(people: People) -> None:
    """What the configuration says counts; the new state has it on record."""
    house = people.house
    file = house.backup()
    house.burn("state", "keys")
    words = ("keys", "restore", str(file), "--identity", house.identity)
    people.asked_anew(*words)
    assert "0 keys" not in house("keys", "list").stdout
    assert list((house.folder / "keys").iterdir()) == []
    people.sign(people.ben, people.carla)
    run = people.ask(*words)
    assert run.status == 0, run.stderr
    assert house.served() == EVERYONE
    assert {"restore approved", "restored"} <= {one["what"] for one in events(house)}
    people.house.configure(keys=people.keys())
    assert "approvals-weakened" in house(*EXPORT, "--output", str(house.safe / "x.json")).stderr


def test_a_recovery(people: People) -> None:
    """Bringing keys back from beside the data is a restore, too."""
    people.house.burn("state")
    people.asked_anew("keys", "recover")
    people.sign(people.anna, people.carla)
    assert people.ask("keys", "recover").status == 0
    assert people.house.served() == EVERYONE


def test_a_restore_that_was_killed(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is run again with the same approval, which then is used up."""
    house = people.house
    file = house.backup()
    house.burn("state")
    words = ("keys", "restore", str(file), "--identity", house.identity)
    people.asked_anew(*words)
    people.sign(people.anna, people.ben)
    with monkeypatch.context() as broken:

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        broken.setattr("strongroom.gateway.restoring.fill", die)
        assert people.ask(*words).status != 0
    assert people.ask(*words).status == 0
    house.burn("state")  # another state: what was signed is not for it
    assert "approval-mismatch" in people.ask(*words).stderr


def test_a_root_that_is_only_configured(people: People) -> None:
    """It is not put to use by a start, nor by a rotation, until a rewrap was signed."""
    house = people.house
    assert house("keys", "root", "make", "file:keys/second.key").status == 0
    people.require(second_root="file:keys/second.key")
    run = house("keys", "suspend", "public.people.note", "--version", "1")  # anything that makes keys ready
    wraps = "SELECT count(*) FROM strongroom_keys.keks k, LATERAL json_object_keys(k.wraps::json)"
    assert house.rows(wraps) == [(1,)], run.stderr
    run = house("keys", "rotate", "--kek", "--no-wait")
    assert run.status == 2
    assert "root-not-approved" in run.stderr
    with house.opened_state() as state:  # what wraps the keys of new tenants
        assert opened_roots(load(house.folder / "strongroom.yaml"), state).names == (_name_of(house),)
    people.asked_anew("keys", "root", "rewrap")
    people.sign(people.anna, people.ben)
    assert people.ask("keys", "root", "rewrap").status == 0
    assert house.rows(wraps) == [(2,)]
    assert house("keys", "rotate", "--kek", "--no-wait").status == 0
    assert house.rows(wraps) == [(2,)]


def test_a_root_that_is_taken_off(people: People) -> None:
    """To schedule it needs nobody; the deed does."""
    house = people.house
    people.require()
    assert house("keys", "root", "make", "file:keys/second.key").status == 0
    people.require(second_root="file:keys/second.key")
    people.asked_anew("keys", "root", "rewrap")
    people.sign(people.anna, people.ben)
    assert people.ask("keys", "root", "rewrap").status == 0
    (old,) = (
        one["root"]
        for one in json.loads(house("keys", "root", "list", "--json").stdout)
        if one["root"] == _name_of(house)
    )
    people.require(root="file:keys/second.key")
    assert house("keys", "root", "remove", old).status == 0
    with house.opened_state() as state, state.engine.begin() as connection:
        connection.execute(text("UPDATE key_endings SET due = '2020-01-01 00:00:00.000000'"))
    people.asked_anew("keys", "root", "remove", old, "--now-due")
    people.sign(people.ben, people.carla)
    assert people.ask("keys", "root", "remove", old, "--now-due").status == 0


def test_a_destruction(people: People) -> None:
    """To schedule it, and to take it back, needs nobody; the deed does, and is done once."""
    house, note = people.house, "public.people.note"
    words = ("keys", "destroy", note, "1")
    assert house("keys", "rotate", note, "--reencrypt", "--no-wait").status == 0
    assert house(*words).status == 0
    assert house(*words, "--cancel").status == 0
    assert house(*words).status == 0
    with house.opened_state() as state, state.engine.begin() as connection:
        connection.execute(text("UPDATE key_endings SET due = '2020-01-01 00:00:00.000000'"))
    people.asked_anew(*words)
    people.sign(people.anna, people.mallory)
    assert "approval-incomplete" in people.ask(*words).stderr
    assert json.loads(house("keys", "show", note, "--json").stdout)[0]["state"] == "deactivated"
    people.sign(people.carla)
    run = people.ask(*words)
    assert run.status == 0, run.stderr
    assert json.loads(house("keys", "show", note, "--json").stdout)[0]["state"] == "destroyed"
    assert [one["what"] for one in events(house) if "approved" in one["what"]] == ["destroy approved"]
    assert house.served() == EVERYONE


def _name_of(house: House) -> str:
    key = json.loads((house.folder / "keys" / "root.key").read_text())
    return f"file {key['primaryKeyId']:08x}"


def test_a_backup_where_it_is_named(people: People) -> None:
    """Not by itself, since a timer makes backups; with `backup` under `for`, it is signed like the others."""
    house = people.house
    house.backup()
    by = {one.name: one.public for one in (people.anna, people.ben, people.carla)}
    acts = ["export", "destroy", "restore", "root", "backup"]
    house.configure(keys=people.keys(**{"needed": 2, "by": by, "for": acts}))
    secret = house.safe / "passphrase"
    secret.write_text("correct horse battery staple\n")
    words = ("keys", "backup", str(house.safe / "two.age"), "--passphrase-from", str(secret))
    people.asked_anew(*words)
    people.sign(people.anna, people.ben)
    assert people.ask(*words).status == 0
