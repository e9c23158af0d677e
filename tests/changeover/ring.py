"""A shop with real keys: keysets wrapped by a KEK, and what the tests of rotations ask of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg
from tests.changeover.shop import HASTY, STYLE, Shop
from tests.protect.samples import Counted

from strongroom.changeover import job
from strongroom.changeover.database import Database
from strongroom.changeover.ledger import Ledger
from strongroom.changeover.model import Direction, Target
from strongroom.changeover.rotation import Propagation, Rotated, rotate
from strongroom.keys.generate import new_keyset
from strongroom.keys.kek import Keks, WrappedKeyset, new_kek
from strongroom.keys.model import Keyset
from strongroom.protect.envelope import key_id_of
from strongroom.protect.plan import TEXT_FORMAT, ColumnCodec
from strongroom.protect.scheme import Scheme, split_column

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Ring:
    """The keys of a shop, beside its data and in a state that is a list."""

    shop: Shop
    keks: Keks = field(default_factory=lambda: Keks.of([new_kek("shop", NOW)]))
    state: dict[str, WrappedKeyset] = field(default_factory=dict)
    waited: list[float] = field(default_factory=list)
    uses: Counted = field(default_factory=Counted)

    @classmethod
    def of(cls, shop: Shop) -> "Ring":
        """New keysets for all columns of the shop, which are protected under them."""
        ring = cls(shop)
        for scheme in {one.keyset: one for one in shop.schemes}.values():
            ring._keep(ring.keks.wrap(new_keyset(scheme, NOW)))
        with shop.connect() as connection:
            targets = [Target(one, ring.keyset(one), ring.codec(one)) for one in shop.schemes]
            job.run(connection, targets, Direction.PROTECT, limits=HASTY)
        return ring

    def _keep(self, kept: WrappedKeyset) -> None:
        self.adopt([kept])
        with self.shop.connect() as connection:
            connection.execute(
                "UPDATE strongroom_keys.keysets SET wrapped = %s WHERE name = %s", (kept.wrapped, kept.name)
            )

    def adopt(self, kept: Iterable[WrappedKeyset]) -> None:
        """What the state takes over."""
        self.state |= {one.name: one for one in kept}

    def keyset(self, scheme: Scheme) -> Keyset:
        """The keyset as it stands beside the data."""
        with self.shop.connect() as connection:
            return self.ledger(connection).read(scheme.keyset)

    def all_ids(self, scheme: Scheme) -> set[int]:
        """The ids of all versions of its keyset, whatever their states."""
        return {version.key_id for version in self.keyset(scheme).versions}

    def ledger(self, connection: psycopg.Connection[Any]) -> Ledger:
        """What reads and writes keysets beside the data."""
        return Ledger(Database(connection, HASTY), self.keks, self.adopt)

    def codec(self, scheme: Scheme) -> ColumnCodec:
        """What a gateway seals and opens by now."""
        return ColumnCodec(scheme, self.keyset(scheme), self.uses)

    def rotate(self, *schemes: Scheme, reencrypt: bool = False, **options: Any) -> Rotated:
        """Rotates their keyset; gateways are not waited for, but that they would be is noted."""
        with self.shop.connect() as connection:
            return self.rotate_on(connection, schemes, reencrypt=reencrypt, **options)

    def rotate_on(
        self, connection: psycopg.Connection[Any], schemes: Sequence[Scheme], **options: Any
    ) -> Rotated:
        """The same on a connection of the test's own."""
        waiting = Propagation(2.0, self.waited.append)
        return rotate(
            connection,
            schemes,
            self.keks,
            self.adopt,
            self.uses,
            propagation=waiting,
            limits=HASTY,
            **options,
        )

    def opened(self, scheme: Scheme) -> list[tuple[int, bytes | None]]:
        """(id, value) of a column, as a gateway that knows the keys of today opens it."""
        codec = self.codec(scheme)
        return [
            (row, codec.open(value, format_code=TEXT_FORMAT, style=STYLE))
            for row, value in self.values(scheme)
        ]

    def sealed_by(self, scheme: Scheme) -> set[int]:
        """The keys of the values that are there."""
        return {key_id_of(value) for _, value in self.values(scheme) if value is not None}

    def values(self, scheme: Scheme) -> Sequence[tuple[int, bytes | None]]:
        """(id, sealed value) of a column."""
        _, table, column = split_column(scheme.column)
        return self.shop.rows(f"SELECT id, {column} FROM {table} ORDER BY id")
