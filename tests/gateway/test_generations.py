"""How far the state has come, as a gateway that starts and one that runs sees it."""

import asyncio
import contextlib
import secrets
import shutil
import signal
from typing import Any

import pytest

from strongroom.config import load
from strongroom.gateway import supervisor
from strongroom.gateway.generations import look_again
from strongroom.gateway.supervisor import Supervisor
from strongroom.keys.root.entering import Entered
from strongroom.state import open_state
from strongroom.testing.gateway import Gateway
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until

COLUMNS = {"public.people.note": {"type": "text", "encryption": "randomized"}}
SAID = "state-rolled-back"


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    """A new database with a table whose sensitive column awaits sealed values."""
    name = postgres.create_database(f"db{secrets.token_hex(4)}")
    postgres.run("CREATE TABLE people (id int PRIMARY KEY, note bytea)", name)
    return name


def test_a_start_with_a_state_that_was_copied_back(postgres: PostgresServer, database: str) -> None:
    """The log says it, once; starts and reloads before and after it are quiet, and the gateway serves."""
    with Gateway.start(postgres, database, more={"columns": COLUMNS}) as gateway:
        gateway.signal(signal.SIGHUP)
        wait_until(lambda: "configuration accepted" in gateway.log.read_text(), "a reload")
        _stop(gateway)
        shutil.copytree(gateway.folder / "state", gateway.folder / "copy")
        gateway.launch()
        _stop(gateway)
        assert SAID not in gateway.log.read_text()
        shutil.rmtree(gateway.folder / "state")
        shutil.copytree(gateway.folder / "copy", gateway.folder / "state")
        gateway.launch()
        assert gateway.log.read_text().count(SAID) == 1
        _stop(gateway)
        gateway.launch()
        assert gateway.log.read_text().count(SAID) == 1


def test_a_gateway_that_runs_looks_again(
    postgres: PostgresServer, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hour after hour: each time the next number stands beside the data."""
    with Gateway.start(postgres, database, more={"columns": COLUMNS}) as gateway:
        _stop(gateway)
        settings = load(gateway.configuration, gateway.environment)
        state = open_state(settings.state)
        numbers: list[tuple[Any, ...]] = []

        async def looked(*arguments: Any) -> list[str]:
            said = await look_again(*arguments)
            with postgres.connect(database) as direct:
                numbers.extend(direct.execute("SELECT number FROM strongroom_keys.generations").fetchall())
            if len(numbers) == 3:
                raise asyncio.CancelledError
            return said

        monkeypatch.setattr(supervisor, "WATCH_SECONDS", 0)
        monkeypatch.setattr(supervisor, "look_again", looked)

        async def watch() -> None:
            agreed = await supervisor._agree(settings, state, Entered(), {})
            with contextlib.suppress(asyncio.CancelledError):
                await Supervisor(settings, agreed, state, Entered())._watch()

        asyncio.run(watch())
        state.close()
    first = numbers[0][0]
    assert [one[0] for one in numbers] == [first, first + 1, first + 2]


def _stop(gateway: Gateway) -> None:
    gateway.signal(signal.SIGTERM)
    assert gateway.wait() == 0
