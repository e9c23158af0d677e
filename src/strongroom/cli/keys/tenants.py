"""``strongroom keys tenants``: the keys of tenants; made, listed, and destroyed for good."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated

import typer

from strongroom.cli.keys import shred, tenant_backup
from strongroom.cli.keys.asking import say
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_json, print_table
from strongroom.cli.worksite import chosen_database
from strongroom.config import DEFAULT_FILE, Settings, load
from strongroom.errors import TenantNameRefused
from strongroom.gateway.gate import owner_of, upstream_of
from strongroom.gateway.kept import Place, kept_beside
from strongroom.gateway.newcomers import Newcomers, Site
from strongroom.gateway.newcomers import add as add_tenants
from strongroom.gateway.protection import prepare
from strongroom.gateway.tenants import Rows, holds_own, in_time
from strongroom.keys.journal import Journal
from strongroom.keys.kek import scope_of, tenant_of
from strongroom.keys.root.opening import name_of
from strongroom.keys.tenants import Standing
from strongroom.protect.tenants import is_tenant_name
from strongroom.state import State, look_at_state, open_state

Database = Annotated[str, typer.Argument(metavar="DATABASE", help="As it is named under databases:.")]
OneOrNone = Annotated[str | None, typer.Argument(metavar="[DATABASE]", help="Of several, which.")]
Names = Annotated[list[str], typer.Argument(metavar="TENANT...", help="As the column with tenant: names it.")]
Again = Annotated[
    bool, typer.Option("--again", help="For a name whose key was destroyed: a new key, for a new tenant.")
]

tenants = typer.Typer(
    help="The keys of tenants: made, listed, destroyed for good.",
    epilog="docs/guides/tenants.md walks through bringing one's own key, withdrawing it, and shredding.",
    no_args_is_help=True,
)


tenants.command("destroy")(shred.destroy)
tenants.command("backup")(tenant_backup.backup)
tenants.command("restore")(tenant_backup.restore)


@tenants.command("add")
def add(
    database: Database,
    names: Names,
    *,
    config: Config = DEFAULT_FILE,
    again: Again = False,
    json: Json = False,
) -> None:
    """Make the keys of tenants: a key-encryption key each, and a key for each column with tenant:.

    What is there already stays. Gateways that run hear of it within seconds. Where one of several cannot be
    made, none is.

    Examples: strongroom keys tenants add shop acme globex · strongroom keys tenants add shop acme --again
    """
    if bad := [name for name in names if not is_tenant_name(name)]:
        called = " or ".join(map(repr, bad))
        raise TenantNameRefused(f"a tenant cannot be called {called}; no key was made")
    with _at(load(config), database) as (settings, state, place):
        made = asyncio.run(_add(settings, state, place, names, again=again))
    if json:
        print_json({"made": list(made.made), "keysets": list(made.keysets)})
        return
    for name in made.made:
        held = "its own provider" if holds_own(settings, name) else "the configured roots"
        print(f"{name} has a key-encryption key, wrapped by {held}")
    say(f"{len(made.keysets)} keysets were made; of {len(made.keks)} tenants all are there")


async def _add(settings: Settings, state: State, place: Place, names: list[str], *, again: bool) -> Newcomers:
    prepared = await prepare(settings, state, [place], to_seal=True)
    for line in prepared.said:
        say(line)
    return await add_tenants(Site(settings, state, place, prepared.roots), names, again=again)


@tenants.command("list")
def list_tenants(database: OneOrNone = None, *, config: Config = DEFAULT_FILE, json: Json = False) -> None:
    """Show each tenant: who wraps its key, and whether that is here, withdrawn or destroyed.

    Providers of tenants who hold their own keys are asked. Exit status 1 where a key is not here.

    Example: strongroom keys tenants list shop --json
    """
    with _at(load(config), database, only_look=True) as (settings, state, place):
        rows = asyncio.run(_listed(settings, state, place))
    print_table(["tenant", "key", "state", "since", "why"], rows, as_json=json)
    if any(row["state"] == "withdrawn" for row in rows):
        raise typer.Exit(1)


async def _listed(settings: Settings, state: State, place: Place) -> list[dict[str, object]]:
    rows = Rows.of(settings, state, place, await kept_beside(place.connector))
    own = [name for name in rows.names if holds_own(settings, name)]
    standings = {one.name: one for one in await in_time(partial(rows.stand_own, name) for name in own)}
    since = {event.subject: event.at for event in Journal(state.engine).events() if "tenant" in event.what}
    return [
        {
            "tenant": tenant_of(name),
            "key": _where(settings, name),
            "since": f"{since[scope_of(name)]:%Y-%m-%d %H:%MZ}" if scope_of(name) in since else None,
            **_shown(rows, name, standings.get(name), asked=name in own),
        }
        for name in rows.names
    ]


def _where(settings: Settings, name: str) -> str:
    if not holds_own(settings, name):
        return "configured roots"
    assert settings.keys is not None  # holds_own
    return name_of(settings.keys.tenants.own[scope_of(name)]) or "its own provider"


def _shown(rows: Rows, name: str, standing: Standing | None, *, asked: bool) -> dict[str, object]:
    """The state of one, and why it is not here."""
    kept = rows.kept.get(name)
    if (standing is not None and standing.is_destroyed) or (kept is not None and kept.is_destroyed):
        return {"state": "destroyed", "why": None}
    if not asked:
        return {"state": "here", "why": None}
    if standing is None:
        return {"state": "withdrawn", "why": "its provider does not answer in time"}
    failure = standing.failure
    return {"state": "here" if failure is None else "withdrawn", "why": failure and failure.message}


@contextmanager
def _at(
    settings: Settings, database: str | None, *, only_look: bool = False
) -> Iterator[tuple[Settings, State, Place]]:
    """The state, and the database that is meant."""
    name = chosen_database(settings, database)
    upstream = upstream_of(name, settings)
    state = (look_at_state if only_look else open_state)(settings.state)
    try:
        yield settings, state, Place(name, upstream, owner_of(name, settings) or upstream)
    finally:
        state.close()
