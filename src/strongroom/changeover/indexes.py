"""The indexes over columns that change: how each is built anew on the shadows, or why it cannot be.

On a sealed column only equality is left, and only if it is deterministic: btree and hash keep their meaning
then, UNIQUE and primary keys included. An index whose only key is randomized serves nobody and is dropped.
Called by ``survey.py``.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from strongroom.changeover.database import Database
from strongroom.changeover.model import Column, Direction, Index, Part
from strongroom.protect.check import quoted

_INDEXES = """\
SELECT i.indexrelid::int8, n.nspname, c.relname, i.indisunique, m.amname,
  i.indkey::int2[]::int4[], i.indnkeyatts,
  i.indnullsnotdistinct, i.indisvalid, coalesce(k.contype::text, ''), coalesce(k.condeferrable, false),
  coalesce(k.condeferred, false), coalesce(array_to_string(c.reloptions, ', '), ''), coalesce(s.spcname, ''),
  coalesce(pg_get_expr(i.indpred, i.indrelid), ''), i.indisexclusion,
  ARRAY(SELECT pg_get_indexdef(i.indexrelid, p, false) FROM generate_series(1, i.indnatts) p ORDER BY p),
  ARRAY(SELECT CASE WHEN o.opcdefault THEN '' ELSE format(' %%I.%%I', on_.nspname, o.opcname) END
    FROM unnest(i.indclass) WITH ORDINALITY u(oid, p) JOIN pg_opclass o ON o.oid = u.oid
    JOIN pg_namespace on_ ON on_.oid = o.opcnamespace ORDER BY u.p),
  ARRAY(SELECT CASE WHEN l.oid IS NULL OR l.oid = coalesce(a.attcollation, t.typcollation) THEN ''
      ELSE format(' COLLATE %%I.%%I', ln.nspname, l.collname) END
    FROM unnest(i.indcollation) WITH ORDINALITY u(oid, p)
    LEFT JOIN pg_collation l ON l.oid = u.oid LEFT JOIN pg_namespace ln ON ln.oid = l.collnamespace
    LEFT JOIN pg_attribute ia ON ia.attrelid = i.indexrelid AND ia.attnum = u.p
    LEFT JOIN pg_type t ON t.oid = ia.atttypid
    LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[u.p - 1] AND a.attnum > 0
    ORDER BY u.p),
  i.indoption::int2[]::int4[],
  ARRAY(SELECT d.refobjsubid FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
      AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_am m ON m.oid = c.relam LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
WHERE i.indrelid = %s AND NOT starts_with(c.relname, 'strongroom_new_')
  AND NOT starts_with(c.relname, 'strongroom_todo_')
ORDER BY c.relname"""

Read = tuple[tuple[Index, ...], list[str], list[str]]


def read(database: Database, table: int, columns: Sequence[Column], direction: Direction) -> Read:
    """The indexes over these columns, what is refused, and what the operator should know."""
    found: list[Index] = []
    refusals: list[str] = []
    notes: list[str] = []
    for row in database.rows(_INDEXES, table):
        entry = _Entry(*row)
        changing = {c.attnum: c for c in columns if c.attnum in {*entry.attnums, *entry.depends}}
        if not changing:
            continue
        index, mentions = _index(entry, changing)
        keys = [changing[n] for n in entry.attnums[: entry.keys] if n in changing]
        refusal = _refusal(entry, index, keys, mentions, direction)
        if refusal:
            refusals.append(f"index {entry.schema}.{entry.name} {refusal}")
        elif keys and direction is Direction.PROTECT:
            notes.append(_note(index))
        found.append(index)
    return tuple(found), refusals, notes


class _Entry(NamedTuple):
    """A row of ``_INDEXES``."""

    oid: int
    schema: str
    name: str
    unique: bool
    method: str
    attnums: list[int]
    keys: int
    nulls_not_distinct: bool
    valid: bool
    constraint: str
    deferrable: bool
    deferred: bool
    options: str
    tablespace: str
    predicate: str
    exclusion: bool
    texts: list[str]
    classes: list[str]
    collations: list[str]
    orders: list[int]
    depends: list[int]


def _index(entry: _Entry, changing: dict[int, Column]) -> tuple[Index, bool]:
    """The index, and whether an expression of it mentions a column that changes."""
    parts = [_part(entry, place, changing.get(attnum)) for place, attnum in enumerate(entry.attnums)]
    plain, predicate = _predicate(entry.predicate, changing.values())
    expressions = [t for t, attnum in zip(entry.texts, entry.attnums, strict=True) if not attnum]
    mentions = any(_mentioned(column.name, " ".join([plain, *expressions])) for column in changing.values())
    only = changing.get(entry.attnums[0]) if entry.keys == 1 else None
    useless = only is not None and not entry.unique and not only.target.scheme.comparable
    index = Index(
        oid=entry.oid,
        schema=entry.schema,
        name=entry.name,
        unique=entry.unique,
        method=entry.method,
        keys=tuple(parts[: entry.keys]),
        included=tuple(parts[entry.keys :]),
        predicate=predicate,
        storage=(f" WITH ({entry.options})" if entry.options else "")
        + (f" TABLESPACE {quoted(entry.tablespace)}" if entry.tablespace else ""),
        constraint=entry.constraint or None,
        deferrable=(" DEFERRABLE" if entry.deferrable else "")
        + (" INITIALLY DEFERRED" if entry.deferred else ""),
        dropped=useless,
    )
    return index, mentions


def _part(entry: _Entry, place: int, column: Column | None) -> Part:
    """A column that changes keeps its order alone; others and expressions keep all that they had."""
    in_keys = place < entry.keys
    order = _order(entry.orders[place]) if in_keys and entry.method == "btree" else ""
    if column is not None:
        return Part(column.name, quoted(column.name), order)
    shown = entry.texts[place] if entry.attnums[place] else f"({entry.texts[place]})"
    return Part(None, shown, (entry.collations[place] + entry.classes[place] if in_keys else "") + order)


def _mentioned(name: str, text: str) -> bool:
    return re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", text) is not None


def _order(option: int) -> str:
    """pg_index.indoption: bit 0 is DESC, bit 1 NULLS FIRST, which is the default of DESC."""
    return {0: "", 1: " DESC NULLS LAST", 2: " NULLS FIRST", 3: " DESC"}[option]


def _predicate(text: str, changing: Iterable[Column]) -> tuple[str, str]:
    """The predicate without what is understood of it, and as it is for the shadows.

    `IS NULL` and `IS NOT NULL` mean the same of a shadow, once all are filled.
    """
    plain, shadows = text, text
    for column in changing:
        test = re.compile(rf'(?<![\w."$])"?{re.escape(column.name)}"?(?= IS (?:NOT )?NULL\b)')
        plain = test.sub("", plain)
        shadows = test.sub(quoted(column.shadow).replace("\\", r"\\"), shadows)
    return plain, shadows


def _refusal(
    entry: _Entry, index: Index, keys: list[Column], mentions: bool, direction: Direction
) -> str | None:
    if mentions:
        return "has an expression or predicate over a column that changes: drop it first"
    if not entry.valid:
        return "is not valid: drop it, or build it anew, first"
    if entry.exclusion:
        return "belongs to an EXCLUDE constraint: drop it first"
    if entry.nulls_not_distinct:
        return "has NULLS NOT DISTINCT, which empty shadows would violate: drop it first"
    if entry.method not in {"btree", "hash"}:
        return f"is of the kind {entry.method}, which sealed values cannot have: drop it first"
    randomized = [column.name for column in keys if not column.target.scheme.comparable]
    if not randomized or index.dropped or direction is Direction.UNPROTECT:
        return None
    kind = "is unique" if index.unique else "has other columns too"
    return f"{kind}, but {randomized[0]} is to be randomized: make it deterministic, or drop the index first"


def _note(index: Index) -> str:
    if index.dropped:
        return f"index {index.name} is dropped: its column is randomized, nothing can be looked up by it"
    return f"index {index.name} is built anew: on sealed values it serves equality, not order or ranges"
