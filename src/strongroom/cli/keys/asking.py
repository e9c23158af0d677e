"""To whom a backup is encrypted and what opens it again: options, files, and questions at the terminal."""

import getpass
import re
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from strongroom.errors import BackupKeyNeeded, SharesMissing, StrongroomError
from strongroom.keys import age
from strongroom.secret import Secret

STANDARD_INPUT = Path("-")

File = Annotated[Path, typer.Argument(metavar="FILE", help="The file of the backup.")]
Identity = Annotated[
    Path | None,
    typer.Option("--identity", metavar="FILE", help="Of age or OpenSSH: opens a backup to recipients."),
]
Shares = Annotated[bool, typer.Option("--shares", help="Asks for the shares of the backup, one by one.")]
PassphraseFrom = Annotated[
    Path | None,
    typer.Option("--passphrase-from", metavar="FILE", help="Its first line; - is standard input."),
]

_SHARES = re.compile(r"(\d{1,3})/(\d{1,3})")


def read_file(path: Path) -> bytes:
    """A file that was named; raises ``typer.BadParameter``."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}") from None


def to_whom(
    recipients: list[str], recipients_file: Path | None, shares: str | None, passphrase_from: Path | None
) -> age.To:
    """Whom the options name; a passphrase is asked for twice where they name nobody."""
    named = [bool(recipients or recipients_file), shares is not None, passphrase_from is not None]
    if sum(named) > 1:
        raise typer.BadParameter("recipients, shares and a passphrase exclude each other")
    if shares is not None:
        found = _SHARES.fullmatch(shares)
        if found is None:
            raise typer.BadParameter("write --shares 3/5 for five shares of which three are needed")
        return age.ToShares(int(found[1]), int(found[2]))
    if recipients or recipients_file:
        more = age.recipients_of(read_file(recipients_file)) if recipients_file else ()
        return age.ToRecipients((*recipients, *more))
    return age.ToPassphrase(_passphrase(passphrase_from, twice=True))


def key_for(content: bytes, identity: Path | None, shares: bool, passphrase_from: Path | None) -> age.Key:
    """What opens the file: what the options name, or the passphrase; raises ``BackupKeyNeeded``."""
    if identity is not None:
        return age.of_identity_file(read_file(identity))
    if shares:
        return _gathered()
    if not age.is_to_passphrase(content):
        raise BackupKeyNeeded("the backup is to recipients or shares, or it is no backup")
    return _passphrase(passphrase_from, twice=False)


def _passphrase(source: Path | None, *, twice: bool) -> Secret:
    if source is not None and source != STANDARD_INPUT:
        return Secret(read_file(source).decode(errors="replace").partition("\n")[0].rstrip("\r"))
    if source == STANDARD_INPUT:
        return Secret(sys.stdin.readline().rstrip("\r\n"))
    if not sys.stdin.isatty():
        raise BackupKeyNeeded("the passphrase of the backup is needed, and there is no terminal to ask at")
    first = getpass.getpass("Passphrase of the backup: ")
    if twice and getpass.getpass("Again: ") != first:
        raise typer.BadParameter("the two passphrases differ")
    return Secret(first)


def _gathered() -> age.Identities:
    """Asks for one share after another until there are enough; says at once what is wrong with one."""
    if not sys.stdin.isatty():
        return age.of_shares(sys.stdin)
    lines: list[str] = []
    while True:
        line = getpass.getpass(f"Share {len(lines) + 1} of the backup: ")
        if not line.strip():
            continue
        try:
            return age.of_shares([*lines, line])
        except SharesMissing:
            lines.append(line)  # it is a good one
        except StrongroomError as error:
            say(f"{error.message}. {error.hint}")


def say(text: str) -> None:
    """A line for the person at the terminal; standard output is for what programs read."""
    Console(stderr=True, markup=False, highlight=False, soft_wrap=True).print(text)
