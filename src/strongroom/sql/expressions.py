"""What an expression gives: a walk over the tree that knows every node it passes.

Each node has a treatment in `TREATMENTS`, with the fields it knows; a node or field that is not there is
refused. The rules of what may meet what are in `meeting.py`. Called by `queries.py` and `changes.py`;
subqueries, which need `queries.py`, register their treatment there.
"""

from collections.abc import Callable
from dataclasses import replace

from strongroom.errors import ConstructRefused
from strongroom.sql.access import columns_of
from strongroom.sql.meeting import common, element, plain, settled, typed
from strongroom.sql.parse import Node, strings, unpack
from strongroom.sql.run import MAX_PARAMETERS, Run, only
from strongroom.sql.scope import Scope
from strongroom.sql.typenames import (
    INT4,
    INT8,
    NUMERIC,
    TEXT_ARRAY,
    TEXTUAL,
    VARCHAR_ARRAY,
)
from strongroom.sql.value import COMPUTED, NO_TYPE, NULL, PLAIN, Cast, Literal, ParameterUse, Value

Treatment = Callable[[Run, Scope, Node], Value]
TREATMENTS: dict[str, Treatment] = {}


def expression(run: Run, scope: Scope, node: Node) -> Value:
    """The value of an expression."""
    tag, body = unpack(node)
    treatment = TREATMENTS.get(tag)
    if treatment is None:
        raise ConstructRefused(f"{tag} cannot be analysed beside a protected table")
    if not run.context.policed:
        return treatment(run, scope, body)
    around, run.uses.seen = run.uses.seen, set()
    value = treatment(run, scope, body)
    columns = run.uses.seen | columns_of(value)
    run.uses.seen = around | columns
    if run.kept and not _only_compares(tag, body):
        run.uses.revealed |= columns
    as_is = value.as_is if tag == "ColumnRef" else None
    return replace(value, columns=frozenset(columns), as_is=as_is) if columns else value


# What raises no error that quotes a value of a column in it.
_COMPARES = frozenset({
    "ColumnRef", "A_Const", "ParamRef", "BoolExpr", "NullTest", "BooleanTest", "CollateClause", "RowExpr",
    "List",
})  # fmt: skip
_COMPARISONS = frozenset({
    "=", "<>", "!=", "<", ">", "<=", ">=", "~~", "!~~", "~~*", "!~~*",
    "BETWEEN", "NOT BETWEEN", "BETWEEN SYMMETRIC", "NOT BETWEEN SYMMETRIC",
})  # fmt: skip


def _only_compares(tag: str, body: Node) -> bool:
    """Whether a node does no more with its operands than to compare them."""
    if tag == "SubLink":
        return "operName" not in body or strings(body["operName"])[-1] in _COMPARISONS
    if tag == "A_Expr":
        return body["kind"] != "AEXPR_NULLIF" and strings(body["name"])[-1] in _COMPARISONS
    return tag in _COMPARES


def condition(run: Run, scope: Scope, node: Node | None) -> None:
    """An expression that is true or false, by which rows or results are told apart."""
    if node is not None:
        around = set(run.uses.seen)
        run.uses.filter(plain(expression(run, scope, node), "a condition", 16))
        run.uses.seen = around


def is_of_leaves(node: Node) -> bool:
    """Whether all that an expression can give is a literal or parameter in it, which nothing else uses."""
    tag, body = unpack(node)
    if tag == "TypeCast":
        return is_of_leaves(body["arg"])
    if tag == "CaseExpr":
        results = [item["CaseWhen"]["result"] for item in body["args"]]
        return all(map(is_of_leaves, [*results, body.get("defresult", {"A_Const": {}})]))
    if tag in {"CoalesceExpr", "A_ArrayExpr"}:
        items: list[Node] = body["args"] if tag == "CoalesceExpr" else body.get("elements", [])
        return all(map(is_of_leaves, items))
    return tag in {"A_Const", "ParamRef"}


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
        literal.value, literal.number_oid = str(body["ival"].get("ival", 0)), INT4
    elif "fval" in body:
        literal.value = body["fval"].get("fval", "0")
        literal.number_oid = INT8 if _fits_bigint(literal.value) else NUMERIC
    elif "boolval" in body:
        literal.value, literal.type_oid = ("true" if body["boolval"].get("boolval") else "false"), 16
    else:
        literal.type_oid = NO_TYPE  # a bit string
    return run.add(literal, literal.number_oid)


def _fits_bigint(text: str) -> bool:
    """What make_const asks of a number that is no int4."""
    return text.lstrip("-").isdigit() and -(1 << 63) <= int(text) < 1 << 63


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
    first = value.open[0][0] if value.undecided and is_bare(body["arg"]) else None
    if isinstance(first, ParameterUse):
        run.asked.append(value)  # `$1::text IS NULL OR email = $1`: decided by its other uses
        return Value(type_oid=16)
    if not (value.touches() or value.undecided):
        plain(value, "IS NULL")
    if isinstance(first, Literal) and (other := other_text(first, value)):
        run.edit(first.start, first.end, other)  # a parameter that the client itself wrote out
    return Value(type_oid=16)


def is_bare(node: Node) -> bool:
    """Whether an expression is a literal or parameter, cast or not, and no more."""
    while "TypeCast" in node:
        node = node["TypeCast"]["arg"]
    return "A_Const" in node or "ParamRef" in node


def other_text(first: Literal, value: Value) -> str:
    """What can stand for a literal of text, or of an array of it, where only NULL matters; "" for others."""
    casts = [node for node, _ in value.open[1:]]
    types = {first.type_oid, *(node.type_oid for node in casts if isinstance(node, Cast))} - {0}
    if first.number_oid or not all(isinstance(node, Cast) for node in casts):
        return ""
    if types <= TEXTUAL:
        return "''"
    return "'{}'" if types <= {TEXT_ARRAY, VARCHAR_ARRAY} else ""


@treats("CoalesceExpr")
def _coalesce(run: Run, scope: Scope, body: Node) -> Value:
    only("COALESCE", body, "args", "location")
    return typed(common([expression(run, scope, arg) for arg in body["args"]], "COALESCE"))


@treats("MinMaxExpr")
def _min_max(run: Run, scope: Scope, body: Node) -> Value:
    only("GREATEST or LEAST", body, "op", "args", "location")
    for arg in body["args"]:
        plain(expression(run, scope, arg), "GREATEST or LEAST")
    return COMPUTED


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
                # `(t).field` of a table's row is `t.field` (parse_func.c: ParseComplexProjection)
                return field if "ColumnRef" in body["arg"] else replace(field, origin=(-1, 0))
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
                plain(expression(run, scope, {key: inner}), "a construct of XML or JSON")
            elif key == "ResTarget":
                plain(expression(run, scope, inner["val"]), "a construct of XML or JSON")
            elif key in {"SelectStmt", "RangeVar", "SubLink"}:
                raise ConstructRefused(
                    "a subquery inside XML or JSON cannot be analysed beside a protected table"
                )
            else:
                _walk_plain(run, scope, inner)
