"""``strongroom keys tenants add`` and ``list``; and what other commands say of tenants."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.gateway.tenants import Shop

from strongroom.testing.servers import PostgresServer


@pytest.fixture
def shop(tmp_path: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A shop without tenants yet; acme holds its own key."""
    monkeypatch.setenv("PASSWORD", postgres.password)
    made = Shop.make(tmp_path, postgres)
    made.hold("acme")
    return made


@pytest.fixture
def command(shop: Shop, strongroom: Callable[..., Run]) -> Callable[..., Run]:
    """Runs a command on it."""

    def run(*words: str) -> Run:
        shop.settings()
        return strongroom(*words, "--config", str(shop.folder / "strongroom.yaml"))

    return run


def test_made_and_listed(shop: Shop, command: Callable[..., Run]) -> None:
    """By whom each key is wrapped is said; made again, nothing changes."""
    run = command("keys", "tenants", "add", shop.database, "acme", "globex")
    assert run.status == 0, run.stderr
    assert "acme has a key-encryption key, wrapped by its own provider" in run.stdout
    assert "globex has a key-encryption key, wrapped by the configured roots" in run.stdout
    again = command("keys", "tenants", "add", shop.database, "acme", "--json")
    assert json.loads(again.stdout) == {"made": [], "keysets": []}
    listed = json.loads(command("keys", "tenants", "list", "--json").stdout)
    assert [(one["tenant"], one["state"]) for one in listed] == [("acme", "here"), ("globex", "here")]


def test_a_withdrawn_key_shows(shop: Shop, command: Callable[..., Run]) -> None:
    """With its reason, and in the exit status; other commands go on without it."""
    assert command("keys", "tenants", "add", shop.database, "acme", "globex").status == 0
    (shop.folder / "key-of-acme" / "own.key").unlink()
    run = command("keys", "tenants", "list", "--json")
    assert run.status == 1
    acme, globex = json.loads(run.stdout)
    assert (acme["state"], globex["state"]) == ("withdrawn", "here")
    assert "own.key" in acme["why"]
    shown = command("keys", "list", "--json")
    assert shown.status == 0, shown.stderr
    keys = {one["key"]: (one["columns"], one["state"]) for one in json.loads(shown.stdout)}
    assert keys[f"{shop.database}@globex/public.people.iban"] == ("public.people.iban", "here")
    assert keys[f"{shop.database}@acme/public.people.iban"] == ("public.people.iban", "withdrawn")
    assert keys[f"kek {shop.database}@acme"] == ("", "withdrawn")
    refused = command("keys", "show", "public.people.iban@acme")
    assert (refused.status, "withdrawn" in refused.stderr) == (2, True)


def test_a_destroyed_key_shows(shop: Shop, command: Callable[..., Run]) -> None:
    """In the list of all keys, as what was there; its keysets are gone with it."""
    shop.more["destroy_delay_days"] = 0
    assert command("keys", "tenants", "add", shop.database, "globex").status == 0
    for _ in range(2):
        assert command("keys", "tenants", "destroy", shop.database, "globex").status == 0
    listed = {one["key"]: one["state"] for one in json.loads(command("keys", "list", "--json").stdout)}
    assert listed == {f"kek {shop.database}": "here", f"kek {shop.database}@globex": "destroyed"}
    assert "destroyed" in command("keys", "show", f"kek {shop.database}@globex").stderr


def test_one_bad_name_of_several(shop: Shop, command: Callable[..., Run]) -> None:
    """It is named, be it no name or that of a tenant whose provider is away; and no key is made."""
    run = command("keys", "tenants", "add", shop.database, "globex", "a/b", "initech", "x y")
    assert (run.status, "'a/b' or 'x y'" in run.stderr) == (2, True)
    key = shop.folder / "key-of-acme" / "own.key"
    key.rename(key.with_suffix(".away"))
    run = command("keys", "tenants", "add", shop.database, "globex", "acme")
    assert (run.status, f"kek {shop.database}@acme is not made" in run.stderr) == (2, True)
    assert json.loads(command("keys", "tenants", "list", "--json").stdout) == []
    assert list((shop.folder / "copies").iterdir()) == []
    key.with_suffix(".away").rename(key)
    run = command("keys", "tenants", "add", shop.database, "globex", "acme", "--json")
    assert json.loads(run.stdout)["made"] == [f"{shop.database}@globex", f"{shop.database}@acme"]


def test_a_database_that_is_not_there(shop: Shop, command: Callable[..., Run]) -> None:
    """Those that there are, are named, and no option that the command has not."""
    for words in (["add", "shopp", "acme"], ["list", "shopp"], ["destroy", "shopp", "acme"]):
        run = command("keys", "tenants", *words)
        assert run.status == 2
        assert "there is no database shopp" in run.stderr
        assert shop.database in run.stderr
        assert "--database" not in run.stderr


def test_one_tenants_key_is_named_after_its_column(shop: Shop, command: Callable[..., Run]) -> None:
    """By what looks at it or notes things of it, as by what changes it; without a tenant, they say so."""
    assert command("keys", "tenants", "add", shop.database, "globex").status == 0
    name, keyset = "public.people.iban@globex", f"{shop.database}@globex/public.people.iban"
    by_name, by_column = command("keys", "show", keyset, "--json"), command("keys", "show", name, "--json")
    assert json.loads(by_name.stdout) == json.loads(by_column.stdout)
    assert command("keys", "hold", name, "--reason", "case 7").status == 0
    (hold,) = json.loads(command("keys", "holds", "--json").stdout)
    assert hold["name"] == keyset
    noted = json.loads(command("keys", "custody", name, "--keeper", "Ada", "--json").stdout)
    assert noted["key"] == keyset
    for words in (["show"], ["hold", "--reason", "case 7"], ["custody", "--keeper", "Ada"]):
        for wrong in ("public.people.iban", "public.people.iban@umbra", "public.people.ibann@globex"):
            run = command("keys", words[0], wrong, *words[1:])
            assert run.status == 2
            assert ("@TENANT" in run.stderr) == (wrong == "public.people.iban")


def test_a_check_looks_at_tenants(shop: Shop, command: Callable[..., Run]) -> None:
    """It changes nothing; a key that is away is said, and is no disagreement."""
    assert command("keys", "tenants", "add", shop.database, "acme", "globex").status == 0
    agreed = "the keysets of state, database and configuration agree"
    assert agreed in command("check", "--json").stdout
    (shop.folder / "key-of-acme" / "own.key").unlink()
    run = command("check", "--json").stdout
    assert "acme is not here" in run
    assert "kek-missing" not in run


def test_a_change_of_root_takes_tenants_along(shop: Shop, command: Callable[..., Run]) -> None:
    """Those that we hold, in the state and among the copies; not those that tenants hold."""
    assert command("keys", "tenants", "add", shop.database, "acme", "globex").status == 0
    (copy,) = (shop.folder / "copies").iterdir()
    before = json.loads(copy.read_text())
    run = command("keys", "root", "rewrap")
    assert run.status == 0, run.stderr
    assert "globex" in run.stdout
    assert "acme" not in run.stdout
    after = json.loads(copy.read_text())
    assert after["revision"] > before["revision"]
    shop.lose_state()
    assert len(shop.keysets(shop.prepared())) == 2 * len(shop.columns)
