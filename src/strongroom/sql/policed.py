"""Statements where a policy asks about each: all that they do to what, also where they cannot be followed.

Away from protected tables a statement that analysis cannot follow still passes as it came, and is then taken
to do all that a statement of its kind could do to what it names. Called by `resolve.py` in place of
`utility.understand`.
"""

from dataclasses import replace

from strongroom.errors import ConstructRefused, Denied
from strongroom.policy.model import Action
from strongroom.sql.access import Access, depended, named, unseen
from strongroom.sql.caution import calls
from strongroom.sql.defining import defined
from strongroom.sql.describing import describes
from strongroom.sql.keyed import keyed_of, unknown
from strongroom.sql.parse import unpack
from strongroom.sql.placing import placed
from strongroom.sql.statement import KeyedValue, Resolved
from strongroom.sql.task import Task
from strongroom.sql.utility import understand

_CHANGES = (Action.SELECT, Action.INSERT, Action.UPDATE, Action.DELETE)
_QUERIES = frozenset({"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})
_HOLD_QUERIES = frozenset({"PrepareStmt", "DeclareCursorStmt", "ExplainStmt"})
# What changes the session alone, or is asked about by what it runs.
_FREE = frozenset({
    "TransactionStmt", "VariableShowStmt", "ListenStmt", "NotifyStmt", "UnlistenStmt", "ConstraintsSetStmt",
    "DeallocateStmt", "DiscardStmt", "ClosePortalStmt", "FetchStmt", "ExecuteStmt", "CallStmt",
})  # fmt: skip
_ON_RELATIONS = {"TruncateStmt": Action.TRUNCATE, "LockStmt": Action.UPDATE}
_ROLES = frozenset({"role", "session_authorization"})
# Transactions that outlive their session, which any session of the same upstream user can end.
_LASTING = frozenset({"TRANS_STMT_PREPARE", "TRANS_STMT_COMMIT_PREPARED", "TRANS_STMT_ROLLBACK_PREPARED"})
LASTING = Access(Action.CALL, "pg_catalog", "pg_prepared_xact")
"""Asked for by the function that lists them: such statements have none of their own."""


def policed(task: Task) -> Resolved:
    """The record of any one statement, with its accesses."""
    try:
        return followed(task)
    except Denied:
        if task.found.near:
            raise
    unfollowed = replace(task, context=replace(task.context, policed=False))
    accesses, kept = _unfollowed(task), _kept(task)
    resolved = understand(unfollowed)
    if kept is not None:
        accesses |= kept
        resolved = replace(resolved, context_free=False)
    values = not_known(task)
    resolved = replace(resolved, keyed=values)
    if resolved.defines is not None:
        resolved = replace(resolved, defines=replace(resolved.defines, accesses=accesses, keyed=values))
    return _described(resolved, accesses)


def followed(task: Task) -> Resolved:
    """The same; raises ``Denied`` where the statement cannot be followed."""
    resolved = understand(task)
    asked = task.tag in _QUERIES | _HOLD_QUERIES and "intoClause" not in task.body
    return _described(resolved, frozenset() if asked else _of_utility(task))


def not_known(task: Task) -> tuple[KeyedValue, ...]:
    """What a statement that is not followed may hold against the keyed columns of what it names."""
    schema = task.ground.schema
    relations = [one for oid in task.found.relations for one in depended(schema, schema.relations[oid])]
    return unknown(keyed_of(relations, task.context.keyed))


def _described(resolved: Resolved, accesses: frozenset[Access]) -> Resolved:
    if resolved.defines is not None:
        resolved = replace(resolved, defines=_without_descriptions(resolved.defines))
    return _without_descriptions(replace(resolved, accesses=resolved.accesses | accesses))


def _without_descriptions(resolved: Resolved) -> Resolved:
    """What describes the database may be read by whoever may do anything."""
    asked = (
        one
        for one in resolved.accesses
        if one.action is not Action.SELECT or not describes(one.schema, one.name)
    )
    return replace(resolved, accesses=frozenset(asked))


def _unfollowed(task: Task) -> frozenset[Access]:
    """All that it could do to all that it names; what nobody knows, nobody may do."""
    found = task.found
    tag, body = task.tag, task.body
    while tag in _HOLD_QUERIES:
        tag, body = unpack(body["query"])
    actions = (*_CHANGES, *sorted(found.perhaps_all)) if found.changes else (Action.SELECT,)
    accesses = unseen(actions, found.relations, task.ground.schema)
    accesses |= {Access(action, *name) for action in actions for name in found.system}
    accesses |= {Access(action, "", name) for action in actions for name in found.unknown}
    accesses |= calls(found, task.ground, task.context.search_path)
    if tag == "CopyStmt":
        accesses |= {Access(Action.COPY, one.schema, one.name) for one in accesses if one.name}
    if tag not in _QUERIES | _FREE:  # files and programs of the server, and what is new to us
        accesses |= {Access(Action.DDL)}
    return accesses


def _kept(task: Task) -> frozenset[Access] | None:
    """Of CREATE TABLE AS EXECUTE: what was prepared does it, and no mask can follow its rows there."""
    tags, body = [task.tag], task.body
    while tags[-1] in _HOLD_QUERIES | {"CreateTableAsStmt"}:
        tag, body = unpack(body["query"])
        tags.append(tag)
    if tags[-1] != "ExecuteStmt" or "CreateTableAsStmt" not in tags:
        return None
    prepared = task.context.prepared.get(body["name"])
    if prepared is None:
        raise ConstructRefused("CREATE TABLE AS EXECUTE names a statement that is not known here")
    schema = task.ground.schema
    columns = (one.column for one in prepared.outputs or () if one.column is not None)
    return prepared.accesses | {
        Access(Action.REVEAL, *named(schema, column)) for column in columns if column[0] in schema.relations
    }


def _of_utility(task: Task) -> frozenset[Access]:
    """What a statement does that is no query."""
    called = calls(task.found, task.ground, task.context.search_path)
    if task.body.get("kind") in _LASTING:
        return called | {LASTING}
    setting = str(task.body.get("name", "")).lower()  # PostgreSQL finds settings so, quoted ones too
    if task.tag in _FREE or (task.tag == "VariableSetStmt" and setting not in _ROLES):
        return called
    if task.tag == "CopyStmt":
        return called
    action = _ON_RELATIONS.get(task.tag)
    return called | (placed(task) | defined(task) if action is None else _done_to(task, action))


def _done_to(task: Task, action: Action) -> frozenset[Access]:
    """TRUNCATE and LOCK: the relations that they name, whosever they are, and those that go with them."""
    schema = task.ground.schema
    relations = [schema.relations[oid] for oid in task.found.relations]
    if task.body.get("behavior") == "DROP_CASCADE":
        relations += schema.truncated_with(relations)
    named = {(one.schema, one.name) for one in relations} | task.found.system
    unknown = {("", name) for name in task.found.unknown}
    return frozenset(Access(action, *name) for name in named | unknown)
