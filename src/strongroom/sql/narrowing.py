"""Whether a condition says which rows of a table an UPDATE, DELETE or MERGE changes.

It does not where it is missing, where no column of the row that would be changed stands in it (`true`,
`1 = 1`, `$1`, conditions on other tables alone), and where it is written so that it holds for every row
(`id = id`). With OR each part must say it, with AND one. What it comes to with the values that are there is
not asked: `id > 0` says which rows. This holds off accidents; who wants to change all rows finds a condition.

The row that is changed is known by a mark among the columns from which values come (`marked`): it goes where
they go, through subqueries that look at the row, and not to another row of the same table. Marks are no
columns, and `access.made` leaves them out. Called by `changes.py`; docs/spec/policy.md says what counts.
"""

from collections.abc import Iterator
from dataclasses import replace

from strongroom.sql.access import columns_of
from strongroom.sql.expressions import condition
from strongroom.sql.parse import Node, strings, unpack
from strongroom.sql.run import Run, only
from strongroom.sql.scope import SYSTEM_COLUMNS, Item, Named, Scope
from strongroom.sql.value import Value

NO_RELATION = 0
"""InvalidOid: of what a mark is instead of a column."""

_HOLDS = frozenset({"=", "<=", ">="})
_FAILS = frozenset({"<>", "<", ">"})
_OPPOSITE = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_LIKE = frozenset({"AEXPR_LIKE", "AEXPR_ILIKE"})


def marked(columns: list[Named], location: int) -> list[Named]:
    """The columns of the row that is changed; ``location`` is where the statement names its table."""
    mark = (NO_RELATION, location)
    return [replace(one, value=replace(one.value, columns=one.value.columns | {mark})) for one in columns]


def narrows(run: Run, scope: Scope, node: Node | None, target: Item, *, denied: bool = False) -> bool:
    """Resolves a condition, as `condition` does, and answers; ``denied``: the condition under NOT."""
    if node is None or not run.context.policed:
        condition(run, scope, node)
        return node is not None
    tag, body = unpack(node)
    if tag != "BoolExpr":
        named = _names(run, scope, node, target)
        return named and not _holds_always(scope, node, denied=denied)
    only("AND, OR or NOT", body, "boolop", "args", "location")
    if body["boolop"] == "NOT_EXPR":
        return narrows(run, scope, body["args"][0], target, denied=not denied)
    parts = [narrows(run, scope, arg, target, denied=denied) for arg in body["args"]]
    if (body["boolop"] == "AND_EXPR") != denied:
        return any(parts)
    return all(parts) and not _one_or_other(scope, body["args"])


def _names(run: Run, scope: Scope, node: Node, target: Item) -> bool:
    """Resolves a condition, and says whether the row that is changed stands in it."""
    uses, around = run.uses, (run.uses.filtered, run.uses.revealed)
    uses.filtered, uses.revealed = set(), set()
    condition(run, scope, node)
    found = uses.filtered | uses.revealed
    uses.filtered, uses.revealed = uses.filtered | around[0], uses.revealed | around[1]
    marks = columns_of(target.row())
    return any(one[0] == NO_RELATION and one in marks for one in found) or _names_place(node, target)


def _names_place(node: object, target: Item) -> bool:
    """CURRENT OF, and columns of the system's such as ctid, which no catalog lists; not of a subquery."""
    if isinstance(node, list):
        return any(_names_place(one, target) for one in node)
    if not isinstance(node, dict):
        return False
    if "CurrentOfExpr" in node:
        return True
    fields = node["ColumnRef"]["fields"] if "ColumnRef" in node else []
    if fields and "String" in fields[-1]:
        *qualifier, name = strings(fields)
        return name in SYSTEM_COLUMNS and qualifier[-1:] in ([], [target.alias])
    return any(_names_place(one, target) for key, one in node.items() if key != "subselect")


def _holds_always(scope: Scope, node: Node, *, denied: bool) -> bool:
    """Whether it is written so that it holds, or under NOT fails, for each row that has a value at all."""
    tag, body = unpack(node)
    if tag == "NullTest":
        return (body["nulltesttype"] == "IS_NOT_NULL") != denied and _is_of_key(scope, body["arg"])
    if tag != "A_Expr" or "lexpr" not in body:
        return False
    kind, name = body["kind"], strings(body["name"])[-1]
    if kind in _LIKE:
        return not denied and name in {"~~", "~~*"} and _is_any_text(body["rexpr"])
    left, right = (_written(scope, body[side]) for side in ("lexpr", "rexpr"))
    if kind in {"AEXPR_DISTINCT", "AEXPR_NOT_DISTINCT"}:
        return left == right and (kind == "AEXPR_DISTINCT") == denied
    if kind == "AEXPR_IN":
        return not denied and name == "=" and left in _items(scope, body["rexpr"])
    if kind == "AEXPR_BETWEEN":
        return not denied and all(left == one for one in _items(scope, body["rexpr"]))
    return kind == "AEXPR_OP" and left == right and name in (_FAILS if denied else _HOLDS)


def _items(scope: Scope, node: Node) -> Iterator[object]:
    return (_written(scope, item) for item in node["List"]["items"])


def _is_any_text(node: Node) -> bool:
    """``LIKE '%'``."""
    text = node.get("A_Const", {}).get("sval", {}).get("sval", "")
    return bool(text) and set(text) == {"%"}


def _is_of_key(scope: Scope, node: Node) -> bool:
    """Whether it is a column of a primary key, which is never NULL."""
    value = _meant(scope, node)
    if value is None or value.as_is is None:
        return False
    relations = (item.relation for one in scope.chain() for item in one.source.items)
    return any(
        one is not None and one.oid == value.as_is[0] and value.as_is[1] in one.key for one in relations
    )


def _one_or_other(scope: Scope, args: list[Node]) -> bool:
    """``a = 1 OR a <> 1``, ``a IS NULL OR a IS NOT NULL``, ``a OR NOT a``."""
    arms = [_arm(scope, arg) for arg in args]
    return any((what, not sign) in arms for what, sign in arms)


def _arm(scope: Scope, node: Node) -> tuple[object, bool]:
    """What is asked, and whether it is to hold."""
    tag, body = unpack(node)
    if tag == "BoolExpr" and body["boolop"] == "NOT_EXPR":
        what, sign = _arm(scope, body["args"][0])
        return what, not sign
    if tag == "NullTest":
        return ("null", _written(scope, body["arg"])), body["nulltesttype"] == "IS_NULL"
    name = strings(body["name"])[-1] if tag == "A_Expr" else ""
    if name in _OPPOSITE and body["kind"] == "AEXPR_OP" and "lexpr" in body:
        sign = name in _HOLDS
        sides = [_written(scope, body[side]) for side in ("lexpr", "rexpr")]
        return (name if sign else _OPPOSITE[name], sides), sign
    return _written(scope, node), True


def _written(scope: Scope, node: object) -> object:
    """An expression as it is written, but for where it stands and for how a column is called."""
    if isinstance(node, list):
        return [_written(scope, one) for one in node]
    if not isinstance(node, dict):
        return node
    value = _meant(scope, node)
    if value is not None and value.as_is is not None:
        return value.columns
    return {key: _written(scope, one) for key, one in node.items() if key != "location"}


def _meant(scope: Scope, node: Node) -> Value | None:
    """The column of this query level that an expression is; None if it is none of a table's."""
    fields = node["ColumnRef"]["fields"] if "ColumnRef" in node else []
    if not fields or not all("String" in one for one in fields):
        return None
    *qualifier, name = strings(fields)
    items = [one for one in scope.source.items if not qualifier or one.alias == qualifier[-1]]
    return next((value for one in items if (value := one.value_of(name)) is not None), None)
