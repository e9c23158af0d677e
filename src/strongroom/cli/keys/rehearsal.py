"""A backup, restored into a temporary state and read again: beside the live state, which is not touched.

Called by `keys drill`.
"""

import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from strongroom.config import StateAddress
from strongroom.gateway.restoring import fill_from
from strongroom.keys.backup import Contents, contents
from strongroom.keys.hierarchy import Roots, open_kek
from strongroom.keys.kek import Keks
from strongroom.keys.root.file import FileRoot
from strongroom.keys.store import kept_keks
from strongroom.state import open_state

MEMORY = Path("/dev/shm")  # noqa: S108  # a folder in it is made with a name of its own, mode 0700
"""Where the temporary state and root go where there is one: what is never on a disk need not be removed."""

Read = Callable[[Engine, Keks, datetime], Contents]
"""What reads a state again: all its keys but those of tenants, or those of one tenant."""


def rehearsed(what: Contents, now: datetime, read: Read = contents) -> Contents:
    """What a state that is filled from the backup, under a root of its own, gives when it is read again."""
    place = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="strongroom-drill-", dir=place) as name:
        for part in ("root", "state"):
            (Path(name) / part).mkdir(mode=0o700)
        root = FileRoot.create(Path(name) / "root" / "root.key", Path(name) / "state")
        state = open_state(StateAddress(Path(name) / "state" / "state.db"))
        try:
            fill_from(state, what, Roots((root,)))
            keks = Keks.of(open_kek(row, Roots((root,))) for row in kept_keks(state.engine).values())
            return read(state.engine, keks, now)
        finally:
            state.close()
