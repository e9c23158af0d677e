"""``strongroom keys``: looking at keys, and what is done to them; one module a command."""

import typer

from strongroom.cli.keys import events, listing, root, rotate

keys = typer.Typer(
    help="The keys of protected columns: look at them, rotate them, keep them.",
    epilog="docs/guides/keys.md walks through a change of root, a suspected leak and a lost machine.",
    no_args_is_help=True,
)
keys.command("list")(listing.list_keys)
keys.command("show")(listing.show)
keys.command("rotate")(rotate.rotate)
keys.command("events")(events.events)
keys.add_typer(root.root, name="root")
