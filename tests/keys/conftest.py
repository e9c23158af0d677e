"""A real PostgreSQL 18 for the copies beside the data."""

from collections.abc import Iterator

import psycopg
import pytest
from tests.conftest import Servers

from strongroom.testing.installations import EMBEDDED


@pytest.fixture
def embedded(servers: Servers) -> Iterator[psycopg.Connection]:
    """A connection to the embedded server, to an empty database, in autocommit."""
    server = servers.server(EMBEDDED)
    with server.connect(server.create_database("keys")) as connection:
        yield connection
