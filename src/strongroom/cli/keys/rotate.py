"""``strongroom keys rotate``: a new version of a column's key, while applications work."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from strongroom.changeover.rotation import Propagation, Rotated
from strongroom.changeover.rotation import rotate as rotate_keyset
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_json
from strongroom.cli.worksite import Worksite, bar, scheme_named, worksite
from strongroom.config import DEFAULT_FILE, Settings, load
from strongroom.errors import KeysetMissing
from strongroom.gateway.protection import prepare
from strongroom.gateway.snapshots import LEARNT_SECONDS
from strongroom.keys.journal import Journal
from strongroom.keys.rotation import due
from strongroom.keys.store import KeyStore
from strongroom.keys.uses import Reservations
from strongroom.protect.scheme import Scheme

Columns = Annotated[
    list[str] | None, typer.Argument(metavar="[COLUMN]...", help="schema.table.column, as configured.")
]
Database = Annotated[str | None, typer.Option("--database", metavar="NAME", help="Of several, which.")]
Reencrypt = Annotated[
    bool, typer.Option("--reencrypt", help="Seal every stored value anew; deterministic columns need it.")
]
Due = Annotated[bool, typer.Option("--due", help="Every key that is due by its age or its uses.")]
Wait = Annotated[
    bool,
    typer.Option("--wait/--no-wait", help="Wait for gateways that run to hear of it; --no-wait: none runs."),
]

WAIT = "gateways that run hear of the new key by themselves; it seals as soon as they have"


def rotate(
    columns: Columns = None,
    *,
    config: Config = DEFAULT_FILE,
    database: Database = None,
    reencrypt: Reencrypt = False,
    every_due: Due = False,
    wait: Wait = True,
    json: Json = False,
) -> None:
    """Give columns a new key, while applications go on reading and writing; interrupted, run it again.

    Without --reencrypt the new key seals from now on, and the old one goes on opening.

    Examples: strongroom keys rotate public.customers.iban · strongroom keys rotate --due ·
    strongroom keys rotate public.customers.email --reencrypt
    """
    if bool(columns) is every_due:
        raise typer.BadParameter("name columns, or give --due alone")
    settings = load(config)
    with worksite(settings, database, "strongroom keys rotate") as site:
        work = _Work(site, wait=wait)
        groups = work.due_groups() if every_due else work.groups(columns or ())
        done = [work.rotate(group, reencrypt=reencrypt) for group in groups]
    _show(done, as_json=json)


class _Work:
    """Rotations in one database."""

    def __init__(self, site: Worksite, *, wait: bool) -> None:
        self._site = site
        self._wait = LEARNT_SECONDS if wait else 0.0
        prepared = asyncio.run(prepare(site.settings, site.state, [site.place]))
        self._keks = prepared.keks
        self._store = KeyStore(site.state.engine, prepared.keks)
        self._uses = Reservations(self._store.reserve)

    def groups(self, columns: Sequence[str]) -> list[list[Scheme]]:
        """The columns of each keyset that one of these names has, all that share it."""
        wanted = {scheme_named(self._site.schemes, column).keyset: None for column in columns}
        return [self._sharing(keyset) for keyset in wanted]

    def due_groups(self) -> list[list[Scheme]]:
        """The columns of each keyset that is due."""
        assert self._site.settings.keys is not None  # config: protected columns have a root
        period, uses, now = self._site.settings.keys.period, self._store.uses(), datetime.now(UTC)
        found = [keyset for keyset in self._store.load().values() if due(keyset, uses, now, period)]
        return [self._sharing(keyset.name) for keyset in found]

    def _sharing(self, keyset: str) -> list[Scheme]:
        found = [scheme for scheme in self._site.schemes.values() if scheme.keyset == keyset]
        if not found:
            raise KeysetMissing(f"no configured column has the keyset {keyset!r}")
        return found

    def rotate(self, schemes: Sequence[Scheme], *, reencrypt: bool) -> Rotated:
        """Rotates the keyset that these columns share, and writes it down."""
        with bar(WAIT if self._wait else "") as tell:
            rotated = rotate_keyset(
                self._site.connection,
                schemes,
                self._keks,
                self._store.adopt,
                self._uses,
                reencrypt=reencrypt,
                propagation=Propagation(self._wait),
                accepted=_accepted(self._site.settings, self._site.place.name),
                tell=tell,
            )
        details = {"key_id": f"{rotated.keyset.primary:08x}", "resealed": rotated.resealed}
        Journal(self._site.state.engine).add("rotated", rotated.keyset.name, **details)
        return rotated


def _accepted(settings: Settings, database: str) -> Sequence[str]:
    return list(settings.databases[database].functions)


def _show(done: Sequence[Rotated], *, as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {
                    "key": one.keyset.name,
                    "version": one.keyset.number(one.keyset.primary),
                    "key_id": f"{one.keyset.primary:08x}",
                    "resealed": one.resealed,
                    "seconds": one.seconds,
                    "longest_lock": one.longest_lock,
                }
                for one in done
            ]
        )
        return
    console = Console(markup=False, highlight=False, soft_wrap=True)
    for one in done:
        console.print(
            f"{one.keyset.name}: version {one.keyset.number(one.keyset.primary)} ({one.keyset.primary:08x})"
            f" seals; {one.resealed:,} values sealed anew in {one.seconds:.1f} s, longest exclusive lock"
            f" {one.longest_lock * 1000:.0f} ms"
        )
    if not done:
        console.print("nothing is due")
