"""``strongroom keys hold``, ``release`` and ``holds``: what they stop, and what they take."""

import json
import shutil

import pytest
from tests.cli.keys.conftest import House

NOTE = "public.people.note"


def laid(house: House, *words: str) -> str:
    """A hold's number."""
    run = house("keys", "hold", *words, "--reason", "case 17")
    assert run.status == 0, run.stderr
    return run.stdout.split()[1].rstrip(":")


def test_a_hold_on_a_root_or_on_what_it_wraps(house: House) -> None:
    """Neither step of its removal is done until the hold is released."""
    (before,) = json.loads(house("keys", "root", "list", "--json").stdout)
    house.configure(keys={"root": "file:keys/new.key", "second_root": "file:keys/root.key"})
    for words in (["make", "file:keys/new.key"], ["rewrap"]):
        assert house("keys", "root", *words).status == 0
    house.configure(keys={"root": "file:keys/new.key"})
    for name in (before["root"], f"kek {house.database}"):
        hold = laid(house, name)
        run = house("keys", "root", "remove", before["root"])
        assert run.status == 2
        assert f"legal hold {hold}" in run.stderr
        assert house("keys", "release", hold, "--reason", "closed").status == 0
    assert house("keys", "root", "remove", before["root"]).status == 0


def test_the_list(house: House) -> None:
    """In force or over, with reasons; a hold on a column is one on its keyset."""
    first = laid(house, NOTE, "1", "--until", "2099-12-31")
    second = laid(house, house.database)
    assert house("keys", "release", second, "--reason", "closed").status == 0
    rows = {one["hold"]: one for one in json.loads(house("keys", "holds", "--json").stdout)}
    assert rows[first] == rows[first] | {
        "name": f"{house.database}/{NOTE}",
        "version": 1,
        "in force": True,
        "until": "2099-12-31",
        "reason": "case 17",
        "released": None,
    }
    assert (rows[second]["in force"], rows[second]["released for"]) == (False, "closed")
    events = [one["what"] for one in json.loads(house("keys", "events", "--json").stdout)]
    assert events == ["hold laid", "hold laid", "hold released"]


def test_it_comes_back_with_a_backup(house: House) -> None:
    """A lost machine must not end a hold."""
    hold = laid(house, NOTE)
    file = house.backup()
    house.burn("state")
    assert house.restore(file).status == 0
    assert [one["hold"] for one in json.loads(house("keys", "holds", "--json").stdout)] == [hold]
    shutil.rmtree(house.safe)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["hold", "public.people.town", "--reason", "x"], "hold-unknown"),
        (["hold", NOTE, "--reason", "x", "--until", "2020-01-01"], "over already"),
        (["release", "00000000", "--reason", "x"], "hold-unknown"),
        (["hold", NOTE, "--reason", ""], "which case"),
        (["hold", NOTE, "--reason", " \t"], "which case"),
        (["release", "00000000", "--reason", " "], "which case"),
    ],
)
def test_wrong_use(house: House, words: list[str], said: str) -> None:
    """A hold on a mistyped name, or one that is over, would hold nothing; one for no reason says nothing."""
    run = house("keys", *words)
    assert run.status == 2
    assert said in run.stderr
