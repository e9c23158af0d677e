"""A gateway in front of the embedded PostgreSQL, one for each file of tests that asks for it."""

from collections.abc import Iterator

import pytest
from tests.conftest import Servers

from strongroom.testing.gateway import Gateway
from strongroom.testing.installations import EMBEDDED
from strongroom.testing.servers import PostgresServer

DATABASE = "shop"


@pytest.fixture(scope="module")
def shop(servers: Servers) -> PostgresServer:
    """The embedded PostgreSQL, with a fresh database of the name ``shop``."""
    server = servers.server(EMBEDDED)
    server.create_database(DATABASE)
    return server


@pytest.fixture(scope="module")
def gateway(shop: PostgresServer) -> Iterator[Gateway]:
    """A gateway of two workers without TLS, with the limits that it has by itself."""
    with Gateway.start(shop, DATABASE, workers=2) as running:
        yield running
