"""config/__init__.py: what is read of the environment by name."""

from strongroom.config import variable
from strongroom.secret import Secret


def test_a_variable() -> None:
    """A variable is a secret; one that is not set, or empty, is none."""
    environment = {"SET": "x", "EMPTY": ""}
    assert variable("SET", environment) == Secret("x")
    assert variable("EMPTY", environment) is None
    assert variable("UNSET", environment) is None
