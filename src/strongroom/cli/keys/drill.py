"""``strongroom keys drill``: would this backup bring everything back? Tried out, beside the live state."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from strongroom.cli.keys.asking import File, Identity, PassphraseFrom, Shares, key_for, read_file
from strongroom.cli.keys.rehearsal import rehearsed
from strongroom.cli.keys.tenant_drill import TenantDrill, files_of, key_of_tenants
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_json, print_table
from strongroom.config import DEFAULT_FILE, Settings, load
from strongroom.errors import NothingToRecover
from strongroom.gateway.protection import open_keks, read_schema, schemes_of
from strongroom.gateway.restoring import places_of_keys
from strongroom.gateway.sampling import sample
from strongroom.keys.backup import Contents, contents, opened
from strongroom.keys.backups import Backup, Backups
from strongroom.keys.custody import note_tested
from strongroom.keys.drill import Line, compare, open_values
from strongroom.keys.journal import Journal
from strongroom.keys.model import Keyset
from strongroom.session.snapshot import column_type, places_of
from strongroom.state import State, open_state
from strongroom.wire.postgres import types

Tenants = Annotated[
    list[Path] | None,
    typer.Option(
        "--tenants",
        metavar="PATH",
        help="A backup of a tenant's keys, or the folder of all; may be repeated.",
    ),
]


def drill(
    file: File,
    *,
    config: Config = DEFAULT_FILE,
    tenants: Tenants = None,
    identity: Identity = None,
    shares: Shares = False,
    passphrase_from: PassphraseFrom = None,
    json: Json = False,
) -> None:
    """Prove that a backup would bring everything back, without touching what is live.

    It is restored into a temporary folder, compared with the state key by key, and opens values read from the
    databases. Exit status 1 if anything is missing; otherwise the date is noted (keys backups, keys custody).

    With --tenants the backups of tenants' keys are proved as well, each for itself. One identity opens them
    all; one passphrase, too.

    Examples: strongroom keys drill /media/stick/keys.age · strongroom keys drill keys.age --identity id.txt
    --tenants /media/stick/tenants
    """
    settings = load(config)
    content = read_file(file)
    key = key_for(content, None if shares else identity, shares, passphrase_from)
    what = opened(content, key)
    files = files_of(tenants or ())
    now = datetime.now(UTC)
    state = open_state(settings.state)
    try:
        keks = open_keks(settings, state)
        live = contents(state.engine, keks, now)
        if not live.keks:
            raise NothingToRecover(
                "the live state holds no keys to compare the backup with",
                hint="Run the drill where the gateway runs; on an empty machine, `strongroom keys restore`.",
            )
        restored = rehearsed(what, now)
        lines = compare(_all(live), _all(restored))
        lines += asyncio.run(_values(settings, restored))
        _note(state, what, file, now, whole=_whole(lines))
        theirs: list[Line] = []
        if files:
            tenants_key = key_of_tenants(files[0], key, identity, passphrase_from)
            theirs = TenantDrill(settings, state, keks, now).lines(files, tenants_key, tenants or ())
    finally:
        state.close()
    _show(what, lines, theirs, as_json=json)
    if not _whole([*lines, *theirs]):
        raise typer.Exit(1)


def _whole(lines: Sequence[Line]) -> bool:
    return all(line.holds for line in lines)


def _all(what: Contents) -> list[Keyset]:
    return [*what.keks, *what.keysets, *what.retired]


async def _values(settings: Settings, restored: Contents) -> list[Line]:
    """A line for each configured column."""
    keysets = {one.name: one for one in restored.keysets}
    lines = []
    for place in places_of_keys(settings):
        schemes = schemes_of(settings, place.name)
        schema = await read_schema(place.connector)
        found = places_of(schema, schemes.values())
        for name, scheme in schemes.items():
            if scheme.tenant is not None:
                lines.append(Line("values", name, True, "of tenants, whose keys have backups of their own"))
                continue
            if name not in found or column_type(schema, found[name]) != types.BYTEA:
                lines.append(Line("values", name, True, "not sealed yet"))
                continue
            values = await sample(place.connector, scheme)
            lines.append(open_values(scheme, keysets.get(scheme.keyset), values))
    return lines


def _note(state: State, what: Contents, file: Path, at: datetime, *, whole: bool) -> None:
    """A backup that is whole is registered, if it was not, with the date; what it holds was tested."""
    register = Backups(state.engine)
    if whole:
        known = {one.id for one in register.all()}
        if what.id not in known:
            register.register(Backup(what.id, what.made, str(file.resolve()), "unknown here", what.holds))
        register.note_drilled(what.id, at)
        note_tested(state.engine, what.holds, at)
    Journal(state.engine).add("drilled", what.id, whole=whole)


def _show(what: Contents, lines: Sequence[Line], theirs: Sequence[Line], *, as_json: bool) -> None:
    """``theirs`` are the lines about backups of tenants' keys."""
    every = [*lines, *theirs]
    if as_json:
        shown = [asdict(one) for one in every]
        print_json({"id": what.id, "made": what.made, "whole": _whole(every), "lines": shown})
        return
    rows = [
        {"what": one.what, "name": one.name, "holds": "yes" if one.holds else "NO", "remark": one.remark}
        for one in every
    ]
    print_table(["what", "name", "holds", "remark"], rows, as_json=False)
    print(f"backup {what.id} of {what.made:%Y-%m-%d %H:%MZ} {_verdict(lines)}")
    if theirs:
        print(f"the backups of tenants' keys {_verdict(theirs)}")


def _verdict(lines: Sequence[Line]) -> str:
    if _whole(lines):
        return "would bring everything back"
    return "would NOT bring everything back: make a new one"
