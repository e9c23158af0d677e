"""What the commands print: tables or JSON on standard output, errors on standard error."""

import json
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from strongroom.errors import StrongroomError

UNFOLDED = 10_000


def print_table(columns: Sequence[str], rows: Sequence[Mapping[str, object]], *, as_json: bool) -> None:
    """The rows as a table with these columns, or as a JSON list of objects."""
    if as_json:
        print_json(rows)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:  # a file, or a program such as grep: names stay whole, a row is a line
        console.width = UNFOLDED
    console.print(table)


def print_done(done: Mapping[str, object], *words: str, as_json: bool) -> None:
    """What a command did: lines for people, or one object for programs."""
    if as_json:
        print_json(done)
        return
    for line in words:
        print(line)


def print_json(value: object) -> None:
    """The value as JSON, for programs."""
    print(json.dumps(value, indent=2, default=str))


def print_error(error: StrongroomError) -> None:
    """What happened, what to do next, and where to read more."""
    console = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    console.print("error: ", style="bold red", end="")
    console.print(error.message)
    for line in filter(None, (error.detail, error.hint)):
        console.print(f"  {line}")
    console.print(f"  See docs/errors.md#{error.code}", style="dim")


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
