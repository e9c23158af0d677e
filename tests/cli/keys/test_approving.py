"""What needs a second person: asked for, signed by the real ssh-keygen, done once."""

import json
import shlex
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tests.cli.conftest import Run
from tests.cli.keys.conftest import EVERYONE, House
from tests.keys.people import Signer

from strongroom.keys import approvals as requests

EXPORT = ("keys", "export", "public.people.note", "--tink", "--danger-key-material-in-the-clear")


class People:
    """Anna, Ben and Carla, who approve; and Mallory, who does not."""

    def __init__(self, house: House, folder: Path) -> None:
        self.house = house
        self.anna, self.ben, self.carla, self.mallory = (
            Signer.make(folder, name) for name in ("anna", "ben", "carla", "mallory")
        )
        self.request = house.safe / "request.json"

    def require(self, needed: int = 2, **changes: Any) -> None:
        """Writes the requirement into the configuration."""
        by = {one.name: one.public for one in (self.anna, self.ben, self.carla)}
        self.house.configure(keys=self.keys(needed=needed, by=by) | changes)

    def keys(self, **approvals: Any) -> dict[str, Any]:
        """The section ``keys:`` with these approvals, or none."""
        return {"root": "file:keys/root.key"} | ({"approvals": approvals} if approvals else {})

    def ask(self, *words: str) -> Run:
        """Runs a command that makes a request, in a new file, or takes the one that is there."""
        return self.house(*words, "--approval", str(self.request))

    def asked_anew(self, *words: str) -> None:
        """A request without any signature, whatever was there before."""
        for one in self.house.safe.glob("request.json*"):
            one.unlink()
        run = self.ask(*words)
        assert run.status == 2
        assert "approval-needed" in run.stderr

    def sign(self, *signers: Signer) -> None:
        """Each puts a signature beside the request."""
        for one in signers:
            one.sign(self.request)


@pytest.fixture
def people(house: House, tmp_path_factory: pytest.TempPathFactory) -> People:
    """Two of three must sign."""
    made = People(house, tmp_path_factory.mktemp("people"))
    made.require()
    return made


def events(house: House) -> list[Mapping[str, Any]]:
    """What was done to keys."""
    found: list[Mapping[str, Any]] = json.loads(house("keys", "events", "--json").stdout)
    return found


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
    assert "nobody of those who approve" in run.stderr
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


def test_less_is_refused_until_it_was_signed(people: People) -> None:
    """Without the section, with fewer people, others, or an act left out; until those of before sign."""
    words = (*EXPORT, "--output", str(people.house.safe / "note.json"))
    people.asked_anew(*words)  # the first use: on record now
    three = {one.name: one.public for one in (people.anna, people.ben, people.carla)}
    weaker: list[dict[str, Any]] = [
        {},
        {"needed": 1, "by": three},
        {"needed": 2, "by": {**three, "mallory": people.mallory.public}},
        {"needed": 2, "by": {**three, "ben": people.mallory.public}},
        {"needed": 2, "by": three, "for": ["destroy", "restore", "root"]},
    ]
    for one in weaker:
        people.house.configure(keys=people.keys(**one))
        run = people.house(*words)
        assert run.status == 2
        assert "approvals-weakened" in run.stderr
        assert people.house("keys", "approvals", "list").status == 1
    # Mallory, whom the new configuration names, signs it, and Ben; of those on record that is one.
    people.house.configure(keys=people.keys(**weaker[2]))
    people.asked_anew("keys", "approvals", "change")
    people.sign(people.mallory, people.ben)
    assert "those who did: ben" in people.ask("keys", "approvals", "change").stderr
    people.sign(people.anna)
    run = people.ask("keys", "approvals", "change")
    assert run.status == 0, run.stderr
    assert people.house("keys", "approvals", "list").status == 0
    assert events(people.house)[-1]["details"]["signed_by"] == "anna, ben"
    people.asked_anew(*words)
    people.sign(people.mallory, people.carla)
    assert people.ask(*words).status == 0


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


def test_no_approvals_any_more(people: People) -> None:
    """The people on record may sign that, too; then nobody is asked."""
    words = (*EXPORT, "--output", str(people.house.safe / "note.json"))
    people.asked_anew(*words)
    people.house.configure(keys=people.keys())
    people.asked_anew("keys", "approvals", "change")
    shown = people.house("keys", "approvals", "show", str(people.request))
    assert shown.status == 1
    assert "need nobody's approval any more" in shown.stdout
    people.sign(people.anna, people.carla)
    assert people.ask("keys", "approvals", "change").status == 0
    assert people.house(*words).status == 0


def test_more_is_taken_at_once(people: People) -> None:
    """Three of three, and from then on no less."""
    words = (*EXPORT, "--output", str(people.house.safe / "note.json"))
    people.asked_anew(*words)
    people.require(needed=3)
    people.asked_anew(*words)
    people.sign(people.anna, people.ben)
    assert "approval-incomplete" in people.ask(*words).stderr
    people.require(needed=2)
    assert "approvals-weakened" in people.ask(*words).stderr


def test_what_one_is_about_to_sign(people: People) -> None:
    """In words, with every field; who has signed, and who has not in a way that counts."""
    output = people.house.safe / "note.json"
    people.asked_anew(*EXPORT, "--output", str(output))
    people.sign(people.anna, people.mallory)
    run = people.house("keys", "approvals", "show", str(people.request), "--json")
    assert run.status == 1
    shown = json.loads(run.stdout)
    assert shown["act"] == "export"
    assert shown["file"] == str(output)
    assert f"{people.house.database}/public.people.note" in shown["in words"]
    assert {one["person"] for one in shown["signatures"]} == {"anna", None}
    people.sign(people.ben)
    assert people.house("keys", "approvals", "show", str(people.request)).status == 0


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
        connection.execute(text("UPDATE root_removals SET due = '2020-01-01 00:00:00.000000'"))
    people.asked_anew("keys", "root", "remove", old, "--now-due")
    people.sign(people.ben, people.carla)
    assert people.ask("keys", "root", "remove", old, "--now-due").status == 0


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
