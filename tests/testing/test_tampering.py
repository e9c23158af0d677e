"""A way to a database on which what it says can be changed, over real sockets."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from strongroom.testing.tampering import Tampering, honest


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that says everything back, one connection after the other."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=[listener])
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def _serve(listener: socket.socket) -> None:
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:  # the test is over
            return
        with sock:
            while said := sock.recv(100):
                sock.sendall(said)


def connected(way: Tampering) -> socket.socket:
    """A client of the way."""
    return socket.create_connection(("127.0.0.1", way.port), timeout=10)


def test_an_honest_way_changes_nothing(echo: int) -> None:
    """In both directions, until the client ends it; then the database's side ends, too."""
    with Tampering(echo) as way, connected(way) as client:
        for said in (b"one", b"two"):
            client.sendall(said)
            assert client.recv(100) == said
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b""


def test_what_the_database_says_is_changed(echo: int) -> None:
    """Not what the client says; from the next chunk on, also on a connection that is there."""
    heard: list[bytes] = []

    def louder(chunk: bytes) -> tuple[bytes, bool]:
        heard.append(chunk)
        return chunk.upper(), True

    with Tampering(echo) as way, connected(way) as client:
        client.sendall(b"one")
        assert client.recv(100) == b"one"
        way.tamper = louder
        client.sendall(b"two")
        assert client.recv(100) == b"TWO"
        assert heard == [b"two"]
        way.tamper = honest
        client.sendall(b"three")
        assert client.recv(100) == b"three"


def test_a_connection_is_cut_behind_what_was_passed_on(echo: int) -> None:
    """As of a database that dies in the middle of a row."""
    with Tampering(echo) as way, connected(way) as client:
        way.tamper = lambda chunk: (chunk[:2], False)
        client.sendall(b"three")
        assert client.recv(100) == b"th"
        assert client.recv(100) == b""


def test_after_a_refusal_nobody_comes_in(echo: int) -> None:
    """Who is in stays."""
    with Tampering(echo) as way, connected(way) as client:
        client.sendall(b"one")
        assert client.recv(100) == b"one"
        port = way.port
        way.refuse()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=10)
        client.sendall(b"two")
        assert client.recv(100) == b"two"


def test_the_end_ends_all(echo: int) -> None:
    """Connections and threads; nothing of the way is left behind."""
    before = threading.active_count()
    with Tampering(echo) as way:
        client = connected(way)
        client.sendall(b"one")
        assert client.recv(100) == b"one"
        assert threading.active_count() > before
    assert threading.active_count() == before
    with closing(client):
        assert client.recv(100) == b""
