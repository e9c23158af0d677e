"""A client that says exactly what it is told: against a real server."""

import socket
import threading
from collections.abc import Iterator

import pytest

from strongroom.testing.raw_client import Ended, RawClient
from strongroom.testing.servers import PostgresServer
from strongroom.wire.postgres import messages as m


@pytest.fixture
def client(postgres: PostgresServer) -> Iterator[RawClient]:
    """A connection to PostgreSQL itself, logged in."""
    with RawClient.connect(postgres.port) as connected:
        connected.log_in("postgres", postgres.password, "postgres", application_name="raw")
        yield connected


def test_it_logs_in(client: RawClient) -> None:
    """It knows what the server reported, and its key."""
    assert client.parameters["application_name"] == "raw"
    assert client.key is not None
    assert client.cancel_request() == m.CancelRequest(*_key(client)).serialise()


def _key(client: RawClient) -> tuple[int, bytes]:
    assert client.key is not None
    return client.key.process_id, client.key.secret_key


def test_a_wrong_password_is_refused(postgres: PostgresServer) -> None:
    """As the server says it."""
    with RawClient.connect(postgres.port) as connected, pytest.raises(Ended):
        connected.log_in("postgres", "wrong", "postgres")


def test_it_asks_and_waits_for_the_end(client: RawClient) -> None:
    """Messages come one by one, up to the one that is waited for."""
    assert [one.tag for one in client.ask("SELECT 1; SELECT 2")] == list("TDCTDCZ")
    client.send(m.Query("SELECT 1 / 0").serialise())
    assert client.error()["C"] == "22012"
    assert client.receive() == ("Z", b"I")


def test_octets_go_as_they_are(client: RawClient) -> None:
    """What no driver would send, too."""
    client.send(b"?\0\0\0\4")
    assert client.error()["C"] == "08P01"
    assert client.is_closed()
    with pytest.raises(Ended):
        client.receive()


def test_messages_may_come_in_any_pieces() -> None:
    """The other side decides where they are cut."""
    ours, theirs = socket.socketpair()
    with theirs, RawClient(ours) as client:
        octets = m.ready_for_query("I") * 2
        sender = threading.Thread(target=_send_singly, args=(theirs, octets))
        sender.start()
        assert [client.receive().tag for _ in range(2)] == ["Z", "Z"]
        sender.join()
        assert not _closed_soon(client)


def _send_singly(sock: socket.socket, octets: bytes) -> None:
    for octet in octets:
        sock.sendall(bytes([octet]))


def _closed_soon(client: RawClient) -> bool:
    client.socket.settimeout(0.05)
    try:
        return client.is_closed()
    except TimeoutError:
        return False
