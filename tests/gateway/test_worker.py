"""A worker process, of which the test is the supervisor."""

import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from tests.conftest import Servers
from tests.gateway.one_worker import DATABASE, PASSWORD, Worker, admitted, proved

from strongroom.secret import Secret
from strongroom.testing.installations import EMBEDDED
from strongroom.testing.raw_client import SECONDS, RawClient
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until
from strongroom.wire.postgres.verifier import SALT_BYTES, make_verifier


@pytest.fixture
def server(servers: Servers) -> PostgresServer:
    """The embedded PostgreSQL."""
    return servers.server(EMBEDDED)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """What the supervisor listens on."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def configuration(server: PostgresServer, password: str = PASSWORD) -> str:
    """A gateway of one account before the server."""
    verifier = make_verifier(Secret(password), secrets.token_bytes(SALT_BYTES)).text()
    database = {
        "upstream": server.uri(DATABASE, password=""),
        "upstream_password": server.password,
        "listen": "127.0.0.1:1",  # where it listens was settled by who started it
    }
    account = {"databases": [DATABASE], "password": verifier}
    return yaml.safe_dump(
        {"state": "sqlite:state.db", "databases": {DATABASE: database}, "accounts": {"app": account}}
    )


@contextmanager
def running(folder: Path, content: str, listener: socket.socket) -> Iterator[Worker]:
    """A worker that has said that it is ready."""
    with Worker(folder, content, listener) as worker:
        assert worker.said() == {"what": "ready"}, worker.log.read_text()
        yield worker


def answers(client: RawClient) -> bool:
    """Whether there is a session."""
    return [tag for tag, _ in client.ask("SELECT 1")] == ["T", "D", "C", "Z"]


def test_a_session_needs_a_place(server: PostgresServer, listener: socket.socket, tmp_path: Path) -> None:
    """The worker asks for it once the client has proved who it is, and gives it back at the end."""
    with running(tmp_path, configuration(server), listener) as worker:
        with proved(listener) as client:
            admitted(worker)
            client.until("Z")
            assert answers(client)
        assert worker.said() == {"what": "release", "account": "app"}


def test_without_a_place_there_is_no_session(
    server: PostgresServer, listener: socket.socket, tmp_path: Path
) -> None:
    """The client is told that there are too many."""
    with running(tmp_path, configuration(server), listener) as worker, proved(listener) as client:
        admitted(worker, "connections")
        assert client.error()["C"] == "53300"
        assert client.is_closed()


def test_who_cannot_prove_who_it_is_takes_no_place(
    server: PostgresServer, listener: socket.socket, tmp_path: Path
) -> None:
    """The supervisor counts the try, and the client is refused even where it says nothing against it."""
    with running(tmp_path, configuration(server), listener) as worker:
        for refusal in ("login", None):
            with proved(listener, "wrong") as client:
                asked = worker.said()
                assert (asked["what"], asked["source"], asked["proved"]) == ("admit", "127.0.0.1", False)
                worker.hears("admitted", number=asked["number"], refusal=refusal)
                assert client.error()["C"] == "28P01"
        worker.hears("drain")
        assert worker.said() == {}


def test_a_worker_that_is_drained_waits_for_its_sessions(
    server: PostgresServer, listener: socket.socket, tmp_path: Path
) -> None:
    """They go on to the end of their transactions, within the limit; then it ends well."""
    with running(tmp_path, configuration(server), listener) as worker:
        with proved(listener) as client:
            admitted(worker)
            client.until("Z")
            client.ask("BEGIN")
            worker.hears("drain")
            assert answers(client)
            client.ask("COMMIT")
            assert worker.said()["what"] == "release"
        assert worker.said() == {}
        assert worker.process.wait(SECONDS) == 0


def test_a_worker_whose_supervisor_is_gone_ends(
    server: PostgresServer, listener: socket.socket, tmp_path: Path
) -> None:
    """Nobody counts its connections any more, and nobody would stop it."""
    with running(tmp_path, configuration(server), listener) as worker:
        worker.hang_up()
        assert worker.process.wait(SECONDS) == 0


def test_what_the_supervisor_has_read_counts(
    server: PostgresServer, listener: socket.socket, tmp_path: Path
) -> None:
    """The file may be another by now; its folder is where relative paths begin."""
    (tmp_path / "strongroom.yaml").write_text("nonsense: true")
    with running(tmp_path, configuration(server), listener):
        assert (tmp_path / "state.db").exists()


@pytest.mark.parametrize("content", ["databases: geheim", "state: sqlite:missing/state.db"])
def test_a_configuration_that_cannot_be_used_ends_it(
    listener: socket.socket, tmp_path: Path, content: str
) -> None:
    """With the status for that, and the reason in its log, without a value."""
    with Worker(tmp_path, content, listener) as worker:
        assert worker.said() == {}
        assert worker.process.wait(SECONDS) == 2
        (line,) = worker.logged("cannot start")
        assert (line["worker"], line["code"]) == (7, "configuration-invalid")
        assert "geheim" not in worker.log.read_text()


def test_a_reload_counts_for_who_comes_next(
    server: PostgresServer, listener: socket.socket, tmp_path: Path
) -> None:
    """A bad one is refused, and the old one stays."""
    with running(tmp_path, configuration(server), listener) as worker:
        worker.hears("reload", content="workers: geheim", keks=[])
        wait_until(lambda: worker.logged("configuration refused, the old one stays"), "it is refused")
        with proved(listener) as client:
            admitted(worker)
            client.until("Z")
            worker.hears("reload", content=configuration(server, "another"), keks=[])
            wait_until(lambda: worker.logged("configuration reloaded"), "it is taken")
            assert answers(client)
            with proved(listener, "another") as later:
                admitted(worker)
                later.until("Z")
                with proved(listener) as late:
                    admitted(worker, "login")
                    assert late.error()["C"] == "28P01"
        assert "geheim" not in worker.log.read_text()
