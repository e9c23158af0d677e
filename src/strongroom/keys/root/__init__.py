"""Root keys: each wraps keysets, none ever seals a value. The port, and how a keyset is bound to its name."""

from typing import Protocol

from strongroom.protect.envelope import length_prefixed

_LABEL = "strongroom.keyset.v1"


class RootKey(Protocol):
    """What the store asks of a root: encryption with associated data, wherever its key lives."""

    def wrap(self, plaintext: bytes, associated_data: bytes) -> bytes:
        """The plaintext, encrypted."""

    def unwrap(self, wrapped: bytes, associated_data: bytes) -> bytes:
        """The plaintext again; raises ``WrongRoot``."""


def wrapping_context(keyset_name: str) -> bytes:
    """The associated data under which a keyset is wrapped, so that one cannot stand in for another."""
    return length_prefixed(_LABEL, keyset_name)
