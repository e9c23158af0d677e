"""Wrapping by a key that is in our memory: what comes out is a Tink AEAD ciphertext (docs/spec/keys.md).

The nonce is drawn here and never taken from a caller. Called by ``kek.py`` for keysets and by the roots whose
key Strongroom holds itself, for key-encryption keys.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.protect.envelope import MIN_RANDOMIZED, NONCE_SIZE, PREFIX_SIZE, prefix

_NONCE_END = PREFIX_SIZE + NONCE_SIZE


class DoesNotOpen(Exception):
    """Another key, other associated data, or changed bytes; the caller says whose they were."""


def wrap(aead: AESGCM, key_id: int, plaintext: bytes, associated_data: bytes) -> bytes:
    """The plaintext under the key of this id, 33 bytes longer."""
    nonce = os.urandom(NONCE_SIZE)
    return prefix(key_id) + nonce + aead.encrypt(nonce, plaintext, associated_data)


def unwrap(aead: AESGCM, key_id: int, wrapped: bytes, associated_data: bytes) -> bytes:
    """The plaintext again; raises ``DoesNotOpen``."""
    if len(wrapped) < MIN_RANDOMIZED or not wrapped.startswith(prefix(key_id)):
        raise DoesNotOpen
    try:
        return aead.decrypt(wrapped[PREFIX_SIZE:_NONCE_END], wrapped[_NONCE_END:], associated_data)
    except InvalidTag:
        raise DoesNotOpen from None
