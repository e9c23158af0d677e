"""The pgbouncer of the test kit."""

import shutil

import psycopg
import pytest
from tests.conftest import Servers, missing

from strongroom.testing.certificates import Authority
from strongroom.testing.pgbouncer import Pgbouncer


@pytest.mark.parametrize("tls", [False, True])
def test_a_pgbouncer_lives_and_goes(servers: Servers, authority: Authority, tls: bool) -> None:
    """It passes one user through to one database, with TLS where it has a certificate."""
    if shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin:/usr/bin") is None:
        missing("pgbouncer")
    server = servers.server("15")
    server.create_database("bounced")
    made = authority.server("127.0.0.1")
    pair = (made.certificate, made.key) if tls else None
    with Pgbouncer.start(server, "bounced", "postgres", server.password, pair) as bouncer:
        uri = f"postgresql://postgres:{server.password}@127.0.0.1:{bouncer.port}/bounced"
        mode = f"?sslmode=verify-full&sslrootcert={authority.certificate}" if tls else "?sslmode=disable"
        with psycopg.connect(uri + mode) as connection:
            assert connection.execute("SELECT current_database()").fetchone() == ("bounced",)
            assert connection.pgconn.ssl_in_use == tls
    assert not bouncer.folder.exists()
