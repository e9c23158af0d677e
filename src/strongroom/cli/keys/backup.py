"""``strongroom keys backup`` and ``backups``: a file with every key, and the register of such files."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from strongroom.cli.keys.approving import Approval, Signature, approved
from strongroom.cli.keys.asking import Identity, PassphraseFrom, key_for, read_file, say, to_whom
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_json, print_table
from strongroom.config import DEFAULT_FILE, load
from strongroom.errors import BackupUnknown, NothingToRecover
from strongroom.gateway.protection import open_keks
from strongroom.keys import age
from strongroom.keys import backup as backups_of_keys
from strongroom.keys.approvals import Act
from strongroom.keys.backups import Backup, Backups
from strongroom.keys.holds import Holds
from strongroom.keys.journal import Journal
from strongroom.keys.new_file import refuse_place
from strongroom.keys.store import kept_keks, kept_keysets
from strongroom.state import State, look_at_state, open_state

File = Annotated[Path, typer.Argument(metavar="FILE", help="A new file, in a folder of its own.")]
Recipient = Annotated[
    list[str] | None,
    typer.Option("--recipient", "-r", metavar="age1...", help="Of age or OpenSSH; may be repeated."),
]
RecipientsFile = Annotated[
    Path | None, typer.Option("--recipients-file", "-R", metavar="FILE", help="Recipients, a line each.")
]
Shares = Annotated[
    str | None, typer.Option("--shares", metavar="K/N", help="N shares, any K of which open it.")
]
Forget = Annotated[
    str | None, typer.Option("--forget", metavar="ID", help="Note that this one was destroyed.")
]
Register = Annotated[
    Path | None,
    typer.Option("--register", metavar="FILE", help="Enter this one again, which is read for it."),
]
FromShares = Annotated[
    bool, typer.Option("--shares", help="With --register: asks for the shares of the backup.")
]


def backup(
    file: File,
    *,
    config: Config = DEFAULT_FILE,
    recipient: Recipient = None,
    recipients_file: RecipientsFile = None,
    shares: Shares = None,
    passphrase_from: PassphraseFrom = None,
    approval: Approval = None,
    signature: Signature = None,
    json: Json = False,
) -> None:
    """Write every key into one encrypted file, which needs no root; a passphrase is asked for unless told.

    It is verified by reading it back. Keep it apart from the database: whoever opens it opens every value.

    Examples: strongroom keys backup /media/stick/keys.age · strongroom keys backup keys.age -r age1... ·
    strongroom keys backup keys.age --shares 3/5
    """
    settings = load(config)
    refuse_place(file, settings.state.path.parent)
    to = to_whom(recipient or [], recipients_file, shares, passphrase_from)
    state = open_state(settings.state)
    try:
        what = backups_of_keys.contents(state.engine, open_keks(settings, state), datetime.now(UTC))
        if not what.keks:
            raise NothingToRecover(
                "the state holds no keys yet", hint="They are made by `strongroom protect` or `serve`."
            )
        with approved(settings, state, _act(what, file, to), approval, signature):
            made = backups_of_keys.make(state.engine, what, file, to)
            Journal(state.engine).add("backed up", what.id, place=str(file.resolve()), to=made.to)
    finally:
        state.close()
    _show(what, file, made, as_json=json)


def _act(what: backups_of_keys.Contents, file: Path, to: age.To) -> Act:
    """Only with `backup` under `for`: a timer makes backups, too."""
    fields = {"keys": ", ".join(sorted(what.holds)), "file": str(file.resolve()), "to": str(to)}
    return Act("backup", f"back up every key to {to}, into {fields['file']}", fields)


def _show(what: backups_of_keys.Contents, file: Path, made: age.Encrypted, *, as_json: bool) -> None:
    """What the file holds; and the shares, for their keepers: shown once, and kept nowhere."""
    keys = sum(len(one.versions) for one in (*what.keks, *what.keysets, *what.retired))
    shares = [share.danger_text() for share in made.shares]
    if as_json:
        names = sorted(what.holds)
        print_json(
            {"id": what.id, "file": str(file), "to": made.to, "names": names, "keys": keys, "shares": shares}
        )
        return
    for number, share in enumerate(shares, 1):
        print(f"Share {number} of {len(shares)}, for one keeper alone:\n{share}\n")
    print(f"backup {what.id}: {keys} keys of {len(what.holds)} names, to {made.to}")
    say(f"{file} was read back and opens. Prove it now and then: strongroom keys drill {file}")


def backups(
    *,
    config: Config = DEFAULT_FILE,
    forget: Forget = None,
    register: Register = None,
    identity: Identity = None,
    from_shares: FromShares = False,
    passphrase_from: PassphraseFrom = None,
    json: Json = False,
) -> None:
    """List the backups that were made: where, to whom, and when a drill last proved each.

    --register enters one again that a lost state knew, and those that it names in turn; it is opened for
    that, and says which legal holds it knows of. Nothing is destroyed while a registered backup holds it.

    Examples: strongroom keys backups · strongroom keys backups --forget 1f2e3d4c5b6a7988 ·
    strongroom keys backups --register /media/stick/keys.age --identity id.txt
    """
    if forget is not None and register is not None:
        raise typer.BadParameter("--forget and --register exclude each other")
    what = None if register is None else _read(register, identity, from_shares, passphrase_from)
    state = (look_at_state if forget is None and what is None else open_state)(load(config).state)
    try:
        entries = Backups(state.engine)
        if forget is not None:
            entries.forget(forget, datetime.now(UTC))
            Journal(state.engine).add("backup forgotten", forget)
        if register is not None and what is not None:
            _register(state, register, what)
        found = entries.all()
    finally:
        state.close()
    print_table(["id", "made", "to", "place", "drilled", "forgotten"], _rows(found, whole=json), as_json=json)


def _read(
    file: Path, identity: Path | None, from_shares: bool, passphrase_from: Path | None
) -> backups_of_keys.Contents:
    content = read_file(file)
    return backups_of_keys.opened(content, key_for(content, identity, from_shares, passphrase_from))


def _register(state: State, file: Path, what: backups_of_keys.Contents) -> None:
    """Enters a backup and those before it; raises ``BackupUnknown`` where it is another installation's.

    Holds are not laid by it: they may have been released since.
    """
    here = {*kept_keks(state.engine), *(one.name for one in kept_keysets(state.engine))}
    if not here & what.holds.keys():
        raise BackupUnknown(
            f"the backup {what.id} holds no key of a name that is here",
            hint="Register it where its keys are; `strongroom keys list` shows those that are here.",
        )
    entries = Backups(state.engine)
    place = str(file.resolve())
    entries.register(Backup(what.id, what.made, place, "unknown here", what.holds))
    for one in what.backups:
        entries.register(one)
    Journal(state.engine).add(
        "backup registered", what.id, place=place, before=[one.id for one in what.backups]
    )
    known = {one.id for one in Holds(state.engine).all()}
    for hold in what.legal_holds:
        if hold.in_force(datetime.now(UTC)) and hold.id not in known:
            say(f"it knows of a legal hold on {hold.name!r}, for {hold.reason}: lay it again, if it stands")


def _rows(found: Sequence[Backup], *, whole: bool) -> list[dict[str, object]]:
    return [
        {
            "id": one.id,
            "made": _day(one.made),
            "to": one.to,
            "place": one.place,
            "drilled": _day(one.drilled) or (None if whole else "never"),
            "forgotten": _day(one.forgotten),
            **({"holds": {name: has.revision for name, has in one.holds.items()}} if whole else {}),
        }
        for one in found
    ]


def _day(at: datetime | None) -> str | None:
    return None if at is None else f"{at:%Y-%m-%d %H:%MZ}"
