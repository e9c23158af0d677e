"""Which names an expression can see, and what they mean: PostgreSQL's namespaces (parse_relation.c,
parse_clause.c).

A `Scope` is one query level. Its `items` answer qualified names, its `columns` unqualified ones and `*`
(they differ by JOIN ... USING, which merges two columns into one). Called by `queries.py`, `changes.py` and
`expressions.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from strongroom.errors import AmbiguousColumn, ConstructRefused, UndefinedColumn, UndefinedTable
from strongroom.sql.schema import Relation
from strongroom.sql.value import PLAIN, Value

SYSTEM_COLUMNS = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})


def quoted(name: str) -> str:
    """A name as SQL text, always quoted."""
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True)
class Named:
    """A column of a FROM item or a query; `text` is how `*` spells it out."""

    name: str
    value: Value
    text: str = ""


@dataclass(slots=True)
class Item:
    """A relation, subquery, function or join that qualified names can mean."""

    alias: str
    columns: list[Named]
    schema: str | None = None  # of a table without an alias: schema.table.column
    relation: Relation | None = None
    partial: bool = False  # it has columns that are not known, all of them unprotected
    visible: bool = True  # False: seen by qualified names only by joins that hide it
    location: int = 0  # where it is named in the text

    def value_of(self, name: str) -> Value | None:
        """The column of a name."""
        found = [column.value for column in self.columns if column.name == name]
        if len(found) > 1:
            raise AmbiguousColumn(f'column reference "{self.alias}.{name}" is ambiguous')
        if found:
            return found[0]
        if self.partial:
            return PLAIN
        return PLAIN if self.relation is not None and name in SYSTEM_COLUMNS else None

    def row(self) -> Value:
        """The whole row."""
        return Value(fields=tuple((column.name, column.value) for column in self.columns))


@dataclass(slots=True)
class Source:
    """What a FROM list, or a part of it, brings into sight."""

    items: list[Item] = field(default_factory=list)
    columns: list[Named] = field(default_factory=list)  # for unqualified names and `*`, in order

    def extend(self, other: "Source") -> None:
        """Adds what stands to the right."""
        self.items.extend(other.items)
        self.columns.extend(other.columns)

    @property
    def partial(self) -> bool:
        """Whether `*` has columns that are not known."""
        return any(item.partial for item in self.items)


@dataclass(slots=True)
class Scope:
    """One query level."""

    parent: "Scope | None" = None
    source: Source = field(default_factory=Source)
    ctes: dict[str, list[Named] | None] = field(default_factory=dict)  # None: named, not to be used yet

    def chain(self) -> Iterator["Scope"]:
        """This level and those around it."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def cte(self, name: str) -> list[Named] | None:
        """The columns of a WITH query in sight, or None."""
        for scope in self.chain():
            if name in scope.ctes:
                columns = scope.ctes[name]
                if columns is None:
                    raise ConstructRefused(
                        f'WITH query "{name}" is used before it is written',
                        hint="write WITH queries in the order of their use",
                    )
                return columns
        return None

    def column(self, name: str) -> Value:
        """What an unqualified name means: a column in sight, or the row of a table."""
        unsure = False
        for scope in self.chain():
            found = [column.value for column in scope.source.columns if column.name == name]
            if len(found) > 1:
                raise AmbiguousColumn(f'column reference "{name}" is ambiguous')
            if found:
                if unsure and (found[0].touches() or found[0].open):
                    raise AmbiguousColumn(
                        f'column reference "{name}" may be of a function in FROM', hint="qualify the column"
                    )
                return found[0]
            if name in SYSTEM_COLUMNS and any(item.relation for item in scope.source.items):
                return PLAIN
            unsure = unsure or scope.source.partial
        for scope in self.chain():
            for item in scope.source.items:
                if item.alias == name and item.visible:
                    return PLAIN if item.partial and not item.columns else item.row()
        if unsure:
            return PLAIN
        raise UndefinedColumn(f'column "{name}" does not exist')

    def item(self, schema: str | None, alias: str) -> Item:
        """The FROM item that a qualifier means."""
        for scope in self.chain():
            found = [
                item
                for item in scope.source.items
                if item.visible and item.alias == alias and (schema is None or item.schema == schema)
            ]
            if len(found) > 1:
                raise AmbiguousColumn(f'table reference "{alias}" is ambiguous')
            if found:
                return found[0]
        raise UndefinedTable(f'missing FROM-clause entry for table "{alias}"')

    def qualified(self, schema: str | None, alias: str, name: str) -> Value:
        """What `alias.name` or `schema.alias.name` means."""
        value = self.item(schema, alias).value_of(name)
        if value is None:
            raise UndefinedColumn(f"column {alias}.{name} does not exist")
        return value
