"""``strongroom audit who-saw``: persons and accounts to whom a column was shown, and how much of it."""

from collections.abc import Iterable
from typing import Annotated

import typer

from strongroom.audit.asking import about, perhaps_about
from strongroom.audit.criteria import Criteria
from strongroom.audit.search import Search, Seen, Sight
from strongroom.audit.search import who_saw as sights
from strongroom.audit.words import time_words
from strongroom.cli.audit.by_value import Secret, columns_asked, secrets_asked
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
    note,
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
    secret: Secret = None,
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

    With --table and --key only statements that named this value of a column of the table that is configured
    for keyed hashes.

    Examples: strongroom audit who-saw --column customers.iban --since 30d · strongroom audit who-saw
    --table customers --key 4711
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
    known = secrets_asked(table, key, secret, config)
    contents = log_folder(config, log, log_key)
    with followed(contents, index) as opened:
        search = Search(opened, contents)
        columns = [] if key is None else columns_asked(opened, table or "")
        asked = None if key is None else about(opened, columns, key, known)
        among = search.find(criteria) if asked is None else search.among(asked, criteria)
        found = sights(search, among, criteria)
        print_table(_COLUMNS, [_row(*one) for one in found.items()], as_json=json)
        others = _without(perhaps_about(opened, columns), asked or ())
        uncertain = len(list(search.among(others, criteria)))
        if uncertain:
            note(f"{uncertain} more statements were about values of which the records have no hashes")
        say_unreadable(opened)


def _without(numbers: Iterable[int], known: Iterable[int]) -> list[int]:
    surely = set(known)
    return [one for one in numbers if one not in surely]


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
