"""``strongroom keys root``, on a real PostgreSQL and with real roots."""

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import text
from tests.changeover.killing import Killed
from tests.cli.conftest import Run
from tests.gateway.killing import dying_after
from tests.protect.samples import Counted

import strongroom
from strongroom.config import StateAddress, load
from strongroom.gateway.protection import open_keks, schemes_of
from strongroom.keys.kek import wraps_of
from strongroom.keys.store import KeyStore, kept_keks
from strongroom.protect.plan import TEXT_FORMAT, ColumnCodec
from strongroom.protect.style import TextStyle
from strongroom.state import State, open_state
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until

OLD, NEW = "correct horse battery staple", "another horse entirely, staple"


@dataclass
class Site:
    """A machine with a protected database."""

    folder: Path
    database: str
    server: PostgresServer
    run: Callable[..., Run]

    def __call__(self, *words: str) -> Run:
        return self.run(*words, "--config", str(self.folder / "strongroom.yaml"))

    def well(self, *words: str) -> str:
        run = self(*words)
        assert run.status == 0, run.stderr
        return run.stdout

    def configure(self, **keys: Any) -> None:
        file = self.folder / "strongroom.yaml"
        file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"keys": keys}))

    @contextmanager
    def state(self) -> Iterator[State]:
        state = open_state(StateAddress(path=self.folder / "state" / "state.db"))
        yield state
        state.close()

    @property
    def roots(self) -> list[str]:
        """The roots that wrap the KEK, which are the same in the state and beside the data."""
        with self.state() as state:
            [kek] = kept_keks(state.engine).values()
        with self.server.connect(self.database) as direct:
            [(revision, wraps)] = direct.execute(
                "SELECT revision, wraps FROM strongroom_keys.keks"
            ).fetchall()
        assert (kek.revision, dict(kek.wraps)) == (revision, dict(wraps_of(wraps)))
        return sorted(kek.wraps)

    def dies_after(self, statements: int, *words: str) -> bool:
        """Runs a command that dies after so many statements and transactions; False where it ended well."""
        try:
            with dying_after(statements):
                run = self(*words)
        except Killed:
            return True
        assert run.status == 0, run.stderr
        return False

    def table(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = json.loads(self("keys", "root", "list", "--json").stdout)
        return listed

    def becomes_due(self) -> None:
        """What was scheduled was so long ago."""
        with self.state() as state, state.engine.begin() as connection:
            before = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=1)
            connection.execute(text("UPDATE key_endings SET due = :due"), {"due": before})

    def events(self) -> list[str]:
        return [event["what"] for event in json.loads(self.well("keys", "events", "--json"))]


@pytest.fixture
def site(
    strongroom: Callable[..., Run],
    postgres: PostgresServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Site:
    """One protected column, under a root in a file."""
    database = postgres.create_database(f"db{secrets.token_hex(4)}")
    postgres.run("CREATE TABLE people (id int PRIMARY KEY, email text)", database)
    for folder in ("state", "keys"):
        (tmp_path / folder).mkdir(mode=0o700)
    monkeypatch.setenv("ROOT_TEST_PASSWORD", postgres.password)
    entry = {
        "upstream": postgres.uri(database, password=""),
        "upstream_password": "${ROOT_TEST_PASSWORD}",
        "listen": "127.0.0.1:6432",
        "columns": {"public.people.email": {"type": "text", "encryption": "randomized"}},
    }
    settings = {
        "state": "sqlite:state/state.db",
        "keys": {"root": "file:keys/root.key"},
        "databases": {database: entry},
    }
    (tmp_path / "strongroom.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    made = Site(tmp_path, database, postgres, strongroom)
    made.well("protect", "--json")
    return made


def test_from_one_file_to_another(site: Site) -> None:
    """Made, wrapped by, configured alone, the former taken off when its day has come."""
    [first] = site.roots
    site.well("keys", "root", "make", "file:keys/second.key")
    site.configure(root="file:keys/second.key", second_root="file:keys/root.key")
    assert "is wrapped by" in site.well("keys", "root", "rewrap")
    assert len(site.roots) == 2
    refused = site("keys", "root", "remove", first)
    assert refused.status != 0
    assert "is configured" in refused.stderr
    site.configure(root="file:keys/second.key")
    assert "--now-due" in site.well("keys", "root", "remove", first)
    early = site("keys", "root", "remove", first, "--now-due")
    assert "is due on" in early.stderr
    assert [row["removal"] is None for row in site.table()] == [True, False]
    site.becomes_due()
    site.well("keys", "root", "remove", first, "--now-due")
    assert first not in site.roots
    assert len(site.roots) == 1
    assert "wraps nothing here" in site("keys", "root", "remove", first).stderr
    assert site.events()[-2:] == ["root removal begun", "root removed"]
    site.well("check", "--json")


def test_a_removal_is_taken_back(site: Site) -> None:
    """Once; then there is nothing to take back."""
    [first] = site.roots
    site.well("keys", "root", "make", "file:keys/second.key")
    site.configure(root="file:keys/second.key", second_root="file:keys/root.key")
    site.well("keys", "root", "rewrap")
    site.configure(root="file:keys/second.key")
    site.well("keys", "root", "remove", first)
    site.well("keys", "root", "remove", first, "--cancel")
    site.becomes_due()
    assert "was not scheduled" in site("keys", "root", "remove", first, "--now-due").stderr
    assert "was scheduled" in site("keys", "root", "remove", first, "--cancel").stderr
    assert first in site.roots


def test_the_only_root_is_not_taken_off(site: Site) -> None:
    """Nor one whose other is made and wraps nothing yet: that opens nothing."""
    [first] = site.roots
    site.well("keys", "root", "make", "file:keys/second.key")
    site.configure(root="file:keys/second.key")
    refused = site("keys", "root", "remove", first)
    assert refused.status != 0
    assert "root-removal-refused" in refused.stderr
    assert f"'kek {site.database}' would open no more" in refused.stderr
    assert "public.people.email" in refused.stderr
    assert site.roots == [first]


def test_a_damaged_wrap_does_not_count(site: Site) -> None:
    """A root that should open it is tried before the other is taken off."""
    [first] = site.roots
    site.well("keys", "root", "make", "file:keys/second.key")
    site.configure(root="file:keys/root.key", second_root="file:keys/second.key")
    site.well("keys", "root", "rewrap")
    [second] = set(site.roots) - {first}
    with site.server.connect(site.database) as direct:
        direct.execute(
            "UPDATE strongroom_keys.keks SET revision = revision + 1, wraps ="
            " jsonb_set(wraps::jsonb, ARRAY[%s], to_jsonb('AAAA'::text))::text",
            [second],
        )
    site.configure(root="file:keys/second.key")
    assert site("keys", "root", "remove", first).status != 0


def test_a_root_that_may_be_the_configured_one(site: Site) -> None:
    """It is not there now, so that its name is not known."""
    [first] = site.roots
    site.well("keys", "root", "make", "file:keys/second.key")
    site.configure(root="file:keys/root.key", second_root="passphrase:" + OLD)
    site.well("keys", "root", "rewrap")
    (site.folder / "keys" / "root.key").rename(site.folder / "keys" / "away")
    assert "cannot be told" in site("keys", "root", "remove", first).stderr


def test_a_new_passphrase(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old one opens until it is taken off; two that differ, or a short one, change nothing."""
    site.configure(root="file:keys/root.key", second_root=f"passphrase:{OLD}")
    site.well("keys", "root", "rewrap")
    site.configure(root=f"passphrase:{OLD}")
    before = site.roots
    for words in ([NEW, OLD], ["short", "short"]):
        typed = iter(words)
        monkeypatch.setattr("getpass.getpass", lambda _, typed=typed: next(typed))
        assert site("keys", "root", "rewrap", "--new-passphrase").status != 0
    assert site.roots == before
    monkeypatch.setattr("getpass.getpass", lambda _: NEW)
    said = site.well("keys", "root", "rewrap", "--new-passphrase")
    assert NEW not in said
    for either in (OLD, NEW):
        site.configure(root=f"passphrase:{either}")
        assert site("keys", "list").status == 0
    [old] = [name for name in before if name.startswith("passphrase")]
    site.well("keys", "root", "remove", old)
    site.becomes_due()
    site.well("keys", "root", "remove", old, "--now-due")
    assert site("keys", "list").status == 0
    site.configure(root=f"passphrase:{OLD}")
    assert "root-key-wrong" in site("keys", "list").stderr


def test_without_a_passphrase_there_is_no_new_one(site: Site) -> None:
    """It would wrap, and nothing would open by it."""
    assert site("keys", "root", "rewrap", "--new-passphrase").status == 2


def test_the_list_says_what_is_wrong(site: Site) -> None:
    """And ends with status 1; nobody is asked for a passphrase."""
    assert site("keys", "root", "list").status == 0
    [row] = site.table()
    assert row["wraps"] == f"kek {site.database}"
    site.configure(root="file:keys/gone.key", second_root="passphrase:")
    run = site("keys", "root", "list", "--json")
    assert run.status == 1
    gone, asked, former = json.loads(run.stdout)
    assert "there is no root key file" in gone["usable"]
    assert "nobody is asked" in asked["usable"]
    assert (former["root"], former["configured"]) == (row["root"], False)


def _two_roots(site: Site) -> str:
    """Wrapped by a second root, which alone is configured; returns the first, whose removal is due."""
    [first] = site.roots
    site.well("keys", "root", "make", "file:keys/second.key")
    site.configure(root="file:keys/second.key", second_root="file:keys/root.key")
    site.well("keys", "root", "rewrap")
    site.configure(root="file:keys/second.key")
    site.well("keys", "root", "remove", first)
    site.becomes_due()
    return first


PETS = "public.pets.name"


@contextmanager
def protecting(site: Site) -> Iterator[subprocess.Popen[bytes]]:
    """A `strongroom protect` of another table that has begun, and comes to no end inside."""
    site.server.run(
        "CREATE TABLE pets (id int PRIMARY KEY, name text);"
        "INSERT INTO pets SELECT g, 'pet ' || g FROM generate_series(1, 3000) g",
        site.database,
    )
    file = site.folder / "strongroom.yaml"
    settings = yaml.safe_load(file.read_text())
    columns = settings["databases"][site.database]["columns"]
    columns[PETS] = {"type": "text", "encryption": "deterministic"}
    file.write_text(yaml.safe_dump(settings))
    source = Path(strongroom.__file__).parent.parent
    with site.server.connect(site.database) as reader:
        reader.autocommit = False
        command = [sys.executable, "-m", "strongroom", "protect", "--json", "--config", str(file)]
        with subprocess.Popen(
            command, env={**os.environ, "PYTHONPATH": str(source)}, stdout=subprocess.PIPE
        ) as process:
            try:
                wait_until(lambda: _under_way(site), "it has begun", 60)
                reader.execute("SELECT FROM pets LIMIT 1")  # the swap must wait until this transaction ends
                yield process
                reader.rollback()
                process.wait(60)
            finally:
                process.kill()


def _under_way(site: Site) -> bool:
    with site.server.connect(site.database) as direct:
        [(there,)] = direct.execute(
            "SELECT to_regclass('strongroom_keys.changeovers') IS NOT NULL"
        ).fetchall()
        return bool(there and direct.execute("SELECT FROM strongroom_keys.changeovers").fetchall())


def _pets_open(site: Site) -> bool:
    """By the roots that are configured now, each of them sealed."""
    settings = load(site.folder / "strongroom.yaml")
    with site.state() as state, site.server.connect(site.database) as direct:
        keyset = KeyStore(state.engine, open_keks(settings, state)).load()[f"{site.database}/{PETS}"]
        codec = ColumnCodec(schemes_of(settings, site.database)[PETS], keyset, Counted())
        rows = direct.execute("SELECT id, name FROM pets ORDER BY id").fetchall()
    opened = [
        (number, codec.open(value, format_code=TEXT_FORMAT, style=TextStyle())) for number, value in rows
    ]
    return opened == [(number, f"pet {number}".encode()) for number in range(1, 3001)]


def test_a_protect_that_runs_outlives_its_root(site: Site) -> None:
    """The one that is taken off, its file deleted, was the only one when it began: it needs it no more."""
    [first] = site.roots
    with protecting(site) as process:
        _take_off(site, first)
        (site.folder / "keys" / "root.key").unlink()
        assert process.poll() is None
        assert _under_way(site)
    assert process.returncode == 0
    assert not _under_way(site)
    assert _pets_open(site)


def test_a_protect_that_was_killed_goes_on_under_the_other_root(site: Site) -> None:
    """Its record does not hold the root: what is left to do opens by the one that is configured."""
    [first] = site.roots
    with protecting(site) as process:
        process.kill()
        process.wait(60)
    _take_off(site, first)
    (site.folder / "keys" / "root.key").unlink()
    assert _under_way(site)
    site.well("protect", "--json")
    assert _pets_open(site)


def test_the_only_root_of_a_protect_is_not_taken_off(site: Site) -> None:
    """Neither while it runs nor after it was killed; the list has its columns, and says what is under way."""
    [first] = site.roots
    site.well("keys", "root", "make", "file:keys/second.key")
    with protecting(site) as process:
        settings = yaml.safe_load((site.folder / "strongroom.yaml").read_text())
        site.configure(root="file:keys/second.key")
        for _ in range(2):
            refused = site("keys", "root", "remove", first)
            assert refused.status != 0
            assert f"'kek {site.database}' would open no more" in refused.stderr
            assert f"{PETS}, of which the strongroom protect is under way" in " ".join(refused.stderr.split())
            process.kill()
            process.wait(60)
        site.configure(**settings["keys"])
    assert site.roots == [first]
    site.well("protect", "--json")
    assert _pets_open(site)


def _take_off(site: Site, first: str) -> None:
    """From one file to another, to the end."""
    site.well("keys", "root", "make", "file:keys/second.key")
    site.configure(root="file:keys/second.key", second_root="file:keys/root.key")
    site.well("keys", "root", "rewrap")
    site.configure(root="file:keys/second.key")
    site.well("keys", "root", "remove", first)
    site.becomes_due()
    site.well("keys", "root", "remove", first, "--now-due")
    assert first not in site.roots


@pytest.mark.parametrize("starts", [False, True], ids=["at-once", "after-a-start"])
def test_a_removal_killed_at_any_statement(site: Site, starts: bool) -> None:
    """Run again it ends, and is written down once; that it has begun is known before its first deed."""
    first, died = _two_roots(site), 0
    while site.dies_after(died, "keys", "root", "remove", first, "--now-due"):
        died += 1
        with site.state() as state:
            [kek] = kept_keks(state.engine).values()
        assert first in kek.wraps or "root removal begun" in site.events()
        assert "root removed" not in site.events()
        if starts:
            site.well("protect", "--json")
    assert died > 12
    assert first not in site.roots
    assert site.events().count("root removed") == 1
    assert [(row["root"] == first, row["removal"]) for row in site.table()] == [(False, None)]
    site.well("protect", "--json")


def test_a_removal_killed_once_at_each_statement(site: Site) -> None:
    """Wherever it died, the second run does all that is left."""
    first, died = _two_roots(site), 0
    kept_folder = site.folder / "kept"
    shutil.copytree(site.folder / "state", kept_folder)
    with site.server.connect(site.database) as direct:
        direct.execute("CREATE TABLE kept AS TABLE strongroom_keys.keks")
    while site.dies_after(died, "keys", "root", "remove", first, "--now-due"):
        died += 1
        if site("keys", "root", "remove", first, "--now-due").status:
            assert "root removed" in site.events()  # all but the end of the command was done
        assert first not in site.roots
        assert site.events().count("root removed") == 1
        assert [row["removal"] for row in site.table()] == [None]
        shutil.rmtree(site.folder / "state")
        shutil.copytree(kept_folder, site.folder / "state")
        with site.server.connect(site.database) as direct:
            direct.execute("DELETE FROM strongroom_keys.keks")
            direct.execute("INSERT INTO strongroom_keys.keks TABLE kept")
    assert died > 12


def test_a_removal_that_has_begun_is_not_taken_back(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it took off is off; `keys destroy` counts the root as one that wrapped, before it has ended."""
    first = _two_roots(site)

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as mortal:
        mortal.setattr("strongroom.gateway.wraps.adopt_keks", die)
        with pytest.raises(Killed):
            site("keys", "root", "remove", first, "--now-due")
    assert "has begun" in site("keys", "root", "remove", first, "--cancel").stderr
    site.well("keys", "rotate", "public.people.email", "--reencrypt", "--no-wait")
    said = site("keys", "destroy", "public.people.email", "1", "--json")
    assert first in json.loads(said.stdout)["roots"]
    site.well("keys", "root", "remove", first, "--now-due")
    assert first not in site.roots


def test_a_rewrap_killed_at_any_statement(site: Site) -> None:
    """The keys open at every moment; run again it wraps them under both roots, in both places."""
    [first] = site.roots
    site.well("keys", "root", "make", "file:keys/second.key")
    site.configure(root="file:keys/second.key", second_root="file:keys/root.key")
    died = 0
    while site.dies_after(died, "keys", "root", "rewrap"):
        died += 1
        site.configure(root="file:keys/root.key")
        assert site("keys", "list").status == 0
        site.configure(root="file:keys/second.key", second_root="file:keys/root.key")
    assert died > 8
    assert first in site.roots
    assert len(site.roots) == 2
    assert site.events().count("rewrapped") == 1
