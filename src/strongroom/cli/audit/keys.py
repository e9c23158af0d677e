"""``strongroom audit keys`` and ``rotate-key``: the keys that sign the log."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from strongroom.audit.keys import LogKey, LogKeys
from strongroom.cli.asking import duration
from strongroom.cli.audit.given import configured, own_keys
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_done, print_table
from strongroom.config import DEFAULT_FILE, load
from strongroom.state import open_state

LONGEST_OVERLAP = timedelta(days=366)


def keys(*, config: Config = DEFAULT_FILE, json: Json = False) -> None:
    """List the keys that sign the log, for those who verify it.

    Example: strongroom audit keys
    """
    print_table(["key", "since", "until"], [_row(one) for one in own_keys(load(config))], as_json=json)


def rotate_key(
    *,
    overlap: Annotated[
        str, typer.Option(metavar="TIME", help="So long the former key signs beside it: 30d, 12h.")
    ] = "30d",
    at_once: Annotated[bool, typer.Option("--at-once", help="The former key ends now.")] = False,
    config: Config = DEFAULT_FILE,
    json: Json = False,
) -> None:
    """Make another key, which signs from the gateway's next start on; the former one does for some time yet.

    With --at-once it does not: for a key that somebody else may have.

    Examples: strongroom audit rotate-key · strongroom audit rotate-key --at-once
    """
    settings = load(config)
    now = datetime.now(UTC)
    state = open_state(settings.state)
    try:
        until = None if at_once else now + duration(overlap, LONGEST_OVERLAP)
        made = LogKeys(state.engine, configured(settings).origin).add(now, overlap_until=until)
    finally:
        state.close()
    print_done(_row(made), f"{made.verifier}", "it signs from the gateway's next start on", as_json=json)


def _row(key: LogKey) -> dict[str, object]:
    until = None if key.until is None else f"{key.until:%Y-%m-%d %H:%M}Z"
    return {"key": str(key.verifier), "since": f"{key.since:%Y-%m-%d %H:%M}Z", "until": until}
