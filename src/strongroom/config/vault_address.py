"""The address of a root in a Vault or OpenBao server: ``vault:https://HOST:8200/MOUNT/KEY?token_file=PATH``.

The path is where the transit engine is mounted, and the name of its key. The query says how to log in and
whom to trust:

=======================================  ==================================================================
``token=${VAULT_TOKEN}``                 a token, from the environment
``token_file=PATH``                      a token in a file, read for each call: an agent may renew it
``role_id=ID&secret_id_file=PATH``       AppRole; ``approle_mount`` where it is not mounted at ``approle``
``namespace=NAME``                       the namespace of the engine
``ca=PATH``                              its certificate's authority; otherwise the system's
=======================================  ==================================================================

Called by ``roots``; ``keys.root.vault`` opens what this names.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from strongroom.config.parameters import parse_parameters, parse_server
from strongroom.config.values import invalid, parse_path
from strongroom.secret import Secret

EXAMPLE = "write vault:https://vault.example:8200/transit/strongroom?token=${VAULT_TOKEN}"
PARAMETERS = {"token", "token_file", "role_id", "secret_id_file", "approle_mount", "namespace", "ca"}
# What goes into a URL or a header: printing ASCII, as Vault makes them. Dots alone would climb in the path.
_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[\w.~-]+){2,}", re.ASCII)
_HEADER = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class TokenFile:
    """A token in a file, which somebody else may renew."""

    path: Path


@dataclass(frozen=True, slots=True)
class AppRole:
    """A login as a program: its id, and the file that holds its secret."""

    role_id: str
    secret_id_file: Path
    mount: str = "approle"


Login = Secret | TokenFile | AppRole


@dataclass(frozen=True, slots=True)
class VaultAddress:
    """A key of a transit engine, and how to reach it."""

    url: str
    """Scheme, host and port."""

    mount: str
    key: str
    login: Login = field(repr=False)
    namespace: str = ""
    ca: Path | None = None

    @property
    def name(self) -> str:
        """The engine's place, the key's name and the server."""
        namespace = f"{self.namespace}/" if self.namespace else ""
        return f"vault {namespace}{self.mount}/{self.key} at {self.url}"


def parse_vault(rest: str, folder: Path) -> VaultAddress:
    """What follows ``vault:``; plain http is taken to this machine alone."""
    try:
        parts = urlsplit(rest)
    except ValueError:
        raise invalid("is not the address of a Vault server", instead=EXAMPLE) from None
    url = parse_server(parts.scheme, parts.netloc, EXAMPLE)
    path = unquote(parts.path)
    if parts.fragment or not _PATH.fullmatch(path):
        raise invalid("is not the address of a key in a Vault server", instead=EXAMPLE)
    given = parse_parameters(parts.query, PARAMETERS)
    mount, _, key = path[1:].rpartition("/")
    return VaultAddress(
        url=url,
        mount=mount,
        key=key,
        login=_login(given, folder),
        namespace=_header(given["namespace"].strip("/"), "namespace") if "namespace" in given else "",
        ca=parse_path(given["ca"], folder) if "ca" in given else None,
    )


def _login(given: Mapping[str, str], folder: Path) -> Login:
    ways = given.keys() & {"token", "token_file", "role_id"}
    if len(ways) != 1 or ("secret_id_file" in given) != ("role_id" in given):
        raise invalid(
            "does not say, in one way, how to log in",
            instead="write token=${VAULT_TOKEN}, token_file=PATH, or role_id=ID&secret_id_file=PATH",
        )
    if "token" in given:
        return Secret(_header(given["token"], "token"))
    if "token_file" in given:
        return TokenFile(parse_path(given["token_file"], folder))
    role_id = _header(given["role_id"], "role_id")
    mount = given.get("approle_mount", "approle").strip("/")
    if not _PATH.fullmatch(f"/auth/{mount}"):
        raise invalid("has an approle_mount that is not a path", instead="leave it out, or write approle")
    return AppRole(role_id, parse_path(given["secret_id_file"], folder), mount)


def _header(text: str, what: str) -> str:
    if not _HEADER.fullmatch(text):
        raise invalid(f"has a {what} that holds what none can hold", instead=EXAMPLE)
    return text
