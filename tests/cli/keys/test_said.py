"""What the key commands say that change one thing: one object for programs, on standard output alone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tests.cli.keys.conftest import House
from tests.cli.keys.test_transfer import NOTE, wrapped


@pytest.fixture
def say(house: House) -> Callable[..., dict[str, Any]]:
    """Runs a command that succeeds; what it prints for programs."""

    def run(*words: str) -> dict[str, Any]:
        ran = house("keys", *words, "--json")
        assert ran.status == 0, ran.stderr
        said = json.loads(ran.stdout)
        assert isinstance(said, dict)
        return said

    return run


def test_states_and_floors(house: House, say: Callable[..., dict[str, Any]]) -> None:
    """The version, by number and id, and what it may do now."""
    assert house("keys", "rotate", NOTE, "--no-wait").status == 0
    name = f"{house.database}/{NOTE}"
    ids = [one["key_id"] for one in json.loads(house("keys", "show", NOTE, "--json").stdout)]
    for command, state in (("suspend", "suspended"), ("activate", "active"), ("deactivate", "deactivated")):
        said = say(command, NOTE, "--version", "1")
        assert said == {"key": name, "version": 1, "key_id": ids[0], "state": state}
    said = say("floor", NOTE, "--opening", "1", "--sealing", "2")
    assert said == {"key": name, "opening": 1, "sealing": 2}


def test_holds_and_custody(house: House, say: Callable[..., dict[str, Any]]) -> None:
    """As the lists have them; the hold's id is what `release` takes."""
    laid = say("hold", NOTE, "--reason", "case 17")
    assert (laid["name"], laid["in force"]) == (f"{house.database}/{NOTE}", True)
    released = say("release", laid["hold"], "--reason", "closed")
    assert (released["hold"], released["in force"]) == (laid["hold"], False)
    (listed,) = json.loads(house("keys", "holds", "--json").stdout)
    assert listed == released
    kept = say("custody", NOTE, "--keeper", "Ada")
    assert (kept["keeper"], kept["backup keeper"]) == ("Ada", "nobody")


def test_a_key_comes_in_and_goes_out(
    house: House, say: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """The public key in it is what the key is wrapped with; the file of an export is not on the screen."""
    begun = say("import", NOTE, "--begin")
    assert begun.keys() == {"key", "identifier", "expires", "public_key", "sha256"}
    blob = wrapped(tmp_path / "safe", begun["public_key"], 32)
    taken = say("import", NOTE, "--key-file", str(blob))
    assert (taken["version"], taken["state"], taken["identifier"]) == (2, "pre-active", begun["identifier"])
    file = tmp_path / "safe" / "note.json"
    said = say("export", NOTE, "--tink", "--danger-key-material-in-the-clear", "--output", str(file))
    assert said == {"key": f"{house.database}/{NOTE}", "versions": 2, "file": str(file)}


def test_roots(house: House, say: Callable[..., dict[str, Any]]) -> None:
    """Made, wrapped by, and its removal scheduled, taken back and done."""
    kek = f"kek {house.database}"
    (first,) = json.loads(house.rows("SELECT wraps FROM strongroom_keys.keks")[0][0])
    made = say("root", "make", "file:keys/second.key")["root"]
    assert "--new-passphrase" in say("root", "make", "passphrase:")["next"]
    house.configure(keys={"root": "file:keys/second.key", "second_root": "file:keys/root.key"})
    said = say("root", "rewrap")
    assert said == {"keks": [kek], "roots": [made, first]}
    house.configure(keys={"root": "file:keys/second.key"})
    scheduled = say("root", "remove", first)
    assert (scheduled["root"], scheduled["removal"], scheduled["keks"]) == (first, "scheduled", [kek])
    assert say("root", "remove", first, "--cancel") == {"root": first, "removal": "cancelled"}
    say("root", "remove", first)
    with house.opened_state() as state, state.engine.begin() as connection:
        connection.execute(text("UPDATE key_endings SET due = '2026-01-01 00:00:00.000000'"))
    said = say("root", "remove", first, "--now-due")
    assert said == {"root": first, "removal": "done", "keks": [kek]}


def test_approvals(say: Callable[..., dict[str, Any]]) -> None:
    """Whether anything was changed, and who signed."""
    assert say("approvals", "change") == {"changed": False, "signed_by": []}
