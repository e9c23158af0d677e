"""``strongroom password``."""

import io
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from strongroom.config import StateAddress
from strongroom.secret import Secret
from strongroom.state import open_state
from strongroom.wire.postgres.verifier import make_verifier, parse_verifier

VERIFIER = make_verifier(Secret("other"), b"0123456789abcdef").text()
CONFIGURATION = f"""
state: sqlite:state.db
databases:
  shop: {{upstream: 'postgresql://db.example/shop', listen: '127.0.0.1:6432'}}
accounts:
  app: {{databases: [shop]}}
  fixed: {{databases: [shop], password: '{VERIFIER}'}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration with an account that waits for its password."""
    path = tmp_path / "strongroom.yaml"
    path.write_text(CONFIGURATION, encoding="utf-8")
    return path


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def is_verifier_of(verifier: str, password: str) -> bool:
    found = parse_verifier(verifier)
    return make_verifier(Secret(password), found.salt, found.iterations) == found


def test_the_verifier_is_kept(
    file: Path, strongroom: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state holds a verifier of the password, and neither output nor state holds the password."""
    typed(monkeypatch, "hunter2\n")
    run = strongroom("password", "app", "--config", str(file))
    assert run.status == 0, run.stderr
    assert "hunter2" not in run.stdout + run.stderr
    state = open_state(StateAddress(file.parent / "state.db"))
    verifier = state.verifier("app")
    state.close()
    assert verifier is not None
    assert is_verifier_of(verifier.danger_reveal(), "hunter2")
    assert b"hunter2" not in (file.parent / "state.db").read_bytes()


def test_print(strongroom: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    """--print needs no configuration, and prints a verifier of the line without its end."""
    typed(monkeypatch, "hunter2\r\n")
    run = strongroom("password", "app", "--print")
    assert is_verifier_of(run.stdout.strip(), "hunter2")


def test_salts_are_fresh(strongroom: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same password gives another verifier each time."""
    printed = set()
    for _ in range(2):
        typed(monkeypatch, "hunter2\n")
        printed.add(strongroom("password", "app", "--print").stdout)
    assert len(printed) == 2


@pytest.mark.parametrize(
    ("account", "complaint"),
    [("nobody", "not under accounts"), ("fixed", "would count instead")],
)
def test_accounts_that_cannot_have_one(
    file: Path, strongroom: Callable[..., Run], account: str, complaint: str
) -> None:
    """An unknown account, and one whose verifier is configured, are wrong use."""
    run = strongroom("password", account, "--config", str(file))
    assert run.status == 2
    assert complaint in " ".join(run.stderr.replace("│", " ").split())


def test_an_empty_password(strongroom: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty password is wrong use."""
    typed(monkeypatch, "\n")
    assert strongroom("password", "app", "--print").status == 2


@pytest.mark.parametrize(("second", "status"), [(b"hunter2\n", 0), (b"hunter3\n", 2)])
def test_at_a_terminal(second: bytes, status: int) -> None:
    """At a terminal the password is asked for twice, unseen, and the two must be the same."""
    command = [sys.executable, "-c", "from strongroom.cli import main; main()", "password", "app", "--print"]
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        shown = b""
        for prompt, line in ((b"Password: ", b"hunter2\n"), (b"Again: ", second)):
            # Typed ahead of its prompt, a line would be flushed away (getpass uses TCSAFLUSH).
            while not shown.endswith(prompt):
                read = os.read(run.stderr.fileno(), 1)
                assert read, shown
                shown += read
            os.write(ours, line)
        stdout, stderr = run.communicate(timeout=30)
    os.close(ours)
    os.close(theirs)
    assert run.returncode == status
    assert stdout.startswith(b"SCRAM-SHA-256$") == (status == 0)
    assert b"hunter" not in stdout + shown + stderr
