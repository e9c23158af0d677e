"""What a changeover would do to each table, read from the catalog; and what it refuses, by name.

Whatever depends on a column is either known here and treated, or refused: `pg_depend` is the list, so that a
kind of object that nobody thought of is refused too. Nothing is changed. Called by ``job.py``, for
``--dry-run``, and once more under the lock of the swap, where the plan must still be the same.
"""

from collections.abc import Collection, Iterable, Sequence

from strongroom.changeover import indexes
from strongroom.changeover.database import Database
from strongroom.changeover.model import (
    Column,
    Direction,
    ForeignKey,
    Index,
    Naming,
    Plan,
    Table,
    Target,
)
from strongroom.changeover.statements import TRIGGER, guard_name, not_null_name, todo_name
from strongroom.protect.check import constraint_name
from strongroom.protect.scheme import split_column
from strongroom.protect.tenants import NAMING_TYPES, TenantNames
from strongroom.sql.schema import SESSION, SHADOW, read_order
from strongroom.wire.postgres import types

_TABLE = """\
SELECT c.oid::int8, c.relkind::text, c.relpersistence::text, c.relreplident::text,
  EXISTS (SELECT FROM pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent)),
  pg_has_role(c.relowner, 'USAGE'), c.relforcerowsecurity
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s"""
_COLUMNS = """\
SELECT a.attname, a.attnum, a.atttypid::int8, a.atttypmod, a.attnotnull, a.attidentity::text,
  a.attgenerated::text, col_description(a.attrelid, a.attnum), coalesce(l.collisdeterministic, true),
  coalesce((SELECT array_agg(ARRAY[CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END,
      x.privilege_type, x.is_grantable::text] ORDER BY x.grantee, x.privilege_type)
    FROM aclexplode(a.attacl) x), '{}')
FROM pg_attribute a LEFT JOIN pg_collation l ON l.oid = a.attcollation
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""
_DEPENDENTS = """\
SELECT d.classid::regclass::text, d.objid::int8, pg_describe_object(d.classid, d.objid, d.objsubid),
  coalesce(k.contype::text, ''), coalesce(k.conname, ''), coalesce(x.relkind::text, ''),
  coalesce(x.relname, '')
FROM pg_depend d
LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
LEFT JOIN pg_class x ON d.classid = 'pg_class'::regclass AND x.oid = d.objid
WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = %s AND d.refobjsubid = %s ORDER BY 1, 2"""
_TRIGGERS = """\
SELECT t.tgname, n.nspname || '.' || p.proname, n.nspname = 'strongroom_keys'
FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE t.tgrelid = %s AND NOT t.tgisinternal ORDER BY 1"""
_FOREIGN_KEYS = """\
SELECT k.conrelid::int8, k.confrelid::int8, k.conname, pg_get_constraintdef(k.oid), k.convalidated,
  k.conkey, k.confkey, k.conrelid::regclass::text, k.confrelid::regclass::text
FROM pg_constraint k
WHERE k.contype = 'f' AND k.conparentid = 0 AND (k.conrelid = ANY(%s) OR k.confrelid = ANY(%s))
ORDER BY k.conname, k.oid"""
_SIZE = """\
SELECT greatest(reltuples, 0)::int8, pg_size_pretty(pg_total_relation_size(oid))
FROM pg_class WHERE oid = %s"""
_PUBLICATIONS = """\
SELECT p.pubname FROM pg_publication_tables p WHERE p.schemaname = %s AND p.tablename = %s
  AND %s = ANY(p.attnames) ORDER BY 1"""
_ORDER_COMMENTS = """\
SELECT obj_description(k.oid, 'pg_constraint') FROM pg_constraint k
WHERE k.conrelid = %s AND k.contype = 'c' AND starts_with(k.conname, 'strongroom_') ORDER BY k.oid DESC"""


def survey(
    database: Database, targets: Sequence[Target], direction: Direction, accepted: Collection[str] = ()
) -> Plan:
    """The plan of a changeover of these columns; ``accepted`` are functions of triggers, `schema.name`."""
    return _Survey(database, direction, accepted).plan(targets)


def triggers(database: Database, table: int) -> list[tuple[str, str]]:
    """Users' triggers on a table: (name, `schema.function`)."""
    return [(name, function) for name, function, ours in database.rows(_TRIGGERS, table) if not ours]


class _Survey:
    """The catalog's answers, and what is refused so far."""

    def __init__(self, database: Database, direction: Direction, accepted: Collection[str]) -> None:
        self._database = database
        self._direction = direction
        self._accepted = accepted
        self._refusals: list[str] = []
        self._notes: list[str] = []

    def plan(self, targets: Sequence[Target]) -> Plan:
        by_table: dict[tuple[str, str], list[Target]] = {}
        for target in targets:
            schema, table, _ = split_column(target.scheme.column)
            by_table.setdefault((schema, table), []).append(target)
        tables = [self._table(*name, group) for name, group in sorted(by_table.items())]
        found = tuple(table for table in tables if table is not None)
        for each in found:
            self._note_size(each)
        keys = self._foreign_keys(found)
        return Plan(self._direction, found, keys, tuple(self._refusals), tuple(self._notes))

    def _refuse(self, what: str, way_out: str) -> None:
        self._refusals.append(f"{what}: {way_out}")

    def _table(self, schema: str, name: str, targets: Iterable[Target]) -> Table | None:
        found = self._database.rows(_TABLE, schema, name)
        shown = f"{schema}.{name}"
        if not found:
            self._refuse(f"there is no table {shown}", "correct its name in the configuration")
            return None
        oid, kind, persistence, identity, inherits, owned, forced = found[0]
        if kind != "r" or persistence == "t":
            self._refuse(f"{shown} is no ordinary table", "only columns of ordinary tables can change")
            return None
        if inherits:
            self._refuse(f"{shown} has partitions, or inherits", "this is not supported yet")
        if not owned:
            self._refuse(f"{shown} belongs to another role", "set `owner` to the role that owns it")
        if identity == "i":
            self._refuse(
                f"{shown} has an index as replica identity", "make it DEFAULT until the change is done"
            )
        if forced:
            self._refuse(
                f"{shown} forces row security on its owner", "ALTER TABLE ... NO FORCE ROW LEVEL SECURITY"
            )
        rows = self._database.rows(_COLUMNS, oid)
        live = {row[0]: row[1] for row in rows if not row[0].startswith(SHADOW)}
        by_name = {row[0]: row for row in rows}
        columns = [self._column(oid, shown, by_name, target) for target in targets]
        changing = tuple(sorted((c for c in columns if c is not None), key=lambda column: column.attnum))
        return Table(
            oid,
            schema,
            name,
            changing,
            self._indexes(oid, changing),
            self._order(oid, live),
            self._triggers(oid, shown),
        )

    def _note_size(self, table: Table) -> None:
        rows, size = self._database.rows(_SIZE, table.oid)[0]
        self._notes.append(
            f"{table.schema}.{table.name} has about {rows} rows and {size}; each row is written once more, so"
            " that the table may grow to twice its size until it is vacuumed or rewritten"
        )
        self._notes.append(
            f"until the swap, {table.schema}.{table.name} has columns named {SHADOW}...: around the gateway"
            " they are seen in * and in COPY without a list of columns"
        )

    # ------------------------------------------------------------------------------------ one column

    def _column(
        self, oid: int, table: str, by_name: dict[str, tuple[object, ...]], target: Target
    ) -> Column | None:
        scheme = target.scheme
        name = split_column(scheme.column)[2]
        shown = f"{table}.{name}"
        if name not in by_name:
            self._refuse(f"there is no column {shown}", "correct its name in the configuration")
            return None
        _, attnum, type_oid, typmod, not_null, identity, generated, comment, collation, grants = by_name[name]
        assert isinstance(attnum, int)
        assert isinstance(grants, list)
        if self._direction is Direction.UNPROTECT:
            if type_oid != types.BYTEA:
                self._refuse(f"{shown} is not protected", "there is nothing to do")
        elif self._direction is Direction.REKEY:
            if type_oid != types.BYTEA:
                self._refuse(f"{shown} is not protected", "run `strongroom protect`")
        elif type_oid == types.BYTEA and scheme.type.oid != types.BYTEA:
            self._refuse(f"{shown} is bytea already", "if it is protected, there is nothing to do")
        elif (type_oid, typmod) != (scheme.type.oid, scheme.type.typmod):
            self._refuse(f"{shown} is not of the type {scheme.type}", "write its type as the database has it")
        if identity or generated:
            self._refuse(f"{shown} is computed by the database", "make it an ordinary column first")
        if not collation and scheme.comparable:
            self._refuse(f"{shown} has a nondeterministic collation", "use randomized, or another collation")
        for publication in self._database.rows(_PUBLICATIONS, *split_column(scheme.column)):
            self._refuse(
                f"publication {publication[0]} carries {shown}",
                "take the column out of it: its subscribers would get the other form",
            )
        self._dependents(oid, attnum, name, shown)
        naming = self._naming(table, by_name, target)
        return Column(
            target,
            attnum,
            name,
            bool(not_null),
            comment if isinstance(comment, str) else None,
            tuple((grantee, privilege, grantable == "true") for grantee, privilege, grantable in grants),
            naming,
        )

    def _naming(self, table: str, by_name: dict[str, tuple[object, ...]], target: Target) -> Naming | None:
        """The column that names the tenants."""
        name = target.scheme.tenant
        if name is None or self._direction is not Direction.PROTECT:
            return None
        if name == SESSION:
            if target.tenant is None:
                self._refuse(
                    f"nothing says whose values {target.scheme.column} holds already",
                    "name the tenant of all of them: --tenant NAME",
                )
            return None
        if name not in by_name:
            self._refuse(f"there is no column {table}.{name}", "correct tenant: in the configuration")
            return None
        type_oid, collation = by_name[name][2], by_name[name][8]
        if by_name[name][5] or by_name[name][6]:
            self._refuse(f"{table}.{name} is computed by the database", "make it an ordinary column first")
        if type_oid not in NAMING_TYPES or not collation:
            self._refuse(
                f"{table}.{name} cannot name tenants: equal values of its type need not look equal",
                "name a column of type integer, uuid or text, with a deterministic collation",
            )
            return None
        assert isinstance(type_oid, int)
        return Naming(name, TenantNames(types.declared(type_oid)))

    def _dependents(self, oid: int, attnum: int, name: str, shown: str) -> None:
        ours = {constraint_name(name), not_null_name(name), guard_name(name)}
        for catalog, _, described, contype, conname, relkind, relname in self._database.rows(
            _DEPENDENTS, oid, attnum
        ):
            treated = (
                relkind == "i"  # indexes.py
                or contype in {"p", "u", "f"}
                or contype == "n"  # NOT NULL, since PostgreSQL 18
                or (contype == "c" and conname in ours)
            )
            if treated or relname == todo_name(oid):
                continue
            self._refuse(f"{described} depends on {shown}", _WAYS_OUT.get(catalog, "drop it first"))

    # ------------------------------------------------------------------------------------ what is around

    def _indexes(self, oid: int, columns: Sequence[Column]) -> tuple[Index, ...]:
        found, refusals, notes = indexes.read(self._database, oid, columns, self._direction)
        self._refusals += refusals
        self._notes += notes
        return found

    def _triggers(self, oid: int, table: str) -> tuple[str, ...]:
        found = []
        for name, function in triggers(self._database, oid):
            found.append(name)
            if function not in self._accepted:
                self._refuse(
                    f"trigger {name} of {table} calls {function}: it would fire for each row that is filled",
                    "list it under `functions:` with a reason if that does no harm, or drop it until the end",
                )
            elif name.encode() >= TRIGGER.encode():
                self._refuse(f"trigger {name} of {table} fires after ours", "give it another name")
        return tuple(found)

    def _order(self, oid: int, live: dict[str, int]) -> tuple[tuple[int, str], ...]:
        """The columns as clients know them: in the order of attnum, or as an earlier changeover left it."""
        comments = [row[0] for row in self._database.rows(_ORDER_COMMENTS, oid)]
        order = next((found for c in comments if c and (found := read_order(c, oid, live))), None)
        names = {attnum: name for name, attnum in live.items()}
        known = [attnum for attnum in order or () if attnum in names]
        rest = [attnum for attnum in sorted(names) if attnum not in known]
        return tuple((attnum, names[attnum]) for attnum in (*known, *rest))

    def _foreign_keys(self, tables: Sequence[Table]) -> tuple[ForeignKey, ...]:
        changing = {table.oid: {c.attnum: c for c in table.columns} for table in tables}
        found = []
        oids = list(changing)
        for row in self._database.rows(_FOREIGN_KEYS, oids, oids):
            table, other, name, definition, validated, key, other_key, shown, other_shown = row
            pairs = [
                (changing.get(table, {}).get(here), changing.get(other, {}).get(there))
                for here, there in zip(key, other_key, strict=True)
            ]
            if not any(here or there for here, there in pairs):
                continue
            if all(self._same_key(here, there) for here, there in pairs if here or there):
                found.append(ForeignKey(table, name, definition, validated))
            else:
                self._refuse(
                    f"foreign key {name} of {shown} ties a column to one of {other_shown}",
                    "change both together, with one key (`key:`) and encryption: deterministic",
                )
        return tuple(found)

    def _same_key(self, here: Column | None, there: Column | None) -> bool:
        if here is None or there is None:
            return False
        same = here.target.scheme.keyset == there.target.scheme.keyset
        return same and (here.target.scheme.comparable or self._direction is Direction.UNPROTECT)


_WAYS_OUT = {
    "pg_attrdef": "ALTER TABLE ... ALTER COLUMN ... DROP DEFAULT, and let the application give the value",
    "pg_rewrite": "drop the view or rule and make it anew afterwards",
    "pg_constraint": "drop it: the database cannot check, or compare, what it cannot read",
    "pg_policy": "a policy cannot read a protected column: base it on another",
    "pg_trigger": "drop the trigger, or its column list",
    "pg_statistic_ext": "drop the statistics object",
    "pg_proc": "drop the function and make it anew afterwards",
}
