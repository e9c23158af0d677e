"""Runs commands in this process, as the console script would."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from strongroom.cli import main


@dataclass(frozen=True, slots=True)
class Run:
    """How a command ended and what it printed."""

    status: int
    stdout: str
    stderr: str


@pytest.fixture
def strongroom(capsys: pytest.CaptureFixture[str]) -> Callable[..., Run]:
    """``strongroom("check", "--json")`` runs the command."""

    def run(*arguments: str) -> Run:
        with pytest.raises(SystemExit) as exited:
            main(list(arguments))
        captured = capsys.readouterr()
        code = exited.value.code
        return Run(code if isinstance(code, int) else 0, captured.out, captured.err)

    return run
