"""Bringing keys back into a state: from a backup, and where several databases are configured."""

import asyncio
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.keys.state_of_keys import EMAIL, MADE, a_filled_state, a_root, an_empty_state

from strongroom.config import load
from strongroom.errors import BackupOutdated, StateNotEmpty
from strongroom.gateway.protection import open_keks, prepare
from strongroom.gateway.restoring import fill_from, find_beside, places_of_keys, recover, restore
from strongroom.keys.backup import Contents, contents
from strongroom.keys.backups import Backups
from strongroom.keys.custody import noted
from strongroom.keys.hierarchy import Roots, open_kek
from strongroom.keys.holds import Holds
from strongroom.keys.journal import Journal
from strongroom.keys.kek import Keks
from strongroom.keys.root.opening import open_roots
from strongroom.keys.sealed import sealed_columns
from strongroom.keys.store import KeyStore, kept_keks, kept_keysets, kept_retired
from strongroom.state import open_state
from strongroom.testing.servers import PostgresServer

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def test_a_state_of_a_backup_alone(tmp_path: Path) -> None:
    """Everything that a backup holds is in the state, under the given root, which opens it."""
    state, keks = a_filled_state(tmp_path, a_root(tmp_path))
    what = contents(state.engine, keks, MADE)
    root, new = a_root(tmp_path, "new"), an_empty_state(tmp_path, "new")
    came = fill_from(new, what, Roots((root,)))
    assert [one.name for one in (*came.keks, *came.keysets, *came.retired)] == [
        "kek shop",
        EMAIL,
        "shop/public.t.iban",
        "shop/public.t.phone",
    ]
    opened = Keks.of(open_kek(row, Roots((root,))) for row in kept_keks(new.engine).values())
    store = KeyStore(new.engine, opened)
    assert set(store.load()) == {EMAIL, "shop/public.t.iban"}
    assert store.uses() == what.uses
    assert [one.name for one in kept_retired(new.engine)] == ["shop/public.t.phone"]
    assert tuple(sealed_columns(new.engine)) == what.sealed
    assert tuple(noted(new.engine)) == what.custody
    assert tuple(Journal(new.engine).events()) == what.events
    assert tuple(Holds(new.engine).all()) == what.legal_holds


def test_never_over_other_keys(tmp_path: Path) -> None:
    """A state that has keys keeps them."""
    root = a_root(tmp_path)
    state, keks = a_filled_state(tmp_path, root)
    what = contents(state.engine, keks, MADE)
    before = kept_keysets(state.engine)
    with pytest.raises(StateNotEmpty):
        fill_from(state, what, Roots((root,)))
    assert kept_keysets(state.engine) == before


class Two:
    """Two databases with a sealed column each, behind one configuration."""

    def __init__(self, folder: Path, server: PostgresServer) -> None:
        self.folder, self.server = folder, server
        self.names = [server.create_database(f"db{secrets.token_hex(4)}") for _ in range(2)]
        for name in self.names:
            server.run("CREATE TABLE people (email bytea)", name)
        for part in ("state", "keys"):
            (folder / part).mkdir(mode=0o700)

    def settings(self, *names: str, root: str = "root.key") -> Any:
        """The configuration of these databases."""
        column = {"public.people.email": {"type": "text", "encryption": "deterministic"}}
        databases = {
            name: {
                "upstream": self.server.uri(name, password=""),
                "upstream_password": "${RESTORING_TEST}",
                "listen": f"127.0.0.1:{6432 + number}",
                "columns": column,
            }
            for number, name in enumerate(names)
        }
        state = f"state/{secrets.token_hex(4)}.db"
        file = self.folder / "strongroom.yaml"
        entries = {"state": f"sqlite:{state}", "keys": {"root": f"file:keys/{root}"}, "databases": databases}
        file.write_text(yaml.safe_dump(entries))
        return load(file, {"RESTORING_TEST": self.server.password})

    def backup(self) -> Contents:
        """Of a state that was made by a start before both."""
        settings = self.settings(*self.names)
        state = open_state(settings.state)
        asyncio.run(prepare(settings, state, places_of_keys(settings)))
        what = contents(state.engine, open_keks(settings, state), NOW)
        state.close()
        return what

    def rows(self) -> list[Any]:
        """The KEKs beside the data of both."""
        rows = []
        for name in self.names:
            with self.server.connect(name) as direct:
                rows += direct.execute("SELECT name, revision, wraps FROM strongroom_keys.keks").fetchall()
        return rows


@pytest.fixture
def two(tmp_path: Path, postgres: PostgresServer) -> Two:
    """See above."""
    return Two(tmp_path, postgres)


def test_a_database_that_is_not_configured_here(two: Two) -> None:
    """Its keys come back into the state too; beside its data nothing is touched."""
    what = two.backup()
    before = two.rows()
    settings = two.settings(two.names[0], root="new.key")
    state = open_state(settings.state)
    came = asyncio.run(restore(settings, state, what, "/media/keys.age", "a passphrase"))
    assert len(came.keysets) == 2
    assert came.replaced == (two.names[0],)
    assert set(open_keks(settings, state).by_name) == {f"kek {name}" for name in two.names}
    assert [after == row for after, row in zip(two.rows(), before, strict=True)] == [False, True]
    (entry,) = Backups(state.engine).all()
    assert (entry.id, entry.place, entry.to) == (what.id, "/media/keys.age", "a passphrase")
    state.close()


def test_one_that_is_refused_changes_none(two: Two) -> None:
    """Where one of two databases is newer than the backup, the other is left alone as well."""
    what = two.backup()
    two.server.run(
        "UPDATE strongroom_keys.keysets SET revision = 9, key_ids = '{7}', wrapped = '\\x0102030405'",
        two.names[1],
    )
    before = two.rows()
    settings = two.settings(*two.names, root="new.key")
    state = open_state(settings.state)
    with pytest.raises(BackupOutdated, match=two.names[1]):
        asyncio.run(restore(settings, state, what, "/media/keys.age", "a passphrase"))
    assert two.rows() == before
    assert kept_keks(state.engine) == {}
    state.close()


def test_both_are_recovered(two: Two) -> None:
    """From beside the data of both, by the root."""
    two.backup()
    settings = two.settings(*two.names)
    state = open_state(settings.state)
    found = asyncio.run(find_beside(places_of_keys(settings)))
    assert settings.keys is not None
    roots = open_roots(settings.keys.roots, settings.state.path.parent, ())
    came = recover(state, found, roots)
    assert {one.name.partition("/")[0] for one in came.keysets} == set(two.names)
    assert set(open_keks(settings, state).by_name) == {f"kek {name}" for name in two.names}
    state.close()
