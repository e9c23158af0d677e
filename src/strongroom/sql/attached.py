"""What is attached to a table near a protected column: policies, triggers, publications, comments and more.

Their conditions are stored, so they are resolved like a query's: a literal in one is sealed before the
database keeps it. A function whose body the parser reads is refused, since its literals would be kept as
they are. Tables themselves are in `definitions.py`. Called by `utility.py`.
"""

from collections.abc import Callable

from strongroom.errors import DefinitionRefused, UserCodeRefused
from strongroom.sql.definitions import OURS, passes, refuse, scope_of, table_of
from strongroom.sql.expressions import condition
from strongroom.sql.mention import has_literal, mentions
from strongroom.sql.parse import strings
from strongroom.sql.run import Run
from strongroom.sql.schema import Relation
from strongroom.sql.scope import Item, Scope, Source
from strongroom.sql.statement import Barrier, Kind, Resolved
from strongroom.sql.task import Task


def create_policy(task: Task) -> Resolved:
    """CREATE POLICY and ALTER POLICY: conditions like any other."""
    run = task.run()
    relation = table_of(run, task.body["table"])
    if relation is None:
        return refuse("CREATE POLICY", "something that is no table")
    for clause in ("qual", "with_check"):
        condition(run, scope_of(run, relation), task.body.get(clause))
    return task.resolved(run, Kind.DDL, Barrier.CATALOG)


def create_trigger(task: Task) -> Resolved:
    """CREATE TRIGGER on a protected table: only with a function that is listed; WHEN is a condition."""
    names = strings(task.body["funcname"])
    schemas = task.context.search_path if len(names) == 1 else names[:1]
    if not any(f"{schema}.{names[-1]}" in task.context.functions for schema in schemas):
        raise DefinitionRefused(
            "a trigger on a protected table would be given sealed values",
            hint="list its function under `functions:` with a reason",
        )
    if "whenClause" not in task.body:
        return passes(task)
    run = task.run()
    relation = table_of(run, task.body["relation"])
    if relation is None:
        return refuse("CREATE TRIGGER", "something that is no table")
    condition(run, rows(run, relation), task.body["whenClause"])
    return task.resolved(run, Kind.DDL, Barrier.CATALOG)


def rows(run: Run, relation: Relation) -> Scope:
    """OLD and NEW, by which alone a trigger's WHEN names columns (manual, "CREATE TRIGGER")."""
    columns = scope_of(run, relation).source.columns
    return Scope(None, Source([Item(name, columns, relation=relation) for name in ("old", "new")], []))


def create_statistics(task: Task) -> Resolved:
    """CREATE STATISTICS: on columns, not on expressions."""
    if any("expr" in item["StatsElem"] for item in task.body.get("exprs", ())):
        return refuse("CREATE STATISTICS on an expression", "a table with protected columns")
    return passes(task)


def publication(task: Task) -> Resolved:
    """CREATE and ALTER PUBLICATION: the WHERE of a table is a condition like any other."""
    run = task.run()
    filtered = False
    for item in task.body.get("pubobjects", ()):
        table = item["PublicationObjSpec"].get("pubtable", {})
        if "whereClause" not in table:
            continue
        filtered = True
        relation = table_of(run, table["relation"])
        if relation is None:
            return refuse("a publication's WHERE", "something that is no table")
        condition(run, scope_of(run, relation), table["whereClause"])
    return task.resolved(run, Kind.DDL, Barrier.CATALOG) if filtered else passes(task)


def create_function(task: Task) -> Resolved:
    """CREATE FUNCTION and PROCEDURE: calling one is another matter, but the database keeps its code.

    A literal in it would be kept as it is, and stand in the database's log.
    """
    if "sql_body" in task.body and task.found.near:
        raise DefinitionRefused(
            "a function body that is not a string would be kept with its literals, beside a protected table",
            hint="keep its statements in the application, or create it around the gateway",
        )
    options = [item["DefElem"] for item in task.body.get("options", ())]
    parts = [option["arg"]["List"]["items"] for option in options if option["defname"] == "as"]
    code = " ".join(strings(parts[0])) if parts else ""
    if has_literal(code) and mentions(code, task.ground.near_names) and not _is_listed(task):
        raise UserCodeRefused(
            "the code holds values beside the name of a protected table, and the database would keep them",
            hint="pass them as arguments, or list the function under `functions:` with a reason",
        )
    return passes(task)


def _is_listed(task: Task) -> bool:
    *schemas, name = strings(task.body["funcname"])
    return any(f"{schema}.{name}" in task.context.functions for schema in schemas or task.context.search_path)


def comment(task: Task) -> Resolved:
    """COMMENT: but for those of our CHECKs, which say in which order clients know the columns."""
    if task.body["objtype"] == "OBJECT_TABCONSTRAINT":
        *table, name = strings(task.body["object"]["List"]["items"])
        schema = table[-2] if len(table) > 1 else None
        found = task.ground.schema.find(schema, table[-1], task.context.search_path)
        if name.startswith(OURS) and isinstance(found, Relation) and found.oid in task.ground.near:
            return refuse("COMMENT", f"{name}, which says in which order clients know the columns,")
    return passes(task)


ATTACHED: dict[str, Callable[[Task], Resolved]] = {
    "CreatePolicyStmt": create_policy,
    "AlterPolicyStmt": create_policy,
    "CreateTrigStmt": create_trigger,
    "CreateStatsStmt": create_statistics,
    "CreatePublicationStmt": publication,
    "AlterPublicationStmt": publication,
}
