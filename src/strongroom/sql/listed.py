"""Rows that an INSERT selects from one list of VALUES, each for the tenant that stands in it.

`INSERT INTO t (tenant_id, iban) SELECT p0::int, p1 FROM (VALUES ($1::int, $2), ($3::int, $4)) v (p0, p1)` is
how SQLAlchemy inserts many objects at once. There what names a row's tenant, and what is sealed for it, are
columns of the list alone: so they come from one row of it, whichever rows WHERE, ORDER BY and LIMIT leave.
Where in the text each value stands says in which row of the list it is (`Row.each`).

The list is one column to PostgreSQL, of one type for all rows (manual, "UNION, CASE, and Related
Constructs"): a name may be written otherwise than it came if one of them has another type. So all must have
types of the kind of the column that names tenants. Called by `changes.py`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from strongroom.sql.parse import Node, strings, unpack
from strongroom.sql.run import Run
from strongroom.sql.schema import Column, Relation, Row
from strongroom.sql.tenants import STRINGS, keeps_names, kind_of, leaf
from strongroom.sql.value import Literal, ParameterUse

_KNOWN = {
    "targetList",
    "fromClause",
    "whereClause",
    "sortClause",
    "limitOffset",
    "limitCount",
    "limitOption",
    "op",
}
"""What a query may have that gives each of its rows from one of the list's."""


@dataclass(frozen=True, slots=True)
class _List:
    """A list of VALUES, alone in FROM."""

    alias: str
    names: tuple[str, ...]
    rows: tuple[Sequence[Node], ...]

    def place(self, node: Node) -> int | None:
        """Which of its columns an expression is, cast or not; None if it is any other."""
        while "TypeCast" in node:
            node = node["TypeCast"]["arg"]
        fields = node["ColumnRef"]["fields"] if "ColumnRef" in node else []
        if not fields or any("String" not in field for field in fields):
            return None
        *qualifier, name = strings(fields)
        own = qualifier in ([], [self.alias]) and self.names.count(name) == 1
        return self.names.index(name) if own else None


def learn_listed(
    run: Run, row: Row | None, relation: Relation, columns: Sequence[Column], body: Node
) -> None:
    """Takes the tenants of the rows that a query gives from the list of VALUES that it reads."""
    found = _list_of(body)
    targets = [item["ResTarget"]["val"] for item in body.get("targetList", ())]
    if row is None or found is None or len(targets) != len(columns):
        return
    named = None
    for column, node in zip(columns, targets, strict=True):
        protection = run.ground.protection(relation, column)
        if column.name == row.column and _is_kept(run, node, row):
            named = found.place(node)
        elif protection is not None and protection.tenant == row.column and found.place(node) is None:
            return
    if named is not None:
        row.each = _tenants(run, row, found, named)


def _list_of(body: Node) -> _List | None:
    """The list of VALUES that is all that a query reads."""
    if body.keys() - _KNOWN or len(body.get("fromClause", ())) != 1:
        return None
    tag, item = unpack(body["fromClause"][0])
    if tag != "RangeSubselect" or item.keys() != {"subquery", "alias"}:
        return None
    query = item["subquery"].get("SelectStmt", {})
    if "valuesLists" not in query or query.keys() - {"valuesLists", "limitOption", "op"}:
        return None
    rows = tuple(one["List"]["items"] for one in query["valuesLists"])
    given = strings(item["alias"].get("colnames", []))
    named = (*given, *(f"column{number}" for number in range(len(given) + 1, len(rows[0]) + 1)))
    return _List(item["alias"]["aliasname"], named, rows)


def _is_kept(run: Run, node: Node, row: Row) -> bool:
    """Whether no cast around a column can change what it names."""
    while "TypeCast" in node:
        if not keeps_names(run, node["TypeCast"]["typeName"], row.type_oid):
            return False
        node = node["TypeCast"]["arg"]
    return True


def _tenants(run: Run, row: Row, found: _List, named: int) -> dict[int, int]:
    """Of each place in the text of a list where that of its row's tenant is; none if a type may change it."""
    kind = kind_of(row.type_oid)
    places: dict[int, int] = {}
    types: set[int] = set()
    for items in found.rows:
        node = items[named]
        if node.get("A_Const", {}).get("isnull"):
            continue  # of no tenant: nothing in this row can be sealed
        said = leaf(run, node, row.type_oid)
        oid = 0 if said is None else _type_of(run, node, said, row)
        if said is None or (oid not in kind and not (oid == 0 and _is_of_context(run, said, kind))):
            return {}
        types.add(oid)
        places.update(dict.fromkeys(_places(items), said))
    return places if types - {0} or kind == STRINGS else {}


def _type_of(run: Run, node: Node, said: int, row: Row) -> int:
    """The type of what names a tenant; 0 if the others in its column give it one."""
    if "TypeCast" in node:
        return row.type_oid  # or one of its kind: `leaf` has looked
    match run.placed(said):
        case Literal(type_oid=oid, number_oid=number):
            return oid or number
        case ParameterUse(type_oid=oid):
            return oid
        case _:
            return -1


def _is_of_context(run: Run, said: int, kind: frozenset[int]) -> bool:
    """Whether what has no type of its own is read alike in each of a kind; a parameter's bytes are not."""
    return kind == STRINGS or isinstance(run.placed(said), Literal)


def _places(node: object) -> Iterator[int]:
    """Where in the text everything in a part of the tree stands."""
    if isinstance(node, list):
        for item in node:
            yield from _places(item)
    elif isinstance(node, dict):
        for key, inner in node.items():
            if key == "location":
                yield inner
            else:
                yield from _places(inner)
