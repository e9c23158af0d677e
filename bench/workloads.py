"""The workloads: what is measured on one route, once. Each returns named figures; ``__main__`` repeats."""

import csv
import random
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.auditing import audit_records
from bench.changing import protect_rows
from bench.policing import decide, record
from bench.roots import start_with_keys as start_with_many_keys
from bench.rotating import rotate_rows
from bench.stage import COLUMNS, ROUTES, Route, Stage
from strongroom.demo.customers import customers

READ_ROWS = 200_000
LOAD_ROWS = 100_000
LOOKUPS = 2_000
IDLE_SESSIONS = 1_000
COLUMN_KEYS = 1_000
AUDIT_RECORDS = 1_000_000
OURS = ROUTES[2]


@dataclass(frozen=True, slots=True)
class Settings:
    """How long and how much."""

    seconds: int
    share: float
    """1 for the real thing; less makes row counts smaller for a quick look."""

    def rows(self, count: int) -> int:
        """That share of so many rows."""
        return max(int(count * self.share), 100)


Figures = Mapping[str, float]
Workload = Callable[[Stage, Route, Settings], Figures]


def select_prepared(stage: Stage, route: Route, settings: Settings) -> Figures:
    """pgbench -S -M prepared -c 8: transactions a second."""
    said = stage.run(
        route, "pgbench", "-n", "-S", "-M", "prepared", "-c", "8", "-j", "2", "-T", str(settings.seconds)
    )
    found = re.search(r"tps = ([\d.]+)", said)
    assert found, said
    return {"transactions a second, 8 clients": float(found[1])}


def select_latency(stage: Stage, route: Route, settings: Settings) -> Figures:
    """pgbench -S -M prepared -c 1: how long one transaction takes."""
    with tempfile.TemporaryDirectory() as folder:
        log = ["-l", f"--log-prefix={folder}/log"]
        stage.run(
            route, "pgbench", "-n", "-S", "-M", "prepared", "-c", "1", "-T", str(settings.seconds), *log
        )
        lines = [line for file in Path(folder).iterdir() for line in file.read_text().splitlines()]
    microseconds = [int(line.split()[2]) for line in lines]
    return _percentiles("transaction, 1 client", [one / 1000 for one in microseconds])


def read_rows(stage: Stage, route: Route, settings: Settings) -> Figures:
    """psql reads rows of five columns, two of them protected."""
    rows = min(settings.rows(READ_ROWS), stage.rows)
    query = f"SELECT {COLUMNS} FROM {route.table('people')} WHERE id <= {rows}"
    started = time.perf_counter()
    stage.run(route, "psql", "-X", "-q", "-At", "-o", "/dev/null", "-c", query)
    return {f"psql reads {rows:,} rows, s": time.perf_counter() - started}


def copy_rows(stage: Stage, route: Route, settings: Settings) -> Figures:
    """psql inserts rows by \\copy."""
    rows = settings.rows(LOAD_ROWS)
    _truncate(stage, route)
    with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="") as file:
        csv.writer(file).writerows(_row(one) for one in customers(rows))
        file.flush()
        started = time.perf_counter()
        stage.run(route, "psql", "-X", "-q", "-c", f"\\copy {route.table('load')} FROM '{file.name}' CSV")
        return {"COPY, rows a second": rows / (time.perf_counter() - started)}


def insert_rows(stage: Stage, route: Route, settings: Settings) -> Figures:
    """psycopg inserts rows by pipelined INSERTs, in one transaction."""
    rows = settings.rows(LOAD_ROWS)
    _truncate(stage, route)
    people = [_row(one) for one in customers(rows)]
    query = f"INSERT INTO {route.table('load')} ({COLUMNS}) VALUES (%s, %s, %s, %s, %s)"
    with route.connect() as connection, connection.transaction(), connection.cursor() as cursor:
        started = time.perf_counter()
        cursor.executemany(query, people)
        return {"pipelined INSERTs, rows a second": rows / (time.perf_counter() - started)}


def look_up(stage: Stage, route: Route, settings: Settings) -> Figures:
    """psycopg looks rows up by a deterministic column with an index."""
    draw = random.Random(1)
    emails = [one.email for one in customers(stage.rows)]
    wanted = [draw.choice(emails) for _ in range(settings.rows(LOOKUPS))]
    query = f"SELECT {COLUMNS} FROM {route.table('people')} WHERE email = %s"
    took = []
    with route.connect() as connection:
        for email in wanted:
            started = time.perf_counter()
            found = connection.execute(query, [email], prepare=True).fetchall()
            took.append((time.perf_counter() - started) * 1000)
            assert len(found) == 1
    return _percentiles(f"lookup in {stage.rows:,} rows", took[10:])


def idle_sessions(_stage: Stage, route: Route, settings: Settings) -> Figures:
    """Memory of the gateway for each idle session."""
    if route.gateway is None or route.name != OURS:
        return {}
    count = settings.rows(IDLE_SESSIONS)
    with route.connect():
        before = _memory(route.gateway.pid)
        sessions = [route.connect() for _ in range(count)]
        after = _memory(route.gateway.pid)
        for session in sessions:
            session.close()
    return {"memory for an idle session, kB": (after - before) / count / 1000}


def large_result(stage: Stage, route: Route, _settings: Settings) -> Figures:
    """Growth of the gateway between a small result and the whole table, read row by row."""
    if route.gateway is None or route.name != OURS:
        return {}
    query = f"SELECT {COLUMNS} FROM {route.table('people')} LIMIT "
    with route.connect() as connection, connection.cursor() as cursor:
        seen = []
        for limit in (min(10_000, stage.rows // 10), stage.rows):
            peak = 0
            for number, _ in enumerate(cursor.stream(f"{query}{limit}".encode())):
                if number % 5_000 == 0:
                    peak = max(peak, _memory(route.gateway.pid))
            seen.append(peak)
    return {f"growth over {stage.rows:,} rows, MiB": (seen[1] - seen[0]) / (1 << 20)}


def protect(stage: Stage, route: Route, settings: Settings) -> Figures:
    """`protect` of the whole table, once: without TLS, since it is the database that works."""
    if route.name != OURS or stage.tls:
        return {}
    return protect_rows(stage, settings.seconds)


def rotate(stage: Stage, route: Route, settings: Settings) -> Figures:
    """`keys rotate --reencrypt` of the whole table, once: without TLS, for the same reason."""
    if route.name != OURS or stage.tls:
        return {}
    return rotate_rows(stage, settings.seconds)


def start_with_keys(stage: Stage, route: Route, settings: Settings) -> Figures:
    """A start with many column keys and a root in a key service: without TLS to the database."""
    if route.name != OURS or stage.tls:
        return {}
    return start_with_many_keys(stage, settings.rows(COLUMN_KEYS))


def policy(stage: Stage, route: Route, settings: Settings) -> Figures:
    """Statements under one rule and under 2,000, and rows that come masked: without TLS."""
    if route.name != OURS or stage.tls:
        return {}
    return decide(stage, route, settings.seconds, min(settings.rows(READ_ROWS), stage.rows))


def audit(stage: Stage, route: Route, settings: Settings) -> Figures:
    """Statements with an audit log and without; and records committed to, appended and verified."""
    if route.name != OURS or stage.tls:
        return {}
    return {**audit_records(settings.rows(AUDIT_RECORDS)), **record(stage, route, settings.seconds)}


WORKLOADS: Mapping[str, Workload] = {
    "select": select_prepared,
    "latency": select_latency,
    "read": read_rows,
    "copy": copy_rows,
    "insert": insert_rows,
    "lookup": look_up,
    "idle": idle_sessions,
    "large": large_result,
    "protect": protect,
    "roots": start_with_keys,
    "rotate": rotate,
    "policy": policy,
    "audit": audit,
}


def _row(one: object) -> tuple[object, ...]:
    return tuple(getattr(one, name) for name in COLUMNS.split(", "))


def _truncate(stage: Stage, route: Route) -> None:
    with stage.server.connect("bench") as connection:
        connection.execute(f"TRUNCATE {route.table('load')}")


def _percentiles(what: str, milliseconds: list[float]) -> Figures:
    cut = statistics.quantiles(milliseconds, n=100)
    return {f"{what}, p50 ms": cut[49], f"{what}, p99 ms": cut[98]}


def _memory(pid: int) -> int:
    """Bytes that the process and its children have for themselves (USS)."""
    process = psutil.Process(pid)
    return sum(one.memory_full_info().uss for one in (process, *process.children(recursive=True)))
