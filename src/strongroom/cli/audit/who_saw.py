"""``strongroom audit who-saw``: persons and accounts to whom a column was shown, and how much of it."""

from pathlib import Path
from typing import Annotated

import typer

from strongroom.audit.asking import about, hashed_columns
from strongroom.audit.criteria import Criteria
from strongroom.audit.index import Index
from strongroom.audit.records.keyed import KEY_OCTETS
from strongroom.audit.search import Search, Seen, Sight
from strongroom.audit.search import who_saw as sights
from strongroom.audit.words import time_words
from strongroom.cli.audit.given import LogOption
from strongroom.cli.audit.looking import (
    Column,
    Database,
    IndexOption,
    Person,
    Since,
    Table,
    Until,
    followed,
    log_folder,
    moment,
    say_unreadable,
)
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_table
from strongroom.config import DEFAULT_FILE

_COLUMNS = [
    "who",
    "kind",
    "database",
    "column",
    "how",
    "statements",
    "rows",
    "values",
    "first",
    "last",
    "unknown",
]


def who_saw(
    *,
    column: Column = None,
    table: Table = None,
    key: Annotated[
        str | None, typer.Option(metavar="VALUE", help="Statements about it, such as a customer's number.")
    ] = None,
    secret: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", exists=True, dir_okay=False, help="The secret of the keyed hashes in the records."
        ),
    ] = None,
    person: Person = None,
    database: Database = None,
    since: Since = None,
    until: Until = None,
    config: Config = DEFAULT_FILE,
    log: LogOption = None,
    log_key: Annotated[
        list[str] | None, typer.Option("--log-key", metavar="KEY", help="Whose signature counts.")
    ] = None,
    index: IndexOption = None,
    json: Json = False,
) -> None:
    """List who saw a column, or the columns of a table: revealed or masked, how often, how many rows, when.

    Rows are those of the statements that showed it; values count all columns that came with it. Statements of
    which nobody knows what came, as when a session broke off, are counted under `unknown`.

    With --table, --key and --secret only statements about this row, as far as records have keyed hashes.

    Examples: strongroom audit who-saw --column customers.iban --since 30d · strongroom audit who-saw
    --table customers --key 4711 --secret audit-hashes.secret
    """
    criteria = Criteria(
        person=person,
        column=column,
        table=table,
        database=database,
        event="statement",
        seen=True,
        since=moment(since),
        until=moment(until),
    )
    octets = _secret(table, key, secret)
    contents = log_folder(config, log, log_key)
    with followed(contents, index) as opened:
        search = Search(opened, contents)
        asked = None if key is None else _about(opened, table or "", key, octets)
        among = search.find(criteria) if asked is None else search.among(asked, criteria)
        found = sights(search, among, criteria)
        print_table(_COLUMNS, [_row(*one) for one in found.items()], as_json=json)
        say_unreadable(opened)


def _secret(table: str | None, key: str | None, file: Path | None) -> bytes:
    """Without a value nothing is asked; with one, all that it takes."""
    if key is None:
        return b""
    if table is None or file is None:
        raise typer.BadParameter("--key goes with --table and --secret")
    octets = file.read_bytes()
    if len(octets) < KEY_OCTETS:
        raise typer.BadParameter(f"--secret has fewer than {KEY_OCTETS} octets")
    return octets


def _about(index: Index, table: str, key: str, secret: bytes) -> list[int]:
    """An empty answer would read as if nobody had asked."""
    columns = hashed_columns(index, table)
    if not columns:
        raise typer.BadParameter("no record has a keyed hash of that table: who asked for a row is not known")
    return about(index, columns, key, secret)


def _row(sight: Sight, seen: Seen) -> dict[str, object]:
    return {
        "who": sight.who,
        "kind": sight.kind,
        "database": sight.database,
        "column": sight.column,
        "how": sight.how,
        "statements": seen.statements,
        "rows": seen.rows,
        "values": seen.values,
        "first": time_words(seen.first),
        "last": time_words(seen.last),
        "unknown": seen.unknown,
    }
