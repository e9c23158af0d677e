"""Roles for a time: ``request``, ``grant``, ``approve``, ``deny``, ``revoke``, ``break-glass``, ``grants``.

Each deed is a person's, who shows password and code as for ``strongroom login``. Who may have a role, and who
may agree, stands in the configuration; what was done stands in the state, where a gateway that runs sees it
within a second or two.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.engine import Connection

from strongroom.cli.asking import ask_secret, duration
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_done, print_table
from strongroom.config import DEFAULT_FILE, Settings, load
from strongroom.config.access import policy_of
from strongroom.config.offers import LONGEST
from strongroom.errors import PersonUnknown
from strongroom.lending import deeds, store
from strongroom.lending.model import Grant, Standing, Wanted
from strongroom.people.model import Verified
from strongroom.people.sign_in import COMMAND, ByPasswordAndCode, PasswordAndCode
from strongroom.policy.roles import Policy
from strongroom.state import State, look_at_state, open_state

COLUMNS = ["number", "role", "person", "standing", "for", "until", "by", "reason"]
RECORD_COLUMNS = ["at", "what", "role", "person", "details"]
LIVE = {Standing.WAITING, Standing.IN_FORCE}

Role = Annotated[str, typer.Argument(metavar="ROLE", help="A name under roles.")]
Number = Annotated[int, typer.Argument(metavar="NUMBER", help="As `strongroom grants` shows it.")]
As = Annotated[str, typer.Option("--as", metavar="NAME", help="Who you are: a name under people.")]
To = Annotated[str, typer.Option("--to", metavar="NAME", help="Who gets it: a name under people.")]
For = Annotated[str, typer.Option("--for", metavar="TIME", help="For how long: 30m, 2h.")]
Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it stands in the record.")]
All = Annotated[bool, typer.Option("--all", help="Those that are over, too.")]
Record = Annotated[bool, typer.Option("--record", help="What was done, step by step.")]


def request(
    *, role: Role, name: As, length: For, reason: Why, config: Config = DEFAULT_FILE, json: Json = False
) -> None:
    """Ask for a role for a time; others must agree.

    Example: strongroom request repair --as anna --for 2h --reason "ticket 4711"
    """
    with _desk(config, name) as desk:
        asked = desk.ask(role, name, _time(length), reason)
    waits = f"Number {asked.id}: {role} for {name} waits."
    _tell(asked, f"{waits} Another says: strongroom approve {asked.id} --as NAME", as_json=json)


def grant(
    *,
    role: Role,
    to: To,
    length: For,
    reason: Why,
    name: As,
    config: Config = DEFAULT_FILE,
    json: Json = False,
) -> None:
    """Give another person a role for a time.

    Example: strongroom grant repair --to support-1 --for 2h --reason "ticket 4711" --as berta
    """
    with _desk(config, name) as desk:
        _say(desk.ask(role, to, _time(length), reason), as_json=json)


def break_glass(
    *, role: Role, name: As, length: For, reason: Why, config: Config = DEFAULT_FILE, json: Json = False
) -> None:
    """Take a role at once, in an emergency; the gateway raises the alarm.

    Example: strongroom break-glass repair --as anna --for 30m --reason "orders are stuck, nobody answers"
    """
    with _desk(config, name) as desk:
        _say(desk.ask(role, name, _time(length), reason, broke_glass=True), as_json=json)


def approve(*, number: Number, name: As, config: Config = DEFAULT_FILE, json: Json = False) -> None:
    """Agree to what another person asked for.

    Example: strongroom approve 7 --as berta
    """
    with _desk(config, name) as desk:
        _say(desk.does(deeds.approve, number), as_json=json)


def deny(*, number: Number, name: As, config: Config = DEFAULT_FILE, json: Json = False) -> None:
    """Answer a request with no, or take one's own back.

    Example: strongroom deny 7 --as berta
    """
    with _desk(config, name) as desk:
        denied = desk.does(deeds.deny, number)
    _tell(denied, f"Number {number} is denied.", as_json=json)


def revoke(*, number: Number, name: As, config: Config = DEFAULT_FILE, json: Json = False) -> None:
    """Take back a role that somebody has for a time; sessions lose it within seconds.

    Example: strongroom revoke 7 --as berta
    """
    with _desk(config, name) as desk:
        revoked = desk.does(deeds.revoke, number)
    words = f"Number {number} is revoked. Sessions that are open lose the role within seconds."
    _tell(revoked, words, as_json=json)


def list_grants(
    *, everything: All = False, record: Record = False, config: Config = DEFAULT_FILE, json: Json = False
) -> None:
    """List roles that people have for a time, and requests that wait.

    Example: strongroom grants --all --json
    """
    state = look_at_state(load(config).state)
    try:
        with state.engine.begin() as connection:
            if record:
                print_table(RECORD_COLUMNS, list(_events(connection, as_json=json)), as_json=json)
            else:
                print_table(COLUMNS, list(_rows(connection, everything=everything)), as_json=json)
    finally:
        state.close()


@dataclass(frozen=True, slots=True)
class _Desk:
    """Where one person, who has shown who they are, does one deed."""

    state: State
    policy: Policy
    actor: Verified

    def ask(
        self, role: str, person: str, length: timedelta, reason: str, *, broke_glass: bool = False
    ) -> Grant:
        wanted = Wanted(role, person, length, reason.strip(), broke_glass)
        return deeds.ask(self.state, self.policy, self.actor, wanted)

    def does(self, deed: Callable[[State, Policy, Verified, int], Grant], number: int) -> Grant:
        return deed(self.state, self.policy, self.actor, number)


@contextmanager
def _desk(config: Path, name: str) -> Iterator[_Desk]:
    settings = load(config)
    _refuse_unconfigured(settings, name)
    policy = policy_of(settings)
    claim = PasswordAndCode(name, ask_secret("Password: "), ask_secret("Code: ").danger_reveal())
    state = open_state(settings.state)
    try:
        way = ByPasswordAndCode(state, settings.login.rules)
        yield _Desk(state, policy, way.verify(claim, source=COMMAND, now=datetime.now(UTC)))
    finally:
        state.close()


def _refuse_unconfigured(settings: Settings, name: str) -> None:
    """Names have one spelling: another is nobody's."""
    if name not in settings.people:
        raise PersonUnknown(f"--as names nobody under people in {settings.file}")


def _time(text: str) -> timedelta:
    return duration(text, LONGEST)


def _say(grant: Grant, *, as_json: bool) -> None:
    words = f"Number {grant.id}: {grant.role} for {grant.person} waits for others to agree."
    if grant.until is not None:
        until = f"{grant.until:%Y-%m-%d %H:%M} UTC"
        words = f"Number {grant.id}: {grant.person} has {grant.role} until {until}."
    _tell(grant, words, as_json=as_json)


def _tell(grant: Grant, words: str, *, as_json: bool) -> None:
    print_done(_row(grant, datetime.now(UTC)), words, as_json=as_json)


def _rows(connection: Connection, *, everything: bool) -> Iterator[dict[str, object]]:
    now = datetime.now(UTC)
    for one in store.every(connection):
        if everything or one.standing(now) in LIVE:
            yield _row(one, now)


def _row(one: Grant, now: datetime) -> dict[str, object]:
    standing = one.standing(now)
    return {
        "number": one.id,
        "role": one.role,
        "person": one.person,
        "standing": f"{standing}, glass broken" if one.broke_glass else str(standing),
        "for": str(one.length),
        "until": None if one.until is None else f"{one.ended_at or one.until:%Y-%m-%d %H:%M}",
        "by": one.ended_by or ", ".join(sorted(one.agreed)),
        "reason": one.reason,
    }


def _events(connection: Connection, *, as_json: bool) -> Iterator[dict[str, object]]:
    for one in store.record(connection):
        details = {name: value for name, value in one.details.items() if value is not None}
        words = ", ".join(f"{name} {value}" for name, value in details.items())
        yield {
            "at": f"{one.at:%Y-%m-%d %H:%M:%S}Z",
            "what": one.what,
            "role": one.role,
            "person": one.person,
            "details": details if as_json else words,
        }
