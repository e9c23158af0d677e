"""Where protected columns are: a catalog snapshot and a configuration put together, once for each pair.

`near` is the set of relations through which a protected column can be reached: the table itself, its
partitions and children, its parents, and whatever names one of these in a view, rule, policy or expression.
`opaque` is the set of functions that could reach one without our seeing it. Called by `resolve.py`; cached
by identity.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from strongroom.sql.mention import harmless
from strongroom.sql.schema import SESSION, Column, ColumnId, Function, Protection, Relation, Schema

KEPT = 8  # grounds: one for each database and the snapshots being replaced


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What of a snapshot is protected, near or opaque."""

    schema: Schema
    configured: Mapping[ColumnId, Protection]
    columns: Mapping[ColumnId, Protection]  # with partitions and children
    near: frozenset[int]
    near_names: frozenset[str]  # in lower case
    torn: frozenset[int]  # parents whose children protect a column that they do not
    opaque: frozenset[int]  # functions
    opaque_names: frozenset[str]
    perils: Mapping[
        int, frozenset[int]
    ]  # opaque functions that a relation calls, or a relation that it names

    def protection(self, relation: Relation, column: Column) -> Protection | None:
        """How a column is protected."""
        return self.columns.get((relation.oid, column.attnum))

    def naming(self, relation: Relation) -> set[str]:
        """The columns of a table that name the tenants of its rows."""
        found = (self.protection(relation, column) for column in relation.columns)
        return {one.tenant for one in found if one is not None} - {"", SESSION}

    @property
    def asks_session(self) -> bool:
        """Whether sessions say to which tenant values belong."""
        return any(one.tenant == SESSION for one in self.configured.values())

    def protected(self, relation: Relation) -> list[Column]:
        """The protected columns of a table."""
        return [column for column in relation.columns if (relation.oid, column.attnum) in self.columns]


_kept: dict[tuple[int, int], Ground] = {}


def ground_of(schema: Schema, protections: Mapping[ColumnId, Protection]) -> Ground:
    """The ground of a snapshot and a configuration; both are taken as immutable."""
    key = (id(schema), id(protections))
    ground = _kept.get(key)
    if ground is None or ground.schema is not schema or ground.configured is not protections:
        ground = _survey(schema, protections)
        while len(_kept) >= KEPT:
            _kept.pop(next(iter(_kept)), None)
        _kept[key] = ground
    return ground


def _survey(schema: Schema, protections: Mapping[ColumnId, Protection]) -> Ground:
    columns = _inherited(schema, protections)
    torn = _torn(schema, columns)
    near = _near(schema, {oid for oid, _ in columns})
    names = frozenset(schema.relations[oid].name.lower() for oid in near if oid in schema.relations)
    opaque = _opaque(schema, names) if near else frozenset[int]()
    return Ground(
        schema=schema,
        configured=protections,
        columns=columns,
        near=near,
        near_names=names,
        torn=torn,
        opaque=opaque,
        opaque_names=frozenset(schema.functions[oid].name for oid in opaque),
        perils=_perils(schema, opaque),
    )


def _inherited(schema: Schema, protections: Mapping[ColumnId, Protection]) -> dict[ColumnId, Protection]:
    """The configured columns, and those of the same name in partitions and children, at any depth."""
    columns = dict(protections)
    pending = True
    while pending:
        pending = False
        for child in schema.relations.values():
            for parent in (schema.relations[oid] for oid in child.parents if oid in schema.relations):
                for ours, theirs in _pairs(child, parent):
                    protection = columns.get((parent.oid, theirs.attnum))
                    if protection is not None and (child.oid, ours.attnum) not in columns:
                        columns[child.oid, ours.attnum] = protection
                        pending = True
    return columns


def _torn(schema: Schema, columns: Mapping[ColumnId, Protection]) -> frozenset[int]:
    torn = set()
    for child in schema.relations.values():
        for parent in (schema.relations[oid] for oid in child.parents if oid in schema.relations):
            for ours, theirs in _pairs(child, parent):
                if columns.get((child.oid, ours.attnum)) != columns.get((parent.oid, theirs.attnum)):
                    torn.add(parent.oid)
    return frozenset(torn)


def _pairs(child: Relation, parent: Relation) -> Iterable[tuple[Column, Column]]:
    by_name = {column.name: column for column in child.columns}
    return ((by_name[column.name], column) for column in parent.columns if column.name in by_name)


def _near(schema: Schema, tables: set[int]) -> frozenset[int]:
    """The closure over what names a table, and over parents, through which children are read."""
    near = set(tables)
    size = -1
    while len(near) != size:
        size = len(near)
        for relation in schema.relations.values():
            if near.intersection(relation.depends):
                near.add(relation.oid)
            if relation.oid in near:
                near.update(relation.parents)
    return frozenset(near)


def _opaque(schema: Schema, names: frozenset[str]) -> frozenset[int]:
    """The functions that could touch a relation near a protected one, directly or by calling another such."""
    opaque = {function.oid for function in schema.functions.values() if not _readable(function)}
    size = -1
    while len(opaque) != size:
        size = len(opaque)
        perilous = {schema.relations[oid].name.lower() for oid in _perils(schema, frozenset(opaque))}
        hot = names | perilous | {schema.functions[oid].name.lower() for oid in opaque}
        for function in schema.functions.values():
            if function.oid not in opaque and (
                opaque.intersection(function.parts)
                or (function.language in _READ and not harmless(function.source, hot))
            ):
                opaque.add(function.oid)
    return frozenset(opaque)


def _perils(schema: Schema, opaque: frozenset[int]) -> dict[int, frozenset[int]]:
    """The opaque code that using a relation runs, directly or by what its definition names."""
    perils = {oid: opaque.intersection(relation.calls) for oid, relation in schema.relations.items()}
    changed = True
    while changed:
        changed = False
        for oid, relation in schema.relations.items():
            more = perils[oid].union(*(perils.get(other, frozenset()) for other in relation.depends))
            if more != perils[oid]:
                perils[oid], changed = more, True
    return {oid: calls for oid, calls in perils.items() if calls}


_READ = frozenset({"sql", "plpgsql"})
_NATIVE = frozenset({"c", "internal"})  # of extensions; those that run SQL by text are refused by name


def _readable(function: Function) -> bool:
    return function.language in _READ or function.language in _NATIVE
