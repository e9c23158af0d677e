"""What a statement does to what: the accesses about which a policy decides, found while it is analysed.

Each column that an expression names flows into its value (`Value.columns`), and from there into an output, a
condition or another column. An output that gives a column as it stands may be masked on its way to the
client; whatever is computed from a column reveals it, and whatever tells rows apart by it filters. The
question who asks does not come up here: the answer is remembered with the analysis, for all accounts.

`Uses` is filled by `queries.py`, `changes.py`, `expressions.py` and `defining.py`; `made` and `unseen` make
accesses of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from strongroom.policy.model import Action
from strongroom.sql.schema import ColumnId, Relation, Schema
from strongroom.sql.value import Value


@dataclass(frozen=True, slots=True)
class Access:
    """One thing that a statement does; all names as the catalog has them."""

    action: Action
    schema: str = ""  # empty: the database
    name: str = ""
    column: str = ""


EVERY = "\0*"
"""In the place of a column: each that there is. No name has such a character."""


@dataclass(slots=True)
class Uses:
    """What one analysis has found so far."""

    relations: set[tuple[Action, str, str]] = field(default_factory=set)
    seen: set[ColumnId] = field(default_factory=set)  # by the expression that is being resolved
    revealed: set[ColumnId] = field(default_factory=set)
    filtered: set[ColumnId] = field(default_factory=set)
    written: set[ColumnId] = field(default_factory=set)

    def on(self, action: Action, relation: Relation | tuple[str, str]) -> None:
        """Something is done to a relation."""
        name = relation if isinstance(relation, tuple) else (relation.schema, relation.name)
        self.relations.add((action, *name))

    def reveal(self, value: Value) -> None:
        """A value goes where no mask can follow it."""
        self.revealed |= columns_of(value)

    def filter(self, value: Value) -> None:
        """Rows are told apart by a value."""
        self.filtered |= columns_of(value)


def columns_of(value: Value) -> frozenset[ColumnId]:
    """The columns from which a value comes, those of a row's fields included."""
    return value.columns.union(*(columns_of(one) for _, one in value.fields or ()))


def made(uses: Uses, schema: Schema) -> frozenset[Access]:
    """The accesses of a statement that was followed to the last column."""
    accesses = {Access(*found) for found in uses.relations}
    for action, columns in (
        (Action.REVEAL, uses.revealed),
        (Action.FILTER, uses.filtered),
        (Action.WRITE, uses.written),
    ):
        accesses.update(_of_column(action, schema, column) for column in columns if column[0])
    return frozenset(accesses)  # what has no relation is a mark (`narrowing.py`)


def unseen(actions: Iterable[Action], named: Iterable[int], schema: Schema) -> frozenset[Access]:
    """The accesses of a statement that was not followed: all that it could do to what it names.

    Through a view that is each column of what it names, too.
    """
    accesses: set[Access] = set()
    for relation in (schema.relations[oid] for oid in named):
        accesses.update(Access(action, relation.schema, relation.name) for action in actions)
        for one in depended(schema, relation):
            accesses.update(
                Access(action, one.schema, one.name, column.name)
                for column in one.columns
                for action in (Action.REVEAL, Action.FILTER, Action.WRITE)
            )
    return frozenset(accesses)


def _of_column(action: Action, schema: Schema, column: ColumnId) -> Access:
    return Access(action, *named(schema, column))


def named(schema: Schema, column: ColumnId) -> tuple[str, str, str]:
    """The schema, table and column of an id."""
    relation = schema.relations[column[0]]
    return relation.schema, relation.name, next(c.name for c in relation.columns if c.attnum == column[1])


def depended(schema: Schema, relation: Relation) -> list[Relation]:
    """A relation and all that it depends on, views through views."""
    found = [relation]
    for one in found:
        others = (schema.relations.get(oid) for oid in one.depends)
        found.extend(other for other in others if other is not None and other not in found)
    return found
