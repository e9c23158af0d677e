"""Groups of commands that are imported when they are called: none waits for what the others need.

`group` makes such a group out of the places of its commands; only its ``--help``, which quotes each of them,
imports them all. `app` and the groups below it are made by it.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from strongroom.cli.recording import observe


def group(places: Mapping[str, str], **about: Any) -> typer.Typer:
    """A group of the commands at ``places``, each ``module:name`` of a function or of a group, by its name.

    ``about`` is what `typer.Typer` takes.
    """

    class Group(TyperGroup):
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**(attributes | {"commands": _Commands(places)}))

        def list_commands(self, ctx: object) -> list[str]:
            return list(places)

    made = typer.Typer(cls=Group, no_args_is_help=True, **about)
    made.callback()(_nothing)  # typer wants at least one of its own
    return made


def _nothing() -> None:
    """Typer's own help comes from ``about``."""


class _Commands(Mapping[str, Any]):  # typer does not export the type of its commands
    """Commands by name, each imported when it is asked for."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = places

    def __getitem__(self, name: str) -> Any:
        module, _, attribute = self._places[name].partition(":")
        found = getattr(import_module(module), attribute)
        if not isinstance(found, typer.Typer):
            found = _alone(name, found)
        command = get_command(found)
        command.name = name
        observe(command)
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _alone(name: str, function: Any) -> typer.Typer:
    made = typer.Typer(add_completion=False)
    made.command(name)(function)
    return made
