"""node-postgres: its own protocol in JavaScript, with cursors, COPY streams, notifications and pools."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from tests.conformance.conftest import Endpoint
from tests.conftest import CACHE, missing

SCENARIO = Path(__file__).parent / "node" / "scenario.js"


def test_the_scenario(endpoint: Endpoint) -> None:
    """Every step of the scenario gives what it must."""
    node = shutil.which("node")
    if node is None or not (CACHE / "node" / "node_modules" / "pg").exists():
        missing("node-postgres")
    run = subprocess.run(
        [str(node), str(SCENARIO)],
        cwd=CACHE / "node",
        env={"PATH": os.environ["PATH"], "ENDPOINT": json.dumps(endpoint.parameters)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {
        "found": {"id": 7, "name": "name 7", "note": {"id": 7}, "tags": ["a", "7"]},
        "fields": [["id", 23], ["name", 25], ["note", 3802], ["tags", 1009]],
        "named": ["name 1", "name 2", "name 3"],
        "several": [{"a": 1}, {"b": 2}],
        "queued": [1, 2, 3],
        "cursor": [7, 43],
        "error": ["23502", "people", "name"],
        "rolledBack": "name 1",
        "copied": sum(len(f"copied {n}\n") for n in range(5000)),
        "heard": "tidings",
        "pooled": sum(range(40)),
        "notice": "hear this",
    }
