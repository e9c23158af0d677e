"""Sealing where equal values must not look equal: AES-256-GCM with a nonce drawn for each value.

The bytes are those of Tink's AES256_GCM with its TINK prefix (docs/spec/ciphertext.md). The nonce is drawn
here and never taken from a caller; ``_seal`` serves the vectors. Called by ``plan.py``.
"""

import os
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.errors import TruncatedCiphertext, WrongTag
from strongroom.keys.model import Keyset
from strongroom.protect.envelope import (
    MIN_RANDOMIZED,
    NONCE_SIZE,
    PLAINTEXT_HINT,
    PREFIX_SIZE,
    WRONG_TAG_HINT,
    associated_data,
    key_id_of,
    prefix,
    unknown_key,
)

_NONCE_END = PREFIX_SIZE + NONCE_SIZE


class Randomized:
    """Seals under the newest key of the first keyset, and opens under those of all; ``name`` is for errors.

    Several are those of tenants: their keys have ids of their own. The ciphers are made once.
    """

    __slots__ = ("_by_prefix", "_name", "_of_tenants", "_sealing")

    def __init__(self, *keysets: Keyset, name: str = "", of_tenants: bool = False) -> None:
        self._of_tenants = of_tenants
        self._name = name or keysets[0].name
        self._by_prefix: Mapping[bytes, tuple[AESGCM, bytes]] = {
            prefix(version.key_id): (version.dek.aead(), associated_data(keyset.context))
            for keyset in keysets
            for version in keyset.opening
            if version.dek is not None
        }
        primary = prefix(keysets[0].primary) if keysets else b""
        self._sealing = (primary, *self._by_prefix[primary]) if keysets else None

    def seal(self, plaintext: bytes) -> bytes:
        """The sealed value, 33 bytes longer than the plaintext."""
        return self._seal(os.urandom(NONCE_SIZE), plaintext)

    def open(self, sealed: bytes) -> bytes:
        """The plaintext; raises a subclass of ``InvalidCiphertext``."""
        known = self._by_prefix.get(sealed[:PREFIX_SIZE])
        if known is None:
            raise unknown_key(self._name, key_id_of(sealed), of_tenants=self._of_tenants)
        if len(sealed) < MIN_RANDOMIZED:
            raise TruncatedCiphertext("a stored value is shorter than any sealed one", hint=PLAINTEXT_HINT)
        try:
            cipher, associated = known
            return cipher.decrypt(sealed[PREFIX_SIZE:_NONCE_END], sealed[_NONCE_END:], associated)
        except InvalidTag:
            raise WrongTag("a stored value does not open under its key", hint=WRONG_TAG_HINT) from None

    def _seal(self, nonce: bytes, plaintext: bytes) -> bytes:
        assert self._sealing is not None  # what has no keyset opens nothing, and seals nothing
        primary, cipher, associated = self._sealing
        return primary + nonce + cipher.encrypt(nonce, plaintext, associated)
