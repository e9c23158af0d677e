"""A root key in other hands: what a gateway that runs asks of it, and what follows when it is gone."""

import os
import secrets
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest
import yaml
from tests.conftest import missing
from tests.gateway.serving import workers
from tests.kit.opened import Opened

from strongroom.errors import ServerFailed
from strongroom.testing.certificates import Authority
from strongroom.testing.gateway import Gateway
from strongroom.testing.kmip import KmipServer
from strongroom.testing.kms import CREDENTIALS, Kms
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


def rooted(gateway: Gateway, root: str, second: str | None = None) -> None:
    """Has the gateway take its root key from there."""
    settings = yaml.safe_load(gateway.configuration.read_text())
    settings["keys"] = {"root": root} | ({"second_root": second} if second else {})
    gateway.configure(settings)


@contextmanager
def token(folder: Path) -> Iterator[tuple[SoftHsm, Path]]:
    """A SoftHSM whose module is a file of the test's own, with a key; and the folder of its token."""
    try:
        found = SoftHsm.make(folder)
    except ServerFailed:
        missing("SoftHSM")
    softhsm = replace(found, module=Path(shutil.copy(found.module, folder)))
    where = softhsm.add_token("company")
    softhsm.add_key("company", "root")
    yield softhsm, where


def write_and_read(gateway: Gateway, number: int) -> None:
    """A new session seals, finds by equality and opens."""
    email = f"p{number}@example.org"
    with psycopg.connect(gateway.uri(), autocommit=True) as session:
        session.execute("INSERT INTO people VALUES (%s, %s)", (number, email))
        found = session.execute("SELECT id, email FROM people WHERE email = %s", (email,)).fetchall()
        assert found == [(number, email)]


def work(gateway: Gateway) -> None:
    """Three hundred statements in ten sessions: values are sealed, looked up by and opened."""
    for first in range(100, 250, 15):
        with psycopg.connect(gateway.uri(), autocommit=True) as session:
            for number in range(first, first + 15):
                email = f"p{number}@example.org"
                session.execute("INSERT INTO people VALUES (%s, %s)", (number, email))
                found = session.execute("SELECT id, email FROM people WHERE email = %s", (email,)).fetchall()
                assert found == [(number, email)]


def reload(gateway: Gateway) -> None:
    """And wait for it."""
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: "configuration reloaded" in gateway.log.read_text(), "the reload")


def test_a_kmip_server_is_asked_at_start_and_reload_alone(
    postgres: PostgresServer, database: str, kmip: KmipServer
) -> None:
    """No session or statement asks it for anything."""
    root = f"kmip:{kmip.uri(kmip.make_key())}"
    with Gateway.start(
        postgres, database, more={"columns": COLUMNS}, first=lambda gateway: rooted(gateway, root)
    ) as gateway:
        before = kmip.calls
        work(gateway)
        assert kmip.calls == before
        reload(gateway)
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
    with (
        token(tmp_path) as (softhsm, where),
        Gateway.start(
            postgres,
            database,
            more={"columns": COLUMNS},
            first=lambda gateway: rooted(gateway, f"pkcs11:{softhsm.uri('company', 'root')}"),
            variables=softhsm.environment,
        ) as gateway,
    ):
        write_and_read(gateway, 1)
        away = where.rename(tmp_path / "away")
        write_and_read(gateway, 2)
        gateway.signal(signal.SIGTERM)
        gateway.wait()
        with pytest.raises(ServerFailed) as caught:
            gateway.launch()
        assert "root-unreachable" in caught.value.detail
        away.rename(where)
        gateway.launch()
        write_and_read(gateway, 3)


def test_a_token_is_asked_at_start_and_reload_alone(
    postgres: PostgresServer, database: str, tmp_path: Path
) -> None:
    """Each call of it loads its module in a process of its own; no session or statement does."""
    with (
        token(tmp_path) as (softhsm, _),
        Opened(softhsm.module) as module,
        Gateway.start(
            postgres,
            database,
            more={"columns": COLUMNS},
            first=lambda gateway: rooted(gateway, f"pkcs11:{softhsm.uri('company', 'root')}"),
            variables=softhsm.environment,
        ) as gateway,
    ):
        started = module.times
        assert started > 0
        work(gateway)
        assert module.times == started
        reload(gateway)
        assert module.times > started


@pytest.fixture
def kms() -> Iterator[Kms]:
    """moto's KMS."""
    with Kms() as running:
        yield running


def test_kms_is_asked_at_start_and_reload_alone(postgres: PostgresServer, database: str, kms: Kms) -> None:
    """A look at the key and one call for the one key-encryption key, each time; no session asks anything."""
    root = f"awskms:{kms.make_key()}?endpoint={kms.url}"
    with Gateway.start(
        postgres,
        database,
        more={"columns": COLUMNS},
        first=lambda gateway: rooted(gateway, root),
        variables=CREDENTIALS,
    ) as gateway:
        kms.calls.clear()
        work(gateway)
        assert not kms.calls
        reload(gateway)
        assert kms.calls == {"DescribeKey": 1, "Decrypt": 1}


def test_from_a_file_to_kms_and_without_it(postgres: PostgresServer, database: str) -> None:
    """By the commands of the guide, beside a session; then KMS goes away, and comes no more."""
    with Gateway.start(
        postgres, database, more={"columns": COLUMNS}, variables=CREDENTIALS, workers=2
    ) as gateway:
        write_and_read(gateway, 1)
        with Kms() as kms:
            address = f"awskms:{kms.make_key()}?endpoint={kms.url}"
            with psycopg.connect(gateway.uri(), autocommit=True) as session:
                assert "aws kms create-key" in gateway.command("keys", "root", "make", address)
                rooted(gateway, "file:keys/root.key", address)
                assert "is wrapped by file" in gateway.command("keys", "root", "rewrap")
                rooted(gateway, address)
                reload(gateway)
                assert session.execute("SELECT email FROM people").fetchall() == [("p1@example.org",)]
            gateway.shut_down()
            (gateway.folder / "keys" / "root.key").rename(gateway.folder / "keys" / "away")
            gateway.launch()
            write_and_read(gateway, 2)
        before = workers(gateway)
        for worker in before:
            os.kill(worker, signal.SIGKILL)
        wait_until(lambda: set(workers(gateway)) - set(before) and gateway.is_ready(), "other workers")
        write_and_read(gateway, 3)
        gateway.signal(signal.SIGHUP)
        wait_until(lambda: "root-unreachable" in gateway.log.read_text(), "the refusal of the reload", 60)
        write_and_read(gateway, 4)
