"""SET, RESET and set_config: settings on which the meaning of statements rests may not change.

The gateway pins three settings at login (rule 1 of the design); other settings are the client's. The search
path, the role and the style of values may change, but nothing later is analysed before the change is
answered. Called by `caution.py` and `utility.py`.
"""

from collections.abc import Callable

from strongroom.errors import SettingPinned
from strongroom.sql.parse import Node
from strongroom.sql.statement import Barrier


def is_utf8(name: str) -> bool:
    """Whether PostgreSQL takes a name for UTF-8: case, and all but letters and digits, do not count."""
    return "".join(char for char in name.lower() if char.isalnum()) in {"utf8", "unicode"}


_TRUE = frozenset({"on", "true", "yes", "1", "t", "y", "tr", "tru", "ye"})
PINNED: dict[str, tuple[str, Callable[[str], bool]]] = {
    "standard_conforming_strings": ("on", lambda value: value.lower() in _TRUE),
    "client_encoding": ("UTF8", is_utf8),
    "bytea_output": ("hex", lambda value: value.lower() == "hex"),
}
TENANT_SETTING = "strongroom.tenant"
"""By which a session says whose values it reads and writes (`tenant: session`)."""
ROLE_SETTING = "strongroom.role"
"""By which a session assumes a role, and says why."""

_BARRIERS = {
    "search_path": Barrier.SEARCH_PATH,
    "role": Barrier.ROLE,
    "session_authorization": Barrier.ROLE,
    "datestyle": Barrier.STYLE,
    "intervalstyle": Barrier.STYLE,
    "timezone": Barrier.STYLE,
    "extra_float_digits": Barrier.STYLE,
    TENANT_SETTING: Barrier.STYLE,
    ROLE_SETTING: Barrier.STYLE,
}
_EVERYTHING = Barrier.SEARCH_PATH | Barrier.ROLE | Barrier.STYLE


def setting(name: str | None, value: str | None) -> Barrier:
    """What setting `name` does; a value of None takes it back to what the session began with.

    Raises `SettingPinned`. What is pinned is pinned in the start-up packet, so that RESET gives it back.
    """
    if name is None:
        raise SettingPinned(
            "set_config with a name that is not a literal cannot be analysed",
            hint="write the name as a literal",
        )
    pinned = PINNED.get(name.lower())
    if pinned is not None and value is not None and not pinned[1](value):
        raise SettingPinned(
            f"{name.lower()} must stay {pinned[0]}, on which the meaning of statements rests",
            hint="leave the setting as it is",
        )
    return _BARRIERS.get(name.lower(), Barrier.NONE)


def set_statement(body: Node) -> Barrier:
    """What a VariableSetStmt does."""
    kind = body.get("kind", "VAR_SET_VALUE")
    if kind == "VAR_RESET_ALL":
        return _EVERYTHING
    name = body.get("name", "")
    if kind != "VAR_SET_VALUE":
        return setting(name, None)
    values = [_constant(arg) for arg in body.get("args", ())]
    return setting(name, ",".join(value or "" for value in values))


def assumed(body: Node) -> str | None:
    """What SET strongroom.role says; None for all else, and where it takes it back."""
    kind, name = body.get("kind", "VAR_SET_VALUE"), body.get("name", "")
    if kind != "VAR_SET_VALUE" or name.lower() != ROLE_SETTING:
        return None
    return ",".join(_constant(arg) or "" for arg in body.get("args", ())) or None


def says_tenant(body: Node) -> bool:
    """Whether it says whose values are meant, or takes that back: nothing but a word of the session's own."""
    return str(body.get("name", "")).lower() == TENANT_SETTING


def set_config(arguments: list[Node]) -> Barrier:
    """What a call of set_config does; a value that is not constant may not reach a pinned setting."""
    name = _constant(arguments[0]) if arguments else None
    value = _constant(arguments[1]) if len(arguments) > 1 else None
    if name is not None and name.lower() == ROLE_SETTING:
        raise SettingPinned(
            f"{ROLE_SETTING} cannot be set by set_config", hint=f"SET {ROLE_SETTING} = 'ROLE: why'."
        )
    return setting(name, "" if value is None else value)


def _constant(node: Node) -> str | None:
    """A constant as text, through casts."""
    while "TypeCast" in node:
        node = node["TypeCast"]["arg"]
    body = node.get("A_Const")
    if body is None or body.get("isnull"):
        return None
    if "sval" in body:
        return str(body["sval"].get("sval", ""))
    if "ival" in body:
        return str(body["ival"].get("ival", 0))
    if "boolval" in body:
        return "true" if body["boolval"].get("boolval") else "false"
    return str(body.get("fval", {}).get("fval", ""))
