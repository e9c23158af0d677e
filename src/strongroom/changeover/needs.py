"""What in a database needs a version of a keyset still: columns that may hold its values, and work under way.

A CHECK that PostgreSQL has validated without the key's id is the proof that no value of it is left in a
column; nothing is scanned here. Every CHECK of ours counts, configured or not: a copy of a table may have
one. Called by ``strongroom keys destroy``, at its announcement and again before the deed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from strongroom.changeover import record
from strongroom.changeover.database import Database
from strongroom.changeover.model import Direction
from strongroom.config import ColumnName
from strongroom.keys.kek import tenant_of
from strongroom.keys.model import Keyset
from strongroom.keys.obstacles import Obstacle
from strongroom.protect.check import key_ids_in, quoted
from strongroom.protect.envelope import PREFIX_SIZE, prefix
from strongroom.protect.scheme import Scheme, split_column

_CHECKS = """\
SELECT n.nspname, c.relname, a.attname, pg_get_constraintdef(k.oid), k.convalidated
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
WHERE k.contype = 'c' AND starts_with(k.conname, 'strongroom_') AND NOT starts_with(k.conname, 'strongroom_~')
ORDER BY 1, 2, 3"""
"""Those that allow sealed values; what `unprotect` leaves refuses them."""

_IS_SEALED = """\
SELECT a.atttypid = 'bytea'::regtype FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s AND a.attname = %s AND a.attnum > 0 AND NOT a.attisdropped"""

_COLUMNS = "SELECT name FROM strongroom_keys.columns WHERE keyset = %s ORDER BY name"
_ROTATIONS = "SELECT to_regclass('strongroom_keys.rotations') IS NOT NULL"
_ROTATING = "SELECT EXISTS (SELECT FROM strongroom_keys.rotations WHERE keyset = %s)"


@dataclass(frozen=True, slots=True)
class _Check:
    column: str
    key_ids: frozenset[int]
    validated: bool


def needs(database: Database, keyset: Keyset, key_id: int, schemes: Iterable[Scheme]) -> list[Obstacle]:
    """What needs this key of the keyset; ``schemes`` are the configured columns that share it."""
    if tenant_of(keyset.name) is not None:
        columns = [keyset.name.partition("/")[2]]
        return [*_of_tenant(database, columns[0], key_id), *_of_work(database, keyset.name, columns)]
    configured = [scheme.column for scheme in schemes]
    kept = [str(name) for (name,) in database.rows(_COLUMNS, keyset.name)]
    columns = list(dict.fromkeys([*configured, *kept]))
    return [*_of_values(database, columns, key_id), *_of_work(database, keyset.name, columns)]


def _of_tenant(database: Database, column: str, key_id: int) -> list[Obstacle]:
    """The values of a tenant's key: the CHECK of a column with tenants allows any, so they are looked for."""
    if not _is_sealed(database, column):
        return []
    schema, table, name = split_column(column)
    value = f'"strongroom".{quoted(name)}'
    query = (
        f'SELECT EXISTS (SELECT FROM {quoted(schema)}.{quoted(table)} AS "strongroom"'
        f" WHERE substring({value}, 1, {PREFIX_SIZE}) = '\\x{prefix(key_id).hex()}'::bytea)"
    )
    return [_to_reencrypt(column, "holds values of it")] if database.value(query) else []


def _of_values(database: Database, columns: Sequence[str], key_id: int) -> list[Obstacle]:
    """Columns whose values may be of the key: those that allow it, and those that nothing is proved of."""
    checks = [
        _Check(str(ColumnName(schema, table, column)), key_ids_in(definition), validated)
        for schema, table, column, definition, validated in database.rows(_CHECKS)
    ]
    found = [
        _to_reencrypt(one.column, "allows values of it, by its CHECK")
        for one in checks
        if key_id in one.key_ids
    ]
    named = {one.column: one for one in checks}
    for column in columns:
        check = named.get(column)
        if check is None and _is_sealed(database, column):
            found.append(_to_reencrypt(column, "has no CHECK, so that values of it may be there"))
        elif check is not None and not check.validated and key_id not in check.key_ids:
            found.append(_to_reencrypt(column, "may hold values of it: its CHECK is not validated"))
    return found


def _to_reencrypt(column: str, why: str) -> Obstacle:
    return Obstacle(f"{column} {why}", f"seal them anew: strongroom keys rotate {column} --reencrypt")


def _is_sealed(database: Database, column: str) -> bool:
    return bool(database.value(_IS_SEALED, *split_column(column)))


def _of_work(database: Database, keyset: str, columns: Sequence[str]) -> list[Obstacle]:
    """Rotations and changes of form that were begun, whether or not they run now."""
    found = []
    if database.value(_ROTATIONS) and database.value(_ROTATING, keyset):
        first = columns[0] if columns else keyset
        found.append(
            Obstacle(
                "a rotation of its keyset is under way",
                f"let it end, or run it again: strongroom keys rotate {first} --reencrypt",
            )
        )
    for row in record.read(database).values():
        names = [name for name, used in row.columns.items() if used == keyset]
        if names:
            command = "keys rotate" if row.direction is Direction.REKEY else row.direction.value
            found.append(
                Obstacle(
                    f"strongroom {command} of the column {', '.join(names)} is under way",
                    "let it end, or run it again",
                )
            )
    return found
