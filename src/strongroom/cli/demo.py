"""``strongroom demo``: shows what Strongroom does, on a database of its own."""

from typing import Annotated

import typer
from rich.console import Console

from strongroom.demo import story

Stay = Annotated[bool, typer.Option("--stay", help="Leave it running, and print how to connect.")]


def demo(stay: Stay = False) -> None:
    """Show what Strongroom does: a database, a gateway, and what each side sees.

    It needs no configuration, takes less than a minute and leaves nothing behind.

    Example: strongroom demo --stay
    """
    console = Console()
    if stay:
        story.stay(console)
    else:
        story.tell(console)
