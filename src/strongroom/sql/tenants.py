"""To which tenant a row belongs whose values are sealed by its tenant's keys (`tenant: tenant_id`).

Such a value can be sealed only where the statement itself says whose it is: in the same row of an INSERT, or
by a condition that every row fulfils that an UPDATE changes. So each table that is named, and each row that
is stored, gets a `Row`; what says its tenant is noted there, and two rows that must be of one tenant are
linked. When all is decided, `tenant_of` gives what Bind, or the text, has to say.

INVARIANT: a row takes its tenant from the query level at which its table stands, and from nowhere deeper: a
subquery's condition says nothing of the rows around it.

Called by `sources.py`, `changes.py`, `copying.py` and `rewrite.py`.
"""

from collections.abc import Iterable
from dataclasses import replace

from strongroom.errors import TenantUnclear, UndefinedColumn, ValueMoves
from strongroom.sql.parse import Node, strings, unpack
from strongroom.sql.run import Run
from strongroom.sql.schema import SESSION, Column, Protection, Relation, Row
from strongroom.sql.scope import Scope
from strongroom.sql.statement import Tenant
from strongroom.sql.typenames import NAMES
from strongroom.sql.value import Literal, Open, ParameterUse, Value


def check_naming(run: Run, relation: Relation) -> None:
    """Refuses to store rows whose tenant the database itself would say, or that go through a view."""
    seen = [relation, *_through(run, relation)] if relation.kind == "v" else [relation]
    for one in seen:
        named = [column for column in one.columns if column.name in run.ground.naming(one)]
        if named and one is not relation:
            raise TenantUnclear(
                f'"{relation.name}" is a view of a table whose rows belong to tenants',
                hint="Change the table itself, and name the tenant.",
            )
        if any(column.identity or column.generated for column in named):
            raise TenantUnclear(
                f"the database computes {named[0].name}, which names tenants",
                hint="Make it an ordinary column.",
            )


def _through(run: Run, relation: Relation) -> list[Relation]:
    """The relations that a view reads, through others too."""
    found: list[Relation] = [relation]
    for one in found:
        named = (run.ground.schema.relations.get(oid) for oid in one.depends)
        found.extend(other for other in named if other is not None and other not in found)
    return found[1:]


def row_of(run: Run, relation: Relation) -> Row | None:
    """A row of a table; None where none of its values belongs to a tenant."""
    protections = (run.ground.protection(relation, column) for column in relation.columns)
    names = {one.tenant for one in protections if one is not None and one.tenant not in {"", SESSION}}
    return next(
        (Row(column.name, column.type_oid) for column in relation.columns if column.name in names), None
    )


def in_row(value: Value, row: Row | None, column: Column) -> Value:
    """A column's value as that of this row."""
    if row is None:
        return value
    if value.protection is not None and value.protection.tenant == row.column:
        return replace(value, protection=replace(value.protection, row=row))
    return replace(value, names=row) if column.name == row.column else value


def apart(value: Value) -> Value:
    """The value where the query that gave it can be named more than once: of some row, and no certain one."""
    if value.protection is not None and value.protection.row is not None:
        value = replace(value, protection=replace(value.protection, row=None))
    return replace(value, names=None) if value.names is not None else value


# ------------------------------------------------------------------------------------------ what says it


def learn(run: Run, scope: Scope, node: Node | None, *, of: list[Row] | None = None) -> None:
    """Takes from a condition on every row of this level, or ``of`` these, what it says of their tenants."""
    own = _rows(scope) if of is None else of
    for left, right in _equalities(node) if _is_plain_equality(run) else ():
        ours, theirs = _named_by(scope, left), _named_by(scope, right)
        for one, another in ((ours, theirs), (theirs, ours)):
            if one is not None and another is not None and one in own:
                _link(one, another)  # once they are of one, the other way round changes nothing
        for row, other in ((ours, right), (theirs, left)):
            if row is not None and row in own and _root(row) in own:
                _say(run, _root(row), other)


def stored(run: Run, row: Row | None, column: Column, node: Node, value: Value) -> None:
    """Takes the tenant of a row that is stored from what is stored in the column that names it."""
    if row is None or column.name != row.column:
        return
    if value.names is not None:
        _link(row, value.names)
    elif not value.null:
        _say(run, row, node)


def _say(run: Run, row: Row, node: Node) -> None:
    at = leaf(run, node, row.type_oid)
    if at is not None and row.is_open:
        row.said = at


def _link(row: Row, other: Row) -> None:
    """What is known of the other row holds for this one, if nothing else does."""
    if row.is_open and _root(other) is not row:
        row.same = other


def _root(row: Row) -> Row:
    while row.same is not None:
        row = row.same
    return row


def _rows(scope: Scope) -> list[Row]:
    """The rows of the tables of one query level."""
    found = (column.value.names for item in scope.source.items for column in item.columns)
    return [row for row in found if row is not None]


def _equalities(node: Node | None) -> Iterable[tuple[Node, Node]]:
    """The two sides of each `=` that must hold if the condition does."""
    if node is None:
        return
    tag, body = unpack(node)
    if tag == "BoolExpr" and body["boolop"] == "AND_EXPR":
        for arg in body["args"]:
            yield from _equalities(arg)
    elif tag == "A_Expr" and body["kind"] == "AEXPR_OP" and strings(body["name"]) in _EQUAL:
        left, right = body["lexpr"], body["rexpr"]
        if (
            "RowExpr" in left and "RowExpr" in right
        ):  # each pair must be equal (manual, "Row Constructor Comparison")
            yield from zip(left["RowExpr"].get("args", ()), right["RowExpr"].get("args", ()), strict=False)
        else:
            yield left, right


_EQUAL = (("=",), ("pg_catalog", "="))


def _is_plain_equality(run: Run) -> bool:
    """Whether `=` of what names tenants is PostgreSQL's own, whatever the search path."""
    own = {oid for kind in _KINDS for oid in kind} | _ANY
    operators = run.ground.schema.operators
    return not any(one.name == "=" and {one.left, one.right} & own for one in operators)


def _named_by(scope: Scope, node: Node) -> Row | None:
    """The row whose tenant a column names, by itself; others say nothing."""
    tag, body = unpack(node)
    if tag != "ColumnRef" or any("String" not in field for field in body["fields"]):
        return None
    names = strings(body["fields"])
    try:
        match names:
            case (name,):
                return scope.column(name).names
            case (alias, name):
                return scope.qualified(None, alias, name).names
            case (schema, alias, name):
                return scope.qualified(schema, alias, name).names
            case _:
                return None
    except UndefinedColumn:
        return None  # the condition itself is resolved elsewhere, and refused there


def leaf(run: Run, node: Node, type_oid: int) -> int | None:
    """Where a parameter or constant stands in the text; None for anything else.

    A cast may give it a type, as drivers do, as long as it cannot change what it names.
    """
    tag, body = unpack(node)
    if tag == "TypeCast" and keeps_names(run, body["typeName"], type_oid):
        tag, body = unpack(body["arg"])
    if tag == "ParamRef" or (tag == "A_Const" and not body.get("isnull")):
        return int(body.get("location", 0))
    return None


def keeps_names(run: Run, type_name: Node, type_oid: int) -> bool:
    """Whether a cast to a type gives what the column would: one of its kind, and PostgreSQL's own."""
    *schema, name = strings(type_name["names"])
    plain = not type_name.get("typmods") and not type_name.get("arrayBounds")
    own = schema in ([], ["pg_catalog"]) and all(one.name != name for one in run.ground.schema.types)
    return plain and own and NAMES.get(name) in kind_of(type_oid)


def kind_of(type_oid: int) -> frozenset[int]:
    """The types whose values have the same names as those of this one."""
    return next((kind for kind in _KINDS if type_oid in kind), frozenset())


_INTEGERS = frozenset({20, 21, 23})
STRINGS = frozenset({25, 1043})
_KINDS = (_INTEGERS, STRINGS, frozenset({2950}))
"""Integers, strings and uuid."""

_ANY = frozenset({2276, 2283, 2776, 5077, 5079})
"""Types of arguments that take any value: "any", anyelement and the like."""

EXACT = _KINDS[0] | _KINDS[2]
"""Types without collations."""


# ------------------------------------------------------------------------------------------ what follows


def check_moves(run: Run) -> None:
    """Refuses values that would be stored in a row of another tenant, or of one that is not known."""
    for source, target, qualified in run.moves:
        if source is None or target is None or not _are_of_one(run, source, target):
            raise ValueMoves(
                f"a tenant's value would be stored in {qualified}, in a row that may be another tenant's",
                hint="say that both rows are of one tenant, as in WHERE a.tenant_id = b.tenant_id, or copy"
                " through the application",
            )


def _are_of_one(run: Run, row: Row, other: Row) -> bool:
    """Whether two rows are of one tenant: linked, or named by the same parameter or literal."""
    ours, theirs = (_root(one) for one in (row, other))
    names = {_name(run, one) for one in (ours, theirs)}
    return ours is theirs or (len(names) == 1 and None not in names)


def _name(run: Run, row: Row) -> tuple[int, str] | None:
    """What names a row's tenant: a parameter's number, or a literal."""
    match _said(run, row):
        case ParameterUse(number=number):
            return number, ""
        case Literal(value=text):
            return 0, text
        case _:
            return None


def _said(run: Run, row: Row, node: Open | None = None) -> Open | None:
    """The parameter or literal in the text that names the tenant of a row, or of the one that has a value.

    Not a number where strings do: 1e1 is stored as 10.
    """
    at = row.each.get(node.start) if row.each and node is not None else row.said
    named = run.placed(at) if at is not None else None
    is_number = isinstance(named, Literal) and named.number_oid
    return None if is_number and row.type_oid not in _INTEGERS else named


def tenant_of(run: Run, node: Open, protection: Protection | None = None) -> Tenant | None:
    """By whose key something is sealed, for its own column if no other is given; raises `TenantUnclear`."""
    protection = protection or node.protection
    if protection is None or not protection.tenant or node.stored:
        return None
    if protection.tenant == SESSION:
        return Tenant()
    row = _root(protection.row or Row(protection.tenant))
    match _said(run, row, node):
        case ParameterUse(number=number, type_oid=oid) as named if (
            not isinstance(node, Literal) or node.bound
        ):
            _check_one_type(run, named, row)
            return Tenant(row.type_oid, number, max(oid, 0))
        case Literal(value=text):
            return Tenant(row.type_oid, literal=text)
        case ParameterUse():
            raise TenantUnclear(
                f"a literal for the column {protection.column} would be sealed for a tenant that only a"
                " parameter names",
                hint="Pass both as parameters, or write both as literals.",
            )
        case _:
            raise TenantUnclear(
                f"it is not clear for which tenant a value of the column {protection.column} is to be sealed"
            )


def is_of_bind(run: Run, node: Literal) -> bool:
    """Whether a literal is sealed for a tenant that a parameter names: with the values of that Bind."""
    protection = node.protection
    if protection is None or protection.row is None or node.stored:
        return False
    return isinstance(_said(run, _root(protection.row), node), ParameterUse)


def _check_one_type(run: Run, named: ParameterUse, row: Row) -> None:
    """PostgreSQL reads a parameter as its first use wants it, which may be another than that of the name."""
    declared = run.declared[named.number - 1] if named.number <= len(run.declared) else 0
    others = {one.type_oid or one.natural_oid for one in run.uses_of(named.number) if one is not named}
    if declared in {0, 705} and not others <= kind_of(row.type_oid):
        raise TenantUnclear(
            f"the parameter ${named.number} names a tenant, and is used with another type",
            hint="Cast each use to the type of the column, or pass the value twice.",
        )


def bare(protection: Protection) -> Protection:
    """How a column is protected, whichever row it is of."""
    return replace(protection, row=None) if protection.row is not None else protection
