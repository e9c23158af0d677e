"""Backups of tenants' keys: a file for each tenant, apart from all others, so that it can be destroyed.

Of the same form as a backup of all keys (``backup.py``), with one tenant's key-encryption key, its keysets
and their uses, and nothing else. Not of tenants who hold their own keys: a copy that opens without their
provider would take the withdrawal from them. Called by ``strongroom keys tenants backup`` and ``restore``,
and by what destroys a tenant's key.
"""

import contextlib
import secrets
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from strongroom.errors import BackupFormatUnknown, KekMissing
from strongroom.keys import age
from strongroom.keys.backup import Contents, make, opened
from strongroom.keys.backups import Backup, Backups
from strongroom.keys.copies import wipe
from strongroom.keys.kek import Keks, database_of, kek_name, scope_of, tenant_of
from strongroom.keys.model import Keyset
from strongroom.keys.store import KeyStore

SUFFIX = ".age"


def contents_of(engine: Engine, keks: Keks, scope: str, made: datetime) -> Contents:
    """What the backup of one tenant holds: `DATABASE@TENANT`; raises ``KekMissing``."""
    kek = keks.by_name.get(kek_name(scope))
    if kek is None:
        raise KekMissing(f"the key of {scope!r} is not here")
    store = KeyStore(engine, keks)
    uses = {key: count for key, count in store.uses().items() if database_of(key[0]) == scope}
    keysets = tuple(store.load(scope=scope).values())
    return Contents(secrets.token_hex(8), made, (kek,), keysets, (), uses, (), (), (), ())


def unchanged(engine: Engine, what: Contents, folder: Path) -> Backup | None:
    """The backup in this folder that holds the very same, where its file is there."""
    for one in reversed(_in(engine, what.keks[0].name, folder)):
        if dict(one.holds) == dict(what.holds) and Path(one.place).is_file():
            return one
    return None


def write(engine: Engine, what: Contents, folder: Path, to: age.To) -> Path:
    """A new file in the folder, in place of the tenant's older ones there; raises a ``BackupError``."""
    name = what.keks[0].name
    former = _in(engine, name, folder)
    path = folder / f"{scope_of(name)}-{what.id[:8]}{SUFFIX}"
    make(engine, what, path, to)
    for one in former:
        with contextlib.suppress(OSError):
            wipe(Path(one.place))
            Backups(engine).forget(one.id, datetime.now(UTC))
    return path


def read(content: bytes, key: age.Key) -> tuple[Contents, Keyset]:
    """What a file holds, and the key-encryption key; raises a ``BackupError``."""
    what = opened(content, key)
    if len(what.keks) != 1 or tenant_of(what.keks[0].name) is None:
        raise BackupFormatUnknown(
            "this is a backup of all keys, and not of one tenant's", hint="bring it back with `keys restore`"
        )
    return what, what.keks[0]


def end_backups(engine: Engine, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Overwrites and removes the backups of a KEK's tenant where they were written, and forgets those.

    Returns their places, and those that could not be reached or hold what others need.
    """
    register, removed, left = Backups(engine), [], []
    for one in register.holding(name):
        if _is_apart(one) and _wiped(Path(one.place)):
            register.forget(one.id, datetime.now(UTC))
            removed.append(one.place)
        else:
            left.append(f"{one.place} (backup {one.id})")
    return tuple(removed), tuple(left)


def _is_apart(backup: Backup) -> bool:
    """Whether it holds the keys of one tenant, and nothing that anybody else needs."""
    return len({tenant_of(name) for name in backup.holds} - {None}) == 1 and all(map(tenant_of, backup.holds))


def _wiped(path: Path) -> bool:
    with contextlib.suppress(OSError):
        wipe(path)
        return True
    return False


def _in(engine: Engine, name: str, folder: Path) -> list[Backup]:
    """The tenant's own backups that were written into a folder, oldest first."""
    return [
        one
        for one in Backups(engine).holding(name)
        if Path(one.place).parent == folder.resolve() and all(map(tenant_of, one.holds))
    ]
