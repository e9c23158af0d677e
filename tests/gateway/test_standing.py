"""gateway/standing.py: what was accepted, in the state and beside the data of a real PostgreSQL."""

import asyncio
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.config.test_approvals import A, B

from strongroom.acceptance.store import Acceptance, Accepted
from strongroom.config import StateAddress, load
from strongroom.errors import ProtectionForgotten, ProtectionNotKept, ProtectionWeakened
from strongroom.gateway.gate import owner_of, upstream_of
from strongroom.gateway.kept import Place
from strongroom.gateway.standing import settle, stand
from strongroom.keys.hierarchy import Roots
from strongroom.keys.root.file import FileRoot
from strongroom.state import open_state
from strongroom.testing.processes import free_port
from strongroom.testing.servers import PostgresServer

SIGNERS = {"approvals": 2, "by": {"anna": A, "ben": B}}


class Machine:
    """A configuration, its states, and a database without protected columns."""

    def __init__(self, folder: Path, server: PostgresServer, name: str) -> None:
        self.folder, self.server, self.name = folder, server, name
        for one in ("state", "keys"):
            (folder / one).mkdir(mode=0o700)
        FileRoot.create(folder / "keys" / "root.key", None)
        self.found: dict[str, Any] = {
            "state": "sqlite:state/one.db",
            "keys": {"root": "file:keys/root.key"},
            "protection": SIGNERS,
            "databases": {"shop": {"upstream": server.uri(name, password=""), "listen": "127.0.0.1:6432"}},
            "login": {"failures": 10},
        }
        self.database["upstream_password"] = "${PW}"

    @property
    def database(self) -> dict[str, Any]:
        database: dict[str, Any] = self.found["databases"]["shop"]
        return database

    def start(self, state: str = "one") -> list[str]:
        """What a start does about protection; what it says."""
        file = self.folder / "strongroom.yaml"
        file.write_text(yaml.safe_dump(self.found))
        settings = load(file, {"PW": self.server.password})
        way = upstream_of("shop", settings)
        place = Place("shop", way, owner_of("shop", settings) or way)
        opened = open_state(StateAddress(self.folder / "state" / f"{state}.db"))
        try:
            return asyncio.run(self._start(settings, opened, place))
        finally:
            opened.close()

    @staticmethod
    async def _start(settings: Any, state: Any, place: Place) -> list[str]:
        standing = await stand(settings, state, [place])
        return await settle(standing, settings, state, [place], roots=Roots(()))

    def known(self, state: str = "one") -> Accepted | None:
        opened = open_state(StateAddress(self.folder / "state" / f"{state}.db"))
        try:
            return Acceptance(opened.engine).accepted()
        finally:
            opened.close()

    def row(self) -> tuple[int, str, dict[str, str]]:
        """What stands beside the data."""
        with self.server.connect(self.name) as direct:
            found = direct.execute("SELECT number, stance, proofs FROM strongroom_keys.protection").fetchall()
        ((number, stance, proofs),) = found
        return number, stance, json.loads(proofs)

    def sql(self, statement: str) -> None:
        self.server.run(statement, self.name)


@pytest.fixture
def machine(postgres: PostgresServer, tmp_path: Path) -> Iterator[Machine]:
    """With a database of its own."""
    name = postgres.create_database(f"db{secrets.token_hex(4)}")
    yield Machine(tmp_path, postgres, name)
    postgres.run(f"DROP DATABASE {name} WITH (FORCE)", "postgres")


def test_the_first_start_binds(machine: Machine) -> None:
    """In the state and beside the data alike; the second start has nothing to say or to write."""
    assert machine.start() == ["what weakens protection takes several people from now on"]
    number, stance, proofs = machine.row()
    known = machine.known()
    assert known is not None
    assert (known.number, known.stance.written()) == (number, stance) == (1, stance)
    assert len(proofs) == 1
    assert machine.start() == []
    assert machine.row() == (number, stance, proofs)


def test_without_the_section_nothing_is_kept(machine: Machine) -> None:
    """Neither here nor there."""
    del machine.found["protection"]
    assert machine.start() == []
    assert machine.known() is None
    with machine.server.connect(machine.name) as direct:
        assert direct.execute("SELECT to_regclass('strongroom_keys.protection')").fetchone() == (None,)


def test_a_new_state_takes_over(machine: Machine) -> None:
    """What is weaker is refused by it; what is not counts on from the number that stands there."""
    machine.start()
    machine.found["login"] = {"failures": 11}
    with pytest.raises(ProtectionWeakened):
        machine.start("two")
    machine.found["login"] = {"failures": 9}
    machine.start("two")
    assert machine.row()[0] == 2
    machine.found["login"] = {"failures": 10}
    with pytest.raises(ProtectionWeakened):  # the first state learns of it, too: it was passed by
        machine.start("one")
    assert (known := machine.known("one")) is not None
    assert known.number == 2


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM strongroom_keys.protection",
        "DROP SCHEMA strongroom_keys CASCADE",
        "UPDATE strongroom_keys.protection SET number = 0",
        "UPDATE strongroom_keys.protection SET proofs = '{}'",
    ],
)
def test_what_goes_there_comes_back(machine: Machine, damage: str) -> None:
    """A state that knows what counts puts it there again."""
    machine.start()
    before = machine.row()[:2]
    machine.sql(damage)
    machine.start()
    assert machine.row()[:2] == before
    machine.found["login"] = {"failures": 11}
    with pytest.raises(ProtectionWeakened):
        machine.start("two")


def test_a_state_that_was_copied_and_is_used_twice(machine: Machine) -> None:
    """Two stances of one number: neither can be told to be the newer."""
    machine.start()
    (machine.folder / "state" / "two.db").write_bytes((machine.folder / "state" / "one.db").read_bytes())
    (machine.folder / "state" / "two.db").chmod(0o600)
    machine.found["login"] = {"failures": 9}
    machine.start("one")
    before = machine.row()
    machine.sql("DELETE FROM strongroom_keys.protection")
    machine.found["login"] = {"failures": 8}
    machine.start("two")
    with pytest.raises(ProtectionForgotten, match="another state has accepted"):
        machine.start("one")
    assert before[0] == machine.row()[0] == 2


def test_a_second_root_proves_it_too(machine: Machine) -> None:
    """Once people agreed to it; then either is enough for a new state."""
    machine.start()
    other = machine.folder / "keys" / "other.key"
    FileRoot.create(other, None)
    machine.found["keys"]["second_root"] = str(f"file:{other}")
    with pytest.raises(ProtectionWeakened, match="1 place"):
        machine.start()


def test_where_it_cannot_be_written(machine: Machine) -> None:
    """Nothing starts: a state that is lost would forget it."""
    role = f"meek{secrets.token_hex(4)}"
    machine.sql(f"CREATE ROLE {role} LOGIN PASSWORD 'meek'")
    machine.database["upstream"] = machine.server.uri(machine.name, role, password="")
    machine.database["upstream_password"] = "meek"
    with pytest.raises(ProtectionNotKept, match="42501"):
        machine.start()


def test_a_database_that_does_not_answer(machine: Machine) -> None:
    """It is passed over where the state knows what counts, and said where nothing binds; else refused."""
    there = machine.database["upstream"]
    machine.database["upstream"] = f"postgresql://nobody@127.0.0.1:{free_port()}/shop"
    with pytest.raises(ProtectionForgotten, match="cannot be asked for"):
        machine.start()
    signers = machine.found.pop("protection")
    (said,) = machine.start()
    assert "does not answer" in said
    machine.found["protection"], machine.database["upstream"] = signers, there
    machine.start("two")
    machine.server.run(f"ALTER DATABASE {machine.name} ALLOW_CONNECTIONS false", "postgres")
    try:
        assert machine.start("two") == []
        machine.found["login"] = {"failures": 9}
        with pytest.raises(ProtectionNotKept):
            machine.start("two")
    finally:
        machine.server.run(f"ALTER DATABASE {machine.name} ALLOW_CONNECTIONS true", "postgres")
    machine.start("two")
    assert machine.row()[0] == 2
