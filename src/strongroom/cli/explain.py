"""``strongroom explain SQL``: how a statement is understood, and what would be sent."""

import asyncio
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_json, print_table
from strongroom.config import DEFAULT_FILE, Settings, load
from strongroom.errors import ColumnMissing, Denied
from strongroom.gateway.connector import Connector
from strongroom.gateway.gate import upstream_of
from strongroom.gateway.protection import read_schema, schemes_of
from strongroom.session.snapshot import protections_in
from strongroom.sql import explain as explained
from strongroom.sql.resolve import analyse
from strongroom.sql.statement import Context

REFUSED = 1

Sql = Annotated[str, typer.Argument(metavar="SQL", help="The statement; - reads it from standard input.")]
Name = Annotated[str | None, typer.Option("--database", metavar="NAME", help="Which, if there are several.")]
Path = Annotated[
    str | None, typer.Option("--search-path", metavar="SCHEMAS", help="As a session has set it: app,public")
]


def explain(
    sql: Sql,
    *,
    database: Name = None,
    search_path: Path = None,
    config: Config = DEFAULT_FILE,
    json: Json = False,
) -> None:
    """Show how a statement is understood, against the catalog as it is now; nothing is executed.

    What would be sent is shown with its sealed literals as ⟨column⟩. A statement that the gateway would
    refuse is shown with the reason and the way out, and the exit status is 1.

    Example: strongroom explain "SELECT * FROM customers WHERE email = 'a@example.org'"

    Example: strongroom explain - --json < query.sql
    """
    settings = load(config)
    name = chosen(settings, database)
    text = sys.stdin.read() if sql == "-" else sql
    context = asyncio.run(context_of(settings, name, upstream_of(name, settings), search_path))
    try:
        rows = explained.rows(analyse(text, (), context))
    except Denied as error:
        if json:
            print_json({"refused": refusal(error), "statements": []})
        else:
            print_refusal(error)
        raise typer.Exit(REFUSED) from None
    if json:
        print_json({"refused": None, "statements": [asdict(row) for row in rows]})
    else:
        _print_rows(rows)


def chosen(settings: Settings, name: str | None) -> str:
    """The database that is meant; raises ``typer.BadParameter``."""
    if name is None and len(settings.databases) == 1:
        return next(iter(settings.databases))
    if name is None or name not in settings.databases:
        known = ", ".join(settings.databases)
        raise typer.BadParameter(f"name one of the databases {known}", param_hint="--database")
    return name


async def context_of(settings: Settings, name: str, connector: Connector, search_path: str | None) -> Context:
    """What a new session of the connector's user would see."""
    schema = await read_schema(connector)
    path = schema.path
    if search_path is not None:
        path = ("pg_catalog", *(part.strip() for part in search_path.split(",")))
    schemes = schemes_of(settings, name)
    protections = protections_in(schema, schemes.values())
    if missing := sorted(schemes.keys() - {one.column for one in protections.values()}):
        raise ColumnMissing(
            f"databases.{name}.columns: there is no column {missing[0]}",
            hint="Correct its name first: what is configured and missing would be explained as unprotected.",
        )
    return Context(schema, protections, path, settings.databases[name].functions)


def _print_rows(rows: Iterable[explained.Row]) -> None:
    several = any(row.statement > 1 for row in rows)
    columns = ["statement", "about", "meaning"] if several else ["about", "meaning"]
    print_table(columns, [asdict(row) for row in rows], as_json=False)


def refusal(error: Denied) -> dict[str, str | None]:
    """What analysis refuses, as data."""
    return {"code": error.code, "sqlstate": error.sqlstate, "message": error.message, "hint": error.hint}


def print_refusal(error: Denied) -> None:
    """What analysis refuses, for people."""
    console = Console(markup=False, highlight=False, soft_wrap=True)
    console.print("refused: ", style="bold red", end="")
    console.print(error.message)
    if error.hint:
        console.print(f"  {error.hint}")
    console.print(f"  SQLSTATE {error.sqlstate}. See docs/errors.md#{error.code}", style="dim")
