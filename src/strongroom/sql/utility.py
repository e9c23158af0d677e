"""Statements that are neither queries nor changes: transactions, settings, EXPLAIN, DO, maintenance and
the rest.

A statement that comes near a protected table must be in `UTILITIES`, `definitions.DEFINITIONS` or
`attached.ATTACHED`; one that does not is sent as it came, as a barrier unless it is known to leave names as
they are. Called by `resolve.py`.
"""

from collections.abc import Callable

from strongroom.errors import ConstructRefused, DefinitionRefused, UserCodeRefused
from strongroom.sql.access import Access
from strongroom.sql.attached import ATTACHED, comment, create_function
from strongroom.sql.caution import text_is_harmless
from strongroom.sql.copying import copy
from strongroom.sql.definitions import DEFINITIONS, create_table_as
from strongroom.sql.parse import unpack
from strongroom.sql.prepared import arguments, close, deallocate, declare, execute, fetch, held, prepare
from strongroom.sql.queries import QUERIES
from strongroom.sql.settings import assumed, says_tenant, set_statement
from strongroom.sql.statement import Barrier, Kind, Resolved
from strongroom.sql.task import Task, outputs, query

_KINDS = {
    "SelectStmt": Kind.SELECT,
    "InsertStmt": Kind.INSERT,
    "UpdateStmt": Kind.UPDATE,
    "DeleteStmt": Kind.DELETE,
    "MergeStmt": Kind.MERGE,
}
# Statements that may name a protected table and leave it, and all names, as they are.
_MAINTENANCE = frozenset({
    "TruncateStmt", "LockStmt", "VacuumStmt", "ClusterStmt", "ReindexStmt", "RefreshMatViewStmt",
    "ListenStmt", "NotifyStmt", "UnlistenStmt", "VariableShowStmt", "CheckPointStmt",
    "ConstraintsSetStmt", "LoadStmt",
})  # fmt: skip


def understand(task: Task) -> Resolved:
    """The record of any one statement."""
    if task.tag in _KINDS:
        return _query(task)
    _check_made_of_prepared(task)
    treatment = UTILITIES.get(task.tag)
    if treatment is not None:
        return treatment(task)
    if task.tag in _MAINTENANCE:
        return task.untouched(Kind.OTHER)
    followed = task.tag == "CreateTableAsStmt" and task.near
    if not (task.found.near or followed):
        return task.untouched(Kind.DDL, Barrier.CATALOG)
    definition = DEFINITIONS.get(task.tag) or ATTACHED.get(task.tag)
    if definition is None:
        raise ConstructRefused(f"{task.tag} cannot be analysed beside a protected table")
    return definition(task)


def _query(task: Task) -> Resolved:
    kind = _KINDS[task.tag]
    if "intoClause" in task.body:
        return create_table_as(task) if task.near else task.untouched(Kind.DDL, Barrier.CATALOG)
    if not task.near:
        return task.untouched(kind)
    run = task.run()
    given = outputs(run, query(run, {task.tag: task.body}))
    return task.resolved(run, kind, outputs=given)


def _check_made_of_prepared(task: Task) -> None:
    """CREATE TABLE AS EXECUTE, also under EXPLAIN ANALYZE, would store what a prepared statement gives."""
    tag, body = task.tag, task.body
    if tag == "ExplainStmt":
        tag, body = unpack(body["query"])
    if tag == "CreateTableAsStmt" and "ExecuteStmt" in body["query"] and task.ground.near:
        made = task.context.prepared.get(body["query"]["ExecuteStmt"]["name"])
        if made is None or made.touched:
            raise DefinitionRefused(
                "a new table would hold what a statement near protected columns gives",
                hint="write its query into CREATE TABLE AS",
            )


def transaction(task: Task) -> Resolved:
    """BEGIN, COMMIT, SAVEPOINT and their kin."""
    kind = task.body["kind"].removeprefix("TRANS_STMT_").lower().replace("_", " ")
    barriers = Barrier.CATALOG if kind == "commit prepared" else Barrier.NONE  # of another transaction
    kind = "begin" if kind == "start" else kind
    return task.untouched(Kind.TRANSACTION, barriers, transaction=kind, free=kind in {"begin", "rollback"})


def set_(task: Task) -> Resolved:
    """SET and RESET."""
    barriers, free = set_statement(task.body), says_tenant(task.body)
    return task.untouched(Kind.SET, barriers, assumes=assumed(task.body), free=free)


def discard(task: Task) -> Resolved:
    """DISCARD: ALL takes everything of the session away, TEMP its temporary tables."""
    target = task.body.get("target")
    if target == "DISCARD_ALL":
        return task.untouched(Kind.DISCARD, ~Barrier.NONE)
    return task.untouched(Kind.DISCARD, Barrier.CATALOG if target == "DISCARD_TEMP" else Barrier.NONE)


def explain(task: Task) -> Resolved:
    """EXPLAIN of what could run; its rows are text, and show sealed literals only."""
    tag, body = unpack(task.body["query"])
    run = task.run()
    if tag == "ExecuteStmt":
        inner = arguments(run, task, body)
        if inner is None or not inner.touched:
            barriers, accesses = Barrier.NONE, frozenset[Access]()
            if inner is not None:
                barriers, accesses = inner.barriers, inner.accesses
            return task.untouched(Kind.EXPLAIN, barriers, accesses=accesses, context_free=False)
        run.uses.filtered |= {one.column for one in inner.outputs or () if one.column is not None}
        return task.resolved(
            run,
            Kind.EXPLAIN,
            inner.barriers,
            accesses=inner.accesses,
            keyed=held(task, body, inner),
            context_free=False,
        )
    if not task.near:
        made = tag == "CreateTableAsStmt"  # EXPLAIN ANALYZE makes it
        return task.untouched(Kind.EXPLAIN, Barrier.CATALOG if made else Barrier.NONE)
    if tag == "DeclareCursorStmt":
        tag, body = unpack(body["query"])
    if tag not in QUERIES:
        raise ConstructRefused(f"EXPLAIN of {tag} cannot be analysed beside a protected table")
    for column in query(run, {tag: body}):
        run.uses.filter(column.value)  # estimates tell how many rows there are of a value
    return task.resolved(run, Kind.EXPLAIN)


def do(task: Task) -> Resolved:
    """DO: passes if none of its words could touch a protected table."""
    for item in task.body["args"]:
        option = item["DefElem"]
        text = option["arg"]["String"]["sval"]
        if option["defname"] == "language":
            readable = text in {"plpgsql", "sql"}
        else:
            readable = text_is_harmless(text, task.ground)
        if task.ground.near and not readable:
            raise UserCodeRefused(
                "the code of DO might touch a protected table", hint="send its statements by themselves"
            )
    return task.untouched(Kind.OTHER, Barrier.CATALOG | Barrier.SEARCH_PATH | Barrier.STYLE)


def call(task: Task) -> Resolved:
    """CALL: its procedure was looked at like any function; its arguments may not be protected."""
    if task.found.near:
        raise ConstructRefused("CALL cannot be analysed beside a protected table")
    return task.untouched(Kind.OTHER, Barrier.CATALOG)


UTILITIES: dict[str, Callable[[Task], Resolved]] = {
    "TransactionStmt": transaction,
    "VariableSetStmt": set_,
    "DiscardStmt": discard,
    "ExplainStmt": explain,
    "DoStmt": do,
    "CallStmt": call,
    "CreateFunctionStmt": create_function,
    "CopyStmt": copy,
    "PrepareStmt": prepare,
    "ExecuteStmt": execute,
    "DeallocateStmt": deallocate,
    "DeclareCursorStmt": declare,
    "FetchStmt": fetch,
    "ClosePortalStmt": close,
    "CommentStmt": comment,  # names no relation that the survey sees
}
