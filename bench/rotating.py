"""``keys rotate --reencrypt`` of a large table, beside a plain UPDATE of the same rows and a running pgbench.

Called by ``workloads``, on the gateway's route alone.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping

from bench.changing import DATABASE, PASSWORD_VARIABLE, configure, make_table, pgbench, transactions
from bench.stage import Stage

VACUUM = "VACUUM FULL people"
PAIRS = 3


def rotate_rows(stage: Stage, seconds: int) -> Mapping[str, float]:
    """Seal a column of ``stage.rows`` rows anew: a randomized one in place, a deterministic one by a swap."""
    make_table(stage)
    with tempfile.TemporaryDirectory() as folder:
        config = configure(stage, folder)
        _run(stage, ["protect", "--json", "--config", config])
        plain, in_place = _side_by_side(stage, config)
        stage.server.run(VACUUM, DATABASE)
        swapped = _rotated(stage, config, "public.people.email")
        alone = [transactions(pgbench(stage, seconds)) for _ in range(2)]
        job = _start(stage, _command(config, "public.people.iban"))
        together = []
        while job.poll() is None:
            together.append(transactions(pgbench(stage, seconds)))
        alone += [transactions(pgbench(stage, seconds)) for _ in range(2)]
    beside = statistics.mean(together[:-1] or together)  # the last ran partly alone
    return {
        f"re-encryption in place of {stage.rows:,} rows, rows a second": stage.rows / in_place,
        "re-encryption in place, times the rate of a plain UPDATE": plain / in_place,
        f"re-encryption by a swap of {stage.rows:,} rows, rows a second": stage.rows / swapped["seconds"],
        "re-encryption by a swap, times the rate of a plain UPDATE": plain / swapped["seconds"],
        "longest lock of a re-encryption by a swap, ms": swapped["longest_lock"] * 1000,
        "slow-down of pgbench beside re-encryption, %": 100 * (1 - beside / statistics.mean(alone)),
    }


def _side_by_side(stage: Stage, config: str) -> tuple[float, float]:
    """Seconds for a plain UPDATE and for re-encryption in place: medians, in turn, as a machine drifts."""
    plain, in_place = [], []
    for _ in range(PAIRS):
        stage.server.run(VACUUM, DATABASE)
        plain.append(_update(stage))
        stage.server.run(VACUUM, DATABASE)
        in_place.append(_rotated(stage, config, "public.people.iban")["seconds"])
    return statistics.median(plain), statistics.median(in_place)


def _update(stage: Stage) -> float:
    """Seconds for an UPDATE that writes the column of every row once more."""
    begun = time.monotonic()
    stage.server.run("UPDATE people SET iban = iban", DATABASE)
    return time.monotonic() - begun


def _rotated(stage: Stage, config: str, column: str) -> dict[str, float]:
    (rotated,) = json.loads(_run(stage, _command(config, column)))
    return dict(rotated)


def _command(config: str, column: str) -> list[str]:
    return ["keys", "rotate", column, "--reencrypt", "--no-wait", "--json", "--config", config]


def _run(stage: Stage, command: list[str]) -> str:
    job = _start(stage, command)
    out, _ = job.communicate()
    assert job.returncode == 0, out
    return out.decode()


def _start(stage: Stage, command: list[str]) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, PASSWORD_VARIABLE: stage.server.password}
    return subprocess.Popen(
        [sys.executable, "-m", "strongroom", *command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
