"""A root key in other hands: what a gateway that runs asks of it, and what follows when it is gone."""

import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import yaml
from tests.conftest import missing

from strongroom.errors import ServerFailed
from strongroom.testing.certificates import Authority
from strongroom.testing.gateway import Gateway
from strongroom.testing.kmip import KmipServer
from strongroom.testing.servers import PostgresServer
from strongroom.testing.softhsm import SoftHsm
from strongroom.testing.waiting import wait_until

COLUMNS = {"public.people.email": {"type": "text", "encryption": "deterministic"}}


@pytest.fixture
def kmip(authority: Authority) -> Iterator[KmipServer]:
    """A KMIP server that the test may end."""
    with KmipServer.start(authority) as server:
        yield server


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    """A new database with a table whose sensitive column awaits sealed values."""
    name = postgres.create_database(f"db{secrets.token_hex(4)}")
    postgres.run("CREATE TABLE people (id int PRIMARY KEY, email bytea UNIQUE)", name)
    return name


def rooted(gateway: Gateway, root: str) -> None:
    """Has the gateway take its root key from there."""
    settings = yaml.safe_load(gateway.configuration.read_text())
    settings["keys"] = {"root": root}
    gateway.configure(settings)


def write_and_read(gateway: Gateway, number: int) -> None:
    """A new session seals, finds by equality and opens."""
    email = f"p{number}@example.org"
    with psycopg.connect(gateway.uri(), autocommit=True) as session:
        session.execute("INSERT INTO people VALUES (%s, %s)", (number, email))
        found = session.execute("SELECT id, email FROM people WHERE email = %s", (email,)).fetchall()
        assert found == [(number, email)]


def test_a_kmip_server_is_asked_at_start_and_reload_alone(
    postgres: PostgresServer, database: str, kmip: KmipServer
) -> None:
    """No session or statement asks it for anything."""
    root = f"kmip:{kmip.uri(kmip.make_key())}"
    with Gateway.start(
        postgres, database, more={"columns": COLUMNS}, first=lambda gateway: rooted(gateway, root)
    ) as gateway:
        before = kmip.calls
        for number in range(20):
            write_and_read(gateway, number)
        assert kmip.calls == before
        gateway.signal(signal.SIGHUP)
        wait_until(lambda: "configuration reloaded" in gateway.log.read_text(), "the reload")
        assert before < kmip.calls <= before + 5
        write_and_read(gateway, 20)


def test_a_gateway_outlives_its_kmip_server(
    postgres: PostgresServer, database: str, kmip: KmipServer
) -> None:
    """Sessions go on, a worker that dies is replaced, a reload changes nothing, a start is refused."""
    root = f"kmip:{kmip.uri(kmip.make_key())}"
    with Gateway.start(
        postgres, database, more={"columns": COLUMNS}, first=lambda gateway: rooted(gateway, root)
    ) as gateway:
        kmip.shut_down()
        write_and_read(gateway, 1)
        gateway.signal(signal.SIGHUP)
        wait_until(lambda: "root-unreachable" in gateway.log.read_text(), "the refusal of the reload")
        write_and_read(gateway, 2)
        workers = psutil.Process(gateway.pid).children()
        for worker in workers:
            worker.kill()
        psutil.wait_procs(workers, timeout=10)
        wait_until(lambda: psutil.Process(gateway.pid).children() and gateway.is_ready(), "another worker")
        write_and_read(gateway, 3)
        gateway.signal(signal.SIGTERM)
        gateway.wait()
        with pytest.raises(ServerFailed) as caught:
            gateway.launch()
        assert "root-unreachable" in caught.value.detail
        kmip.restart()
        gateway.launch()
        write_and_read(gateway, 4)


def test_a_root_in_a_token_starts_a_gateway(postgres: PostgresServer, database: str, tmp_path: Path) -> None:
    """It goes on without the token, and starts again with it."""
    try:
        softhsm = SoftHsm.make(tmp_path)
    except ServerFailed:
        missing("SoftHSM")
    token = softhsm.add_token("company")
    softhsm.add_key("company", "root")
    root = f"pkcs11:{softhsm.uri('company', 'root')}"
    with Gateway.start(
        postgres,
        database,
        more={"columns": COLUMNS},
        first=lambda gateway: rooted(gateway, root),
        variables=softhsm.environment,
    ) as gateway:
        write_and_read(gateway, 1)
        away = token.rename(tmp_path / "away")
        write_and_read(gateway, 2)
        gateway.signal(signal.SIGTERM)
        gateway.wait()
        with pytest.raises(ServerFailed) as caught:
            gateway.launch()
        assert "root-unreachable" in caught.value.detail
        away.rename(token)
        gateway.launch()
        write_and_read(gateway, 3)
