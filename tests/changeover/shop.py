"""A shop in a real PostgreSQL, and what the tests of changeovers ask of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from tests.protect.samples import Counted, keyset_for

from strongroom.changeover import job
from strongroom.changeover.model import Direction, Limits, Plan, Report, Target
from strongroom.keys import beside
from strongroom.protect.plan import TEXT_FORMAT, ColumnCodec
from strongroom.protect.scheme import Scheme, split_column
from strongroom.protect.style import TextStyle
from strongroom.testing.servers import PostgresServer

SCHEMA = """\
CREATE TABLE customers (
    id int PRIMARY KEY, email text NOT NULL UNIQUE, name text, iban varchar(40), born date,
    spent numeric(12,2), notes json, tags text[], updated timestamptz
);
CREATE TABLE orders (
    id int PRIMARY KEY, email text REFERENCES customers (email) ON UPDATE CASCADE ON DELETE CASCADE, total int
);
CREATE INDEX orders_email ON orders (email, id DESC);
COMMENT ON COLUMN customers.email IS 'where to write to';
"""
ROWS = """\
INSERT INTO customers SELECT i, 'anna' || i || '@example.org', 'Anna',
  CASE WHEN i % 7 <> 0 THEN 'DE' || i END,
  date '1970-01-01' + i, i / 7.0, json_build_object('n', i), ARRAY['a', NULL, 'b ' || i], now()
  FROM generate_series(1, {count}) i;
INSERT INTO orders SELECT i, CASE WHEN i % 5 <> 0 THEN 'anna' || (i % {count} + 1) || '@example.org' END, i
  FROM generate_series(1, {count}) i;
"""
EMAIL = Scheme.parse("shop", "public.customers.email", type="text", encryption="deterministic")
ORDER_EMAIL = Scheme.parse(
    "shop", "public.orders.email", type="text", encryption="deterministic", key="public.customers.email"
)
IBAN = Scheme.parse("shop", "public.customers.iban", type="varchar(40)", encryption="randomized")
STYLE = TextStyle()
HASTY = Limits(share=0.95, share_beside=0.95, lock_wait=2.0)


def target(scheme: Scheme) -> Target:
    """A column to change, by keys made of nothing random."""
    return Target(scheme, keyset_for(scheme), codec_of(scheme))


def codec_of(scheme: Scheme) -> ColumnCodec:
    """What seals its values, by the same keys."""
    return ColumnCodec(scheme, keyset_for(scheme), Counted())


@dataclass
class Shop:
    """One database, and the columns that are configured for it."""

    server: PostgresServer
    database: str
    schemes: Sequence[Scheme] = field(default=(EMAIL, ORDER_EMAIL, IBAN))

    @classmethod
    def make(cls, server: PostgresServer, database: str, rows: int = 500) -> "Shop":
        """With customers and orders in plaintext, and keysets beside the data."""
        shop = cls(server, server.create_database(database))
        server.run(SCHEMA + ROWS.format(count=rows), database)
        shop.keep_keysets(shop.schemes)
        return shop

    def keep_keysets(self, schemes: Sequence[Scheme]) -> None:
        """A row for each keyset; that it is wrapped is another room's business."""
        self.server.run(beside.CREATE_TABLES, self.database)
        for name in {scheme.keyset for scheme in schemes}:
            self.server.run(
                f"INSERT INTO strongroom_keys.keysets VALUES ('{name}', 1, '{{}}', '')"
                " ON CONFLICT DO NOTHING",
                self.database,
            )

    def connect(self) -> psycopg.Connection[Any]:
        """A connection in autocommit."""
        return self.server.connect(self.database)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query gives."""
        with self.connect() as connection:
            return connection.execute(query.encode()).fetchall()

    def run(self, *statements: str) -> None:
        """Executes statements."""
        for statement in statements:
            self.server.run(statement, self.database)

    def change(
        self,
        direction: Direction = Direction.PROTECT,
        *schemes: Scheme,
        limits: Limits = HASTY,
        **options: Any,
    ) -> Report:
        """`protect` or `unprotect`, of all columns where none are named."""
        with self.connect() as connection:
            targets = [target(scheme) for scheme in schemes or self.schemes]
            return job.run(connection, targets, direction, limits=limits, **options)

    def plan(self, *schemes: Scheme, direction: Direction = Direction.PROTECT, **options: Any) -> Plan:
        """What `--dry-run` says."""
        with self.connect() as connection:
            return job.plan_of(connection, [target(scheme) for scheme in schemes], direction, **options)

    def contents(self, opened: Sequence[Scheme] = ()) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of both tables as text, the columns of these schemes opened."""
        return {table: self.table(table, opened) for table in ("customers", "orders")}

    def table(self, table: str, opened: Sequence[Scheme] = ()) -> list[tuple[Any, ...]]:
        """The rows of one table, its columns in the order of their names."""
        codecs = {
            split_column(s.column)[2]: codec_of(s) for s in opened if split_column(s.column)[1] == table
        }
        with self.connect() as connection:
            found = connection.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_name = %s"
                " AND NOT starts_with(column_name, 'strongroom_') ORDER BY 1",
                (table,),
            ).fetchall()
            names = [name for (name,) in found]
            columns = ", ".join(name if name in codecs else f"{name}::text" for name in names)
            rows = connection.execute(f"SELECT {columns} FROM {table} ORDER BY id".encode()).fetchall()
        return [
            tuple(_opened(codecs.get(name), value) for name, value in zip(names, row, strict=True))
            for row in rows
        ]


def _opened(codec: ColumnCodec | None, value: Any) -> Any:
    if codec is None or value is None:
        return value
    opened = codec.open(value, format_code=TEXT_FORMAT, style=STYLE)
    assert opened is not None
    return opened.decode()
