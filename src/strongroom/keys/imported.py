"""Bringing one's own key: material that was wrapped for one import, in the form that the cloud services take.

    RSA-OAEP of a fresh AES-256 key (SHA-256, MGF1 with SHA-256, no label) ‖ AES-KWP of the material under it

That is PKCS#11's CKM_RSA_AES_KEY_WRAP, RSA_AES_KEY_WRAP_SHA_256 of AWS and RSA_OAEP_4096_SHA256_AES_256 of
Google; openssl makes it, too (docs/guides/importing-keys.md). An ``ImportToken`` is the RSA key pair, made
for one import and valid for a day: its public half goes to whoever has the key, its private half is kept by
the caller, wrapped, until the import is done, and then forgotten.

Called by ``keys import``.
"""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap_with_padding
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from strongroom.errors import Bug, KeyImportExpired, KeyImportRefused

RSA_BITS = 4_096
TRANSPORT_KEY_SIZE = 32  # octets, of the AES key between the two
MAX_MATERIAL = 1_024  # octets; the longest key of ours has 64
VALID_FOR = timedelta(days=1)
"""Long enough for somebody to go to the machine that has the key; AWS gives 24 hours, Google three days."""

_OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
_KWP_OVERHEAD = 8  # octets, and padding to a multiple of eight (RFC 5649, section 3)


@dataclass(frozen=True, slots=True)
class ImportToken:
    """What one import is made with; the private half does not print."""

    identifier: str
    expires: datetime
    _private: rsa.RSAPrivateKey = field(repr=False, compare=False)

    @classmethod
    def make(cls, now: datetime, valid_for: timedelta = VALID_FOR) -> "ImportToken":
        """A new key pair, which takes a second or so."""
        private = rsa.generate_private_key(public_exponent=65_537, key_size=RSA_BITS)
        return cls(secrets.token_hex(8), now + valid_for, private)

    @classmethod
    def restored(cls, identifier: str, expires: datetime, private: bytes) -> "ImportToken":
        """The token again, from what ``danger_private`` gave."""
        key = load_der_private_key(private, None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise Bug("the private half of an import is no RSA key")
        return cls(identifier, expires, key)

    @property
    def public(self) -> bytes:
        """The public half in PEM, as openssl and the tools of HSMs read it (RFC 7468, section 13)."""
        return self._private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def danger_private(self) -> bytes:
        """The private half (PKCS#8 in DER), which the caller must wrap before it keeps it."""
        return self._private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def unwrap(token: ImportToken, blob: bytes, now: datetime) -> bytes:
    """The key material; raises ``KeyImportExpired`` or ``KeyImportRefused``, which never says what is wrong.

    To say whether it was the padding of the one or of the other would help whoever has the blob to open it
    (J. Manger, "A Chosen Ciphertext Attack on RSA-OAEP", 2001).
    """
    if now >= token.expires:
        raise KeyImportExpired(
            f"the import {token.identifier} was to be done by {token.expires:%Y-%m-%d %H:%M}"
        )
    size = token._private.key_size // 8
    if not size < len(blob) <= size + MAX_MATERIAL + _KWP_OVERHEAD:
        raise _refused(token)
    try:
        transport = token._private.decrypt(blob[:size], _OAEP)
        if len(transport) != TRANSPORT_KEY_SIZE:
            raise _refused(token)
        return aes_key_unwrap_with_padding(transport, blob[size:])
    except (ValueError, InvalidUnwrap):  # of OAEP, and of KWP
        raise _refused(token) from None


def _refused(token: ImportToken) -> KeyImportRefused:
    return KeyImportRefused(
        f"what came is not key material that was wrapped for the import {token.identifier}",
        hint="wrap it anew with the public key of this import, as docs/guides/importing-keys.md shows",
    )
