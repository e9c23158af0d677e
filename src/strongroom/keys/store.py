"""Keysets in the state database, wrapped by the root; and how often each key has been used.

A keyset is taken into the state once it stands beside the data, and is on the disk before the first value is
sealed. Several processes share the state; each transaction is a write transaction (BEGIN IMMEDIATE), so that
of two that take over a keyset the second finds it there. Called by the shell at start and by ``uses.py``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Engine,
    Integer,
    LargeBinary,
    Table,
    Text,
    delete,
    select,
    update,
)
from sqlalchemy.engine import Connection

from strongroom.errors import KeyUsesSpent, WrongRoot
from strongroom.keys import document
from strongroom.keys.model import ExportCapability, Keyset
from strongroom.keys.root import RootKey, wrapping_context
from strongroom.state import metadata

_keysets = Table(
    "keysets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created", DateTime, nullable=False),
)
_key_uses = Table(
    "key_uses",
    metadata,
    Column("keyset", Text, primary_key=True),
    Column("key_id", BigInteger, primary_key=True, autoincrement=False),
    Column("reserved", BigInteger, nullable=False),
)


_retired = Table(
    "retired_keysets",
    metadata,
    Column("name", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created", DateTime, nullable=False),
)
"""Keysets of columns that were unprotected; backups from before still need them."""


@dataclass(frozen=True, slots=True)
class WrappedKeyset:
    """A keyset as it is kept, in the state and beside the data."""

    name: str
    revision: int
    wrapped: bytes


def wrap(keyset: Keyset, root: RootKey) -> WrappedKeyset:
    """The keyset under the root."""
    written = document.danger_written(keyset, ExportCapability("to be wrapped by the root key"))
    return WrappedKeyset(keyset.name, keyset.revision, root.wrap(written, wrapping_context(keyset.name)))


def unwrap(kept: WrappedKeyset, root: RootKey) -> Keyset:
    """The keyset again; raises ``WrongRoot`` or ``InvalidKeyset``."""
    keyset = document.read(root.unwrap(kept.wrapped, wrapping_context(kept.name)))
    if keyset.name != kept.name or keyset.revision != kept.revision:
        raise WrongRoot(f"the copy of keyset {kept.name!r} holds another", hint="restore it from a backup")
    return keyset


class KeyStore:
    """The keysets of one state, under one root."""

    __slots__ = ("_engine", "_root")

    def __init__(self, engine: Engine, root: RootKey) -> None:
        self._engine = engine
        self._root = root
        metadata.create_all(engine, tables=[_keysets, _key_uses, _retired])

    def load(self) -> dict[str, Keyset]:
        """All keysets by name; raises ``WrongRoot`` if one does not open."""
        return {kept.name: unwrap(kept, self._root) for kept in kept_keysets(self._engine)}

    def adopt(self, keysets: Iterable[Keyset]) -> None:
        """Takes over keysets that were found beside the data: as new ones, or in place of older revisions."""
        with self._engine.begin() as connection:
            found = {kept.name: kept.revision for kept in _kept(connection)}
            for keyset in keysets:
                if keyset.name not in found:
                    self._insert(connection, keyset)
                elif found[keyset.name] < keyset.revision:
                    kept = wrap(keyset, self._root)
                    where = _keysets.c.name == keyset.name
                    values = {"revision": kept.revision, "wrapped": kept.wrapped}
                    connection.execute(update(_keysets).where(where).values(values))

    def retire(self, names: Iterable[str]) -> None:
        """Takes keysets out of use; they are kept aside, for what backups hold."""
        with self._engine.begin() as connection:
            for name in names:
                where = _keysets.c.name == name
                connection.execute(
                    _retired.insert().from_select(
                        ["name", "revision", "wrapped", "created"],
                        select(
                            _keysets.c.name, _keysets.c.revision, _keysets.c.wrapped, _keysets.c.created
                        ).where(where),
                    )
                )
                connection.execute(delete(_keysets).where(where))

    def reserve(self, keyset: str, key_id: int, count: int, limit: int) -> None:
        """Counts ``count`` uses as made, on the disk before this returns; raises ``KeyUsesSpent``.

        ``limit`` is how many uses of the key are safe in all.
        """
        with self._engine.begin() as connection:
            where = (_key_uses.c.keyset == keyset) & (_key_uses.c.key_id == key_id)
            before = connection.scalar(select(_key_uses.c.reserved).where(where))
            if (before or 0) + count > limit:
                raise KeyUsesSpent(
                    f"key {key_id:08x} of keyset {keyset!r} has sealed as many values as is safe",
                    hint="rotate the keyset: values that are there stay readable",
                )
            if before is None:
                values = {"keyset": keyset, "key_id": key_id, "reserved": count}
                connection.execute(_key_uses.insert().values(values))
            else:
                connection.execute(update(_key_uses).where(where).values(reserved=before + count))

    def uses(self) -> Mapping[tuple[str, int], int]:
        """How many uses of each (keyset, key id) are counted; never fewer than were made."""
        with self._engine.begin() as connection:
            rows = connection.execute(select(_key_uses)).all()
        return {(row.keyset, row.key_id): row.reserved for row in rows}

    def _insert(self, connection: Connection, keyset: Keyset) -> None:
        kept = wrap(keyset, self._root)
        created = min(version.created for version in keyset.versions).replace(tzinfo=None)
        values = {"name": kept.name, "revision": kept.revision, "wrapped": kept.wrapped, "created": created}
        connection.execute(_keysets.insert().values(values))


def kept_keysets(engine: Engine) -> list[WrappedKeyset]:
    """The keysets of a state as they are kept, by name: without the root, to be copied or counted."""
    metadata.create_all(engine, tables=[_keysets, _key_uses, _retired])
    with engine.begin() as connection:
        return _kept(connection)


def _kept(connection: Connection) -> list[WrappedKeyset]:
    query = select(_keysets.c.name, _keysets.c.revision, _keysets.c.wrapped).order_by(_keysets.c.name)
    return [WrappedKeyset(*row) for row in connection.execute(query)]
