"""What ORMs and drivers say to protected tables gives what it gives on the plaintext twin.

Each scenario is a list of steps; both twins are filled anew, the scenario runs on each, and every step is
compared. A refusal must be one that the scenario expects.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from tests.conformance.corpus import asyncpg_shop, psql_shop, psycopg_shop, sqlalchemy_shop
from tests.conformance.corpus.steps import Results
from tests.conformance.tally import KEY
from tests.conformance.test_psql import program
from tests.conformance.twins import Twins
from tests.conftest import CACHE, missing

SERVERS = ("embedded", "15")
ROOT = Path(__file__).parent.parent.parent
DJANGO_REFUSED = {
    "startswith": "comparison-refused",
    "icontains": "function-refused",
    "iexact": "function-refused",
    "greater": "comparison-refused",
    "year": "comparison-refused",
    "json_key": "comparison-refused",
    "array_contains": "comparison-refused",
    "order_by_value": "order-refused",
    "largest": "function-refused",
    "lower": "function-refused",
    "increment": "comparison-refused",
    "refused_in_a_transaction": "comparison-refused",
    "string_agg": "function-refused",
    "json_agg": "function-refused",
    "concat": "comparison-refused",
    "dates": "function-refused",
    "regex": "comparison-refused",
}
NODE_REFUSED = {
    "like": "comparison-refused",
    "refusedInTransaction": "comparison-refused",
    "jsonOfRows": "function-refused",
}
Scenario = Callable[[dict[str, str]], Results]
Record = Callable[[str, object], None]
pytestmark = pytest.mark.parametrize("twins", SERVERS, indirect=True)


def compare(
    twins: Twins, name: str, scenario: Scenario, refused: dict[str, str], record_property: Record
) -> None:
    """Runs a scenario on both twins and compares each step."""
    twins.fill()
    try:
        plain, protected = scenario(twins.plain.parameters), scenario(twins.protected.parameters)
    finally:
        twins.fill()  # other tests expect the tables so
    assert plain.keys() == protected.keys()
    problems = []
    for step, expected in plain.items():
        outcome, code = _judged(expected, protected[step], refused.get(step, ""))
        record_property(KEY, (name, outcome, code))
        if outcome == "wrong" or (step in refused and not code):
            problems.append(f"{step}\n  twin {expected}\n  here {protected[step]}")
    assert not problems, "\n".join(problems)


def _judged(expected: object, found: object, refused: str) -> tuple[str, str]:
    """The outcome, and the code of a refusal; an error that the twin has, too, is none."""
    if found == expected:
        return "same", ""
    if not isinstance(found, dict) or "refused" not in found:
        return "wrong", ""
    if isinstance(expected, dict) and expected.get("error") == found["error"]:
        return "same", ""
    return ("refused" if found["refused"] == refused else "wrong"), str(found["refused"])


def test_sqlalchemy(twins: Twins, record_property: Record) -> None:
    """SQLAlchemy's ORM."""
    compare(twins, "SQLAlchemy ORM", sqlalchemy_shop.scenario, sqlalchemy_shop.REFUSED, record_property)


def test_psycopg(twins: Twins, record_property: Record) -> None:
    """psycopg: text and binary, prepared, cursors, pipelines, COPY."""
    compare(twins, "psycopg", psycopg_shop.scenario, psycopg_shop.REFUSED, record_property)


def test_asyncpg(twins: Twins, record_property: Record) -> None:
    """asyncpg."""
    compare(twins, "asyncpg", asyncpg_shop.scenario, asyncpg_shop.REFUSED, record_property)


@pytest.mark.parametrize("binding", ["client", "server"])
def test_django(twins: Twins, binding: str, record_property: Record) -> None:
    """Django's ORM, with parameters put into the text by psycopg and with parameters of the protocol."""

    def scenario(parameters: dict[str, str]) -> Results:
        return _process(
            [sys.executable, "-m", "tests.conformance.corpus.django_shop"], parameters, ROOT, BINDING=binding
        )

    compare(twins, f"Django ORM, {binding}-side binding", scenario, DJANGO_REFUSED, record_property)


def test_node_postgres(twins: Twins, record_property: Record) -> None:
    """node-postgres."""
    node = shutil.which("node")
    if node is None or not (CACHE / "node" / "node_modules" / "pg").exists():
        missing("node-postgres")
    script = Path(__file__).parent / "node" / "shop.js"

    def scenario(parameters: dict[str, str]) -> Results:
        return _process([str(node), str(script)], parameters, CACHE / "node")

    compare(twins, "node-postgres", scenario, NODE_REFUSED, record_property)


def test_psql(twins: Twins, record_property: Record) -> None:
    """psql: queries, variables, its own commands, COPY."""
    compare(twins, "psql", partial(psql_shop.scenario, program()), psql_shop.REFUSED, record_property)


def _process(command: list[str], parameters: dict[str, str], folder: Path, **more: str) -> Results:
    """What a scenario prints that is a program of its own."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    run = subprocess.run(
        command,
        cwd=folder,
        env=environment | {"ENDPOINT": json.dumps(parameters)} | more,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert run.returncode == 0, run.stderr
    found: Results = json.loads(run.stdout)
    return found


def test_no_plaintext_in_the_database(twins: Twins) -> None:
    """After all of them, neither log nor files of the protected database hold a marker."""
    leaks = twins.leaks()
    assert not leaks, f"{len(leaks)} leaks, the first ones: {leaks[:5]}"
