"""``strongroom policy who``: everyone who can see a column, and how."""

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console

from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_table
from strongroom.config import DEFAULT_FILE, Settings, load_policy
from strongroom.config.values import ColumnName, parse_column_name
from strongroom.errors import ColumnUnknown
from strongroom.policy.authorizer import Authorizer
from strongroom.policy.model import Access, Action, Resource, Subject
from strongroom.policy.reach import everybody, ways

_BY_HAND = "policies written by hand that ask for circumstances may give more than is listed here"

Named = Annotated[str, typer.Option("--column", metavar="COLUMN", help="schema.table.column")]
Chosen = Annotated[str | None, typer.Option("--database", metavar="NAME", help="One of several.")]


def who(*, column: Named, database: Chosen = None, config: Config = DEFAULT_FILE, json: Json = False) -> None:
    """List everyone who can see a column, revealed or masked, with the rule and the conditions.

    Who may use it as a filter can find values out by guessing, and is listed without seeing it, too.

    Example: strongroom policy who --column public.customers.iban
    """
    settings, policy = load_policy(config)
    if database is not None and database not in settings.databases:
        raise ColumnUnknown(f"there is no database {database}")
    authorizer, name = Authorizer(policy), _name(column)
    rows = [
        row
        for one in ([database] if database else settings.databases)
        for subject in everybody(policy)
        if _comes_in(settings, subject, one)
        for row in _rows(authorizer, subject, one, name)
    ]
    if policy.files:
        Console(stderr=True, markup=False).print(f"note: {_BY_HAND}")
    print_table(["who", "database", "sees", "filters", "conditions", "by"], rows, as_json=json)


def _name(text: str) -> ColumnName:
    try:
        return parse_column_name(text)
    except ValueError:
        raise ColumnUnknown("--column names no column", hint="Write schema.table.column.") from None


def _comes_in(settings: Settings, subject: Subject, database: str) -> bool:
    """A group may hold anybody, so its members may come in anywhere."""
    person, _, _ = subject.name.partition(" ")  # what somebody may have for a time stands behind the name
    holder = settings.accounts.get(subject.name) or settings.people.get(person)
    return holder is None or database in holder.databases


def _rows(
    authorizer: Authorizer, subject: Subject, database: str, name: ColumnName
) -> Iterator[dict[str, object]]:
    table = Resource(database, name.schema, name.table)
    column = Resource(database, name.schema, name.table, name.column)
    accesses = [Access(Action.SELECT, table), Access(Action.MASK, column), Access(Action.FILTER, column)]
    selects, shows, filters = ways(authorizer, subject, accesses)
    seen = shows if selects else ()
    only_filters = () if seen else filters
    for way in (*seen, *only_filters):
        yield {
            "who": subject.name,
            "database": database,
            "sees": "nothing" if only_filters else way.sees,
            "filters": bool(only_filters) or any(one.conditions in ("", way.conditions) for one in filters),
            "conditions": way.conditions,
            "by": ", ".join(way.rules),
        }
