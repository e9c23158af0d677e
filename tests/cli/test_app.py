"""The command line as a whole: help, wrong use, errors."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from strongroom.cli.app import app

COMMANDS = sorted(str(command.callback.__name__) for command in app.registered_commands if command.callback)


def test_no_command(strongroom: Callable[..., Run]) -> None:
    """Without a command the help is shown."""
    run = strongroom()
    assert "Commands" in run.stdout + run.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_help(strongroom: Callable[..., Run], command: str) -> None:
    """Every command explains itself, with an example."""
    run = strongroom(command, "--help")
    assert run.status == 0
    assert re.search(rf"Examples?: strongroom {command}", " ".join(run.stdout.split()))


@pytest.mark.parametrize("arguments", [["nonsense"], ["check", "--nonsense"], ["version", "extra"]])
def test_wrong_use(strongroom: Callable[..., Run], arguments: list[str]) -> None:
    """Wrong use exits with 2."""
    assert strongroom(*arguments).status == 2


def test_configuration_errors(strongroom: Callable[..., Run], tmp_path: Path) -> None:
    """An error of the configuration exits with 2 and says what, where, what next and where to read more."""
    run = strongroom("check", "--config", str(tmp_path / "none.yaml"))
    assert run.status == 2
    assert run.stdout == ""
    assert "none.yaml: there is no such file" in run.stderr
    assert "--config" in run.stderr
    assert "docs/errors.md#configuration-unreadable" in run.stderr
