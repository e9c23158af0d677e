"""``strongroom keys custody``: who keeps each key and its backup, and when that was last tested."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from strongroom.cli.keys.naming import keysets_of, of_each_tenant
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_json, print_table
from strongroom.config import DEFAULT_FILE, Settings, load
from strongroom.errors import KeysetMissing
from strongroom.keys.custody import NOBODY, Custody, keeping, note, noted
from strongroom.keys.journal import Journal
from strongroom.keys.kek import tenant_of
from strongroom.keys.store import kept_keks, kept_keysets
from strongroom.state import State, look_at_state, open_state

Name = Annotated[
    str | None,
    typer.Argument(
        metavar="[KEY]",
        help="A column, COLUMN@TENANT, or a KEK, keyset or root by its name; else, all are shown.",
    ),
]
Keeper = Annotated[str | None, typer.Option("--keeper", metavar="WHO", help="Who keeps the key.")]
BackupKeeper = Annotated[
    str | None, typer.Option("--backup-keeper", metavar="WHO", help="Who keeps its backup.")
]
Every = Annotated[
    str | None, typer.Option("--every", metavar="90d", help="How often its backup is to be tested.")
]
Tested = Annotated[
    bool, typer.Option("--tested", help="Its backup was tested today, by hand; a drill notes that by itself.")
]

_DAYS = re.compile(r"([1-9]\d{0,3})d")


def custody(
    name: Name = None,
    *,
    config: Config = DEFAULT_FILE,
    keeper: Keeper = None,
    backup_keeper: BackupKeeper = None,
    every: Every = None,
    tested: Tested = False,
    json: Json = False,
) -> None:
    """Show or note who keeps a key, who keeps its backup, and when that was last tested.

    What is noted of a key-encryption key counts for the keys that it wraps, where nothing is noted of them.

    Examples: strongroom keys custody · strongroom keys custody public.customers.email --keeper Ada
    --backup-keeper "the safe in Bern" --every 90d · strongroom keys custody "file 1f2e3d4c" --tested
    """
    settings = load(config)
    now = datetime.now(UTC)
    state = (look_at_state if name is None else open_state)(settings.state)
    try:
        if name is not None:
            known = _known(settings, state, name)
            before = {one.name: one for one in noted(state.engine)}
            one = before.get(known) or Custody(known, "", "", None, now, None)
            note(
                state.engine, [_changed(one, keeper, backup_keeper, _period(every), now if tested else None)]
            )
            Journal(state.engine).add("custody noted", known)
        elif keeper or backup_keeper or every or tested:
            raise typer.BadParameter("name the key whose custody is to be noted")
        found = {one.name: one for one in noted(state.engine)}
        wanted = [known] if name is not None else [*dict.fromkeys([*_ours(state), *found])]
    finally:
        state.close()
    rows = [_row(one, keeping(found, one), now) for one in wanted]
    if json and name is not None:
        print_json(rows[0])
    else:
        columns = ["key", "keeper", "backup keeper", "noted of", "every", "tested", "due"]
        print_table(columns, rows, as_json=json)


def _ours(state: State) -> list[str]:
    """Roots, then KEKs, then keysets; of tenants' keys, which are many, only what is noted is shown."""
    keks = kept_keks(state.engine)
    roots = {root for name, row in keks.items() if tenant_of(name) is None for root in row.wraps}
    names = [*keks, *(one.name for one in kept_keysets(state.engine))]
    return [*sorted(roots), *(name for name in names if tenant_of(name) is None)]


def _known(settings: Settings, state: State, name: str) -> str:
    """The name by which a key is kept: its own, or that of the keyset that a column has."""
    keks = kept_keks(state.engine)
    roots = {root for row in keks.values() for root in row.wraps}
    names = {*roots, *keks, *(one.name for one in kept_keysets(state.engine))}
    if name in names:
        return name
    found = [one for one in keysets_of(settings, name) if one in names]
    if len(found) > 1:
        raise KeysetMissing(f"{name} is in several databases", hint=f"name one of: {', '.join(found)}")
    if found:
        return found[0]
    raise KeysetMissing(
        f"there is no root, key-encryption key or keyset {name!r}",
        hint=of_each_tenant(settings, name) or f"there are: {', '.join(sorted(names))}",
    )


def _changed(
    one: Custody,
    keeper: str | None,
    backup_keeper: str | None,
    every: timedelta | None,
    tested: datetime | None,
) -> Custody:
    """What is noted of the key from now on; what no option names stays."""
    return replace(
        one,
        keeper=one.keeper if keeper is None else keeper,
        backup_keeper=one.backup_keeper if backup_keeper is None else backup_keeper,
        every=one.every if every is None else every,
        tested=one.tested if tested is None else tested,
    )


def _period(every: str | None) -> timedelta | None:
    if every is None:
        return None
    found = _DAYS.fullmatch(every)
    if found is None:
        raise typer.BadParameter("write --every 90d for ninety days")
    return timedelta(days=int(found[1]))


def _row(name: str, one: Custody | None, now: datetime) -> dict[str, object]:
    if one is None:
        unknown = dict.fromkeys(["noted of", "every", "tested", "due"])
        return {"key": name, "keeper": NOBODY, "backup keeper": NOBODY, **unknown}
    return {
        "key": name,
        "keeper": one.keeper or NOBODY,
        "backup keeper": one.backup_keeper or NOBODY,
        "noted of": None if one.name == name else one.name,
        "every": None if one.every is None else f"{one.every.days}d",
        "tested": None if one.tested is None else f"{one.tested:%Y-%m-%d}",
        "due": None if one.due is None else f"{one.due:%Y-%m-%d}" + (" OVERDUE" if one.due < now else ""),
    }
