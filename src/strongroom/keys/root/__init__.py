"""Root keys: each wraps key-encryption keys, none ever a keyset or a value.

The port that every provider implements, and how what is wrapped is bound to its name. A root is called at
start, at reload and when a key-encryption key is rotated; no query ever waits for one.
"""

from typing import Protocol

from strongroom.protect.envelope import length_prefixed

_LABEL = "strongroom.kek.v1"


class RootKey(Protocol):
    """What the hierarchy asks of a root: encryption with associated data, wherever its key lives."""

    @property
    def name(self) -> str:
        """Which key this is, for people, and kept beside what it wraps; the same after each start."""

    def wrap(self, plaintext: bytes, associated_data: bytes) -> bytes:
        """The plaintext, encrypted; raises a ``RootError``."""

    def unwrap(self, wrapped: bytes, associated_data: bytes) -> bytes:
        """The plaintext again; raises ``WrongRoot`` where it does not open, or another ``RootError``."""


def wrapping_context(kek_name: str) -> bytes:
    """The associated data under which a KEK is wrapped, so that one cannot stand in for another."""
    return length_prefixed(_LABEL, kek_name)
