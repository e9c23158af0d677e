"""A few stored values of each protected column, from all over its table, as they are sealed.

For drills: the keys of a backup must open them. No table is read whole. Called by `keys drill`.
"""

from collections.abc import Collection

from psycopg import sql

from strongroom.gateway.connector import Connector
from strongroom.gateway.inquiry import ask
from strongroom.protect.scheme import Scheme, split_column

PLACES = 8
"""Parts of a table that are looked into, its beginning and its end among them."""

EACH = 16
"""Values of each part."""

BLOCKS = """\
SELECT pg_catalog.pg_relation_size(pg_catalog.to_regclass({}))
    / pg_catalog.current_setting('block_size')::pg_catalog.int8"""


async def sample(connector: Connector, scheme: Scheme, key_ids: Collection[int] | None = None) -> list[bytes]:
    """Sealed values of a column, at most PLACES times EACH; raises ``UpstreamError``.

    With ``key_ids``, those of these keys among what is looked into.
    """
    schema, table, column = split_column(scheme.column)
    relation, name = sql.Identifier(schema, table), sql.Identifier(column)
    size = sql.SQL(BLOCKS).format(sql.Literal(relation.as_string()))
    ((found,),) = await ask(connector, size.as_string())
    parts = [
        sql.SQL("(SELECT {0} FROM {1} WHERE {0} IS NOT NULL{2}{3} LIMIT {4})").format(
            name, relation, sql.SQL(where), _sealed_by(name, key_ids), sql.Literal(limit)
        )
        for where, limit in _parts(int(found or 0))
    ]
    rows = await ask(connector, sql.SQL(" UNION ALL ").join(parts).as_string())
    return [bytes.fromhex(value[2:].decode()) for (value,) in rows if value is not None]


def _sealed_by(name: sql.Identifier, key_ids: Collection[int] | None) -> sql.Composable:
    """A further condition; the key's id stands behind the first octet (docs/spec/ciphertext.md)."""
    if key_ids is None:
        return sql.SQL("")
    ids = sql.SQL(", ").join(sql.Literal(one.to_bytes(4)) for one in sorted(key_ids))
    condition = " AND pg_catalog.substring({}, 2, 4) = ANY (ARRAY[{}]::pg_catalog.bytea[])"
    return sql.SQL(condition).format(name, ids)


def _parts(blocks: int) -> list[tuple[str, int]]:
    """Conditions on ctid, evenly apart, and how many values of each.

    A TID Range Scan reads no more than they say (PostgreSQL 14).
    """
    if blocks <= PLACES * EACH:
        return [("", PLACES * EACH)]
    starts = [round(part * (blocks - EACH) / (PLACES - 1)) for part in range(PLACES)]
    return [(f" AND ctid >= '({start},0)' AND ctid < '({start + EACH},0)'", EACH) for start in starts]
