"""Messages and sealed values for the tests of this room."""

import struct
from collections.abc import Sequence

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV

PREFIX = b"\x01\x01\x02\x03\x04"
OLDER = b"\x01\x00\x00\x00\x07"
ASSOCIATED = b"a context"
KEYS = {  # (the octets before a value, material)
    "randomized": [(OLDER, bytes(range(1, 33))), (PREFIX, bytes(range(32)))],
    "deterministic": [(OLDER, bytes(range(1, 65))), (PREFIX, bytes(range(64)))],
}
OPENING = {algorithm: [(prefix, key, ASSOCIATED) for prefix, key in keys] for algorithm, keys in KEYS.items()}
"""The same as openers take them."""
NONCE = bytes(range(12))


def message(tag: bytes, body: bytes = b"") -> bytes:
    """A message."""
    return tag + struct.pack(">I", len(body) + 4) + body


def row(*values: bytes | None) -> bytes:
    """A DataRow message."""
    fields = b"".join(b"\xff\xff\xff\xff" if v is None else struct.pack(">i", len(v)) + v for v in values)
    return message(b"D", struct.pack(">H", len(values)) + fields)


def bind(
    portal: bytes = b"",
    statement: bytes = b"",
    formats: Sequence[int] = (),
    values: Sequence[bytes | None] = (),
    result_formats: Sequence[int] = (),
) -> bytes:
    """The body of a Bind."""
    parts = [portal, b"\0", statement, b"\0", struct.pack(f">H{len(formats)}H", len(formats), *formats)]
    parts.append(struct.pack(">H", len(values)))
    parts += [b"\xff\xff\xff\xff" if v is None else struct.pack(">i", len(v)) + v for v in values]
    parts.append(struct.pack(f">H{len(result_formats)}H", len(result_formats), *result_formats))
    return b"".join(parts)


def sealed(algorithm: str, canonical: bytes, prefix: bytes = PREFIX) -> bytes:
    """A sealed value, made by ``cryptography``, which neither twin's author wrote."""
    key = dict(KEYS[algorithm])[prefix]
    if algorithm == "randomized":
        return prefix + NONCE + AESGCM(key).encrypt(NONCE, canonical, ASSOCIATED)
    return prefix + AESSIV(key).encrypt(canonical, [ASSOCIATED])


def hexed(value: bytes) -> bytes:
    """A bytea as text."""
    return b"\\x" + value.hex().encode()


def unsealed(algorithm: str, stored: bytes) -> bytes:
    """What is in a value that was sealed under the primary key, opened by ``cryptography``."""
    key = dict(KEYS[algorithm])[stored[:5]]
    if algorithm == "randomized":
        return AESGCM(key).decrypt(stored[5:17], stored[17:], ASSOCIATED)
    return AESSIV(key).decrypt(stored[5:], [ASSOCIATED])
