"""keys/core_dumps.py: processes that are killed in a way that would leave a core dump."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import strongroom

SOURCE = str(Path(strongroom.__file__).parent.parent)
FORBIDS = "from strongroom.keys import core_dumps; core_dumps.forbid_core_dumps(); "
UNLIMITED = "import resource as r; r.setrlimit(r.RLIMIT_CORE, (r.RLIM_INFINITY, r.RLIM_INFINITY)); "
ABORT = "import os; os.abort()"


def was_dumped(folder: Path, script: str) -> bool:
    """Whether the kernel dumped the process when it aborted."""
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=folder, env={**os.environ, "PYTHONPATH": SOURCE}
    )
    _, status = os.waitpid(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)  # so that nobody waits for it again
    assert os.WIFSIGNALED(status)
    return os.WCOREDUMP(status)


@pytest.fixture
def dumps(tmp_path: Path) -> Path:
    """A folder where a process that forbids nothing does leave a core dump."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    if (hard != resource.RLIM_INFINITY and os.geteuid() != 0) or not was_dumped(tmp_path, UNLIMITED + ABORT):
        pytest.skip("this system writes no core dumps")
    return tmp_path


def test_no_core_dump(dumps: Path) -> None:
    """Where there was one without it."""
    assert not was_dumped(dumps, UNLIMITED + FORBIDS + ABORT)


SAYS = "import ctypes; print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"  # PR_GET_DUMPABLE


def is_dumpable(script: str) -> bool:
    """What the process says of itself at the end."""
    said = subprocess.run(
        [sys.executable, "-c", script + SAYS],
        env={**os.environ, "PYTHONPATH": SOURCE},
        stdout=subprocess.PIPE,
        check=True,
    )
    return said.stdout == b"1\n"


@pytest.mark.parametrize(("script", "dumpable"), [("", True), (FORBIDS, False)])
def test_the_process_itself_is_not_dumpable(script: str, dumpable: bool) -> None:
    """No limit holds where dumps go to a program."""
    assert is_dumpable(script) is dumpable


@pytest.mark.parametrize(("before", "kept"), [(FORBIDS, False), ("", True)])
def test_a_process_follows_the_one_that_started_it(before: str, kept: bool) -> None:
    """The limit is inherited, and tells what the other setting was."""
    child = "from strongroom.keys import core_dumps; core_dumps.follow_parent(); " + SAYS
    script = before + f"import os, sys; os.execv(sys.executable, [sys.executable, '-c', {child!r}]); "
    assert is_dumpable(script) is kept
