"""Both twins: every test of this room runs on each that is installed."""

import importlib.util
from types import ModuleType

import pytest

from strongroom import _kernel

INSTALLED = ["python", *(["native"] if importlib.util.find_spec("strongroom_kernel") else [])]


@pytest.fixture(params=INSTALLED, scope="session")
def kernel(request: pytest.FixtureRequest) -> ModuleType:
    """One of the twins."""
    return _kernel.choose(request.param)
