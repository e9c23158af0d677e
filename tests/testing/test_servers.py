"""The servers of the test kit: real, private, restartable, gone afterwards."""

import os
import signal
import stat
from pathlib import Path

import psycopg
import pytest
from tests.conftest import Servers, installation

from strongroom.errors import ServerFailed
from strongroom.testing.certificates import Authority
from strongroom.testing.installations import EMBEDDED
from strongroom.testing.servers import PostgresServer


def test_a_server_lives_and_goes() -> None:
    """A server takes connections with its password, and leaves neither process nor folder behind."""
    with PostgresServer.start(installation(EMBEDDED)) as server:
        with psycopg.connect(server.uri()) as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("postgres",)
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(server.uri(password="wrong"))
        assert stat.S_IMODE(server.socket_folder.stat().st_mode) == 0o700
    assert not server.folder.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.uri())
    server.stop()


def test_a_restart_keeps_the_data() -> None:
    """After a crash and a fast shutdown the cluster starts again with what was committed."""
    with PostgresServer.start(installation(EMBEDDED), settings={"synchronous_commit": "on"}) as server:
        server.run("CREATE TABLE kept AS SELECT 1 AS n")
        for how in (signal.SIGQUIT, signal.SIGINT):
            server.shut_down(how)
            server.launch()
            with server.connect() as connection:
                assert connection.execute("SELECT n FROM kept").fetchone() == (1,)


def test_settings_and_rules() -> None:
    """Settings and pg_hba lines of the caller's win over those of the kit."""
    rules = ["host all nobody 127.0.0.1/32 reject"]
    with PostgresServer.start(installation(EMBEDDED), settings={"work_mem": "7MB"}, hba=rules) as server:
        server.create_user("nobody", "x")
        with server.connect() as connection:
            assert connection.execute("SHOW work_mem").fetchone() == ("7MB",)
        with pytest.raises(psycopg.OperationalError, match=r"pg_hba\.conf rejects"):
            psycopg.connect(server.uri(user="nobody", password="x"))


def test_a_server_that_does_not_start() -> None:
    """A server that cannot start is reported with the end of its log, and removed."""
    with pytest.raises(ServerFailed) as caught:
        PostgresServer.start(installation(EMBEDDED), settings={"no_such_setting": "1"})
    assert "no_such_setting" in caught.value.detail


def test_tls(servers: Servers) -> None:
    """A server with a certificate is verified by its URI."""
    server = servers.server("15")
    with psycopg.connect(server.uri()) as connection:
        assert connection.pgconn.ssl_in_use
        assert b"verify-full" in connection.info.get_parameters()["sslmode"].encode()


def test_databases_and_users(postgres: PostgresServer) -> None:
    """Names that need quotes work, and a database is made anew in place of the old one."""
    postgres.create_user('o"dd', "p'w")
    for _ in range(2):
        name = postgres.create_database("a b", 'o"dd')
        postgres.run("CREATE TABLE t ()", name)
    with psycopg.connect(postgres.uri("a b", 'o"dd', password="p'w")) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("a b",)


@pytest.mark.skipif(os.geteuid() != 0, reason="only for root is there another user")
def test_programs_in_a_closed_folder(tmp_path: Path) -> None:
    """Programs in a folder that the server's user cannot enter are copied for it."""
    link = tmp_path / "closed"
    link.mkdir(mode=0o700)
    found = installation(EMBEDDED)
    (link / "postgres").symlink_to(found.folder)
    closed = type(found)(found.name, link / "postgres", found.major, found.tls)
    with PostgresServer.start(closed) as server:
        assert server.log.exists()


def test_certificates(tmp_path: Path) -> None:
    """Keys are private, and a client's certificate carries its name."""
    authority = Authority.make(tmp_path)
    made = authority.client("report")
    assert stat.S_IMODE(made.key.stat().st_mode) == 0o600
    assert made.certificate.read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")
    assert authority.certificate.exists()
