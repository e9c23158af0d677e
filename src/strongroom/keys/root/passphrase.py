"""``passphrase:`` root: a key made of a passphrase by Argon2id (RFC 9106), for those who have no key service.

What it wraps begins with the parameters and the salt, as a PHC string without its hash, then a newline, then
a Tink AEAD ciphertext; so the passphrase and a copy of what was wrapped are enough, and nothing else need be
kept. The salt is drawn once, and found again in what was wrapped before. Opened by ``opening.py``.
"""

import contextlib
import os
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from strongroom.errors import RootKeyUnsafe, WrongRoot
from strongroom.keys import wrapping
from strongroom.keys.kek import WrappedKek
from strongroom.keys.root import wrapping_context
from strongroom.secret import Secret

KIND = "passphrase"
MIN_LENGTH = 12  # characters; NIST SP 800-63B asks for 15 where nothing else limits the guessing, or 8 with
SALT_SIZE = 16  # bytes (RFC 9106, section 3.1)
# The second recommended choice of RFC 9106, section 4: 64 MiB, three passes, four lanes.
MEMORY_KIB, PASSES, LANES = 65_536, 3, 4
# What a header may ask for at most: it stands in the database, and must not make us use all memory.
MAX_MEMORY_KIB, MAX_PASSES, MAX_LANES = 1 << 20, 16, 16

_HEADER = re.compile(
    rb"\$argon2id\$v=19\$m=([0-9]{1,7}),t=([0-9]{1,2}),p=([0-9]{1,2})\$([A-Za-z0-9+/]{22})\n"
)


@dataclass(frozen=True, slots=True)
class Parameters:
    """How the key is made of the passphrase."""

    salt: bytes
    memory_kib: int = MEMORY_KIB
    passes: int = PASSES
    lanes: int = LANES

    @property
    def header(self) -> bytes:
        """The PHC string without its hash, and a newline."""
        salt = b64encode(self.salt).rstrip(b"=").decode()
        return f"$argon2id$v=19$m={self.memory_kib},t={self.passes},p={self.lanes}${salt}\n".encode()


class PassphraseRoot:
    """A root key made of a passphrase; prints as ``<PassphraseRoot 1f2e3d4c>``, after its salt."""

    __slots__ = ("_aead", "_key_id", "_parameters")

    def __init__(self, passphrase: Secret, parameters: Parameters) -> None:
        self._parameters = parameters
        self._key_id = int.from_bytes(parameters.salt[:4]) or 1
        self._aead = AESGCM(_derived(passphrase, parameters))

    def __repr__(self) -> str:
        return f"<PassphraseRoot {self._key_id:08x}>"

    @classmethod
    def open(cls, passphrase: Secret, kept: Iterable[WrappedKek]) -> "PassphraseRoot":
        """The root that opens what a passphrase wrapped before; a new one where none ever did.

        Raises ``WrongRoot`` if it opens nothing of that: a mistyped passphrase must not become a root.
        """
        wraps = [
            (row.name, wrapped)
            for row in kept
            for root, wrapped in row.wraps.items()
            if root.partition(" ")[0] == KIND
        ]
        if not wraps:
            return cls.new(passphrase)
        tried: set[Parameters] = set()
        for name, wrapped in wraps:
            parameters = parameters_of(wrapped)
            if parameters not in tried:
                tried.add(parameters)
                root = cls(passphrase, parameters)
                with contextlib.suppress(WrongRoot):
                    root.unwrap(wrapped, wrapping_context(name))
                    return root
        raise _wrong()

    @classmethod
    def new(cls, passphrase: Secret) -> "PassphraseRoot":
        """A new root; raises ``RootKeyUnsafe`` for a short passphrase."""
        if len(passphrase.danger_reveal()) < MIN_LENGTH:
            raise RootKeyUnsafe(
                f"the passphrase of the root key has fewer than {MIN_LENGTH} characters",
                hint="take five or six words that nobody would put together",
            )
        return cls(passphrase, Parameters(os.urandom(SALT_SIZE)))

    @property
    def name(self) -> str:
        """The provider and the beginning of the salt."""
        return f"{KIND} {self._key_id:08x}"

    def wrap(self, plaintext: bytes, associated_data: bytes) -> bytes:
        """Parameters, salt and ciphertext."""
        sealed = wrapping.wrap(self._aead, self._key_id, plaintext, associated_data)
        return self._parameters.header + sealed

    def unwrap(self, wrapped: bytes, associated_data: bytes) -> bytes:
        """The plaintext; raises ``WrongRoot``."""
        header = self._parameters.header
        try:
            if not wrapped.startswith(header):
                raise wrapping.DoesNotOpen
            return wrapping.unwrap(self._aead, self._key_id, wrapped[len(header) :], associated_data)
        except wrapping.DoesNotOpen:
            raise _wrong() from None


def parameters_of(wrapped: bytes) -> Parameters:
    """The parameters with which a key was wrapped; raises ``WrongRoot``."""
    found = _HEADER.match(wrapped)
    if found is not None:
        memory, passes, lanes = (int(number) for number in found.groups()[:3])
        if (
            8 * MAX_LANES <= memory <= MAX_MEMORY_KIB
            and 1 <= passes <= MAX_PASSES
            and 1 <= lanes <= MAX_LANES
        ):
            return Parameters(b64decode(found[4] + b"=="), memory, passes, lanes)
    raise WrongRoot(
        "a key wrapped by a passphrase does not say how, or in a way that is not accepted",
        hint="restore the wrapped keys from a backup",
    )


def _wrong() -> WrongRoot:
    return WrongRoot(
        "the passphrase of the root key is wrong, or what it wrapped was changed",
        hint="try the passphrase again; if it is right, restore the wrapped keys from a backup",
    )


def _derived(passphrase: Secret, parameters: Parameters) -> bytes:
    return Argon2id(
        salt=parameters.salt,
        length=32,
        iterations=parameters.passes,
        lanes=parameters.lanes,
        memory_cost=parameters.memory_kib,
    ).derive(passphrase.danger_reveal().encode())
