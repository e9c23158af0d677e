"""Sealing where equal values must look equal, so that the database can compare them: AES-256-SIV, RFC 5297.

The bytes are those of Tink's AES256_SIV with its TINK prefix (docs/spec/ciphertext.md).
Called by ``plan.py``.
"""

from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from strongroom.errors import TruncatedCiphertext, WrongTag
from strongroom.keys.model import Keyset
from strongroom.protect.envelope import (
    MIN_DETERMINISTIC,
    PLAINTEXT_HINT,
    PREFIX_SIZE,
    WRONG_TAG_HINT,
    associated_data,
    key_id_of,
    prefix,
    unknown_key,
)


class Deterministic:
    """Seals and opens under the keys of one keyset; its ciphers are made once."""

    __slots__ = ("_associated", "_by_prefix", "_keyset", "_primary")

    def __init__(self, keyset: Keyset) -> None:
        self._keyset = keyset
        self._associated = [associated_data(keyset.context)]
        self._by_prefix: Mapping[bytes, AESSIV] = {
            prefix(version.key_id): version.dek.deterministic_aead()
            for version in keyset.opening
            if version.dek is not None
        }
        self._primary = prefix(keyset.primary)

    def seal(self, plaintext: bytes) -> bytes:
        """The sealed value, 21 bytes longer than the plaintext and the same each time."""
        return self._primary + self._by_prefix[self._primary].encrypt(plaintext, self._associated)

    def open(self, sealed: bytes) -> bytes:
        """The plaintext; raises a subclass of ``InvalidCiphertext``."""
        cipher = self._by_prefix.get(sealed[:PREFIX_SIZE])
        if cipher is None:
            raise unknown_key(self._keyset.name, key_id_of(sealed))
        if len(sealed) < MIN_DETERMINISTIC:
            raise TruncatedCiphertext("a stored value is shorter than any sealed one", hint=PLAINTEXT_HINT)
        try:
            return cipher.decrypt(sealed[PREFIX_SIZE:], self._associated)
        except InvalidTag:
            raise WrongTag("a stored value does not open under its key", hint=WRONG_TAG_HINT) from None
