"""``strongroom protect`` and ``strongroom unprotect``: existing columns take their other form, at work."""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated

import typer
from rich.console import Console

from strongroom.changeover import job
from strongroom.changeover.model import Direction, Plan, Report, Target
from strongroom.cli.keys.approving import Approval, Signature, approved
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_json
from strongroom.cli.worksite import Worksite, bar, scheme_named, worksite
from strongroom.config import DEFAULT_FILE, Settings, load
from strongroom.deeds import jobs
from strongroom.deeds.jobs import PROTECT, UNPROTECT
from strongroom.gateway.kept import retire_beside
from strongroom.gateway.newcomers import Site, add
from strongroom.gateway.protection import open_keks, prepare, read_schema, schemes_of
from strongroom.gateway.standing import stand
from strongroom.keys.approvals import Act
from strongroom.keys.generate import new_keyset
from strongroom.keys.keyring import KeyRing, tenants_keysets
from strongroom.keys.sealed import SealedColumns
from strongroom.keys.store import KeyStore
from strongroom.keys.uses import Reservations
from strongroom.protect.scheme import Scheme
from strongroom.session.snapshot import column_type, places_of
from strongroom.sql.schema import SESSION
from strongroom.wire.postgres import types

Columns = Annotated[
    list[str] | None, typer.Argument(metavar="[COLUMN]...", help="schema.table.column; all configured ones.")
]
Database = Annotated[str | None, typer.Option("--database", metavar="NAME", help="Of several, which.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")]
Rewrite = Annotated[
    bool,
    typer.Option("--rewrite", help="At the end rewrite the tables, so that no dead row holds old values."),
]
All = Annotated[bool, typer.Option("--all", help="Every configured column.")]
Abandon = Annotated[
    bool, typer.Option("--abandon", help="Take back what an interrupted run has made, and stop.")
]

Tenant = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Whose all values are that columns with tenant: session hold already.",
    ),
]

RELOAD = "gateways that run already: reload them now (SIGHUP), so that they expect the sealed columns"
"""Told when the job is on record: before, a gateway refuses to serve plaintext in a configured column."""


def protect(
    columns: Columns = None,
    *,
    config: Config = DEFAULT_FILE,
    database: Database = None,
    dry_run: DryRun = False,
    rewrite: Rewrite = False,
    abandon: Abandon = False,
    tenant: Tenant = None,
    json: Json = False,
) -> None:
    """Seal what configured columns hold already, while applications go on reading and writing.

    Interrupted, it goes on where it stopped when it is run again.

    Examples: strongroom protect --dry-run · strongroom protect public.customers.email --rewrite
    """
    settings = load(config)
    with _job(settings, database, columns or (), only_look=dry_run, tenant=tenant) as work:
        if dry_run:
            _show_plan(work.plan(Direction.PROTECT), as_json=json)
            return
        if abandon:
            _show_abandoned(work.abandon(), as_json=json)
            return
        _show_report(work.protect(rewrite), as_json=json)


def unprotect(
    columns: Columns = None,
    *,
    config: Config = DEFAULT_FILE,
    database: Database = None,
    dry_run: DryRun = False,
    rewrite: Rewrite = False,
    every: All = False,
    json: Json = False,
    approval: Approval = None,
    signature: Signature = None,
) -> None:
    """Take columns, or --all of them, back to plaintext, while applications go on reading and writing.

    Afterwards delete their lines from the configuration. Their keys are kept aside, for old backups.
    Where `protection:` asks for it, people sign it first (docs/guides/weakening.md).

    Examples: strongroom unprotect public.customers.email · strongroom unprotect --all --dry-run
    """
    if (columns and every) or not (columns or every or dry_run):
        raise typer.BadParameter("name the columns that are to be plaintext again, or give --all alone")
    settings = load(config)
    with _job(settings, database, columns or (), only_look=dry_run) as work:
        if dry_run:
            _show_plan(work.plan(Direction.UNPROTECT), as_json=json)
            return
        asyncio.run(stand(settings, work.state, [work.place]))
        with approved(settings, work.state, work.act, approval, signature, resumable=True) as people:
            report = work.unprotect(rewrite, people)
        _show_report(report, as_json=json)


class _Job:
    """One changeover of one database."""

    def __init__(self, site: Worksite, schemes: Sequence[Scheme], tenant: str | None) -> None:
        self._settings = site.settings
        self._state = self.state = site.state
        self._place = self.place = site.place
        self._connection = site.connection
        self._schemes = schemes
        self._tenant = tenant

    @property
    def act(self) -> Act:
        """To unprotect these columns, as people sign it."""
        columns = ", ".join(sorted(self._names))
        fields = {"database": self.place.name, "columns": columns}
        return Act("unprotect", f"take columns of {self.place.name} back to plaintext: {columns}", fields)

    def plan(self, direction: Direction) -> Plan:
        """What would be done; makes nothing: keysets that are thrown away stand in for those to come."""
        schemes = self._to_change(direction)
        own = {one.keyset: one for one in schemes if one.tenant is None}
        ring = KeyRing.of(new_keyset(one, datetime.now(UTC)) for one in own.values())
        uses = Reservations(lambda *_: None)
        targets = [self._target(one, ring, uses) for one in schemes]
        return job.plan_of(self._connection, targets, direction, accepted=self._functions)

    def protect(self, rewrite: bool) -> Report | None:
        """Refuses before it makes keys, since a keyset holds its columns in the configuration."""
        if not job.is_under_way(self._connection):
            job.check(self.plan(Direction.PROTECT))
        self._make_keys()
        report = self._run(Direction.PROTECT, rewrite)
        SealedColumns(self._state.engine).add(self._place.name, self._names)
        return report

    def unprotect(self, rewrite: bool, signed_by: Sequence[str]) -> Report | None:
        SealedColumns(self._state.engine).release(self._place.name, self._names)
        report = self._run(Direction.UNPROTECT, rewrite, signed_by)
        ended = self._keysets_of_these_alone()
        keysets = self._store.load()
        ended += [
            name for scheme in self._schemes if scheme.tenant for name in tenants_keysets(scheme, keysets)
        ]
        asyncio.run(retire_beside(self._place, [keysets[name] for name in ended if name in keysets]))
        self._store.retire(ended)
        return report

    def abandon(self) -> list[str]:
        return job.abandon(self._connection)

    def _run(self, direction: Direction, rewrite: bool, signed_by: Sequence[str] = ()) -> Report | None:
        """Change what is not in its form yet, or go on with what was interrupted; None: nothing to do."""
        schemes = self._to_change(direction)
        if not schemes and not job.is_under_way(self._connection):
            return None
        to_change = schemes or self._schemes
        turns = PROTECT if direction is Direction.PROTECT else UNPROTECT
        columns = [one.column for one in to_change]
        with (
            jobs.job(self._state.engine, turns, self._place.name, columns, signed_by) as done,
            bar(RELOAD if direction is Direction.PROTECT else "") as tell,
        ):
            return job.run(
                self._connection,
                self._targets(to_change),
                direction,
                accepted=self._functions,
                tell=done.heard(tell),
                rewrite=rewrite,
            )

    def _to_change(self, direction: Direction) -> list[Scheme]:
        """The columns that are not in their form yet; one that is missing is for the survey to name."""
        schema = asyncio.run(read_schema(self._place.connector))
        places = places_of(schema, self._schemes)
        sealed = {name for name, place in places.items() if column_type(schema, place) == types.BYTEA}
        done = sealed if direction is Direction.PROTECT else set(places) - sealed
        return [scheme for scheme in self._schemes if scheme.column not in done]

    def _make_keys(self) -> None:
        asyncio.run(self._keys_made(self._tenants_there()))

    async def _keys_made(self, tenants: Sequence[str]) -> None:
        """Makes what is missing; ``tenants`` are those whose values the columns hold."""
        console = Console(stderr=True, markup=False, soft_wrap=True)
        prepared = await prepare(self._settings, self._state, [self._place], to_seal=True)
        for line in prepared.said:
            console.print(line)
        if tenants:
            site = Site(self._settings, self._state, self._place, prepared.roots)
            made = (await add(site, tenants)).made
            if made:
                console.print(f"keys were made for {len(made)} tenants, such as {made[0]}")

    def _tenants_there(self) -> list[str]:
        """The tenants to whom values belong that are plaintext still."""
        named = {self._tenant} if self._tenant is not None else set()
        for scheme in self._to_change(Direction.PROTECT):
            if scheme.tenant not in {None, SESSION}:
                named |= job.tenants_of(self._connection, scheme)
        return sorted(named)

    def _targets(self, schemes: Sequence[Scheme]) -> list[Target]:
        ring = KeyRing.of(self._store.load().values())
        uses = Reservations(self._store.reserve)
        return [self._target(one, ring, uses) for one in schemes]

    def _target(self, scheme: Scheme, ring: KeyRing, uses: Reservations) -> Target:
        keyset = ring.keyset(scheme.keyset) if scheme.tenant is None else None
        return Target(scheme, keyset, ring.codec(scheme, uses), self._tenant)

    @cached_property
    def _store(self) -> KeyStore:
        return KeyStore(self._state.engine, open_keks(self._settings, self._state))

    @property
    def _names(self) -> frozenset[str]:
        return frozenset(scheme.column for scheme in self._schemes)

    @property
    def _functions(self) -> Collection[str]:
        return self._settings.databases[self._place.name].functions

    def _keysets_of_these_alone(self) -> list[str]:
        others = {
            scheme.keyset
            for name, scheme in schemes_of(self._settings, self._place.name).items()
            if name not in self._names
        }
        return sorted({scheme.keyset for scheme in self._schemes} - others)


@contextmanager
def _job(
    settings: Settings,
    database: str | None,
    columns: Collection[str],
    *,
    only_look: bool,
    tenant: str | None = None,
) -> Iterator[_Job]:
    with worksite(settings, database, "strongroom protect", only_look=only_look) as site:
        chosen = [scheme_named(site.schemes, column) for column in columns] or list(site.schemes.values())
        yield _Job(site, chosen, tenant)


# -------------------------------------------------------------------------------------------- what is shown


def _show_plan(plan: Plan, *, as_json: bool) -> None:
    columns = [str(column.target.scheme.column) for column in plan.columns]
    if as_json:
        print_json({"columns": columns, "refusals": plan.refusals, "notes": plan.notes})
    else:
        console = Console(markup=False, highlight=False, soft_wrap=True)
        for table in plan.tables:
            console.print(f"{table.sql}: {', '.join(one.name for one in table.columns)}")
            for index in table.indexes:
                console.print(f"  index {index.name}: {'dropped' if index.dropped else 'built anew'}")
        for note in plan.notes:
            console.print(f"  note: {note}")
        for refusal in plan.refusals:
            console.print(f"  refused: {refusal}")
    if plan.refusals:
        raise typer.Exit(1)


def _show_abandoned(tables: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        print_json({"abandoned": list(tables)})
    else:
        Console(markup=False, highlight=False, soft_wrap=True).print(
            f"abandoned: {', '.join(tables) or 'nothing was under way'}"
        )


def _show_report(report: Report | None, *, as_json: bool) -> None:
    if report is None:
        if as_json:
            print_json({"rows": 0, "verified": 0, "seconds": 0, "longest_lock": 0, "leftovers": []})
        else:
            Console(markup=False).print("nothing to do: the columns have their form already")
        return
    if as_json:
        fields = ("rows", "verified", "seconds", "longest_lock", "lock_attempts", "leftovers")
        print_json({field: getattr(report, field) for field in fields})
        return
    console = Console(markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"{report.rows:,} values in {report.seconds:.1f} s, "
        f"{report.verified:,} opened again and compared; "
        f"longest exclusive lock {report.longest_lock * 1000:.0f} ms"
    )
    for leftover in report.leftovers:
        console.print(f"  {leftover}")
