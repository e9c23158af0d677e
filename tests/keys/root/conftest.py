"""A SoftHSM of their own for the tests of roots."""

import os
from pathlib import Path

import pytest
from tests.conftest import missing

import strongroom
from strongroom.errors import ServerFailed
from strongroom.testing.softhsm import SoftHsm


@pytest.fixture
def softhsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftHsm:
    """A SoftHSM with one token, ``strongroom``, which processes that this one starts see."""
    folder = tmp_path / "softhsm"
    folder.mkdir()
    try:
        hsm = SoftHsm.make(folder)
    except ServerFailed:
        missing("SoftHSM")
    hsm.add_token("strongroom")
    for name, value in hsm.environment.items():
        monkeypatch.setenv(name, value)
    source = Path(strongroom.__file__).parent.parent
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(source), os.environ.get("PYTHONPATH", "")]))
    return hsm
