"""``strongroom keys drill``: would this backup bring everything back? Tried out, beside the live state."""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import typer

from strongroom.cli.keys.asking import File, Identity, PassphraseFrom, Shares, key_for, read_file
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_json, print_table
from strongroom.config import DEFAULT_FILE, Settings, StateAddress, load
from strongroom.errors import NothingToRecover
from strongroom.gateway.protection import open_keks, read_schema, schemes_of
from strongroom.gateway.restoring import fill_from, places_of_keys
from strongroom.gateway.sampling import sample
from strongroom.keys.backup import Contents, contents, opened
from strongroom.keys.backups import Backup, Backups
from strongroom.keys.custody import note_tested
from strongroom.keys.drill import Line, compare, open_values
from strongroom.keys.hierarchy import Roots, open_kek
from strongroom.keys.journal import Journal
from strongroom.keys.kek import Keks
from strongroom.keys.model import Keyset
from strongroom.keys.root.file import FileRoot
from strongroom.keys.store import kept_keks
from strongroom.session.snapshot import column_type, places_of
from strongroom.state import State, open_state
from strongroom.wire.postgres import types

MEMORY = Path("/dev/shm")  # noqa: S108  # a folder in it is made with a name of its own, mode 0700
"""Where the temporary state and root go where there is one: what is never on a disk need not be removed."""


def drill(
    file: File,
    *,
    config: Config = DEFAULT_FILE,
    identity: Identity = None,
    shares: Shares = False,
    passphrase_from: PassphraseFrom = None,
    json: Json = False,
) -> None:
    """Prove that a backup would bring everything back, without touching what is live.

    It is restored into a temporary folder, compared with the state key by key, and opens values read from the
    databases. Exit status 1 if anything is missing; otherwise the date is noted (keys backups, keys custody).

    Examples: strongroom keys drill /media/stick/keys.age · strongroom keys drill keys.age --identity id.txt
    """
    settings = load(config)
    content = read_file(file)
    what = opened(content, key_for(content, identity, shares, passphrase_from))
    now = datetime.now(UTC)
    state = open_state(settings.state)
    try:
        live = contents(state.engine, open_keks(settings, state), now)
        if not live.keks:
            raise NothingToRecover(
                "the live state holds no keys to compare the backup with",
                hint="Run the drill where the gateway runs; on an empty machine, `strongroom keys restore`.",
            )
        restored = rehearsed(what, now)
        lines = compare(_all(live), _all(restored))
        lines += asyncio.run(_values(settings, restored))
        whole = all(line.holds for line in lines)
        _note(state, what, file, now, whole=whole)
    finally:
        state.close()
    _show(what, lines, whole=whole, as_json=json)
    if not whole:
        raise typer.Exit(1)


def rehearsed(what: Contents, now: datetime) -> Contents:
    """What a state that is filled from the backup, under a root of its own, gives when it is read again."""
    place = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="strongroom-drill-", dir=place) as name:
        for part in ("root", "state"):
            (Path(name) / part).mkdir(mode=0o700)
        root = FileRoot.create(Path(name) / "root" / "root.key", Path(name) / "state")
        state = open_state(StateAddress(Path(name) / "state" / "state.db"))
        try:
            fill_from(state, what, Roots((root,)))
            keks = Keks.of(open_kek(row, Roots((root,))) for row in kept_keks(state.engine).values())
            return contents(state.engine, keks, now)
        finally:
            state.close()


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


def _show(what: Contents, lines: Sequence[Line], *, whole: bool, as_json: bool) -> None:
    if as_json:
        print_json(
            {"id": what.id, "made": what.made, "whole": whole, "lines": [asdict(one) for one in lines]}
        )
        return
    rows = [
        {"what": one.what, "name": one.name, "holds": "yes" if one.holds else "NO", "remark": one.remark}
        for one in lines
    ]
    print_table(["what", "name", "holds", "remark"], rows, as_json=False)
    verdict = "would bring everything back" if whole else "would NOT bring everything back: make a new one"
    print(f"backup {what.id} of {what.made:%Y-%m-%d %H:%MZ} {verdict}")
