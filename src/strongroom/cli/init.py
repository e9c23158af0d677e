"""``strongroom init URI``: a first configuration from a live database."""

import asyncio
import contextlib
import getpass
import os
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from strongroom.cli.options import Json
from strongroom.cli.output import print_table
from strongroom.config import DEFAULT_FILE, StateAddress, variable
from strongroom.config.roots import FileAddress
from strongroom.errors import ConfigurationExists, UpstreamLoginRefused
from strongroom.gateway.certificate import parse_pin
from strongroom.gateway.upstream_address import Upstream, is_loopback, parse_upstream
from strongroom.keys.root.opening import make_missing, open_root
from strongroom.keys.store import kept_keks
from strongroom.onboarding.address import password_variable, written_uri
from strongroom.onboarding.draft import Draft
from strongroom.onboarding.look import FirstLook, look
from strongroom.onboarding.suggest import Suggestion, suggest
from strongroom.secret import Secret
from strongroom.state import open_state

Uri = Annotated[str, typer.Argument(metavar="URI", help="A libpq URI: postgresql://user@host/database")]
Output = Annotated[
    Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write; never over a file.")
]
Print = Annotated[bool, typer.Option("--print", help="Print the configuration, and make nothing.")]
Name = Annotated[
    str | None, typer.Option("--database", metavar="NAME", help="Its name in the configuration.")
]
Account = Annotated[str, typer.Option("--account", metavar="NAME", help="The first account.")]
Listen = Annotated[str, typer.Option("--listen", metavar="HOST:PORT", help="Where the gateway will listen.")]
Pins = Annotated[list[str] | None, typer.Option("--pin", metavar="PIN", help="As upstream_pin; repeatable.")]
StateFile = Annotated[Path | None, typer.Option("--state", metavar="FILE", help="Where the state will be.")]
RootFile = Annotated[
    Path | None, typer.Option("--root-key", metavar="FILE", help="Where the root key will be.")
]


@dataclass(frozen=True, slots=True)
class _Places:
    """Where state and root key go: apart from each other, and out of any work tree."""

    state: Path
    root: Path

    @classmethod
    def chosen(cls, state: Path | None, root: Path | None) -> "_Places":
        if os.geteuid() == 0:
            usual = cls(Path("/var/lib/strongroom/state.db"), Path("/etc/strongroom/root.key"))
        else:
            home = Path.home()
            usual = cls(home / ".local/state/strongroom/state.db", home / ".config/strongroom/root.key")
        return cls((state or usual.state).absolute(), (root or usual.root).absolute())


@dataclass(frozen=True, slots=True)
class _Wish:
    """What was asked for on the command line."""

    uri: str
    database: str
    account: str
    listen: str
    pins: tuple[str, ...]
    places: _Places

    @property
    def variable(self) -> str:
        """The environment variable of the upstream password."""
        return password_variable(self.database)


def init(
    uri: Uri,
    *,
    output: Output = DEFAULT_FILE,
    show: Print = False,
    database: Name = None,
    account: Account = "app",
    listen: Listen = "127.0.0.1:6432",
    pin: Pins = None,
    state: StateFile = None,
    root_key: RootFile = None,
    json: Json = False,
) -> None:
    """Write a first configuration: look at a live database, suggest columns, make root key and state.

    Columns are suggested by name and type. Those that are chosen stand in the file, doubtful ones as
    comments; nothing in the database is changed. The password is read from the variable that the file then
    names (SHOP_DB_PASSWORD for the database shop), or asked for.

    Example: strongroom init 'postgresql://strongroom@db.example/shop?sslmode=verify-full&sslrootcert=ca.pem'

    Example: strongroom init --print postgresql://strongroom@127.0.0.1/shop
    """
    if not show and output.exists():
        raise ConfigurationExists(
            f"{output}: there is a file already", hint="Name another with --output, or look with --print."
        )
    pins = tuple(pin or ())
    upstream = parse_upstream(uri, base=Path.cwd(), pins=tuple(parse_pin(one) for one in pins))
    wish = _Wish(
        uri,
        (database or upstream.credentials.database).replace("/", "-").replace("@", "-"),
        account,
        listen,
        pins,
        _Places.chosen(state, root_key),
    )
    upstream = _with_password(upstream, wish.variable)
    found = asyncio.run(look(upstream, lambda: _asked(upstream, wish.variable)))
    draft = _draft(wish, output, found)
    if show:
        print(draft.text(), end="")
        return
    made = _make(output, draft, wish.places)
    _print_suggestions(draft.suggestions, as_json=json)
    if not json:
        print("\n".join(["", *made, "", *_next_steps(draft, output, upstream)]))


def _draft(wish: _Wish, output: Path, found: FirstLook) -> Draft:
    return Draft(
        database=wish.database,
        upstream=written_uri(wish.uri, output.parent),
        password_variable=wish.variable if found.with_password else None,
        pins=wish.pins,
        seen_pin=None if found.pin is None else str(found.pin),
        listen=wish.listen,
        account=wish.account,
        state=str(wish.places.state),
        root=str(wish.places.root),
        log=str(wish.places.state.parent / "audit"),
        origin=f"strongroom-{secrets.token_hex(4)}/audit",
        suggestions=suggest(found.columns, wish.database),
    )


def _with_password(upstream: Upstream, name: str) -> Upstream:
    """The password of the environment, unless the URI itself has one."""
    given = upstream.credentials.password or variable(name)
    return upstream.as_user(upstream.credentials.user, given)


def _asked(upstream: Upstream, name: str) -> Secret:
    if not sys.stdin.isatty():
        raise UpstreamLoginRefused(
            "the database asks for a password and none is given", hint=f"Set {name} in the environment."
        )
    return Secret(getpass.getpass(f"Password of {upstream}: "))


def _make(output: Path, draft: Draft, places: _Places) -> list[str]:
    """Root key, state and file, in this order: a file is never without what it names."""
    for path in (places.state, places.root):
        with contextlib.suppress(OSError):  # whoever opens the file says what is wrong with its folder
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = open_state(StateAddress(places.state))
    try:
        kept = list(kept_keks(state.engine).values())
        said = [] if kept else make_missing([FileAddress(places.root)], places.state.parent)
        open_root(FileAddress(places.root), places.state.parent, kept)
    finally:
        state.close()
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(draft.text())
    except OSError as error:
        raise ConfigurationExists(
            f"{output}: the configuration cannot be written: {error.strerror}",
            hint="Name another with --output.",
        ) from None
    chosen = sum(one.chosen for one in draft.suggestions)
    left = len(draft.suggestions) - chosen
    return [
        f"{output} was written: {chosen} columns chosen, {left} left to you as comments",
        *(said or [f"root key {places.root} was there, and is used"]),
        f"state {places.state} is ready",
    ]


def _print_suggestions(suggestions: Sequence[Suggestion], *, as_json: bool) -> None:
    rows = [
        {
            "column": str(one.column),
            "type": one.type,
            "encryption": one.encryption,
            "key": None if one.key is None else str(one.key),
            "chosen": one.chosen,
            "reason": one.reason,
        }
        for one in suggestions
    ]
    print_table(["column", "type", "encryption", "chosen", "reason"], rows, as_json=as_json)


def _next_steps(draft: Draft, output: Path, upstream: Upstream) -> list[str]:
    config = "" if output == DEFAULT_FILE else f" --config {output}"
    lines = [f"read {output}: add, change and take away columns"]
    if draft.password_variable:
        lines.append(f"set {draft.password_variable} in the environment of the commands that follow")
    lines += [
        f"strongroom password {draft.account}{config}",
        f"strongroom check{config}",
        f"strongroom protect{config}",
        f"strongroom serve{config}",
        f"let the application connect to {draft.listen} as {draft.account}",
    ]
    steps = [f"  {number}. {line}" for number, line in enumerate(lines, 1)]
    if draft.seen_pin is not None and not draft.pins:
        steps.append(f"To accept no other server than the one seen: upstream_pin: [{draft.seen_pin}]")
    elif draft.seen_pin is None and not is_loopback(upstream.address or upstream.host):
        steps.append("The way to the database is not encrypted: use sslmode=verify-full.")
    return ["Next:", *steps]
