"""The command line as a whole: help, wrong use, errors."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from tests.cli.conftest import Run
from typer.main import get_command

from strongroom.cli import app, audit, keys, policy

GROUPS = {"audit", "keys", "people", "policy", "protection", "keys root", "keys tenants", "keys approvals"}
COMMANDS = [
    name
    for name in (
        *app.COMMANDS,
        *(f"audit {name}" for name in audit.COMMANDS),
        *(f"keys {name}" for name in keys.COMMANDS),
        *(f"policy {name}" for name in policy.COMMANDS),
    )
    if name not in GROUPS
]


def test_no_command(strongroom: Callable[..., Run]) -> None:
    """Without a command the help is shown."""
    run = strongroom()
    assert "Commands" in run.stdout + run.stderr


@pytest.mark.parametrize("group", ["", *sorted(GROUPS)])
def test_help_of_a_group(strongroom: Callable[..., Run], group: str) -> None:
    """A group lists its commands, each with a line of its own."""
    run = strongroom(*group.split(), "--help")
    assert run.status == 0
    listed = run.stdout.partition("Commands")[2]
    assert re.search(r"│ [a-z]+ +[A-Z][a-z]+ ", listed)


@pytest.mark.parametrize("command", COMMANDS)
def test_help(strongroom: Callable[..., Run], command: str) -> None:
    """Every command explains itself, with an example."""
    run = strongroom(*command.split(), "--help")
    assert run.status == 0
    assert re.search(rf"Examples?: strongroom {command}", " ".join(run.stdout.split()))


WITHOUT_JSON = {
    "audit report": "a page of Markdown",
    "audit schema": "is JSON",
    "demo": "tells a story",
    "serve": "runs until it is stopped",
    "password": "asks for a password",
    "people add": "shows a secret once, to one person",
    "people reset": "shows a secret once, to one person",
    "people disable": "says nothing that `people list --json` does not",
}


def commands(group: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """All commands under a group, by what is typed."""
    context = typer.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        typed = f"{path} {name}".strip()
        yield from commands(found, typed) if hasattr(found, "list_commands") else [(typed, found)]


def test_every_command_speaks_to_programs() -> None:
    """By --json, but for those that are listed; none is listed that has it."""
    found = dict(commands(get_command(app.app)))
    assert found.keys() >= {"keys root rewrap", "keys tenants add", "check"}
    silent = {
        typed
        for typed, one in found.items()
        if not any("--json" in parameter.opts for parameter in one.params)
    }
    assert silent == WITHOUT_JSON.keys()


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
