"""What a statement names, before any of it is resolved: relations, functions, types and operators.

`survey` walks the whole tree of any statement, whatever its kind, and answers two questions. Does it come
near a protected table? If not, it is sent as it came. Does it call code that we cannot see into, and that
could touch one? Then it is refused, near or not, unless `functions:` lists that code. Called by
`resolve.py`, for every statement.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeGuard

from strongroom.errors import SettingPinned, UserCodeRefused
from strongroom.policy.model import Action
from strongroom.sql.access import Access
from strongroom.sql.ground import Ground
from strongroom.sql.mention import RUNS_TEXT, harmless
from strongroom.sql.parse import Node, strings
from strongroom.sql.reaching import reaches_out
from strongroom.sql.schema import OWN_SCHEMA, Function, Relation
from strongroom.sql.settings import set_config
from strongroom.sql.statement import Barrier, Context


@dataclass(slots=True)
class Survey:
    """What a statement names."""

    near: bool = False
    relations: set[int] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)  # names that the snapshot does not know
    system: set[tuple[str, str]] = field(default_factory=set)  # PostgreSQL's own relations
    functions: set[tuple[str, ...]] = field(default_factory=set)
    operators: set[tuple[str, ...]] = field(default_factory=set)
    names: set[str] = field(default_factory=set)  # of relations, as written
    types: set[tuple[str, ...]] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)  # last parts of qualified names: `row.function` calls too
    queries: set[str] = field(default_factory=set)  # of WITH
    barriers: Barrier = Barrier.NONE  # of set_config
    changes: bool = False  # rows of a table, at any depth
    perhaps_all: set[Action] = field(default_factory=set)  # rows of a table, at any depth


def survey(tag: str, body: Node, ground: Ground, context: Context) -> Survey:
    """Looks at everything that a statement names; raises `UserCodeRefused`."""
    found = Survey()
    ranges: list[tuple[str | None, str]] = []
    for key, node in _nodes({tag: body}):
        if "relname" in node:  # pgparse gives some tables under their tag, some under a field's name
            ranges.append((node.get("schemaname"), node["relname"]))
        _note(found, key, node)
    path = context.search_path
    for schema, name in ranges:
        _look_up(found, ground, path, schema, name)
    found.near = bool(found.relations & ground.near) or any(
        _is_near_type(parts, ground, path) for parts in found.types
    )
    if ground.near:
        _refuse_opaque(found, tag, ground, context)
    return found


def _nodes(node: Node) -> Iterator[tuple[str, Node]]:
    """Every dictionary of a tree but constants, with its key; a loop, so that depth does not matter."""
    pending: list[tuple[str, Node | list[object]]] = [("", node)]
    while pending:
        key, item = pending.pop()
        if isinstance(item, list):
            pending.extend((key, inner) for inner in item if _may_name(inner))
            continue
        yield key, item
        for name, inner in item.items():
            if isinstance(inner, dict | list) and name not in _NAMELESS:
                pending.append((name, inner))


def _may_name(item: object) -> TypeGuard[Node | list[object]]:
    """Whether something in a list may name anything: the literals of a bulk insert do not."""
    if isinstance(item, dict):
        return len(item) != 1 or item.keys().isdisjoint(_NAMELESS)
    return isinstance(item, list)


_NAMELESS = frozenset({"A_Const", "ParamRef", "String"})  # they name nothing


_CHANGING = frozenset({"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "CopyStmt"})
_PERHAPS_ALL = {
    "UpdateStmt": frozenset({Action.UPDATE_ALL}),
    "DeleteStmt": frozenset({Action.DELETE_ALL}),
    "MergeStmt": frozenset({Action.UPDATE_ALL, Action.DELETE_ALL}),
}


def _note(found: Survey, key: str, node: Node) -> None:
    if key in {"FuncCall", "funccall"}:
        found.functions.add(strings(node["funcname"]))
        if strings(node["funcname"])[-1] == "set_config":
            found.barriers |= set_config(node.get("args", []))
    if key == "A_Expr":
        found.operators.add(strings(node["name"]))
    if key in _CHANGING:
        found.changes = True
        found.perhaps_all |= _PERHAPS_ALL.get(key, frozenset())
    if "operName" in node:
        found.operators.add(strings(node["operName"]))
    if "useOp" in node and isinstance(node["useOp"], list):
        found.operators.add(strings(node["useOp"]))
    # CREATE TYPE ... AS ENUM has the bare name under typeName, without the names of a TypeName.
    if "names" in node and (key in {"typeName", "TypeName"} or "typemod" in node):
        found.types.add(strings(node["names"]))
    if key == "UpdateStmt" and node["relation"]["relname"] == "pg_settings":
        raise SettingPinned(
            "an UPDATE of pg_settings might change a setting on which the meaning of statements rests",
            hint="use SET",
        )
    if "ctename" in node:
        found.queries.add(node["ctename"])
    for parts in (node.get("fields"), node.get("indirection")):
        if isinstance(parts, list) and parts and "String" in parts[-1]:
            found.fields.add(parts[-1]["String"]["sval"])


def _look_up(found: Survey, ground: Ground, path: tuple[str, ...], schema: str | None, name: str) -> None:
    found.names.add(name)
    relation = ground.schema.find(schema, name, path)
    if isinstance(relation, Relation):
        found.relations.add(relation.oid)
    elif relation is not None:
        found.system.add(relation)
    elif schema is not None or name not in found.queries:
        found.unknown.add(name)


def _is_near_type(parts: tuple[str, ...], ground: Ground, path: tuple[str, ...]) -> bool:
    schemas = path if len(parts) == 1 else (parts[-2],)
    return any(
        item.name == parts[-1] and item.schema in schemas and item.relation in ground.near
        for item in ground.schema.types
    )


def _refuse_opaque(found: Survey, tag: str, ground: Ground, context: Context) -> None:
    for parts in found.functions:
        if parts[-1] in RUNS_TEXT:
            raise UserCodeRefused(
                f"the function {parts[-1]} runs SQL that is not in the statement",
                hint="run that SQL as a statement of its own",
            )
    relations = [ground.schema.relations[oid] for oid in found.relations]
    columns = {column.name for relation in relations for column in relation.columns}
    called = {parts[-1] for parts in found.functions} | (found.fields - columns)
    for oid in ground.opaque:
        function = ground.schema.functions[oid]
        if function.name in called:
            _refuse(found, ground, context, oid, found.functions)
        for operator in ground.schema.operators:
            if operator.function == oid and any(parts[-1] == operator.name for parts in found.operators):
                _refuse(found, ground, context, oid, None)
    named = {parts[-1] for parts in found.types}
    for item in ground.schema.types:
        for _, target, oid in ground.schema.casts:
            if target == item.oid and item.name in named and oid in ground.opaque:
                _refuse(found, ground, context, oid, None)
    for relation in relations:
        for oid in ground.perils.get(relation.oid, ()):
            triggers = {trigger for _, trigger in relation.triggers}
            if oid not in triggers or writes(found, tag):
                _refuse(found, ground, context, oid, None, relation=relation)


def writes(found: Survey, tag: str) -> bool:
    """Whether triggers may fire: any statement but a plain SELECT without WITH."""
    return tag != "SelectStmt" or bool(found.queries)


def _refuse(
    found: Survey,
    ground: Ground,
    context: Context,
    oid: int,
    called: set[tuple[str, ...]] | None,
    *,
    relation: Relation | None = None,
) -> None:
    function = ground.schema.functions[oid]
    name = f"{function.schema}.{function.name}"
    if name in context.functions:
        if ground.asks_session:
            # Its reason says what it touches, not which tenant it names; that is read with the search path.
            found.barriers |= Barrier.SEARCH_PATH
        return
    if called is not None and not any(
        parts[-1] == function.name
        and (function.schema in context.search_path if len(parts) == 1 else parts[-2] == function.schema)
        for parts in (*called, (function.name,))
    ):
        return
    where = f', used by "{relation.name}",' if relation is not None else ""
    raise UserCodeRefused(
        f"the function {name}{where} might touch a protected table",
        hint=f"list {name} under `functions:` with a reason, if it may be called",
    )


_ROW = re.compile(r"\b(?:new|old)\b(?:\s*\.\s*(?:\"([^\"]+)\"|([a-z_]\w*)))?", re.IGNORECASE)
_RETURNS_ROW = re.compile(r"\breturn\s+(?:new|old)\s*;", re.IGNORECASE)


def check_triggers(relation: Relation, ground: Ground, context: Context) -> None:
    """Refuses a change of a protected table whose triggers might use a protected column.

    A PL/pgSQL trigger is known not to if it names `NEW` and `OLD` only with columns that are not protected,
    or to return them; it cannot compute names without EXECUTE, which `Ground.opaque` looks for.
    """
    protected = {column.name for column in ground.protected(relation)}
    protected |= ground.naming(relation)
    for trigger, oid in relation.triggers:
        function = ground.schema.functions.get(oid)
        name = f"{function.schema}.{function.name}" if function is not None else trigger
        if function is not None and (_empties_shadows(function) or _is_blind(function, protected)):
            continue
        if protected and name not in context.functions:
            raise UserCodeRefused(
                f'the trigger "{trigger}" of "{relation.name}" might use a protected column',
                hint=f"list {name} under `functions:` with a reason, if it does not",
            )


def _empties_shadows(function: Function) -> bool:
    """Our own, there while `protect` or `unprotect` works on the table (changeover/statements.py)."""
    return function.schema == OWN_SCHEMA and function.name.startswith("empty_shadows_")


def _is_blind(function: Function, protected: set[str]) -> bool:
    source = _RETURNS_ROW.sub(" ", function.source)
    names = [quoted or plain.lower() for quoted, plain in _ROW.findall(source)]
    return function.language == "plpgsql" and not protected.intersection(names) and "" not in names


def calls(found: Survey, ground: Ground, path: tuple[str, ...]) -> frozenset[Access]:
    """The functions of users that a statement may call, and those of PostgreSQL's own that reach further."""
    schema = ground.schema
    relations = [schema.relations[oid] for oid in found.relations]
    columns = {column.name for relation in relations for column in relation.columns}
    named = found.functions | {(name,) for name in found.fields - columns}
    own = {parts[-1] for parts in named}
    accesses = {
        Access(Action.CALL, "pg_catalog", name) for name in own if name in RUNS_TEXT or reaches_out(name)
    }
    if Barrier.ROLE in found.barriers:
        accesses.add(Access(Action.DDL))  # as SET ROLE is
    behind = {
        operator.function
        for operator in schema.operators
        if any(parts[-1] == operator.name for parts in found.operators)
    }
    for function in schema.functions.values():
        by_name = any(
            parts[-1] == function.name
            and (function.schema in path if len(parts) == 1 else parts[-2] == function.schema)
            for parts in named
        )
        if by_name or function.oid in behind:
            accesses.add(Access(Action.CALL, function.schema, function.name))
    return frozenset(accesses)


def text_is_harmless(text: str, ground: Ground) -> bool:
    """Whether code, or SQL that is newer than the parser, can touch nothing near a protected table."""
    hot = ground.near_names | {name.lower() for name in ground.opaque_names}
    return harmless(text, hot)
