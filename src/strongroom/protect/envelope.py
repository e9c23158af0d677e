"""The outer bytes of a sealed value, and the associated data that binds it to its column.

A sealed value is a Tink ciphertext with Tink's TINK prefix: ``0x01 ‖ key id (4, big endian)``, then what
the algorithm makes of it; docs/spec/ciphertext.md is normative. Called by ``randomized.py``,
``deterministic.py``, ``check.py`` and ``keys/``, for which the associated data is the keyset's context.
"""

import struct

from strongroom.errors import TruncatedCiphertext, UnknownKey, UnknownVersion
from strongroom.keys.model import Context

VERSION = 0x01  # Tink's wire format, "TINK" output prefix
PREFIX_SIZE = 5
NONCE_SIZE = 12
TAG_SIZE = 16  # of AES-GCM; the synthetic IV of AES-SIV has the same size
MIN_RANDOMIZED = PREFIX_SIZE + NONCE_SIZE + TAG_SIZE
MIN_DETERMINISTIC = PREFIX_SIZE + TAG_SIZE

PLAINTEXT_HINT = "the column holds bytes that Strongroom did not write; look for writers that go around it"
WRONG_TAG_HINT = "it was changed in the database, or copied from another column; restore it from a backup"
TENANT_HINT = (
    "the session is another tenant's, or the key was withdrawn or destroyed:"
    " `strongroom keys tenants list` says which are here"
)
UNKNOWN_KEY_HINT = "was the value copied from another column, or the state restored from an older backup?"

_PREFIX = struct.Struct(">BI")
_LABEL = "strongroom.column.v1"


def prefix(key_id: int) -> bytes:
    """The five bytes before every value sealed under this key."""
    return _PREFIX.pack(VERSION, key_id)


def key_id_of(sealed: bytes) -> int:
    """The id of the key that a value names; raises ``TruncatedCiphertext`` or ``UnknownVersion``."""
    if len(sealed) < PREFIX_SIZE:
        raise TruncatedCiphertext("a stored value is shorter than any sealed one", hint=PLAINTEXT_HINT)
    version, key_id = _PREFIX.unpack_from(sealed)
    if version != VERSION:
        raise UnknownVersion("a stored value does not begin as a sealed one does", hint=PLAINTEXT_HINT)
    return int(key_id)


def unknown_key(keyset: str, key_id: int, *, of_tenants: bool = False) -> UnknownKey:
    """The error for a value that names a key which its column's keyset does not have, or may not use."""
    if of_tenants:
        return UnknownKey(
            f"a stored value of {keyset!r} is another tenant's, or its key is not here ({key_id:08x})",
            hint=TENANT_HINT,
        )
    return UnknownKey(
        f"a stored value names key {key_id:08x}, which keyset {keyset!r} cannot use", hint=UNKNOWN_KEY_HINT
    )


def associated_data(context: Context) -> bytes:
    """The context as bytes: a label, the four names, then pairs of a word and its value.

    INVARIANT: injective. Each part is preceded by its length (4, big endian), so that no two contexts
    give the same bytes; the pairs at the end leave room for more than the tenant.
    """
    parts = [_LABEL, context.database, context.schema, context.table, context.column]
    if context.tenant is not None:
        parts += ["tenant", context.tenant]
    return length_prefixed(*parts)


def length_prefixed(*parts: str) -> bytes:
    """Strings as UTF-8, each after its length in bytes (4, big endian)."""
    encoded = [part.encode() for part in parts]
    return b"".join(struct.pack(">I", len(part)) + part for part in encoded)
