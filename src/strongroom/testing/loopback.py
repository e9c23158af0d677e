"""A web server in this process, on a port of its own of 127.0.0.1, for as long as a ``with`` lasts.

Used by ``kms``, and by what the tests of Strongroom itself answer with.
"""

import threading
from http.server import HTTPServer
from types import TracebackType
from typing import Self

POLL_SECONDS = 0.02
"""Between two looks at whether it is to end."""


class Loopback:
    """Runs a server of the standard library's kind in a thread; whoever derives from it makes the server."""

    def __init__(self, server: HTTPServer, scheme: str = "http") -> None:
        self._server = server
        self._scheme = scheme
        self._thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}"
