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
    keys = {one["key"]: one["columns"] for one in json.loads(shown.stdout)}
    assert f"{shop.database}@globex/public.people.iban" in keys
    assert keys[f"{shop.database}@globex/public.people.iban"] == "public.people.iban"
    assert f"kek {shop.database}@acme" not in keys


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
