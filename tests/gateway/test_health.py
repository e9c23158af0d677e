"""The endpoint for orchestrators, over real HTTP."""

import json
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from strongroom.config import Address
from strongroom.errors import CannotListen
from strongroom.gateway.health import Health, serve_health
from strongroom.testing.processes import free_port

WELL = Health(workers=2, alive=2, ready=2, draining=False, connections=7)


def status(port: int, path: str, host: str = "127.0.0.1") -> int:
    try:
        with urlopen(f"http://{host}:{port}{path}", timeout=5) as answer:
            json.loads(answer.read())
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code


@pytest.mark.parametrize(
    ("health", "healthy", "ready"),
    [
        (WELL, 200, 200),
        (Health(2, 2, 1, False, 0), 200, 503),
        (Health(2, 1, 1, False, 0), 503, 503),
        (Health(2, 2, 2, True, 0), 200, 503),
    ],
)
def test_health_and_readiness(health: Health, healthy: int, ready: int) -> None:
    """Alive is not ready: a gateway that drains, or whose worker still starts, takes no connections."""
    port = free_port()
    server = serve_health(Address("127.0.0.1", port), lambda: health, bytes)
    try:
        assert status(port, "/healthz") == healthy
        assert status(port, "/readyz") == ready
        assert status(port, "/") == 404
        with pytest.raises(CannotListen, match=f"127.0.0.1:{port}"):
            serve_health(Address("127.0.0.1", port), lambda: health, bytes)
    finally:
        server.shutdown()
        server.server_close()


def test_over_ipv6() -> None:
    """An address of IPv6 is listened on like one of IPv4."""
    port = free_port()
    server = serve_health(Address("::1", port), lambda: WELL, bytes)
    try:
        assert status(port, "/readyz", "[::1]") == 200
    finally:
        server.shutdown()
        server.server_close()
