"""gateway/reminding.py: the keys of a real gateway's database say what was accepted.

That nothing starts without it is in `test_weakening`.
"""

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.config.test_approvals import A, B

from strongroom.acceptance.reminder import Reminder
from strongroom.acceptance.store import Acceptance
from strongroom.config import StateAddress, load
from strongroom.errors import ProtectionForgotten
from strongroom.gateway.gate import upstream_of
from strongroom.gateway.kept import Place
from strongroom.gateway.protection import open_keks, prepare
from strongroom.gateway.reminding import remind
from strongroom.gateway.standing import settle, stand
from strongroom.keys.kek import kek_name
from strongroom.keys.root.file import FileRoot
from strongroom.keys.store import kept_keks
from strongroom.state import State, open_state
from strongroom.testing.servers import PostgresServer


class Machine:
    """A configuration with a protected column and two roots, and a database."""

    def __init__(self, folder: Path, server: PostgresServer, name: str) -> None:
        self.folder, self.server, self.name = folder, server, name
        for one in ("state", "keys"):
            (folder / one).mkdir(mode=0o700)
        for one in ("one", "two"):
            FileRoot.create(folder / "keys" / f"{one}.key", None)
        upstream = {"upstream": server.uri(name, password=""), "upstream_password": "${PW}"}
        columns = {"public.people.note": {"type": "text", "encryption": "randomized"}}
        self.found: dict[str, Any] = {
            "state": "sqlite:state/one.db",
            "keys": {"root": "file:keys/one.key", "second_root": "file:keys/two.key"},
            "protection": {"approvals": 2, "by": {"anna": A, "ben": B}},
            "databases": {"shop": {**upstream, "listen": "127.0.0.1:6432", "columns": columns}},
        }

    def start(self) -> list[str]:
        """What a start does; what is said of the keys' reminders."""
        file = self.folder / "strongroom.yaml"
        file.write_text(yaml.safe_dump(self.found))
        settings = load(file, {"PW": self.server.password})
        way = upstream_of("shop", settings)
        place = Place("shop", way, way)
        state = self.state()
        try:
            return asyncio.run(self._start(settings, state, place))
        finally:
            state.close()

    async def _start(self, settings: Any, state: State, place: Place) -> list[str]:
        standing = await stand(settings, state, [place])
        prepared = await prepare(settings, state, [place])
        await settle(standing, settings, state, [place], roots=prepared.roots)
        said = await remind(state, [place], prepared.keks.by_name.values(), prepared.roots)
        (self.reminder,) = {kek.reminder for kek in open_keks(settings, state).by_name.values()}
        return said

    def state(self) -> State:
        return open_state(StateAddress(self.folder / "state" / "one.db"))

    def revision(self) -> int:
        """Of the KEK in the state and beside the data, which are one."""
        state = self.state()
        try:
            ours = kept_keks(state.engine)[kek_name("shop")]
        finally:
            state.close()
        with self.server.connect(self.name) as direct:
            row = direct.execute("SELECT revision FROM strongroom_keys.keks").fetchone()
        assert row == (ours.revision,)
        return ours.revision

    def known(self) -> Reminder | None:
        state = self.state()
        try:
            accepted = Acceptance(state.engine).accepted()
        finally:
            state.close()
        assert accepted is not None
        return Reminder.of(accepted.number, accepted.stance)


@pytest.fixture
def machine(postgres: PostgresServer, tmp_path: Path) -> Iterator[Machine]:
    """With a database of its own."""
    name = postgres.create_database(f"db{secrets.token_hex(4)}")
    postgres.run("CREATE TABLE people (id int PRIMARY KEY, note bytea)", name)
    yield Machine(tmp_path, postgres, name)
    postgres.run(f"DROP DATABASE {name} WITH (FORCE)", "postgres")


def test_the_keys_follow(machine: Machine) -> None:
    """Each change that counts is written into them once; where nothing changed, nothing is wrapped."""
    assert machine.start() == []
    assert machine.reminder == str(machine.known())
    before = machine.revision()
    assert machine.start() == []
    assert machine.revision() == before
    machine.found["login"] = {"failures": 6}
    assert machine.start() == []
    assert machine.reminder.startswith("2 ")
    assert machine.revision() == before + 1


def test_all_roots_or_none(machine: Machine) -> None:
    """While one root is away the keys stay as they are, and are brought up to it once it is back."""
    machine.start()
    away = machine.folder / "keys" / "two.key"
    hidden = away.rename(away.with_suffix(".away"))
    machine.found["login"] = {"failures": 6}
    (said,) = machine.start()
    assert "the next start tries again" in said
    assert machine.reminder.startswith("1 ")
    hidden.rename(away)
    assert machine.start() == []
    assert machine.reminder.startswith("2 ")


def test_without_the_section_they_say_nothing(machine: Machine) -> None:
    """Who asks nobody to sign is not reminded of anything."""
    del machine.found["protection"]
    assert machine.start() == []
    assert machine.reminder == ""


def test_a_state_of_before(machine: Machine) -> None:
    """A state that was copied back, with the row as old as it, is not enough either."""
    machine.start()
    file = machine.folder / "state" / "one.db"
    copy = file.read_bytes()
    with machine.server.connect(machine.name) as direct:
        (row,) = direct.execute("SELECT number, stance, proofs FROM strongroom_keys.protection").fetchall()
    machine.found["login"] = {"failures": 6}
    machine.start()
    for one in file.parent.iterdir():
        if one.name.startswith(f"{file.name}-"):
            one.unlink()
    file.write_bytes(copy)
    with machine.server.connect(machine.name) as direct:
        direct.execute("UPDATE strongroom_keys.protection SET number = %s, stance = %s, proofs = %s", row)
    machine.found["login"] = {"failures": 10}
    with pytest.raises(ProtectionForgotten, match="configuration 2 was accepted"):
        machine.start()
