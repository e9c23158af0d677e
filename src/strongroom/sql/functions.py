"""Calls: the few functions that may be given sealed values, and all others, which may not.

Whether a name is a function of a user's, which could do anything, is asked for the whole statement in
`caution.py`; here, only what arguments mean. Source: manual, "Aggregate Functions", "Window Functions",
"Array Functions".
"""

from dataclasses import replace

from strongroom.errors import FunctionRefused, OrderRefused
from strongroom.sql.expressions import condition, expression, treats
from strongroom.sql.meeting import common, distinct, element, linked, plain, protection_of, settled
from strongroom.sql.parse import Node, strings
from strongroom.sql.reaching import tells
from strongroom.sql.run import Run, only
from strongroom.sql.scope import Scope
from strongroom.sql.tenants import apart
from strongroom.sql.typenames import ELEMENTS, INT4, INT8
from strongroom.sql.value import COMPUTED, NO_TYPE, Open, Value

_NULLS_ONLY = frozenset({"num_nulls", "num_nonnulls"})
_GIVES_ARGUMENT = frozenset({"any_value", "first_value", "last_value", "nth_value", "lag", "lead"})


@treats("FuncCall")
def call(run: Run, scope: Scope, body: Node) -> Value:
    """The value of a function call."""
    only(
        "a function call", body, "funcname", "args", "agg_order", "agg_filter", "over", "agg_within_group",
        "agg_star", "agg_distinct", "func_variadic", "funcformat", "location",
    )  # fmt: skip
    arguments = [expression(run, scope, arg) for arg in body.get("args", ())]
    condition(run, scope, body.get("agg_filter"))
    for item in body.get("agg_order", ()):
        order(run, expression(run, scope, item["SortBy"]["node"]), item["SortBy"])
    if "over" in body:
        window(run, scope, body["over"])
    name = own_name(run, strings(body["funcname"]))
    if tells(strings(body["funcname"])[-1]):
        for argument in arguments:
            run.uses.reveal(argument)
    if not any(value.touches() for value in map(settled, arguments)):
        if name == "unnest" and len(arguments) == 1 and arguments[0].undecided:
            return _elements(arguments[0])
        if name in _GIVES_ARGUMENT and arguments and arguments[0].undecided:
            return _given(name, arguments)
        for argument in arguments:
            plain(argument, f"the function {name}", NO_TYPE)  # which of its name it is, is not looked into
        return COMPUTED
    return _protected_call(name, body, arguments)


def own_name(run: Run, names: tuple[str, ...]) -> str:
    """The name, if it can only be a function of PostgreSQL's own; else one that matches no rule."""
    *schema, name = names
    if schema and schema != ["pg_catalog"]:
        return ".".join(names)
    for function in run.ground.schema.functions.values():
        if function.name == name and not schema and function.schema in run.path:
            return f"{function.schema}.{name}"
    return name


def _protected_call(name: str, body: Node, arguments: list[Value]) -> Value:
    if name == "count" and len(arguments) == 1:
        if body.get("agg_distinct"):
            distinct(arguments[0], "count(DISTINCT)")
        return Value(type_oid=INT8)
    if name in _NULLS_ONLY and not body.get("func_variadic"):
        return Value(type_oid=INT4)
    first = settled(arguments[0])
    if first.protection is not None and not body.get("agg_distinct"):
        flat = not first.is_array and first.protection.type_oid not in ELEMENTS
        if name == "array_agg" and flat and len(arguments) == 1:
            array = replace(first, is_array=True, open=_lifted(first, -1), origin=(0, 0), typmod=-1)
            return apart(array)  # of many rows
        if name == "unnest" and first.is_array and len(arguments) == 1:
            return replace(element(first), origin=(0, 0), typmod=-1)
        if name in _GIVES_ARGUMENT:
            return _given(name, arguments)
        if name in {"cardinality", "array_length"} and first.is_array:
            for argument in arguments[1:]:
                plain(argument, f"the function {name}", INT4)
            return Value(type_oid=INT4)
    for argument in arguments:
        protection = protection_of(settled(argument))
        if protection is not None:
            raise FunctionRefused(
                f"the function {name} would be given the protected column {protection.column}",
                hint="the database holds only sealed values: select the column and apply the function in the "
                "application",
            )
    return COMPUTED


def _given(name: str, arguments: list[Value]) -> Value:
    """Functions that give back a value of their first argument, and `lag(value, offset, default)`."""
    for argument in arguments[1:2]:
        plain(argument, f"the function {name}", INT4)
    value = common([arguments[0], *arguments[2:]], f"the function {name}")
    return replace(apart(value), origin=(0, 0), typmod=-1)  # it may be of another row


def _elements(array: Value) -> Value:
    """`unnest` of something open: each element is sealed if it meets a protected column."""
    type_oid = ELEMENTS.get(array.type_oid, 0)
    return linked(replace(array, open=_lifted(array, 1), type_oid=type_oid, typmod=-1))


def _lifted(value: Value, lift: int) -> tuple[tuple[Open, int], ...]:
    return tuple((node, depth + lift) for node, depth in value.open)


def order(run: Run, value: Value, sort: Node) -> None:
    """A value by which rows are put in order."""
    only("ORDER BY", sort, "node", "sortby_dir", "sortby_nulls", "location")
    protection = protection_of(settled(value))
    if protection is not None:
        raise OrderRefused(
            f"ORDER BY would put rows in the order of sealed values of {protection.column}",
            hint="order by another column, or sort in the application",
        )
    run.uses.filter(plain(value, "ORDER BY"))


def window(run: Run, scope: Scope, body: Node) -> None:
    """A window: partitions compare, order does not go with sealed values."""
    only(
        "a window", body, "name", "refname", "partitionClause", "orderClause", "frameOptions", "startOffset",
        "endOffset", "location",
    )  # fmt: skip
    for item in body.get("partitionClause", ()):
        partition = expression(run, scope, item)
        distinct(partition, "PARTITION BY")
        run.uses.filter(partition)
    for item in body.get("orderClause", ()):
        order(run, expression(run, scope, item["SortBy"]["node"]), item["SortBy"])
    for edge in ("startOffset", "endOffset"):
        if edge in body:
            run.uses.reveal(plain(expression(run, scope, body[edge]), "a window's frame"))
