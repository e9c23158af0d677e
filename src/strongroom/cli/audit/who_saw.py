"""``strongroom audit who-saw``: persons and accounts to whom a column was shown, and how much of it."""

from strongroom.audit.criteria import Criteria
from strongroom.audit.search import Search, Seen, Sight
from strongroom.audit.search import who_saw as sights
from strongroom.audit.words import time_words
from strongroom.cli.audit.given import KeyOption, LogOption
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
    person: Person = None,
    database: Database = None,
    since: Since = None,
    until: Until = None,
    config: Config = DEFAULT_FILE,
    log: LogOption = None,
    key: KeyOption = None,
    index: IndexOption = None,
    json: Json = False,
) -> None:
    """List who saw a column, or the columns of a table: revealed or masked, how often, how many rows, when.

    Rows are those of the statements that showed it; values count all columns that came with it. Statements of
    which nobody knows what came, as when a session broke off, are counted under `unknown`.

    Example: strongroom audit who-saw --column customers.iban --since 30d
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
    contents = log_folder(config, log, key)
    with followed(contents, index) as opened:
        search = Search(opened, contents)
        found = sights(search, search.find(criteria), criteria)
        print_table(_COLUMNS, [_row(*one) for one in found.items()], as_json=json)
        say_unreadable(opened)


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
