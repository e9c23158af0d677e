"""The single values of the configuration: addresses, column names, the place of the state.

Each ``parse_...`` takes what YAML gave and returns a frozen value, or raises ``invalid`` with what is wrong
and what to write instead; ``model`` hangs them on keys, ``problems`` makes one ``ConfigError`` of them.
No message repeats the value: it may have come from the environment and be a secret.
"""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from pydantic_core import PydanticCustomError

from strongroom.secret import Secret

MAX_IDENTIFIER_BYTES = 63  # PostgreSQL's NAMEDATALEN - 1 (manual, section 4.1.1)


def invalid(wrong: str, *, instead: str = "") -> PydanticCustomError:
    """A value that Strongroom does not accept: what is wrong, and what to write instead."""
    template = wrong.replace("{", "{{").replace("}", "}}")
    return PydanticCustomError("strongroom", template, {"instead": instead})


@dataclass(frozen=True, slots=True)
class Address:
    """A host and port to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False  # another name: whatever it resolves to, we cannot promise that it stays here


@dataclass(frozen=True, slots=True, order=True)
class ColumnName:
    """A column by schema, table and name, as the catalog spells them."""

    schema: str
    table: str
    column: str

    def __str__(self) -> str:
        return ".".join(_quoted(part) for part in (self.schema, self.table, self.column))


@dataclass(frozen=True, slots=True)
class StateAddress:
    """Where the state lives."""

    path: Path
    kind: Literal["sqlite"] = "sqlite"


# IPv6 in brackets, with the zone that a link-local address needs (RFC 4007, section 11).
_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([^:\[\]\s/]+)):([0-9]{1,5})")


def parse_address(value: object) -> Address:
    """``127.0.0.1:6432``, ``[::1]:6432``, ``[fe80::1%eth0]:6432`` or ``db.internal:6432``."""
    found = _ADDRESS.fullmatch(expect_text(value, "an address"))
    if not found or not 1 <= int(found[3]) <= 65535:
        raise invalid("is not an address to listen on", instead="write host:port, such as 127.0.0.1:6432")
    return Address(found[1] or found[2], int(found[3]))


_CAPITALS = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}

_PART = r'("(?:[^"\x00]|"")+"|[^\W\d][\w$]*)'
_COLUMN_NAME = re.compile(rf"{_PART}\.{_PART}\.{_PART}")


def parse_column_name(value: object) -> ColumnName:
    """``public.customers.email``; PostgreSQL's rules for names (manual, section 4.1.1): quoted or folded."""
    found = _COLUMN_NAME.fullmatch(expect_text(value, "a column"))
    if not found:
        raise invalid(
            "is not a column's full name",
            instead="write schema.table.column, such as public.customers.email; "
            'names with capitals or signs in double quotes, such as \'public."Customers"."E-Mail"\'',
        )
    parts = [_unquoted(part) for part in found.groups()]
    if any(len(part.encode()) > MAX_IDENTIFIER_BYTES for part in parts):
        raise invalid(
            f"has a part longer than the {MAX_IDENTIFIER_BYTES} bytes that PostgreSQL keeps of a name"
        )
    return ColumnName(*parts)


def parse_database_name(value: object) -> str:
    """Strongroom's own name for a database; in the names of keys a slash, or @ and a tenant, follows it."""
    name = expect_text(value, "a name")
    if not name or "/" in name or "@" in name:
        raise invalid("is not a name for a database", instead="write one without a slash and without @")
    return name


def parse_path(value: object, folder: Path) -> Path:
    """A path; a relative one is relative to the configuration file."""
    text = expect_text(value, "a path")
    if not text or "\x00" in text:
        raise invalid("is not a path", instead="write the path of a file")
    return folder / text


def parse_state(value: object, folder: Path) -> StateAddress:
    """``sqlite:PATH``."""
    kind, _, rest = expect_text(value, "the state's place").partition(":")
    if kind == "sqlite" and rest:
        return StateAddress(parse_path(rest, folder))
    if kind in ("postgresql", "postgres"):
        raise invalid(
            "the state in a PostgreSQL database is not supported yet", instead="write sqlite:state.db"
        )
    raise invalid("is not a place for the state", instead="write sqlite: and a path")


def parse_upstream(value: object) -> str:
    """A libpq URI without a password (manual, section 34.1.1.2); ``gateway`` checks its parameters."""
    uri = expect_text(value, "a libpq URI")
    try:
        parts = urlsplit(uri)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("postgresql", "postgres"):
        raise invalid(
            "is not a libpq URI",
            instead="write postgresql://user@host:5432/database?sslmode=verify-full&sslrootcert=ca.pem",
        )
    if parts.password is not None or "password" in parse_qs(parts.query):
        raise invalid(
            "holds a password, and this file is meant to be shared",
            instead="leave it out, and write upstream_password: ${NAME} (for the owner, owner_password)",
        )
    return uri


def parse_pin(value: object) -> str:
    """``spki-sha256:`` or ``cert-sha256:`` and 64 hexadecimal digits."""
    pin = expect_text(value, "a pin")
    if not re.fullmatch(r"(spki|cert)-sha256:[0-9a-fA-F]{64}", pin):
        raise invalid("is not a pin", instead="write spki-sha256: or cert-sha256: and 64 hexadecimal digits")
    return pin.lower()


def parse_secret(value: object) -> Secret:
    """Any text that is not empty."""
    text = expect_text(value, "a text")
    if not text:
        raise invalid("is empty", instead="leave the key out, or give the variable a value")
    return Secret(text)


_VERIFIER = re.compile(
    r"SCRAM-SHA-256\$[1-9][0-9]{0,8}:[A-Za-z0-9+/]+=*\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}="
)


def parse_verifier(value: object) -> Secret:
    """A SCRAM-SHA-256 verifier as PostgreSQL stores it (manual, section 51.3, pg_authid.rolpassword)."""
    text = expect_text(value, "a SCRAM verifier")
    if not _VERIFIER.fullmatch(text):
        raise invalid(
            "is not a SCRAM-SHA-256 verifier; a password itself is never configured",
            instead="make a verifier with: strongroom password ACCOUNT --print",
        )
    return Secret(text)


def expect_text(value: object, what: str) -> str:
    """The value, which YAML must have read as text."""
    if not isinstance(value, str):
        raise invalid(f"must be {what}, as text", instead="put it in quotes")
    return value


def _unquoted(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else folded(part)


def folded(name: str) -> str:
    """A name without quotes as PostgreSQL reads it in UTF-8: letters of ASCII are folded (scansup.c)."""
    return name.translate(_CAPITALS)


def _quoted(part: str) -> str:
    if re.fullmatch(r"[^\W\d][\w$]*", part) and part == part.lower():
        return part
    return '"' + part.replace('"', '""') + '"'
