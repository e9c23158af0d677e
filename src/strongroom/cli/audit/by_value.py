"""What commands that ask for a value by its keyed hash have in common: the secrets, and the columns."""

from pathlib import Path
from typing import Annotated

import typer

from strongroom.audit.asking import hashed_columns
from strongroom.audit.hash_secrets import HashSecrets
from strongroom.audit.index import Index
from strongroom.audit.records.keyed import KEY_OCTETS
from strongroom.cli.audit.given import configured
from strongroom.config import load
from strongroom.state import look_at_state

Secret = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="A secret behind the keyed hashes; else those of the state.",
    ),
]


def secrets_asked(table: str | None, key: str | None, file: Path | None, config: Path) -> list[bytes]:
    """Without a value nothing is asked; with one, all that it takes."""
    if key is None:
        return []
    if table is None:
        raise typer.BadParameter("--key goes with --table")
    if file is None:
        return _of_state(config)
    octets = file.read_bytes()
    if len(octets) < KEY_OCTETS:
        raise typer.BadParameter(f"--secret has fewer than {KEY_OCTETS} octets")
    return [octets]


def columns_asked(index: Index, table: str) -> list[str]:
    """An empty answer would read as if nobody had asked."""
    columns = hashed_columns(index, table)
    if not columns:
        raise typer.BadParameter("no record has a keyed hash of that table: who asked for a row is not known")
    return columns


def _of_state(config: Path) -> list[bytes]:
    settings = load(config)
    state = look_at_state(settings.state)
    try:
        found = HashSecrets(state.engine, configured(settings).origin).all()
    finally:
        state.close()
    if not found:
        raise typer.BadParameter("there is no secret behind keyed hashes: no column has been configured")
    return [one.octets for one in found]
