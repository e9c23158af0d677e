"""Django's ORM over psycopg: migrations, queries, bulk work, transactions.

Django is configured once for a process, so each endpoint gets a process of its own: ``django_scenario.py``.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.conformance.conftest import Endpoint

SCENARIO = Path(__file__).with_name("django_scenario.py")


def test_the_scenario(endpoint: Endpoint) -> None:
    """Every step of the scenario gives what it must."""
    run = subprocess.run(
        [sys.executable, "-W", "error", str(SCENARIO)],
        env={"PATH": os.environ["PATH"], "ENDPOINT": json.dumps(endpoint.parameters)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {
        "found": ["customer 7", ["a"], {"n": 7}],
        "aggregate": {"count": 500, "total": 124750},
        "filtered": 10,
        "joined": ["customer 499", "customer 498"],
        "upserted": ["renamed", 500],
        "updated": 5,
        "iterated": 500,
        "savepoint": "IntegrityError",
        "kept": True,
        "locked": 1,
        "deleted": 2,
        "tables": ["shop_customer", "shop_order"],
    }
