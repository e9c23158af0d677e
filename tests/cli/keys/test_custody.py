"""``strongroom keys custody``."""

import json
from typing import Any

from tests.cli.keys.conftest import House


def noted(house: House) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(house("keys", "custody", "--json").stdout)
    return found


def test_of_a_column(house: House) -> None:
    """By the column's name it is noted of its keyset; what no option names stays as it was."""
    assert noted(house) == []
    words = ("--keeper", "Ada", "--backup-keeper", "the safe in Bern", "--every", "90d")
    assert house("keys", "custody", "public.people.email", *words).status == 0
    assert house("keys", "custody", "public.people.email", "--keeper", "Grace", "--tested").status == 0
    (entry,) = noted(house)
    assert entry["key"] == f"{house.database}/public.people.email"
    assert (entry["keeper"], entry["backup keeper"], entry["every"]) == ("Grace", "the safe in Bern", "90d")
    assert entry["tested"] < entry["due"]


def test_of_kek_and_root(house: House) -> None:
    """By the names that they have."""
    ((wraps,),) = house.rows("SELECT wraps FROM strongroom_keys.keks")
    (root,) = json.loads(wraps)
    for name in (f"kek {house.database}", root):
        assert house("keys", "custody", name, "--keeper", "Ada").status == 0
    assert {entry["key"] for entry in noted(house)} == {f"kek {house.database}", root}


def test_what_is_not_there(house: House) -> None:
    """A misspelt name, a period that is none, and options without a name."""
    for words in (("public.people.emial", "--keeper", "Ada"), ("kek x",)):
        run = house("keys", "custody", *words)
        assert run.status == 2
        assert "keyset-missing" in run.stderr
    assert house("keys", "custody", "public.people.email", "--every", "often").status == 2
    assert house("keys", "custody", "--keeper", "Ada").status == 2
    assert noted(house) == []
