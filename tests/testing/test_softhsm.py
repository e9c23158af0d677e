"""The SoftHSM of the test kit."""

import shutil
from pathlib import Path

import pytest
from tests.conftest import missing

from strongroom.errors import ServerFailed
from strongroom.testing.softhsm import SoftHsm


def test_tokens_lie_in_the_folder(tmp_path: Path) -> None:
    """Each in a folder of its own; what its tool refuses is told."""
    if shutil.which("softhsm2-util") is None:
        missing("SoftHSM")
    softhsm = SoftHsm.make(tmp_path)
    assert softhsm.add_token("one") != softhsm.add_token("two")
    assert softhsm.add_token("one").is_relative_to(tmp_path)
    with pytest.raises(ServerFailed):
        softhsm.add_token("three", pin="1")
    with pytest.raises(ServerFailed):
        softhsm.add_key("absent", "root")


def test_without_softhsm_the_hint_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test kit is for others, too."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerFailed) as caught:
        SoftHsm.make(tmp_path)
    assert "softhsm2" in caught.value.hint
