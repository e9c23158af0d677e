"""``strongroom check``."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from strongroom.config import StateAddress
from strongroom.secret import Secret
from strongroom.state import open_state

Check = Callable[[], tuple[int, dict[str, bool]]]
CONFIGURATION = """
state: sqlite:state.db
databases:
  shop:
    upstream: postgresql://db.example/shop
    listen: 127.0.0.1:6432
    tls: {certificate: server.crt, key: server.key}
accounts:
  app: {databases: [shop]}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration whose account and files are not there yet."""
    path = tmp_path / "strongroom.yaml"
    path.write_text(CONFIGURATION, encoding="utf-8")
    return path


@pytest.fixture
def check(file: Path, strongroom: Callable[..., Run]) -> Check:
    """Checks the configuration; gives the exit status, and what holds."""

    def run() -> tuple[int, dict[str, bool]]:
        result = strongroom("check", "--config", str(file), "--json")
        return result.status, {one["subject"]: one["holds"] for one in json.loads(result.stdout)}

    return run


def test_what_does_not_hold(check: Check) -> None:
    """What is missing is listed, and the exit status is 1."""
    status, holds = check()
    assert status == 1
    assert holds == {
        "configuration": True,
        "state": True,
        "accounts.app": False,
        "databases.shop.tls.certificate": False,
        "databases.shop.tls.key": False,
    }


def test_all_holds(file: Path, check: Check) -> None:
    """When all is there, the exit status is 0."""
    for name in ("server.crt", "server.key"):
        (file.parent / name).touch()
    state = open_state(StateAddress(file.parent / "state.db"))
    state.store_verifier("app", Secret("x"))
    state.close()
    status, holds = check()
    assert status == 0
    assert all(holds.values())


def test_an_unusable_state(file: Path, check: Check) -> None:
    """A state that cannot be opened is a finding, not the end of the check."""
    (file.parent / "state.db").mkdir()
    status, holds = check()
    assert status == 1
    assert holds == {"configuration": True, "state": False}


def test_as_a_table(file: Path, strongroom: Callable[..., Run]) -> None:
    """Without --json there is a table for people."""
    result = strongroom("check", "--config", str(file))
    assert "accounts.app" in result.stdout
    assert "strongroom password app" in " ".join(result.stdout.split())
