"""``python -m bench``: runs the workloads side by side and writes docs/benchmarks.md and .json.

``--only`` leaves the other rows as they were; ``--quick`` looks whether everything runs and writes nothing.
On a machine that does something else meanwhile the figures mean little; the ratios within one row mean the
most.
"""

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

import strongroom
from bench.goals import verdict
from bench.stage import ROUTES, stage
from bench.workloads import WORKLOADS, Settings
from strongroom._kernel import KERNEL

DOCS = Path(__file__).parent.parent / "docs"
Results = dict[tuple[str, bool], dict[str, list[float]]]  # (figure, TLS) -> route -> one value for each run


def main() -> None:
    """Runs what the command line asks for."""
    arguments = _arguments()
    quick = arguments.quick
    settings = Settings(seconds=2 if quick else arguments.seconds, share=0.02 if quick else 1)
    runs = 1 if quick else arguments.runs
    results: Results = {}
    for tls in (False, True):
        with stage(tls=tls, rows=settings.rows(arguments.rows), scale=1 if quick else 10) as here:
            for _ in range(runs):
                for name in arguments.only or WORKLOADS:
                    for route in here.routes:
                        figures = WORKLOADS[name](here, route, settings)
                        for figure, value in figures.items():
                            results.setdefault((figure, tls), {}).setdefault(route.name, []).append(value)
                            print(f"{'TLS ' if tls else ''}{figure}: {route.name} {value:,.3f}", flush=True)
    kept = [] if quick else _kept(results)
    text = _document(_together(kept, results), runs, settings, _command())
    Console().print(text, markup=False, highlight=False)
    if not quick:
        (DOCS / "benchmarks.md").write_text(text, encoding="utf-8")
        (DOCS / "benchmarks.json").write_text(
            json.dumps([*kept, *_records(results)], indent=1) + "\n", encoding="utf-8"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short run that writes nothing")
    parser.add_argument("--runs", type=int, default=3, help="each figure is the median of so many (3)")
    parser.add_argument("--seconds", type=int, default=10, help="for the runs of pgbench (10)")
    parser.add_argument("--rows", type=int, default=1_000_000, help="in the tables (1,000,000)")
    parser.add_argument("--only", nargs="*", choices=list(WORKLOADS), help="these workloads alone")
    return parser.parse_args()


def _command() -> str:
    return " ".join(["python -m bench", *sys.argv[1:]])


def _document(results: Results, runs: int, settings: Settings, command: str) -> str:
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    lines = [
        "# Benchmarks",
        "",
        f"Made by `make bench` with Strongroom {strongroom.__version__}: medians of {runs}, side by side in",
        f"one run on one machine ({machine}), one worker, {settings.seconds} s for each run of pgbench.",
        "Client, gateway and database share the cores. `direct` and `pgbouncer` (session mode) use the",
        "plaintext twin of the table of which `strongroom` opens and seals two columns of five. It has the",
        f"{KERNEL} kernel; the column beside it is the same gateway with the kernel in Python.",
        "",
        f"    {command}",
        "",
        "is the last command of this page. Rows that it did not measure are of an earlier one; the routes of",
        "one row are always of one run.",
    ]
    for tls in (False, True):
        lines += [
            "",
            f"## {'With TLS on both legs' if tls else 'Without TLS'}",
            "",
            *_table(results, tls=tls),
        ]
    return "\n".join(lines) + "\n"


def _table(results: Results, *, tls: bool) -> Sequence[str]:
    lines = [
        f"| | {' | '.join(ROUTES)} | of direct | of pgbouncer | goal |",
        "|---" * (len(ROUTES) + 4) + "|",
    ]
    for (figure, with_tls), by_route in results.items():
        if with_tls == tls:
            medians = {route: statistics.median(values) for route, values in by_route.items()}
            cells = [f"{medians[route]:,.2f}" if route in medians else "" for route in ROUTES]
            lines.append(
                f"| {figure} | {' | '.join(cells)} | {_of(medians, 'direct')} | {_of(medians, 'pgbouncer')}"
                f" | {verdict(figure, medians)} |"
            )
    return lines


def _of(medians: Mapping[str, float], other: str) -> str:
    return (
        f"{medians['strongroom'] / medians[other]:.2f}"
        if other in medians and "strongroom" in medians
        else ""
    )


def _kept(results: Results) -> Sequence[Mapping[str, Any]]:
    """What was measured before and is not measured now: rows stand for themselves."""
    file = DOCS / "benchmarks.json"
    records = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    return [one for one in records if (one["figure"], one["tls"]) not in results]


def _together(kept: Sequence[Mapping[str, Any]], results: Results) -> Results:
    """The figures of earlier runs before those of this one."""
    found: Results = {}
    for one in kept:
        found.setdefault((one["figure"], one["tls"]), {})[one["route"]] = one["values"]
    return found | results


def _records(results: Results) -> Sequence[Mapping[str, object]]:
    return [
        {"figure": figure, "tls": tls, "route": route, "values": values}
        for (figure, tls), by_route in results.items()
        for route, values in by_route.items()
    ]


if __name__ == "__main__":
    main()
