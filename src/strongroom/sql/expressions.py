"""What an expression gives: a walk over the tree that knows every node it passes.

Each node has a treatment in `TREATMENTS`, with the fields it knows; a node or field that is not there is
refused. The rules of what may meet what are in `meeting.py`. Called by `queries.py` and `changes.py`;
subqueries, which need `queries.py`, register their treatment there.
"""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace

from strongroom.errors import ComparisonRefused, ConstructRefused, TypeRefused
from strongroom.sql.meeting import common, compare, linked, of_type, plain, protection_of, seal, settled
from strongroom.sql.parse import Node, strings, unpack
from strongroom.sql.run import MAX_PARAMETERS, Run, only
from strongroom.sql.scope import Scope
from strongroom.sql.typenames import (
    ARRAYS,
    BPCHAR,
    BYTEA,
    ELEMENTS,
    INT4,
    NUMERIC,
    TEXT,
    TEXT_ARRAY,
    TEXTUAL,
    VARCHAR,
    compared_type,
    type_oid,
)
from strongroom.sql.value import COMPUTED, NO_TYPE, NULL, PLAIN, Cast, Literal, ParameterUse, Value

Treatment = Callable[[Run, Scope, Node], Value]
TREATMENTS: dict[str, Treatment] = {}

EQUALITY = frozenset({"=", "<>"})
_COMPARING = {
    "AEXPR_OP",
    "AEXPR_OP_ANY",
    "AEXPR_OP_ALL",
    "AEXPR_DISTINCT",
    "AEXPR_NOT_DISTINCT",
    "AEXPR_NULLIF",
}


def expression(run: Run, scope: Scope, node: Node) -> Value:
    """The value of an expression."""
    tag, body = unpack(node)
    treatment = TREATMENTS.get(tag)
    if treatment is None:
        raise ConstructRefused(f"{tag} cannot be analysed beside a protected table")
    return treatment(run, scope, body)


def condition(run: Run, scope: Scope, node: Node | None) -> None:
    """An expression that is true or false."""
    if node is not None:
        plain(expression(run, scope, node), "a condition", 16)


def treats(*tags: str) -> Callable[[Treatment], Treatment]:
    """Registers a treatment."""

    def register(treatment: Treatment) -> Treatment:
        for tag in tags:
            TREATMENTS[tag] = treatment
        return treatment

    return register


@treats("ColumnRef")
def _column(run: Run, scope: Scope, body: Node) -> Value:
    only("a column reference", body, "fields", "location")
    if "A_Star" in body["fields"][-1]:
        return _whole_row(scope, strings(body["fields"][:-1]))
    names = strings(body["fields"])
    if len(names) == 4:
        names = names[1:]  # catalog.schema.table.column: PostgreSQL checks that it is this database
    if len(names) == 1:
        value = scope.column(names[0])
    elif len(names) == 2:
        value = scope.qualified(None, *names)
    else:
        value = scope.qualified(*names)
    return settled(value)


def _whole_row(scope: Scope, qualifier: tuple[str, ...]) -> Value:
    """`count(t.*)`: in an expression, a qualified * is one row."""
    if not qualifier:
        raise ConstructRefused("* cannot be analysed here", hint="name the columns")
    item = scope.item(qualifier[-2] if len(qualifier) > 1 else None, qualifier[-1])
    return PLAIN if item.partial else item.row()


@treats("A_Const")
def _constant(run: Run, scope: Scope, body: Node) -> Value:
    if body.get("isnull"):
        return NULL
    location = body.get("location", 0)
    if location < 0:
        return COMPUTED  # the grammar's own, as the 1 of FETCH FIRST ROW ONLY
    literal = Literal(location, run.literal_end(location))
    if "sval" in body:
        literal.value = body["sval"].get("sval", "")
    elif "ival" in body:
        literal.value, literal.number = str(body["ival"].get("ival", 0)), True
    elif "fval" in body:
        literal.value, literal.number = body["fval"].get("fval", "0"), True
    elif "boolval" in body:
        literal.value, literal.type_oid = ("true" if body["boolval"].get("boolval") else "false"), 16
    else:
        literal.type_oid = NO_TYPE  # a bit string
    value = run.add(literal)
    if literal.number:
        return replace(value, type_oid=INT4 if "ival" in body else NUMERIC)
    return value


@treats("ParamRef")
def _parameter(run: Run, scope: Scope, body: Node) -> Value:
    number, location = body.get("number", 0), body.get("location", 0)
    if not 1 <= number <= MAX_PARAMETERS:
        raise ConstructRefused(f"there is no parameter ${number}")
    run.top = max(run.top, number)
    declared = run.declared[number - 1] if number <= len(run.declared) else 0
    return run.add(
        ParameterUse(location, run.literal_end(location), declared if declared != 705 else 0, number=number)
    )


@treats("TypeCast")
def _cast(run: Run, scope: Scope, body: Node) -> Value:
    only("a cast", body, "arg", "typeName", "location")
    name = body["typeName"]
    check_type(run, name)
    oid, typmod = type_oid(name) or NO_TYPE, modifier(name)
    if body.get("location", 0) < 0 and "A_Const" in body["arg"]:
        return _typed_literal(run, scope, body, oid, typmod)
    if "A_ArrayExpr" in body["arg"] and oid in ELEMENTS:
        value = _array_of(run, scope, body["arg"]["A_ArrayExpr"], ELEMENTS[oid])
    else:
        value = expression(run, scope, body["arg"])
    if value.touches():
        return _cast_protected(run, value, name, oid, typmod)
    if not value.undecided and not value.null:
        return replace(COMPUTED, type_oid=max(oid, 0), origin=(-1, 0))
    inner_oid = value.type_oid
    if len(value.open) == 1 and not value.type_oid:  # a bare parameter or literal: it is of the type at once
        value.open[0][0].type_oid = inner_oid = oid
    start = name.get("location", 0)
    cast = Cast(start, run.type_end(start), oid, typmod, inner_oid=inner_oid)
    cast.stored = run.stored
    cast.label_at = cast_end(run, body, cast.end)
    run.opens.append(cast)
    return linked(replace(value, open=(*value.open, (cast, 0)), null=False, type_oid=oid))


def cast_end(run: Run, body: Node, end: int) -> int:
    """Where a cast ends, whose type ends at `end`: CAST (...) has a bracket more."""
    location = body.get("location", 0)
    if run.lexed.word(run.lexed.at(location)) != b"cast":
        return end
    return run.lexed.ends[bisect_left(run.lexed.starts, end)]


def _typed_literal(run: Run, scope: Scope, body: Node, oid: int, typmod: int) -> Value:
    """`date '2020-01-01'`: type and literal are one place."""
    value = expression(run, scope, body["arg"])
    if not value.open:
        return value
    node = value.open[0][0]
    node.start, node.type_oid, node.typmod = body["typeName"].get("location", 0), oid, typmod
    return replace(value, type_oid=oid)


def _cast_protected(run: Run, value: Value, name: Node, oid: int, typmod: int) -> Value:
    """A cast of a protected column that keeps the value becomes one to bytea, which does nothing."""
    protection = protection_of(value)
    assert protection is not None
    element = ELEMENTS.get(oid, NO_TYPE) if value.is_array else oid
    same = element == value.type_oid and typmod in {-1, value.typmod}
    widened = value.type_oid in TEXTUAL and element in TEXTUAL and typmod in {-1, value.typmod}
    if run.stored and element == BYTEA:
        return value
    if value.fields is not None or not (same or widened):
        raise TypeRefused(
            f"a cast would change the protected column {protection.column}",
            hint="leave the cast out, or cast in the application",
        )
    start = name.get("location", 0)
    run.edit(start, run.type_end(start), "pg_catalog.bytea[]" if value.is_array else "pg_catalog.bytea")
    return replace(value, type_oid=element, typmod=typmod)  # -1 too: coerce_type_typmod, parse_coerce.c


def check_type(run: Run, name: Node) -> None:
    """Refuses the row type of a protected table, and a type that hides one of PostgreSQL's own."""
    parts = strings(name["names"])
    if len(parts) == 1 and type_oid(name) and _is_hidden(run, parts[0]):
        raise TypeRefused(
            f'a type "{parts[0]}" of yours stands before PostgreSQL\'s own', hint="write pg_catalog before it"
        )
    schemas = run.path if len(parts) == 1 else (parts[-2],)
    for user_type in run.ground.schema.types:
        if (
            user_type.name == parts[-1]
            and user_type.schema in schemas
            and user_type.relation in run.ground.near
        ):
            raise TypeRefused(
                f'the row type of "{parts[-1]}" has protected columns', hint="name the columns instead"
            )


def _is_hidden(run: Run, name: str) -> bool:
    before = run.path[: run.path.index("pg_catalog")] if "pg_catalog" in run.path else run.path
    return any(item.name == name and item.schema in before for item in run.ground.schema.types)


def modifier(name: Node) -> int:
    """The type modifier that PostgreSQL makes of varchar(n), numeric(p, s) and the like; -2 if not known."""
    if not name.get("typmods"):
        return -1
    numbers = []
    for item in name["typmods"]:
        if "A_Const" not in item or "ival" not in item["A_Const"]:
            return -2
        numbers.append(item["A_Const"]["ival"].get("ival", 0))
    oid = type_oid(name)
    base = ELEMENTS.get(oid, oid)
    if base in {VARCHAR, BPCHAR} and len(numbers) == 1:
        return int(numbers[0]) + 4
    if base == NUMERIC and len(numbers) in {1, 2}:
        return int((numbers[0] << 16) | ((numbers[1] if len(numbers) == 2 else 0) & 0x7FF)) + 4
    return -2


@treats("A_Expr")
def _operator(run: Run, scope: Scope, body: Node) -> Value:
    only("an operator", body, "kind", "name", "lexpr", "rexpr", "location")
    kind = body.get("kind", "AEXPR_OP")
    name = strings(body["name"])
    if kind == "AEXPR_IN":
        return _in(run, scope, body, name)
    left = expression(run, scope, body["lexpr"]) if "lexpr" in body else NULL
    right = _operand(run, scope, body["rexpr"])
    if kind not in _COMPARING or name[-1] not in EQUALITY or "lexpr" not in body:
        return _other_operator(left, right, name, kind)
    what = f"the operator {name[-1]}"
    if left.touches() or right.touches():
        check_equality(run, name)
        if kind == "AEXPR_NULLIF" and left.null:
            raise ComparisonRefused("NULLIF of NULL and a protected value has no type", hint="write NULL")
    if kind in {"AEXPR_OP_ANY", "AEXPR_OP_ALL"}:
        _compare_any(left, right, what)
        return Value(type_oid=16)
    compare(left, right, what)
    if kind == "AEXPR_NULLIF":
        # Its type is that which the operator compares (manual, "NULLIF").
        kept = settled(left)
        return replace(kept, origin=(0, 0), type_oid=compared_type(kept.type_oid), typmod=-1, null=False)
    return Value(type_oid=16)


def _operand(run: Run, scope: Scope, node: Node) -> Value:
    """The right side: an expression, or the list of BETWEEN."""
    if "List" not in node:
        return expression(run, scope, node)
    values = [expression(run, scope, item) for item in node["List"]["items"]]
    return Value(fields=tuple(("", value) for value in values))


def _other_operator(left: Value, right: Value, name: tuple[str, ...], kind: str) -> Value:
    for value in (left, right):
        protection = protection_of(value)
        if protection is not None:
            what = {"AEXPR_LIKE": "LIKE", "AEXPR_ILIKE": "ILIKE", "AEXPR_SIMILAR": "SIMILAR TO"}.get(
                kind, name[-1]
            )
            raise ComparisonRefused(
                f"the operator {what} cannot be applied to the protected column {protection.column}",
                hint="sealed values can only be compared by = and <>, IN, = ANY and IS [NOT] DISTINCT FROM",
            )
    plain(left, "an operator", right.type_oid)
    plain(right, "an operator", left.type_oid)
    return COMPUTED


def check_equality(run: Run, name: tuple[str, ...]) -> None:
    """Refuses an `=` that is not certainly PostgreSQL's own for bytea."""
    if len(name) > 1 and name[0] != "pg_catalog":
        raise ComparisonRefused("an operator of a schema of yours cannot compare protected columns")
    if len(name) > 1:
        return
    any_type = {17, 2276, 2277, 2283, 2776, 5077, 5078}  # bytea and the pseudo-types that take it
    for operator in run.ground.schema.operators:
        if (
            operator.name == name[-1]
            and operator.schema in run.path
            and {operator.left, operator.right} & any_type
        ):
            raise ComparisonRefused(
                f"the operator {operator.schema}.{operator.name} may stand before PostgreSQL's own",
                hint="write OPERATOR(pg_catalog.=), or take the operator's schema out of the search path",
            )


def _in(run: Run, scope: Scope, body: Node, name: tuple[str, ...]) -> Value:
    left = expression(run, scope, body["lexpr"])
    items = body["rexpr"]["List"]["items"]
    right = [expression(run, scope, item) for item in items]
    if any(value.touches() for value in (left, *right)):
        check_equality(run, name)
    sealed = next((value for value in right if value.protection is not None), None)
    if (left.undecided or left.null) and sealed is not None:
        if not left.type_oid and any(value.undecided for value in right):
            raise ComparisonRefused("IN has no column on its left", hint="write the column on the left of IN")
        compare(left, sealed, "IN")
    if sum(not _names_column(scope, item) for item in items) > 1:  # transformAExprIn: compared as an array
        type_oid = left.type_oid or next((value.type_oid for value in right if value.type_oid > 0), 0)
        for value in (left, *right):
            of_type(value.open, type_oid)
    for value in right:
        compare(left, value, "IN")
    return Value(type_oid=16)


def _names_column(scope: Scope, node: object) -> bool:
    """Whether an expression names a column of this query level (contain_vars_of_level)."""
    if isinstance(node, list):
        return any(_names_column(scope, item) for item in node)
    if not isinstance(node, dict):
        return False
    if "ColumnRef" not in node:
        return any(_names_column(scope, item) for item in node.values())
    names = [field["String"]["sval"] for field in node["ColumnRef"]["fields"] if "String" in field]
    if len(names) == 1:
        return any(column.name == names[0] for column in scope.source.columns)
    return any(item.alias == names[-2] for item in scope.source.items)


def _compare_any(left: Value, right: Value, what: str) -> None:
    """`x = ANY (array)`."""
    left, right = settled(left), settled(right)
    if right.protection is not None and right.is_array:
        compare(left, element(right), what)
    elif left.protection is not None and right.undecided and not left.is_array:
        comparable = left.protection.comparable
        if not comparable:
            compare(left, NULL, what)
        seal(right, left.protection, compared=True, is_array=True)
    elif left.touches() or right.touches():
        protection = protection_of(left) or protection_of(right)
        assert protection is not None
        if left.protection is not None and right.null:
            return
        raise ComparisonRefused(
            f"{what} ANY compares the protected column {protection.column} with an unprotected array",
            hint="compare it with an array parameter or ARRAY[...] of parameters and literals",
        )
    else:
        untyped = left.undecided and right.undecided and not left.type_oid and not right.type_oid
        plain(left, what, TEXT if untyped else ELEMENTS.get(right.type_oid, 0))
        plain(right, what, TEXT_ARRAY if untyped else ARRAYS.get(left.type_oid, 0))


def element(value: Value) -> Value:
    """One element of an array."""
    return replace(value, is_array=False, open=tuple((node, lift + 1) for node, lift in value.open))


@treats("BoolExpr")
def _boolean(run: Run, scope: Scope, body: Node) -> Value:
    only("AND, OR or NOT", body, "boolop", "args", "location")
    for arg in body["args"]:
        condition(run, scope, arg)
    return Value(type_oid=16)


@treats("BooleanTest")
def _boolean_test(run: Run, scope: Scope, body: Node) -> Value:
    only("IS TRUE", body, "arg", "booltesttype", "location")
    condition(run, scope, body["arg"])
    return Value(type_oid=16)


@treats("NullTest")
def _null_test(run: Run, scope: Scope, body: Node) -> Value:
    """NULL stays NULL when sealed, so any value may be asked."""
    only("IS NULL", body, "arg", "nulltesttype", "argisrow", "location")
    value = expression(run, scope, body["arg"])
    if not value.touches():
        plain(value, "IS NULL")
    return Value(type_oid=16)


@treats("CaseExpr")
def _case(run: Run, scope: Scope, body: Node) -> Value:
    only("CASE", body, "arg", "args", "defresult", "location")
    subject = expression(run, scope, body["arg"]) if "arg" in body else None
    results = []
    for item in body["args"]:
        when = item["CaseWhen"]
        only("WHEN", when, "expr", "result", "location")
        if subject is None:
            condition(run, scope, when["expr"])
        else:
            tested = expression(run, scope, when["expr"])
            if subject.touches() or tested.touches():
                check_equality(run, ("=",))
            compare(subject, tested, "CASE")
        results.append(expression(run, scope, when["result"]))
    # transformCaseExpr: the default comes first in choosing the type.
    results.insert(0, expression(run, scope, body["defresult"]) if "defresult" in body else NULL)
    return common(results, "CASE")


@treats("CoalesceExpr")
def _coalesce(run: Run, scope: Scope, body: Node) -> Value:
    only("COALESCE", body, "args", "location")
    return common([expression(run, scope, arg) for arg in body["args"]], "COALESCE")


@treats("MinMaxExpr")
def _min_max(run: Run, scope: Scope, body: Node) -> Value:
    only("GREATEST or LEAST", body, "op", "args", "location")
    for arg in body["args"]:
        plain(expression(run, scope, arg), "GREATEST or LEAST")
    return COMPUTED


@treats("A_ArrayExpr")
def _array(run: Run, scope: Scope, body: Node) -> Value:
    return _array_of(run, scope, body, 0)


def _array_of(run: Run, scope: Scope, body: Node, element_oid: int) -> Value:
    """ARRAY[...]; a cast of it reaches its elements (manual, "Array Constructors")."""
    only("ARRAY[]", body, "elements", "location", "list_start", "list_end")
    values = [expression(run, scope, item) for item in body.get("elements", ())]
    for value in values:
        of_type(value.open, element_oid)
    value = common(values, "ARRAY[]")
    if value.null:  # of no type, unless a cast gives it one
        return NULL if element_oid else COMPUTED
    if value.is_array:
        raise TypeRefused("an array of arrays of protected values cannot be made", hint="make one flat array")
    if value.protection is None and not value.open:
        return Value(type_oid=ARRAYS.get(value.type_oid, 0))
    lifted = tuple((node, lift - 1) for node, lift in value.open)
    return linked(
        Value(
            protection=value.protection,
            is_array=value.protection is not None,
            open=lifted,
            type_oid=value.type_oid if value.protection is not None else ARRAYS.get(value.type_oid, 0),
        )
    )


@treats("RowExpr")
def _row(run: Run, scope: Scope, body: Node) -> Value:
    only("ROW()", body, "args", "row_format", "colnames", "location")
    values = [expression(run, scope, arg) for arg in body.get("args", ())]
    return Value(fields=tuple((f"f{number}", value) for number, value in enumerate(values, 1)))


@treats("A_Indirection")
def _indirection(run: Run, scope: Scope, body: Node) -> Value:
    """`(row).field`, `(array)[1]`."""
    only("a field or subscript", body, "arg", "indirection")
    value = expression(run, scope, body["arg"])
    steps = body["indirection"]
    if any("A_Star" in step for step in steps):
        raise ConstructRefused(
            "the columns of a row written (row).* cannot be analysed", hint="name the columns"
        )
    for step in steps:
        if "A_Indices" in step:
            for bound in ("lidx", "uidx"):
                if bound in step["A_Indices"]:
                    plain(expression(run, scope, step["A_Indices"][bound]), "a subscript", 23)
    first = steps[0]
    if value.fields is not None and "String" in first and len(steps) == 1:
        for name, field in value.fields:
            if name == first["String"]["sval"]:
                return replace(field, origin=(-1, 0))
    if value.is_array and "A_Indices" in first and len(steps) == 1 and not first["A_Indices"].get("is_slice"):
        return replace(element(value), origin=(0, 0))
    plain(value, "a field or subscript")
    return PLAIN


@treats("CollateClause")
def _collate(run: Run, scope: Scope, body: Node) -> Value:
    only("COLLATE", body, "arg", "collname", "location")
    plain(expression(run, scope, body["arg"]), "COLLATE")
    return PLAIN


@treats("SQLValueFunction", "CurrentOfExpr", "MergeSupportFunc")
def _no_argument(run: Run, scope: Scope, body: Node) -> Value:
    return COMPUTED


@treats("GroupingFunc")
def _grouping(run: Run, scope: Scope, body: Node) -> Value:
    only("GROUPING", body, "args", "location")
    for arg in body["args"]:
        expression(run, scope, arg)
    return COMPUTED


@treats("NamedArgExpr")
def _named(run: Run, scope: Scope, body: Node) -> Value:
    only("a named argument", body, "name", "arg", "argnumber", "location")
    return expression(run, scope, body["arg"])


@treats(
    "XmlExpr", "XmlSerialize", "JsonFuncExpr", "JsonObjectConstructor", "JsonArrayConstructor",
    "JsonValueExpr", "JsonIsPredicate", "JsonParseExpr", "JsonScalarExpr", "JsonSerializeExpr",
    "JsonKeyValue",
)  # fmt: skip
def _only_plain(run: Run, scope: Scope, body: Node) -> Value:
    """Constructs of XML and JSON: whatever they hold must be unprotected."""
    _walk_plain(run, scope, body)
    return COMPUTED


def _walk_plain(run: Run, scope: Scope, node: object) -> None:
    if isinstance(node, list):
        for item in node:
            _walk_plain(run, scope, item)
    elif isinstance(node, dict):
        for key, inner in node.items():
            if key in TREATMENTS:
                plain(TREATMENTS[key](run, scope, inner), "a construct of XML or JSON")
            elif key == "ResTarget":
                plain(expression(run, scope, inner["val"]), "a construct of XML or JSON")
            elif key in {"SelectStmt", "RangeVar", "SubLink"}:
                raise ConstructRefused(
                    "a subquery inside XML or JSON cannot be analysed beside a protected table"
                )
            else:
                _walk_plain(run, scope, inner)
