"""Health, readiness and metrics over HTTP, for orchestrators and Prometheus.

``/healthz``: every worker is alive. ``/readyz``: every worker takes connections and the gateway is not
draining. Both say 200 or 503, and why. ``/metrics``: what `metrics` counts. Answers hold states and counts,
nothing else; still, bind it to loopback or a private address: who reads them learns how much is done here.

Started by `supervisor`; requests are answered by a thread that reads one immutable snapshot.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from strongroom.config import Address
from strongroom.gateway.listening import listen
from strongroom.gateway.metrics import CONTENT_TYPE

REQUEST_SECONDS = 5
"""How long a client of this endpoint may take for its request."""

BACKLOG = 16
"""Probes that wait to be accepted; who probes more often than that has forgotten some."""


@dataclass(frozen=True, slots=True)
class Health:
    """The gateway as it is now."""

    workers: int
    alive: int
    ready: int
    draining: bool
    connections: int

    @property
    def is_healthy(self) -> bool:
        """Whether every worker is alive."""
        return self.alive == self.workers

    @property
    def is_ready(self) -> bool:
        """Whether every worker takes connections."""
        return self.ready == self.workers and not self.draining


def serve_health(
    address: Address, look: Callable[[], Health], metrics: Callable[[], bytes]
) -> ThreadingHTTPServer:
    """Start answering on ``address``; ``look`` gives the current state, ``metrics`` the text of ``/metrics``.

    Both are called from other threads. Raises `CannotListen`.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_SECONDS
        server_version = "strongroom"
        sys_version = ""

        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, CONTENT_TYPE, metrics())
                return
            health = look()
            well = {"/healthz": health.is_healthy, "/readyz": health.is_ready}.get(self.path)
            status = 404 if well is None else 200 if well else 503
            body = b"" if well is None else json.dumps(asdict(health)).encode() + b"\n"
            self._answer(status, "application/json", body)

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            """Say nothing: probes come every second."""

    server = ThreadingHTTPServer((address.host, address.port), Handler, bind_and_activate=False)
    server.socket.close()  # of IPv4, whatever the address is
    server.socket = listen(address, "health", BACKLOG)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
