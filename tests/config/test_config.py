"""config/__init__.py: what is read of the environment by name."""

import pytest

from strongroom.config import environment_with, variable
from strongroom.secret import Secret


def test_a_variable() -> None:
    """A variable is a secret; one that is not set, or empty, is none."""
    environment = {"SET": "x", "EMPTY": ""}
    assert variable("SET", environment) == Secret("x")
    assert variable("EMPTY", environment) is None
    assert variable("UNSET", environment) is None


def test_an_environment_for_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is given counts over what is there, and that over defaults: nobody's TLS settings are weakened."""
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    monkeypatch.setenv("PGUSER", "somebody")
    made = environment_with({"PGUSER": "anna"}, {"PGSSLMODE": "require", "PGCHANNELBINDING": "require"})
    assert (made["PGUSER"], made["PGSSLMODE"], made["PGCHANNELBINDING"]) == ("anna", "verify-full", "require")
    assert "PATH" in made
