"""``strongroom password``: gives an account its password, of which only a SCRAM verifier is kept."""

import getpass
import secrets
import sys
from typing import Annotated

import typer

from strongroom.cli.options import Config
from strongroom.config import DEFAULT_FILE, load
from strongroom.secret import Secret
from strongroom.state import open_state
from strongroom.wire.postgres.verifier import SALT_BYTES, make_verifier

Account = Annotated[str, typer.Argument(metavar="ACCOUNT", help="A name under accounts.")]
Print = Annotated[bool, typer.Option("--print", help="Print the verifier, and keep nothing.")]


def password(account: Account, show: Print = False, config: Config = DEFAULT_FILE) -> None:
    """Set an account's password: asked for twice, or read as one line from standard input.

    Example: strongroom password app --print
    """
    if show:
        print(_verifier().danger_reveal())
        return
    settings = load(config)
    if account not in settings.accounts:
        raise typer.BadParameter(f"{account} is not under accounts in {settings.file}")
    if settings.accounts[account].password is not None:
        raise typer.BadParameter(
            f"accounts.{account}.password in {settings.file} would count instead; remove it there first"
        )
    state = open_state(settings.state)
    try:
        state.store_verifier(account, _verifier())
    finally:
        state.close()
    print(f"The password of {account} is set.")


def _verifier() -> Secret:
    return Secret(make_verifier(_ask(), secrets.token_bytes(SALT_BYTES)).text())


def _ask() -> Secret:
    if sys.stdin.isatty():
        first, second = getpass.getpass("Password: "), getpass.getpass("Again: ")
        if first != second:
            raise typer.BadParameter("the two passwords differ")
    else:
        first = sys.stdin.readline().rstrip("\r\n")
    if not first:
        raise typer.BadParameter("the password is empty")
    return Secret(first)
