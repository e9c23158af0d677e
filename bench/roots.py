"""A start with many column keys whose root is in an OpenBao, and how often the root is asked.

Calls are counted by the OpenBao's own audit log. Called by ``workloads``, on the gateway's route alone.
"""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg
import yaml

from bench.stage import Stage
from strongroom.testing.certificates import Authority
from strongroom.testing.gateway import Gateway
from strongroom.testing.installations import openbao
from strongroom.testing.openbao import OpenBao

DATABASE = "rooted"
PER_TABLE = 50
STATEMENTS = 2_000


def start_with_keys(stage: Stage, keys: int) -> Mapping[str, float]:
    """Starts a gateway twice: the first time makes the keys, the second is what an operator waits for."""
    program = openbao()
    assert program is not None, "run `make bench`, which fetches OpenBao"
    _make_tables(stage, keys)
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority.make(Path(folder))
        with OpenBao.start(program, authority) as bao:
            token = bao.make_root()
            root = f"vault:{bao.url}/transit/strongroom?token=${{BAO_TOKEN}}&ca={authority.certificate}"
            before = time.perf_counter()
            with Gateway.start(
                stage.server,
                DATABASE,
                more={"columns": _columns(keys)},
                variables={"BAO_TOKEN": token},
                first=lambda gateway: _take_root(gateway, root),
            ) as gateway:
                first = time.perf_counter() - before
                return {f"first start with {keys:,} new column keys, s": first} | _second(gateway, bao, keys)


def _second(gateway: Gateway, bao: OpenBao, keys: int) -> Mapping[str, float]:
    gateway.shut_down()
    asked, before = bao.requests("transit"), time.perf_counter()
    gateway.launch()
    seconds, started = time.perf_counter() - before, bao.requests("transit")
    _work(gateway)
    return {
        f"start with {keys:,} column keys and a root in OpenBao, s": seconds,
        f"calls of the root at a start with {keys:,} column keys": started - asked,
        f"calls of the root for {STATEMENTS:,} statements": bao.requests("transit") - started,
    }


def _work(gateway: Gateway) -> None:
    """Values are sealed and opened, in sessions of their own."""
    for _ in range(20):
        with psycopg.connect(gateway.uri(), autocommit=True) as session:
            for number in range(STATEMENTS // 40):
                session.execute("INSERT INTO many0 (c0) VALUES (%s)", [f"value {number}"])
                session.execute("SELECT c0 FROM many0 LIMIT 1").fetchone()


def _make_tables(stage: Stage, keys: int) -> None:
    stage.server.run(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    stage.server.create_database(DATABASE)
    for table in range(keys // PER_TABLE):
        columns = ", ".join(f"c{column} bytea" for column in range(PER_TABLE))
        stage.server.run(f"CREATE TABLE many{table} ({columns})", DATABASE)


def _columns(keys: int) -> Mapping[str, Mapping[str, str]]:
    return {
        f"public.many{table}.c{column}": {
            "type": "text",
            "encryption": "deterministic" if column % 2 else "randomized",
        }
        for table in range(keys // PER_TABLE)
        for column in range(PER_TABLE)
    }


def _take_root(gateway: Gateway, root: str) -> None:
    configuration = yaml.safe_load(gateway.configuration.read_text())
    gateway.configure(configuration | {"keys": {"root": root}})
