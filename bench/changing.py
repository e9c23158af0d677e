"""``protect`` of a large table: how fast, how long its longest lock, and what a running pgbench feels of it.

Also what sealing adds to a value and to a table. Called by ``workloads``, on the gateway's route alone.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import yaml

from bench.stage import Stage
from strongroom.demo.customers import customers

DATABASE, PASSWORD_VARIABLE = "changing", "BENCH_OWNER_PASSWORD"
TABLE = "CREATE TABLE people (id int PRIMARY KEY, name text, email text UNIQUE, iban text, city text)"
COLUMNS = {
    "public.people.email": {"type": "text", "encryption": "deterministic"},
    "public.people.iban": {"type": "text", "encryption": "randomized"},
}


def protect_rows(stage: Stage, seconds: int) -> Mapping[str, float]:
    """Protect two columns of a table of ``stage.rows`` rows while pgbench runs on other tables."""
    make_table(stage)
    size = _size(stage)
    alone = [transactions(pgbench(stage, seconds)) for _ in range(3)]
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "strongroom",
            "protect",
            "--json",
            "--config",
            configure(stage, folder),
        ]
        environment = {**os.environ, PASSWORD_VARIABLE: stage.server.password}
        job = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        together = []
        while job.poll() is None:
            together.append(transactions(pgbench(stage, seconds)))
        assert job.stdout is not None
        report = json.loads(job.stdout.read())
    alone += [transactions(pgbench(stage, seconds)) for _ in range(3)]  # before and after: a machine drifts
    stage.server.run("VACUUM FULL people", DATABASE)
    beside = statistics.mean(together[:-1] or together)  # the last ran partly alone
    return {
        f"protect of {stage.rows:,} rows, rows a second": stage.rows / report["seconds"],
        "longest lock of protect, ms": report["longest_lock"] * 1000,
        "slow-down of pgbench beside protect, %": 100 * (1 - beside / statistics.mean(alone)),
        "bytes that sealing adds to a value (email)": _added(stage, "email"),
        "bytes that sealing adds to a value (iban)": _added(stage, "iban"),
        "size of the table, times the plaintext one": _size(stage) / size,
    }


def make_table(stage: Stage) -> None:
    """People, in plaintext, in a database of their own."""
    stage.server.run(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    stage.server.create_database(DATABASE)
    with stage.server.connect(DATABASE) as connection, connection.cursor() as cursor:
        cursor.execute(TABLE)
        with cursor.copy("COPY people FROM STDIN") as copy:
            for one in customers(stage.rows):
                copy.write_row((one.id, one.name, one.email, one.iban, one.city))
        connection.commit()
    stage.server.run("VACUUM ANALYZE people", DATABASE)


def configure(stage: Stage, folder: str) -> str:
    """The configuration file of a gateway in front of them."""
    for name in ("state", "keys"):
        Path(folder, name).mkdir(mode=0o700)
    settings = {
        "state": "sqlite:state/state.db",
        "keys": {"root": "file:keys/root.key"},
        "databases": {
            DATABASE: {
                "upstream": stage.server.uri(DATABASE, password=""),
                "upstream_password": f"${{{PASSWORD_VARIABLE}}}",
                "listen": "127.0.0.1:1",
                "columns": COLUMNS,
            }
        },
    }
    file = Path(folder, "strongroom.yaml")
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return str(file)


def pgbench(stage: Stage, seconds: int) -> str:
    """pgbench's own mixed transactions, on the direct route."""
    return stage.run(stage.routes[0], "pgbench", "-n", "-M", "prepared", "-c", "2", "-T", str(seconds))


def transactions(said: str) -> float:
    """How many a second, of what pgbench says."""
    found = re.search(r"tps = ([\d.]+)", said)
    assert found, said
    return float(found[1])


def _size(stage: Stage) -> float:
    with stage.server.connect(DATABASE) as connection:
        row = connection.execute("SELECT pg_total_relation_size('people')").fetchone()
    assert row is not None
    return float(row[0])


def _added(stage: Stage, column: str) -> float:
    """Octets of the sealed value less those of its plaintext, on average."""
    plain = {one.id: len(str(getattr(one, column)).encode()) for one in customers(min(stage.rows, 1000))}
    with stage.server.connect(DATABASE) as connection:
        query = f"SELECT id, octet_length({column}) FROM people WHERE id <= {len(plain)}"
        rows = connection.execute(query.encode()).fetchall()
    return sum(length - plain[number] for number, length in rows) / len(rows)
