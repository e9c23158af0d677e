"""The log: one JSON object a line, and nothing that an exception says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import strongroom

TEXT = """
import structlog
from strongroom.gateway.log import set_up_log
set_up_log(worker=3)
log = structlog.get_logger("x")
log.debug("too quiet")
log.info("ready", name="ünï")
def inner(value):
    return {}[value]
try:
    inner("geheim")
except KeyError as error:
    log.error("failed", error=type(error).__name__, exc_info=error)
log.warning("no exception", exc_info=None)
"""


def test_lines() -> None:
    """With level, time and context; an exception is where it came from, not what it says."""
    environment = {**os.environ, "PYTHONPATH": str(Path(strongroom.__file__).parent.parent)}
    run = subprocess.run(
        [sys.executable, "-c", TEXT], capture_output=True, encoding="utf-8", env=environment, check=True
    )
    assert run.stdout == ""
    ready, failed, warning = (json.loads(line) for line in run.stderr.splitlines())
    assert (ready["event"], ready["level"], ready["worker"], ready["name"]) == ("ready", "info", 3, "ünï")
    assert ready["timestamp"].endswith("Z")
    assert failed["error"] == "KeyError"
    assert [line.split()[-1] for line in failed["at"]] == ["<module>", "inner"]
    assert "geheim" not in run.stderr
    assert "at" not in warning
