"""onboarding/look.py: the first look at a live database."""

import asyncio
from pathlib import Path
from typing import NoReturn

import pytest

from strongroom.errors import UpstreamLoginRefused
from strongroom.gateway.upstream_address import Upstream, parse_upstream
from strongroom.onboarding.look import look
from strongroom.secret import Secret
from strongroom.testing.servers import PostgresServer


@pytest.fixture
def upstream(postgres: PostgresServer) -> Upstream:
    """A database with one column, and no password for it."""
    name = postgres.create_database("look")
    postgres.run("CREATE TABLE t (email text)", name)
    return parse_upstream(postgres.uri(name, password=""), base=Path.cwd())


def nobody() -> NoReturn:
    """Fails the test if it asks for a password."""
    pytest.fail("a password was asked for")


def test_a_password_is_asked_for_once_it_is_wanted(postgres: PostgresServer, upstream: Upstream) -> None:
    """Where the database wants a password and none is known, it is asked for."""
    found = asyncio.run(look(upstream, lambda: Secret(postgres.password)))
    assert found.with_password
    assert [one.name.column for one in found.columns] == ["email"]


def test_a_password_that_is_known(postgres: PostgresServer, upstream: Upstream) -> None:
    """A password that is known is used, and nobody is asked."""
    known = upstream.as_user("postgres", Secret(postgres.password))
    assert asyncio.run(look(known, nobody)).with_password


def test_a_wrong_password(upstream: Upstream) -> None:
    """A wrong password is the database's to refuse, and not asked for again."""
    with pytest.raises(UpstreamLoginRefused):
        asyncio.run(look(upstream.as_user("postgres", Secret("wrong")), nobody))


def test_no_password_is_wanted(postgres: PostgresServer) -> None:
    """Over a socket that is trusted nobody is asked, and there is no certificate to pin."""
    uri = f"postgresql://postgres@/postgres?host={postgres.socket_folder}&port={postgres.port}"
    found = asyncio.run(look(parse_upstream(uri, base=Path.cwd()), nobody))
    assert not found.with_password
    assert found.pin is None
