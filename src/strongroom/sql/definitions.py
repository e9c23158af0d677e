"""DDL near a protected table: what passes, what is resolved like a query, and what is refused by name.

A definition passes if a protected column survives it as it is; a rename is followed by the next catalog
snapshot, since columns are known by OID and number. Statements away from protected tables never come here.
What is attached to a table is in `attached.py`. Called by `utility.py`.
"""

from collections.abc import Callable
from dataclasses import replace

from strongroom.errors import DefinitionRefused, ValueMoves
from strongroom.sql.expressions import condition, expression
from strongroom.sql.meeting import comparable, plain, protection_of
from strongroom.sql.parse import Node, strings
from strongroom.sql.run import Run
from strongroom.sql.schema import Relation
from strongroom.sql.scope import Item, Named, Scope, Source
from strongroom.sql.sources import find, relation_columns
from strongroom.sql.statement import Barrier, Kind, Resolved
from strongroom.sql.task import Task, outputs, query
from strongroom.sql.value import COMPUTED

WAY_OUT = "take the column out of the configuration with `strongroom unprotect` first, then change it"
OURS = "strongroom_"  # what `protect` makes in the database is named so

# ALTER TABLE commands that leave every column as it is (parsenodes.h: AlterTableType).
HARMLESS = frozenset({
    "AT_SetNotNull", "AT_DropNotNull", "AT_SetStatistics", "AT_SetStorage", "AT_SetCompression",
    "AT_ValidateConstraint", "AT_ChangeOwner", "AT_ClusterOn", "AT_DropCluster", "AT_SetLogged",
    "AT_SetUnLogged", "AT_SetTableSpace", "AT_SetRelOptions", "AT_ResetRelOptions", "AT_EnableTrig",
    "AT_EnableAlwaysTrig", "AT_EnableReplicaTrig", "AT_DisableTrig", "AT_EnableTrigAll",
    "AT_DisableTrigAll", "AT_EnableTrigUser", "AT_DisableTrigUser", "AT_ReplicaIdentity",
    "AT_EnableRowSecurity", "AT_DisableRowSecurity", "AT_ForceRowSecurity", "AT_NoForceRowSecurity",
    "AT_SetOptions", "AT_ResetOptions", "AT_SetAccessMethod", "AT_AlterConstraint",
})  # fmt: skip
_ABOUT_COLUMN = {
    "AT_DropColumn": "DROP COLUMN",
    "AT_AlterColumnType": "ALTER COLUMN ... TYPE",
    "AT_ColumnDefault": "SET DEFAULT",
    "AT_AddIdentity": "ADD GENERATED AS IDENTITY",
    "AT_SetIdentity": "SET GENERATED",
    "AT_DropIdentity": "DROP IDENTITY",
    "AT_SetExpression": "SET EXPRESSION",
    "AT_DropExpression": "DROP EXPRESSION",
}


def alter_table(task: Task) -> Resolved:
    """ALTER TABLE, command by command."""
    run = task.run()
    found = table_of(run, task.body["relation"])
    if found is None or found.oid not in task.ground.near:
        return refuse("ALTER TABLE", "a partition or reference")
    scope = scope_of(run, found)
    for item in task.body["cmds"]:
        _command(run, scope, found, item["AlterTableCmd"])
    return task.resolved(run, Kind.DDL, Barrier.CATALOG)


def _command(run: Run, scope: Scope, relation: Relation, command: Node) -> None:
    kind, name = command["subtype"], command.get("name")
    protected = {column.name for column in scope.source.columns if protection_of(column.value)}
    definition = command.get("def", {})
    if kind in _ABOUT_COLUMN:
        dropped_default = kind == "AT_ColumnDefault" and not definition
        if kind != "AT_ColumnDefault" and name in run.ground.naming(relation):
            refuse(_ABOUT_COLUMN[kind], f"the column {name}, which names tenants,")
        if name in protected and not dropped_default and not definition.get("A_Const", {}).get("isnull"):
            refuse(_ABOUT_COLUMN[kind], f"the protected column {name}")
        _check_expressions(run, scope, definition)
    elif kind == "AT_AddColumn":
        scope.source.columns.append(Named(definition["ColumnDef"]["colname"], COMPUTED))
        for item in definition["ColumnDef"].get("constraints", ()):
            _constraint(run, scope, item["Constraint"])
    elif kind == "AT_AddConstraint":
        _constraint(run, scope, definition["Constraint"])
    elif kind == "AT_DropConstraint":
        if str(name).startswith(OURS):
            refuse("DROP CONSTRAINT", f"{name}, by which the database refuses plaintext,")
    elif kind not in HARMLESS:
        refuse(kind.removeprefix("AT_"), f'"{relation.name}", which has protected columns,')


def _check_expressions(run: Run, scope: Scope, definition: Node) -> None:
    """A default or USING expression of an unprotected column may not use a protected one."""
    column = definition.get("ColumnDef")
    if column is not None and "raw_default" in column:
        plain(expression(run, scope, column["raw_default"]), "USING")


def _constraint(run: Run, scope: Scope, body: Node) -> None:
    kind = body["contype"]
    if kind in {"CONSTR_UNIQUE", "CONSTR_PRIMARY"}:
        for name in strings(body.get("keys", [])):
            value = scope.column(name)
            if protection_of(value) is not None:
                comparable(value, "UNIQUE")
    elif kind == "CONSTR_CHECK":
        condition(run, scope, body["raw_expr"])
    elif kind in {"CONSTR_DEFAULT", "CONSTR_GENERATED"} and "raw_expr" in body:
        plain(expression(run, scope, body["raw_expr"]), "an expression of a column")
    elif kind == "CONSTR_FOREIGN":
        _foreign_key(run, scope, body)
    elif kind == "CONSTR_EXCLUSION":
        refuse("EXCLUDE", "a table with protected columns")


def _foreign_key(run: Run, scope: Scope, body: Node) -> None:
    """Both ends of a foreign key are protected by one key, or neither is."""
    other = table_of(run, body["pktable"])
    ours = [protection_of(scope.column(name)) for name in strings(body.get("fk_attrs", []))]
    names = strings(body.get("pk_attrs", []))
    if other is None or (not names and any(ours)):
        refuse("FOREIGN KEY", "a protected column, unless it names the columns it refers to,")
        return
    theirs = [protection_of(scope_of(run, other).column(name)) for name in names]
    for one, two in zip(ours, theirs, strict=False):
        if (one is None) != (two is None) or (
            one and two and (one.keyset != two.keyset or not one.comparable)
        ):
            refuse("FOREIGN KEY", "columns that share no deterministic key")


def create_index(task: Task) -> Resolved:
    """CREATE INDEX: on a deterministic column as it stands, not on an expression of one."""
    run = task.run()
    relation = table_of(run, task.body["relation"])
    if relation is None:
        return refuse("CREATE INDEX", "something that is no table")
    scope = scope_of(run, relation)
    for item in task.body.get("indexParams", ()):
        element = item["IndexElem"]
        if "expr" in element:
            plain(expression(run, scope, element["expr"]), "an index on an expression")
        elif protection_of(scope.column(element["name"])) is not None:
            comparable(scope.column(element["name"]), "an index")
            method = task.body.get("accessMethod", "btree")
            if method not in {"btree", "hash"} or element.keys() & {"opclass", "collation", "opclassopts"}:
                refuse(f"an index by {method}, operator class or collation", f"the column {element['name']}")
    condition(run, scope, task.body.get("whereClause"))
    return task.resolved(run, Kind.DDL, Barrier.CATALOG)


def create_view(task: Task) -> Resolved:
    """CREATE VIEW: stored as resolved, so that it means later what it means now."""
    run = task.run()
    if any(output.printed for output in outputs(run, query(run, task.body["query"]))):
        refuse("CREATE VIEW with a cast", "a protected column")
    return task.resolved(run, Kind.DDL, Barrier.CATALOG)


def create_table_as(task: Task) -> Resolved:
    """CREATE TABLE AS and CREATE MATERIALIZED VIEW; SELECT INTO comes here too."""
    run = task.run()
    if task.tag == "SelectStmt":
        inner: Node = {"SelectStmt": {key: value for key, value in task.body.items() if key != "intoClause"}}
    else:
        inner = task.body["query"]
    columns = query(run, inner)
    for column in columns:
        run.uses.reveal(column.value)  # it is kept where no mask reaches it
    for output in outputs(run, columns):
        if output.printed:
            refuse("CREATE MATERIALIZED VIEW with a cast", "a protected column")
        if output.protection is not None and task.body.get("objtype") != "OBJECT_MATVIEW":
            raise ValueMoves(
                f"a new table would hold values of the protected column {output.protection.column}",
                hint="create the table, `protect` its column by the same `key:`, then INSERT ... SELECT",
            )
    return task.resolved(run, Kind.DDL, Barrier.CATALOG)


def create_table(task: Task) -> Resolved:
    """CREATE TABLE: a partition or child of a protected table inherits its protection, a copy does not."""
    near = task.ground.near
    run = task.run()
    for item in task.body.get("tableElts", ()):
        like = item.get("TableLikeClause")
        relation = table_of(replace(run), like["relation"]) if like else None
        if relation is not None and relation.oid in near:
            return refuse("CREATE TABLE ... (LIKE ...)", "a table with protected columns")
    _check_heirs(run, task.body)
    if task.body.get("ofTypename") or any("ColumnDef" in item for item in task.body.get("tableElts", ())):
        from_types = [
            item["ColumnDef"]["typeName"]
            for item in task.body.get("tableElts", ())
            if "ColumnDef" in item and "typeName" in item["ColumnDef"]  # a partition's has none
        ]
        for name in from_types:
            _not_row_type(run, name)
    if any(node.protection is not None for node in run.opens):  # in the CHECK of an heir
        return task.resolved(run, Kind.DDL, Barrier.CATALOG)
    return task.untouched(Kind.DDL, Barrier.CATALOG)


def _check_heirs(run: Run, body: Node) -> None:
    """The columns of parents may be named in constraints and defaults of a new child or partition."""
    inherited: list[Named] = []
    for item in body.get("inhRelations", ()):
        relation = table_of(run, item["RangeVar"])
        if relation is not None:
            inherited += scope_of(run, relation).source.columns
    if not any(protection_of(column.value) for column in inherited):
        return
    protected = {column.name for column in inherited if protection_of(column.value)}
    elements = body.get("tableElts", [])
    columns = [item["ColumnDef"] for item in elements if "ColumnDef" in item]
    known = {column.name for column in inherited}
    own = [Named(column["colname"], COMPUTED) for column in columns if column["colname"] not in known]
    scope = Scope(None, Source([Item(body["relation"]["relname"], [*inherited, *own])], [*inherited, *own]))
    for column in columns:
        constraints = [item["Constraint"] for item in column.get("constraints", ())]
        for constraint in constraints:
            if column["colname"] in protected and constraint["contype"] in {
                "CONSTR_DEFAULT",
                "CONSTR_GENERATED",
            }:
                refuse("DEFAULT", f"the protected column {column['colname']}")
            _constraint(run, scope, constraint)
    for item in elements:
        if "Constraint" in item:
            _constraint(run, scope, item["Constraint"])


def _not_row_type(run: Run, name: Node) -> None:
    parts = strings(name["names"])
    for item in run.ground.schema.types:
        if item.name == parts[-1] and item.relation in run.ground.near:
            refuse("a column of a row type", "a table with protected columns")


def rename(task: Task) -> Resolved:
    """A rename is followed by the next snapshot; but our CHECKs are known by their names."""
    named = str(task.body.get("subname", ""))
    if task.body["renameType"] == "OBJECT_TABCONSTRAINT" and named.startswith(OURS):
        return refuse("RENAME CONSTRAINT", f"{named}, by which the database refuses plaintext,")
    if task.body["renameType"] == "OBJECT_COLUMN":
        relation = table_of(task.run(), task.body["relation"])
        if relation is not None and named in task.ground.naming(relation):
            return refuse("RENAME COLUMN", f"the column {named}, which names tenants,")
    return passes(task)


def passes(task: Task) -> Resolved:
    """A definition that leaves columns as they are."""
    return task.untouched(Kind.DDL, Barrier.CATALOG)


DEFINITIONS: dict[str, Callable[[Task], Resolved]] = {
    "AlterTableStmt": alter_table,
    "IndexStmt": create_index,
    "ViewStmt": create_view,
    "CreateTableAsStmt": create_table_as,
    "CreateStmt": create_table,
    "RenameStmt": rename,
    "AlterObjectSchemaStmt": passes,
    "AlterOwnerStmt": passes,
    "GrantStmt": passes,
}


def table_of(run: Run, body: Node) -> Relation | None:
    """The relation that a definition names, without a change to the text."""
    kept = list(run.edits)
    found = find(run, body)
    run.edits = kept
    return found if isinstance(found, Relation) else None


def scope_of(run: Run, relation: Relation) -> Scope:
    """The columns of a relation, as its own definitions name them."""
    columns = [Named(column.name, column.value) for column in relation_columns(run, relation)]
    return Scope(None, Source([Item(relation.name, columns, relation=relation)], columns))


def refuse(what: str, about: str) -> Resolved:
    """Refuses a definition by name."""
    raise DefinitionRefused(f"{what} about {about} is refused", hint=WAY_OUT)
