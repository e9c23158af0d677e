"""``strongroom password``: gives an account its password, of which only a SCRAM verifier is kept."""

import secrets
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated

import typer

from strongroom.audit.records.changes import AccountDeed
from strongroom.cli.asking import ask_new_password, duration
from strongroom.cli.options import Config
from strongroom.config import DEFAULT_FILE, load
from strongroom.deeds.accounts import account_changed
from strongroom.secret import Secret
from strongroom.state import State, open_state
from strongroom.wire.postgres.verifier import SALT_BYTES, make_verifier, parse_verifier

LONGEST_KEPT = timedelta(days=90)

Account = Annotated[str, typer.Argument(metavar="ACCOUNT", help="A name under accounts.")]
Print = Annotated[bool, typer.Option("--print", help="Print the verifier, and keep nothing.")]
KeepOld = Annotated[
    str | None,
    typer.Option("--keep-old", metavar="TIME", help="The former password counts for so long still: 24h, 7d."),
]


def password(
    account: Account, show: Print = False, keep_old: KeepOld = None, config: Config = DEFAULT_FILE
) -> None:
    """Set an account's password: asked for twice, or read as one line from standard input.

    Without --keep-old no former password counts from now on.

    Example: strongroom password app --print

    Example: strongroom password app --keep-old 24h
    """
    if show:
        print(make_verifier(ask_new_password(), secrets.token_bytes(SALT_BYTES)).text())
        return
    settings = load(config)
    if account not in settings.accounts:
        raise typer.BadParameter(f"{account} is not under accounts in {settings.file}")
    if settings.accounts[account].password is not None:
        raise typer.BadParameter(
            f"accounts.{account}.password in {settings.file} would count instead; remove it there first"
        )
    kept = None if keep_old is None else duration(keep_old, LONGEST_KEPT)
    state = open_state(settings.state)
    try:
        until = _set(state, account, ask_new_password(), kept)
    finally:
        state.close()
    print(f"The password of {account} is set.")
    if until is not None:
        print(f"The former one counts until {until:%Y-%m-%d %H:%M} UTC.")


def _set(state: State, account: str, new: Secret, kept: timedelta | None) -> datetime | None:
    """Keeps the verifier; returns until when the former one counts.

    A server of SCRAM says salt and iteration count before it sees which password the client has. Where two
    are to count, they must be the former's.
    """
    now = datetime.now(UTC)
    former = state.verifier(account)
    deed = AccountDeed.ADDED if former is None else AccountDeed.PASSWORD_CHANGED
    along = partial(account_changed, deed=deed, user=account)
    if kept is None or former is None:
        made = make_verifier(new, secrets.token_bytes(SALT_BYTES))
        state.store_verifier(account, Secret(made.text()), now=now, along=along)
        return None
    beside = parse_verifier(former.danger_reveal())
    made = make_verifier(new, beside.salt, beside.iterations)
    state.store_verifier(account, Secret(made.text()), keep_until=now + kept, now=now, along=along)
    return now + kept
