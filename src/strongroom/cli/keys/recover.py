"""``strongroom keys recover``: the state was lost; root and database, or a dump of it, bring it back."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from strongroom.cli.keys.approving import Approval, Signature, approved, roots_in_words
from strongroom.cli.keys.asking import say
from strongroom.cli.keys.restore import rows_of, tell, without_password
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_table
from strongroom.config import DEFAULT_FILE, Settings, load
from strongroom.errors import NothingToRecover
from strongroom.gateway.generations import NOT_BROUGHT_BACK
from strongroom.gateway.restoring import Came, find_beside, places_of_keys, sealed_columns_of
from strongroom.gateway.restoring import recover as recover_keys
from strongroom.gateway.standing import stand
from strongroom.keys.approvals import Act
from strongroom.keys.dump import read_dump
from strongroom.keys.journal import Journal
from strongroom.keys.restore import Beside
from strongroom.keys.root.opening import open_roots
from strongroom.keys.sealed import take_over
from strongroom.keys.store import refuse_filled
from strongroom.state import State, open_state

Dump = Annotated[
    Path | None,
    typer.Option("--dump", metavar="FILE", help="A plain pg_dump, in place of the databases themselves."),
]


def recover(
    *,
    config: Config = DEFAULT_FILE,
    dump: Dump = None,
    approval: Approval = None,
    signature: Signature = None,
    json: Json = False,
) -> None:
    """Bring the keys back from beside the data, into an empty state; the root must be the one in use.

    Counts of uses stood in the state alone: they are taken to be high, so that keys show as due. Legal holds
    and the register of backups did, too: nothing is destroyed until somebody has seen to that, and says so by
    `strongroom keys rollbacks --acknowledge`.

    Examples: strongroom keys recover · strongroom keys recover --dump shop.sql
    """
    settings = load(config)
    if settings.keys is None:
        raise typer.BadParameter(f"{settings.file} names no root: add keys: root:")
    state = open_state(settings.state)
    try:
        refuse_filled(state.engine)
        found = asyncio.run(_beside(settings, state)) if dump is None else _dumped(dump)
        keks = [one.kek for one in found.values() if one.kek is not None]
        if not keks:
            raise NothingToRecover(f"no keys stand beside the data of {', '.join(found) or 'any database'}")
        roots = open_roots(settings.keys.roots, settings.state.path.parent, keks)
        with approved(settings, state, _act(settings, found, dump), approval, signature, resumable=True):
            take_over(state.engine, sealed_columns_of(found))
            came = recover_keys(state, found, roots)
            Journal(state.engine).add("recovered", ", ".join(sorted(found)), keysets=len(came.keysets))
        _show(settings, state, came, as_json=json)
    finally:
        state.close()


async def _beside(settings: Settings, state: State) -> Mapping[str, Beside]:
    """With what was accepted there, so that the state that comes of it does not forget that."""
    places = places_of_keys(settings)
    await stand(settings, state, places)
    return await find_beside(places)


def _act(settings: Settings, found: Mapping[str, Beside], dump: Path | None) -> Act:
    databases, roots = ", ".join(sorted(found)), roots_in_words(settings)
    source = "beside the data" if dump is None else str(dump.resolve())
    fields = {"databases": databases, "from": source, "roots": roots}
    return Act("restore", f"recover the keys of {databases} from {source} by the roots {roots}", fields)


def _dumped(dump: Path) -> Mapping[str, Beside]:
    try:
        with dump.open("rb") as file:
            database, beside = read_dump(file)
    except OSError as error:
        raise typer.BadParameter(f"{dump}: {error.strerror}") from None
    return {database: beside}


def _show(settings: Settings, state: State, came: Came, *, as_json: bool) -> None:
    print_table(["key", "versions", "newest", "from"], rows_of(came, None), as_json=as_json)
    tell(came)
    for name in without_password(settings, state):
        say(f"no password stands beside the data: run `strongroom password {name}`")
    say("every key is taken to have been used much: `strongroom keys list` shows what to rotate")
    say(NOT_BROUGHT_BACK)
