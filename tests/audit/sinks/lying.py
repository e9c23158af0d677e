"""Storage that lies: a way to a real one, which a test has swallow, change or hold back what passes.

Requests keep the Host that they were signed for, so that what is behind takes them as its own.
"""

from collections.abc import Callable
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from strongroom.testing.loopback import Loopback

Answer = tuple[int, dict[str, str], bytes]
Lie = Callable[[str, str, Callable[[], Answer]], Answer]
"""(method, path, what asks the real one) to what the client is told."""


class Lying(Loopback):
    """The way, on a port of its own; honest until ``lie`` is another."""

    def __init__(self, url: str) -> None:
        self.lie: Lie = lambda _method, _path, ask: ask()
        self._behind = urlsplit(url).netloc
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        server.daemon_threads = True
        super().__init__(server)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, headers, content = owner.lie(self.command, self.path, self._ask)
                self.send_response_only(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if "Content-Length" not in headers:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_PUT = do_HEAD = do_GET  # noqa: N815  # the names that the library calls

            def _ask(self) -> Answer:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                behind = HTTPConnection(owner._behind, timeout=20)
                try:
                    behind.request(self.command, self.path, body, dict(self.headers.items()))
                    answer = behind.getresponse()
                    content = answer.read()
                finally:
                    behind.close()
                kept = {name: value for name, value in answer.getheaders() if name != "Transfer-Encoding"}
                return answer.status, kept, content

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
                del format, args

        return Handler
