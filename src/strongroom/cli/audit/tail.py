"""``strongroom audit tail``: the newest records, and those that come."""

import json as encoding
import time
from collections.abc import Callable, Iterator
from typing import Annotated

import typer

from strongroom.audit.contents import Contents, Kept
from strongroom.audit.leaf import Content
from strongroom.audit.records.reading import read
from strongroom.audit.words import COLUMNS, row
from strongroom.cli.audit.given import KeyOption, LogOption
from strongroom.cli.audit.looking import log_folder
from strongroom.cli.options import Config, Json
from strongroom.config import DEFAULT_FILE
from strongroom.errors import InvalidRecord

PAUSE = 1.0
"""Seconds between two looks at the checkpoint: a gateway publishes about as often."""


def tail(
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until it is interrupted.")] = False,
    number: Annotated[int, typer.Option("-n", min=0, help="So many of the newest.")] = 10,
    config: Config = DEFAULT_FILE,
    log: LogOption = None,
    key: KeyOption = None,
    json: Json = False,
) -> None:
    """Print the newest records of the audit log, a line each; with --json each record whole.

    Example: strongroom audit tail -f
    """
    contents = log_folder(config, log, key)
    for one in newest(contents, number):
        _print(one, as_json=json)
    if follow:
        for one in coming(contents, lambda: log_folder(config, log, key), lambda: time.sleep(PAUSE)):
            _print(one, as_json=json)


def newest(log: Contents, count: int) -> Iterator[Kept]:
    """The last records of a log, in its order."""
    yield from map(log.record, range(max(log.size - count, 0), log.size))


def coming(log: Contents, again: Callable[[], Contents], pause: Callable[[], None]) -> Iterator[Kept]:
    """What comes into the log from now on."""
    seen = log.size
    while True:
        pause()
        log = again()
        yield from map(log.record, range(seen, log.size))
        seen = max(seen, log.size)


def _print(kept: Kept, *, as_json: bool) -> None:
    print(_json(kept) if as_json else _line(kept), flush=True)


def _line(kept: Kept) -> str:
    try:
        said = row(kept.number, read(kept.octets)) if kept.state is Content.RIGHT else None
    except InvalidRecord:
        return f"{kept.number}  not read: of a later version, or no record"
    if said is None:
        return f"{kept.number}  {kept.state.value}"
    return "  ".join(str(said[column]) for column in COLUMNS if said[column] != "")


def _json(kept: Kept) -> str:
    """What is not JSON was not written by a gateway, and is left out."""
    try:
        record = encoding.loads(kept.octets) if kept.state is Content.RIGHT else None
    except ValueError:
        record = None
    return encoding.dumps({"number": kept.number, "state": kept.state.value, "record": record})
