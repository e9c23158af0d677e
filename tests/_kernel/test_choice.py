"""_kernel/__init__.py: which twin runs."""

import os
import subprocess
import sys

import pytest

from strongroom import _kernel
from strongroom.errors import KernelUnavailable


def test_python_is_always_there() -> None:
    """The readable twin can be asked for by name."""
    assert _kernel.choose("python").__name__ == "strongroom._kernel.python"


def test_an_unknown_kernel_is_refused() -> None:
    """A word that is no kernel's is an error, not a default."""
    with pytest.raises(KernelUnavailable):
        _kernel.choose("fast")


def test_a_kernel_that_is_missing_is_refused_only_where_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the native kernel the other one runs, unless the native one was demanded."""
    monkeypatch.setitem(sys.modules, "strongroom._kernel.native", None)
    monkeypatch.delattr(_kernel, "native", raising=False)
    assert _kernel.choose("") is _kernel.choose("python")
    with pytest.raises(KernelUnavailable, match="not installed"):
        _kernel.choose("native")


def test_the_variable_decides() -> None:
    """STRONGROOM_KERNEL is read once, when the package is imported."""
    code = "from strongroom import _kernel; print(_kernel.KERNEL)"
    environment = os.environ | {"STRONGROOM_KERNEL": "python", "PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert said.stdout == "python\n"
