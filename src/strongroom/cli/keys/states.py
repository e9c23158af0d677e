"""What a version of a key may do: ``strongroom keys suspend``, ``activate``, ``deactivate``, ``floor``; and
``compromise``, for a key that others may know.
"""

from typing import Annotated

import typer
from rich.console import Console

from strongroom.cli.keys.rotate import show_rotated
from strongroom.cli.keys.work import Columns, DatabaseName, KeyWork, Wait
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_done
from strongroom.cli.worksite import worksite
from strongroom.config import DEFAULT_FILE, load
from strongroom.errors import InvalidKeyset
from strongroom.keys.leak import Leak
from strongroom.keys.model import Keyset, KeyState

Column = Annotated[str, typer.Argument(metavar="COLUMN", help="schema.table.column, as configured.")]
Version = Annotated[
    int,
    typer.Option("--version", metavar="N", min=1, help="As `keys show` numbers them.", show_default=False),
]
Opening = Annotated[int, typer.Option("--opening", metavar="N", min=1, help="Older versions open nothing.")]
Sealing = Annotated[int, typer.Option("--sealing", metavar="N", min=1, help="Older versions seal nothing.")]


def suspend(
    column: Column,
    version: Version,
    *,
    config: Config = DEFAULT_FILE,
    database: DatabaseName = None,
    json: Json = False,
) -> None:
    """Stop a version that is not in use for sealing: what it sealed does not open until it is active again.

    Example: strongroom keys suspend public.customers.iban --version 1
    """
    _set(column, version, KeyState.SUSPENDED, config, database, as_json=json)


def activate(
    column: Column,
    version: Version,
    *,
    config: Config = DEFAULT_FILE,
    database: DatabaseName = None,
    json: Json = False,
) -> None:
    """Let a suspended version open again.

    Example: strongroom keys activate public.customers.iban --version 1
    """
    _set(column, version, KeyState.ACTIVE, config, database, as_json=json)


def deactivate(
    column: Column,
    version: Version,
    *,
    config: Config = DEFAULT_FILE,
    database: DatabaseName = None,
    json: Json = False,
) -> None:
    """End a version's service: it opens what there is, and never seals again.

    Example: strongroom keys deactivate public.customers.iban --version 1
    """
    _set(column, version, KeyState.DEACTIVATED, config, database, as_json=json)


def floor(
    column: Column,
    *,
    opening: Opening,
    sealing: Sealing,
    config: Config = DEFAULT_FILE,
    database: DatabaseName = None,
    json: Json = False,
) -> None:
    """Set the lowest versions that may open and seal, whatever their states.

    Example: strongroom keys floor public.customers.iban --opening 2 --sealing 3
    """
    with worksite(load(config), database, "strongroom keys floor") as site:
        work = KeyWork(site)
        name = work.keyset_name(column)
        keyset = work.change(name, lambda before: before.with_floors(opening, sealing))
        work.journal.add("floors set", keyset.name, opening=opening, sealing=sealing)
    done = {"key": keyset.name, "opening": opening, "sealing": sealing}
    print_done(done, f"{keyset.name}: versions from {opening} on open, from {sealing} on seal", as_json=json)


def compromise(
    columns: Columns = None,
    *,
    config: Config = DEFAULT_FILE,
    database: DatabaseName = None,
    wait: Wait = True,
    json: Json = False,
) -> None:
    """A key may be known to others: take a new one, seal everything anew at once, and trust the old no more.

    Writes down what was exposed: which columns, since when, how many values. A key that waits, of a rotation
    that was interrupted or imported, is exposed too, and never used. Interrupted, run it again: it goes on.

    Example: strongroom keys compromise public.customers.iban
    """
    if not columns:
        raise typer.BadParameter("name the columns whose key may be known")
    done = []
    with worksite(load(config), database, "strongroom keys compromise") as site:
        work = KeyWork(site, wait=wait)
        for group in work.groups(columns):
            leak = work.leak(group)
            if not json:
                _tell(group[0].keyset, leak)
            done.append(work.replace(group, leak))
    show_rotated(done, as_json=json)


def _tell(name: str, leak: Leak) -> None:
    console = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    details = leak.details
    console.print(
        f"{name}: exposed are the values of {', '.join(map(str, details['columns']))} since"  # type: ignore[call-overload]  # a list of names
        f" {str(details['since'])[:10]}, {details['uses']:,} uses at most, in the database and in its backups"
    )
    if details.get("import") is not None:
        console.print(
            f"{name}: the import {details['import']} that had begun is void, since its key pair may be known"
            " too; begin another, and wrap another key"
        )
    if leak.since is not None:
        console.print(
            f"{name}: that was written down at {leak.since:%Y-%m-%d %H:%M}Z, and this run goes on with it;"
            " if what was made after it may be known too, run the command once more when this is done"
        )


def _set(
    column: str, number: int, state: KeyState, config: object, database: str | None, *, as_json: bool
) -> None:
    with worksite(load(config), database, "strongroom keys") as site:  # type: ignore[arg-type]  # typer's path
        work = KeyWork(site)
        name = work.keyset_name(column)
        keyset = work.change(name, lambda before: before.with_state(key_id_of(before, number), state))
        key_id = key_id_of(keyset, number)
        work.journal.add(state.value, keyset.name, version=number, key_id=f"{key_id:08x}")
    done = {"key": keyset.name, "version": number, "key_id": f"{key_id:08x}", "state": state.value}
    print_done(done, f"{keyset.name}: version {number} ({key_id:08x}) is {state.value}", as_json=as_json)


def key_id_of(keyset: Keyset, number: int) -> int:
    """The key of a version by its number; raises ``InvalidKeyset``."""
    if number > len(keyset.versions):
        raise InvalidKeyset(
            f"keyset {keyset.name!r} has {len(keyset.versions)} versions, and none of number {number}",
            hint="`strongroom keys show` numbers them",
        )
    return keyset.versions[number - 1].key_id
