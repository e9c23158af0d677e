"""The lines of a configuration in which rules stand, by the names that decisions and remarks give them.

A name is written in several ways (``Public.Customers``, ``"public".customers``), and a rule is called by one:
so keys are parsed here as `roles` parses them. Called by whoever says what is wrong with a policy.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic_core import PydanticCustomError

from strongroom.config.access import spelt
from strongroom.config.role_values import parse_about, parse_column_pattern, parse_pattern
from strongroom.config.source import KeyPath, Source, dotted, read_source


def lines_of(
    path: Path, content: str | None = None, environment: Mapping[str, str] | None = None
) -> dict[str, int]:
    """Each place with its line; ``content`` is what the file held when it was read before."""
    source = read_source(path, os.environ if environment is None else environment, content)
    return dict(_lines(source))


def _lines(source: Source) -> Iterator[tuple[str, int]]:
    for path, line in source.lines.items():
        yield dotted(path), line
        name = _called(source, path)
        if name:
            yield name, line


def _called(source: Source, path: KeyPath) -> str:
    """The place of a rule; empty for what is none, or none that can be read."""
    try:
        match path:
            case ("roles", str(role), "tables", str(key)):
                return f"roles.{role}.tables.{parse_pattern(key)}"
            case ("roles", str(role), "columns", str(key)):
                return f"roles.{role}.columns.{spelt(parse_about(key))}"
            case ("roles", str(role), "functions", int(number)):
                return f"roles.{role}.functions.{parse_pattern(_at(source, path[:-1], number))}"
            case ("classes", str(key)):
                return f"classes.{parse_column_pattern(key)}"
    except PydanticCustomError:
        pass
    return ""


def _at(source: Source, path: KeyPath, number: int) -> object:
    data: object = source.data
    for part in path:
        data = data[part] if isinstance(data, dict) else None
    return data[number] if isinstance(data, list) else None
