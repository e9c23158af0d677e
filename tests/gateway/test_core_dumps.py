"""The processes of a running gateway, of which none leaves a core dump (``keys/core_dumps.py``)."""

import resource
import secrets
from pathlib import Path

import psutil
import psycopg
import pytest
from tests.gateway.serving import workers

from strongroom.session.analyses import LENGTH_KEPT
from strongroom.testing.gateway import Gateway
from strongroom.testing.servers import PostgresServer

COLUMNS = {"public.dumped.name": {"type": "text", "encryption": "randomized"}}
LONG = f"SELECT name FROM dumped WHERE id = 1 {'-' * LENGTH_KEPT}"


def limits(gateway: Gateway) -> set[tuple[int, int]]:
    """The limits of core dumps, of the supervisor and of all that it started."""
    process = psutil.Process(gateway.pid)
    return {one.rlimit(psutil.RLIMIT_CORE) for one in (process, *process.children(recursive=True))}


@pytest.mark.parametrize("word", ["", "allowed"])
def test_each_process_forbids_them(postgres: PostgresServer, word: str) -> None:
    """Supervisor, workers and analyst; with a word for developers in the environment, none."""
    name = postgres.create_database(f"db{secrets.token_hex(4)}")
    postgres.run("CREATE TABLE dumped (id int, name bytea)", name)
    expected = resource.getrlimit(resource.RLIMIT_CORE) if word else (0, 0)
    more, variables = {"columns": COLUMNS}, {"STRONGROOM_CORE_DUMPS": word}
    with (
        Gateway.start(postgres, name, more=more, variables=variables) as gateway,
        psycopg.connect(gateway.uri()) as session,
    ):
        session.execute(LONG.encode())
        (worker,) = workers(gateway)
        analyst = Path(f"/proc/{worker}/task/{worker}/children").read_text().split()
        assert len(analyst) == 1
        assert limits(gateway) == {expected}
