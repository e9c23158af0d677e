"""Commands in the audit log: each is recorded, or stands among those that are not, and why."""

import io
import os
import pwd
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyotp
import pytest
from sqlalchemy.engine import Connection
from tests.cli.conftest import Run
from tests.cli.test_app import commands
from typer.main import get_command

from strongroom.audit.records.changes import AccountChanged, AccountDeed
from strongroom.audit.records.codes import Record
from strongroom.audit.records.reading import read
from strongroom.audit.records.running import CommandRun
from strongroom.audit.records.sessions import LoginFailed, Refusal, SignedIn
from strongroom.audit.records.shared import Head, Holder, Result
from strongroom.cli import app
from strongroom.cli.recording import BY_PEOPLE, GATEWAY, UNRECORDED, WITHOUT_CHANGE
from strongroom.config import StateAddress
from strongroom.deeds.listing import DeedList
from strongroom.deeds.present import Make, Pen
from strongroom.errors import StateUnusable
from strongroom.people import passwords
from strongroom.state import open_state

ORIGIN = "gateway.example/commands"
CONFIGURATION = """
state: sqlite:state.db
databases:
  shop: {upstream: 'postgresql://db.example/shop', listen: '127.0.0.1:6432'}
accounts:
  app: {databases: [shop]}
people:
  anna: {databases: [shop]}
  berta: {databases: [shop]}
"""
AUDIT = f"audit: {{log: audit, origin: {ORIGIN}}}\n"
WORDS, WRONG = "correct horse battery staple", "a password that is wrong"
NOBODYS = "471147114711"
"""A name of nothing, and a number of nothing."""
ME = pwd.getpwuid(os.getuid()).pw_name

RECORDED = {
    "audit erase",
    "audit export-hash-secret",
    "audit prune",
    "audit rotate-hash-secret",
    "audit rotate-key",
    "keys activate",
    "keys approvals change",
    "keys backup",
    "keys backups",
    "keys compromise",
    "keys custody",
    "keys deactivate",
    "keys destroy",
    "keys drill",
    "keys export",
    "keys floor",
    "keys hold",
    "keys import",
    "keys recover",
    "keys release",
    "keys restore",
    "keys rollbacks",
    "keys root make",
    "keys root remove",
    "keys root rewrap",
    "keys rotate",
    "keys suspend",
    "keys tenants add",
    "keys tenants backup",
    "keys tenants destroy",
    "keys tenants restore",
    "password",
    "people add",
    "people disable",
    "people reset",
    "protect",
    "protection accept",
    "protection request",
    "unprotect",
}

ASKED = {
    "keys backups": ["--forget", NOBODYS],
    "keys rollbacks": ["--acknowledge"],
    "keys custody": [NOBODYS],
}
"""With what a listing changes something."""

Command = Callable[..., Run]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration with an audit log."""
    path = tmp_path / "strongroom.yaml"
    path.write_text(CONFIGURATION + AUDIT, encoding="utf-8")
    return path


@pytest.fixture
def command(file: Path, strongroom: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> Command:
    """``command("people", "add", "anna", typed=...)`` runs a command."""
    monkeypatch.setattr(passwords, "MEMORY_KIB", 64)
    monkeypatch.setattr(passwords, "PASSES", 1)

    def run(*arguments: str, typed: str = f"{WORDS}\n") -> Run:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        return strongroom(*arguments, "--config", str(file))

    return run


def listed(file: Path) -> list[Record]:
    """What waits for a gateway."""
    state = open_state(StateAddress(file.parent / "state.db"))
    with state.engine.begin() as connection:
        found = DeedList(ORIGIN).untaken(connection)
    state.close()
    assert (found.removed, found.left_out) == (0, 0)
    return [read(one) for one in found.records]


def every() -> Iterator[tuple[str, Any]]:
    return commands(get_command(app.app))


def test_every_command_is_recorded_or_listed() -> None:
    """A new one is recorded from its first day, and fails here until somebody has said that it shall be."""
    kinds = [set(UNRECORDED), set(BY_PEOPLE), set(GATEWAY), RECORDED]
    found = {typed for typed, _ in every()}
    assert set().union(*kinds) == found
    assert sum(map(len, kinds)) == len(found)


def test_what_is_recorded_says_where() -> None:
    """By the configuration: a command without one has no log."""
    without = {typed for typed, one in every() if all(parameter.name != "config" for parameter in one.params)}
    assert without <= UNRECORDED.keys()


@pytest.mark.parametrize("typed", sorted(RECORDED))
def test_each_is_recorded(typed: str, command: Command, file: Path) -> None:
    """That it begins, and how it ended: here without arguments, or with one that is nobody's."""
    found = dict(every())[typed]
    needed = [one for one in found.params if one.required]
    arguments: list[str] = list(ASKED.get(typed, []))
    for one in needed:
        arguments += [one.opts[0]] if one.param_type_name == "option" else []
        arguments += [NOBODYS]
    run = command(*typed.split(), *arguments, typed="")
    records = [one for one in listed(file) if isinstance(one, CommandRun)]
    assert [one.command for one in records] == [typed] * 2, run.stderr
    assert records[0].result is Result.UNKNOWN
    assert [one.exit for one in records] == [None, run.status]
    assert NOBODYS not in str(records)


def test_who_ran_what(command: Command, file: Path) -> None:
    """By which configuration, and how it ended: well, or by which error."""
    assert command("people", "add", "anna").status == 0
    assert command("people", "add", "anna").status == 2
    begun, changed, ended, again, refused = listed(file)
    assert isinstance(begun, CommandRun)
    assert (begun.doer.name, begun.doer.kind, begun.run_as) == (ME, Holder.ADMINISTRATOR, ME)
    assert (begun.file, begun.result, begun.exit) == (str(file), Result.UNKNOWN, None)
    assert isinstance(changed, AccountChanged)
    assert (changed.deed, changed.user, changed.doer) == (AccountDeed.ADDED, "anna", begun.doer)
    assert isinstance(ended, CommandRun)
    assert (ended.result, ended.exit, ended.code) == (Result.SUCCESS, 0, None)
    assert begun.head.process == changed.head.process == ended.head.process
    assert [one.head.sequence for one in (begun, changed, ended)] == [1, 2, 3]
    assert isinstance(refused, CommandRun)
    assert (refused.result, refused.exit, refused.code) == (Result.FAILURE, 2, "person-refused")
    assert again.head.process == refused.head.process != begun.head.process


def test_accounts_and_people(command: Command, file: Path) -> None:
    """What was done to whom."""
    for words in (
        ("password", "app"),
        ("password", "app", "--keep-old", "1h"),
        ("people", "add", "anna"),
        ("people", "reset", "anna"),
        ("people", "disable", "anna"),
    ):
        assert command(*words).status == 0
    changes = [one for one in listed(file) if isinstance(one, AccountChanged)]
    assert [(one.user, one.deed) for one in changes] == [
        ("app", AccountDeed.ADDED),
        ("app", AccountDeed.PASSWORD_CHANGED),
        ("anna", AccountDeed.ADDED),
        ("anna", AccountDeed.RESET),
        ("anna", AccountDeed.DISABLED),
    ]


def test_sign_ins(command: Command, file: Path) -> None:
    """Good and refused, and why; in the person's name, and no command of an administrator's."""
    added = command("people", "add", "anna").stdout
    secret = pyotp.parse_uri(next(one for one in added.split() if one.startswith("otpauth:"))).secret
    before = len(listed(file))
    assert command("login", "--as", "anna", typed=f"{WORDS}\n{pyotp.TOTP(secret).now()}\n").status == 0
    for name in ("berta", "anna"):
        assert command("login", "--as", name, typed=f"{WRONG}\n123456\n").status != 0
    good, *refused = listed(file)[before:]
    assert isinstance(good, SignedIn)
    assert (good.user, good.kind, good.is_mfa, good.database) == ("anna", Holder.PERSON, True, "shop")
    assert good.expires < good.session_until
    assert [(one.user, one.refusal, one.counted) for one in refused if isinstance(one, LoginFailed)] == [
        ("(unknown)", Refusal.UNKNOWN, True),
        ("anna", Refusal.PROOF, True),
    ]
    assert len(refused) == 2


def test_no_secret_is_listed(command: Command, file: Path) -> None:
    """Neither a password, nor what was typed where a name belongs."""
    command("people", "add", "anna")
    command("password", "a-secret-for-a-name", typed="a-secret-password\n")
    command("login", "--as", "anna", typed=f"{WRONG}\n123456\n")
    found = str(listed(file))
    assert not any(one in found for one in (WORDS, WRONG, "123456", "a-secret"))


def test_nothing_is_listed_without_a_log(command: Command, file: Path) -> None:
    """Nor by what only reads."""
    file.write_text(CONFIGURATION)
    assert command("people", "add", "anna").status == 0
    file.write_text(CONFIGURATION + AUDIT)
    assert command("people", "list").status == 0
    assert listed(file) == []


def test_what_cannot_be_recorded_is_not_done(command: Command, file: Path) -> None:
    """The state takes no record, and so nothing happens, not even outside of it."""
    with (file.parent / "state.db").open("wb") as state:
        state.write(b"this is no state")
    (file.parent / "state.db").chmod(0o600)
    made = file.parent / "root.key"
    run = command("keys", "root", "make", f"file:{made}")
    assert run.status == 2
    assert "state-unusable" in run.stderr
    assert not made.exists()


@pytest.mark.parametrize(
    "typed",
    ["password app --print", "keys backups", "keys custody", "keys rollbacks --json", "prune", "unprotect"],
)
def test_what_changes_nothing_needs_no_state(typed: str, command: Command, file: Path) -> None:
    """And none is made for it."""
    words = {"prune": "audit prune --before 1 --dry-run", "unprotect": "unprotect --all --dry-run"}
    run = command(*words.get(typed, typed).split())
    assert "state" not in run.stderr
    if typed.split(maxsplit=1)[0] in {"password", "keys"}:
        assert run.status == 0, run.stderr
    assert not (file.parent / "state.db").exists()


def test_an_option_that_changes_nothing_is_one_of_these() -> None:
    """Whoever adds a command with such an option says here that it keeps to it."""
    found = {(typed, one.name) for typed, command in every() for one in command.params}
    assert {one for one in found if one[1] in WITHOUT_CHANGE and one[0] not in UNRECORDED} == {
        ("audit erase", "dry_run"),
        ("audit prune", "dry_run"),
        ("password", "show"),
        ("protect", "dry_run"),
        ("unprotect", "dry_run"),
    }


@pytest.mark.parametrize("again", [False, True])
def test_an_end_that_cannot_be_recorded(
    command: Command, file: Path, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the command came to stays what it is: its error, and its exit status."""
    if again:
        command("people", "add", "anna")
    note, noted = Pen.note, []

    def full(self: Pen, connection: Connection, make: Make, *, minor: bool = False) -> None:
        record = make(Head(0, 1, "", "", ""), self.doer)
        if isinstance(record, CommandRun) and record.exit is not None:
            noted.append(record)
            raise StateUnusable("the disk is full")
        note(self, connection, make, minor=minor)

    monkeypatch.setattr(Pen, "note", full)
    run = command("people", "add", "anna")
    assert len(noted) == 1
    assert "its end is not recorded: the disk is full" in run.stderr
    assert run.status == (2 if again else 0)
    assert ("person-refused" in run.stderr) is again
