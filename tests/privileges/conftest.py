"""A server of one's own for each version: roles belong to all of a server's databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import installation
from tests.privileges.world import World

from strongroom.testing.servers import PostgresServer


@pytest.fixture(scope="module", params=["embedded", "15", "16", "17"])
def server(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """The embedded one is PostgreSQL 18."""
    running = PostgresServer.start(installation(request.param))
    yield running
    running.stop()


@pytest.fixture
def world(server: PostgresServer, tmp_path: Path) -> World:
    """A database as it should be."""
    return World.make(server, tmp_path)
