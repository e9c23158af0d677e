"""What a query gives: SELECT, VALUES, set operations and WITH.

`select` returns the output columns of a query in the order that the client sees; on its way it records what
is compared, and spells out `*`. FROM is in `sources.py`. Called by `resolve.py`, `changes.py` and, for
subqueries, by `sources.py`; the treatment of subqueries in expressions is registered here.
"""

from collections.abc import Callable
from dataclasses import replace

from strongroom.errors import ConstructRefused, StatementTooComplex, UndefinedColumn, ValueMoves
from strongroom.policy.model import Action
from strongroom.sql.access import columns_of
from strongroom.sql.expressions import condition, expression, treats
from strongroom.sql.functions import order, window
from strongroom.sql.keyed import holds
from strongroom.sql.meeting import common, compare, distinct, linked, of_type, plain, settled, typed
from strongroom.sql.names import output_name
from strongroom.sql.operators import check_equality
from strongroom.sql.parse import Node, strings, unpack
from strongroom.sql.run import Run, only
from strongroom.sql.schema import ColumnId
from strongroom.sql.scope import Item, Named, Scope, Source, quoted
from strongroom.sql.tenants import learn
from strongroom.sql.typenames import ELEMENTS, INT8
from strongroom.sql.value import Value, WholeArray

Query = Callable[[Run, Scope | None, Node], list[Named]]
QUERIES: dict[str, Query] = {}
"""What WITH and EXPLAIN may hold; `changes.py` adds INSERT, UPDATE, DELETE and MERGE."""

FromClause = Callable[[Run, Scope, list[Node]], None]
FROM: list[FromClause] = []

MAX_COLUMNS = 1664  # of a query (htup_details.h: MaxTupleAttributeNumber)
"""The treatment of FROM, which `sources.py` registers, since each needs the other."""


def select(run: Run, parent: Scope | None, body: Node, *, exists: bool = False) -> list[Named]:
    """The output columns of a query; those of EXISTS do not matter."""
    only(
        "SELECT", body, "distinctClause", "targetList", "fromClause", "whereClause", "groupClause",
        "groupDistinct", "havingClause", "windowClause", "valuesLists", "sortClause", "limitOffset",
        "limitCount", "limitOption", "lockingClause", "withClause", "op", "all", "larg", "rarg",
    )  # fmt: skip
    scope, around = Scope(parent), set(run.uses.seen)
    if "withClause" in body:
        with_clause(run, scope, body["withClause"])
    if body.get("op", "SETOP_NONE") != "SETOP_NONE":
        outputs = _set_operation(run, scope, body)
    elif "valuesLists" in body:
        outputs = _values(run, scope, body["valuesLists"])
    else:
        outputs = _plain_select(run, scope, body, exists=exists)
    for item in body.get("sortClause", ()):
        order(run, _sorted_by(run, scope, outputs, item["SortBy"]["node"]), item["SortBy"])
    for limit in ("limitOffset", "limitCount"):
        if limit in body:
            value = plain(expression(run, scope, body[limit]), "LIMIT or OFFSET", INT8)
            run.uses.filter(value)
            run.uses.reveal(value)  # the number of rows is the value
    run.uses.seen = around  # what it gives, its columns say
    return outputs


def with_clause(run: Run, scope: Scope, body: Node) -> None:
    """WITH: each query is in sight of those after it, and of itself if recursive."""
    only("WITH", body, "ctes", "recursive", "location")
    queries = [item["CommonTableExpr"] for item in body["ctes"]]
    if body.get("recursive"):
        scope.ctes.update((query["ctename"], None) for query in queries)
    for query in queries:
        only("a WITH query", query, "ctename", "aliascolnames", "ctematerialized", "ctequery", "location")
        names = strings(query.get("aliascolnames", []))
        tag, inner = unpack(query["ctequery"])
        if body.get("recursive") and tag == "SelectStmt" and inner.get("op") == "SETOP_UNION":
            columns = _recursive(run, scope, query["ctename"], inner, names)
        elif tag in QUERIES:
            around = set(run.uses.seen)
            columns = subquery(QUERIES[tag](run, scope, inner))
            run.uses.seen = around
        else:
            raise ConstructRefused(f"{tag} in WITH cannot be analysed beside a protected table")
        scope.ctes[query["ctename"]] = renamed(columns, names)


def subquery(columns: list[Named]) -> list[Named]:
    """The columns of a query that is inside another: what has no type by now is text."""
    for column in columns:
        of_type(column.value.open)
    return [Named(column.name, typed(settled(column.value))) for column in columns]


def renamed(columns: list[Named], names: tuple[str, ...]) -> list[Named]:
    """Columns with the names of an alias; fewer names leave the rest."""
    if len(names) > len(columns):
        raise UndefinedColumn("an alias names more columns than there are")
    return [
        replace(column, name=names[index]) if index < len(names) else column
        for index, column in enumerate(columns)
    ]


def _recursive(run: Run, scope: Scope, name: str, body: Node, names: tuple[str, ...]) -> list[Named]:
    only("WITH RECURSIVE", body, "op", "all", "larg", "rarg", "limitOption")
    first = renamed(subquery(select(run, scope, body["larg"])), names)
    for column in first:
        if column.value.undecided:
            plain(column.value, "WITH RECURSIVE")
    columns = [Named(column.name, replace(column.value, origin=(0, 0))) for column in first]
    scope.ctes[name] = columns
    united = _united(run, columns, select(run, scope, body["rarg"]), body)
    # Each may come to stand in each, a turn later.
    every = frozenset[ColumnId]().union(*(columns_of(column.value) for column in united))
    run.uses.filtered |= every
    return [Named(one.name, replace(one.value, columns=every, as_is=None)) for one in columns]


def _set_operation(run: Run, scope: Scope, body: Node) -> list[Named]:
    left = select(run, scope, body["larg"])
    return _united(run, left, select(run, scope, body["rarg"]), body)


def _united(run: Run, left: list[Named], right: list[Named], body: Node) -> list[Named]:
    """UNION, INTERSECT and EXCEPT compare whole rows, unless ALL of a UNION."""
    what = body["op"].removeprefix("SETOP_")
    compared = what != "UNION" or not body.get("all")
    if len(left) != len(right):
        raise ConstructRefused(f"each {what} query must have the same number of columns")
    for column in (*left, *right) if compared else ():
        run.uses.filter(column.value)
    return [
        Named(one.name, _one_of([one.value, other.value], what, compared=compared))
        for one, other in zip(left, right, strict=True)
    ]


def _one_of(values: list[Value], what: str, *, compared: bool = False, alone: bool = False) -> Value:
    """What stands in one column of several queries or rows."""
    value = common(values, what, compared=compared)
    value = value if alone else typed(value)
    columns = frozenset[ColumnId]().union(*map(columns_of, values))
    kept = {one.as_is for one in values}
    return replace(value, origin=(0, 0), columns=columns, as_is=kept.pop() if len(kept) == 1 else None)


def _values(run: Run, scope: Scope, rows: list[Node]) -> list[Named]:
    values = [[expression(run, scope, item) for item in row["List"]["items"]] for row in rows]
    for value in (value for row in values for value in row):
        run.computed(value)
    if len({len(row) for row in values}) != 1:
        raise ConstructRefused("VALUES lists must all be of the same length")
    alone = len(rows) == 1  # VALUES of one row is a SELECT
    columns = [_one_of(list(column), "VALUES", alone=alone) for column in zip(*values, strict=True)]
    return [Named(f"column{number}", value) for number, value in enumerate(columns, 1)]


def _plain_select(run: Run, scope: Scope, body: Node, *, exists: bool) -> list[Named]:
    if "fromClause" in body:
        around, run.uses.relations = run.uses.relations, set()
        FROM[0](run, scope, body["fromClause"])
        for _, *name in tuple(run.uses.relations) if "lockingClause" in body else ():
            run.uses.on(Action.UPDATE, (name[0], name[1]))  # subqueries' rows, too: manual, "SELECT"
        run.uses.relations |= around
    outputs = targets(run, scope, body.get("targetList", []), exists=exists)
    condition(run, scope, body.get("whereClause"))
    learn(run, scope, body.get("whereClause"))
    groups = body.get("groupClause", [])
    whole = [item for item in scope.source.items if _is_by_key(run, scope, item, groups)]
    for node in groups:
        if not any(_item_of(scope, node) is item for item in whole):
            _group(run, scope, outputs, node)
    condition(run, scope, body.get("havingClause"))
    for item in body.get("windowClause", ()):
        window(run, scope, item["WindowDef"])
    for item in body.get("distinctClause", ()):
        if item:
            _told_apart(run, _sorted_by(run, scope, outputs, item), "DISTINCT ON")
        else:
            for index, output in enumerate(outputs):
                _told_apart(run, output.value, "DISTINCT")
                _give_type(outputs, index)
    return outputs


def targets(run: Run, scope: Scope, items: list[Node], *, exists: bool = False) -> list[Named]:
    """The columns of a SELECT or RETURNING list, `*` spelled out in the text."""
    outputs: list[Named] = []
    for item in items:
        target = item["ResTarget"]
        only("an output column", target, "name", "val", "location")
        star = _starred(target["val"])
        if star is None:
            name = target["name"] if "name" in target else output_name(target["val"])
            value = expression(run, scope, target["val"])
            node = value.open[-1][0] if value.open else None
            here = target["val"].keys() & {"A_Const", "TypeCast"} or isinstance(node, WholeArray)
            if here and "name" not in target and node is not None and value.undecided:
                node.label, node.label_at = name, node.label_at or node.end
            run.computed(value)
            outputs.append(Named(name, value))
        elif not exists:
            outputs.extend(_spelled(run, scope, target["val"]["ColumnRef"], star))
        if len(outputs) > MAX_COLUMNS:
            raise StatementTooComplex(f"a query has more than {MAX_COLUMNS} columns")
    return outputs


def _starred(node: Node) -> tuple[str, ...] | None:
    """The qualifier of `*`, if a node is one."""
    fields = node["ColumnRef"]["fields"] if "ColumnRef" in node else []
    if not fields or "A_Star" not in fields[-1]:
        return None
    return strings(fields[:-1])


def _spelled(run: Run, scope: Scope, body: Node, qualifier: tuple[str, ...]) -> list[Named]:
    """The columns that `*` means; what is analysed is what runs."""
    item: Item | Source
    if qualifier:
        item = scope.item(qualifier[-2] if len(qualifier) > 1 else None, qualifier[-1])
    else:
        item = scope.source
    if item.partial:
        raise ConstructRefused(
            "the columns of a function in FROM are not known, so * cannot be spelled out",
            hint="name the columns",
        )
    tables = [item] if isinstance(item, Item) else item.items
    if any(table.relation is not None for table in tables if table.visible or isinstance(item, Source)):
        texts = [column.text for column in item.columns]
        if len(set(texts)) != len(texts) or not texts or _ambiguous(scope, item.columns):
            raise ConstructRefused(
                "* cannot be spelled out: names repeat, or there are none", hint="name the columns"
            )
        _write_star(run, body.get("location", 0), scope, ", ".join(texts))
    return [Named(column.name, settled(column.value)) for column in item.columns]


def _ambiguous(scope: Scope, columns: list[Named]) -> bool:
    """Whether a column that has no qualifier, as some that USING makes, has a namesake."""
    names = [column.name for column in scope.source.columns]
    return any(column.text == quoted(column.name) and names.count(column.name) > 1 for column in columns)


def _write_star(run: Run, location: int, scope: Scope, text: str) -> None:
    """Replaces `*`, or the `TABLE` of `TABLE name`, which is short for `SELECT * FROM name`."""
    if location >= 0:
        index = run.lexed.at(location)
        while run.lexed.text(index) != b"*":
            index += 1
        run.edit(location, run.lexed.ends[index], text)
        return
    index = run.lexed.at(scope.source.items[0].location)
    while run.lexed.word(index) != b"table":
        index -= 1
    run.edit(run.lexed.starts[index], run.lexed.ends[index], f"SELECT {text} FROM")


def _is_by_key(run: Run, scope: Scope, item: Item, groups: list[Node]) -> bool:
    """Whether rows are grouped by a primary key: then each column of its table has one value in a group.

    So a randomized column may stand beside it. The key of a parent does not hold for its heirs.
    """
    table = item.relation
    if table is None or not table.key or (table.kind == "r" and run.ground.schema.has_heirs(table)):
        return False
    names = [_names(node)[-1] for node in groups if _item_of(scope, node) is item]
    values = (item.value_of(name) for name in names)
    return {(table.oid, attnum) for attnum in table.key} <= {value.origin for value in values if value}


def _item_of(scope: Scope, node: Node) -> Item | None:
    """The table in FROM of which a node names a column, without doubt."""
    names = _names(node)
    found = [
        item
        for item in scope.source.items
        if item.visible
        and names
        and (len(names) == 1 or item.alias == names[-2])
        and any(column.name == names[-1] for column in item.columns)
    ]
    return found[0] if len(found) == 1 and len(names) < 3 else None


def _names(node: Node) -> tuple[str, ...]:
    fields: list[Node] = node["ColumnRef"]["fields"] if "ColumnRef" in node else []
    return strings(fields) if fields and "A_Star" not in fields[-1] else ()


def _group(run: Run, scope: Scope, outputs: list[Named], node: Node) -> None:
    if "GroupingSet" in node:
        for item in node["GroupingSet"].get("content", ()):
            _group(run, scope, outputs, item)
        return
    name = _single_name(node)
    in_from = name is not None and any(column.name == name for column in scope.source.columns)
    value = expression(run, scope, node) if in_from else _sorted_by(run, scope, outputs, node)
    _told_apart(run, value, "GROUP BY")


def _told_apart(run: Run, value: Value, what: str) -> None:
    distinct(value, what)
    run.uses.filter(value)


def _sorted_by(run: Run, scope: Scope, outputs: list[Named], node: Node) -> Value:
    """ORDER BY, DISTINCT ON: a position, an output, or an expression (manual, "ORDER BY Clause")."""
    constant = node.get("A_Const")
    if constant is not None and "ival" in constant:
        position = int(constant["ival"].get("ival", 0))
        if not 1 <= position <= len(outputs):
            raise UndefinedColumn(f"position {position} is not in the select list")
        return _give_type(outputs, position - 1)
    name = _single_name(node)
    if name is not None:
        named = [_give_type(outputs, index) for index, output in enumerate(outputs) if output.name == name]
        if named:
            return next((value for value in named if value.touches()), named[0])
    return expression(run, scope, node)


def _give_type(outputs: list[Named], index: int) -> Value:
    """An output by which rows are sorted or told apart: NULL is text then (addTargetToSortList)."""
    outputs[index] = replace(outputs[index], value=typed(outputs[index].value))
    return outputs[index].value


def _single_name(node: Node) -> str | None:
    fields: list[Node] = node["ColumnRef"]["fields"] if "ColumnRef" in node else []
    return str(fields[0]["String"]["sval"]) if len(fields) == 1 and "String" in fields[0] else None


@treats("SubLink")
def _sublink(run: Run, scope: Scope, body: Node) -> Value:
    """A subquery in an expression."""
    only("a subquery", body, "subLinkType", "testexpr", "operName", "subselect", "location")
    tag, inner = unpack(body["subselect"])
    if tag != "SelectStmt":
        raise ConstructRefused(f"{tag} in an expression cannot be analysed beside a protected table")
    kind = body["subLinkType"]
    if kind == "EXISTS_SUBLINK":
        select(run, scope, inner, exists=True)
        return Value(type_oid=16)
    columns = subquery(select(run, scope, inner))
    if kind in {"ANY_SUBLINK", "ALL_SUBLINK"}:
        _compare_rows(run, scope, body, columns)
        return Value(type_oid=16)
    if kind == "MULTIEXPR_SUBLINK":
        return Value(fields=tuple((column.name, column.value) for column in columns))
    if kind not in {"EXPR_SUBLINK", "ARRAY_SUBLINK"} or len(columns) != 1:
        raise ConstructRefused("this kind of subquery cannot be analysed beside a protected table")
    value = columns[0].value
    if kind == "ARRAY_SUBLINK":
        if value.is_array or (value.protection and value.protection.type_oid in ELEMENTS):
            raise ValueMoves(
                "an array of arrays of protected values cannot be made", hint="make one flat array"
            )
        lifted = tuple((node, lift - 1) for node, lift in value.open)
        return linked(
            replace(value, is_array=value.protection is not None, open=lifted, origin=(0, 0), names=None)
        )
    return replace(value, origin=(0, 0), names=None)


def _compare_rows(run: Run, scope: Scope, body: Node, columns: list[Named]) -> None:
    """`x IN (SELECT ...)`, `(x, y) <> ALL (SELECT ...)`."""
    operator = strings(body["operName"]) if "operName" in body else ("=",)
    left = expression(run, scope, body["testexpr"])
    right = (
        columns[0].value
        if left.fields is None and len(columns) == 1
        else Value(fields=tuple((column.name, column.value) for column in columns))
    )
    run.uses.seen |= columns_of(right)
    what = f"the operator {operator[-1]}"
    if operator[-1] not in {"=", "<>"}:
        plain(left, what)
        plain(right, what)
        return
    if left.touches() or right.touches():
        check_equality(run, operator)
    if operator[-1] == "=":
        holds(run, left, right)
    compare(left, right, what)


QUERIES["SelectStmt"] = select
