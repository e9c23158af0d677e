"""Pseudonyms: what the mask ``hash`` puts in place of a value, the same for the same value.

HMAC-SHA-256 of the canonical plaintext under a key of its own (docs/spec/masks.md, "Pseudonyms"): without it
who knows the possible values could try them all. The kernel does the same for text. Called by ``masking.py``.
"""

import hmac
from collections.abc import Callable

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from strongroom.errors import IllegalTransition, InvalidMask
from strongroom.keys.model import ExportCapability
from strongroom.protect.envelope import length_prefixed
from strongroom.wire.postgres import types

KEY_SIZE = 32
LABEL = "strongroom.mask.hash.v1"

_UUID_VERSION = 0x8  # RFC 9562, section 5.8: of no one's making but its maker's
_UUID_VARIANT = 0b10


class PseudonymKey:
    """The key of the pseudonyms of one or more columns; prints as ``<PseudonymKey>``."""

    __slots__ = ("_material",)

    def __init__(self, material: bytes) -> None:
        if len(material) != KEY_SIZE:
            raise InvalidMask(f"the key of a hash has {KEY_SIZE} bytes")
        self._material = material

    @classmethod
    def derive(cls, secret: bytes, *context: str) -> "PseudonymKey":
        """The key for this context, by HKDF-SHA-256 (RFC 5869) of a uniformly random secret.

        Values can be compared wherever the context is the same: a database, and a column or one of several.
        Raises ``InvalidMask`` for a secret of fewer than 32 bytes.
        """
        if len(secret) < KEY_SIZE:
            raise InvalidMask(f"the secret behind a hash has {KEY_SIZE} bytes at least")
        info = length_prefixed(LABEL, *context)
        return cls(HKDF(SHA256(), KEY_SIZE, salt=None, info=info).derive(secret))

    def danger_material(self, capability: ExportCapability) -> bytes:
        """The key itself, for the kernel's masks alone."""
        if not isinstance(capability, ExportCapability):
            raise IllegalTransition("key material leaves only against an ExportCapability")
        return self._material

    def __repr__(self) -> str:
        return "<PseudonymKey>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PseudonymKey):
            return NotImplemented
        return hmac.compare_digest(self._material, other._material)

    def __hash__(self) -> int:
        return hash(self._material)

    def __reduce__(self) -> str:
        raise IllegalTransition("a key is never pickled", hint="derive it again")

    def digest(self, canonical: bytes) -> bytes:
        """32 bytes that stand for the value."""
        return hmac.digest(self._material, canonical, "sha256")


def pseudonyms(key: PseudonymKey, oid: int) -> Callable[[bytes], bytes]:
    """From canonical bytes to those of a pseudonym of the same type: bytea, uuid or bigint."""
    match oid:
        case types.UUID:
            return lambda canonical: _uuid(key.digest(canonical)[:16])
        case types.INT8:  # not negative, as identifiers are
            return lambda canonical: (int.from_bytes(key.digest(canonical)[:8]) >> 1).to_bytes(8)
    return lambda canonical: key.digest(canonical)[:16]


def _uuid(octets: bytes) -> bytes:
    bits = bytearray(octets)
    bits[6] = bits[6] & 0x0F | _UUID_VERSION << 4
    bits[8] = bits[8] & 0x3F | _UUID_VARIANT << 6
    return bytes(bits)
