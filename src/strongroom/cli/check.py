"""``strongroom check``: does what the configuration says hold, here and in the live databases?"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from strongroom.cli.options import Config, Json
from strongroom.cli.protection import remark
from strongroom.cli.remarks import findings as policy_findings
from strongroom.cli.remarks import print_findings
from strongroom.config import DEFAULT_FILE, Settings, load
from strongroom.errors import ConfigError, StrongroomError
from strongroom.gateway.judging import authorizer_of
from strongroom.onboarding.examine import examine
from strongroom.onboarding.finding import Finding, Verdict, failed, fails, holds, mind
from strongroom.people import store
from strongroom.privileges.compare import compare
from strongroom.state import State, is_there, look_at_state

Offline = Annotated[bool, typer.Option("--offline", help="Check this machine only; connect to no database.")]


Grants = Annotated[
    bool, typer.Option("--grants", help="Compare the policy with what the databases allow, and that alone.")
]
Administrators = Annotated[
    list[str] | None,
    typer.Option(
        "--administrator", metavar="ROLE", help="With --grants: a role that administers the database."
    ),
]


def check(
    *,
    config: Config = DEFAULT_FILE,
    offline: Offline = False,
    grants: Grants = False,
    administrator: Administrators = None,
    json: Json = False,
) -> None:
    """Check the configuration against this machine and the live databases; changes nothing there.

    Each line holds, is something to bear in mind, or fails; the last two say what to do. The exit status is 1
    if anything fails.

    With --grants, what the upstream users may do in the databases is compared with what the policy allows
    them, and who reaches the databases around the gateway is named; the SQL that closes each gap is printed.

    Example: strongroom check --config /etc/strongroom/strongroom.yaml

    Example: strongroom check --offline --json

    Example: strongroom check --grants --administrator rds_master
    """
    if grants and offline:
        raise typer.BadParameter("what a database allows only it can say", param_hint="--grants --offline")
    settings = load(config)
    if grants:
        found = asyncio.run(compare(settings, authorizer_of(settings), administrator or ()))
    else:
        found = list(_findings(settings, offline=offline))
    print_findings(found, as_json=json)
    if any(one.verdict is Verdict.FAILS for one in found):
        raise typer.Exit(1)


def _findings(settings: Settings, *, offline: bool) -> Iterator[Finding]:
    yield holds("configuration", str(settings.file))
    yield from _policy(settings, live=not offline)
    try:
        state = look_at_state(settings.state)
    except StrongroomError as error:
        yield failed("state", error)
        return
    try:
        yield _state_finding(settings)
        yield from _protection(settings)
        yield from _accounts(settings, state)
        yield from _people(settings, state)
        for name, database in settings.databases.items():
            if database.tls is not None:
                for key, path in database.tls:
                    yield from _readable(f"databases.{name}.tls.{key}", path)
        if not offline:
            yield from asyncio.run(examine(settings, state))
    finally:
        state.close()


def _policy(settings: Settings, *, live: bool) -> Iterator[Finding]:
    try:
        authorizer = authorizer_of(settings)
    except ConfigError as error:
        yield failed("policy", error)
        return
    if authorizer is None:
        return
    roles, files = len(authorizer.policy.roles), len(authorizer.policy.files)
    yield holds("policy", f"{roles} roles" + (f", {files} files of Cedar" if files else ""))
    yield from policy_findings(settings, authorizer, live=live)


def _state_finding(settings: Settings) -> Finding:
    path = str(settings.state.path)
    if is_there(settings.state):
        return holds("state", path)
    return mind("state", f"{path} is not there yet", "It is made by the first command that needs one.")


def _protection(settings: Settings) -> Iterator[Finding]:
    """Whether the gateway would take the configuration, by what was accepted before."""
    try:
        accepted, weaker = remark(settings)
    except StrongroomError as error:
        yield failed("protection", error)
        return
    for one in weaker:
        yield fails(one.what, one.words, "Put it back, or have it signed: `strongroom protection request`.")
    if accepted is not None and not weaker:
        yield holds("protection", f"no less than number {accepted.number}, which counts")
    elif accepted is None and settings.protection is not None:
        yield mind("protection", "does not bind yet", "Start or reload the gateway: it binds from then on.")


def _accounts(settings: Settings, state: State) -> Iterator[Finding]:
    former = {one.name: one.former_until for one in state.accounts()}
    for name, account in settings.accounts.items():
        subject = f"accounts.{name}"
        if account.password is not None or account.certificate is not None:
            yield holds(subject)
        elif (until := former.get(name)) is not None:
            yield mind(
                subject,
                f"password in the state; a former one counts until {until:%Y-%m-%d %H:%M} UTC",
                f"`strongroom password {name}` without --keep-old ends it at once.",
            )
        elif name in former:
            yield holds(subject, "password in the state")
        else:
            yield fails(subject, "cannot log in yet", f"Run `strongroom password {name}`.")


def _people(settings: Settings, state: State) -> Iterator[Finding]:
    with state.engine.begin() as connection:
        added = {one.name: one for one in store.all_people(connection)}
    for name in settings.people:
        subject, person = f"people.{name}", added.get(name)
        if person is None:
            yield fails(subject, "cannot sign in yet", f"Run `strongroom people add {name}`.")
        elif person.disabled:
            yield mind(subject, "is disabled", f"`strongroom people reset {name}` lets them in again.")
        else:
            yield holds(subject, "password and second factor in the state")
    for name in added.keys() - settings.people.keys():
        yield mind(f"people.{name}", "was added, and is not in the configuration", "Nobody can sign in so.")


def _readable(subject: str, path: Path | None) -> Iterator[Finding]:
    if path is None:
        return
    try:
        path.open("rb").close()
    except OSError as error:
        yield fails(subject, f"{path}: {error.strerror}", "Put it there, readable for Strongroom's user.")
    else:
        yield holds(subject, str(path))
