"""A file that is there whole or not at all, for its owner alone, and never in another one's place.

It is written under a passing name in the same folder, read back from there, and given its own name last; a
kill leaves at most the passing one, which nothing takes for a backup. Called for backups of keys and exports.
"""

import contextlib
import errno
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from strongroom.errors import BackupNotWritten, BackupPlaceRefused
from strongroom.keys.place import carried_along_by

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""What link(2) says on file systems without hard links, as those of most USB sticks."""


def refuse_place(path: Path, state_folder: Path | None) -> None:
    """Refuses a place for a file with keys before any work is done; raises ``BackupPlaceRefused``."""
    if where := carried_along_by(path, state_folder):
        raise BackupPlaceRefused(f"{path}: the file would lie {where}")
    if path.is_symlink() or path.exists():
        raise BackupPlaceRefused(f"{path}: there is a file already; it is never overwritten")
    if not path.parent.is_dir():
        raise BackupPlaceRefused(
            f"{path}: its folder does not exist", hint=f"make it: install -d -m 0700 {path.parent}"
        )


def write_new(path: Path, content: bytes, verify: Callable[[bytes], None]) -> None:
    """Makes the file, once ``verify`` has taken what was read back from the disk.

    Raises ``BackupNotWritten``, ``BackupPlaceRefused``, or what ``verify`` raises; nothing is left then.
    """
    passing = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        _write(passing, content)
        verify(passing.read_bytes())
        _give_name(passing, path)
    except OSError as error:
        raise BackupNotWritten(f"{path}: the file cannot be written: {error.strerror}") from None
    finally:
        with contextlib.suppress(OSError):
            passing.unlink()


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
        # Drops the pages that are on the disk now, so that what is read back comes from there.
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def _give_name(passing: Path, path: Path) -> None:
    """link(2) fails where the name is taken; rename(2) would replace what has it."""
    try:
        os.link(passing, path)
    except FileExistsError:
        raise BackupPlaceRefused(f"{path}: there is a file already; it is never overwritten") from None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        refuse_place(path, None)
        passing.rename(path)
    try:
        sync_folder(path.parent)
    except OSError:  # the name may not be on the disk: there must be no file that is said not to be
        path.unlink()
        raise


def sync_folder(folder: Path) -> None:
    """The name of a new file is on the disk only when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
