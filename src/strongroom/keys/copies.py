"""The folder of tenants' key-encryption keys: their only copy outside the state, so that it can be destroyed.

A file for each, as the configured roots wrapped it. It is whole or not there, on the disk before anything is
wrapped by the key, and for its owner alone. What is replaced or destroyed is overwritten first, as far as the
file system writes in place (docs/spec/keys.md, "Tenants"). Called by ``gateway/tenants.py`` and the commands.
"""

import contextlib
import fcntl
import json
import os
import re
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from strongroom.errors import InvalidKeyset, TenantPlaceRefused
from strongroom.keys.kek import WrappedKek, scope_of, wraps_of, wraps_text
from strongroom.keys.new_file import sync_folder
from strongroom.keys.place import carried_along_by

FORMAT = "strongroom tenant key 1"
_SUFFIX = ".kek.json"
_PLAIN = re.compile(r"[^A-Za-z0-9@._:+-]")


class Copies:
    """One folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def open(cls, folder: Path, state_folder: Path) -> "Copies":
        """The folder, if it is a safe one; raises ``TenantPlaceRefused``."""
        if where := carried_along_by(folder / "any", state_folder):
            raise TenantPlaceRefused(f"{folder}: the folder of tenants' keys lies {where}")
        if not folder.is_dir():
            raise TenantPlaceRefused(f"{folder}: the folder of tenants' keys is not there")
        status = folder.stat()
        if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise TenantPlaceRefused(
                f"{folder}: others may enter the folder of tenants' keys",
                hint=f"Run: chmod 0700 {folder}",
            )
        return cls(folder)

    def path(self, name: str) -> Path:
        """The file of a KEK of this name."""
        plain = _PLAIN.sub(lambda found: f"%{ord(found[0]):x}", scope_of(name))
        return self._folder / f"{plain}{_SUFFIX}"

    def read(self, name: str) -> WrappedKek | None:
        """The copy of a KEK; raises ``TenantPlaceRefused`` where there is one that cannot be read."""
        path = self.path(name)
        try:
            row = _read(path)
        except FileNotFoundError:
            return None
        if row.name != name:
            raise TenantPlaceRefused(
                f"{path}: this is the copy of {row.name!r}", hint="Give it its own name."
            )
        return row

    def all(self) -> tuple[list[WrappedKek], list[str]]:
        """Every copy, and why others cannot be read: one tenant's is no reason to keep others from theirs."""
        rows, damaged = [], []
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            try:
                row = _read(path)
                if self.path(row.name) != path:
                    raise TenantPlaceRefused(f"{path}: this is the copy of {row.name!r}")
                rows.append(row)
            except TenantPlaceRefused as error:
                damaged.append(error.message)
        return rows, damaged

    def write(self, row: WrappedKek) -> None:
        """Keeps a copy in place of an older one; an older revision never replaces a newer one."""
        with self._alone():
            self._write(row)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """While nobody else writes here: of two at once, the second must see what the first has written."""
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _write(self, row: WrappedKek) -> None:
        path, passing = self.path(row.name), self._folder / f".{secrets.token_hex(8)}.part"
        try:
            before = self.read(row.name)
        except TenantPlaceRefused:
            before = None  # damaged: what is written now takes its place
        if before is not None and before.revision >= row.revision:
            return
        try:
            _write(passing, _written(row))
            if not path.exists():
                _link_new(passing, path)
            else:
                _replace(passing, path)
            sync_folder(self._folder)
        except OSError as error:
            raise TenantPlaceRefused(f"{path}: the copy cannot be written: {error.strerror}") from None
        finally:
            with contextlib.suppress(OSError):
                passing.unlink()

    def destroy(self, name: str) -> bool:
        """Overwrites and removes the copy of a KEK; whether there was one."""
        path = self.path(name)
        try:
            wipe(path)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise TenantPlaceRefused(f"{path}: the copy cannot be removed: {error.strerror}") from None
        return True


def wipe(path: Path) -> None:
    """Overwrites a file and removes it; raises ``OSError``."""
    with path.open("r+b") as file:
        _zero(file)
    path.unlink()
    sync_folder(path.parent)


def _read(path: Path) -> WrappedKek:
    try:
        found = json.loads(path.read_bytes())
        if found["format"] != FORMAT:
            raise TenantPlaceRefused(f"{path}: this is not a copy of a key in the form that is known here")
        return WrappedKek(str(found["name"]), int(found["revision"]), wraps_of(json.dumps(found["wraps"])))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise TenantPlaceRefused(f"{path}: the copy cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, RecursionError, InvalidKeyset):
        raise TenantPlaceRefused(
            f"{path}: this is not a copy of a key that Strongroom wrote",
            hint="Remove it: where the state has the key, the next start writes it again.",
        ) from None


def _written(row: WrappedKek) -> bytes:
    wraps = json.loads(wraps_text(row.wraps))
    document = {"format": FORMAT, "name": row.name, "revision": row.revision, "wraps": wraps}
    return json.dumps(document, indent=1).encode() + b"\n"


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _link_new(passing: Path, path: Path) -> None:
    """Who came first stays: the caller reads back what counts."""
    with contextlib.suppress(FileExistsError):
        os.link(passing, path)


def _replace(passing: Path, path: Path) -> None:
    """What has the name now is overwritten once the new file has it."""
    with path.open("r+b") as former:
        passing.replace(path)
        _zero(former)


def _zero(file: Any) -> None:
    """Zeroes in place of the content, on the disk when this returns."""
    length = os.fstat(file.fileno()).st_size
    file.seek(0)
    file.write(bytes(length))
    file.flush()
    os.fsync(file.fileno())
