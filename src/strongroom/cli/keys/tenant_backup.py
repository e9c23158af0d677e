"""``strongroom keys tenants backup`` and ``restore``: a file for each tenant, which can be destroyed."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from strongroom.cli.keys.approving import Approval, Signature, approved
from strongroom.cli.keys.asking import Identity, PassphraseFrom, key_for, read_file, say, to_whom
from strongroom.cli.keys.backup import Recipient, RecipientsFile
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_table
from strongroom.cli.worksite import chosen_database
from strongroom.config import DEFAULT_FILE, Settings, load
from strongroom.errors import BackupPlaceRefused, NothingToRecover, TenantDestroyed
from strongroom.gateway.gate import owner_of, upstream_of
from strongroom.gateway.kept import Place
from strongroom.gateway.newcomers import Site
from strongroom.gateway.protection import open_keks, prepare
from strongroom.gateway.tenant_restoring import bring_back
from strongroom.gateway.tenants import holds_own
from strongroom.keys import age
from strongroom.keys.approvals import Act
from strongroom.keys.journal import Journal
from strongroom.keys.kek import scope_of, tenant_of
from strongroom.keys.new_file import refuse_place
from strongroom.keys.tenant_backup import SUFFIX, contents_of, read, unchanged, write
from strongroom.state import State, open_state

DatabaseName = Annotated[str, typer.Argument(metavar="DATABASE", help="As it is named under databases:.")]
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Of the backups of tenants' keys alone.")]


def backup(
    database: DatabaseName,
    folder: Folder,
    *,
    config: Config = DEFAULT_FILE,
    recipient: Recipient = None,
    recipients_file: RecipientsFile = None,
    passphrase_from: PassphraseFrom = None,
    approval: Approval = None,
    signature: Signature = None,
    json: Json = False,
) -> None:
    """Write a file for each tenant with its keys, where they changed since the last; older ones are removed.

    No backup of other keys holds them, so that a tenant's can be destroyed. Not of those who hold their own.

    Example: strongroom keys tenants backup shop /media/stick/tenants -r age1...
    """
    settings = load(config)
    if not folder.is_dir():
        raise BackupPlaceRefused(f"{folder}: there is no such folder", hint="make it: install -d -m 0700")
    refuse_place(folder / "any", settings.state.path.parent)
    to = to_whom(recipient or [], recipients_file, None, passphrase_from)
    place = chosen_database(settings, database)
    state = open_state(settings.state)
    try:
        act = Act(
            "backup",
            f"back up the keys of tenants of {place} to {to}",
            {"folder": str(folder.resolve()), "to": str(to)},
        )
        with approved(settings, state, act, approval, signature):
            rows = _written(settings, state, place, folder, to)
    finally:
        state.close()
    print_table(["tenant", "file", "written"], rows, as_json=json)


def _written(
    settings: Settings, state: State, database: str, folder: Path, to: age.To
) -> list[dict[str, object]]:
    keks, rows = open_keks(settings, state), []
    for name in sorted(keks.by_name):
        tenant = tenant_of(name, database)
        if tenant is None or holds_own(settings, name):
            continue
        what = contents_of(state.engine, keks, scope_of(name), datetime.now(UTC))
        known = unchanged(state.engine, what, folder)
        file = Path(known.place) if known is not None else write(state.engine, what, folder, to)
        rows.append({"tenant": tenant, "file": str(file), "written": known is None})
    if new := sum(bool(row["written"]) for row in rows):
        Journal(state.engine).add("tenants backed up", database, files=new, folder=str(folder.resolve()))
    return rows


def restore(
    database: DatabaseName,
    folder: Folder,
    *,
    config: Config = DEFAULT_FILE,
    identity: Identity = None,
    passphrase_from: PassphraseFrom = None,
    approval: Approval = None,
    signature: Signature = None,
    json: Json = False,
) -> None:
    """Bring back the keys of tenants that are lost; after `keys restore` or `keys recover`, if need be.

    What is there stays, and a destroyed key is not brought back. Interrupted, run it again.

    Example: strongroom keys tenants restore shop /media/stick/tenants --identity id.txt
    """
    settings = load(config)
    files = sorted(folder.glob(f"*{SUFFIX}"))
    if not files:
        raise NothingToRecover(f"{folder}: there is no file {'*' + SUFFIX}")
    key = key_for(read_file(files[0]), identity, shares=False, passphrase_from=passphrase_from)
    name = chosen_database(settings, database)
    upstream = upstream_of(name, settings)
    state = open_state(settings.state)
    try:
        fields = {"database": name, "folder": str(folder.resolve())}
        act = Act("restore", f"bring back the keys of tenants of {name}", fields)
        with approved(settings, state, act, approval, signature, resumable=True):
            place = Place(name, upstream, owner_of(name, settings) or upstream)
            rows = asyncio.run(_restored(settings, state, place, files, key))
    finally:
        state.close()
    print_table(["tenant", "outcome", "file"], rows, as_json=json)


async def _restored(
    settings: Settings, state: State, place: Place, files: list[Path], key: age.Key
) -> list[dict[str, object]]:
    prepared = await prepare(settings, state, [place], to_seal=True)
    at, rows = Site(settings, state, place, prepared.roots), list[dict[str, object]]()
    for file in files:
        what, kek = read(read_file(file), key)
        tenant = tenant_of(kek.name, place.name)
        if tenant is None:
            say(f"{file} is of a tenant of another database")
            continue
        try:
            outcome = "brought back" if await bring_back(at, what, kek) else "was there"
        except TenantDestroyed:
            outcome = "was destroyed"
        if outcome == "brought back":
            Journal(state.engine).add("tenant brought back", scope_of(kek.name), backup=what.id)
        rows.append({"tenant": tenant, "outcome": outcome, "file": str(file)})
    return rows
