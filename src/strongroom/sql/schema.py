"""The catalog as analysis sees it: an immutable snapshot, read by one statement.

The shell sends `CATALOG_QUERY`, which returns one JSON value on PostgreSQL 15 to 18, and makes a `Schema`
of it by `Schema.from_catalog`. A snapshot is swapped whole, never changed. What the configuration says of
columns is not in it, nor is the search path of a session; `ground.py` puts these together. (`path` is the
path of the session that read the catalog, because the names in `definition` of views are as seen from
there.)
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import Any

from strongroom.errors import CatalogUnreadable
from strongroom.protect.check import key_ids_in

SESSION = "session"
"""In place of a column: the session says which tenant its values belong to."""

ColumnId = tuple[int, int]
"""(pg_class.oid, pg_attribute.attnum)"""

CATALOG_QUERY = resources.files("strongroom.sql").joinpath("catalog.sql").read_text(encoding="utf-8")


ORDER_COMMENT = "strongroom column order: "
LOOKED_UP_BY = "looked_up_by_"
"""Before the id of a key: the type whose presence says that look-ups by this key find what there is."""
"""What a comment on the CHECK of a protected column begins with; then JSON (``read_order``)."""

SHADOW = "strongroom_shadow_"
"""What the name of a column begins with that will replace another, and that clients do not see yet."""


OWN_SCHEMA = "strongroom_keys"
"""Where Strongroom keeps what is its own in the database. Not `strongroom`: a role of that name, which the
guides propose, would find it before `public`, by the "$user" of PostgreSQL's default search path."""

OWN_TRIGGER = "~~~~strongroom_shadow"
"""The trigger that empties shadow columns; it fires last, by its name (changeover/statements.py)."""


@dataclass(frozen=True, slots=True)
class Protection:
    """How one column is protected, as far as analysis must know; built from configuration by the shell."""

    column: str  # as configured: schema.table.column
    keyset: str  # columns of one keyset may be compared with, and copied to, each other
    type_oid: int  # the declared type, which the client sees
    typmod: int  # its modifier; -1 if none
    comparable: bool  # deterministic: equal values have equal ciphertexts
    looked_up_by: str = ""  # the type named after the key that seals look-ups in it (sql/guards.py)
    tenant: str = ""  # the column of its table that names the tenant by whose key it is sealed, or SESSION
    row: "Row | None" = field(default=None, compare=False, repr=False)  # whose it is (sql/tenants.py)


@dataclass(slots=True, eq=False)
class Row:
    """A row of a table some of whose values belong to a tenant, while a statement is analysed.

    ``said`` is where in the text its tenant is named, ``same`` another row of the same one. Where it stands
    for many, ``each`` says by the place of a value in the text where that of its tenant is.
    """

    column: str  # which names the tenant
    type_oid: int = 0  # of that column
    said: int | None = None
    same: "Row | None" = None
    each: Mapping[int, int] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether nothing says yet whose it is."""
        return self.said is None and self.same is None and not self.each


@dataclass(frozen=True, slots=True)
class Column:
    """A live column of a relation."""

    attnum: int
    name: str
    type_oid: int
    typmod: int
    has_default: bool = False  # other than by identity or generation
    identity: str = ""  # pg_attribute.attidentity
    generated: str = ""  # pg_attribute.attgenerated


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, partition, view, materialized view or foreign table."""

    oid: int
    schema: str
    name: str
    kind: str  # pg_class.relkind
    columns: tuple[Column, ...]  # in the order of attnum
    temporary: bool = False
    parents: tuple[int, ...] = ()  # by inheritance or partitioning
    triggers: tuple[tuple[str, int], ...] = ()  # (name, function) of those that users made
    rules: tuple[str, ...] = ()  # other than a view's own
    definition: str | None = None  # of a view
    depends: tuple[int, ...] = ()  # relations that its view, rules, policies and expressions name
    calls: tuple[int, ...] = ()  # functions of users that these, and triggers, call
    column_order: tuple[int, ...] | None = None  # attnums in the order before `protect` swapped a column
    key: tuple[int, ...] = ()  # attnums of its primary key
    unique: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # attnums by the constraint's name
    references: tuple[int, ...] = ()  # relations that its foreign keys name
    keys: Mapping[int, frozenset[int]] = field(default_factory=dict)  # attnum -> ids of keys its CHECK allows

    def ordered(self) -> tuple[Column, ...]:
        """The columns in the order that clients know."""
        seen = tuple(column for column in self.columns if not column.name.startswith(SHADOW))
        if self.column_order is None:
            return seen
        place = {attnum: index for index, attnum in enumerate(self.column_order)}
        return tuple(sorted(seen, key=lambda column: (place.get(column.attnum, len(place)), column.attnum)))


@dataclass(frozen=True, slots=True)
class Function:
    """A function, procedure or aggregate that is not PostgreSQL's own."""

    oid: int
    schema: str
    name: str
    kind: str  # pg_proc.prokind
    language: str
    source: str = field(repr=False)
    parts: tuple[int, ...] = ()  # an aggregate's own functions


@dataclass(frozen=True, slots=True)
class UserType:
    """A type that is not PostgreSQL's own; `relation` is the table whose rows it describes, or 0."""

    oid: int
    schema: str
    name: str
    kind: str  # pg_type.typtype
    relation: int


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator that is not PostgreSQL's own."""

    schema: str
    name: str
    left: int
    right: int
    function: int


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """One snapshot; compared by identity."""

    relations: Mapping[int, Relation]
    path: tuple[str, ...] = ("pg_catalog", "public")
    system: frozenset[tuple[str, str]] = frozenset()  # (schema, name) of PostgreSQL's own relations
    types: tuple[UserType, ...] = ()
    functions: Mapping[int, Function] = field(default_factory=dict)
    operators: tuple[Operator, ...] = ()
    casts: tuple[tuple[int, int, int], ...] = ()  # (source, target, function) of casts that users made
    version: int = 180000
    names: Mapping[tuple[str, str], Relation] = field(init=False)  # by schema and name

    def __post_init__(self) -> None:
        names = {(relation.schema, relation.name): relation for relation in self.relations.values()}
        object.__setattr__(self, "names", names)

    @property
    def looked_up_by(self) -> frozenset[str]:
        """The types of keys by which there are look-ups."""
        own = (one.name for one in self.types if one.schema == OWN_SCHEMA)
        return frozenset(name for name in own if name.startswith(LOOKED_UP_BY))

    def has_heirs(self, relation: Relation) -> bool:
        """Whether other tables inherit from one, or are its partitions."""
        return any(relation.oid in other.parents for other in self.relations.values())

    def truncated_with(self, relations: Iterable[Relation]) -> list[Relation]:
        """What TRUNCATE CASCADE empties besides: what refers to these, their heirs, and so on.

        Source: ExecuteTruncate, which asks for the privilege on what refers to them, and not on heirs.
        """
        emptied = {relation.oid for relation in relations}
        referring: dict[int, Relation] = {}
        pending = True
        while pending:
            heirs = {one.oid for one in self.relations.values() if emptied.intersection(one.parents)}
            more = {one.oid: one for one in self.relations.values() if emptied.intersection(one.references)}
            pending = not (heirs | more.keys()) <= emptied
            emptied |= heirs | more.keys()
            referring |= more
        return list(referring.values())

    def find(self, schema: str | None, name: str, path: tuple[str, ...]) -> Relation | tuple[str, str] | None:
        """The relation that a name means under a search path; (schema, name) for one of PostgreSQL's own.

        Source: manual, "The Schema Search Path": the first schema of the path that has the name.
        """
        for candidate in path if schema is None else (schema,):
            if candidate == "pg_temp":
                continue  # an alias: the path holds the schema's real name too, if it exists
            relation = self.names.get((candidate, name))
            if relation is not None:
                return relation
            if (candidate, name) in self.system:
                return candidate, name
        return None

    @classmethod
    def from_catalog(cls, catalog: Mapping[str, Any]) -> "Schema":
        """The snapshot of what `CATALOG_QUERY` returned, decoded from JSON."""
        try:
            return cls(
                relations=_placed({item["oid"]: _relation(item) for item in catalog["relations"]}),
                path=tuple(catalog["path"]),
                system=frozenset((schema, name) for schema, name in catalog["system"]),
                types=tuple(UserType(*item) for item in catalog["types"]),
                functions={item[0]: _function(item) for item in catalog["functions"]},
                operators=tuple(Operator(*item) for item in catalog["operators"]),
                casts=tuple((source, target, function) for source, target, function in catalog["casts"]),
                version=catalog["version"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CatalogUnreadable(
                "the answer to the catalog query is not understood",
                hint="check that the upstream is PostgreSQL 15 to 18 and that nothing rewrites its answers",
            ) from error


def _function(item: Sequence[Any]) -> Function:
    oid, schema, name, kind, language, source, parts = item
    return Function(oid, schema, name, kind, language, source, tuple(parts))


def _relation(item: Mapping[str, Any]) -> Relation:
    return Relation(
        oid=item["oid"],
        schema=item["schema"],
        name=item["name"],
        kind=item["kind"],
        columns=tuple(Column(*column) for column in item["columns"]),
        temporary=item["temporary"],
        parents=tuple(item["parents"]),
        triggers=tuple((name, function) for name, function in item["triggers"]),
        rules=tuple(item["rules"]),
        definition=item["definition"],
        depends=tuple(item["depends"]),
        calls=tuple(item["calls"]),
        column_order=_column_order(item),
        key=tuple(item.get("key") or ()),
        unique={name: tuple(attnums) for name, attnums in item.get("unique", {}).items()},
        references=tuple(item.get("references", ())),
        keys={attnum: key_ids_in(definition) for attnum, definition in item.get("checks", ())},
    )


def _placed(relations: dict[int, Relation]) -> dict[int, Relation]:
    """Children made after `protect` have taken over the swapped places of their parent's columns."""
    pending = True
    while pending:
        pending = False
        for child in relations.values():
            order = next(
                (order for oid in child.parents if (order := _order_like(child, relations.get(oid)))), None
            )
            if child.column_order is None and order is not None:
                relations[child.oid] = replace(child, column_order=order)
                pending = True
    return relations


def _order_like(child: Relation, parent: Relation | None) -> tuple[int, ...] | None:
    if parent is None or parent.column_order is None:
        return None
    names = [column.name for column in parent.columns]
    if [column.name for column in child.columns[: len(names)]] != names:
        return None  # the child has places of its own
    live = {column.name: column.attnum for column in child.columns}
    return tuple(live[column.name] for column in parent.ordered())


def _column_order(item: Mapping[str, Any]) -> tuple[int, ...] | None:
    live = {column[1]: column[0] for column in item["columns"]}
    orders = (read_order(comment, item["oid"], live) for comment in item.get("orders", ()))
    return next((order for order in orders if order is not None), None)


def read_order(comment: str, table: int, live: Mapping[str, int]) -> tuple[int, ...] | None:
    """The attnums of a table in the order that clients know, of the comment that `protect` left.

    A column that was swapped stands last in the table. The comment has attnums, which hold while the table is
    the same, and names, for a table that was restored from a dump and so has other attnums. ``live`` are the
    table's columns. None if the comment is no such one.
    """
    if not comment.startswith(ORDER_COMMENT):
        return None
    try:
        found = json.loads(comment.removeprefix(ORDER_COMMENT))
        if found["table"] == table:
            return tuple(int(attnum) for attnum in found["order"])
        return tuple(live[name] for name in found["names"] if name in live)
    except (ValueError, KeyError, TypeError):
        return None
