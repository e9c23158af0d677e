"""``file:`` root: a key in a file that only Strongroom's user can read.

The file is a Tink keyset in JSON with one AES256_GCM key, and what it wraps is a Tink AEAD ciphertext; so the
file, a copy of the wrapped keysets and stock Tink bring every key back. A file that others can read, that
lies in the state's folder or in a git work tree is refused (design, rule 7): the root must not be copied
along with what it protects. Opened by the shell at start.
"""

import json
import os
import stat
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.errors import InvalidKeyset, RootKeyInvalid, RootKeyMissing, RootKeyUnsafe, WrongRoot
from strongroom.keys import tink, wrapping
from strongroom.keys.generate import new_key_id
from strongroom.keys.model import Algorithm
from strongroom.keys.new_file import sync_folder
from strongroom.keys.place import carried_along_by

MAX_FILE_SIZE = 65_536  # bytes; a keyset of one key has about 300


class FileRoot:
    """A root key that was read from a file; prints as ``<FileRoot 1f2e3d4c>``, its key id."""

    __slots__ = ("_aead", "key_id")

    def __init__(self, material: bytes, key_id: int) -> None:
        self._aead = AESGCM(material)
        self.key_id = key_id

    def __repr__(self) -> str:
        return f"<FileRoot {self.key_id:08x}>"

    @classmethod
    def open(cls, path: Path, state_folder: Path | None, *, accept_unsafe_place: bool = False) -> "FileRoot":
        """The root in the file; raises ``RootKeyMissing``, ``RootKeyUnsafe`` or ``RootKeyInvalid``.

        ``accept_unsafe_place`` is for ``demo`` alone, whose state, root and tree are thrown away.
        """
        if not accept_unsafe_place:
            _refuse_unsafe_place(path, state_folder)
        return cls(*_parsed(path, _read_private(path)))

    @classmethod
    def create(
        cls, path: Path, state_folder: Path | None, *, accept_unsafe_place: bool = False
    ) -> "FileRoot":
        """Makes the file with a new key, on the disk before this returns; raises ``RootKeyUnsafe``."""
        if not accept_unsafe_place:
            _refuse_unsafe_place(path, state_folder)
        material, key_id = os.urandom(Algorithm.AES256_GCM.key_size), new_key_id()
        written = tink.keyset_json(Algorithm.AES256_GCM, key_id, [(key_id, material, True)])
        _write_private(path, json.dumps(written, indent=1).encode() + b"\n")
        return cls(material, key_id)

    @property
    def name(self) -> str:
        """The provider and the key's id."""
        return f"file {self.key_id:08x}"

    def wrap(self, plaintext: bytes, associated_data: bytes) -> bytes:
        """The plaintext as a Tink AEAD ciphertext."""
        return wrapping.wrap(self._aead, self.key_id, plaintext, associated_data)

    def unwrap(self, wrapped: bytes, associated_data: bytes) -> bytes:
        """The plaintext; raises ``WrongRoot``."""
        try:
            return wrapping.unwrap(self._aead, self.key_id, wrapped, associated_data)
        except wrapping.DoesNotOpen:
            raise WrongRoot(
                "a wrapped key does not open under the root key file: it was changed, or another wrapped it",
                hint="put back the root key file that was in use, or restore what it wrapped from a backup",
            ) from None


def _refuse_unsafe_place(path: Path, state_folder: Path | None) -> None:
    if where := carried_along_by(path, state_folder):
        raise RootKeyUnsafe(
            f"{path}: the root key lies {where}",
            hint="move it to a folder of its own, as /etc/strongroom, and name that in keys: root:",
        )


def _read_private(path: Path) -> bytes:
    try:
        # Without O_NONBLOCK the opening of a FIFO waits for somebody to write (manual page open(2)).
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise RootKeyMissing(
            f"{path}: there is no root key file",
            hint="restore it from where you keep it; without it nothing that it wrapped can be opened",
        ) from None
    except OSError as error:
        raise RootKeyUnsafe(
            f"{path}: the root key cannot be read: {error.strerror}",
            hint="let Strongroom's user own it",
        ) from None
    try:
        _refuse_shared(path, os.fstat(descriptor))
        return os.read(descriptor, MAX_FILE_SIZE)
    finally:
        os.close(descriptor)


def _refuse_shared(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise RootKeyUnsafe(f"{path}: the root key is not a regular file", hint="name the file itself")
    if status.st_uid != os.geteuid():
        raise RootKeyUnsafe(
            f"{path}: the root key belongs to another user", hint=f"Run: chown {os.geteuid()} {path}"
        )
    if status.st_mode & 0o077:
        raise RootKeyUnsafe(f"{path}: others may read the root key", hint=f"Run: chmod 0600 {path}")


def _parsed(path: Path, written: bytes) -> tuple[bytes, int]:
    try:
        primary, keys = tink.read_keyset(Algorithm.AES256_GCM, json.loads(written))
    except (InvalidKeyset, ValueError):
        raise RootKeyInvalid(f"{path}: this is not a root key", hint="restore it from its copy") from None
    match [(material, key_id) for key_id, material, usable in keys if key_id == primary and usable]:
        case [only]:
            return only
    raise RootKeyInvalid(f"{path}: the root key file has no primary key", hint="restore it from its copy")


def _write_private(path: Path, content: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise RootKeyUnsafe(f"{path}: there is a file already", hint="it is never overwritten") from None
    except OSError as error:
        raise RootKeyUnsafe(
            f"{path}: the root key cannot be made there: {error.strerror}",
            hint=f"make the folder first: install -d -m 0700 {path.parent}",
        ) from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    sync_folder(path.parent)
