"""What FROM brings into sight: tables, views, WITH queries, subqueries, functions and joins.

Relations are schema-qualified in the text, so that what was looked up is what runs. A view is what its
definition says, analysed as of the search path under which the catalog gave it. Source: parse_clause.c, and
the manual's "Table Expressions". Called by `queries.py` (registered) and `changes.py`.
"""

from dataclasses import replace

from strongroom.errors import ConstructRefused, Denied, TypeRefused, UndefinedColumn, UndefinedTable
from strongroom.policy.model import Action
from strongroom.sql.access import columns_of
from strongroom.sql.expressions import condition, expression
from strongroom.sql.functions import call, own_name
from strongroom.sql.meeting import common, compare, element, linked, plain, settled
from strongroom.sql.operators import check_equality
from strongroom.sql.parse import Node, parse, strings, unpack
from strongroom.sql.queries import FROM, QUERIES, renamed, select, subquery
from strongroom.sql.run import Run, only
from strongroom.sql.schema import Column, ColumnId, Relation
from strongroom.sql.scope import Item, Named, Scope, Source, quoted
from strongroom.sql.tenants import apart, in_row, learn, row_of
from strongroom.sql.typenames import ELEMENTS, INT8
from strongroom.sql.value import COMPUTED, PLAIN, Value

# Functions of PostgreSQL's own that give one column, and its name if it is not the function's.
_ONE_COLUMN = {
    "generate_series": "", "generate_subscripts": "", "regexp_split_to_table": "", "string_to_table": "",
    "regexp_matches": "", "json_object_keys": "", "jsonb_object_keys": "", "json_array_elements": "value",
    "jsonb_array_elements": "value", "json_array_elements_text": "value",
    "jsonb_array_elements_text": "value",
    "jsonb_path_query": "", "unnest": "", "now": "", "current_setting": "",
}  # fmt: skip


def from_clause(run: Run, scope: Scope, items: list[Node]) -> None:
    """The FROM list of a query level; each item sees those before it if it is lateral."""
    for node in items:
        scope.source.extend(_source(run, scope, node, scope.source))


FROM.append(from_clause)


def _source(run: Run, scope: Scope, node: Node, left: Source) -> Source:
    tag, body = unpack(node)
    if tag == "RangeVar":
        return _range(run, scope, body)
    if tag == "RangeSubselect":
        return _subselect(run, scope, body, left)
    if tag == "RangeFunction":
        return _function(run, scope, body, left)
    if tag == "JoinExpr":
        return _join(run, scope, body, left)
    if tag == "RangeTableSample":
        only("TABLESAMPLE", body, "relation", "method", "args", "repeatable", "location")
        for arg in (*body.get("args", ()), *([body["repeatable"]] if "repeatable" in body else ())):
            run.uses.reveal(plain(expression(run, scope, arg), "TABLESAMPLE"))
        return _source(run, scope, body["relation"], left)
    raise ConstructRefused(f"{tag} in FROM cannot be analysed beside a protected table")


def _range(run: Run, scope: Scope, body: Node) -> Source:
    """A table, view or WITH query."""
    only(
        "a table", body, "catalogname", "schemaname", "relname", "inh", "relpersistence", "alias", "location"
    )
    if "schemaname" not in body:
        columns = scope.cte(body["relname"])
        if columns is not None:
            return _aliased(
                body,
                body["relname"],
                [Named(column.name, apart(settled(column.value))) for column in columns],
            )
    relation = find(run, body)
    run.uses.on(Action.SELECT, relation)
    if not isinstance(relation, Relation):
        alias, _ = _alias(body, body["relname"])
        return Source([Item(alias, [], partial=True)], [])
    alias, names = _alias(body, relation.name)
    source = _labelled(body, alias, _placed(run, body, relation, names), relation)
    if "alias" not in body:
        source.items[0].schema = relation.schema
    return source


def _placed(run: Run, body: Node, relation: Relation, names: tuple[str, ...]) -> list[Named]:
    """The columns of a table under the names of its alias, which say columns by their place.

    Clients know the places before `protect` swapped a column, PostgreSQL those in the table: the list is
    written anew where they differ. The definition of a view, which PostgreSQL wrote, has those in the table.
    """
    columns = relation_columns(run, relation)
    if not names or not _reordered(relation) or len(names) > len(columns):
        return renamed(columns, names)
    first = relation.columns if run.stored else relation.ordered()
    label = {column.name: name for column, name in zip(first, names, strict=False)}
    if not run.stored:
        text = ", ".join(quoted(label.get(column.name, column.name)) for column in relation.columns)
        run.edit(*run.bracket_after(body["location"]), f"({text})")
    return [replace(column, name=label.get(column.name, column.name)) for column in columns]


def _reordered(relation: Relation | None) -> bool:
    return relation is not None and relation.ordered() != relation.columns


def find(run: Run, body: Node) -> Relation | tuple[str, str]:
    """The relation that a RangeVar names, schema-qualified in the text from now on."""
    if "catalogname" in body:
        raise ConstructRefused(
            "a table named with its database cannot be analysed", hint="leave the database out"
        )
    relation = run.ground.schema.find(body.get("schemaname"), body["relname"], run.path)
    if relation is None:
        raise UndefinedTable(f'relation "{body["relname"]}" does not exist')
    if isinstance(relation, Relation):
        run.relations.add(relation.oid)
        if relation.oid in run.ground.torn:
            raise ConstructRefused(
                f'"{relation.name}" has a partition or child that protects a column which it does not',
                hint="protect the same columns of the parent",
            )
    if "schemaname" not in body:
        schema = relation.schema if isinstance(relation, Relation) else relation[0]
        location = body.get("location", 0)
        run.edit(location, location, quoted(schema) + ".")
    return relation


def relation_columns(run: Run, relation: Relation) -> list[Named]:
    """The columns of a relation as they are seen in FROM."""
    if relation.kind in {"v", "m"} and (relation.oid in run.ground.near or run.context.policed):
        return _view_columns(run, relation)
    row = row_of(run, relation)
    return [
        Named(column.name, in_row(column_value(run, relation, column), row, column))
        for column in relation.ordered()
    ]


def column_value(run: Run, relation: Relation, column: Column) -> Value:
    """A column of a table."""
    protection = run.ground.protection(relation, column)
    origin = (relation.oid, column.attnum)
    as_is = origin if run.context.policed else None
    columns = frozenset({origin}) if run.context.policed else frozenset[ColumnId]()
    if protection is None:
        return Value(
            type_oid=column.type_oid, typmod=column.typmod, origin=origin, columns=columns, as_is=as_is
        )
    run.touches.add(origin)
    return Value(
        protection,
        type_oid=protection.type_oid,
        typmod=protection.typmod,
        origin=origin,
        columns=columns,
        as_is=as_is,
    )


def _view_columns(run: Run, relation: Relation) -> list[Named]:
    """The columns of a view, by its definition."""
    if relation.oid in run.views:
        return run.views[relation.oid]
    if relation.rules:
        raise ConstructRefused(f'the view "{relation.name}" has rules')
    schema = run.ground.schema
    try:
        parsed = parse(relation.definition or "")
        (statement,) = parsed.statements
        inner = Run(parsed.lexed, run.ground, run.context, schema.path, stored=True, views=run.views)
        outputs = QUERIES[statement.tag](inner, None, statement.body)
    except Denied as error:
        raise type(error)(
            f'in the view "{relation.name}": {error.message}',
            hint=error.hint or "write the view so that it can be analysed, or query its tables",
        ) from error
    if len(outputs) != len(relation.columns):
        raise ConstructRefused(f'the view "{relation.name}" does not have the columns of its definition')
    run.touches |= inner.touches
    run.relations |= inner.relations
    run.uses.revealed |= inner.uses.revealed
    columns = [
        Named(column.name, _asked(run, _view_value(column, output.value, (relation.oid, column.attnum))))
        for column, output in zip(relation.columns, outputs, strict=True)
    ]
    run.views[relation.oid] = columns
    return columns


def _view_value(column: Column, value: Value, origin: tuple[int, int]) -> Value:
    value = settled(value)
    if value.fields is not None and value.touches():
        raise TypeRefused("a whole row with protected columns cannot be a column of a view")
    if value.protection is None:
        columns = columns_of(value)
        return Value(
            type_oid=column.type_oid, typmod=column.typmod, origin=origin, columns=columns, as_is=value.as_is
        )
    return replace(apart(value), open=(), origin=origin)


def _asked(run: Run, value: Value) -> Value:
    """A view's column that comes from no table's is asked about as its own: it may be a function's."""
    if not run.context.policed or columns_of(value) or value.protection is not None:
        return value
    return replace(value, columns=frozenset({value.origin}), as_is=value.origin)


def _alias(body: Node, default: str) -> tuple[str, tuple[str, ...]]:
    alias = body.get("alias")
    if alias is None:
        return default, ()
    return alias["aliasname"], strings(alias.get("colnames", []))


def _aliased(body: Node, default: str, columns: list[Named]) -> Source:
    alias, names = _alias(body, default)
    return _labelled(body, alias, renamed(columns, names))


def _labelled(body: Node, alias: str, columns: list[Named], relation: Relation | None = None) -> Source:
    seen = [replace(column, text=f"{quoted(alias)}.{quoted(column.name)}") for column in columns]
    location = body.get("location", 0)
    return Source([Item(alias, seen, relation=relation, location=location)], list(seen))


def _subselect(run: Run, scope: Scope, body: Node, left: Source) -> Source:
    only("a subquery in FROM", body, "lateral", "subquery", "alias")
    source = left if body.get("lateral") else Source()
    outer = Scope(scope.parent, source, scope.ctes)
    tag, inner = unpack(body["subquery"])
    if tag != "SelectStmt":
        raise ConstructRefused(f"{tag} in FROM cannot be analysed")
    columns = subquery(select(run, outer, inner))
    if "alias" not in body:  # PostgreSQL 16: an alias may be left out; then `*` cannot qualify
        seen = [replace(column, text=quoted(column.name)) for column in columns]
        return Source([Item("", seen, visible=False)], list(seen))
    return _aliased(body, "", columns)


def _function(run: Run, scope: Scope, body: Node, left: Source) -> Source:
    """Functions in FROM, which are always lateral."""
    only(
        "a function in FROM", body, "lateral", "ordinality", "is_rowsfrom", "functions", "alias", "coldeflist"
    )
    outer = Scope(scope.parent, left, scope.ctes)
    around, run.uses.seen = run.uses.seen, set()
    columns: list[Named] = []
    partial = False
    name = ""
    for item in body["functions"]:
        node = item["List"]["items"][0]
        found, name = _function_columns(run, outer, node, alone=len(body["functions"]) == 1, body=body)
        if found is None:
            partial = True
        else:
            columns.extend(found)
    if body.get("coldeflist"):
        names = [item["ColumnDef"]["colname"] for item in body["coldeflist"]]
        columns, partial = [Named(name, COMPUTED) for name in names], False
    given, run.uses.seen = frozenset(run.uses.seen), around
    run.uses.revealed |= given  # how many rows it gives tells of them, whoever reads its columns
    columns = [replace(column, value=replace(column.value, columns=given)) for column in columns]
    if partial:
        alias, names_given = _alias(body, name)
        known = [Named(label, PLAIN) for label in names_given] if not columns else []
        return Source([Item(alias, known, partial=True)], known)
    if body.get("ordinality"):
        columns.append(Named("ordinality", Value(type_oid=INT8)))
    return _aliased(body, name, columns)


def _function_columns(
    run: Run, outer: Scope, node: Node, *, alone: bool, body: Node
) -> tuple[list[Named] | None, str]:
    """The columns of one function and its name; None if they are not known."""
    tag, inner = unpack(node)
    if tag != "FuncCall":
        plain(expression(run, outer, node), "a function in FROM")
        return None, tag.lower()
    name = strings(inner["funcname"])[-1]
    if own_name(run, strings(inner["funcname"])) == "unnest" and "args" in inner:
        values = [_unnested(expression(run, outer, arg)) for arg in inner["args"]]
        if any(value is None for value in values):
            return None, name
        label = body["alias"]["aliasname"] if "alias" in body and len(values) == 1 and alone else name
        return [Named(label, value) for value in values if value is not None], name
    value = call(run, outer, inner)
    if value.touches():
        plain(value, f"the function {name} in FROM")
    if own_name(run, strings(inner["funcname"])) not in _ONE_COLUMN:
        return None, name
    label = body["alias"]["aliasname"] if "alias" in body and alone else name
    return [Named(_ONE_COLUMN[name] or label, Value(type_oid=value.type_oid))], name


def _unnested(array: Value) -> Value | None:
    """The elements of one argument of unnest; None if they may be rows."""
    array = settled(array)
    if array.protection is not None and array.is_array:
        return replace(element(array), origin=(0, 0), typmod=-1)
    if array.undecided and array.type_oid in ELEMENTS:
        return linked(replace(element(array), type_oid=ELEMENTS[array.type_oid], typmod=-1))
    plain(array, "the function unnest")
    return Value(type_oid=ELEMENTS[array.type_oid]) if array.type_oid in ELEMENTS else None


def _join(run: Run, scope: Scope, body: Node, left: Source) -> Source:
    only(
        "JOIN", body, "jointype", "isNatural", "larg", "rarg", "usingClause", "join_using_alias", "quals",
        "alias", "rtindex",
    )  # fmt: skip
    ours = _source(run, scope, body["larg"], left)
    before = Source([*left.items, *ours.items], [*left.columns, *ours.columns])
    theirs = _source(run, scope, body["rarg"], before)
    names = strings(body.get("usingClause", []))
    if body.get("isNatural"):
        if ours.partial or theirs.partial:
            raise ConstructRefused(
                "NATURAL JOIN with a function cannot be analysed", hint="use JOIN ... USING"
            )
        here = {column.name for column in theirs.columns}
        names = tuple(column.name for column in ours.columns if column.name in here)
    merged = [_merged(run, name, ours, theirs, body["jointype"]) for name in names]
    rest = [column for source in (ours, theirs) for column in source.columns if column.name not in names]
    joined = Source([*ours.items, *theirs.items], [*merged, *rest])
    if "join_using_alias" in body:
        joined.items.append(Item(body["join_using_alias"]["aliasname"], list(merged)))
    if "quals" in body:
        seen = Scope(scope.parent, joined, scope.ctes)
        condition(run, seen, body["quals"])
        if body["jointype"] == "JOIN_INNER":
            learn(run, seen, body["quals"])
    if "alias" not in body:
        return joined
    if "colnames" in body["alias"] and any(_reordered(item.relation) for item in joined.items):
        raise ConstructRefused(
            "the columns of a join with a protected table cannot be named by their places",
            hint="name them in the list of SELECT, of a subquery if need be",
        )
    hidden = [replace_item(item) for item in joined.items]
    aliased = _aliased(body, "", joined.columns)
    aliased.items[0].partial = joined.partial
    return Source([*aliased.items, *hidden], aliased.columns)


def replace_item(item: Item) -> Item:
    """An item that a join's alias hides."""
    return Item(item.alias, item.columns, item.schema, item.relation, item.partial, visible=False)


def _merged(run: Run, name: str, ours: Source, theirs: Source, kind: str) -> Named:
    """The one column that USING makes of two."""
    one, other = _only_column(ours, name), _only_column(theirs, name)
    if one.value.touches() or other.value.touches():
        check_equality(run, ("=",))
    compare(one.value, other.value, "JOIN ... USING")
    run.uses.filter(one.value)
    run.uses.filter(other.value)
    if kind == "JOIN_FULL":
        value = common([one.value, other.value], "FULL JOIN ... USING")
        text = (
            f"COALESCE({one.text}, {other.text}) AS {quoted(name)}"
            if one.text and other.text
            else quoted(name)
        )
        columns = columns_of(one.value) | columns_of(other.value)
        return Named(name, replace(value, origin=(0, 0), columns=columns, as_is=None), text)
    kept = other if kind == "JOIN_RIGHT" else one
    same = one.value.type_oid == other.value.type_oid and one.value.typmod == other.value.typmod
    if one.value.type_oid and same:
        return Named(name, settled(kept.value), kept.text or quoted(name))
    # buildMergedJoinVar (parse_clause.c): the kept column is relabelled, upstream only if it is not sealed.
    origin = kept.value.origin if kept.value.touches() else (-1, 0)
    return Named(name, replace(settled(kept.value), origin=origin, typmod=-1, as_is=None), quoted(name))


def _only_column(source: Source, name: str) -> Named:
    found = [column for column in source.columns if column.name == name]
    if len(found) == 1:
        return found[0]
    if not found and source.partial:
        return Named(name, PLAIN)
    raise UndefinedColumn(f'column "{name}" of USING is not in both tables, or more than once')
