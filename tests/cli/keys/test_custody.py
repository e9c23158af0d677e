"""``strongroom keys custody``."""

import json
from datetime import timedelta
from typing import Any

import pytest
from tests.cli.keys.conftest import COLUMNS, House

from strongroom.keys import custody

EMAIL = "public.people.email"


def shown(house: House) -> dict[str, dict[str, Any]]:
    """What is shown of each key."""
    found: list[dict[str, Any]] = json.loads(house("keys", "custody", "--json").stdout)
    return {one["key"]: one for one in found}


def root_of(house: House) -> str:
    """The one that there is."""
    ((wraps,),) = house.rows("SELECT wraps FROM strongroom_keys.keks")
    (root,) = json.loads(wraps)
    return str(root)


def test_nobody_keeps_anything_yet(house: House) -> None:
    """Every key is shown, and that nobody is noted; in the list of keys, too. In the end that is overdue."""
    kek, email, note = (f"kek {house.database}", *(f"{house.database}/{name}" for name in COLUMNS))
    found = shown(house)
    assert list(found) == [root_of(house), kek, email, note]
    assert {(one["keeper"], one["backup keeper"]) for one in found.values()} == {("nobody", "nobody")}
    assert house("keys", "custody").stdout.count("nobody") == 2 * 4
    run = house("keys", "list", "--json")
    assert run.status == 0
    assert {(one["keeper"], one["due"]) for one in json.loads(run.stdout)} == {("nobody", None)}
    with pytest.MonkeyPatch.context() as month:
        month.setattr(custody, "GRACE", timedelta(0))
        run = house("keys", "list", "--json")
        assert run.status == 1
        due = {one["key"]: one["due"] for one in json.loads(run.stdout)}
        assert list(due) == [kek, email, note, root_of(house)]
        assert all("who keeps it and its backup" in why for why in due.values())
        for name in (root_of(house), kek):
            words = ("--keeper", "Ada", "--backup-keeper", "Bern")
            assert house("keys", "custody", name, *words).status == 0
        run = house("keys", "list", "--json")
        assert run.status == 0
        assert {one["keeper"] for one in json.loads(run.stdout)} == {"Ada"}
    assert shown(house)[email]["noted of"] == kek


def test_of_a_column(house: House) -> None:
    """By the column's name it is noted of its keyset; what no option names stays as it was."""
    words = ("--keeper", "Ada", "--backup-keeper", "the safe in Bern", "--every", "90d")
    assert house("keys", "custody", EMAIL, *words).status == 0
    run = house("keys", "custody", EMAIL, "--keeper", "Grace", "--tested", "--json")
    assert run.status == 0
    entry = json.loads(run.stdout)
    assert entry == shown(house)[f"{house.database}/{EMAIL}"]
    assert (entry["keeper"], entry["backup keeper"], entry["every"]) == ("Grace", "the safe in Bern", "90d")
    assert entry["tested"] < entry["due"]


def test_of_kek_and_root(house: House) -> None:
    """By the names that they have."""
    for name in (f"kek {house.database}", root_of(house)):
        assert house("keys", "custody", name, "--keeper", "Ada").status == 0
        assert shown(house)[name]["keeper"] == "Ada"


def test_what_is_not_there(house: House) -> None:
    """A misspelt name, a period that is none, and options without a name."""
    for words in (("public.people.emial", "--keeper", "Ada"), ("kek x",)):
        run = house("keys", "custody", *words)
        assert run.status == 2
        assert "keyset-missing" in run.stderr
    assert house("keys", "custody", "public.people.email", "--every", "often").status == 2
    assert house("keys", "custody", "--keeper", "Ada").status == 2
    assert {one["keeper"] for one in shown(house).values()} == {"nobody"}
