"""Records for tests of what reads the log, and a log of them that its own writer wrote."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tests.audit.making import ORIGIN, signer

from strongroom.audit.contents import Contents
from strongroom.audit.leaf import erase
from strongroom.audit.log import Log
from strongroom.audit.records.codes import Record
from strongroom.audit.records.encoding import encode
from strongroom.audit.records.sessions import LoginFailed, Refusal, SessionOpened, Way
from strongroom.audit.records.shared import Client, Head, Holder, Result
from strongroom.audit.records.statements import Deed, Denied, Keyed, Masked, Outcome, Permitted, Plan
from strongroom.audit.tiles import TILE_WIDTH, content_path

MINUTE = 60_000
BASE = int(datetime(2026, 11, 2, 12, tzinfo=UTC).timestamp() * 1000)
IBAN, PHONE, NAME = "public.customers.iban", "public.customers.phone", "public.customers.name"


def head(minute: int = 0, sequence: int = 1) -> Head:
    """So many minutes after noon of 2 November 2026."""
    return Head(BASE + minute * MINUTE, sequence, "worker 1, process 7, run 0a1b2c3d", ORIGIN, "0.1")


def client(
    name: str = "support-1", address: str | None = "192.0.2.7", kind: Holder = Holder.PERSON
) -> Client:
    """Somebody's session."""
    return Client(name, kind, f"{sum(name.encode()):016x}", address, "psql")


def plan(
    *revealed: str, masked: Sequence[str] = (), filtered: Sequence[str] = (), table: str = "public.customers"
) -> Plan:
    """Of a query."""
    veils = tuple(Masked(one, "last") for one in masked)
    text = f"SELECT {len(revealed)} FROM {table}"
    return Plan(
        Deed.QUERY, "ab" * 16, text, (table,), revealed, veils, tuple(filtered), (), ("select",), (), ()
    )


def permitted(
    minute: int = 0,
    who: Client | None = None,
    what: Plan | None = None,
    *,
    rows: int = 1,
    statement: int = 1,
    keyed: tuple[Keyed, ...] | None = None,
    result: Result = Result.SUCCESS,
) -> Permitted:
    """A statement that ran."""
    outcome = Outcome(result, "00000", 2, rows, rows)
    found = head(minute, statement)
    return Permitted(found, who or client(), what or plan(IBAN), outcome, "shop", statement, keyed)


def denied(minute: int = 0, who: Client | None = None, what: Plan | None = None) -> Denied:
    """A statement that did not run."""
    return Denied(head(minute), who or client(), what or plan(IBAN), "shop", 1, "access-denied", "42501")


def opened(minute: int = 0, who: Client | None = None) -> SessionOpened:
    """A session that began."""
    whose = who or client()
    return SessionOpened(
        head(minute), whose, "shop", whose.account, Way.SCRAM_PLUS, True, True, "strongroom", ("support",)
    )


def turned_away(minute: int = 0, user: str = "support-1", refusal: Refusal = Refusal.PROOF) -> LoginFailed:
    """Somebody who did not come in."""
    return LoginFailed(head(minute), user, Way.SCRAM, refusal, True, "shop", "198.51.100.9")


def written(folder: Path, records: Sequence[Record | bytes]) -> Contents:
    """Appends them to the log in a folder, and opens that for reading."""
    log = Log.open(folder, [signer()])
    octets = [one if isinstance(one, bytes) else encode(one) for one in records]
    for start in range(0, len(octets), 1000):
        log.append(octets[start : start + 1000])
        log.publish()
    log.close()
    return Contents.open(folder, [signer().key])


def erased(folder: Path, *numbers: int) -> None:
    """Erases the contents of these records."""
    for bundle in {number // TILE_WIDTH for number in numbers}:
        file = folder / content_path(bundle)
        lines = file.read_bytes().split(b"\n")[:-1]
        which = frozenset(number - bundle * TILE_WIDTH for number in numbers)
        file.write_bytes(b"".join(line + b"\n" for line in erase(lines, which)))


def later(record: Record) -> bytes:
    """The same, as a later version of the specification might write it."""
    return encode(record).replace(b'"log_version":"1"', b'"log_version":"2"')


def numbered(record: Permitted, sequence: int) -> Permitted:
    """The same with another sequence number."""
    return replace(record, head=replace(record.head, sequence=sequence))
