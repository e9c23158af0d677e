"""How far the state has come, as a gateway that starts and one that runs sees it."""

import asyncio
import contextlib
import secrets
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from strongroom.config import StateAddress, load
from strongroom.gateway import supervisor
from strongroom.gateway.generations import begin_anew, look_again
from strongroom.gateway.kept import Kept
from strongroom.gateway.supervisor import Supervisor
from strongroom.keys import generation
from strongroom.keys.generation import Generation
from strongroom.keys.kek import WrappedKek, WrappedKeyset
from strongroom.keys.root.entering import Entered
from strongroom.keys.store import adopt_keks
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


KEK = WrappedKek("kek shop", 3, {"file 1": b"wrapped"})
KEYSET = WrappedKeyset("shop/public.people.note", 2, b"wrapped")
OTHER = Generation("0123456789abcdef", 7, "mark", "proof")


@pytest.mark.parametrize(
    ("kept", "others", "anew"),
    [
        (Kept(), [], False),
        (Kept(), [OTHER], False),
        (Kept(KEK), [], False),
        (Kept(KEK, (KEYSET,)), [], True),
        (Kept(KEK), [OTHER], True),
    ],
    ids=["nothing", "nothing-any-more", "a-first-start-killed", "keysets", "another-state"],
)
def test_keys_of_which_the_state_knows_nothing(
    tmp_path: Path, kept: Kept, others: list[Generation], anew: bool
) -> None:
    """Said once, and noted before they are taken over; what a first start leaves is no alarm."""
    state = open_state(StateAddress(tmp_path / "state.db"))
    found, numbers = {"shop": kept}, {"shop": [generation.advance(state), *others]}
    assert [line.partition(":")[0] for line in begin_anew(state, found, numbers)] == [
        "state-begun-anew"
    ] * anew
    assert begin_anew(state, found, numbers) == []
    assert [one.is_loss for one in generation.unseen(state.engine)] == [True] * anew
    generation.acknowledge(state.engine)
    adopt_keks(state.engine, [KEK])
    assert begin_anew(state, found, numbers) == []
    state.close()
