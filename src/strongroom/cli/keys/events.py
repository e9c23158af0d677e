"""``strongroom keys events``: what was done to keys."""

from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_table
from strongroom.config import DEFAULT_FILE, load
from strongroom.keys.journal import Journal
from strongroom.state import look_at_state


def events(*, config: Config = DEFAULT_FILE, json: Json = False) -> None:
    """Show what was done to keys, oldest first.

    Example: strongroom keys events --json
    """
    state = look_at_state(load(config).state)
    try:
        found = Journal(state.engine).events()
    finally:
        state.close()
    rows = [
        {
            "at": f"{event.at:%Y-%m-%d %H:%M:%S}Z",
            "what": event.what,
            "subject": event.subject,
            "details": dict(event.details) if json else _words(event.details.items()),
        }
        for event in found
    ]
    print_table(["at", "what", "subject", "details"], rows, as_json=json)


def _words(details: object) -> str:
    assert hasattr(details, "__iter__")
    return ", ".join(f"{name} {value}" for name, value in details)
