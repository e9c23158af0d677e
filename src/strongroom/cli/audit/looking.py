"""What commands that look for records have in common: options, the log, its index, what could not be read."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from strongroom.audit.contents import Contents
from strongroom.audit.criteria import is_address, is_event
from strongroom.audit.index import UNREAD, WRONG, Index, index_of
from strongroom.cli.asking import duration
from strongroom.cli.audit.given import log_and_keys, verifiers

LONGEST = timedelta(days=36_500)
NAMED = 10
"""Numbers that are listed of what could not be read."""

IndexOption = Annotated[
    Path | None, typer.Option("--index", metavar="FILE", help="Another index than the one beside the log.")
]
Person = Annotated[str | None, typer.Option(metavar="NAME", help="A person's or an account's name.")]
Column = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="schema.table.column, or the end of it: customers.iban.")
]
Table = Annotated[str | None, typer.Option(metavar="TABLE", help="With or without its schema.")]
Database = Annotated[str | None, typer.Option(metavar="NAME", help="One of several.")]
Since = Annotated[
    str | None, typer.Option(metavar="TIME", help="7d, 12h, or 2026-11-01, 2026-11-01T12:00, in UTC.")
]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Before it; in the same forms.")]


def log_folder(config: Path, log: str | None, key: Sequence[str] | None) -> Contents:
    """The log that is named or configured, under a checkpoint that its keys signed."""
    found, keys = log_and_keys(config, log, key)
    if "://" in found:
        raise typer.BadParameter("contents are read from a folder: copy the log first")
    return Contents.open(Path(found), verifiers(keys))


@contextmanager
def followed(log: Contents, file: Path | None) -> Iterator[Index]:
    """The log's index, with all that is in the log."""
    index = Index.open(file or index_of(log.folder), log, note)
    try:
        index.follow(log)
        yield index
    finally:
        index.close()


def note(words: str) -> None:
    """Something beside the answer."""
    Console(stderr=True, markup=False, highlight=False, soft_wrap=True).print(f"note: {words}")


def say_unreadable(index: Index) -> None:
    """What is not in the answer since it cannot be read; the status is 1 where the log is wrong."""
    unread, wrong = index.unreadable(UNREAD), index.unreadable(WRONG)
    if unread:
        note(f"not read, of a later version or no records at all: {_listed(unread)}")
    if wrong:
        note(f"wrong, not what the log committed to: {_listed(wrong)}; run `strongroom audit verify`")
        raise typer.Exit(1)


def _listed(numbers: Sequence[int]) -> str:
    more = f" and {len(numbers) - NAMED} more" if len(numbers) > NAMED else ""
    return f"record {', '.join(map(str, numbers[:NAMED]))}{more}"


def moment(text: str | None) -> int | None:
    """Milliseconds since 1970 of a time, or of so long ago."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = datetime.now(UTC) - duration(text, LONGEST)
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return max(int(found.timestamp() * 1000), 0)


def event_named(text: str | None) -> str | None:
    """A code, or the word before its dot."""
    if text is not None and not is_event(text):
        raise typer.BadParameter(f"there is no event {text!r}; docs/spec/audit-records.md lists them")
    return text


def address_named(text: str | None) -> str | None:
    """An address, or a network."""
    if text is not None and not is_address(text):
        raise typer.BadParameter(f"{text!r} is no address, and no network such as 192.0.2.0/24")
    return text
