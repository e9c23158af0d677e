"""Opening the root key at start, and making it where nothing was ever wrapped by another.

The only place where a root key comes into being (design, rule 7): a missing file is made while neither the
state nor a database holds a keyset; once one does, a missing root is a loss to be mended, and a new one would
hide it. Called by ``serve`` (through ``gateway.protection``) and by ``init``.
"""

from dataclasses import dataclass
from pathlib import Path

from strongroom.errors import RootKeyMissing
from strongroom.keys.root.file import FileRoot
from strongroom.keys.store import kept_keysets
from strongroom.state import State


@dataclass(frozen=True, slots=True)
class OpenedRoot:
    """The root, and whether it was made just now."""

    root: FileRoot
    made: bool

    def notice(self, path: Path) -> str:
        """What to tell the operator of a root that was made."""
        return f"root key {path} was made: copy it to a safe place, apart from backups of the database"


def open_or_make(path: Path, state: State, state_folder: Path, *, kept_beside_data: bool) -> OpenedRoot:
    """The root in the file; a new one only where no keyset is kept. Raises ``RootKeyMissing`` otherwise.

    ``kept_beside_data``: whether any database that this root serves holds a keyset.
    """
    try:
        return OpenedRoot(FileRoot.open(path, state_folder), made=False)
    except RootKeyMissing:
        if kept_beside_data or kept_keysets(state.engine):
            raise
        return OpenedRoot(FileRoot.create(path, state_folder), made=True)
