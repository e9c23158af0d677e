"""What INSERT, UPDATE, DELETE and MERGE store, compare and return.

Each value that is stored meets its column in `meeting.assign`. The column list of INSERT is spelled out, so
that a column added or swapped meanwhile cannot take another's value. Registered in `queries.QUERIES`, since
WITH may hold them.
"""

from dataclasses import replace

from strongroom.errors import ConstructRefused, SyntaxNotUnderstood, UndefinedColumn, ValueMoves
from strongroom.policy.model import Action
from strongroom.sql.access import columns_of
from strongroom.sql.caution import check_triggers
from strongroom.sql.expressions import condition, expression
from strongroom.sql.keyed import stores
from strongroom.sql.listed import learn_listed
from strongroom.sql.meeting import assign, compare, plain, protection_of, settled
from strongroom.sql.narrowing import marked, narrows
from strongroom.sql.parse import Node, unpack
from strongroom.sql.queries import QUERIES, select, targets, with_clause
from strongroom.sql.run import Run, only
from strongroom.sql.schema import SESSION, Column, ColumnId, Protection, Relation, Row
from strongroom.sql.scope import Item, Named, Scope, Source, quoted
from strongroom.sql.sources import find, from_clause, relation_columns
from strongroom.sql.tenants import EXACT, apart, check_naming, learn, row_of, stored
from strongroom.sql.value import NULL, Value


def insert(run: Run, parent: Scope | None, body: Node) -> list[Named]:
    """INSERT; the columns of RETURNING."""
    only(
        "INSERT",
        body,
        "relation",
        "cols",
        "selectStmt",
        "onConflictClause",
        "returningList",
        "withClause",
        "override",
    )
    scope = Scope(parent)
    if "withClause" in body:
        with_clause(run, scope, body["withClause"])
    relation, target = _target(run, body["relation"], Action.INSERT)
    rows = body.get("selectStmt", {}).get("SelectStmt")
    named = [_whole_column(relation, item["ResTarget"]) for item in body.get("cols", ())]
    _reads(run, relation, body, "onConflictClause", "returningList")
    kept = row_of(run, relation)
    if rows is not None:
        width = _store_rows(run, scope, relation, rows, named, kept=kept)
        if not named:
            _spell_columns(run, body["relation"], relation.ordered()[:width])
    returning = Scope(parent, Source([target], list(target.columns)), scope.ctes)
    if "onConflictClause" in body:
        _on_conflict(run, returning, relation, target, body["onConflictClause"], kept=kept)
    return _returning(run, returning, target, body)


def update(run: Run, parent: Scope | None, body: Node) -> list[Named]:
    """UPDATE; the columns of RETURNING. WHERE is resolved before SET, as in transformUpdateStmt."""
    only("UPDATE", body, "relation", "targetList", "whereClause", "fromClause", "returningList", "withClause")
    scope, relation, target = _joined(run, parent, body, "fromClause", Action.UPDATE)
    _reads(run, relation, body, "whereClause", "fromClause", "returningList")
    if not narrows(run, scope, body.get("whereClause"), target):
        run.uses.on(Action.UPDATE_ALL, relation)
    learn(run, scope, body.get("whereClause"))
    outputs = _returning(run, scope, target, body)
    _store_set(run, scope, relation, body["targetList"], _row(target))
    return outputs


def delete(run: Run, parent: Scope | None, body: Node) -> list[Named]:
    """DELETE; the columns of RETURNING."""
    only("DELETE", body, "relation", "usingClause", "whereClause", "returningList", "withClause")
    scope, relation, target = _joined(run, parent, body, "usingClause", Action.DELETE)
    _reads(run, relation, body, "whereClause", "usingClause", "returningList")
    if not narrows(run, scope, body.get("whereClause"), target):
        run.uses.on(Action.DELETE_ALL, relation)
    return _returning(run, scope, target, body)


def merge(run: Run, parent: Scope | None, body: Node) -> list[Named]:
    """MERGE; the columns of RETURNING."""
    only(
        "MERGE",
        body,
        "relation",
        "sourceRelation",
        "joinCondition",
        "mergeWhenClauses",
        "returningList",
        "withClause",
    )
    outer = Scope(parent)
    if "withClause" in body:
        with_clause(run, outer, body["withClause"])
    relation, target = _target(run, body["relation"], Action.SELECT)  # what else, each WHEN says
    source_scope = Scope(parent, Source(), outer.ctes)
    from_clause(run, source_scope, [body["sourceRelation"]])
    source = source_scope.source
    both = Scope(parent, Source([target, *source.items], [*target.columns, *source.columns]), outer.ctes)
    joined = narrows(run, both, body["joinCondition"], target)
    _link_merged(run, both, body)
    for item in body["mergeWhenClauses"]:
        _merge_when(run, both, source_scope, relation, item["MergeWhenClause"], joined=joined)
    return _returning(run, both, target, body, star=False)


def _link_merged(run: Run, both: Scope, body: Node) -> None:
    """The join condition holds for rows that match, and says nothing where other rows of the target change.

    Where it also inserts, it says something of the target's row alone: no INSERT sees that, but the source's.
    """
    kinds = {item["MergeWhenClause"]["matchKind"] for item in body["mergeWhenClauses"]}
    there = _row(both.source.items[0])
    if kinds == {"MERGE_WHEN_MATCHED"}:
        learn(run, both, body["joinCondition"])
    elif there is not None and kinds == {"MERGE_WHEN_MATCHED", "MERGE_WHEN_NOT_MATCHED_BY_TARGET"}:
        learn(run, both, body["joinCondition"], of=[there])


QUERIES.update({"InsertStmt": insert, "UpdateStmt": update, "DeleteStmt": delete, "MergeStmt": merge})


def _target(run: Run, body: Node, *actions: Action) -> tuple[Relation, Item]:
    """The table that is changed, qualified in the text, as an item that names it."""
    relation = find(run, body)
    if not isinstance(relation, Relation):
        raise ConstructRefused("a system table cannot be changed beside a protected one")
    for action in actions:
        run.uses.on(action, relation)
    if relation.oid in run.ground.near:
        _check_certain(run, relation)
    alias = body["alias"]["aliasname"] if "alias" in body else relation.name
    columns = [
        replace(column, text=f"{quoted(alias)}.{quoted(column.name)}")
        for column in relation_columns(run, relation)
    ]
    if run.context.policed:
        columns = marked(columns, body.get("location", 0))
    schema = relation.schema if "alias" not in body else None
    return relation, Item(alias, columns, schema=schema, relation=relation)


def _reads(run: Run, relation: Relation, body: Node, *clauses: str) -> None:
    """What is changed is also read where a clause may look at it (manual, "Privileges")."""
    if not body.keys().isdisjoint(clauses):
        run.uses.on(Action.SELECT, relation)


def _check_certain(run: Run, relation: Relation) -> None:
    """Refuses what PostgreSQL may change otherwise than a statement says: by rules or triggers.

    A view without these is changed as its table, column by column, or not at all (manual, "Updatable Views").
    """
    through = [relation]
    for one in through if relation.kind == "v" else ():
        named = (run.ground.schema.relations.get(oid) for oid in one.depends)
        through.extend(other for other in named if other is not None and other not in through)
    columns = {column.name: column.value for column in relation_columns(run, relation)}
    of_view = relation.kind == "v" and (
        relation.triggers or any(one.has_default and columns[one.name].touches() for one in relation.columns)
    )
    if of_view or any(one.rules for one in through):
        raise ConstructRefused(
            f'"{relation.name}" has rules, triggers or defaults by which it is not certain what is changed',
            hint="change the table itself",
        )
    for one in through:
        check_triggers(one, run.ground, run.context)


def _protection(run: Run, relation: Relation, column: Column) -> Protection | None:
    """How what is stored in a column will be protected; a view's column is that of its table."""
    if relation.kind != "v":
        return run.ground.protection(relation, column)
    seen = relation_columns(run, relation)
    return protection_of(next(one.value for one in seen if one.name == column.name))


def _joined(
    run: Run, parent: Scope | None, body: Node, clause: str, action: Action
) -> tuple[Scope, Relation, Item]:
    """The target, and what FROM or USING adds; these do not see the target."""
    scope = Scope(parent)
    if "withClause" in body:
        with_clause(run, scope, body["withClause"])
    relation, target = _target(run, body["relation"], action)
    more = Scope(parent, Source(), scope.ctes)
    from_clause(run, more, body.get(clause, []))
    scope.source = Source([target, *more.source.items], [*target.columns, *more.source.columns])
    return scope, relation, target


def _column(relation: Relation, target: Node) -> Column:
    """The column that an INSERT or SET names."""
    only("a target column", target, "name", "val", "location", "indirection")
    for column in relation.columns:
        if column.name == target["name"]:
            return column
    raise UndefinedColumn(f'column "{target["name"]}" of relation "{relation.name}" does not exist')


def _whole_column(relation: Relation, target: Node) -> Column:
    """The column that a column list names; not a part of it."""
    if "indirection" in target:
        raise ConstructRefused("a part of a column cannot be inserted here", hint="insert the whole value")
    return _column(relation, target)


def _store_rows(
    run: Run, scope: Scope, relation: Relation, rows: Node, named: list[Column], *, kept: Row | None
) -> int:
    """The rows of an INSERT; how many columns they have. What holds for all of them is noted in ``kept``."""
    columns = named or list(relation.ordered())
    check_naming(run, relation)
    if "valuesLists" in rows and not rows.keys() - {"valuesLists", "limitOption", "op"}:
        for row in rows["valuesLists"]:
            items = row["List"]["items"]
            _check_width(len(items), columns, named)
            one = kept if len(rows["valuesLists"]) == 1 else row_of(run, relation)
            for item, column in zip(items, columns, strict=False):
                _store(run, scope, relation, column, item, row=one)
        return len(rows["valuesLists"][0]["List"]["items"])
    outputs = select(run, scope, rows)
    _check_width(len(outputs), columns, named)
    # Where each output is one expression, it says whose the rows are as a row of VALUES does.
    written = [item["ResTarget"]["val"] for item in rows.get("targetList", ())]
    if len(written) != len(outputs) or any(_is_star(node) for node in written):
        written = []  # `*` gives any number of columns, none included
    if written:
        learn_listed(run, kept, relation, columns[: len(written)], rows)
    for place, (output, column) in enumerate(zip(outputs, columns, strict=False)):
        _assign(run, relation, column, output.value, kept)
        stored(run, kept, column, written[place] if written else {"A_Star": {}}, output.value)
    return len(outputs)


def _is_star(node: Node) -> bool:
    return "ColumnRef" in node and "A_Star" in node["ColumnRef"]["fields"][-1]


def _check_width(width: int, columns: list[Column], named: list[Column]) -> None:
    if width > len(columns) or (named and width != len(named)):
        raise SyntaxNotUnderstood(  # as PostgreSQL says it (transformInsertRow, analyze.c)
            "INSERT has another number of expressions than of target columns", hint="give each column one"
        )


def _store(
    run: Run, scope: Scope, relation: Relation, column: Column, node: Node, *, row: Row | None
) -> None:
    """One expression, or DEFAULT, which the database keeps in the form that its column has."""
    if "SetToDefault" in node:
        _written(run, relation, column)
        return
    value = expression(run, scope, node)
    _assign(run, relation, column, value, row)
    stored(run, row, column, node, value)


def _assign(run: Run, relation: Relation, column: Column, value: Value, row: Row | None) -> None:
    """A value meets its column, in a row of which is found out to which tenant it belongs."""
    run.uses.reveal(value)
    stores(run, _written(run, relation, column), value)
    protection = _protection(run, relation, column)
    qualified = f"{relation.schema}.{relation.name}.{column.name}"
    if protection is not None and relation.kind != "v":
        run.touches.add((relation.oid, column.attnum))
    if protection is not None and protection.tenant not in {"", SESSION}:
        source = protection_of(settled(value))
        if source is not None:
            run.moves.append((source.row, row, qualified))
        own = row is not None and row.column == protection.tenant  # a table may have two that name tenants
        protection = replace(protection, row=row if own else None)
    assign(value, protection, column, qualified)


def _written(run: Run, relation: Relation, column: Column) -> set[ColumnId]:
    """A column is written; through a view, that of its table. Returns both."""
    found = {(relation.oid, column.attnum)}
    if relation.kind == "v":
        for one in relation_columns(run, relation):
            found |= columns_of(one.value) if one.name == column.name else frozenset()
    run.uses.written |= found
    return found


def _spell_columns(run: Run, body: Node, columns: tuple[Column, ...]) -> None:
    """Writes the column list that an INSERT leaves out."""
    end = run.name_end(body.get("location", 0))
    if "alias" in body:
        index = next(index for index, at in enumerate(run.lexed.ends) if at == end) + 1
        index += run.lexed.word(index) == b"as"
        end = run.lexed.ends[index]
    run.edit(end, end, " (" + ", ".join(quoted(column.name) for column in columns) + ")")


def _store_set(run: Run, scope: Scope, relation: Relation, items: list[Node], row: Row | None) -> None:
    """SET of UPDATE, ON CONFLICT and MERGE, in rows of which ``row`` is one."""
    several: list[tuple[Node | None, Value | None]] = []
    check_naming(run, relation)
    row = _row_after(run, relation, row, items)
    for item in items:
        target = item["ResTarget"]
        only("SET", target, "name", "indirection", "val", "location")
        column = _column(relation, target)
        if "indirection" in target:
            _store_part(run, scope, relation, column, target)
            continue
        tag, body = unpack(target["val"])
        if tag != "MultiAssignRef":
            _store(run, scope, relation, column, target["val"], row=row)
            continue
        if body.get("colno", 1) == 1:
            several = _several(run, scope, body)
        node, value = several[body.get("colno", 1) - 1]
        if value is not None:
            _assign(run, relation, column, value, row)
            if node is not None:
                stored(run, row, column, node, value)


def _row_after(run: Run, relation: Relation, before: Row | None, items: list[Node]) -> Row | None:
    """The row that SET leaves: of the tenant that it had, or of the one that SET gives it.

    A row that goes to another tenant takes none of the former's values along.
    """
    set_ = {item["ResTarget"]["name"] for item in items}
    if before is None or before.column not in set_:
        return before
    kept = [
        column.name
        for column in relation.columns
        if (protection := run.ground.protection(relation, column)) is not None
        and protection.tenant == before.column
        and column.name not in set_
    ]
    if kept:
        raise ValueMoves(
            f"a row would go to another tenant, and its {kept[0]} stay sealed by the former one's key",
            hint=f"leave {before.column} out of SET, or set all columns whose values belong to a tenant",
        )
    return row_of(run, relation)


def _row(target: Item) -> Row | None:
    """The row that is changed."""
    return next((column.value.names for column in target.columns if column.value.names is not None), None)


def _several(run: Run, scope: Scope, body: Node) -> list[tuple[Node | None, Value | None]]:
    """Expressions and values of `(a, b) = ROW(...)`, values of `(a, b) = (SELECT ...)`; None for DEFAULT."""
    tag, source = unpack(body["source"])
    values: list[tuple[Node | None, Value | None]]
    if tag == "RowExpr":
        values = [
            (arg, None if "SetToDefault" in arg else expression(run, scope, arg))
            for arg in source.get("args", ())
        ]
    elif tag == "SubLink" and "SelectStmt" in source["subselect"]:
        values = [(None, column.value) for column in select(run, scope, source["subselect"]["SelectStmt"])]
    else:
        raise ConstructRefused("SET of several columns needs a row or a subquery here")
    if len(values) != body["ncolumns"]:
        raise ConstructRefused("SET has another number of values than of columns")
    return values


def _store_part(run: Run, scope: Scope, relation: Relation, column: Column, target: Node) -> None:
    """`SET list[1] = x`: not into a sealed value."""
    _written(run, relation, column)
    if _protection(run, relation, column) is not None:
        raise ConstructRefused(
            f"a part of the protected column {column.name} cannot be changed", hint="store the whole value"
        )
    for step in target["indirection"]:
        for bound in ("lidx", "uidx"):
            if bound in step.get("A_Indices", {}):
                run.uses.reveal(plain(expression(run, scope, step["A_Indices"][bound]), "a subscript"))
    run.uses.reveal(plain(expression(run, scope, target["val"]), "SET"))


def _on_conflict(
    run: Run, scope: Scope, relation: Relation, target: Item, body: Node, *, kept: Row | None
) -> None:
    """ON CONFLICT; ``kept`` is the row that could not be inserted.

    It and the row that is there are of one tenant where the names of tenants are part of the conflict.
    """
    only("ON CONFLICT", body, "action", "infer", "targetList", "whereClause", "location")
    # Whose it is, the values said that could not be inserted: no condition here adds to that.
    excluded = None if kept is None else Row(kept.column, kept.type_oid, same=kept)
    columns = [Named(column.name, _excluded(column, excluded), "") for column in target.columns]
    there = _row(target)
    for item in body.get("infer", {}).get("indexElems", ()):
        element = item["IndexElem"]
        # An index may have a collation of its own, by which other names are equal.
        own = not element.keys() & {"collation", "opclass"}
        if there is not None and own and there.type_oid in EXACT and element.get("name") == there.column:
            there.same = excluded
        if "name" in element:
            value = target.value_of(element["name"])
            if value is None:
                raise UndefinedColumn(f'column "{element["name"]}" does not exist')
            if value.protection is not None:
                compare(value, NULL, "ON CONFLICT")
        else:
            value = plain(expression(run, scope, element["expr"]), "ON CONFLICT")
        run.uses.filter(value)  # as PostgreSQL wants SELECT on them: it tells which rows have such values
    if "conname" in body.get("infer", {}):
        run.uses.filtered |= _constrained(relation, body["infer"]["conname"])
    only_target = Scope(scope.parent, Source([target], list(target.columns)), scope.ctes)
    condition(run, only_target, body.get("infer", {}).get("whereClause"))
    both = Source([target, Item("excluded", columns, relation=relation)], [*target.columns, *columns])
    inner = Scope(scope.parent, both, scope.ctes)
    condition(run, inner, body.get("whereClause"))
    learn(run, inner, body.get("whereClause"))
    if "targetList" in body:
        run.uses.on(Action.UPDATE, relation)
    _store_set(run, inner, relation, body.get("targetList", []), there)


def _constrained(relation: Relation, name: str) -> set[ColumnId]:
    """The columns of a constraint; all, where it is not known, or is on more than columns."""
    attnums = relation.unique.get(name, (0,))
    if 0 in attnums:
        attnums = tuple(column.attnum for column in relation.columns)
    return {(relation.oid, attnum) for attnum in attnums}


def _excluded(column: Named, row: Row | None) -> Value:
    """A column of the row that could not be inserted."""
    value = replace(apart(column.value), columns=frozenset(), as_is=None)  # it is the client's own
    if row is None:
        return value
    if column.value.names is not None:
        return replace(value, names=row)
    if value.protection is not None and value.protection.tenant == row.column:
        return replace(value, protection=replace(value.protection, row=row))
    return value


def _returning(run: Run, scope: Scope, target: Item, body: Node, *, star: bool = True) -> list[Named]:
    """RETURNING, where PostgreSQL 18 also knows OLD and NEW."""
    items = body.get("returningList", [])
    if not star and any(
        "ColumnRef" in item["ResTarget"]["val"]
        and item["ResTarget"]["val"]["ColumnRef"]["fields"] == [{"A_Star": {}}]
        for item in items
    ):
        raise ConstructRefused("RETURNING * of MERGE cannot be analysed", hint="name the columns")
    seen = Source(list(scope.source.items), scope.source.columns)
    for name in ("old", "new"):
        if run.ground.schema.version >= 180000 and all(item.alias != name for item in seen.items):
            columns = [
                Named(column.name, column.value, f"{name}.{quoted(column.name)}") for column in target.columns
            ]
            seen.items.append(Item(name, columns, relation=target.relation))
    outputs = targets(run, Scope(scope.parent, seen, scope.ctes), items)
    return [Named(output.name, settled(output.value)) for output in outputs]


_MERGED = {"CMD_INSERT": Action.INSERT, "CMD_UPDATE": Action.UPDATE, "CMD_DELETE": Action.DELETE}
_OF_ALL = {"CMD_UPDATE": Action.UPDATE_ALL, "CMD_DELETE": Action.DELETE_ALL}


def _merge_when(
    run: Run, both: Scope, source: Scope, relation: Relation, body: Node, *, joined: bool
) -> None:
    """One WHEN; ``joined``: the join says which rows of the target match. Those that do not may be all."""
    only("WHEN", body, "matchKind", "commandType", "override", "condition", "targetList", "values")
    scope = source if body["matchKind"] == "MERGE_WHEN_NOT_MATCHED_BY_TARGET" else both
    narrow = narrows(run, scope, body.get("condition"), both.source.items[0])
    narrow = narrow or (joined and body["matchKind"] == "MERGE_WHEN_MATCHED")
    if body["commandType"] in _MERGED:
        run.uses.on(_MERGED[body["commandType"]], relation)
    if body["commandType"] in _OF_ALL and not narrow:
        run.uses.on(_OF_ALL[body["commandType"]], relation)
    if body["commandType"] == "CMD_UPDATE":
        _store_set(run, scope, relation, body["targetList"], _row(both.source.items[0]))
    elif body["commandType"] == "CMD_INSERT":
        named = [_column(relation, item["ResTarget"]) for item in body.get("targetList", ())]
        if not named and relation.column_order is not None:
            raise ConstructRefused("INSERT of MERGE needs a column list here", hint="write the column list")
        values = body.get("values", [])
        columns = named or list(relation.columns)
        _check_width(len(values), columns, named)
        check_naming(run, relation)
        row = row_of(run, relation)
        for node, column in zip(values, columns, strict=False):
            _store(run, scope, relation, column, node, row=row)
