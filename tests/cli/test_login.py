"""``strongroom login``: the command; tests/gateway/test_people.py has what its credentials are worth."""

import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyotp
import pytest
from tests.cli.conftest import Run

from strongroom.config import StateAddress
from strongroom.people import passwords, sign_in
from strongroom.secret import Secret
from strongroom.state import State, open_state

CONFIGURATION = """
state: sqlite:state.db
databases:
  shop: {upstream: 'postgresql://db.example/shop', listen: '127.0.0.1:6432'}
  books: {upstream: 'postgresql://db.example/books', listen: '[::1]:6433'}
  ours: {upstream: 'postgresql://db.example/ours', listen: '0.0.0.0:6434', plaintext: accepted}
  away: {upstream: 'postgresql://db.example/away', listen: '192.0.2.9:6435', plaintext: accepted}
  named: {upstream: 'postgresql://db.example/named', listen: 'localhost:6436'}
people:
  anna: {databases: [shop]}
  berta: {databases: [books, ours, away, named]}
login: {failures: 5}
"""
WORDS = "correct horse battery staple"

Login = Callable[..., Run]


@pytest.fixture
def authenticators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, pyotp.TOTP]:
    """Those of two people who were added."""
    monkeypatch.setattr(passwords, "MEMORY_KIB", 64)
    monkeypatch.setattr(passwords, "PASSES", 1)
    state: State = open_state(StateAddress(tmp_path / "state.db"))
    secrets = {name: sign_in.add(state, name, Secret(WORDS), datetime.now(UTC)) for name in ("anna", "berta")}
    state.close()
    return {name: pyotp.TOTP(secret.danger_reveal()) for name, secret in secrets.items()}


@pytest.fixture
def login(
    tmp_path: Path,
    strongroom: Callable[..., Run],
    authenticators: dict[str, pyotp.TOTP],
    monkeypatch: pytest.MonkeyPatch,
) -> Login:
    """``login("anna", "--json")`` signs in with the code of now, or another."""
    file = tmp_path / "strongroom.yaml"
    file.write_text(CONFIGURATION, encoding="utf-8")

    def run(name: str, *arguments: str, password: str = WORDS, code: str | None = None) -> Run:
        typed = authenticators[name].now() if code is None else code
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n{typed}\n"))
        return strongroom("login", "--as", name, "--config", str(file), *arguments)

    return run


def test_as_json(login: Login) -> None:
    """User name, password and where they are good: bound to loopback where nothing is said."""
    run = login("anna", "--json")
    assert run.status == 0, run.stderr
    told = json.loads(run.stdout)
    assert (told["user"], told["host"], told["port"], told["database"]) == ("anna", "127.0.0.1", 6432, "shop")
    assert told["from"] == "127.0.0.1"
    assert told["uri"] == f"postgresql://anna:{told['password']}@127.0.0.1:6432/shop"
    lasts = datetime.fromisoformat(told["expires"]) - datetime.now(UTC)
    assert 500 < lasts.total_seconds() <= 600


def test_for_people_and_as_a_uri(login: Login, authenticators: dict[str, pyotp.TOTP]) -> None:
    """In words, or one line; the password that the person typed is in neither."""
    run = login("anna")
    assert "password  " in run.stdout
    assert "from 127.0.0.1" in run.stdout
    following = authenticators["anna"].at(datetime.now(UTC) + timedelta(seconds=30))
    line = login("anna", "--uri", "--from", "::ffff:192.0.2.7", code=following)
    assert line.stdout.startswith("postgresql://anna:")
    assert line.stdout.count("\n") == 1
    assert WORDS not in run.stdout + line.stdout


@pytest.mark.parametrize(
    ("database", "host", "source"),
    [
        ("books", "::1", "::1"),
        ("ours", "127.0.0.1", "127.0.0.1"),
        ("away", "192.0.2.9", "192.0.2.9"),
        ("named", "localhost", "127.0.0.1"),
    ],
)
def test_where_there_are_several_databases(login: Login, database: str, host: str, source: str) -> None:
    """One must be named; the host is one to connect to, and the source what it then sees of this machine."""
    assert login("berta").status == 2
    told = json.loads(login("berta", "--database", database, "--json").stdout)
    assert (told["database"], told["host"], told["from"]) == (database, host, source)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--from", "shop.example"],
        ["--from", "192.0.2.0/24"],
        ["--database", "books"],
        ["--", "no-such-program", "-c", "x"],
    ],
)
def test_wrong_use(login: Login, arguments: list[str]) -> None:
    """What is no address, no program, or another's database: told before anything is asked."""
    assert login("anna", *arguments).status == 2
    assert login("anna", "--json").status == 0


def test_refusals(login: Login, authenticators: dict[str, pyotp.TOTP]) -> None:
    """The same words for each, and 1 as the exit status; after some, nothing counts."""
    code = authenticators["anna"].now()
    for password, typed in [("wrong", code), (WORDS, "000000"), (WORDS, ""), ("wrong", "000000")]:
        run = login("anna", password=password, code=typed)
        assert (run.status, "login refused" in run.stderr) == ((1, True) if typed else (2, False))
    assert login("anna").status == 0
    assert login("anna", code=code).status == 1


def test_after_many_wrong_tries_nothing_counts_and_the_list_says_so(
    login: Login, strongroom: Callable[..., Run], tmp_path: Path
) -> None:
    """The right password and code hear what wrong ones hear; others sign in."""
    with closing(sqlite3.connect(tmp_path / "state.db")) as db:
        for _ in range(5):
            assert login("anna", password="wrong").status == 1
            with db:
                db.execute("UPDATE sign_in_tallies SET free_at = 0")  # as if the pause were over
    assert login("anna").status == 1
    told = strongroom("people", "list", "--json", "--config", str(tmp_path / "strongroom.yaml"))
    standing = {one["name"]: one["standing"] for one in json.loads(told.stdout)}
    assert standing == {"anna": "locked for a while", "berta": "may sign in"}
    assert login("berta", "--database", "books").status == 0


def test_nobody_of_that_name(login: Login, strongroom: Callable[..., Run], tmp_path: Path) -> None:
    """Who can run this can read the configuration, too."""
    run = strongroom("login", "--as", "Anna", "--config", str(tmp_path / "strongroom.yaml"))
    assert (run.status, "person-unknown" in run.stderr) == (2, True)
    assert login("anna").status == 0
