"""``strongroom keys``: looking at keys, and what is done to them; one module a command."""

import typer

from strongroom.cli.keys import (
    approvals,
    backup,
    custody,
    destroy,
    drill,
    events,
    holds,
    listing,
    recover,
    restore,
    rollbacks,
    root,
    rotate,
    states,
    tenants,
    transfer,
)

keys = typer.Typer(
    help="The keys of protected columns: look at them, rotate them, keep them.",
    epilog="docs/guides/keys.md walks through a change of root, a suspected leak and a lost machine.",
    no_args_is_help=True,
)
keys.command("list")(listing.list_keys)
keys.command("show")(listing.show)
keys.command("rotate")(rotate.rotate)
keys.command("compromise")(states.compromise)
keys.command("suspend")(states.suspend)
keys.command("activate")(states.activate)
keys.command("deactivate")(states.deactivate)
keys.command("floor")(states.floor)
keys.command("destroy")(destroy.destroy)
keys.command("hold")(holds.hold)
keys.command("release")(holds.release)
keys.command("holds")(holds.holds)
keys.command("events")(events.events)
keys.command("backup")(backup.backup)
keys.command("backups")(backup.backups)
keys.command("restore")(restore.restore)
keys.command("recover")(recover.recover)
keys.command("drill")(drill.drill)
keys.command("custody")(custody.custody)
keys.command("rollbacks")(rollbacks.show_rollbacks)
keys.command("import")(transfer.import_key)
keys.command("export")(transfer.export)
keys.add_typer(root.root, name="root")
keys.add_typer(tenants.tenants, name="tenants")
keys.add_typer(approvals.approvals, name="approvals")
