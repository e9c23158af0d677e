"""``strongroom audit search`` and ``index``: records of the log by who, what, where and when."""

import json as encoding
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from strongroom.audit.criteria import Criteria, Verdict
from strongroom.audit.index import index_of, remove
from strongroom.audit.records.reading import read
from strongroom.audit.search import Found, Search
from strongroom.audit.words import COLUMNS, row
from strongroom.cli.audit.given import KeyOption, LogOption
from strongroom.cli.audit.looking import (
    Column,
    Database,
    IndexOption,
    Person,
    Since,
    Table,
    Until,
    address_named,
    event_named,
    followed,
    log_folder,
    moment,
    note,
    say_unreadable,
)
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_done, print_json, print_table
from strongroom.config import DEFAULT_FILE
from strongroom.errors import IndexUnusable


def search(
    *,
    person: Person = None,
    column: Column = None,
    table: Table = None,
    database: Database = None,
    event: Annotated[
        str | None, typer.Option(metavar="EVENT", help="statement.denied, or all of a kind: key.")
    ] = None,
    verdict: Annotated[Verdict | None, typer.Option(help="What somebody was told.")] = None,
    address: Annotated[str | None, typer.Option(metavar="IP", help="An address, or a network.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, help="So many of the newest.")] = 100,
    config: Config = DEFAULT_FILE,
    log: LogOption = None,
    key: KeyOption = None,
    index: IndexOption = None,
    json: Json = False,
) -> None:
    """Find records of the audit log; the newest stand last. JSON has each record whole.

    Examples: strongroom audit search --person support-1 --column customers.iban --since 7d · strongroom
    audit search --verdict denied --since 2026-11-01 --until 2026-12-01
    """
    criteria = Criteria(
        person=person,
        column=column,
        table=table,
        database=database,
        event=event_named(event),
        verdict=verdict,
        address=address_named(address),
        since=moment(since),
        until=moment(until),
    )
    contents = log_folder(config, log, key)
    with followed(contents, index) as opened:
        newest = list(islice(Search(opened, contents).find(criteria), limit + 1))
        _print(newest[:limit][::-1], as_json=json)
        if len(newest) > limit:
            note(f"there are more than these {limit}; --limit shows more, --until older ones")
        say_unreadable(opened)


def _print(found: list[Found], *, as_json: bool) -> None:
    if as_json:
        print_json([{"number": one.number, "record": encoding.loads(one.octets)} for one in found])
    else:
        print_table(COLUMNS, [row(one.number, read(one.octets)) for one in found], as_json=False)


def index(
    *,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Make it anew from the log.")] = False,
    config: Config = DEFAULT_FILE,
    log: LogOption = None,
    key: KeyOption = None,
    file: Annotated[
        Path | None, typer.Option("--index", metavar="FILE", help="Another than the one beside the log.")
    ] = None,
    json: Json = False,
) -> None:
    """Bring the log's index up to date, and check it. Each search does the former by itself.

    Examples: strongroom audit index · strongroom audit index --rebuild
    """
    contents = log_folder(config, log, key)
    place = file or index_of(contents.folder)
    if rebuild:
        remove(place)
    with followed(contents, place) as opened:
        if not opened.is_sound:
            raise IndexUnusable(f"{place} is damaged")
        done = {"index": str(place), "records": opened.records, "of": contents.size}
        words = f"{place} has {opened.records} of {contents.size} records; the others were erased"
        said = words if opened.records < contents.size else f"{place} has all {contents.size} records"
        print_done(done, said, as_json=json)
        say_unreadable(opened)
