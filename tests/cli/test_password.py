"""``strongroom password``."""

import io
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
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


def test_the_former_one_is_kept_for_a_while(
    file: Path, strongroom: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --keep-old both count, under one salt, and `check` says until when; without it only the new."""
    state = open_state(StateAddress(file.parent / "state.db"))
    checked = []
    for word, more in (("first", ()), ("second", ("--keep-old", "24h")), ("third", ())):
        typed(monkeypatch, word + "\n")
        run = strongroom("password", "app", "--config", str(file), *more)
        assert run.status == 0, run.stderr
        assert ("counts until" in run.stdout) is bool(more)
        kept = [one.danger_reveal() for one in state.verifiers("app", datetime.now(UTC))]
        words = ["second", "first"] if more else [word]
        assert all(is_verifier_of(*pair) for pair in zip(kept, words, strict=True))
        assert len({parse_verifier(one).salt for one in kept}) == 1
        checked.append("former one counts" in strongroom("check", "--offline", "--config", str(file)).stdout)
    state.close()
    assert checked == [False, True, False]


@pytest.mark.parametrize("time", ["24", "0h", "1w", "91d", "-1h", "1.5h"])
def test_times_that_are_none(
    file: Path, strongroom: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, time: str
) -> None:
    """A time without unit, or longer than 90 days, is wrong use and sets nothing."""
    typed(monkeypatch, "hunter2\n")
    assert strongroom("password", "app", f"--keep-old={time}", "--config", str(file)).status == 2
    assert not (file.parent / "state.db").exists()


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
