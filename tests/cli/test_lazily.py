"""Commands that are imported when they are called."""

import subprocess
import sys
from collections.abc import Callable

import pytest
from tests.cli.conftest import Run

AMONG_THEM = """
import sys
from strongroom.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    print("sqlalchemy" in sys.modules, "strongroom.demo.story" in sys.modules)
"""


@pytest.mark.parametrize(
    ("arguments", "imported"),
    [
        pytest.param(["version"], "False False", id="a command that needs neither"),
        pytest.param(["keys", "list", "--help"], "True False", id="a command that needs the state"),
        pytest.param(["--help"], "True True", id="the list of all"),
    ],
)
def test_what_is_imported(arguments: list[str], imported: str) -> None:
    """A command brings in what it needs itself; the list of commands brings in all."""
    command = [sys.executable, "-c", AMONG_THEM, *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == imported


@pytest.mark.parametrize("arguments", [["chek"], ["keys", "lst"]])
def test_a_misspelt_command(strongroom: Callable[..., Run], arguments: list[str]) -> None:
    """The nearest name is proposed."""
    run = strongroom(*arguments)
    assert run.status == 2
    assert "Did you mean" in run.stderr
