"""Commands in the audit log: which of them are recorded, and how; in one place, around every command.

What is not listed here is recorded: when it begins, so that nothing is done that cannot be recorded, and
when it has ended. Who ran it, as whom, by which configuration, and its exit status; of its arguments nothing,
since people type values, and passwords, where names belong. What it does to people, keys and columns has
records of its own, which name what they are about (``deeds``, ``keys.journal``). Called by `lazily`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import typer

from strongroom.errors import ConfigError, StrongroomError

if TYPE_CHECKING:  # what a command needs itself it waits for, and for nothing else
    from strongroom.audit.records.running import CommandRun
    from strongroom.audit.records.shared import Doer, Head, Result
    from strongroom.config import Settings
    from strongroom.deeds.present import Pen

UNRECORDED: Mapping[str, str] = MappingProxyType({
    "audit consistency": "reads",
    "audit hash-secrets": "reads",
    "audit index": "makes an index, which nobody believes",
    "audit keys": "reads",
    "audit prove": "reads",
    "audit report": "reads",
    "audit schema": "reads",
    "audit search": "reads",
    "audit tail": "reads",
    "audit verify": "reads",
    "audit verify-proof": "reads",
    "audit who-saw": "reads",
    "check": "reads",
    "demo": "has an installation of its own, which it throws away",
    "explain": "reads",
    "grants": "reads",
    "init": "makes a configuration: there is no log before it",
    "keys approvals list": "reads",
    "keys approvals show": "reads",
    "keys events": "reads",
    "keys holds": "reads",
    "keys list": "reads",
    "keys root list": "reads",
    "keys show": "reads",
    "keys tenants list": "reads",
    "people list": "reads",
    "policy check": "reads",
    "policy diff": "reads",
    "policy explain": "reads",
    "policy test": "reads",
    "policy who": "reads",
    "protection diff": "reads",
    "protection show": "reads",
    "version": "reads",
})  # fmt: skip
"""Commands without a record, and why."""

BY_PEOPLE = frozenset({"approve", "break-glass", "deny", "grant", "login", "request", "revoke"})
"""What people do who show who they are: their sign-ins and roles are recorded, in their own names."""
GATEWAY = frozenset({"serve"})
"""What the gateway itself is: its starts and stops are recorded."""

WITHOUT_CHANGE = frozenset({"dry_run", "show"})
"""Options with which a command changes nothing: ``--dry-run``, and ``password --print``."""
LISTINGS = frozenset({"keys backups", "keys custody", "keys rollbacks"})
"""What lists where nothing is asked of it but how, and by which configuration."""
_HOW = frozenset({"config", "json"})

FAILED, WRONG_USE, INTERRUPTED = 1, 2, 130


def observe(command: Any) -> None:
    """Has a command recorded when it runs, or each that is in a group."""
    if hasattr(command, "commands"):
        if isinstance(command.commands, dict):  # of another group each is observed when it is imported
            for one in command.commands.values():
                observe(one)
        return
    run = command.invoke

    def recorded(context: Any) -> Any:
        typed = _path(context)
        file = context.params.get("config") if _may_change(typed, context.params) else None
        with recording(typed, file):
            return run(context)

    command.invoke = recorded


def _may_change(command: str, given: Mapping[str, Any]) -> bool:
    """What changes nothing needs no state, and none is made for it."""
    asked = {name for name, value in given.items() if value}
    return not (asked & WITHOUT_CHANGE or (command in LISTINGS and asked <= _HOW))


@contextmanager
def recording(command: str, file: Path | None) -> Iterator[None]:
    """While a command of this name runs by this configuration; None: without a record."""
    if command in UNRECORDED or file is None:
        yield
        return
    from strongroom.config import load  # noqa: PLC0415 - what only reads does without

    try:
        settings = load(file)
    except StrongroomError:
        yield  # which says so: without a configuration nothing is done
        return
    with _acting(command, settings) as pen:
        if not pen.writes or command in BY_PEOPLE | GATEWAY:
            yield
            return
        with _Run(pen, settings, command).recorded():
            yield


def _acting(command: str, settings: Settings) -> Any:
    from strongroom.deeds import present, whose  # noqa: PLC0415 - what only reads does without

    doer = whose.GATEWAY if command in GATEWAY else whose.administrator()
    origin = None if settings.audit is None else settings.audit.origin
    return present.acting(present.Pen(doer, f"strongroom {command}", origin))


@dataclass(frozen=True, slots=True)
class _Run:
    """One run of a command."""

    pen: Pen
    settings: Settings
    command: str
    clock: Callable[[], float] = time.monotonic

    @contextmanager
    def recorded(self) -> Iterator[None]:
        from strongroom.audit.records.shared import Result  # noqa: PLC0415 - what only reads does without
        from strongroom.deeds.present import ending  # noqa: PLC0415 - as above

        begun = self.clock()
        self._note(Result.UNKNOWN, 0)
        try:
            yield
        except BaseException as error:
            status = _status(error)
            code = error.code if isinstance(error, StrongroomError) else None
            result = Result.FAILURE if status else Result.SUCCESS
            with ending():
                self._note(result, self.clock() - begun, status, code)
            raise
        with ending():
            self._note(Result.SUCCESS, self.clock() - begun, 0)

    def _note(
        self, result: Result, seconds: float, status: int | None = None, code: str | None = None
    ) -> None:
        from strongroom.audit.records.running import CommandRun  # noqa: PLC0415 - as above
        from strongroom.deeds.whose import running_as  # noqa: PLC0415 - as above
        from strongroom.state import open_state  # noqa: PLC0415 - as above

        def make(head: Head, doer: Doer) -> CommandRun:
            duration, file = int(seconds * 1000), str(self.settings.file)
            return CommandRun(
                head, doer, self.command, result, duration, None, code, running_as(), file, status
            )

        state = open_state(self.settings.state)
        try:
            with state.engine.begin() as connection:
                self.pen.note(connection, make)
        finally:
            state.close()


def _path(context: Any) -> str:
    """``keys rotate``: what is typed behind the program's name, without options."""
    return str(context.command_path).partition(" ")[2]


def _status(error: BaseException) -> int:
    """The exit status that an end by this error has (``cli.main``)."""
    if isinstance(error, typer.Exit):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, ConfigError | typer.BadParameter):
        return WRONG_USE
    return FAILED
