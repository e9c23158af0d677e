"""The audit log as it is read: how fast its index is made, and how long a search takes.

The index of a log that its own writer wrote is timed as a whole: reading, hashing, parsing, SQLite. Searches
are timed in a larger index, whose records are made in memory when they are asked for: ten million are 13 GB.
By hand: ``python -c 'from bench.searching import audit_search; print(audit_search(10_000_000))'``.
Called by ``workloads``, on the gateway's route alone, though no gateway is in it.
"""

import random
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import cache
from itertools import islice
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.audit.checkpoint import Checkpoint, Signer
from strongroom.audit.contents import Contents, Kept, Stamp
from strongroom.audit.criteria import Criteria, Verdict
from strongroom.audit.index import Index
from strongroom.audit.leaf import Content
from strongroom.audit.log import Log
from strongroom.audit.records.lines import Line, Session, Shape
from strongroom.audit.records.shared import Client, Head, Holder
from strongroom.audit.records.statements import Deed, Plan
from strongroom.audit.search import Search
from strongroom.audit.tiles import TILE_WIDTH

WRITTEN = 100_000
"""Records of the log that is on the disk."""
PEOPLE, PLANS = 60, 200
BEGAN = 1_795_435_200_000
ORIGIN = "bench.example/audit"
HEAD = Head(0, 1, "worker 1, process 7, run 0a1b2c3d", ORIGIN, "0.1")

SEARCHES = {
    "person and column": Criteria(person="person-3", column="t7.iban"),
    "a rare column": Criteria(column=f"t{PLANS - 1}.iban"),
    "a common column": Criteria(column="t0.iban"),
    "a person in a day": Criteria(person="person-9", since=BEGAN + 86_400_000, until=BEGAN + 2 * 86_400_000),
    "denied": Criteria(verdict=Verdict.DENIED),
    "all": Criteria(),
}


def audit_search(records: int) -> Mapping[str, float]:
    """Makes both indexes, and looks for a hundred records by each of several criteria."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = {"audit log: records indexed, a second": _index_written(folder)}
        log = Drawn(folder, Checkpoint(ORIGIN, records, b""))
        index = Index.open(folder / "drawn.db", log, print)
        index.follow(log)
        octets = (folder / "drawn.db").stat().st_size
        figures["audit log: octets of index, a record"] = octets / records
        figures[f"audit log: follow {records:,} records, nothing new, ms"] = _ms(lambda: index.follow(log))
        for what, criteria in SEARCHES.items():
            found = Search(index, log).find(criteria)
            spent = _ms(lambda found=found: list(islice(found, 100)))
            figures[f"audit log: search of {records:,}, {what}, ms"] = spent
        index.close()
    return figures


def _ms(act: Callable[[], object]) -> float:
    before = time.perf_counter()
    act()
    return (time.perf_counter() - before) * 1000


class Drawn(Contents):
    """A log whose contents are made when they are asked for, the same each time."""

    _made: tuple[int, list[Kept]] = (-1, [])

    def stamps(self) -> dict[int, Stamp]:
        """Nothing of it ever changes."""
        return dict.fromkeys(range(self.bundles), Stamp(0, 0))

    def bundle(self, bundle: int) -> list[Kept]:
        """As people work: a few do much, and a few statements are most."""
        drawn, first = random.Random(bundle), bundle * TILE_WIDTH
        return [
            Kept(number, Content.RIGHT, _octets(drawn, number))
            for number in range(first, first + self.width(bundle))
        ]

    def record(self, number: int) -> Kept:
        """One of a bundle, which is kept for the next one."""
        bundle, place = divmod(number, TILE_WIDTH)
        if self._made[0] != bundle:
            self._made = bundle, self.bundle(bundle)
        return self._made[1][place]


def _index_written(folder: Path) -> float:
    """Records of a real log a second."""
    signer = Signer(ORIGIN, Ed25519PrivateKey.generate())
    drawn = random.Random(1)
    log = Log.open(folder / "audit", [signer])
    for start in range(0, WRITTEN, 4096):
        log.append([_octets(drawn, number) for number in range(start, min(start + 4096, WRITTEN))])
        log.publish()
    log.close()
    contents = Contents.open(folder / "audit", [signer.key])
    index = Index.open(folder / "audit.db", contents, print)
    spent = _ms(lambda: index.follow(contents))
    index.close()
    return WRITTEN / spent * 1000


def _octets(drawn: random.Random, number: int) -> bytes:
    """A hundred statements a second."""
    person = min(int(drawn.expovariate(0.1)), PEOPLE - 1)
    plan = int(drawn.random() ** 3 * PLANS)
    return _line(person, plan).permitted(
        BEGAN + number * 10, number + 1, number % 5000 + 1, 2, rows=3, values=6
    )


@cache
def _line(person: int, plan: int) -> Line:
    return _shape(plan).line(_session(person))


@cache
def _shape(plan: int) -> Shape:
    table = f"public.t{plan}"
    revealed = f"{table}.name", f"{table}.iban"
    text = f"SELECT name, iban FROM t{plan} WHERE id = $1 ORDER BY name LIMIT $2"
    rules = (f"roles.support.columns.{table}",)
    return Shape(
        HEAD,
        Plan(
            Deed.QUERY,
            f"{plan:032x}",
            text,
            (table,),
            revealed,
            (),
            (f"{table}.id",),
            (),
            ("select",),
            (),
            rules,
            "cd" * 32,
        ),
    )


@cache
def _session(person: int) -> Session:
    whose = Client(f"person-{person}", Holder.PERSON, f"{person:016x}", f"192.0.2.{person}", "psql")
    return Session(HEAD, whose, "shop")
