"""Operators, IN, ANY and CASE: where values are compared.

Only `=` and `<>` of PostgreSQL's own, and constructs that rest on them, compare sealed values. Registered in
`expressions.TREATMENTS`; `check_equality` is also used by `queries.py` and `sources.py`.
"""

from dataclasses import replace

from strongroom.errors import ComparisonRefused
from strongroom.sql.expressions import condition, expression, is_bare, is_of_leaves, other_text, treats
from strongroom.sql.keyed import holds
from strongroom.sql.meeting import (
    common,
    compare,
    element,
    linked,
    of_type,
    plain,
    protection_of,
    seal,
    settled,
    typed,
)
from strongroom.sql.parse import Node, strings
from strongroom.sql.run import Run, only
from strongroom.sql.scope import Scope
from strongroom.sql.typenames import ARRAYS, ELEMENTS, TEXT, TEXT_ARRAY, TEXTUAL, compared_type
from strongroom.sql.value import COMPUTED, NULL, ArrayText, Literal, ParameterUse, Value

EQUALITY = frozenset({"=", "<>"})
_COMPARING = {
    "AEXPR_OP",
    "AEXPR_OP_ANY",
    "AEXPR_OP_ALL",
    "AEXPR_DISTINCT",
    "AEXPR_NOT_DISTINCT",
    "AEXPR_NULLIF",
}

_EACH = frozenset({"AEXPR_OP_ANY", "AEXPR_OP_ALL"})


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
    if name[-1] == "=" and kind != "AEXPR_DISTINCT":
        holds(run, left, right, each=kind in _EACH)
    what = f"the operator {name[-1]}"
    if left.touches() or right.touches():
        check_equality(run, name)
        if kind == "AEXPR_NULLIF" and left.null:
            raise ComparisonRefused("NULLIF of NULL and a protected value has no type", hint="write NULL")
    if kind in _EACH:
        _compare_any(left, right, what)
        return Value(type_oid=16)
    if _is_open_pair(run, body, left, right):
        run.pairs.append(
            (left, right, what)
        )  # `$1 = '' OR email = $1`: decided by other uses of the parameter
        if kind == "AEXPR_NULLIF":
            of_type((*left.open, *right.open))
            return linked(replace(left, origin=(0, 0), type_oid=TEXT, typmod=-1))
        return Value(type_oid=16)
    if kind != "AEXPR_NULLIF" and is_bare(body["lexpr"]) and is_bare(body["rexpr"]):
        _hide_constants(run, name, left, right)
    compare(left, right, what)
    if kind == "AEXPR_NULLIF":
        # Its type is that which the operator compares (manual, "NULLIF").
        kept = settled(left)
        return replace(kept, origin=(0, 0), type_oid=compared_type(kept.type_oid), typmod=-1, null=False)
    return Value(type_oid=16)


def _is_open_pair(run: Run, body: Node, left: Value, right: Value) -> bool:
    """Whether two texts are compared that are parameters and literals, about which nothing else decides."""
    nodes = [node for value in (left, right) for node, _ in value.open]
    texts = all(
        value.undecided and not value.is_array and value.type_oid in {0, *TEXTUAL} for value in (left, right)
    )
    leaves = texts and not run.stored and is_of_leaves(body["lexpr"]) and is_of_leaves(body["rexpr"])
    return leaves and any(isinstance(node, ParameterUse) for node in nodes)


def _hide_constants(run: Run, name: tuple[str, ...], left: Value, right: Value) -> None:
    """Two literals of text that are compared need not be seen: others can stand for them, equal or not.

    A client that binds parameters itself writes `$1 = '' OR email = $1` so.
    """
    (one, text), (other, _) = (_bare_text(left), _bare_text(right))
    operators = run.ground.schema.operators
    if one is None or other is None or any(operator.name == name[-1] for operator in operators):
        return
    run.edit(one.start, one.end, text)
    run.edit(other.start, other.end, text if one.value == other.value else "'x'")


def _bare_text(value: Value) -> tuple[Literal | None, str]:
    """The literal that a value is, with what can stand for it, if it is one of text."""
    first = value.open[0][0] if value.undecided else None
    text = other_text(first, value) if isinstance(first, Literal) and not isinstance(first, ArrayText) else ""
    return (first, text) if isinstance(first, Literal) and text == "''" and not first.cut else (None, "")


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
        if name[-1] == "=":
            holds(run, left, value)
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
        if not left.protection.comparable:
            compare(left, NULL, what)
        if left.protection.type_oid in ELEMENTS:
            raise ComparisonRefused(
                f"{what} ANY compares the protected column {left.protection.column} with arrays of arrays",
                hint="compare it with one array at a time",
            )
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
            holds(run, subject, tested)
            compare(subject, tested, "CASE")
        results.append(expression(run, scope, when["result"]))
    # transformCaseExpr: the default comes first in choosing the type.
    results.insert(0, expression(run, scope, body["defresult"]) if "defresult" in body else NULL)
    return typed(common(results, "CASE"))
