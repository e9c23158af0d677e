"""``strongroom audit erase`` and ``prune``: contents of records are taken away, or the log's beginning.

What is to go is asked for beside the log (``audit/asked.py``). A gateway that runs does it within
seconds; while none runs, the command does it itself.
"""

import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer

from strongroom.audit.ageing import go_through, settled_size
from strongroom.audit.asked import Asked, What, is_done, put, runs
from strongroom.audit.asking import about
from strongroom.audit.checkpoint import VerifierKey
from strongroom.audit.contents import Contents
from strongroom.audit.criteria import Criteria, Verdict
from strongroom.audit.index import Index
from strongroom.audit.keys import MINIMUM, LogKeys
from strongroom.audit.leaf import Content
from strongroom.audit.minimum import minimum_of
from strongroom.audit.pruning import prunable
from strongroom.audit.records.running import Removed
from strongroom.audit.records.shared import Holder
from strongroom.audit.search import Found, Search
from strongroom.audit.sinks.follower import sent
from strongroom.audit.tiles import TILE_WIDTH
from strongroom.cli.audit.by_value import Secret, columns_asked, secrets_asked
from strongroom.cli.audit.given import configured, own_keys
from strongroom.cli.audit.looking import (
    Column,
    Database,
    Person,
    Since,
    Table,
    Until,
    address_named,
    event_named,
    followed,
    log_folder,
    moment,
)
from strongroom.cli.keys.approving import asking
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_done
from strongroom.config import DEFAULT_FILE, Settings, load
from strongroom.config.audit import Audit
from strongroom.errors import LogUnwritable, NotPrunable, RecordUnknown
from strongroom.state import open_state

WAIT_SECONDS = 60.0
"""For a gateway to do what is asked for; it does it later, too."""
LOOK_SECONDS = 0.2

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say how many it would be, and change nothing.")]
Numbers = Annotated[list[str] | None, typer.Argument(metavar="[N|N-M]...", help="Records by their numbers.")]
Key = Annotated[
    str | None, typer.Option(metavar="VALUE", help="Of --table: statements about it, by keyed hashes.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask whether it is meant.")]


def erase(
    numbers: Numbers = None,
    *,
    person: Person = None,
    column: Column = None,
    table: Table = None,
    database: Database = None,
    event: Annotated[str | None, typer.Option(metavar="EVENT", help="As `audit search` takes it.")] = None,
    verdict: Annotated[Verdict | None, typer.Option(help="What somebody was told.")] = None,
    address: Annotated[str | None, typer.Option(metavar="IP", help="An address, or a network.")] = None,
    since: Since = None,
    until: Until = None,
    key: Key = None,
    secret: Secret = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    config: Config = DEFAULT_FILE,
    json: Json = False,
) -> None:
    """Erase the contents of records, for good: by number, or all that `audit search` would find.

    Every proof stays valid, and it shows which are gone. That it was done, by whom and how many is recorded;
    records that say so are not erased. Copies elsewhere, such as in a bucket, are not reached.

    Examples: strongroom audit erase --person support-1 --until 2026-01-01 --dry-run · strongroom audit erase
    4711 4720-4725
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
    if bool(numbers) == (criteria != Criteria()):
        raise typer.BadParameter("say which: numbers, or what `audit search` takes")
    known = secrets_asked(table, key, secret, config)
    settings = load(config)
    log = log_folder(config, None, None)
    with followed(log, None) as index:
        search = Search(index, log)
        if numbers:
            meant: Iterable[int] = _numbered(numbers, log.size)
        else:
            meant = (one.number for one in _found(search, index, criteria, key, known))
        among = _erasable(search, log, meant)
    words = f"the contents of {len(among)} records"
    if dry_run or not among:
        print_done({"records": len(among), "done": False}, f"would erase {words}", as_json=json)
        return
    _confirm(f"Erase {words}, for good?", yes=yes)
    done = _erase(settings, among)
    later = "" if done else ": asked for, and done by the gateway once they stand in the log's files for good"
    print_done({"records": len(among), "done": done}, f"erased {words}{later}", as_json=json)


def prune(
    *,
    before: Annotated[
        str, typer.Option(metavar="TIME|N", help="400d, 2026-01-01, or a record's number: the first to stay.")
    ],
    dry_run: DryRun = False,
    yes: Yes = False,
    config: Config = DEFAULT_FILE,
    json: Json = False,
) -> None:
    """Delete the beginning of the log, entries and all: what is left verifies from there on.

    Only whole files go whose records are erased, or older than `audit: keep:`, and which every place under
    `audit: to:` has taken. Nothing in it can be proven afterwards but by proofs and copies from before.

    Examples: strongroom audit prune --before 800d --dry-run · strongroom audit prune --before 51200
    """
    settings = load(config)
    audit = configured(settings)
    log = log_folder(config, None, None)
    keys = _verifiers(settings)
    former, limit = minimum_of(audit.log), _limit(before, log, audit)
    _refuse_too_early(limit, settled_size(audit.log, keys), audit)
    words = f"{max(limit - former, 0)} records, before number {limit}"
    told = {"records": max(limit - former, 0), "first": max(limit, former)}
    if dry_run or limit <= former:
        print_done({**told, "done": False}, f"would prune {words}", as_json=json)
        return
    _confirm(f"Delete the first {words}, for good?", yes=yes)
    _expect(settings, limit)
    asked = Asked(What.PRUNE, asking(), Holder.ADMINISTRATOR, _now(), limit - former, limit=limit)
    try:
        done = _carried_out(settings, asked)
    except LogUnwritable:
        _expect(settings, minimum_of(audit.log))  # nothing may be missing that was not pruned
        raise
    said = f"pruned {words}" if done else f"asked for: {words}; the gateway goes on with it"
    other = f"who verifies elsewhere says --minimum-index {limit}"
    print_done({**told, "done": done}, said, other, as_json=json)


# -------------------------------------------------------------------------------------------------- what goes


def _numbered(given: Sequence[str], size: int) -> Iterator[int]:
    for text in given:
        found = re.fullmatch(r"([0-9]{1,15})(?:-([0-9]{1,15}))?", text)
        if found is None:
            raise typer.BadParameter(f"{text!r} is no number, and no numbers such as 4711-4720")
        first, last = int(found[1]), int(found[2] or found[1])
        if not first <= last < size:
            raise RecordUnknown(f"the log has the records 0 to {size - 1}, and not {text}")
        yield from range(first, last + 1)


def _found(
    search: Search, index: Index, criteria: Criteria, key: str | None, secrets: Iterable[bytes]
) -> Iterator[Found]:
    if key is None:
        return search.find(criteria)
    columns = columns_asked(index, criteria.table or "")
    return search.among(about(index, columns, key, secrets), criteria)


def _erasable(search: Search, log: Contents, numbers: Iterable[int]) -> list[int]:
    """Without those that are erased already, that are wrong, or that say what was taken away."""
    found = []
    for number in sorted(set(numbers)):
        if log.record(number).state is Content.RIGHT:
            one = search.read(number)
            if one is None or not isinstance(one.skimmed.kind.like, Removed):
                found.append(number)
    return found


def _limit(before: str, log: Contents, audit: Audit) -> int:
    """Before which record the log is to be pruned; raises ``NotPrunable``."""
    kept = None if audit.keep is None else _now() - int(audit.keep.total_seconds() * 1000)
    if not before.isdecimal():
        return prunable(log, log.size, older=moment(before), kept=kept)
    asked = int(before) // TILE_WIDTH * TILE_WIDTH
    found = prunable(log, asked, older=None, kept=kept)
    if found < asked:
        raise NotPrunable(f"from record {found} on something is neither erased nor older than `keep`")
    return found


def _refuse_too_early(limit: int, settled: int, audit: Audit) -> None:
    places = {f"audit.to.{name}": sent(audit.log, name) for name in audit.to}
    for place, size in {"the log's folder": settled, **places}.items():
        if size < limit:
            raise NotPrunable(f"{place} has {size} records for good, and not the first {limit}")


# --------------------------------------------------------------------------------------------- how it is done


def _confirm(question: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter("nobody can be asked here: give --yes where it is meant")
    typer.confirm(question, abort=True)


def _carried_out(settings: Settings, asked: Asked) -> bool:
    """Asks for it; whether it was done by the time that this returns."""
    audit, keys = configured(settings), _verifiers(settings)
    log = audit.log
    name = put(log, asked)
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_done(log, name) and time.monotonic() < deadline:
        if go_through(log, keys, audit.keep, partial(typer.echo, err=True)):
            break
        time.sleep(LOOK_SECONDS)
    return is_done(log, name)


def _erase(settings: Settings, among: Sequence[int]) -> bool:
    """Whether it was done by the time that this returns; then the index has forgotten them, too."""
    order = Asked(What.ERASE, asking(), Holder.ADMINISTRATOR, _now(), len(among), runs(among))
    done = _carried_out(settings, order)
    with followed(log_folder(settings.file, None, None), None):
        pass
    return done


def _expect(settings: Settings, first: int) -> None:
    """Notes in the state which record is the first that the log has to have."""
    state = open_state(settings.state)
    try:
        LogKeys(state.engine, configured(settings).origin).mark(MINIMUM, first)
    finally:
        state.close()


def _verifiers(settings: Settings) -> list[VerifierKey]:
    return [one.verifier for one in own_keys(settings)]


def _now() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)
