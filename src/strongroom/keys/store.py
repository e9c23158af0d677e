"""KEKs and keysets in the state database, as they are wrapped; and how often each key has been used.

A keyset is taken into the state once it stands beside the data, and is on the disk before the first value is
sealed. Several processes share the state; each transaction is a write transaction (BEGIN IMMEDIATE), so that
of two that take over a keyset the second finds it there. Called by the shell at start and by ``uses.py``.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Integer,
    LargeBinary,
    Table,
    Text,
    TypeDecorator,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert

from strongroom.errors import KekMissing, KeyUsesSpent, StateNotEmpty, WrongKek
from strongroom.keys.kek import Keks, WrappedKek, WrappedKeyset, wraps_of, wraps_text
from strongroom.keys.model import Keyset
from strongroom.state import metadata


class _Wraps(TypeDecorator[Mapping[str, bytes]]):
    """What each root wrapped, as JSON: root names with base64; the same text stands beside the data."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Mapping[str, bytes] | None, dialect: Dialect) -> str | None:
        del dialect
        return None if value is None else wraps_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Mapping[str, bytes] | None:
        del dialect
        return None if value is None else wraps_of(value)


_keks = Table(
    "keks",
    metadata,
    Column("name", Text, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("wraps", _Wraps, nullable=False),
    Column("written", DateTime, nullable=False),
)
_keysets = Table(
    "keysets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("written", DateTime, nullable=False),
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
    Column("written", DateTime, nullable=False),
)
"""Keysets of columns that were unprotected; backups from before still need them."""

_TABLES = [_keks, _keysets, _key_uses, _retired]


class KeyStore:
    """The keysets of one state, under the KEKs of their databases."""

    __slots__ = ("_engine", "_keks")

    def __init__(self, engine: Engine, keks: Keks) -> None:
        self._engine = engine
        self._keks = keks
        metadata.create_all(engine, tables=_TABLES)

    def load(self, beside: Iterable[WrappedKeyset] = (), *, scope: str | None = None) -> dict[str, Keyset]:
        """The keysets of the databases whose KEKs are here; raises ``KekMissing`` or ``WrongKek``.

        Without those that are newer ``beside`` the data: the version of the KEK that wrapped them here may
        have been destroyed since. With a ``scope``, those of one database or one tenant: `DATABASE@TENANT`.
        """
        newer = {one.name: one.revision for one in beside}
        kept = (one for one in kept_keysets(self._engine, scope) if self._keks.has(one.name))
        return self._keks.unwrap_all(one for one in kept if one.revision >= newer.get(one.name, 0))

    def adopt(self, kept: Iterable[WrappedKeyset]) -> None:
        """Takes over keysets as they are kept beside the data: new ones, and in place of older revisions."""
        with self._engine.begin() as connection:
            for one in kept:
                row = {"name": one.name, "revision": one.revision, "wrapped": one.wrapped}
                statement = insert(_keysets).values(**row, written=_now())
                connection.execute(
                    statement.on_conflict_do_update(
                        index_elements=["name"],
                        set_={"revision": one.revision, "wrapped": one.wrapped, "written": _now()},
                        where=_keysets.c.revision < one.revision,
                    )
                )

    def retire(self, names: Iterable[str]) -> None:
        """Takes keysets out of use; they are kept aside, for what backups hold."""
        columns = ["name", "revision", "wrapped", "written"]
        with self._engine.begin() as connection:
            for name in names:
                where = _keysets.c.name == name
                found = select(*(_keysets.c[column] for column in columns)).where(where)
                connection.execute(_retired.insert().from_select(columns, found))
                connection.execute(delete(_keysets).where(where))

    def rewrap_retired(self) -> None:
        """Wraps what was taken out of use anew, by the newest version of its KEK."""
        with self._engine.begin() as connection:
            for before in _kept_retired(connection):
                if self._keks.has(before.name) and not self._keks.is_current(before):
                    after = self._keks.wrap(self._keks.unwrap(before).rewrapped())
                    where = (_retired.c.name == before.name) & (_retired.c.wrapped == before.wrapped)
                    values = {"revision": after.revision, "wrapped": after.wrapped}
                    connection.execute(update(_retired).where(where).values(values))

    def shut_retired(self) -> list[WrappedKeyset]:
        """What is out of use and opens no more: the version of the KEK that wrapped it was destroyed."""
        here = (one for one in kept_retired(self._engine) if self._keks.has(one.name))
        return [one for one in here if self._opened(one) is None]

    def replace_retired(self, shut: Iterable[WrappedKeyset], beside: Iterable[WrappedKeyset]) -> list[str]:
        """Puts what opens ``beside`` the data in the place of what is shut; the names that are lost."""
        shut = list(shut)
        names = {one.name for one in shut}
        opened = [(one, self._opened(one)) for one in beside if one.name in names]
        with self._engine.begin() as connection:
            for one in shut:
                where = (_retired.c.name == one.name) & (_retired.c.wrapped == one.wrapped)
                connection.execute(delete(_retired).where(where))
            left = [self._opened(one) for one in _kept_retired(connection) if one.name in names]
            there = {(one.name, one.primary) for one in left if one is not None}
            for one, keyset in opened:
                if keyset is not None and (keyset.name, keyset.primary) not in there:
                    row = {"name": one.name, "revision": one.revision, "wrapped": one.wrapped}
                    connection.execute(_retired.insert().values(**row, written=_now()))
        return sorted(names - {one.name for one, keyset in opened if keyset is not None})

    def _opened(self, one: WrappedKeyset) -> Keyset | None:
        try:
            return self._keks.unwrap(one)
        except (KekMissing, WrongKek):
            return None

    def reserve(self, keyset: str, key_id: int, count: int, limit: int) -> int:
        """Counts ``count`` uses as made, on the disk before this returns; raises ``KeyUsesSpent``.

        ``limit`` is how many uses of the key are safe in all. Returns how many are counted now.
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
        return (before or 0) + count

    def uses(self) -> Mapping[tuple[str, int], int]:
        """How many uses of each (keyset, key id) are counted; never fewer than were made."""
        with self._engine.begin() as connection:
            rows = connection.execute(select(_key_uses)).all()
        return {(row.keyset, row.key_id): row.reserved for row in rows}


ASSUMED_USES = 2**30
"""For a key whose count was lost: half of what is safe for a randomized column, so that it shows as due; for
a deterministic one next to nothing, and that is what any count of its uses is (``model.max_uses``)."""

SPARED_USES = 2**26
"""What an assumption leaves of the safe uses, so that a rotation can be made before sealing ends."""


def assume_used(connection: Connection, keysets: Iterable[Keyset]) -> None:
    """Counts more uses of every key, within what is safe: how many were made is not known any more."""
    counts = {(row.keyset, row.key_id): row.reserved for row in connection.execute(select(_key_uses))}
    for keyset in keysets:
        most = keyset.algorithm.max_uses - SPARED_USES
        for version in keyset.versions:
            key = (keyset.name, version.key_id)
            before = counts.get(key, 0)
            if before or version.key_id == keyset.primary:
                row = {"keyset": key[0], "key_id": key[1]}
                more = {"reserved": max(before, min(before + ASSUMED_USES, most))}
                statement = insert(_key_uses).values(**row, **more)
                connection.execute(
                    statement.on_conflict_do_update(index_elements=["keyset", "key_id"], set_=more)
                )


def kept_keysets(engine: Engine, scope: str | None = None) -> list[WrappedKeyset]:
    """The keysets of a state as they are kept, by name: without their KEKs, to be copied or counted."""
    metadata.create_all(engine, tables=_TABLES)
    query = select(_keysets.c.name, _keysets.c.revision, _keysets.c.wrapped).order_by(_keysets.c.name)
    if scope is not None:
        query = query.where(_keysets.c.name.startswith(f"{scope}/", autoescape=True))
    with engine.begin() as connection:
        return [WrappedKeyset(*row) for row in connection.execute(query)]


def kept_retired(engine: Engine) -> list[WrappedKeyset]:
    """The keysets that were taken out of use, as they are kept."""
    metadata.create_all(engine, tables=_TABLES)
    with engine.begin() as connection:
        return _kept_retired(connection)


def _kept_retired(connection: Connection) -> list[WrappedKeyset]:
    columns = _retired.c.name, _retired.c.revision, _retired.c.wrapped
    query = select(*columns).order_by(_retired.c.name, _retired.c.written)
    return [WrappedKeyset(*row) for row in connection.execute(query)]


def kept_keks(engine: Engine, name: str | None = None) -> dict[str, WrappedKek]:
    """The KEKs of a state as they are kept, by name: all, or one."""
    metadata.create_all(engine, tables=_TABLES)
    query = select(_keks.c.name, _keks.c.revision, _keks.c.wraps)
    if name is not None:
        query = query.where(_keks.c.name == name)
    with engine.begin() as connection:
        return {name: WrappedKek(name, *rest) for name, *rest in connection.execute(query)}


def tenants_mark(engine: Engine) -> tuple[int, int]:
    """Another pair whenever a KEK of a tenant was made, changed or destroyed: cheap to ask for."""
    metadata.create_all(engine, tables=_TABLES)
    theirs = _keks.c.name.contains("@")
    with engine.begin() as connection:
        row = connection.execute(select(func.count(), func.sum(_keks.c.revision)).where(theirs)).one()
    return int(row[0]), int(row[1] or 0)


def written_at(engine: Engine, name: str) -> datetime | None:
    """When the row of a KEK was written here, in UTC; None where there is none."""
    metadata.create_all(engine, tables=_TABLES)
    with engine.begin() as connection:
        found = connection.scalar(select(_keks.c.written).where(_keks.c.name == name))
    return None if found is None else found.replace(tzinfo=UTC)


def adopt_keks(engine: Engine, rows: Iterable[WrappedKek]) -> None:
    """Takes over KEKs as they are kept beside the data; an older revision never replaces a newer one."""
    metadata.create_all(engine, tables=_TABLES)
    with engine.begin() as connection:
        for row in rows:
            values = {"revision": row.revision, "wraps": dict(row.wraps), "written": _now()}
            statement = insert(_keks).values(name=row.name, **values)
            newer = _keks.c.revision < row.revision
            connection.execute(
                statement.on_conflict_do_update(index_elements=["name"], set_=values, where=newer)
            )


def forget_keysets(engine: Engine, scopes: Iterable[str]) -> None:
    """Deletes what the destroyed KEKs of `DATABASE@TENANT` wrapped, in use or not, and its uses."""
    metadata.create_all(engine, tables=_TABLES)
    with engine.begin() as connection:
        for scope in scopes:
            for table, name in ((_keysets, _keysets.c.name), (_retired, _retired.c.name)):
                connection.execute(delete(table).where(name.startswith(f"{scope}/", autoescape=True)))
            uses = _key_uses.c.keyset.startswith(f"{scope}/", autoescape=True)
            connection.execute(delete(_key_uses).where(uses))


def refuse_filled(engine: Engine) -> None:
    """Keys are brought back only into a state that has none; raises ``StateNotEmpty``, naming what it has."""
    names = [*kept_keks(engine), *(one.name for one in (*kept_keysets(engine), *kept_retired(engine)))]
    if names:
        raise StateNotEmpty(f"the state has keys already: {', '.join(dict.fromkeys(names))}")


def fill(
    engine: Engine,
    keks: Iterable[WrappedKek],
    keysets: Iterable[WrappedKeyset],
    retired: Iterable[WrappedKeyset],
    uses: Mapping[tuple[str, int], int],
) -> None:
    """Brings keys back into a state without any: all of them or, where it is interrupted, none."""
    refuse_filled(engine)
    with engine.begin() as connection:
        for row in keks:
            connection.execute(
                _keks.insert().values(
                    name=row.name, revision=row.revision, wraps=dict(row.wraps), written=_now()
                )
            )
        for table, kept in ((_keysets, keysets), (_retired, retired)):
            for one in kept:
                connection.execute(
                    table.insert().values(
                        name=one.name, revision=one.revision, wrapped=one.wrapped, written=_now()
                    )
                )
        for (keyset, key_id), count in uses.items():
            connection.execute(_key_uses.insert().values(keyset=keyset, key_id=key_id, reserved=count))


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
