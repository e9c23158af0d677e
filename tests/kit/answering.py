"""A web server that answers as a test tells it, for what the real ones do not do on demand.

``with Answering(authority) as server`` answers each request with what ``server.answer(path)`` returns: a
status and content, or None to hang up. With an authority it speaks TLS. It counts requests, and keeps their
headers.
"""

import contextlib
import ssl
import threading
from collections.abc import Callable
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from strongroom.testing.certificates import Authority
from strongroom.testing.loopback import Loopback

Answer = Callable[[str], tuple[int, bytes] | None]


class Answering(Loopback):
    """The server, on a port of its own of 127.0.0.1."""

    def __init__(self, authority: Authority | None, *names: str) -> None:
        self.answer: Answer = lambda _: (200, b"{}")
        self.pause = 0.0
        """Seconds between the octets of an answer."""
        self.requests: list[tuple[str, Message]] = []
        self.stopped = threading.Event()
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        server.daemon_threads = True  # one that waits for a client that went is of no interest
        if authority is not None:
            made = authority.server(*(names or ("127.0.0.1", "localhost")))
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(made.certificate, made.key)
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        super().__init__(server, "http" if authority is None else "https")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopped.set()
        super().__exit__(kind, error, trace)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.requests.append((self.path, self.headers))
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                answer = owner.answer(self.path)
                if answer is None:
                    return
                status, content = answer
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                if 300 <= status < 400:
                    self.send_header("Location", f"{owner.url}/elsewhere")
                self.end_headers()
                for octets in (content,) if not owner.pause else zip(content):
                    self.wfile.write(bytes(octets))
                    owner.stopped.wait(owner.pause)

            do_POST = do_GET  # noqa: N815  # the name that the library calls

            def handle(self) -> None:
                with contextlib.suppress(OSError):  # the client found the certificate wrong, or has gone
                    super().handle()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
                del format, args

        return Handler
