"""A gateway whose root key is in an OpenBao: asked at its start, and never for a query.

Counted by the OpenBao's own audit log.
"""

import os
import re
import signal
import socket
from collections.abc import Iterator

import psycopg
import pytest
import yaml
from tests.conftest import missing
from tests.gateway.serving import workers

from strongroom.errors import ServerFailed
from strongroom.keys.root.file import FileRoot
from strongroom.testing.certificates import Authority
from strongroom.testing.gateway import Gateway
from strongroom.testing.installations import openbao as find_openbao
from strongroom.testing.openbao import OpenBao
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until

pytestmark = pytest.mark.xdist_group("openbao")

DATABASE = "rooted"
COLUMNS = {"public.people.email": {"type": "text", "encryption": "randomized"}}


@pytest.fixture(scope="module")
def openbao(authority: Authority) -> Iterator[OpenBao]:
    """An OpenBao with a key for roots."""
    program = find_openbao()
    if program is None:
        missing("OpenBao")
    with OpenBao.start(program, authority) as bao:
        yield bao


@pytest.fixture(scope="module")
def rooted(shop: PostgresServer, openbao: OpenBao) -> Iterator[Gateway]:
    """A gateway of two workers with its root there, and the token in its environment."""
    shop.create_database(DATABASE)
    shop.run("CREATE TABLE people (id int PRIMARY KEY, email bytea)", DATABASE)
    root = f"vault:{openbao.url}/transit/strongroom?token=${{BAO_TOKEN}}&ca={openbao.certificate_authority}"
    token = openbao.make_root()
    with Gateway.start(
        shop,
        DATABASE,
        workers=2,
        more={"columns": COLUMNS},
        variables={"BAO_TOKEN": token},
        first=lambda gateway: take_root(gateway, root),
    ) as running:
        with psycopg.connect(running.uri(), autocommit=True) as db:
            db.execute("INSERT INTO people VALUES (1, %s)", ["ada@example"])
        assert token.encode() not in running.log.read_bytes()
        yield running


def take_root(gateway: Gateway, root: str, second: str | None = None) -> None:
    configuration = yaml.safe_load(gateway.configuration.read_text())
    configuration["keys"] = {"root": root} | ({"second_root": second} if second else {})
    gateway.configure(configuration)


def email(gateway: Gateway) -> object:
    with psycopg.connect(gateway.uri(), autocommit=True) as db:
        found = db.execute("SELECT email FROM people WHERE id = %s", [1]).fetchone()
    return found and found[0]


def test_a_start_asks_little_and_queries_ask_nothing(rooted: Gateway, openbao: OpenBao) -> None:
    """A look at the key and one call for the one key-encryption key at a second start; then none."""
    rooted.shut_down()
    before = openbao.requests("transit")
    rooted.launch()
    started = openbao.requests("transit")
    assert started - before == 2
    for _ in range(20):
        assert email(rooted) == "ada@example"
    with psycopg.connect(rooted.uri(), autocommit=True) as session:
        for number in range(150):
            session.execute("INSERT INTO people VALUES (%s, %s)", [100 + number, f"p{number}@example"])
            found = session.execute("SELECT email FROM people WHERE id = %s", [100 + number]).fetchone()
            assert found == (f"p{number}@example",)
    assert openbao.requests("transit") == started


def test_a_gateway_that_runs_goes_on_without_its_root(rooted: Gateway, openbao: OpenBao) -> None:
    """New sessions, workers that are started anew and a reload that fails, all with the server down."""
    openbao.shut_down()
    try:
        assert email(rooted) == "ada@example"
        before = workers(rooted)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: set(workers(rooted)) - set(before) and rooted.is_ready(), "other workers")
        assert email(rooted) == "ada@example"
        rooted.signal(signal.SIGHUP)
        wait_until(lambda: "root-unreachable" in rooted.log.read_text(), "the reload has failed")
        assert email(rooted) == "ada@example"
    finally:
        openbao.launch()
        openbao.unseal(openbao.shares)


def test_sessions_begin_while_a_reload_waits_for_its_root(rooted: Gateway) -> None:
    """A key service that takes a connection and says nothing holds up nobody else."""
    good = yaml.safe_load(rooted.configuration.read_text())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        elsewhere = f"127.0.0.1:{silent.getsockname()[1]}"
        take_root(rooted, re.sub(r"127\.0\.0\.1:[0-9]+", elsewhere, good["keys"]["root"]))
        failures = rooted.log.read_text().count("root-unreachable")
        rooted.signal(signal.SIGHUP)
        asked, _ = silent.accept()
        with asked:
            assert email(rooted) == "ada@example"
            assert rooted.log.read_text().count("root-unreachable") == failures
    wait_until(lambda: rooted.log.read_text().count("root-unreachable") > failures, "the reload has failed")
    rooted.configure(good)


def test_a_server_under_another_address_is_the_same_root(rooted: Gateway, openbao: OpenBao) -> None:
    """A start opens what was wrapped under the former address and says so, with one call more; then none."""
    before = yaml.safe_load(rooted.configuration.read_text())
    take_root(rooted, before["keys"]["root"].replace("127.0.0.1", "localhost"))
    rooted.shut_down()
    asked = openbao.requests("transit")
    rooted.launch()
    assert email(rooted) == "ada@example"
    assert openbao.requests("transit") - asked <= 3  # looked at, opened, opened again as it stands now
    assert "which wrapped it as vault transit/strongroom at https://127.0.0.1:" in rooted.log.read_text()
    said = rooted.log.read_text().count("which wrapped it as")
    for address in (before["keys"]["root"], before["keys"]["root"].replace("127.0.0.1", "localhost")):
        take_root(rooted, address)
        rooted.shut_down()
        asked = openbao.requests("transit")
        rooted.launch()
        assert openbao.requests("transit") - asked == 2
    assert rooted.log.read_text().count("which wrapped it as") == said
    rooted.configure(before)


def test_a_start_without_its_root_says_so(rooted: Gateway, openbao: OpenBao) -> None:
    """Nothing is served in the clear, and nothing is lost: once the server is back, values open."""
    rooted.shut_down()
    openbao.shut_down()
    try:
        with pytest.raises(ServerFailed) as caught:
            rooted.launch()
        assert "root-unreachable" in caught.value.detail
    finally:
        openbao.launch()
        openbao.unseal(openbao.shares)
    rooted.launch()
    assert email(rooted) == "ada@example"


def test_with_a_second_root_it_starts(rooted: Gateway, openbao: OpenBao) -> None:
    """Once the keys have been under both, either is enough."""
    before = yaml.safe_load(rooted.configuration.read_text())
    file = rooted.folder / "keys" / "root.key"
    FileRoot.create(file, None)
    take_root(rooted, before["keys"]["root"], f"file:{file}")
    rooted.shut_down()
    rooted.launch()
    rooted.shut_down()
    openbao.shut_down()
    try:
        rooted.launch()
        assert email(rooted) == "ada@example"
        assert "one of two roots cannot be used" in rooted.log.read_text()
    finally:
        openbao.launch()
        openbao.unseal(openbao.shares)
