"""A real PostgreSQL 18 to hold the canonical forms against."""

from collections.abc import Iterator

import psycopg
import pytest
from tests.conftest import Servers

from strongroom.testing.installations import EMBEDDED


@pytest.fixture(scope="session")
def embedded(servers: Servers) -> Iterator[psycopg.Connection]:
    """A connection to the embedded server, to a database of these tests' own, in autocommit."""
    server = servers.server(EMBEDDED)
    with server.connect(server.create_database("protect")) as connection:
        yield connection
