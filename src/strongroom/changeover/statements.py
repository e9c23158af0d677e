"""The SQL of a changeover as text: shadows, the trigger that empties them, indexes and the steps of the swap.

Pure: from a ``Plan`` to statements. Names are quoted, and qualified wherever a name could be shadowed.
Called by ``job.py`` and ``swap.py``.
"""

import json
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from strongroom.changeover.model import Column, Direction, Index, Part, Plan, Table, shadow_name
from strongroom.protect.check import bounded_name, check_expression, constraint_name, quoted
from strongroom.protect.envelope import PREFIX_SIZE, prefix
from strongroom.sql.schema import ORDER_COMMENT, OWN_SCHEMA, OWN_TRIGGER
from strongroom.wire.postgres import types

# No column that is protected can be called so: its own CHECK would have this name (protect/check.py).
GUARD = "strongroom_~plain_"

# PostgreSQL fires triggers of one kind in the order of their names, as bytes; ours must see what the others
# made of the row, so that nothing printable sorts after it.
TRIGGER = OWN_TRIGGER


class Step(NamedTuple):
    """A statement after the swap; ``locks`` is the table that it needs exclusively, for a moment."""

    locks: str | None
    sql: str


def todo_name(table: int) -> str:
    """The index of rows whose shadows are still to be filled."""
    return f"strongroom_todo_{table}"


def function_name(table: Table) -> str:
    """The function of the trigger."""
    return f"{OWN_SCHEMA}.empty_shadows_{table.oid}"


def prepare(table: Table, direction: Direction) -> Iterator[str]:
    """Shadow columns, the trigger and the CHECKs; all in one transaction, under a lock."""
    for column in table.columns:
        yield f"ALTER TABLE {table.sql} ADD COLUMN {quoted(column.shadow)} {column.form(direction)}"
        if direction is Direction.PROTECT:
            yield f"ALTER TABLE {table.sql} DROP CONSTRAINT IF EXISTS {quoted(guard_name(column.name))}"
            yield _check(table, column, constraint_name(column.name), column.target.key_ids)
        elif direction is Direction.REKEY:
            assert column.target.keyset is not None  # tenants' keys are rotated in place
            yield _check(table, column, new_check_name(column.name), [column.target.keyset.primary])
    yield _function(table)
    yield (
        f"CREATE TRIGGER {quoted(TRIGGER)} BEFORE INSERT OR UPDATE ON {table.sql}"
        f" FOR EACH ROW EXECUTE FUNCTION {function_name(table)}()"
    )
    yield f"ALTER TABLE {table.sql} ENABLE ALWAYS TRIGGER {quoted(TRIGGER)}"


def _check(table: Table, column: Column, name: str, key_ids: Collection[int] | None) -> str:
    """It must be there before the first sealed value."""
    shadow = check_expression(column.shadow, column.target.scheme.algorithm, key_ids)
    return f"ALTER TABLE {table.sql} ADD CONSTRAINT {quoted(name)} CHECK ({shadow}) NOT VALID"


def new_check_name(column: str) -> str:
    """The CHECK of a shadow whose column has one already; no column's own CHECK is called so."""
    return bounded_name("strongroom_~new_", column)


def _function(table: Table) -> str:
    """Empties a shadow when its original changes in any bit: record_image_ne compares bytes.

    Equal values may differ in bytes (1.0 and 1.00, a case-insensitive collation), and json has no `=`. A row
    that goes to another tenant must not take what was sealed for the former along.
    """
    lines = []
    for column in table.columns:
        shadow = quoted(column.shadow)
        names = [quoted(column.name), *([quoted(column.naming.name)] if column.naming else [])]
        new, old = (", ".join(f"{row}.{name}" for name in names) for row in ("NEW", "OLD"))
        changed = f"pg_catalog.record_image_ne(ROW({new}), ROW({old}))"
        lines.append(
            f"  IF TG_OP = 'INSERT' THEN NEW.{shadow} := NULL;"
            f" ELSIF {changed} THEN NEW.{shadow} := NULL; END IF;"
        )
    body = "\n".join(lines)
    return (
        f"CREATE OR REPLACE FUNCTION {function_name(table)}() RETURNS trigger LANGUAGE plpgsql"
        f" SET search_path = pg_catalog AS $strongroom$\nBEGIN\n{body}\n  RETURN NEW;\nEND $strongroom$"
    )


def missing(table: Table) -> str:
    """The condition of a row that has something to fill."""
    return " OR ".join(
        f"({quoted(column.name)} IS NOT NULL AND {quoted(column.shadow)} IS NULL)" for column in table.columns
    )


def todo_index(table: Table) -> str:
    """An index of the rows that are left, empty in the end: what makes the swap short at any table size."""
    name = quoted(todo_name(table.oid))
    return f"CREATE INDEX CONCURRENTLY {name} ON {table.sql} ((1)) WHERE {missing(table)}"


def new_index(table: Table, index: Index) -> str:
    """The index on the shadows."""
    keys = ", ".join(_part(table, part) for part in index.keys)
    included = ", ".join(_part(table, part) for part in index.included)
    unique = "UNIQUE " if index.unique else ""
    return (
        f"CREATE {unique}INDEX CONCURRENTLY {quoted(index.new_name)} ON {table.sql}"
        f" USING {index.method} ({keys})"
        + (f" INCLUDE ({included})" if included else "")
        + index.storage
        + (f" WHERE {index.predicate}" if index.predicate else "")
    )


def _part(table: Table, part: Part) -> str:
    """A column that changes has neither collation nor class of its own any more, only its order."""
    changing = {column.name: column.shadow for column in table.columns}
    if part.column in changing:
        return quoted(changing[part.column]) + part.rest
    return part.text + part.rest


def swap(plan: Plan) -> Iterator[str]:
    """The statements under the lock, last rows already filled.

    DROP COLUMN has no CASCADE: whatever depends on the column without our knowing makes the swap fail.
    """
    tables = {table.oid: table for table in plan.tables}
    for key in plan.foreign_keys:
        yield f"ALTER TABLE {tables[key.table].sql} DROP CONSTRAINT {quoted(key.name)}"
    for table in plan.tables:
        yield from _swap_table(table, plan.direction)
    for key in plan.foreign_keys:
        definition = key.definition.removesuffix(" NOT VALID")
        yield f"ALTER TABLE {tables[key.table].sql} ADD CONSTRAINT {quoted(key.name)} {definition} NOT VALID"


def _swap_table(table: Table, direction: Direction) -> Iterator[str]:
    yield f"DROP TRIGGER {quoted(TRIGGER)} ON {table.sql}"
    yield f"DROP FUNCTION {function_name(table)}()"
    yield f"DROP INDEX {quoted(table.schema)}.{quoted(todo_name(table.oid))}"
    for index in table.indexes:
        if index.constraint:
            yield f"ALTER TABLE {table.sql} DROP CONSTRAINT {quoted(index.name)}"
        else:
            yield f"DROP INDEX {quoted(index.schema)}.{quoted(index.name)}"
    for column in table.columns:
        yield from _swap_column(table, column, direction)
    for index in table.indexes:
        if index.constraint == "u":
            yield (
                f"ALTER TABLE {table.sql} ADD CONSTRAINT {quoted(index.name)}"
                f" UNIQUE USING INDEX {quoted(index.new_name)}{index.deferrable}"
            )
        elif not index.constraint and not index.dropped:
            yield (
                f"ALTER INDEX {quoted(index.schema)}.{quoted(index.new_name)} RENAME TO {quoted(index.name)}"
            )


def _swap_column(table: Table, column: Column, direction: Direction) -> Iterator[str]:
    name = quoted(column.name)
    if direction is Direction.UNPROTECT:
        yield f"ALTER TABLE {table.sql} DROP CONSTRAINT IF EXISTS {quoted(constraint_name(column.name))}"
    yield f"ALTER TABLE {table.sql} DROP COLUMN {name}"
    yield f"ALTER TABLE {table.sql} RENAME COLUMN {quoted(column.shadow)} TO {name}"
    if direction is Direction.REKEY:  # the old CHECK went with the old column
        new, old = quoted(new_check_name(column.name)), quoted(constraint_name(column.name))
        yield f"ALTER TABLE {table.sql} RENAME CONSTRAINT {new} TO {old}"
    if direction is Direction.UNPROTECT and (guard := _guard(column)):
        constraint = quoted(guard_name(column.name))
        yield f"ALTER TABLE {table.sql} ADD CONSTRAINT {constraint} CHECK ({guard}) NOT VALID"
    if column.not_null:
        constraint = quoted(not_null_name(column.name))
        yield f"ALTER TABLE {table.sql} ADD CONSTRAINT {constraint} CHECK ({name} IS NOT NULL) NOT VALID"
    if column.comment is not None:
        yield f"COMMENT ON COLUMN {table.sql}.{name} IS {literal(column.comment)}"
    for grantee, privilege, grantable in column.grants:
        option = " WITH GRANT OPTION" if grantable else ""
        yield f"GRANT {privilege} ({name}) ON {table.sql} TO {grantee}{option}"


def guard_name(column: str) -> str:
    """The CHECK by which a column that holds plaintext again refuses what is still sealed for it."""
    return bounded_name(GUARD, column)


def _guard(column: Column) -> str:
    """A gateway that has not seen the swap yet still sends sealed values, as bytea.

    PostgreSQL assigns bytea to any string type, as text in hexadecimal (manual, CREATE CAST: "automatic I/O
    conversion casts"), and to bytea itself; for all other types it is an error without our help.
    """
    kind = column.target.scheme.type.oid
    if column.target.key_ids is None:  # any tenant's; text that looks so is no text, bytes may be
        text = kind in {types.TEXT, types.VARCHAR, types.BPCHAR}
        return f"pg_catalog.left({quoted(column.name)}::pg_catalog.text, 4) <> '\\x01'" if text else ""
    name, sealed = quoted(column.name), [prefix(one).hex() for one in sorted(column.target.key_ids)]
    if kind == types.BYTEA:
        prefixes = ", ".join(f"'\\x{one}'::pg_catalog.bytea" for one in sealed)
        return f"pg_catalog.substring({name}, 1, {PREFIX_SIZE}) NOT IN ({prefixes})"
    if kind in {types.TEXT, types.VARCHAR, types.BPCHAR}:
        prefixes = ", ".join(f"'\\x{one}'" for one in sealed)
        return f"pg_catalog.left({name}::pg_catalog.text, {2 + 2 * PREFIX_SIZE}) NOT IN ({prefixes})"
    return ""


def not_null_name(column: str) -> str:
    """The CHECK that stands in for NOT NULL until that can be had without a scan under a lock."""
    return bounded_name("strongroom_not_null_", column)


def after(plan: Plan) -> Iterator[Step]:
    """What follows the swap, each in a transaction of its own; a scan holds no lock that stops writers.

    SET NOT NULL takes a validated CHECK as proof and does not scan (manual, ALTER TABLE).
    """
    tables = {table.oid: table for table in plan.tables}
    for table in plan.tables:
        for column in table.columns:
            yield from _settle_column(table, column, plan.direction)
        for index in table.indexes:
            if index.constraint == "p":
                yield Step(
                    table.sql,
                    f"ALTER TABLE {table.sql} ADD CONSTRAINT {quoted(index.name)}"
                    f" PRIMARY KEY USING INDEX {quoted(index.new_name)}{index.deferrable}",
                )
    for key in plan.foreign_keys:
        if key.validated:
            yield Step(None, f"ALTER TABLE {tables[key.table].sql} VALIDATE CONSTRAINT {quoted(key.name)}")
    for table in plan.tables:
        yield Step(None, f"ANALYZE {table.sql}")


def _settle_column(table: Table, column: Column, direction: Direction) -> Iterator[Step]:
    if direction.seals:
        check = quoted(constraint_name(column.name))
        yield Step(None, f"ALTER TABLE {table.sql} VALIDATE CONSTRAINT {check}")
    if column.not_null:
        constraint = quoted(not_null_name(column.name))
        yield Step(None, f"ALTER TABLE {table.sql} VALIDATE CONSTRAINT {constraint}")
        yield Step(
            table.sql,
            f"ALTER TABLE {table.sql} ALTER COLUMN {quoted(column.name)} SET NOT NULL,"
            f" DROP CONSTRAINT {constraint}",
        )


def order_comment(table: Table, attnums: dict[str, int]) -> str:
    """What the CHECKs of a table say of the order of its columns; read by ``sql/catalog.sql``."""
    order = [attnums.get(name, attnum) for attnum, name in table.order]
    names = [name for _, name in table.order]
    return ORDER_COMMENT + json.dumps({"table": table.oid, "order": order, "names": names})


def literal(value: str) -> str:
    """A string constant (standard_conforming_strings is on)."""
    return "'" + value.replace("'", "''") + "'"


def take_back(table: str, oid: int, columns: Iterable[str]) -> Iterator[str]:
    """Removes all that was made before a swap; indexes and CHECKs of ours go with the shadows."""
    yield f"DROP TRIGGER IF EXISTS {quoted(TRIGGER)} ON {table}"
    yield f"DROP FUNCTION IF EXISTS strongroom_keys.empty_shadows_{oid}()"
    for column in columns:
        yield f"ALTER TABLE {table} DROP COLUMN IF EXISTS {quoted(shadow_name(column))}"
