"""What is due, rotated by a gateway itself: one look at all its databases, in a process of its own.

A randomized column gets a new version, as by `strongroom keys rotate`. What takes more than that is said, and
no more: a deterministic column must be sealed anew and swapped, a key-encryption key needs the roots. The
process gets the configuration and the KEKs from the supervisor, and calls no root; what it finds goes back
over the line, a JSON object a line:

    supervisor → here    keys
    here → supervisor    rotated (key, key_id), due (key, why, remedy), failed (database, code, why)

Started by ``gateway/caretaker.py`` as ``python -m strongroom.cli.keys.unattended``.
"""

import argparse
import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg

from strongroom.changeover.model import Tell, silent
from strongroom.cli.keys.work import Due, KeyWork
from strongroom.cli.worksite import Worksite, worksite
from strongroom.config import Settings, core_dumps_allowed, load
from strongroom.deeds.present import Pen, acting
from strongroom.deeds.whose import GATEWAY
from strongroom.errors import StrongroomError
from strongroom.gateway.kept import kept_beside
from strongroom.gateway.protection import Prepared
from strongroom.keys.core_dumps import forbid_core_dumps
from strongroom.keys.hierarchy import Roots
from strongroom.keys.kek import Keks, danger_read, kek_name
from strongroom.keys.store import KeyStore

APPLICATION = "strongroom serve: keys that are due"

TENANTS_AT_ONCE = 20
"""Keysets of tenants that one look rotates: each takes the lock of the database for the minute in which
gateways hear of it, and others want it, too."""

Finding = dict[str, object]


def main() -> int:
    """Look once; what goes wrong in one database is said, and keeps nobody from looking at the next."""
    if not core_dumps_allowed():
        forbid_core_dumps()
    arguments = _arguments()
    with open(arguments.content, "rb") as content:  # noqa: PTH123 - a descriptor, no path
        settings = load(arguments.config, content=content.read().decode())
    with (
        socket.socket(fileno=arguments.line) as line,
        line.makefile("rwb") as stream,
        contextlib.suppress(ConnectionError),  # the supervisor is gone: another will look
        acting(Pen(GATEWAY, APPLICATION, None if settings.audit is None else settings.audit.origin)),
    ):
        keks = danger_read(json.loads(stream.readline())["keks"])
        for name, database in settings.databases.items():
            for finding in _look(settings, name, keks, wait=arguments.wait) if database.columns else ():
                stream.write(json.dumps(finding).encode() + b"\n")
                stream.flush()
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Rotates keys that are due, for a gateway, which starts it.")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--content", type=int, required=True, help="descriptor of what the file held")
    parser.add_argument("--line", type=int, required=True, help="descriptor of the line to the supervisor")
    parser.add_argument("--no-wait", dest="wait", action="store_false", help="as that of `keys rotate`")
    return parser.parse_args()


def _look(settings: Settings, database: str, keks: Keks, *, wait: bool) -> Iterator[Finding]:
    """What became of the keys of one database."""
    try:
        with worksite(settings, database, APPLICATION) as site:
            work = KeyWork(site, wait=wait, prepared=_taken_over(site, keks), said=_silently)
            due = work.due()
            tenants = [one for one in due if one.of_tenant]
            for one in (*(one for one in due if not one.of_tenant), *tenants[:TENANTS_AT_ONCE]):
                yield from _deal_with(work, one) if one.by_itself else [_due(one)]
            yield from _left(tenants[TENANTS_AT_ONCE:], database)
            yield from _kek(work, keks, database)
    except StrongroomError as error:
        yield {"what": "failed", "database": database, "code": error.code, "why": error.message}
    except psycopg.Error as error:  # such as 42501: what it says may quote
        why = f"the database refused a step (SQLSTATE {error.sqlstate}): may `owner` change these tables?"
        yield {"what": "failed", "database": database, "code": "upstream", "why": why}


def _taken_over(site: Worksite, keks: Keks) -> Prepared:
    """The keys as they stand beside the data now; raises ``KekMissing`` where a newer KEK wraps them."""
    kept = asyncio.run(kept_beside(site.place.connector)).keysets
    opened = keks.unwrap_all(kept)
    KeyStore(site.state.engine, keks).adopt(one for one in kept if one.name in opened)
    return Prepared(keks, Roots(()))


def _deal_with(work: KeyWork, one: Due) -> Iterator[Finding]:
    rotated = work.rotate_due(one, note={"by_itself": one.why})
    if rotated is not None:
        key_id = f"{rotated.keyset.primary:08x}"
        yield {"what": "rotated", "key": rotated.keyset.name, "key_id": key_id, "why": one.why}


def _due(one: Due) -> Finding:
    columns = " ".join(scheme.column for scheme in one.schemes)
    remedy = f"strongroom keys rotate {columns} --reencrypt"
    return {"what": "due", "key": one.schemes[0].keyset, "why": one.why, "remedy": remedy}


def _left(tenants: Sequence[Due], database: str) -> Iterator[Finding]:
    if tenants:
        why = f"{len(tenants)} more are due, and are rotated with the next looks"
        remedy = "strongroom keys rotate --due"
        yield {"what": "due", "key": f"keysets of tenants of {database}", "why": why, "remedy": remedy}


def _kek(work: KeyWork, keks: Keks, database: str) -> Iterator[Finding]:
    name = kek_name(database)
    why = work.why_due(keks.by_name[name])
    if why is not None:
        remedy = f"strongroom keys rotate --kek --database {database}"
        yield {"what": "due", "key": name, "why": why, "remedy": remedy}


@contextlib.contextmanager
def _silently(_advice: str) -> Iterator[Tell]:
    yield silent


if __name__ == "__main__":
    sys.exit(main())
