"""A protected database with everything around it on this machine, to be lost and brought back."""

import asyncio
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pyrage
import pytest
import yaml
from tests.cli.conftest import Run
from tests.cli.keys.signing import People
from tests.protect.samples import Counted

from strongroom.cli.keys import rehearsal
from strongroom.config import StateAddress, load
from strongroom.gateway.protection import prepare, schemes_of
from strongroom.gateway.restoring import places_of_keys
from strongroom.keys import age
from strongroom.keys.store import KeyStore
from strongroom.protect.plan import TEXT_FORMAT, ColumnCodec
from strongroom.protect.style import TextStyle
from strongroom.state import State, open_state
from strongroom.testing.gateway import Gateway
from strongroom.testing.servers import PostgresServer

ROWS = 40
TABLE = f"""
CREATE TABLE people (id int PRIMARY KEY, email text NOT NULL UNIQUE, note varchar(40));
INSERT INTO people SELECT g, 'person' || g || '@example.org', 'note ' || g FROM generate_series(1, {ROWS}) g;
"""
COLUMNS = {
    "public.people.email": {"type": "text", "encryption": "deterministic"},
    "public.people.note": {"type": "varchar(40)", "encryption": "randomized"},
}


@dataclass
class House:
    """One installation: the folder of the machine, the database beside it, and a safe for backups."""

    folder: Path
    server: PostgresServer
    database: str
    run: Callable[..., Run] = field(repr=False)
    settings: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def safe(self) -> Path:
        """Where backups are."""
        return self.folder / "safe"

    def __call__(self, *words: str) -> Run:
        """Runs a command."""
        return self.run(*words, "--config", str(self.folder / "strongroom.yaml"))

    def configure(self, **changes: Any) -> None:
        """Writes the configuration with other top-level entries."""
        self.settings |= changes
        (self.folder / "strongroom.yaml").write_text(yaml.safe_dump(self.settings), encoding="utf-8")

    @property
    def identity(self) -> str:
        """A file with an identity of age, to which backups are made: a passphrase takes seconds."""
        file = self.safe / "identity"
        if not file.exists():
            file.write_text(f"{pyrage.x25519.Identity.generate()}\n")
        return str(file)

    def backup(self, name: str = "keys.age") -> Path:
        """A backup to the identity."""
        (identity,) = age.of_identity_file(Path(self.identity).read_bytes()).identities
        run = self("keys", "backup", str(self.safe / name), "-r", str(identity.to_public()))
        assert run.status == 0, run.stderr
        return self.safe / name

    def restore(self, file: Path) -> Run:
        """Brings back a backup to the identity."""
        return self("keys", "restore", str(file), "--json", "--identity", self.identity)

    def burn(self, *names: str) -> None:
        """Loses what the machine had: the state, the root, or both."""
        for name in names:
            shutil.rmtree(self.folder / name)
            (self.folder / name).mkdir(mode=0o700)

    @contextmanager
    def opened_state(self) -> Iterator[State]:
        """The state as it is now."""
        state = open_state(StateAddress(self.folder / "state" / "state.db"))
        yield state
        state.close()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the database itself says."""
        with self.server.connect(self.database) as direct:
            return direct.execute(query.encode()).fetchall()

    def opened(self, state_folder: Path | None = None) -> list[tuple[Any, ...]]:
        """All rows, opened by the keys that a start finds with this state, or with another gateway's."""
        settings = load(self.folder / "strongroom.yaml")
        folder = state_folder or settings.state.path.parent
        state = open_state(StateAddress(folder / "state.db"))
        try:
            prepared = asyncio.run(prepare(settings, state, places_of_keys(settings)))
            keysets = KeyStore(state.engine, prepared.keks).load()
        finally:
            state.close()
        schemes = schemes_of(settings, self.database)
        codecs = [ColumnCodec(schemes[one], keysets[schemes[one].keyset], Counted()) for one in COLUMNS]
        return [
            (number, *(opened_text(codec, value) for codec, value in zip(codecs, values, strict=True)))
            for number, *values in self.rows("SELECT id, email, note FROM people ORDER BY id")
        ]

    def served(self) -> list[tuple[Any, ...]]:
        """What an application reads through a gateway that is started on all this."""
        user = ("postgres", self.server.password)
        with (
            Gateway.start(
                self.server, self.database, upstream=user, more={"columns": COLUMNS}, first=self.move_in
            ) as gateway,
            psycopg.connect(gateway.uri()) as application,
        ):
            return application.execute("SELECT id, email, note FROM people ORDER BY id").fetchall()

    def move_in(self, gateway: Gateway) -> None:
        """The gateway takes this machine's state and root for its own."""
        for name in ("state", "keys"):
            shutil.rmtree(gateway.folder / name)
            shutil.copytree(self.folder / name, gateway.folder / name)
        (gateway.folder / "state").chmod(0o700)


def opened_text(codec: ColumnCodec, value: bytes) -> str:
    """A value as an application would see it."""
    opened = codec.open(value, format_code=TEXT_FORMAT, style=TextStyle())
    assert opened is not None
    return opened.decode()


EVERYONE = [(g, f"person{g}@example.org", f"note {g}") for g in range(1, ROWS + 1)]


@pytest.fixture
def house(
    strongroom: Callable[..., Run],
    postgres: PostgresServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> House:
    """An installation whose two columns are protected."""
    name = postgres.create_database(f"db{secrets.token_hex(4)}")
    postgres.run(TABLE, name)
    for folder in ("state", "keys", "safe"):
        (tmp_path / folder).mkdir(mode=0o700)
    monkeypatch.setenv("KEYS_TEST_PASSWORD", postgres.password)
    made = House(tmp_path, postgres, name, strongroom)
    made.configure(
        state="sqlite:state/state.db",
        keys={"root": "file:keys/root.key"},
        databases={
            name: {
                "upstream": postgres.uri(name, password=""),
                "upstream_password": "${KEYS_TEST_PASSWORD}",
                "listen": "127.0.0.1:6432",
                "columns": COLUMNS,
            }
        },
    )
    assert made("protect", "--json").status == 0
    return made


@pytest.fixture
def people(house: House, tmp_path_factory: pytest.TempPathFactory) -> People:
    """Two of three must sign."""
    made = People(house, tmp_path_factory.mktemp("people"))
    made.require()
    return made


class Memory:
    """Where a drill of this test puts what it makes; other tests, and people, have drills of their own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._made = folder.stat().st_mtime_ns

    def was_used_and_left_empty(self) -> bool:
        """Whether something was made there, and nothing of it is left."""
        return self._folder.stat().st_mtime_ns > self._made and not list(self._folder.iterdir())


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Memory:
    """In the place of /dev/shm."""
    folder = tmp_path / "memory"
    made = Memory(folder)
    monkeypatch.setattr(rehearsal, "MEMORY", folder)
    return made
