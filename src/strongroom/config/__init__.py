"""The configuration: strongroom.yaml and the environment, parsed once into frozen settings.

``load(path)`` reads the file (``source``), checks it against the model (``model``) and puts what is wrong in
words (``problems``). This room alone reads configuration files and the environment.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from strongroom.config.access import policy_of
from strongroom.config.model import (
    Account,
    Address,
    Column,
    ColumnName,
    Database,
    Keys,
    Limits,
    Login,
    Person,
    Protection,
    RootAddress,
    SessionLimits,
    Settings,
    StateAddress,
    Tls,
)
from strongroom.config.problems import invalid_configuration
from strongroom.config.source import read_file, read_source
from strongroom.policy.roles import Policy
from strongroom.secret import Secret

__all__ = [
    "DEFAULT_FILE",
    "Account",
    "Address",
    "Column",
    "ColumnName",
    "Database",
    "Keys",
    "Limits",
    "Login",
    "Person",
    "Protection",
    "RootAddress",
    "SessionLimits",
    "Settings",
    "StateAddress",
    "Tls",
    "core_dumps_allowed",
    "environment_with",
    "load",
    "load_policy",
    "read_file",
    "variable",
]

DEFAULT_FILE = Path("strongroom.yaml")

CORE_DUMPS = "STRONGROOM_CORE_DUMPS"
"""Where it is ``allowed``, processes that hold keys may be dumped and attached to: for developers."""


def load(
    path: Path = DEFAULT_FILE,
    environment: Mapping[str, str] | None = None,
    *,
    content: str | None = None,
) -> Settings:
    """The settings in ``path``; raises a ``ConfigError`` that names file, line, key and remedy.

    ``environment`` is what ``${NAME}`` is read from; the process's own when left out. ``content`` is what the
    file held when `read_file` read it, where it must not have changed since.
    """
    source = read_source(path, os.environ if environment is None else environment, content)
    try:
        return Settings.model_validate(source.data, context=path.absolute())
    except ValidationError as error:
        raise invalid_configuration(source, error) from None


def load_policy(
    path: Path = DEFAULT_FILE, environment: Mapping[str, str] | None = None
) -> tuple[Settings, Policy]:
    """The settings in ``path``, and the policy that they declare; for the commands that look at policies."""
    settings = load(path, environment)
    return settings, policy_of(settings)


def variable(name: str, environment: Mapping[str, str] | None = None) -> Secret | None:
    """What ``${NAME}`` would be read as; None where it is not set, or empty."""
    value = (os.environ if environment is None else environment).get(name)
    return Secret(value) if value else None


def environment_with(more: Mapping[str, str], defaults: Mapping[str, str]) -> Mapping[str, str]:
    """The process's own environment, with more and over defaults, for a program that is run in its place."""
    return {**defaults, **os.environ, **more}


def core_dumps_allowed() -> bool:
    """Whether a developer wants core dumps and debuggers; they hold keys and plaintext."""
    return os.environ.get(CORE_DUMPS) == "allowed"
