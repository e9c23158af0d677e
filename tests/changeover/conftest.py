"""Shops for the tests of changeovers: each test has a database of its own."""

import re

import pytest
from tests.changeover.shop import Shop
from tests.conftest import Servers

from strongroom.testing.installations import EMBEDDED


@pytest.fixture
def shop(request: pytest.FixtureRequest, servers: Servers) -> Shop:
    """A shop in the embedded PostgreSQL, or in the version that the test's parameter names."""
    name = re.sub(r"\W+", "_", request.node.name)[:50].lower()
    return Shop.make(servers.server(getattr(request, "param", EMBEDDED)), f"shop_{name}")
