"""The roles by which the gateway logs in to the database: if their login changes, nobody gets in.

An account shares such a role with others and need not know it; psql's ``\\password``, which asks the database
who it is, would take the gateway's own password away. This holds off mistakes: whoever may alter roles finds
other ways to do harm. Called by `resolve.py`, for every statement.
"""

from strongroom.errors import DefinitionRefused
from strongroom.sql.parse import Node

# What a login depends on (manual, "ALTER ROLE"; the names are gram.y's).
_OF_LOGIN = frozenset({"password", "canlogin", "connectionlimit", "validUntil"})


def check_logins(tag: str, body: Node, logins: frozenset[str]) -> None:
    """Raises `DefinitionRefused` if a statement would change a login of the gateway's."""
    if tag == "AlterRoleStmt":
        options = {item["DefElem"]["defname"] for item in body.get("options", ())}
        # Without a name it is CURRENT_USER or SESSION_USER, hardly another than the one that logged in.
        name = body["role"].get("rolename")
        refused = bool(options & _OF_LOGIN) and (name is None or name in logins)
    else:
        renames = tag == "RenameStmt" and body["renameType"] == "OBJECT_ROLE"
        refused = renames and body["subname"] in logins
    if refused and logins:
        raise DefinitionRefused(
            "the gateway logs in to the database with this role: a change of its login is refused",
            hint="accounts get their passwords by `strongroom password`; the role's own is changed in the "
            "database and in the gateway's configuration together",
        )
