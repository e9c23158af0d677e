"""What a definition needs the right to change: relations that it names, and the schema that gets something.

PostgreSQL wants ownership of a table for what is done to it, and CREATE on a schema for what is made in it or
comes to have another name in it (manual, "Privileges"); `ddl` on either is asked for here. What is not listed
needs it on the database, too: functions, extensions, publications, roles and all that is new to us.

Called by `policed.py`.
"""

from collections.abc import Iterable

from strongroom.policy.model import Action
from strongroom.sql.access import Access
from strongroom.sql.parse import Node, strings
from strongroom.sql.task import Task

DATABASE = Access(Action.DDL)

# Where each that makes something names it.
_MAKES = {
    "CreateStmt": ("relation",),
    "ViewStmt": ("view",),
    "CreateTableAsStmt": ("into", "rel"),
    "SelectStmt": ("intoClause", "rel"),
    "CreateSeqStmt": ("sequence",),
    "CompositeTypeStmt": ("typevar",),
}
# What is done to the relations that it names, and to nothing else.
_CHANGES = frozenset({
    "AlterTableStmt", "IndexStmt", "CreateTrigStmt", "RuleStmt", "CreatePolicyStmt", "AlterPolicyStmt",
    "CreateStatsStmt", "VacuumStmt", "ClusterStmt", "ReindexStmt", "RefreshMatViewStmt", "GrantStmt",
    "RenameStmt", "AlterObjectSchemaStmt",
})  # fmt: skip
_READS = frozenset({"ViewStmt", "CreateTableAsStmt", "SelectStmt", "RuleStmt", "CreatePolicyStmt"})
_TABLES = frozenset({"OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_FOREIGN_TABLE"})
_OF_TABLES = frozenset({"OBJECT_TRIGGER", "OBJECT_POLICY", "OBJECT_RULE", "OBJECT_COLUMN"})
_WITHIN_TABLES = _OF_TABLES | {"OBJECT_ATTRIBUTE", "OBJECT_TABCONSTRAINT"}


def placed(task: Task) -> frozenset[Access]:
    """The rights to define that one statement needs."""
    made = _made(task)
    named = _named(task)
    known = {_on(task, oid) for oid in task.found.relations}
    accesses = known | _of_system(task)
    if made is not None:
        accesses |= _in_schema(task, made)
    elif named is not None:
        accesses |= named
    elif task.tag not in _CHANGES or not known:
        accesses.add(DATABASE)
    if task.found.unknown - {made["relname"] if made is not None else None}:
        accesses.add(DATABASE)  # what the catalog's snapshot does not know is nobody's in particular
    return frozenset(accesses | _moved(task) | _triggered(task) | _done(task))


def _made(task: Task) -> Node | None:
    node = task.body
    for key in _MAKES.get(task.tag, ("",)):
        node = node.get(key, {})
    return node or None


def _in_schema(task: Task, made: Node) -> set[Access]:
    """Of a temporary relation, the database: its schema is the session's own."""
    if made.get("relpersistence") == "t":
        return {DATABASE}
    return {Access(Action.DDL, name) for name in _schemas(task, made.get("schemaname"))[:1]} or {DATABASE}


def _schemas(task: Task, named: str | None) -> list[str]:
    """Those that a name without one may be in; the first is where something new comes to be."""
    if named is not None:
        return [named]
    path = task.context.search_path
    return [one for one in path if one != "pg_catalog" and not one.startswith("pg_temp")]


def _named(task: Task) -> set[Access] | None:
    """What DROP and COMMENT name, whose names are lists; None where it is something else, or CASCADE."""
    kind = task.body.get("removeType") or task.body.get("objtype")
    if task.tag == "DropStmt" and task.body["behavior"] == "DROP_RESTRICT":
        objects = task.body["objects"]
    elif task.tag == "CommentStmt":
        objects = [task.body["object"]]
    else:
        return None
    if kind not in _TABLES | _OF_TABLES:
        return None
    names = (strings(item["List"]["items"]) for item in objects)
    parts = (name if kind in _TABLES else name[:-1] for name in names)
    return {access for name in parts for access in _found(task, name)}


def _found(task: Task, name: tuple[str, ...]) -> Iterable[Access]:
    schema = name[-2] if len(name) > 1 else None
    relation = task.ground.schema.find(schema, name[-1], task.context.search_path)
    if relation is None:  # IF EXISTS; or it is there since a moment
        return [Access(Action.DDL, one) for one in _schemas(task, schema)] or [DATABASE]
    found = relation if isinstance(relation, tuple) else (relation.schema, relation.name)
    return [Access(Action.DDL, *found)]


def _of_system(task: Task) -> set[Access]:
    """PostgreSQL's own: looked at by what a definition keeps, and changed by all else."""
    action = Action.SELECT if task.tag in _READS else Action.DDL
    return {Access(action, *name) for name in task.found.system}


def _moved(task: Task) -> set[Access]:
    """The schema in which a relation gets another name, or to which it goes."""
    if task.tag == "AlterObjectSchemaStmt":
        return {Access(Action.DDL, task.body["newschema"])}
    if (
        task.tag == "RenameStmt" and task.body["renameType"] not in _WITHIN_TABLES
    ):  # ALTER INDEX: of tables, too
        return {Access(Action.DDL, _on(task, oid).schema) for oid in task.found.relations}
    return set()


def _triggered(task: Task) -> set[Access]:
    """The function that a trigger is to call, by any name that may mean it."""
    if task.tag != "CreateTrigStmt":
        return set()
    *schema, name = strings(task.body["funcname"])
    return {
        Access(Action.CALL, one.schema, one.name)
        for one in task.ground.schema.functions.values()
        if one.name == name and one.schema in (schema or task.context.search_path)
    }


def _done(task: Task) -> set[Access]:
    """DO runs code that we do not see into: by the function that PostgreSQL calls for it."""
    if task.tag != "DoStmt":
        return set()
    said = (item["DefElem"] for item in task.body["args"])
    language = next((one["arg"]["String"]["sval"] for one in said if one["defname"] == "language"), "plpgsql")
    return {Access(Action.CALL, "pg_catalog", f"{language}_inline_handler")}


def _on(task: Task, oid: int) -> Access:
    relation = task.ground.schema.relations[oid]
    return Access(Action.DDL, relation.schema, relation.name)
