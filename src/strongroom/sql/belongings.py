"""What Strongroom keeps in the database itself, which no client may take away, rename or write.

The schema `strongroom_keys` holds the wrapped keysets. Columns named `strongroom_shadow_...` will replace
others. While `protect` works, a trigger empties shadow columns. Without one of them a later statement would
mean something else, unseen. Called by `resolve.py`, for every statement.
"""

from collections.abc import Iterator

from strongroom.errors import DefinitionRefused
from strongroom.sql.caution import Survey, writes
from strongroom.sql.definitions import OURS
from strongroom.sql.ground import Ground
from strongroom.sql.parse import Node
from strongroom.sql.schema import OWN_SCHEMA, OWN_TRIGGER, Relation

# Statements that name their objects by strings (parsenodes.h: DropStmt and the rest of ObjectType's users).
_NAMING = frozenset({
    "DropStmt", "RenameStmt", "CommentStmt", "AlterObjectSchemaStmt", "AlterOwnerStmt", "GrantStmt",
    "CreateFunctionStmt", "AlterFunctionStmt", "AlterObjectDependsStmt",
})  # fmt: skip
_TYPES = ("objtype", "objectType", "renameType")
# What may well be named like ours; `definitions.py` and `attached.py` know which constraints are.
_ELSEWHERE = frozenset({"OBJECT_DATABASE", "OBJECT_ROLE", "OBJECT_TABLESPACE", "OBJECT_TABCONSTRAINT"})
_OBJECTS = frozenset({"object", "objects", "objname", "funcname"})
_DISABLING = frozenset({"AT_DisableTrig", "AT_DisableTrigAll", "AT_DisableTrigUser", "AT_EnableReplicaTrig"})


def check_belongings(tag: str, body: Node, found: Survey, ground: Ground, path: tuple[str, ...]) -> None:
    """Raises `DefinitionRefused` if a statement would change what Strongroom keeps in the database."""
    relations = [ground.schema.relations[oid] for oid in found.relations]
    if writes(found, tag):
        for relation in relations:
            if relation.schema == OWN_SCHEMA:
                _refuse(f"{relation.schema}.{relation.name}")
    if tag in _NAMING and not _ELSEWHERE.intersection(map(body.get, _TYPES)):
        for name in _names(body):
            relation_named = ground.schema.find(None, name, path)
            held = isinstance(relation_named, Relation) and relation_named.schema == OWN_SCHEMA
            if name.startswith((OURS, OWN_TRIGGER)) or held:
                _refuse(name)
    if tag == "AlterTableStmt":
        _check_triggers(body, relations)


def _check_triggers(body: Node, relations: list[Relation]) -> None:
    """While `protect` works, its trigger must fire."""
    if not any(name == OWN_TRIGGER for relation in relations for name, _ in relation.triggers):
        return
    for item in body["cmds"]:
        command = item["AlterTableCmd"]
        if command["subtype"] in _DISABLING and command.get("name", OWN_TRIGGER) == OWN_TRIGGER:
            _refuse(OWN_TRIGGER)


def _names(body: Node) -> Iterator[str]:
    """The parts of the names of the objects that a definition is about."""
    if "subname" in body:
        yield body["subname"]
    pending = [value for key, value in body.items() if key in _OBJECTS]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            if "sval" in item:
                yield item["sval"]
            pending.extend(value for value in item.values() if isinstance(value, dict | list))


def _refuse(name: str) -> None:
    raise DefinitionRefused(
        f"{name} is Strongroom's own: a change of it is refused",
        hint="`strongroom protect` and `strongroom unprotect` make and remove what they need",
    )
