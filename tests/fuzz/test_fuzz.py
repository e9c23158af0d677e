"""The atheris targets, for as long as `make test-full` has patience; each runs by itself for longer, too."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SECONDS = 60


@pytest.mark.full
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris does not install here")
@pytest.mark.timeout(4 * SECONDS)
@pytest.mark.parametrize("target", ["analysis", "framing"])
def test_nothing_is_found(target: str, tmp_path: Path) -> None:
    """A target runs without a crash, a wrong exception or a failed check."""
    run = subprocess.run(
        [sys.executable, "-m", f"tests.fuzz.{target}", f"-max_total_time={SECONDS}", "-rss_limit_mb=3000",
         f"-artifact_prefix={tmp_path}/"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=3 * SECONDS,
        check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-3000:]
