"""``strongroom keys rotate``: a new version of a column's key, while applications work."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console

from strongroom.changeover.rotation import Rotated
from strongroom.cli.keys.work import Columns, DatabaseName, KeyWork, Wait
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_json
from strongroom.cli.worksite import worksite
from strongroom.config import DEFAULT_FILE, load

Reencrypt = Annotated[
    bool, typer.Option("--reencrypt", help="Seal every stored value anew; deterministic columns need it.")
]
Due = Annotated[bool, typer.Option("--due", help="Every key that is due by its age or its uses.")]
Kek = Annotated[bool, typer.Option("--kek", help="The key-encryption key of the database, and no column's.")]
Tenant = Annotated[
    str | None, typer.Option(metavar="NAME", help="With --kek: this tenant's, in place of the database's.")
]


def rotate(
    columns: Columns = None,
    *,
    config: Config = DEFAULT_FILE,
    database: DatabaseName = None,
    reencrypt: Reencrypt = False,
    every_due: Due = False,
    kek: Kek = False,
    tenant: Tenant = None,
    wait: Wait = True,
    json: Json = False,
) -> None:
    """Give columns a new key, while applications go on reading and writing; interrupted, run it again.

    Without --reencrypt the new key seals from now on, and the old one goes on opening.

    Examples: strongroom keys rotate public.customers.iban · strongroom keys rotate --due ·
    strongroom keys rotate public.customers.email --reencrypt · strongroom keys rotate --kek ·
    strongroom keys rotate public.invoices.iban@acme (one tenant's) ·
    strongroom keys rotate --kek --tenant acme
    """
    if [bool(columns), every_due, kek].count(True) != 1 or (tenant and not kek):
        raise typer.BadParameter("name columns, or give --due or --kek alone; --tenant goes with --kek")
    with worksite(load(config), database, "strongroom keys rotate") as site:
        work = KeyWork(site, wait=wait)
        if kek:
            _show_kek(*(work.rotate_kek_of(tenant) if tenant else work.rotate_kek()), as_json=json)
            return
        if every_due:
            done = [one for due in work.due() if (one := work.rotate_due(due, reencrypt=reencrypt))]
        else:
            done = [work.rotate(group, reencrypt=reencrypt) for group in work.groups(columns or ())]
    show_rotated(done, as_json=json)


def _show_kek(name: str, keysets: int, *, as_json: bool) -> None:
    if as_json:
        print_json({"key": name, "keysets": keysets})
    else:
        print(f"{name}: a new version wraps {keysets} keysets; gateways that run fetch it by themselves")


def show_rotated(done: Sequence[Rotated], *, as_json: bool) -> None:
    """What came of rotations."""
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
