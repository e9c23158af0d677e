"""A way to a database on which what the database says can be changed, cut off, or refused.

``with Tampering(server.port) as way`` takes connections on ``way.port`` and passes octets on in both
directions. ``way.tamper`` sees each chunk that comes from the database and gives what is passed on in its
place, and whether the connection goes on after that; ``way.refuse()`` lets nobody in any more. For tests of
what a gateway does when its upstream dies, or speaks nonsense.
"""

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

Tamper = Callable[[bytes], tuple[bytes, bool]]

CHUNK = 1 << 16


def honest(chunk: bytes) -> tuple[bytes, bool]:
    """Change nothing."""
    return chunk, True


class Tampering:
    """The way; each direction of each connection is a thread of its own."""

    def __init__(self, port: int) -> None:
        self.tamper: Tamper = honest
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.refuse()
        for one in self._sockets:
            _shut(one)
        for thread in self._threads:
            thread.join()
        for one in self._sockets:
            one.close()

    @property
    def port(self) -> int:
        """Where it takes connections."""
        return int(self._listener.getsockname()[1])

    def refuse(self) -> None:
        """Take no more connections; those that are there go on."""
        _shut(self._listener)
        self._threads[0].join()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                database = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += (client, database)
                self._begin(client, database, honest)
                self._begin(database, client, self._tampered)

    def _tampered(self, chunk: bytes) -> tuple[bytes, bool]:
        return self.tamper(chunk)  # whatever that is by now

    def _begin(self, source: socket.socket, target: socket.socket, tamper: Tamper) -> None:
        self._threads.append(threading.Thread(target=self._pass_on, args=(source, target, tamper)))
        self._threads[-1].start()

    def _pass_on(self, source: socket.socket, target: socket.socket, tamper: Tamper) -> None:
        with contextlib.suppress(OSError):
            goes_on = True
            while goes_on and (chunk := source.recv(CHUNK)):
                passed, goes_on = tamper(chunk)
                target.sendall(passed)
        _shut(source)
        _shut(target)


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
