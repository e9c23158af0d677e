"""Schemes, keysets and codecs that tests of this room share, made of nothing random."""

from datetime import UTC, datetime
from typing import Any

from strongroom.keys.model import Dek, Keyset, KeyState, KeyVersion
from strongroom.protect.plan import ColumnCodec
from strongroom.protect.scheme import Scheme

CREATED = datetime(2026, 1, 1, tzinfo=UTC)


class Counted:
    """The port that counts uses, as a list."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, int, int]] = []

    def take(self, keyset: Keyset, count: int) -> None:
        self.taken.append((keyset.name, keyset.primary, count))


def keyset_for(scheme: Scheme, key_id: int = 0x01020304) -> Keyset:
    """A keyset of one key."""
    dek = Dek(bytes(range(scheme.algorithm.key_size)), scheme.algorithm, key_id)
    version = KeyVersion(key_id, KeyState.ACTIVE, CREATED, dek)
    return Keyset(
        scheme.keyset, scheme.algorithm, scheme.context, scheme.form, scheme.pad, (version,), key_id
    )


def scheme(type_: str, encryption: str = "randomized", column: str = "public.t.c", **more: Any) -> Scheme:
    """A scheme of the database shop."""
    return Scheme.parse("shop", column, type=type_, encryption=encryption, **more)


def codec(type_: str, encryption: str = "randomized", **more: Any) -> ColumnCodec:
    """A codec for public.t.c."""
    made = scheme(type_, encryption, **more)
    return ColumnCodec(made, keyset_for(made), Counted())
