"""``strongroom keys hold``, ``release`` and ``holds``: what a court wants kept is not destroyed."""

from datetime import UTC, date, datetime
from typing import Annotated

import typer

from strongroom.cli.keys.naming import keysets_of, of_each_tenant
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_done, print_table
from strongroom.config import DEFAULT_FILE, Settings, load
from strongroom.errors import HoldUnknown
from strongroom.keys.holds import Hold, Holds
from strongroom.keys.journal import Journal
from strongroom.keys.kek import kek_name
from strongroom.keys.store import kept_keks, kept_keysets, kept_retired
from strongroom.state import State, look_at_state, open_state

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="A column, COLUMN@TENANT, or a keyset, KEK, database or root by its name."
    ),
]
Version = Annotated[
    int | None, typer.Argument(metavar="[VERSION]", min=1, help="Of a keyset; else, all versions.")
]
HoldId = Annotated[str, typer.Argument(metavar="HOLD", help="As `strongroom keys holds` shows it.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Which case, who asked for it.")]
Until = Annotated[
    datetime | None,
    typer.Option("--until", metavar="DATE", formats=["%Y-%m-%d"], help="The last day; else, until released."),
]


def hold(
    name: Name,
    version: Version = None,
    *,
    reason: Reason,
    until: Until = None,
    config: Config = DEFAULT_FILE,
    json: Json = False,
) -> None:
    """Lay a legal hold on a key: neither it nor what wraps it can be destroyed until it is released.

    Examples: strongroom keys hold public.customers.iban --reason "case 17/2026" · strongroom keys hold
    "kek shop" --reason "case 17/2026" --until 2027-12-31
    """
    reason = _given(reason)
    settings, now = load(config), datetime.now(UTC)
    last = None if until is None else until.date()
    if last is not None and last < now.date():
        raise typer.BadParameter(f"--until {last} is over already")
    state = open_state(settings.state)
    try:
        one = Hold.new(_known(settings, state, name), version, reason, now, last)
        Journal(state.engine).add("hold laid", one.name, hold=one.id, version=version, until=last)
        Holds(state.engine).lay(one)
    finally:
        state.close()
    print_done(_row(one, now), f"hold {one.id}: {_what(one)} is not destroyed {_until(last)}", as_json=json)


def release(hold_id: HoldId, *, reason: Reason, config: Config = DEFAULT_FILE, json: Json = False) -> None:
    """End a legal hold; it stays in the list, with the reason.

    Example: strongroom keys release 1f2e3d4c --reason "case closed, says counsel"
    """
    reason, now = _given(reason), datetime.now(UTC)
    state = open_state(load(config).state)
    try:
        one = Holds(state.engine).release(hold_id, reason, now)
        Journal(state.engine).add("hold released", one.name, hold=one.id)
    finally:
        state.close()
    print_done(_row(one, now), f"hold {one.id} on {_what(one)} is released", as_json=json)


def holds(*, config: Config = DEFAULT_FILE, json: Json = False) -> None:
    """List the legal holds, those that are over included.

    Example: strongroom keys holds --json
    """
    now = datetime.now(UTC)
    state = look_at_state(load(config).state)
    try:
        found = Holds(state.engine).all()
    finally:
        state.close()
    columns = ["hold", "name", "version", "in force", "since", "until", "reason", "released", "released for"]
    print_table(columns, [_row(one, now) for one in found], as_json=json)


def _given(reason: str) -> str:
    """What says nothing is no reason: whoever finds the hold must know whom to ask."""
    if not reason.strip():
        raise typer.BadParameter("--reason says which case it is, and who asked for it")
    return reason.strip()


def _row(one: Hold, now: datetime) -> dict[str, object]:
    return {
        "hold": one.id,
        "name": one.name,
        "version": one.version,
        "in force": one.in_force(now),
        "since": f"{one.since:%Y-%m-%d %H:%M}Z",
        "until": one.until,
        "reason": one.reason,
        "released": None if one.released is None else f"{one.released:%Y-%m-%d %H:%M}Z",
        "released for": one.released_for,
    }


def _known(settings: Settings, state: State, name: str) -> str:
    """The name by which it is kept; raises ``HoldUnknown``, since a mistyped one would hold nothing."""
    keks = kept_keks(state.engine)
    roots = {root for row in keks.values() for root in row.wraps}
    kept = {one.name for one in (*kept_keysets(state.engine), *kept_retired(state.engine))}
    if name in kept or name in roots or name in keks or kek_name(name) in keks:
        return name
    found = [one for one in keysets_of(settings, name) if one in kept]
    if len(found) > 1:
        raise HoldUnknown(f"{name} is in several databases", hint=f"Name one of: {', '.join(found)}")
    if not found:
        raise HoldUnknown(f"there is no key {name!r}", hint=of_each_tenant(settings, name))
    return found[0]


def _what(one: Hold) -> str:
    return f"{one.name!r}" if one.version is None else f"version {one.version} of {one.name!r}"


def _until(last: date | None) -> str:
    return "until the hold is released" if last is None else f"until {last} is over, or the hold is released"
