"""``strongroom people``."""

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyotp
import pytest
from tests.cli.conftest import Run

from strongroom.config import StateAddress
from strongroom.people import passwords, store
from strongroom.state import open_state

CONFIGURATION = """
state: sqlite:state.db
databases:
  shop: {upstream: 'postgresql://db.example/shop', listen: '127.0.0.1:6432'}
  books: {upstream: 'postgresql://db.example/books', listen: '127.0.0.1:6433'}
people:
  anna: {databases: [shop, books]}
  berta: {databases: [shop]}
"""
WORDS = "correct horse battery staple"

People = Callable[..., Run]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration with two people who were not added yet."""
    path = tmp_path / "strongroom.yaml"
    path.write_text(CONFIGURATION, encoding="utf-8")
    return path


@pytest.fixture
def people(file: Path, strongroom: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> People:
    """``people("add", "anna", typed=...)`` runs a command, with Argon2id of parameters that take no time."""
    monkeypatch.setattr(passwords, "MEMORY_KIB", 64)
    monkeypatch.setattr(passwords, "PASSES", 1)

    def run(*arguments: str, typed: str = f"{WORDS}\n") -> Run:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        return strongroom("people", *arguments, "--config", str(file))

    return run


def standing(people: People) -> dict[str, str]:
    """How each person stands."""
    return {one["name"]: one["standing"] for one in json.loads(people("list", "--json").stdout)}


def secret_of(run: Run) -> str:
    """The authenticator's secret, out of what was printed."""
    (uri,) = (line for line in run.stdout.splitlines() if line.startswith("otpauth://"))
    return pyotp.parse_uri(uri).secret


def test_a_person_is_added_and_sees_the_second_factor_once(people: People, file: Path) -> None:
    """The state has a verifier; the password is printed nowhere, and a second time nothing is given."""
    run = people("add", "anna")
    assert run.status == 0, run.stderr
    assert WORDS not in run.stdout + run.stderr
    state = open_state(StateAddress(file.parent / "state.db"))
    with state.engine.begin() as connection:
        person = store.find_person(connection, "anna")
    state.close()
    assert person is not None
    assert person.totp.danger_reveal() == secret_of(run)
    assert person.password.danger_reveal().startswith("$argon2id$")
    again = people("add", "anna")
    assert again.status == 2
    assert "reset" in again.stderr
    assert "otpauth" not in again.stdout


def test_how_people_stand(people: People, file: Path) -> None:
    """Not added, added, disabled, let in again, and no more in the configuration."""
    assert standing(people) == {"anna": "not added yet", "berta": "not added yet"}
    assert list(file.parent.iterdir()) == [file]
    first = secret_of(people("add", "anna"))
    assert standing(people)["anna"] == "may sign in"
    assert people("disable", "anna").status == 0
    assert standing(people)["anna"] == "disabled"
    assert secret_of(people("reset", "anna")) != first
    assert standing(people)["anna"] == "may sign in"
    file.write_text(CONFIGURATION.replace("  anna: {databases: [shop, books]}\n", ""), encoding="utf-8")
    assert standing(people) == {"anna": "not in the configuration", "berta": "not added yet"}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["add", "nobody"], "person-unknown"),
        (["add", "Anna"], "person-unknown"),
        (["reset", "anna"], "person-unknown"),
        (["disable", "anna"], "person-unknown"),
    ],
)
def test_who_is_not_there(people: People, arguments: list[str], code: str) -> None:
    """Wrong use, with a section of the errors."""
    run = people(*arguments)
    assert (run.status, f"errors.md#{code}" in run.stderr) == (2, True)


def test_a_short_password_is_refused(people: People) -> None:
    """And not repeated."""
    run = people("add", "anna", typed="hunter2\n")
    assert run.status == 2
    assert "person-refused" in run.stderr
    assert "hunter2" not in run.stdout + run.stderr


def test_check_says_who_cannot_sign_in(people: People, file: Path, strongroom: Callable[..., Run]) -> None:
    """Who was not added fails; who is disabled is to be borne in mind."""
    people("add", "anna")
    people("disable", "anna")
    run = strongroom("check", "--offline", "--json", "--config", str(file))
    verdicts = {one["subject"]: one["verdict"] for one in json.loads(run.stdout)}
    assert (verdicts["people.anna"], verdicts["people.berta"]) == ("mind", "fails")


def test_at_a_terminal_there_is_a_code_to_scan(file: Path) -> None:
    """Beside the text, drawn in blocks."""
    program = "from strongroom.cli import main; main()"
    command = [sys.executable, "-c", program, "people", "add", "anna", "--config", str(file)]
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=theirs, stderr=subprocess.PIPE) as run:
        os.close(theirs)
        assert run.stdin is not None
        run.stdin.write(f"{WORDS}\n".encode())
        run.stdin.close()
        shown = b""
        try:
            while more := os.read(ours, 65536):
                shown += more
        except OSError:  # the other end is closed
            os.close(ours)
    assert run.returncode == 0
    assert b"otpauth://totp/Strongroom:anna" in shown
    assert "█".encode() in shown
