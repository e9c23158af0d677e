"""What a policy and a log cost: pgbench under one rule and 2,000, with each statement recorded; masked rows.

Two gateways stand before the stage's tables, under the keys of the one that is measured otherwise; runs are
taken in turn, as a machine drifts. Called by ``workloads``, on the gateway's route alone.
"""

import contextlib
import re
import shutil
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import yaml

from bench.stage import COLUMNS, DATABASE, PASSWORD, SEALED, USER, Route, Stage
from strongroom.testing.gateway import Account, Gateway

ROLES, RULES_EACH, HELD = 200, 10, 10
"""Roles, the rules of each, and how many of them the account holds, each with a condition."""
ROUNDS = 3
MASKED = "masked"
"""The account that sees both protected columns masked."""

EVERYTHING: Mapping[str, Any] = {
    "tables": {"public.*": ["select", "insert", "update", "delete"]},
    "columns": {"*": "reveal"},
}
MASKS: Mapping[str, Any] = {
    "tables": {"public.*": ["select"]},
    "columns": {
        "public.sealed_people.*": {"show": "reveal", "filter": True},
        "public.sealed_people.email": {"show": {"mask": "email"}},
        "public.sealed_people.iban": {"show": {"mask": "last", "n": 4}},
    },
}


def decide(stage: Stage, route: Route, seconds: int, rows: int) -> Mapping[str, float]:
    """Figures of a gateway with few rules and one with many, beside one without a policy."""
    assert route.gateway is not None
    few = {"everything": EVERYTHING, MASKED: MASKS}
    with _policed(stage, route, few, ["everything"]) as one, _policed(stage, route, *_many()) as many:
        rates = _in_turn([lambda at=at: _pgbench(stage, at, seconds) for at in (route, one, many)])
        reads = _in_turn([lambda who=who: _read(stage, one, who, rows) for who in (USER, MASKED)])
    without, single, thousands = rates
    revealed, masked = reads
    return {
        "pgbench under a policy of one rule, times that without a policy": single / without,
        f"pgbench under {ROLES * RULES_EACH:,} rules of {ROLES} roles, times that under one": thousands
        / single,
        f"psql reads {rows:,} rows masked, times unmasked": masked / revealed,
    }


def record(stage: Stage, route: Route, seconds: int) -> Mapping[str, float]:
    """Figures of gateways that record each statement, in both modes of the log, beside one that does not."""
    assert route.gateway is not None
    audit = {"log": "audit", "origin": "bench.example/audit"}
    roles, held = {"everything": EVERYTHING}, ["everything"]
    with (
        _policed(stage, route, roles, held) as silent,
        _policed(stage, route, roles, held, {"audit": audit}) as batched,
        _policed(stage, route, roles, held, {"audit": audit | {"durability": "sync"}}) as synced,
    ):
        routes = (silent, batched, synced)
        rates = _in_turn([lambda at=at: _pgbench(stage, at, seconds) for at in routes])
    return {
        "pgbench with the audit log, times that without": rates[1] / rates[0],
        "pgbench with the audit log in `sync`, times that without": rates[2] / rates[0],
    }


def _in_turn(measures: Sequence[Any]) -> list[float]:
    taken = [[measure() for measure in measures] for _ in range(ROUNDS)]
    return [statistics.median(values) for values in zip(*taken, strict=True)]


def _many() -> tuple[Mapping[str, Any], Sequence[str]]:
    """Roles with rules of their own, and which of them the account holds: enough for what pgbench does."""
    roles = {
        f"role_{number}": EVERYTHING
        | {
            "columns": {"*": "reveal"}
            | {f"public.table_{number}.column_{rule}": "reveal" for rule in range(RULES_EACH - 2)},
            "when": {"address": ["127.0.0.0/8", f"10.0.{number}.0/24"]},
        }
        for number in range(ROLES)
    }
    return roles, [f"role_{number}" for number in range(HELD)]


@contextlib.contextmanager
def _policed(
    stage: Stage,
    route: Route,
    roles: Mapping[str, Any],
    held: Sequence[str],
    settings: Mapping[str, Any] = MappingProxyType({}),
) -> Iterator[Route]:
    """A gateway with these roles, of which the account holds some, and ``settings`` besides."""
    gateway = route.gateway
    assert gateway is not None

    def first(policed: Gateway) -> None:
        shutil.copy(gateway.folder / "keys" / "root.key", policed.folder / "keys")
        holding = {USER: held, MASKED: [MASKED] if MASKED in roles else []}
        policed.configure(yaml.safe_load(policed.configuration.read_text()) | settings)
        policed.give_roles(roles, holding, PASSWORD)

    owner = {"owner": stage.server.uri(DATABASE, password=""), "owner_password": stage.server.password}
    with Gateway.start(
        stage.server,
        DATABASE,
        upstream=(USER, PASSWORD),
        account=Account(USER, PASSWORD),
        more={"columns": SEALED, **owner},
        first=first,
    ) as running:
        yield Route("policed", running.port, None, running)


def _pgbench(stage: Stage, route: Route, seconds: int) -> float:
    said = stage.run(route, "pgbench", "-n", "-S", "-M", "prepared", "-c", "8", "-j", "2", "-T", str(seconds))
    found = re.search(r"tps = ([\d.]+)", said)
    assert found, said
    return float(found[1])


def _read(stage: Stage, route: Route, account: str, rows: int) -> float:
    query = f"SELECT {COLUMNS} FROM sealed_people WHERE id <= {rows}"
    begun = time.perf_counter()
    stage.run(route, "psql", "-X", "-q", "-At", "-U", account, "-o", "/dev/null", "-c", query)
    return time.perf_counter() - begun
