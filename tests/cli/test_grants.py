"""Roles for a time on the command line; tests/gateway/test_grants.py has what sessions see of them."""

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyotp
import pytest
from tests.cli.conftest import Run

from strongroom.config import StateAddress
from strongroom.people import passwords, sign_in
from strongroom.secret import Secret
from strongroom.state import open_state

CONFIGURATION = """
state: sqlite:state.db
databases:
  shop: {upstream: 'postgresql://db.example/shop', listen: '127.0.0.1:6432'}
roles:
  repair:
    databases: [shop]
    tables: {"public.*": [select]}
    temporary: {to: [anna, berta], by: [berta, carl], longest: 4h}
    break_glass: {to: [anna], longest: 30m}
people:
  anna: {databases: [shop]}
  berta: {databases: [shop]}
  carl: {databases: [shop]}
"""
WORDS = "correct horse battery staple"
ASK = ("--for", "2h", "--reason", "ticket 4711")

Do = Callable[..., Run]


@pytest.fixture
def do(tmp_path: Path, strongroom: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> Do:
    """``do("approve", "1", who="berta")``: each with the code that comes next, as if time had passed."""
    monkeypatch.setattr(passwords, "MEMORY_KIB", 64)
    monkeypatch.setattr(passwords, "PASSES", 1)
    file = tmp_path / "strongroom.yaml"
    file.write_text(CONFIGURATION, encoding="utf-8")
    state = open_state(StateAddress(tmp_path / "state.db"))
    begun = datetime.now(UTC) - timedelta(days=1)
    secrets = {name: sign_in.add(state, name, Secret(WORDS), begun) for name in ("anna", "berta", "carl")}
    state.close()

    def run(command: str, *arguments: str, who: str = "", code: str = "", password: str = WORDS) -> Run:
        if who:
            typed = code or next_code(who)
            monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n{typed}\n"))
            arguments = (*arguments, "--as", who)
        return strongroom(command, *arguments, "--config", str(file))

    def next_code(who: str) -> str:
        """Forgets which was used last, so that a test need not wait for half a minute."""
        opened = open_state(StateAddress(tmp_path / "state.db"))
        with opened.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE people SET last_step = -1")
        opened.close()
        return pyotp.TOTP(secrets[who].danger_reveal() if who in secrets else "A" * 32).now()

    return run


def listed(do: Do, *arguments: str) -> list[tuple[int, str, str]]:
    """Number, person and standing of each."""
    rows = json.loads(do("grants", "--json", *arguments).stdout)
    return [(one["number"], one["person"], one["standing"]) for one in rows]


def test_request_approve_revoke(do: Do) -> None:
    """From the question to the end; the list and the record say each step, and no password."""
    assert do("request", "repair", *ASK, who="anna").stdout.startswith("Number 1: repair for anna waits")
    assert listed(do) == [(1, "anna", "waiting")]
    assert "anna has repair until" in do("approve", "1", who="berta").stdout
    assert listed(do) == [(1, "anna", "in force")]
    assert do("revoke", "1", who="carl").status == 0
    assert listed(do) == []
    assert listed(do, "--all") == [(1, "anna", "revoked")]
    run = do("grants", "--record", "--json")
    assert [one["what"] for one in json.loads(run.stdout)] == [
        "a role was asked for",
        "a role was granted",
        "a role was revoked",
    ]
    assert WORDS not in run.stdout
    assert "ticket 4711" in do("grants", "--all").stdout


def test_a_grant_to_another(do: Do) -> None:
    """Counts at once; to oneself it is a question, to which somebody else must agree."""
    assert "has repair until" in do("grant", "repair", "--to", "anna", *ASK, who="carl").stdout
    assert "waits for others" in do("grant", "repair", "--to", "berta", *ASK, who="berta").stdout
    assert do("approve", "2", who="berta").status == 2
    assert listed(do) == [(1, "anna", "in force"), (2, "berta", "waiting")]
    assert do("deny", "2", who="carl").status == 0
    assert listed(do, "--all")[1] == (2, "berta", "denied")


def test_broken_glass(do: Do) -> None:
    """At once, for who may, and for no longer than may be."""
    assert do("break-glass", "repair", *ASK, who="anna").status == 2
    run = do("break-glass", "repair", "--for", "30m", "--reason", "fire", who="anna")
    assert (run.status, listed(do)) == (0, [(1, "anna", "in force, glass broken")])
    assert do("break-glass", "repair", "--for", "30m", "--reason", "fire", who="berta").status == 2


@pytest.mark.parametrize(
    ("arguments", "who", "code"),
    [
        (("approve", "1"), "anna", "grant-refused"),
        (("approve", "2"), "berta", "grant-unknown"),
        (("approve", "1"), "Berta", "person-unknown"),
        (("approve", "1"), "bеrta", "person-unknown"),  # with a Cyrillic e
        (("approve", "1"), "berta ", "person-unknown"),
        (("deny", "2"), "berta", "grant-unknown"),
        (("revoke", "1"), "berta", "grant-refused"),
        (("request", "Repair", *ASK), "anna", "grant-refused"),
        (("request", "repair", *ASK), "carl", "grant-refused"),
        (("request", "repair", "--for", "5h", "--reason", "x"), "anna", "grant-refused"),
        (("request", "repair", "--for", "2h", "--reason", " "), "anna", "grant-refused"),
        (("grant", "repair", "--to", "anna", *ASK), "anna ", "person-unknown"),
        (("grant", "repair", "--to", "Anna", *ASK), "berta", "grant-refused"),
        (("grant", "repair", "--to", "аnna", *ASK), "berta", "grant-refused"),  # with a Cyrillic a
    ],
)
def test_refusals(do: Do, arguments: tuple[str, ...], who: str, code: str) -> None:
    """One's own, another's name in another spelling, what is not offered: nothing changes."""
    do("request", "repair", *ASK, who="anna")
    run = do(*arguments, who=who)
    assert (run.status, f"errors.md#{code}" in run.stderr) == (2, True)
    assert listed(do, "--all") == [(1, "anna", "waiting")]


def test_who_it_is_must_be_shown(do: Do, tmp_path: Path) -> None:
    """A wrong password, a wrong code and one that was used: the same words, and nothing happens."""
    do("request", "repair", *ASK, who="anna")
    state = open_state(StateAddress(tmp_path / "state.db"))
    with state.engine.begin() as connection:
        secret = connection.exec_driver_sql("SELECT totp FROM people WHERE name = 'berta'").scalar_one()
    state.close()
    code = pyotp.TOTP(secret).now()
    assert do("deny", "7", who="berta", code=code).status == 2  # which uses the code up
    for run in (
        do("approve", "1", who="berta", code=code),
        do("approve", "1", who="berta", code="000000"),
        do("approve", "1", who="berta", password="wrong"),
    ):
        assert (run.status, "login refused" in run.stderr) == (1, True)
    assert listed(do) == [(1, "anna", "waiting")]
