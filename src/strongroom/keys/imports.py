"""Imports that have begun: their key pairs, kept in the state until the key has come or a day is over.

The private half is wrapped by the KEK of its database, bound to keyset, identifier and expiry, so that a
changed row opens nothing. Called by ``strongroom keys import``.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Column, Connection, DateTime, Engine, LargeBinary, Table, Text, delete, select, update
from sqlalchemy.dialects.sqlite import insert

from strongroom.errors import KeyImportRefused
from strongroom.keys.generate import new_key_id
from strongroom.keys.imported import ImportToken
from strongroom.keys.kek import Keks
from strongroom.keys.model import Dek, ExportCapability, Keyset, KeyState, KeyVersion
from strongroom.keys.rotation import waiting
from strongroom.protect.envelope import length_prefixed
from strongroom.state import metadata

_imports = Table(
    "key_imports",
    metadata,
    Column("keyset", Text, primary_key=True),
    Column("identifier", Text, nullable=False),
    Column("expires", DateTime, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
)
_LABEL = "strongroom.import.v1"


class Imports:
    """Those of one state, at most one for each keyset."""

    def __init__(self, engine: Engine, keks: Keks) -> None:
        metadata.create_all(engine, tables=[_imports])
        self._engine = engine
        self._keks = keks

    def begin(self, keyset: str, token: ImportToken) -> None:
        """Keeps a token, in place of an earlier one; raises ``KekMissing``."""
        context = _context(keyset, token.identifier, token.expires)
        row = {
            "identifier": token.identifier,
            "expires": token.expires.astimezone(UTC).replace(tzinfo=None),
            "wrapped": self._keks.wrap_private(keyset, token.danger_private(), context),
        }
        statement = insert(_imports).values(keyset=keyset, **row)
        with self._engine.begin() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["keyset"], set_=row))

    def pending(self, keyset: str) -> ImportToken:
        """The token of the import that has begun; raises ``KeyImportRefused`` where none has."""
        with self._engine.begin() as connection:
            row = connection.execute(select(_imports).where(_imports.c.keyset == keyset)).one_or_none()
        if row is None:
            raise KeyImportRefused(
                f"no import of a key for {keyset!r} has begun",
                hint="begin one with --begin; it lasts a day, and ends where the column's key is compromised",
            )
        expires = row.expires.replace(tzinfo=UTC)
        context = _context(keyset, row.identifier, expires)
        private = self._keks.unwrap_private(keyset, row.wrapped, context)
        return ImportToken.restored(row.identifier, expires, private)

    def rewrap(self) -> None:
        """Wraps the private halves anew, by the newest versions of their KEKs."""
        with self._engine.begin() as connection:
            for row in connection.execute(select(_imports)).all():
                if not self._keks.has(row.keyset):
                    continue
                context = _context(row.keyset, row.identifier, row.expires.replace(tzinfo=UTC))
                private = self._keks.unwrap_private(row.keyset, row.wrapped, context)
                wrapped = self._keks.wrap_private(row.keyset, private, context)
                where = _imports.c.keyset == row.keyset
                connection.execute(update(_imports).where(where).values(wrapped=wrapped))

    def done(self, keyset: str) -> None:
        """Forgets the token."""
        with self._engine.begin() as connection:
            connection.execute(delete(_imports).where(_imports.c.keyset == keyset))


def void(connection: Connection, keyset: str) -> str | None:
    """Forgets the token, in a transaction that writes down why; its identifier, where there was one."""
    where = _imports.c.keyset == keyset
    metadata.create_all(connection, tables=[_imports])
    identifier = connection.scalar(select(_imports.c.identifier).where(where))
    connection.execute(delete(_imports).where(where))
    return identifier


def with_imported(keyset: Keyset, material: bytes, now: datetime) -> Keyset:
    """The keyset with the material as its next version, pre-active; raises ``KeyImportRefused``."""
    refuse_waiting(keyset)
    capability = ExportCapability("to see whether an imported key is there already")
    known = [one.dek.danger_material(capability) for one in keyset.versions if one.dek is not None]
    if material in known:
        raise KeyImportRefused(
            f"keyset {keyset.name!r} has this key already", hint="make another, and wrap that"
        )
    if len(material) != keyset.algorithm.key_size:
        raise KeyImportRefused(
            f"a key for {keyset.algorithm.value} columns has {keyset.algorithm.key_size} octets",
            hint="make one of that length, and wrap it with the public key of this import",
        )
    key_id = new_key_id(_ids(keyset))
    dek = Dek(material, keyset.algorithm, key_id)
    return keyset.with_key(KeyVersion(key_id, KeyState.PRE_ACTIVE, now, dek))


def refuse_waiting(keyset: Keyset) -> None:
    """Raises ``KeyImportRefused`` where a version waits already: only one can be the next."""
    version = waiting(keyset)
    if version is not None:
        raise KeyImportRefused(
            f"version {keyset.number(version.key_id)} of {keyset.name!r} waits to be used",
            hint="let it seal with `strongroom keys rotate`, then begin again",
        )


def _ids(keyset: Keyset) -> Sequence[int]:
    return [version.key_id for version in keyset.versions]


def _context(keyset: str, identifier: str, expires: datetime) -> bytes:
    return length_prefixed(_LABEL, keyset, identifier, f"{expires.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}")
