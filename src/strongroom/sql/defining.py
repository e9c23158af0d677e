"""What a definition asks of columns: nothing may be defined with one that might not be done with it.

What is computed, kept, or given to code reveals a column, as in a list of SELECT: nobody asks again when it
is read. What decides about rows by it, or fails on its values, filters. Rules of a policy go by names: what
gets another name, or comes to be read by that of another table, is revealed under the one it has. Conditions
that are kept fail in statements of others, whose errors may quote values; so they filter by what they
compare, and reveal what they compute with (`Run.kept`).

A definition, and a command of ALTER TABLE, that is not listed here reveals all columns of what it names.
Called by `policed.py`, beside `placing.py`.
"""

from collections.abc import Callable

from strongroom.errors import Denied
from strongroom.policy.model import Action
from strongroom.sql.access import Access, made, unseen
from strongroom.sql.attached import rows
from strongroom.sql.definitions import HARMLESS, scope_of, table_of
from strongroom.sql.expressions import condition, expression
from strongroom.sql.parse import Node, strings
from strongroom.sql.run import Run
from strongroom.sql.schema import Relation
from strongroom.sql.scope import Named, Scope
from strongroom.sql.sources import relation_columns
from strongroom.sql.task import Task, outputs, query
from strongroom.sql.value import COMPUTED

# What has to do with no column, or is asked about elsewhere: CREATE TABLE AS by `definitions.py`, functions
# when they are called.
_FREE = frozenset({
    "AlterObjectDependsStmt", "AlterOwnerStmt", "AlterSeqStmt", "CommentStmt", "CompositeTypeStmt",
    "CreateFunctionStmt", "CreateSeqStmt", "DropStmt", "GrantStmt", "RefreshMatViewStmt", "ReindexStmt",
    "SelectStmt", "VacuumStmt",
})  # fmt: skip
# Commands that read no value, and give none another name. NOT NULL tells of NULL alone.
_FREE_COMMANDS = HARMLESS - {"AT_ClusterOn", "AT_ValidateConstraint"} | {
    "AT_AddIdentity", "AT_AddOf", "AT_ColumnDefault", "AT_DetachPartition", "AT_DetachPartitionFinalize",
    "AT_DropColumn", "AT_DropConstraint", "AT_DropExpression", "AT_DropIdentity", "AT_DropInherit",
    "AT_DropOf", "AT_SetIdentity",
}  # fmt: skip
_OF_TABLES = frozenset({"OBJECT_TABCONSTRAINT", "OBJECT_TRIGGER", "OBJECT_POLICY", "OBJECT_RULE"})
_FOREIGN_TABLE = "f"  # pg_class.relkind
_FIRST_OF_USERS = 16384  # oids below are PostgreSQL's own (transam.h: FirstNormalObjectId)


def defined(task: Task) -> frozenset[Access]:
    """What one definition does with columns, and with what its queries read."""
    if task.tag in _FREE:
        return frozenset()
    treatment = _TREATMENTS.get(task.tag)
    if treatment is None:
        return _all_named(task)
    run = task.run()
    run.kept = True
    try:
        treatment(run, task)
    except Denied:
        return _all_named(task)
    return made(run.uses, task.ground.schema)


def _all_named(task: Task) -> frozenset[Access]:
    """What was not followed could look at all of what it names."""
    found = unseen((Action.SELECT,), task.found.relations, task.ground.schema)
    return frozenset(one for one in found if one.action is not Action.WRITE)


def _alter_table(run: Run, task: Task) -> None:
    if task.body["objtype"] == "OBJECT_TYPE":
        for item in task.body["cmds"]:
            if item["AlterTableCmd"]["subtype"] not in _FREE_COMMANDS:
                _everywhere(run, item["AlterTableCmd"].get("name"))
        return
    relation = table_of(run, task.body["relation"])
    if relation is None:
        return
    scope = scope_of(run, relation)
    for item in task.body["cmds"]:
        _command(run, scope, relation, item["AlterTableCmd"])


def _command(run: Run, scope: Scope, relation: Relation, command: Node) -> None:
    kind, definition = command["subtype"], command.get("def", {})
    if kind in _FREE_COMMANDS:
        return
    if relation.kind == _FOREIGN_TABLE:  # whose options say which columns stand behind its own
        _whole(run, relation)
    if kind == "AT_AddColumn":
        scope.source.columns.append(Named(definition["ColumnDef"]["colname"], COMPUTED))
        for item in definition["ColumnDef"].get("constraints", ()):
            _constraint(run, scope, item["Constraint"])
    elif kind == "AT_AddConstraint":
        _constraint(run, scope, definition["Constraint"])
    elif kind == "AT_AlterColumnType":
        _converted(run, scope, command["name"], definition["ColumnDef"].get("raw_default"))
    elif kind == "AT_SetExpression":
        run.uses.reveal(expression(run, scope, definition))
    elif kind in {"AT_ClusterOn", "AT_ValidateConstraint"}:  # by an index or CHECK of any of them
        _told_apart(run, relation)
    else:
        _whole(run, relation)
        if kind == "AT_AttachPartition":  # the rows of each will be read by the other's name
            _whole(run, table_of(run, definition["PartitionCmd"]["name"]))


def _converted(run: Run, scope: Scope, name: str, using: Node | None) -> None:
    """ALTER COLUMN ... TYPE: its cast fails on values, and USING may put any in their place."""
    if using is None:
        run.uses.filter(scope.column(name))
    else:
        run.uses.reveal(expression(run, scope, using))


def _constraint(run: Run, scope: Scope, body: Node) -> None:
    kind = body["contype"]
    for name in strings([*body.get("keys", ()), *body.get("fk_attrs", ())]):
        run.uses.filter(scope.column(name))
    if kind == "CONSTR_CHECK":
        condition(run, scope, body["raw_expr"])
    elif kind == "CONSTR_GENERATED" and "raw_expr" in body:
        run.uses.reveal(expression(run, scope, body["raw_expr"]))
    elif kind == "CONSTR_FOREIGN":
        _referred(run, body)
    elif kind == "CONSTR_EXCLUSION":
        for item in body["exclusions"]:
            _element(run, scope, item["List"]["items"][0]["IndexElem"], tells=True)
        condition(run, scope, body.get("where_clause"))


def _referred(run: Run, body: Node) -> None:
    """A foreign key says whether a value is there."""
    other = table_of(run, body["pktable"])
    if other is None:
        return
    run.uses.filtered |= {(other.oid, attnum) for attnum in other.key if "pk_attrs" not in body}
    for name in strings(body.get("pk_attrs", [])):
        run.uses.filter(scope_of(run, other).column(name))


def _element(run: Run, scope: Scope, body: Node, *, tells: bool) -> None:
    """A column or expression of an index, which may tell rows apart or their values."""
    value = expression(run, scope, body["expr"]) if "expr" in body else scope.column(body["name"])
    if "expr" in body:
        run.uses.reveal(value)
    if tells:
        run.uses.filter(value)


def _create_index(run: Run, task: Task) -> None:
    """One on more than a column, or on some rows, is read without a condition, in its order (indxpath.c)."""
    body = task.body
    relation = table_of(run, body["relation"])
    if relation is None:
        return
    scope, elements = scope_of(run, relation), body.get("indexParams", [])
    alone = len(elements) == 1 and body.keys().isdisjoint({"unique", "indexIncludingParams", "whereClause"})
    for item in elements:
        _element(run, scope, item["IndexElem"], tells=not alone)
    condition(run, scope, body.get("whereClause"))


def _cluster(run: Run, task: Task) -> None:
    """CLUSTER: a table is read in the order in which its rows lie."""
    relation = table_of(run, task.body["relation"]) if "relation" in task.body else None
    if relation is not None:
        _told_apart(run, relation)


def _create_statistics(run: Run, task: Task) -> None:
    for item in task.body["relations"]:
        relation = table_of(run, item["RangeVar"])
        if relation is not None:
            for one in task.body["exprs"]:
                _element(run, scope_of(run, relation), one["StatsElem"], tells=True)


def _create_table(run: Run, task: Task) -> None:
    """A new table has no values; but a partition gets its parent's, and a foreign key looks for another's."""
    body = task.body.get("base", task.body)
    if "partbound" in body:
        for item in body["inhRelations"]:
            _whole(run, table_of(run, item["RangeVar"]))
    for item in body.get("tableElts", ()):
        of_column = item.get("ColumnDef", {}).get("constraints", ())
        for one in (item, *of_column):
            if one.get("Constraint", {}).get("contype") == "CONSTR_FOREIGN":
                _referred(run, one["Constraint"])


def _create_view(run: Run, task: Task) -> None:
    """A column as it stands keeps its mask in a view, which is asked about when it is read."""
    if task.tag == "ViewStmt" or task.body["objtype"] == "OBJECT_MATVIEW":
        outputs(run, query(run, task.body["query"]))


def _create_trigger(run: Run, task: Task) -> None:
    """A function that is called for a row, or with transition tables, has whole rows."""
    relation = table_of(run, task.body["relation"])
    if relation is None:
        return
    if task.body.get("row") or "transitionRels" in task.body:
        _whole(run, relation)
    condition(run, rows(run, relation), task.body.get("whenClause"))


def _create_policy(run: Run, task: Task) -> None:
    relation = table_of(run, task.body["table"])
    if relation is not None:
        for clause in ("qual", "with_check"):
            condition(run, scope_of(run, relation), task.body.get(clause))


def _rename(run: Run, task: Task) -> None:
    kind, name = task.body["renameType"], task.body.get("subname")
    if kind == "OBJECT_SCHEMA":
        for relation in run.ground.schema.relations.values():
            if relation.schema == name:
                _whole(run, relation)
    elif kind == "OBJECT_ATTRIBUTE":
        _everywhere(run, name)
    elif kind == "OBJECT_COLUMN":
        renamed = table_of(run, task.body["relation"])
        if renamed is not None:
            run.uses.reveal(scope_of(run, renamed).column(str(name)))
    elif kind not in _OF_TABLES:  # ALTER INDEX renames tables, too
        _move(run, task)


def _move(run: Run, task: Task) -> None:
    if "relation" in task.body:
        _whole(run, table_of(run, task.body["relation"]))


def _alter_domain(run: Run, task: Task) -> None:
    """A new constraint, and one that is validated, is held against each column of the domain."""
    if task.body["subtype"] in {"C", "V"}:
        for relation in run.ground.schema.relations.values():
            of_users = (one for one in relation.columns if one.type_oid >= _FIRST_OF_USERS)
            run.uses.revealed |= {(relation.oid, column.attnum) for column in of_users}


def _everywhere(run: Run, name: str | None) -> None:
    """An attribute of a type: tables OF it have the column, and the catalog's snapshot does not say which."""
    for relation in run.ground.schema.relations.values():
        named = (one for one in relation.columns if one.name == name)
        run.uses.revealed |= {(relation.oid, column.attnum) for column in named}


def _told_apart(run: Run, relation: Relation) -> None:
    for column in relation_columns(run, relation):
        run.uses.filter(column.value)


def _whole(run: Run, relation: Relation | None) -> None:
    """All columns; of a view those of its tables, and its rows, which its own name gives."""
    if relation is None:
        return
    if relation.kind == "v":
        run.uses.on(Action.SELECT, relation)
    for column in relation_columns(run, relation):
        run.uses.reveal(column.value)


_TREATMENTS: dict[str, Callable[[Run, Task], None]] = {
    "AlterTableStmt": _alter_table,
    "IndexStmt": _create_index,
    "ClusterStmt": _cluster,
    "CreateStatsStmt": _create_statistics,
    "CreateStmt": _create_table,
    "CreateForeignTableStmt": _create_table,
    "ViewStmt": _create_view,
    "CreateTableAsStmt": _create_view,
    "CreateTrigStmt": _create_trigger,
    "CreatePolicyStmt": _create_policy,
    "AlterPolicyStmt": _create_policy,
    "RenameStmt": _rename,
    "AlterObjectSchemaStmt": _move,
    "AlterDomainStmt": _alter_domain,
}
