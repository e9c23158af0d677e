"""The gateway of the test kit: ``strongroom serve`` as a process of its own."""

import signal
from dataclasses import replace

import psycopg
import pytest

from strongroom.errors import ServerFailed
from strongroom.testing.gateway import Account, Gateway
from strongroom.testing.servers import PostgresServer


def test_a_gateway_lives_and_goes(postgres: PostgresServer) -> None:
    """A gateway takes its account's connections, reloads, drains, and leaves nothing behind."""
    postgres.create_database("kit")
    with Gateway.start(postgres, "kit", account=Account("someone", "secret")) as gateway:
        with psycopg.connect(gateway.uri()) as connection:
            assert connection.execute("SELECT current_database()").fetchone() == ("kit",)
        with pytest.raises(psycopg.OperationalError, match="login refused"):
            psycopg.connect(gateway.uri(password="wrong"))
        with pytest.raises(psycopg.OperationalError, match="login refused"):
            psycopg.connect(gateway.uri("nobody"))
        assert "secret" not in gateway.configuration.read_text()
        assert postgres.password not in gateway.configuration.read_text()
        gateway.signal(signal.SIGHUP)
        assert gateway.is_ready()
        gateway.signal(signal.SIGTERM)
        assert gateway.wait() == 0
        assert not gateway.is_ready()
        assert b"draining" in gateway.log.read_bytes()
    assert not gateway.folder.exists()


def test_a_gateway_that_does_not_start(postgres: PostgresServer) -> None:
    """A gateway that cannot start is reported with what it said."""
    postgres.create_database("kit")
    with pytest.raises(ServerFailed) as caught:
        Gateway.start(postgres, "kit", more={"nonsense": 1})
    assert "nonsense" in caught.value.detail


def test_an_account_prints_without_its_password() -> None:
    """Accounts print without passwords."""
    account = replace(Account(), name="app")
    assert account.password not in repr(account)
