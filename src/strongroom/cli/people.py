"""``strongroom people``: who may sign in with a password and a second factor.

The configuration says who there is and what they may; the state keeps a verifier of each password and the
secret of each authenticator, which is shown once.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

import segno
import typer

from strongroom.cli.asking import ask_new_password
from strongroom.cli.lazily import group
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_table
from strongroom.config import DEFAULT_FILE, Settings, load
from strongroom.errors import PersonRefused, PersonUnknown
from strongroom.people import codes, sign_in, store
from strongroom.people.model import Person
from strongroom.secret import Secret
from strongroom.state import State, look_at_state, open_state

COLUMNS = ["name", "databases", "standing", "since", "credentials"]

Name = Annotated[str, typer.Argument(metavar="NAME", help="A name under people.")]

people = group(
    {
        "add": "strongroom.cli.people:add",
        "list": "strongroom.cli.people:list_people",
        "reset": "strongroom.cli.people:reset",
        "disable": "strongroom.cli.people:disable",
    },
    help="People who sign in by `strongroom login`: add, list, reset, disable.",
)


def add(name: Name, config: Config = DEFAULT_FILE) -> None:
    """Give a person a first password, asked for twice or read as one line, and a second factor, shown once.

    Example: strongroom people add anna
    """
    settings = load(config)
    _refuse_unconfigured(settings, name)
    with _opened(settings) as state:
        if _is_added(state, name):
            raise PersonRefused(
                f"{name} was added before",
                hint=f"`strongroom people reset {name}` gives a new password and a new second factor.",
            )
        _give(state, name)


def reset(name: Name, config: Config = DEFAULT_FILE) -> None:
    """Give a person a new password and a new second factor; open sessions end, and a disabled person returns.

    Example: strongroom people reset anna
    """
    settings = load(config)
    _refuse_unconfigured(settings, name)
    with _opened(settings) as state:
        if not _is_added(state, name):
            raise PersonUnknown(f"{name} was never added", hint=f"Run `strongroom people add {name}`.")
        _give(state, name)


def disable(name: Name, config: Config = DEFAULT_FILE) -> None:
    """Let a person sign in no more; open sessions end within seconds.

    Example: strongroom people disable anna
    """
    with _opened(load(config)) as state:
        sign_in.disable(state, name, datetime.now(UTC))
    print(f"{name} is disabled. Sessions that are open end within seconds.")


def list_people(config: Config = DEFAULT_FILE, json: Json = False) -> None:
    """List who is configured or was added, and how they stand.

    Example: strongroom people list --json
    """
    settings = load(config)
    state = look_at_state(settings.state)
    try:
        print_table(COLUMNS, list(_rows(settings, state)), as_json=json)
    finally:
        state.close()


def _rows(settings: Settings, state: State) -> Iterator[dict[str, object]]:
    now = datetime.now(UTC)
    with state.engine.begin() as connection:
        added = {one.name: one for one in store.all_people(connection)}
        locked = {name for name, _ in store.locked(connection, settings.login.rules, now)}
        for name in sorted(added.keys() | settings.people.keys()):
            person, configured = added.get(name), settings.people.get(name)
            yield {
                "name": name,
                "databases": "" if configured is None else ", ".join(configured.databases),
                "standing": _standing(person, is_configured=configured is not None, locked=name in locked),
                "since": None if person is None else f"{person.updated:%Y-%m-%d %H:%M}",
                "credentials": store.open_credentials(connection, name, now),
            }


def _standing(person: Person | None, *, is_configured: bool, locked: bool) -> str:
    if person is None:
        return "not added yet"
    if not is_configured:
        return "not in the configuration"
    if person.disabled:
        return "disabled"
    return "locked for a while" if locked else "may sign in"


def _refuse_unconfigured(settings: Settings, name: str) -> None:
    if name not in settings.people:
        raise PersonUnknown(
            f"{name} is not under people in {settings.file}",
            hint=f"Write people: {{{name}: {{databases: [...]}}}} there first.",
        )


def _is_added(state: State, name: str) -> bool:
    with state.engine.begin() as connection:
        return store.find_person(connection, name) is not None


def _give(state: State, name: str) -> None:
    secret = sign_in.add(state, name, ask_new_password(), datetime.now(UTC))
    uri = codes.uri_of(secret, name)
    print(f"The password of {name} is set. Scan this with an authenticator; it is not shown again:")
    _show(uri)


def _show(uri: Secret) -> None:
    """As text, and at a terminal as a QR code."""
    print(uri.danger_reveal())
    if sys.stdout.isatty():
        segno.make(uri.danger_reveal()).terminal(compact=True)


@contextmanager
def _opened(settings: Settings) -> Iterator[State]:
    state = open_state(settings.state)
    try:
        yield state
    finally:
        state.close()
