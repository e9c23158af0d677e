"""Rotation of a column's key, from the new version to the last old value; run again after a kill, it goes on.

The keyset beside the data is the truth: each step is written there, by compare and swap on its revision,
before the next is taken, so that of two rotations that begin at once one finds that the other came first. A
row of ``strongroom_keys.rotations`` says which key is being rotated to; where others may know that one, after
a leak, what was begun is given up for a version that is made then.

    1. a new version, pre-active, stands beside the data; the CHECKs of its columns allow it
    2. every gateway has heard of it, so that all open what it seals
    3. it is promoted: from now on it seals
    4. with ``reencrypt``: old values are sealed anew, the CHECKs allow the new version alone and are
       validated, which proves that nothing old is left; the old versions are deactivated

Values of deterministic columns are compared, and must never be of two keys (design, rule 5): there, steps 2
to 4 are one changeover, which swaps all columns of the keyset, promotes the new version and changes the type
that look-ups name (``sql/guards.py``), in one transaction. Called by ``strongroom keys rotate`` and
``compromise``.
"""

import math
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg

from strongroom.changeover import checks, job, record
from strongroom.changeover.checks import SealedColumn
from strongroom.changeover.database import Database
from strongroom.changeover.ledger import Ledger
from strongroom.changeover.model import Direction, Limits, Progress, Stage, Target, Tell, silent
from strongroom.changeover.reseal import Resealer
from strongroom.changeover.survey import triggers
from strongroom.changeover.throttle import Throttle
from strongroom.errors import ChangeoverRefused
from strongroom.keys.beside import look_up_type
from strongroom.keys.kek import Keks, WrappedKeyset, tenant_of
from strongroom.keys.model import Keyset
from strongroom.keys.rotation import next_version, promoted, replacing, settled
from strongroom.protect.plan import ColumnCodec, Uses
from strongroom.protect.scheme import Scheme

PASSES = 20
"""How often a table is walked over before whoever still seals by an old key must be found."""

CREATE = """\
CREATE TABLE IF NOT EXISTS strongroom_keys.rotations (
    keyset text PRIMARY KEY REFERENCES strongroom_keys.keysets,
    key_id bigint NOT NULL,
    since timestamptz NOT NULL DEFAULT now()
)"""
BEGIN = """\
INSERT INTO strongroom_keys.rotations (keyset, key_id) VALUES (%s, %s)
ON CONFLICT (keyset) DO UPDATE SET key_id = excluded.key_id, since = excluded.since"""


@dataclass(frozen=True, slots=True)
class Propagation:
    """How long until every gateway has heard of a change of keys; ``seconds`` of 0 where none runs."""

    seconds: float
    sleep: Callable[[float], None] = time.sleep


class NotWanted(Exception):
    """Somebody else has rotated the keyset meanwhile; as it is beside the data it is in the state now."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """What came of a rotation."""

    keyset: Keyset
    resealed: int
    seconds: float
    longest_lock: float


def rotate(
    connection: psycopg.Connection[Any],
    schemes: Sequence[Scheme],
    keks: Keks,
    adopt: Callable[[Iterable[WrappedKeyset]], None],
    uses: Uses,
    *,
    reencrypt: bool,
    propagation: Propagation,
    limits: Limits | None = None,
    accepted: Collection[str] = (),
    tell: Tell = silent,
    finish: Callable[[Keyset], Keyset] = settled,
    wanted: Callable[[Keyset], bool] = lambda _: True,
    exposed: Collection[int] = (),
    written_down: Callable[[Rotated], None] = lambda _: None,
) -> Rotated:
    """Rotates the keyset of these columns, which are all that share it, or goes on where a run stopped.

    The connection is the owner's, in autocommit. ``adopt`` takes what was written into the state;
    ``accepted`` are functions of triggers, `schema.name`; ``finish`` is done to the keyset when nothing of
    its older versions is left. ``wanted`` is asked of the keyset as it is once nobody else can rotate it.
    ``exposed`` are key ids that others may know: it is not rotated to any of them, even if that has begun.
    ``written_down`` is called at the end, before the rotation ceases to be under way: killed there, the next
    run does so once more, and a rotation that nobody wrote down is none that has ended.
    Raises ``NotWanted``, ``ChangeoverBusy``, ``ChangeoverRefused``, ``ChangeoverLocked`` or a
    ``KeysetError``; what was done until then stays, and is found by the next run.
    """
    database = Database(connection, limits or Limits())
    database.settle_session()
    record.lock(database)
    try:
        rotation = _Rotation(
            database=database,
            schemes=schemes,
            ledger=Ledger(database, keks, adopt),
            uses=uses,
            propagation=propagation,
            accepted=accepted,
            tell=tell,
            finish=finish,
            wanted=wanted,
            exposed=exposed,
            written_down=written_down,
        )
        return rotation.run(reencrypt=reencrypt)
    finally:
        if not connection.closed:
            record.unlock(database)


@dataclass(kw_only=True)
class _Rotation:
    """One run."""

    database: Database
    schemes: Sequence[Scheme]
    ledger: Ledger
    uses: Uses
    propagation: Propagation
    accepted: Collection[str]
    tell: Tell
    finish: Callable[[Keyset], Keyset]
    wanted: Callable[[Keyset], bool]
    exposed: Collection[int]
    written_down: Callable[[Rotated], None]

    def __post_init__(self) -> None:
        self._begun = time.monotonic()
        self._longest = 0.0

    @property
    def _name(self) -> str:
        return self.schemes[0].keyset

    def run(self, *, reencrypt: bool) -> Rotated:
        if self.schemes[0].comparable and not reencrypt:
            raise ChangeoverRefused(
                f"{self.schemes[0].column} is deterministic: its values are compared, and must be of one key",
                hint="rotate it with --reencrypt",
            )
        columns = [checks.find(self.database, scheme) for scheme in self.schemes]
        if reencrypt:
            self._refuse_triggers(columns)
        keyset, newest = self._begin()
        compared = self.schemes[0].comparable
        keyset, moved = (self._swap if compared else self._move)(columns, keyset, newest, reencrypt=reencrypt)
        if reencrypt:
            keyset = self._write(keyset, self.finish(keyset))
        rotated = Rotated(keyset, moved, time.monotonic() - self._begun, self._longest)
        self.written_down(rotated)
        self.database.run("DELETE FROM strongroom_keys.rotations WHERE keyset = %s", self._name)
        self.tell(Progress(Stage.DONE, "", 1, 1))
        return rotated

    def _begin(self) -> tuple[Keyset, int]:
        """The keyset with its new version beside the data, and the id of that version."""
        self.database.run(CREATE)
        before = self.ledger.read(self._name)
        under_way = self.database.value(
            "SELECT key_id FROM strongroom_keys.rotations WHERE keyset = %s", self._name
        )
        if under_way is not None and under_way not in self.exposed:
            self.ledger.adopt(self._name)
            return before, int(under_way)
        if not self.wanted(before):
            self.ledger.adopt(self._name)
            raise NotWanted
        if under_way is not None:
            self._give_up_swap()
        begun, newest = self._next(before)
        with self.database.transaction():
            if begun is not before:
                self.ledger.write(before, begun)
            self.database.run(BEGIN, self._name, newest)
        self.ledger.adopt(self._name)
        return begun, newest

    def _next(self, before: Keyset) -> tuple[Keyset, int]:
        """The keyset with the version that is to seal, and the id of that."""
        now, taken = datetime.now(UTC), self._taken()
        if not self.exposed:
            begun = next_version(before, now, taken)
            return begun, begun.versions[-1].key_id
        begun = replacing(before, self.exposed, now, taken)
        clean = begun.primary not in self.exposed
        return begun, begun.primary if clean else begun.versions[-1].key_id

    def _give_up_swap(self) -> None:
        """Ends the swap that was begun to an exposed version: what came after it, or what came before."""
        if self.schemes[0].comparable:
            job.settle(self.database.connection, self.tell)
            job.abandon(self.database.connection, rekeyed=self._name)

    def _taken(self) -> list[int]:
        """The ids of all tenants' keys in the column, which its values are told apart by."""
        if not self._of_tenant:
            return []
        of_column = "substr(name, strpos(name, '/') + 1) = %s"
        query = f"SELECT unnest(key_ids) FROM strongroom_keys.keysets WHERE {of_column}"
        return [int(one) for (one,) in self.database.rows(query, self._name.partition("/")[2])]

    def _write(self, before: Keyset, after: Keyset) -> Keyset:
        if after is not before:
            self.ledger.write(before, after)
            self.ledger.adopt(self._name)
        return after

    @property
    def _of_tenant(self) -> bool:
        """Whether it is one tenant's: the CHECK of its column allows any tenant's, and proves nothing."""
        return tenant_of(self._name) is not None

    def _allow(self, columns: Sequence[SealedColumn], keyset: Keyset) -> None:
        if self._of_tenant:
            return
        for place, column in enumerate(columns):
            self.tell(Progress(Stage.PREPARE, column.scheme.column, place, len(columns)))
            checks.allow(self.database, column, keyset.algorithm, keyset.key_ids)

    def _wait(self) -> None:
        """Until no gateway is left that has not heard of the last change."""
        whole = math.ceil(self.propagation.seconds)
        for second in range(whole):
            self.tell(Progress(Stage.PROPAGATE, "", second, whole))
            self.propagation.sleep(min(1.0, self.propagation.seconds - second))

    # ------------------------------------------------------------------------------------ by a swap

    def _swap(
        self, columns: Sequence[SealedColumn], keyset: Keyset, newest: int, *, reencrypt: bool
    ) -> tuple[Keyset, int]:
        """Takes all columns to the new version in one moment; returns the keyset and how many values."""
        del reencrypt, columns
        if keyset.primary == newest:
            job.settle(self.database.connection, self.tell)
            return keyset, 0
        going = promoted(keyset)

        def along() -> None:
            self.ledger.write(keyset, going)
            self.database.run(f"DROP DOMAIN IF EXISTS {look_up_type(keyset)}")
            self.database.run(f"CREATE DOMAIN {look_up_type(going)} AS pg_catalog.bytea")

        report = job.run(
            self.database.connection,
            [Target(one, going, ColumnCodec(one, going, self.uses)) for one in self.schemes],
            Direction.REKEY,
            accepted=self.accepted,
            limits=self.database.limits,
            tell=self.tell,
            along=along,
        )
        self._longest = report.longest_lock
        self.ledger.adopt(self._name)
        return going, report.rows

    # ------------------------------------------------------------------------------------ in place

    def _move(
        self, columns: Sequence[SealedColumn], keyset: Keyset, newest: int, *, reencrypt: bool
    ) -> tuple[Keyset, int]:
        """Lets the new version seal, and seals old values anew; returns the keyset and how many."""
        if keyset.primary != newest:
            self._allow(columns, keyset)
            self._wait()
            keyset = self._write(keyset, promoted(keyset))
        resealed = self._reseal(columns, keyset) if reencrypt else 0
        for column in columns if not self._of_tenant else ():
            checks.validate(self.database, column)
        self._longest = self.database.locks.longest
        return keyset, resealed

    def _reseal(self, columns: Sequence[SealedColumn], keyset: Keyset) -> int:
        """Seals every older value anew; returns how many there were."""
        throttle = Throttle(self.database.limits)
        resealers = [
            Resealer(
                self.database,
                column,
                ColumnCodec(column.scheme, keyset, self.uses),
                keyset.primary,
                self.tell,
                throttle,
                keyset.key_ids - {keyset.primary} if self._of_tenant else None,
            )
            for column in columns
        ]
        for resealer in resealers:
            resealer.one_pass()
        # A gateway that had not heard of the promotion went on sealing by the old key until now.
        self._wait()
        for resealer in resealers:
            self._finish(resealer, keyset)
        return sum(resealer.rows for resealer in resealers)

    def _finish(self, resealer: Resealer, keyset: Keyset) -> None:
        """Walks over the table until nothing old is met, and lets PostgreSQL prove it."""
        for _ in range(PASSES):
            if resealer.one_pass():
                continue
            if self._of_tenant:
                return
            checks.allow(self.database, resealer.column, keyset.algorithm, [keyset.primary])
            if checks.validate(self.database, resealer.column):
                return
        raise ChangeoverRefused(
            f"values of {resealer.column.scheme.column} are sealed by the old key as fast as by the new",
            hint="reload all gateways in front of this database (SIGHUP), then run it again",
        )

    def _refuse_triggers(self, columns: Sequence[SealedColumn]) -> None:
        """What users' triggers do on UPDATE would be done for each value that is sealed anew."""
        found = sorted(
            {
                f"trigger {name} of {column.sql} calls {function}: it would fire for each row"
                for column in columns
                for name, function in triggers(self.database, column.table)
                if function not in self.accepted
            }
        )
        if found:
            raise ChangeoverRefused(
                f"{len(found)} things stand in the way of the rotation",
                hint="list the functions under `functions:` with a reason if that does no harm, or drop the"
                " triggers until the end",
                detail="\n".join(found),
            )
