"""From a YAML file to plain data with a line number for each key; ``${NAME}`` filled in from the environment.

YAML 1.2 spec, chapter 7.3.3: a plain scalar inside ``{...}`` may hold no braces, so ``{password: ${NAME}}``
would not parse. References are therefore turned into private-use characters before the parser sees the text,
and into values after it: no value from the environment is ever read as YAML.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import yaml

from strongroom.errors import DuplicateKey, MissingVariable, UnreadableConfiguration

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"
KeyPath: TypeAlias = tuple[str | int, ...]

MAX_FILE_BYTES = 1 << 20
MAX_NODES = 100_000  # an alias may repeat a node; this bounds what repeated repeating can make
MAX_DEPTH = 20

_OPEN, _CLOSE, _ESCAPED = "\ue000", "\ue001", "\ue002"
_REFERENCE = re.compile(r"\$(\$?)\{(?:([A-Za-z_][A-Za-z0-9_]*)\})?")
_MARKED = re.compile(f"{_OPEN}([A-Za-z0-9_]+){_CLOSE}")


@dataclass(frozen=True, slots=True)
class Source:
    """A configuration file as plain data; ``lines`` says where each key path stands."""

    path: Path
    data: Plain
    lines: Mapping[KeyPath, int]

    def place(self, path: KeyPath) -> str:
        """``file:line`` of the key, or of the nearest key around it that the file holds."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.path}:{self.lines.get(path, 1)}"


def read_source(path: Path, environment: Mapping[str, str], content: str | None = None) -> Source:
    """Reads and parses the file; what cannot be read is a ``ConfigError`` that says where.

    ``content`` is what the file held when it was read before.
    """
    text = _mark_references(read_file(path) if content is None else content, path)
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        walk = _Walk(path, loader, environment)
        data: Plain = {} if root is None else walk.plain(root, ())
    except yaml.YAMLError as error:
        raise _syntax_error(path, error) from None
    except RecursionError:  # PyYAML's own, before our limit is asked
        raise _nested(str(path)) from None
    finally:
        loader.dispose()
    return Source(path, data, walk.lines)


def read_file(path: Path) -> str:
    """The text of the file, its size limited; raises ``UnreadableConfiguration``."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise UnreadableConfiguration(
                f"{path}: the file is larger than {MAX_FILE_BYTES} bytes", hint="Is this the right file?"
            )
        return content.decode("utf-8")
    except FileNotFoundError:
        raise UnreadableConfiguration(
            f"{path}: there is no such file",
            hint="Give the path of the configuration with --config.",
        ) from None
    except OSError as error:
        raise UnreadableConfiguration(
            f"{path}: cannot be read: {error.strerror}",
            hint="Let the user that runs strongroom read the file.",
        ) from None
    except UnicodeDecodeError:
        raise UnreadableConfiguration(f"{path}: is not UTF-8", hint="Save the file as UTF-8.") from None


def _mark_references(text: str, path: Path) -> str:
    if any(mark in text for mark in (_OPEN, _CLOSE, _ESCAPED)):
        raise UnreadableConfiguration(
            f"{path}: holds a private-use character (U+E000 to U+E002)", hint="Remove it."
        )

    def mark(found: re.Match[str]) -> str:
        doubled, name = found.groups()
        if doubled:
            return _ESCAPED + (f"{name}}}" if name else "")
        return f"{_OPEN}{name}{_CLOSE}" if name else found.group()

    return _REFERENCE.sub(mark, text)


@dataclass(slots=True)
class _Walk:
    """Turns the YAML nodes into plain data, and notes the lines as it goes."""

    path: Path
    loader: yaml.SafeLoader
    environment: Mapping[str, str]
    lines: dict[KeyPath, int] = field(default_factory=dict)
    nodes: int = 0

    def plain(self, node: yaml.Node, at: KeyPath) -> Plain:
        self.nodes += 1
        if self.nodes > MAX_NODES or len(at) > MAX_DEPTH:
            raise _nested(f"{self.path}:{_line(node)}")
        self.lines.setdefault(at, _line(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, at)
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(item, (*at, index)) for index, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, at: KeyPath) -> dict[str, Plain]:
        data: dict[str, Plain] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else "?"
            key = _MARKED.sub(r"${\1}", key)
            here = (*at, key)
            if key in data:
                raise DuplicateKey(
                    f"{self.path}:{_line(key_node)}: {dotted(here)}: "
                    f"stands here and in line {self.lines[here]}",
                    hint="Keep one of the two; which one would have counted is a guess.",
                )
            self.lines[here] = _line(key_node)
            data[key] = self.plain(value_node, here)
        return data

    def _scalar(self, node: yaml.Node) -> Plain:
        value: Plain = self.loader.construct_object(node)
        if isinstance(value, str):
            return _MARKED.sub(lambda found: self._variable(found[1], node), value).replace(_ESCAPED, "${")
        # A YAML date or timestamp has no place in this configuration; as text it meets the right complaint.
        return value if value is None or isinstance(value, (bool, int, float)) else str(node.value)

    def _variable(self, name: str, node: yaml.Node) -> str:
        value = self.environment.get(name)
        if value is None:
            raise MissingVariable(
                f"{self.path}:{_line(node)}: the environment variable {name} is not set",
                hint=f"Set {name} for the process, or write $${{{name}}} if the text itself is meant.",
            )
        return value


def dotted(path: KeyPath) -> str:
    """A key path as the user would say it: ``databases.shop.upstream_pin[0]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _nested(place: str) -> UnreadableConfiguration:
    return UnreadableConfiguration(
        f"{place}: too much is nested or repeated here",
        hint="Write the configuration out without YAML aliases.",
    )


def _syntax_error(path: Path, error: yaml.YAMLError) -> UnreadableConfiguration:
    mark = getattr(error, "problem_mark", None)
    place = f"{path}:{mark.line + 1}" if mark is not None else str(path)
    problem = getattr(error, "problem", None) or "is not YAML"
    return UnreadableConfiguration(
        f"{place}: {problem}",
        hint="Check the indentation, the colons and the quotes around this line.",
    )
