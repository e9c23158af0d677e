"""onboarding/examine.py: a configuration against live databases, with real keys."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from strongroom.config import Settings, load
from strongroom.config.audit import Audit
from strongroom.gateway.gate import upstream_of
from strongroom.gateway.kept import Place
from strongroom.gateway.protection import open_keks, prepare, schemes_of
from strongroom.keys.generate import new_keyset
from strongroom.keys.hierarchy import wrapped
from strongroom.keys.kek import Keks, new_kek
from strongroom.keys.root.opening import make_missing, open_roots
from strongroom.keys.store import KeyStore, adopt_keks
from strongroom.onboarding.examine import examine
from strongroom.onboarding.finding import Finding, Verdict
from strongroom.protect.check import add_constraint
from strongroom.state import State, open_state
from strongroom.testing.servers import PostgresServer

COLUMN = "public.customers.email"
SUBJECT = f"databases.shop.columns.{COLUMN}"


@pytest.fixture
def settings(postgres: PostgresServer, tmp_path: Path) -> Settings:
    """A database with one column to protect, empty and of type bytea."""
    name = postgres.create_database("shop")
    postgres.run("CREATE TABLE customers (id integer, email bytea)", name)
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "root").mkdir(mode=0o700)
    return configured(postgres, tmp_path, {COLUMN: {"type": "text", "encryption": "deterministic"}})


@pytest.fixture
def state(settings: Settings) -> Iterator[State]:
    """The state of the configuration."""
    state = open_state(settings.state)
    yield state
    state.close()


def configured(server: PostgresServer, folder: Path, columns: dict[str, dict[str, str]]) -> Settings:
    """The settings with these columns."""
    file = folder / "strongroom.yaml"
    shop = {"upstream": server.uri("shop", password=""), "upstream_password": "${PASSWORD}"}
    shop |= {"listen": "127.0.0.1:6432", "columns": columns}  # type: ignore[dict-item]  # YAML's own types
    data = {"state": "sqlite:state/state.db", "keys": {"root": "file:root/key"}, "databases": {"shop": shop}}
    file.write_text(yaml.safe_dump(data))
    return load(file, {"PASSWORD": server.password})


def made(settings: Settings, state: State, server: PostgresServer) -> None:
    """Root, keyset and CHECK, as `protect` leaves them."""
    connector = upstream_of("shop", settings)
    asyncio.run(prepare(settings, state, [Place("shop", connector, connector)]))
    assert settings.keys is not None
    keyset = KeyStore(state.engine, open_keks(settings, state)).load()[f"shop/{COLUMN}"]
    server.run(add_constraint("customers", "email", keyset.algorithm, keyset.key_ids), "shop")
    server.run("ALTER TABLE customers VALIDATE CONSTRAINT strongroom_email", "shop")


def verdicts(settings: Settings, state: State) -> dict[str, Finding]:
    """The last finding of each subject."""
    return {one.subject: one for one in asyncio.run(examine(settings, state))}


def test_before_anything_was_made(settings: Settings, state: State) -> None:
    """A missing root is no failure while nothing was wrapped by it, and nothing is made."""
    found = verdicts(settings, state)
    assert found["keys.root"].verdict is Verdict.MIND
    assert found[SUBJECT].verdict is Verdict.FAILS
    assert not (settings.file.parent / "root/key").exists()


@pytest.mark.parametrize("postgres", ["embedded", "15"], indirect=True)
def test_all_is_in_place(settings: Settings, state: State, postgres: PostgresServer) -> None:
    """With root, keysets, CHECK and sealed type in place, nothing fails."""
    made(settings, state, postgres)
    found = verdicts(settings, state)
    assert [one for one in found.values() if one.verdict is Verdict.FAILS] == []
    assert found["keys.root"].verdict is Verdict.HOLDS
    assert found["databases.shop.columns"].verdict is Verdict.HOLDS
    assert found[SUBJECT].verdict is Verdict.HOLDS


def test_whether_what_is_done_is_recorded(settings: Settings, state: State) -> None:
    """It may be wanted so, and somebody should know."""
    found = verdicts(settings, state)["audit"]
    assert (found.verdict, found.remark) == (Verdict.MIND, "nothing is recorded")
    audit = Audit.model_construct(log=settings.file.parent / "audit", origin="example/audit")
    recorded = verdicts(settings.model_copy(update={"audit": audit}), state)["audit"]
    assert recorded.verdict is Verdict.HOLDS


def test_the_root_is_lost(settings: Settings, state: State, postgres: PostgresServer) -> None:
    """A missing root fails once there are keysets, and no new one is made."""
    made(settings, state, postgres)
    root = settings.file.parent / "root/key"
    root.unlink()
    found = verdicts(settings, state)["keys.root"]
    assert found.verdict is Verdict.FAILS
    assert "root-key-missing" in found.remark
    assert not root.exists()


def test_a_line_was_deleted(settings: Settings, state: State, postgres: PostgresServer) -> None:
    """A keyset whose column is no longer configured fails, as `serve` would refuse to start."""
    made(settings, state, postgres)
    found = verdicts(configured(postgres, settings.file.parent, {}), state)["databases.shop.columns"]
    assert found.verdict is Verdict.FAILS
    assert "keyset-orphaned" in found.remark


def test_the_state_is_lost(settings: Settings, state: State, postgres: PostgresServer) -> None:
    """Keysets beside the data that the state has not are taken over by `serve`, and not by `check`."""
    made(settings, state, postgres)
    (settings.file.parent / "new").mkdir(mode=0o700)
    other = settings.model_copy(update={"state": type(settings.state)(settings.file.parent / "new/state.db")})
    empty = open_state(other.state)
    try:
        found = verdicts(other, empty)
        assert found["databases.shop.columns"].verdict is Verdict.MIND
        assert "newer in the database" in found["databases.shop.columns"].remark
        assert found[SUBJECT].verdict is Verdict.HOLDS
        assert "newer in the database" in verdicts(other, empty)["databases.shop.columns"].remark
    finally:
        empty.close()


def test_a_keyset_that_only_the_state_has(settings: Settings, state: State) -> None:
    """A keyset that is not beside the data is to be borne in mind."""
    assert settings.keys is not None
    make_missing(settings.keys.roots, settings.state.path.parent)
    keks = Keks.of([new_kek("shop", datetime(2026, 1, 1, tzinfo=UTC))])
    roots = open_roots(settings.keys.roots, settings.state.path.parent, ())
    adopt_keks(state.engine, [wrapped(kek, 1, roots) for kek in keks.by_name.values()])
    schemes = schemes_of(settings, "shop").values()
    made = [new_keyset(one, datetime(2026, 1, 1, tzinfo=UTC)) for one in schemes]
    KeyStore(state.engine, keks).adopt(keks.wrap(one) for one in made)
    assert "not kept beside" in verdicts(settings, state)["databases.shop.columns"].remark


def test_one_database_that_cannot_be_reached(settings: Settings, state: State) -> None:
    """A database that is away is a finding; the others are examined all the same."""
    away = settings.databases["shop"].model_copy(update={"upstream": "postgresql://u@127.0.0.1:1/away"})
    both = settings.model_copy(update={"databases": {"away": away, **settings.databases}})
    found = verdicts(both, state)
    assert "upstream-unreachable" in found["databases.away"].remark
    assert SUBJECT in found
