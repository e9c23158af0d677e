"""How far the state has come, as a gateway that starts and one that runs sees it."""

import secrets
import shutil
import signal

import pytest

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


def _stop(gateway: Gateway) -> None:
    gateway.signal(signal.SIGTERM)
    assert gateway.wait() == 0
