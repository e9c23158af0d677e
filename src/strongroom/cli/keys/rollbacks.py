"""``strongroom keys rollbacks``: whether the state was copied back or lost, and that somebody saw to it."""

from typing import Annotated

import typer

from strongroom.cli.keys.asking import say
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_table
from strongroom.config import DEFAULT_FILE, load
from strongroom.gateway.generations import LOST, NOT_BROUGHT_BACK
from strongroom.keys.generation import acknowledge, rollbacks
from strongroom.state import look_at_state

Acknowledge = Annotated[
    bool,
    typer.Option("--acknowledge", help="What was lost has been gone through: `keys list` is quiet again."),
]


def show_rollbacks(
    *, config: Config = DEFAULT_FILE, acknowledged: Acknowledge = False, json: Json = False
) -> None:
    """Show when the state was found to be a copy of a former one, or recovered after a loss.

    Exit status 1 where nobody has seen to it; until then nothing is destroyed, and no root taken off.

    Examples: strongroom keys rollbacks · strongroom keys rollbacks --acknowledge
    """
    state = look_at_state(load(config).state)
    try:
        if acknowledged:
            acknowledge(state.engine)
        found = rollbacks(state.engine)
    finally:
        state.close()
    rows = [
        {
            "found": f"{one.found:%Y-%m-%d %H:%M}Z",
            "what": one.what,
            "former_id": one.former or None,
            "acknowledged": None if one.acknowledged is None else f"{one.acknowledged:%Y-%m-%d %H:%M}Z",
        }
        for one in found
    ]
    print_table(["found", "what", "former_id", "acknowledged"], rows, as_json=json)
    unseen = [one for one in found if one.acknowledged is None]
    for text in dict.fromkeys(NOT_BROUGHT_BACK if one.is_loss else LOST for one in unseen):
        say(text)
    if unseen:
        raise typer.Exit(1)
