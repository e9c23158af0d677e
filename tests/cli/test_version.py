"""``strongroom version``."""

import json
import subprocess
import sys

import strongroom


def test_versions() -> None:
    """The installed command prints what runs, for people and as JSON."""
    run = [sys.executable, "-c", "from strongroom.cli import main; main()", "version"]
    plain = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert strongroom.__version__ in plain
    parts = json.loads(subprocess.run([*run, "--json"], capture_output=True, text=True, check=True).stdout)
    assert {"part": "strongroom", "version": strongroom.__version__} in parts
    assert all(one["version"] != "unknown" for one in parts)
    assert {one["part"] for one in parts} >= {"python", "openssl", "libpq"}
