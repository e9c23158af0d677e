"""``strongroom keys tenants destroy``: the key of a tenant is destroyed, with all that it protects."""

import asyncio
import json as json_format
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import psycopg
import typer

from strongroom.changeover.database import Database
from strongroom.changeover.model import Limits
from strongroom.cli.keys.approving import Approval, Signature, approved
from strongroom.cli.keys.asking import say
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_json, print_table
from strongroom.cli.worksite import Worksite, worksite
from strongroom.config import DEFAULT_FILE, Settings, load
from strongroom.errors import TenantRemovalRefused
from strongroom.gateway.newcomers import Site
from strongroom.gateway.protection import opened_roots
from strongroom.gateway.shredding import Lost, Shredded, counting, shred, would_lose
from strongroom.keys.approvals import Act
from strongroom.keys.endings import Ending, Endings, of_kek
from strongroom.keys.generation import unseen
from strongroom.keys.holds import Holds
from strongroom.keys.journal import Journal
from strongroom.keys.kek import kek_name
from strongroom.keys.new_file import refuse_place, write_new
from strongroom.keys.obstacles import Obstacle, of_holds, of_rollbacks

DatabaseName = Annotated[str, typer.Argument(metavar="DATABASE", help="As it is named under databases:.")]
Tenant = Annotated[str, typer.Argument(metavar="TENANT", help="As `keys tenants list` shows it.")]
Cancel = Annotated[bool, typer.Option("--cancel", help="Take a scheduled destruction back.")]
Record = Annotated[
    Path | None, typer.Option("--record", metavar="FILE", help="Write down what was destroyed, as JSON.")
]
COUNT_SECONDS = 300
"""How long the values of a column are counted; a number is not worth more."""

TABLES = ("keks", "keysets")
NOTHING = Shredded()


def destroy(
    database: DatabaseName,
    tenant: Tenant,
    *,
    config: Config = DEFAULT_FILE,
    cancel: Cancel = False,
    record: Record = None,
    approval: Approval = None,
    signature: Signature = None,
    json: Json = False,
) -> None:
    """Destroy a tenant's key: no copy of the tenant's values opens any more, wherever it is.

    The first call schedules it and says what will be lost; the same call on or after that day does it. Exit
    status 1 while a legal hold stands in the way, and while it is not due.

    Examples: strongroom keys tenants destroy shop acme · strongroom keys tenants destroy shop acme
    --record acme.json · strongroom keys tenants destroy shop acme --cancel
    """
    settings = load(config)
    if record is not None:
        refuse_place(record, settings.state.path.parent)
    with worksite(settings, database, "strongroom keys tenants destroy") as site:
        step = _Step(site, tenant)
        if cancel:
            step.cancel()
            return
        done = step.take(_delay(settings), approval, signature)
    if done.what == "destroyed" and record is not None:
        written = json_format.dumps(done.for_programs(), indent=1, default=str).encode() + b"\n"
        write_new(record, written, json_format.loads)
    _show(done, as_json=json)
    if done.what in {"refused", "waiting"}:
        raise typer.Exit(1)


def _delay(settings: Settings) -> timedelta:
    assert settings.keys is not None  # config: protected columns have a root
    own = settings.keys.tenants.destroy_delay_days
    return timedelta(days=settings.keys.destroy_delay_days if own is None else own)


@dataclass(frozen=True, slots=True)
class _Done:
    """What came of a call."""

    what: str
    """refused, scheduled, waiting or destroyed."""
    lost: Lost
    ending: Ending
    counts: Mapping[str, int | None]
    """How many values each column holds; None where they could not be counted in time."""
    due: datetime | None = None
    obstacles: Sequence[Obstacle] = ()
    shredded: Shredded = NOTHING
    at: datetime | None = None
    approved_by: Sequence[str] = ()
    not_rewritten: Sequence[str] = ()

    def for_programs(self) -> dict[str, object]:
        """The record."""
        return {
            "tenant": self.lost.tenant,
            "outcome": self.what,
            "due": None if self.due is None else f"{self.due:%Y-%m-%d %H:%M}Z",
            "at": None if self.at is None else self.at.isoformat(timespec="seconds"),
            "approved_by": list(self.approved_by),
            "key_wrapped_by": list(self.lost.wrapped_by),
            "key_ids": [f"{one:08x}" for one in self.lost.key_ids],
            "values": dict(self.counts),
            "backups_of_its_keys": [one.place for one in self.lost.backups],
            "backups_removed": list(self.shredded.removed),
            "backups_not_reached": list(self.shredded.left),
            "not_rewritten": list(self.not_rewritten),
            "obstacles": [{"what": one.what, "remedy": one.remedy} for one in self.obstacles],
        }


class _Step:
    """One call of the command, for one tenant."""

    def __init__(self, site: Worksite, tenant: str) -> None:
        self._site = site
        self._name = kek_name(f"{site.place.name}@{tenant}")
        command = f"strongroom keys tenants destroy {shlex.quote(site.place.name)} {shlex.quote(tenant)}"
        self._ending = of_kek(self._name, command)
        self._endings = Endings(site.state.engine)
        self._journal = Journal(site.state.engine)
        roots = opened_roots(site.settings, site.state)
        self._at = Site(site.settings, site.state, site.place, roots)
        lost = asyncio.run(would_lose(self._at, self._name))
        begun = self._endings.begun(self._ending)
        if lost.is_destroyed and begun is None:
            raise TenantRemovalRefused(
                f"{self._name} was destroyed before", hint="there is nothing left of it"
            )
        # A run that was interrupted may have deleted the keysets, which have the ids.
        self._lost = (
            lost if not begun else replace(lost, key_ids=tuple(int(one, 16) for one in begun.split()))
        )

    def cancel(self) -> None:
        """Takes it back; raises ``TenantRemovalRefused`` where it was not scheduled, or has begun."""
        if (
            self._lost.is_destroyed
            or self._endings.begun(self._ending) is not None
            or not self._endings.forget(self._ending)
        ):
            raise TenantRemovalRefused(
                f"{self._ending.deed} was not scheduled, or has begun",
                hint=f"what was begun is ended by: {self._ending.command}",
            )
        self._journal.add("tenant destruction cancelled", self._lost.tenant)
        print(f"{self._name} stays")

    def take(self, delay: timedelta, approval: Path | None, signatures: list[Path] | None) -> _Done:
        """Schedules it, or carries it out; or says what stands in the way."""
        due, now = self._endings.due(self._ending), datetime.now(UTC)
        counts = self._counts()
        names = [self._lost.tenant, *(f"{self._lost.tenant}/{one}" for one in self._lost.columns)]
        engine = self._site.state.engine
        held = of_holds(Holds(engine), self._name, also=names)
        if found := [*of_rollbacks(unseen(engine)), *held]:
            return _Done("refused", self._lost, self._ending, counts, due, found)
        if due is None:
            due = self._endings.schedule(self._ending, now + delay)
            self._journal.add("tenant destruction scheduled", self._lost.tenant, due=f"{due:%Y-%m-%d %H:%M}Z")
            return _Done("scheduled", self._lost, self._ending, counts, due)
        if now < due:
            return _Done("waiting", self._lost, self._ending, counts, due)
        act = self._act()
        with approved(
            self._site.settings, self._site.state, act, approval, signatures, resumable=True
        ) as people:
            return self._carry_out(counts, now, people)

    def _act(self) -> Act:
        ids = " ".join(f"{one:08x}" for one in self._lost.key_ids)
        words = f"destroy {self._name}: nothing that it protects opens any more"
        return Act("destroy", words, {"key": self._name, "key ids": ids})

    def _carry_out(self, counts: Mapping[str, int | None], now: datetime, people: Sequence[str]) -> _Done:
        ids = [f"{one:08x}" for one in self._lost.key_ids]
        if self._endings.begun(self._ending) is None:
            self._endings.begun(self._ending, " ".join(ids))
            self._journal.add("tenant destruction begun", self._lost.tenant, key_ids=ids)
        shredded = asyncio.run(shred(self._at, self._name))
        database = Database(self._site.connection, Limits())
        held = [one for one in TABLES if not database.if_free(f"VACUUM (FULL) strongroom_keys.{one}")]
        self._journal.add(
            "tenant destroyed", self._lost.tenant, key_ids=ids, values=dict(counts), people=list(people)
        )
        self._endings.forget(self._ending)
        return _Done(
            "destroyed",
            self._lost,
            self._ending,
            counts,
            shredded=shredded,
            at=now,
            approved_by=people,
            not_rewritten=held,
        )

    def _counts(self) -> dict[str, int | None]:
        """How many values will be lost, column by column, as the database has them now."""
        if not self._lost.key_ids:
            return {}
        connection, counts = self._site.connection, {}
        connection.execute(f"SET statement_timeout = '{COUNT_SECONDS}s'")
        for column, query in counting(self._lost.columns, self._lost.key_ids):
            try:
                row = connection.execute(query.encode()).fetchone()
                counts[column] = None if row is None else int(str(row[0]))
            except psycopg.Error:  # no such table any more, plaintext still, or too many rows
                counts[column] = None
        connection.execute("RESET statement_timeout")
        return counts


# ----------------------------------------------------------------------------------------------- what is said


def _show(done: _Done, *, as_json: bool) -> None:
    if as_json:
        print_json(done.for_programs())
    elif done.what == "refused":
        rows = [{"in the way": one.what, "what to do": one.remedy} for one in done.obstacles]
        print_table(["in the way", "what to do"], rows, as_json=False)
        say(f"{done.ending.deed} is refused while any of these is there")
    elif done.what == "destroyed":
        _tell_the_end(done)
    else:
        _tell_what_will_be(done)


def _tell_what_will_be(done: _Done) -> None:
    verb = "is scheduled" if done.what == "scheduled" else "was scheduled, and is not due yet"
    print(f"{done.ending.deed} {verb}: from {done.due:%Y-%m-%d %H:%M}Z on, run the same command again")
    say("it makes unreadable, in the database and in every copy and backup of it:")
    _tell_values(done)
    for one in done.lost.backups:
        say(f"- the backup {one.id} of its keys, at {one.place}")
    say(f"to take it back: {done.ending.command} --cancel")


def _tell_values(done: _Done) -> None:
    for column, count in done.counts.items():
        say(f"- {column}: {'values, not counted in time' if count is None else f'{count:,} values'}")


def _tell_the_end(done: _Done) -> None:
    """What became unreadable, and what no program can reach from here."""
    print(f"the key of {done.lost.tenant} is destroyed; unreadable now, wherever copies are:")
    _tell_values(done)
    say("- the same values in every dump, file backup, replica and write-ahead log of the database")
    for place in done.shredded.removed:
        say(f"- the backup of its keys {place}, which was overwritten and removed")
    say("what no program can reach from here, and would open them with the root that wrapped the key:")
    for place in done.shredded.left:
        say(f"- {place}: destroy every copy, then run `strongroom keys backups --forget ID`")
    if done.lost.held_by_itself:
        say("- dumps of the database from before, by the tenant's own provider: have it delete the key there")
    say("- copies of the state's file and of the folder of copies, snapshots of their disks: destroy them")
    for table in done.not_rewritten:
        say(f"- the files of strongroom_keys.{table}, in use now: VACUUM (FULL) strongroom_keys.{table}")
    if not done.shredded.known_to_all:
        say("- the key did not open any more: gateways with a state of their own do not learn of its end")
    say("gateways that run on this state open nothing of it within seconds")
