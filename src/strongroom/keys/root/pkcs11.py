"""``pkcs11:`` root: an AES key that never leaves a hardware security module, or another PKCS#11 token.

What is wrapped is one octet of format, a nonce, and AES-256-GCM ciphertext and tag, made inside the token by
CKM_AES_GCM with the caller's associated data. The vendor's module runs in a process of its own, started for
each call and bounded in time (`pkcs11_errand`): it can hang or crash without the gateway, keeps no login, and
a token that was taken out and put back is simply found again. A root is called at start, at reload and at
rotation, so the tenth of a second that a process takes does not matter.

A wrong PIN counts towards the locking of the token: in the life of a process none is given to the same
token twice. Opened by ``opening``.
"""

import os
import re
import stat
from pathlib import Path
from typing import Literal

from strongroom.config.pkcs11_uri import Pkcs11Address
from strongroom.errors import (
    Bug,
    PinRefused,
    RootKeyUnsafe,
    RootRefused,
    WrongRoot,
)
from strongroom.keys.root.pkcs11_errand import Errand, run
from strongroom.secret import Secret

MAX_PLAINTEXT = 65_536  # octets; a wrapped key-encryption key has some 500
MAX_PIN_FILE = 4_096
FORMAT = b"\x01"
_MIN_WRAPPED = len(FORMAT) + 12 + 16  # with nonce and tag
_PIN = re.compile(r"[^\x00-\x1f\x7f]+")

_refused: set[tuple[Path, tuple[tuple[str, str], ...], Secret]] = set()
"""PINs that a token refused; each try counts towards its locking."""


class Pkcs11Root:
    """A root key in a token."""

    __slots__ = ("_address",)

    def __init__(self, address: Pkcs11Address) -> None:
        self._address = address

    def __repr__(self) -> str:
        return f"<Pkcs11Root {self.name}>"

    @classmethod
    def open(cls, address: Pkcs11Address) -> "Pkcs11Root":
        """The root, once the token has shown that the key is there and may serve; raises a ``RootError``."""
        root = cls(address)
        root._send("check")
        return root

    @classmethod
    def create(cls, address: Pkcs11Address) -> "Pkcs11Root":
        """Makes the key in the token, where it stays; raises ``RootRefused`` if it is there."""
        root = cls(address)
        root._send("make")
        return cls.open(address)

    @property
    def name(self) -> str:
        """The token and the key in it."""
        return self._address.name

    def wrap(self, plaintext: bytes, associated_data: bytes) -> bytes:
        """The plaintext, encrypted in the token; raises a ``RootError``."""
        if len(plaintext) > MAX_PLAINTEXT:
            raise Bug(f"a root key wraps at most {MAX_PLAINTEXT} octets")
        return FORMAT + self._send("wrap", plaintext, associated_data)

    def unwrap(self, wrapped: bytes, associated_data: bytes) -> bytes:
        """The plaintext; raises ``WrongRoot`` where it does not open, or another ``RootError``."""
        if not wrapped.startswith(FORMAT) or len(wrapped) < _MIN_WRAPPED:
            raise WrongRoot(
                "a wrapped key is not in the form in which PKCS#11 roots wrap",
                hint="name the root that was in use when it was made",
            )
        return self._send("unwrap", wrapped[len(FORMAT) :], associated_data)

    def _send(
        self,
        what: Literal["check", "make", "wrap", "unwrap"],
        data: bytes = b"",
        associated_data: bytes = b"",
    ) -> bytes:
        address = self._address
        pin = _read_pin(address.pin) if isinstance(address.pin, Path) else address.pin
        again = (address.module, address.token, pin)
        if again in _refused:
            raise PinRefused("the PKCS#11 token refused this PIN before, and is not asked again")
        errand = Errand(
            what=what,
            module=str(address.module),
            token=address.token,
            label=address.label,
            identifier=address.identifier,
            pin=pin,
            name=address.name,
            data=data,
            associated_data=associated_data,
        )
        try:
            return run(errand)
        except PinRefused:
            _refused.add(again)
            raise


def _read_pin(path: Path) -> Secret:
    """The PIN in a file of ours, without the newline that editors write.

    What cannot be a PIN is not given to the token, which would count it.
    """
    try:
        # Without O_NONBLOCK the opening of a FIFO waits for somebody to write (manual page open(2)).
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise RootRefused(
            f"{path}: the PIN cannot be read: {error.strerror}", hint="name its file in pin-source="
        ) from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_mode & stat.S_IRWXO:
            raise RootKeyUnsafe(
                f"{path}: the PIN is not in a file that others cannot read", hint=f"Run: chmod 0600 {path}"
            )
        octets = file.read(MAX_PIN_FILE + 1)
    pin = octets.decode(errors="replace").removesuffix("\n").removesuffix("\r")
    if len(octets) > MAX_PIN_FILE or "\ufffd" in pin or not _PIN.fullmatch(pin):
        raise RootRefused(f"{path}: there is no PIN in it", hint="write the PIN alone into the file")
    return Secret(pin)
