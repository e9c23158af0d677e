"""``strongroom keys import`` and ``export``: keys that come in wrapped, and go out in the clear."""

import hashlib
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from strongroom.cli.keys.approving import Approval, Signature, approved
from strongroom.cli.keys.asking import read_file, say
from strongroom.cli.keys.states import Column
from strongroom.cli.keys.work import DatabaseName, KeyWork
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_done, print_json
from strongroom.cli.worksite import chosen_database, scheme_named, worksite
from strongroom.config import DEFAULT_FILE, load
from strongroom.errors import KeyImportRefused, KeysetMissing
from strongroom.gateway.protection import open_keks, schemes_of
from strongroom.keys import document
from strongroom.keys.approvals import Act
from strongroom.keys.imported import ImportToken, unwrap
from strongroom.keys.imports import refuse_waiting, with_imported
from strongroom.keys.journal import Journal
from strongroom.keys.model import ExportCapability, Keyset
from strongroom.keys.new_file import refuse_place, write_new
from strongroom.keys.store import KeyStore
from strongroom.state import open_state

Begin = Annotated[bool, typer.Option("--begin", help="Print the public key to wrap with; for a day.")]
KeyFile = Annotated[
    Path | None, typer.Option("--key-file", metavar="BLOB", help="The key, wrapped with that public key.")
]
Tink = Annotated[bool, typer.Option("--tink", help="In Tink's JSON: there is no other format.")]
Danger = Annotated[
    bool,
    typer.Option("--danger-key-material-in-the-clear", help="Whoever reads the file opens every value."),
]
Output = Annotated[Path, typer.Option("--output", metavar="FILE", help="A new file.", show_default=False)]


def import_key(
    column: Column,
    *,
    config: Config = DEFAULT_FILE,
    database: DatabaseName = None,
    begin: Begin = False,
    key_file: KeyFile = None,
    json: Json = False,
) -> None:
    """Bring your own key for a column: begin, wrap it where it is, then give what came of that.

    It is the next version of the column's key, and seals once `strongroom keys rotate` lets it.
    docs/guides/importing-keys.md has the commands that wrap it.

    Examples: strongroom keys import public.customers.iban --begin > public.pem · strongroom keys import
    public.customers.iban --key-file blob
    """
    if begin is (key_file is not None):
        raise typer.BadParameter("give either --begin or --key-file")
    with worksite(load(config), database, "strongroom keys import") as site:
        work = KeyWork(site)
        keyset = work.keyset_name(column)
        if key_file is None:
            _begin(work, keyset, as_json=json)
        else:
            _take(work, keyset, column, read_file(key_file), as_json=json)


def _begin(work: KeyWork, name: str, *, as_json: bool) -> None:
    refuse_waiting(work.keyset(name))
    token = ImportToken.make(datetime.now(UTC))
    work.imports.begin(name, token)
    work.journal.add("import begun", name, identifier=token.identifier)
    by, fingerprint = f"{token.expires:%Y-%m-%d %H:%M}Z", _fingerprint(token.public)
    if as_json:
        public = {"public_key": token.public.decode(), "sha256": fingerprint}
        print_json({"key": name, "identifier": token.identifier, "expires": by, **public})
        return
    print(token.public.decode(), end="")
    say(f"import {token.identifier}, to be done by {by}; SHA-256 of the key:")
    say(fingerprint)
    say("compare it where the key is, then follow docs/guides/importing-keys.md; an earlier import is void")


def _fingerprint(public: bytes) -> str:
    """As `openssl pkey -pubin -outform der | sha256sum` shows it."""
    der = load_pem_public_key(public).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def _take(work: KeyWork, name: str, column: str, blob: bytes, *, as_json: bool) -> None:
    now = datetime.now(UTC)
    token = work.imports.pending(name)
    material = unwrap(token, blob, now)

    def after(before: Keyset) -> Keyset:
        # Nobody else is at work in the database now: `keys compromise` may have voided the import until here.
        if work.imports.pending(name).identifier != token.identifier:
            raise KeyImportRefused(f"the import {token.identifier} was voided meanwhile")
        return with_imported(before, material, now)

    keyset = work.change(name, after)
    newest = keyset.versions[-1]
    details = {"key_id": f"{newest.key_id:08x}", "identifier": token.identifier}
    work.journal.add("imported", name, **details)
    work.imports.done(name)
    number = keyset.number(newest.key_id)
    done = {"key": name, "version": number, **details, "state": newest.state.value}
    words = f"{name}: version {number} ({newest.key_id:08x}) was imported, and waits"
    print_done(done, words, as_json=as_json)
    say(f"let it seal: strongroom keys rotate {column}; deterministic columns need --reencrypt")


def export(
    column: Column,
    *,
    config: Config = DEFAULT_FILE,
    database: DatabaseName = None,
    output: Output,
    tink: Tink = False,
    danger: Danger = False,
    approval: Approval = None,
    signature: Signature = None,
    json: Json = False,
) -> None:
    """Write a column's keys into a file, in the clear: with it, stock Tink opens every value.

    For leaving Strongroom, or for a program that works on a copy of the data. A record of it is kept.

    Example: strongroom keys export public.customers.iban --tink --danger-key-material-in-the-clear
    --output iban.json
    """
    if not (tink and danger):
        raise typer.BadParameter(
            "the file opens every value of the column, without Strongroom and without a record of who reads:"
            " say so with --tink --danger-key-material-in-the-clear"
        )
    settings = load(config)
    refuse_place(output, settings.state.path.parent)
    name = scheme_named(schemes_of(settings, chosen_database(settings, database)), column).keyset
    state = open_state(settings.state)
    try:
        keyset = KeyStore(state.engine, open_keks(settings, state)).load().get(name)
        if keyset is None:
            raise KeysetMissing(
                f"the state has no keyset {name!r} yet", hint="`strongroom protect` or `serve` makes it"
            )
        with approved(settings, state, _act(keyset, output), approval, signature):
            # The record comes first: a file without one must not be.
            Journal(state.engine).add("exported", name, file=str(output.resolve()), to="the clear, for Tink")
            _write(output, keyset)
    finally:
        state.close()
    done = {"key": name, "versions": len(keyset.versions), "file": str(output.resolve())}
    words = f"the {len(keyset.versions)} versions of {name} are in {output}, in the clear"
    print_done(done, words, as_json=json)
    say("`keyset` is for Tink's JSON reader, `associatedData` (hexadecimal) for its decryption")


def _act(keyset: Keyset, output: Path) -> Act:
    file, ids = str(output.resolve()), ", ".join(f"{one.key_id:08x}" for one in keyset.versions)
    return Act(
        "export",
        f"export the keys of {keyset.name}, in the clear, into {file}",
        {"keyset": keyset.name, "key_ids": ids, "file": file, "host": socket.gethostname()},
    )


def _write(output: Path, keyset: Keyset) -> None:
    content = document.danger_written(keyset, ExportCapability("keys export --tink"))

    def verify(read: bytes) -> None:
        document.read(read)

    write_new(output, content, verify)
