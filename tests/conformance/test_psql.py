"""psql: what people and scripts type, with its own commands, COPY and variables."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from tests.conformance.conftest import Endpoint
from tests.conftest import CACHE

from strongroom.testing.installations import DEBIAN, installations


def program() -> Path:
    """The newest psql with TLS on this machine."""
    found = [one for one in installations(CACHE).values() if one.tls]
    if not found:
        pytest.skip("there is no psql with TLS on this machine")
    return max(found, key=lambda one: one.major).program("psql")


def psql(endpoint: Endpoint, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Runs psql with neither start-up file nor pager."""
    return subprocess.run(
        [program(), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose", *arguments],
        env={"PATH": os.environ["PATH"], "PGCONNECT_TIMEOUT": "20", **endpoint.environment},
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


TABLE = """
CREATE TABLE t (n int PRIMARY KEY, s text);
INSERT INTO t SELECT n, 'row ' || n FROM generate_series(1, 50) n;
"""
RUNNING = """
SELECT count(*) FROM pg_stat_activity
WHERE state = 'active' AND query LIKE '%pg_sleep(30)%' AND pid <> pg_backend_pid()
"""


def test_statements(endpoint: Endpoint) -> None:
    """A script of statements runs and prints its results."""
    run = psql(
        endpoint, "-At", text=f"{TABLE}\nSELECT count(*), max(s) FROM t;\nSELECT 1 AS a \\; SELECT 2 AS b;"
    )
    assert run.stderr == ""
    assert run.stdout.splitlines() == ["50|row 9", "1", "2"]


def test_describe(endpoint: Endpoint) -> None:
    """\\d shows a table, \\dt the tables, \\conninfo the connection."""
    run = psql(endpoint, text=f"{TABLE}\n\\d t\n\\dt\n\\conninfo")
    assert run.stderr == ""
    assert '"t_pkey" PRIMARY KEY' in run.stdout
    assert "public | t" in run.stdout
    assert endpoint.user in run.stdout


def test_copy(endpoint: Endpoint, tmp_path: Path) -> None:
    """\\copy writes a file and reads it back."""
    file = tmp_path / "t.csv"
    text = f"{TABLE}\n\\copy t TO '{file}' CSV HEADER\nTRUNCATE t;\n\\copy t FROM '{file}' CSV HEADER\n"
    run = psql(endpoint, "-At", text=text + "SELECT count(*) FROM t;")
    assert run.stderr == ""
    assert run.stdout.strip() == "50"
    assert file.read_text().splitlines()[0] == "n,s"


def test_copy_from_standard_input(endpoint: Endpoint) -> None:
    """COPY FROM STDIN takes its rows from the script."""
    run = psql(
        endpoint,
        "-At",
        text=f"{TABLE}\nCOPY t FROM STDIN;\n100\thundred\n\\.\nSELECT s FROM t WHERE n = 100;",
    )
    assert run.stdout.strip() == "hundred"


def test_extended_protocol(endpoint: Endpoint) -> None:
    """\\bind and \\gdesc use the extended protocol."""
    if program() == DEBIAN / "15" / "bin" / "psql":
        pytest.skip("the psql of PostgreSQL 15 has no \\bind yet")
    run = psql(endpoint, "-At", text="SELECT $1::int + $2::int \\bind 40 2 \\g\n")
    assert run.stdout.strip() == "42"


def test_describe_a_query(endpoint: Endpoint) -> None:
    """\\gdesc shows the columns of a query without running it."""
    run = psql(endpoint, "-At", text=f"{TABLE}\nSELECT n, s FROM t \\gdesc\n")
    assert run.stdout.splitlines() == ["n|integer", "s|text"]


def test_cursors(endpoint: Endpoint) -> None:
    """With FETCH_COUNT psql reads by a cursor and shows every row."""
    run = psql(endpoint, "-At", "-v", "FETCH_COUNT=7", text=f"{TABLE}\nSELECT n FROM t ORDER BY n;")
    assert run.stdout.splitlines() == [str(n) for n in range(1, 51)]


def test_errors(endpoint: Endpoint) -> None:
    """An error stops the script and shows SQLSTATE, position and names."""
    run = psql(endpoint, text=f"{TABLE}\nINSERT INTO t VALUES (1);\nSELECT 'not reached';")
    assert run.returncode == 3
    assert "ERROR:  23505: duplicate key value" in run.stderr
    assert "CONSTRAINT NAME:  t_pkey" in run.stderr
    assert "not reached" not in run.stdout


def test_single_transaction(endpoint: Endpoint) -> None:
    """--single-transaction undoes everything when one statement fails."""
    psql(endpoint, text=TABLE)
    psql(endpoint, "--single-transaction", text="DELETE FROM t;\nSELECT 1 / 0;")
    assert psql(endpoint, "-At", "-c", "SELECT count(*) FROM t").stdout.strip() == "50"


def test_interrupt(endpoint: Endpoint) -> None:
    """Ctrl-C cancels the statement that runs; a session at a terminal would go on."""
    with subprocess.Popen(
        [program(), "-X", "-q", "-At"],
        env={"PATH": os.environ["PATH"], **endpoint.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("SELECT 'begun';\nSELECT pg_sleep(30);\n")
        process.stdin.flush()
        assert process.stdout.readline() == "begun\n"
        with endpoint.server.connect() as watch:
            while watch.execute(RUNNING).fetchone() == (0,):
                pass
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=20)
    assert "canceling statement due to user request" in stderr
