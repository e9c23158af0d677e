"""gateway/snapshots.py: what a worker knows of keys, and for how long that counts."""

import asyncio
import secrets
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg
import pytest
from tests.kit.reachable import reachable

from strongroom.config import Settings, load
from strongroom.errors import KeysUnread
from strongroom.gateway.control import Line
from strongroom.gateway.gate import upstream_of
from strongroom.gateway.protection import open_keks
from strongroom.gateway.server import Server
from strongroom.gateway.snapshots import KEYS_SECONDS, TEXTS_SECONDS, Snapshots
from strongroom.protect.plan import ColumnCodec
from strongroom.session import events as ev
from strongroom.sql.statement import Analysis
from strongroom.state import State, open_state
from strongroom.testing.gateway import Gateway
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until

COLUMNS = {"public.people.note": {"type": "text", "encryption": "randomized"}}
NOTE = "public.people.note"
ROWS = 40


@dataclass
class World:
    """A running gateway with a protected column; and its state, as a worker of it sees it."""

    gateway: Gateway
    settings: Settings
    state: State
    now: list[float] = field(default_factory=lambda: [0.0])

    def snapshots(self) -> Snapshots:
        """Those of one more worker, whose clock is ours."""
        return Snapshots(self.settings, self.state, self.keks, lambda: self.now[0])

    @property
    def name(self) -> str:
        """The database."""
        return self.gateway.database

    def __post_init__(self) -> None:
        self.keks = open_keks(self.settings, self.state)
        self.connector = upstream_of(self.name, self.settings)


@pytest.fixture
def world(postgres: PostgresServer) -> Iterator[World]:
    """People with notes."""
    name = postgres.create_database(f"db{secrets.token_hex(4)}")
    postgres.run("CREATE TABLE people (id int PRIMARY KEY, note bytea)", name)
    with Gateway.start(postgres, name, more={"columns": COLUMNS}) as gateway:
        with psycopg.connect(gateway.uri(), autocommit=True) as one:
            one.cursor().executemany(
                "INSERT INTO people VALUES (%s, %s)", [(i, f"note {i}") for i in range(ROWS)]
            )
        settings = load(gateway.configuration, dict(gateway.environment))
        state = open_state(settings.state)
        yield World(gateway, settings, state)
        state.close()


def test_keys_that_could_not_be_read_again_count_no_more(world: World) -> None:
    """An hour after the last reading; the next one has them back."""
    snapshots = world.snapshots()
    known = asyncio.run(snapshots.read(world.name, world.connector))
    world.now[0] = KEYS_SECONDS
    assert snapshots.find(world.name) is known
    world.now[0] += 1
    with pytest.raises(KeysUnread):
        snapshots.find(world.name)
    assert asyncio.run(snapshots.read(world.name, world.connector)) is known
    assert snapshots.find(world.name) is known


def test_texts_with_literals_are_forgotten(world: World) -> None:
    """Once nobody sends them any more."""
    snapshots = world.snapshots()
    known = asyncio.run(snapshots.read(world.name, world.connector))
    assert known is not None
    known.analyses.keep(("SELECT 'a literal'",), Analysis((), ()))
    for there in (True, False):
        world.now[0] += TEXTS_SECONDS
        assert any(one == "SELECT 'a literal'" for one in reachable(known.analyses))
        assert asyncio.run(snapshots.read(world.name, world.connector)) is known
        assert any(one == "SELECT 'a literal'" for one in reachable(known.analyses)) is there


def test_a_key_that_was_used_enough_is_told_once(world: World) -> None:
    """By the worker that uses it: nobody waits for the next hour."""
    told: list[str] = []
    keys = world.settings.keys
    assert keys is not None
    rotate = keys.rotate.model_copy(update={"share": 3000 / 2**31})
    settings = world.settings.model_copy(update={"keys": keys.model_copy(update={"rotate": rotate})})
    snapshots = Snapshots(settings, world.state, world.keks, due=lambda: told.append("due"))
    known = asyncio.run(snapshots.read(world.name, world.connector))
    assert known is not None
    codec = known.codecs[NOTE]
    assert isinstance(codec, ColumnCodec)
    codec.count(1)  # beside the 1,024 of the gateway's own worker
    assert told == []
    for _ in range(2):
        codec.count(5000)
    assert told == ["due"]


def test_then_sessions_end(world: World) -> None:
    """Before, each looks at the catalog by itself."""

    async def heard(clock: float) -> ev.Event:
        mine, theirs = socket.socketpair()
        with theirs:
            line = await Line.over(mine)
            server = Server(world.settings, world.state, line, world.keks)
            server._snapshots = world.snapshots()
            await server._snapshots.read(world.name, world.connector)
            world.now[0] += clock
            line.close()
            assert [one async for one in line.messages()] == []
            return server._aged(world.name)

    assert isinstance(asyncio.run(heard(KEYS_SECONDS)), ev.SnapshotAged)
    assert isinstance(asyncio.run(heard(KEYS_SECONDS + 1)), ev.SnapshotLost)


def ends(connection: psycopg.Connection, statement: str) -> bool:
    """Whether the statement is answered with an error, and with nothing in the clear."""
    try:
        cursor = connection.execute(statement.encode())
    except psycopg.Error as error:
        return error.sqlstate in ("XX001", None) or connection.closed
    assert cursor.fetchall()
    return False


def test_a_suspended_key_opens_nothing_in_any_session(world: World) -> None:
    """Be it idle, in a transaction with a catalog of its own, or half-way through a cursor or a COPY.

    The gateway reads keys again as soon as a catalog changes, and on a timer (``CATALOG_SECONDS``).
    """
    gateway = world.gateway
    gateway.command("keys", "rotate", NOTE, "--no-wait")
    idle, changing, reading = (psycopg.connect(gateway.uri(), autocommit=True) for _ in range(3))
    idle.execute("SELECT note FROM people WHERE id = %s", [1], prepare=True)
    changing.execute("BEGIN; CREATE TABLE of_its_own (id int)")
    assert changing.execute("SELECT note FROM people").fetchone() == ("note 0",)
    reading.execute("BEGIN; DECLARE half CURSOR FOR SELECT note FROM people")
    assert reading.execute("FETCH half").fetchone() == ("note 0",)
    gateway.command("keys", "suspend", NOTE, "--version", "1")
    with psycopg.connect(gateway.uri(), autocommit=True) as other:
        other.execute("CREATE TABLE other (id int)")  # has the keys be read
    asked = [
        (idle, "SELECT note FROM people WHERE id = 1"),
        (changing, "SELECT note FROM people"),
        (reading, "FETCH half"),
    ]
    for connection, statement in asked:
        wait_until(lambda c=connection, s=statement: ends(c, s), "the key opens no more")  # type: ignore[misc]  # bound at once
        connection.close()
