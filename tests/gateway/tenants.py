"""A shop of several tenants behind a real database: two columns with ``tenant:``, and where keys are kept."""

import asyncio
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from strongroom.config import Settings, load
from strongroom.gateway.gate import upstream_of
from strongroom.gateway.kept import Kept, Place, kept_beside
from strongroom.gateway.newcomers import Newcomers, Site, add
from strongroom.gateway.protection import Prepared, prepare
from strongroom.keys.root.file import FileRoot
from strongroom.keys.store import KeyStore
from strongroom.state import State, open_state
from strongroom.testing.servers import PostgresServer

TABLE = "CREATE TABLE people (id int PRIMARY KEY, tenant text NOT NULL, iban bytea, phone bytea)"
IBAN = {"type": "text", "encryption": "randomized", "tenant": "tenant"}
COLUMNS = {"public.people.iban": IBAN, "public.people.phone": IBAN}


@dataclass
class Shop:
    """An installation: folders for the state, the root, and the copies of tenants' keys; a database."""

    folder: Path
    server: PostgresServer
    database: str
    own: dict[str, str] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=lambda: dict(COLUMNS))
    more: dict[str, Any] = field(default_factory=dict)
    """Further entries under keys.tenants."""
    second_root: str | None = None
    approvals: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path, server: PostgresServer) -> "Shop":
        """A new one, with a table whose sensitive columns await sealed values."""
        name = server.create_database(f"db{secrets.token_hex(4)}")
        server.run(TABLE, name)
        for one in ("state", "root", "copies"):
            (folder / one).mkdir(mode=0o700)
        return cls(folder, server, name)

    @property
    def configuration(self) -> dict[str, Any]:
        """As it stands in the file."""
        return {
            "state": "sqlite:state/state.db",
            "keys": {
                "root": "file:root/root.key",
                **({"second_root": self.second_root} if self.second_root else {}),
                **({"approvals": self.approvals} if self.approvals else {}),
                "tenants": {
                    "copies": "copies",
                    "own": {f"{self.database}@{name}": address for name, address in self.own.items()},
                    **self.more,
                },
            },
            "databases": {
                self.database: {
                    "upstream": self.server.uri(self.database, password=""),
                    "upstream_password": "${PASSWORD}",
                    "listen": "127.0.0.1:6432",
                    "columns": self.columns,
                }
            },
        }

    def settings(self) -> Settings:
        """The configuration, read."""
        file = self.folder / "strongroom.yaml"
        file.write_text(yaml.safe_dump(self.configuration))
        return load(file, {**os.environ, "PASSWORD": self.server.password})

    @contextmanager
    def state(self) -> Iterator[State]:
        """The state, open."""
        state = open_state(self.settings().state)
        try:
            yield state
        finally:
            state.close()

    @property
    def place(self) -> Place:
        """The database."""
        upstream = upstream_of(self.database, self.settings())
        return Place(self.database, upstream, upstream)

    def prepared(self) -> Prepared:
        """As at a start."""
        with self.state() as state:
            return asyncio.run(prepare(self.settings(), state, [self.place]))

    def add(self, *names: str, again: bool = False) -> Newcomers:
        """As `strongroom keys tenants add` does it."""

        async def work() -> Newcomers:
            prepared = await prepare(self.settings(), state, [self.place])
            return await add(Site(self.settings(), state, self.place, prepared.roots), names, again=again)

        with self.state() as state:
            return asyncio.run(work())

    def hold(self, tenant: str) -> Path:
        """The tenant holds its own key, in a file that stands for its provider; the file."""
        folder = self.folder / f"key-of-{tenant}"
        folder.mkdir(mode=0o700)
        FileRoot.create(folder / "own.key", self.folder / "state")
        self.own[tenant] = f"file:{folder / 'own.key'}"
        return folder / "own.key"

    def beside(self) -> Kept:
        """What stands beside the data."""
        return asyncio.run(kept_beside(self.place.connector))

    def lose_state(self) -> None:
        """The state is gone."""
        for file in (self.folder / "state").iterdir():
            file.unlink()

    def keysets(self, prepared: Prepared) -> list[str]:
        """Those of tenants that open, by `TENANT column`."""
        with self.state() as state:
            names = KeyStore(state.engine, prepared.keks).load()
        return sorted(name.partition("@")[2].replace("/public.people.", " ") for name in names)
