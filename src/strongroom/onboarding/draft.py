"""The text of a first configuration: what is chosen stands in it, what is left to the operator as comments.

Pure; called by ``init``. The text is YAML of our own making rather than a dump, because comments are half of
what it says.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from strongroom.onboarding.suggest import Suggestion

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./$-]*(?: [a-z]+)*")
"""Scalars that YAML reads as they stand, in a flow mapping too, and that are no YAML word."""

_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


@dataclass(frozen=True, slots=True)
class Draft:
    """What a first configuration says."""

    database: str
    upstream: str
    password_variable: str | None  # None where the database asked for no password
    pins: tuple[str, ...]  # in force
    seen_pin: str | None  # of the certificate that was seen; None without TLS
    listen: str
    account: str
    state: str
    root: str
    log: str
    origin: str
    suggestions: Sequence[Suggestion]

    def text(self) -> str:
        """The file."""
        parts = (self._head(), self._audit(), self._database(), self._columns(), self._accounts())
        return "\n".join([*(line for part in parts for line in part), ""])

    def _head(self) -> list[str]:
        return [
            "# Strongroom's configuration. It holds no secret, and belongs into version control.",
            "# The root key does not: keep a copy of it where no backup of the database is.",
            f"state: {_scalar(f'sqlite:{self.state}')}",
            "keys:",
            f"  root: {_scalar(f'file:{self.root}')}",
        ]

    def _audit(self) -> list[str]:
        return [
            "# Who came in, and what became of each statement. No other log may ever have this origin.",
            "audit:",
            f"  log: {_scalar(self.log)}",
            f"  origin: {_scalar(self.origin)}",
        ]

    def _database(self) -> list[str]:
        lines = ["databases:", f"  {_scalar(self.database)}:", f"    upstream: {_scalar(self.upstream)}"]
        variable = self.password_variable
        lines += [f"    upstream_password: ${{{variable}}}"] if variable else []
        if self.pins:
            lines.append(f"    upstream_pin: [{', '.join(_scalar(pin) for pin in self.pins)}]")
        elif self.seen_pin is not None:
            lines += [
                "    # The public key that the database showed. To accept no other, take the # away:",
                f"    # upstream_pin: [{_scalar(self.seen_pin)}]",
            ]
        lines += [
            "    # A role that owns the tables, for `protect` and `check`, where the one above does not:",
            "    # owner: postgresql://OWNER@...",
            f"    listen: {_scalar(self.listen)}",
        ]
        return lines

    def _columns(self) -> list[str]:
        lines = [line for one in self.suggestions for line in _lines(one)]
        if not lines:
            return ["    columns: {}  # none looks personal or secret by its name: add yours here"]
        if not any(one.chosen for one in self.suggestions):
            return ["    columns: {}  # none was chosen; to protect one of these, write it here:", *lines]
        return ["    columns:", *lines]

    def _accounts(self) -> list[str]:
        return [
            "accounts:",
            f"  {_scalar(self.account)}: {{databases: [{_scalar(self.database)}]}}",
        ]


def _lines(one: Suggestion) -> list[str]:
    """The reason, and the column's line: as a comment too where it is not chosen."""
    settings = {"type": one.type, "encryption": one.encryption}
    if one.key is not None:
        settings["key"] = str(one.key)
    written = ", ".join(f"{key}: {_scalar(value)}" for key, value in settings.items())
    mark = "" if one.chosen else "# "
    return [
        f"      # {_comment(one.reason)}",
        f"      {mark}{_scalar(str(one.column))}: {{{written}}}",
    ]


def _comment(text: str) -> str:
    """A name in the catalog may hold anything; a comment ends with its line."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _scalar(text: str) -> str:
    """A text as YAML reads it back, with ``${`` meant literally: names of a catalog are no references."""
    text = text.replace("${", "$${")
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    if all(letter.isprintable() for letter in text):
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(_escaped(letter) for letter in text) + '"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    return letter if letter.isprintable() else f"\\U{ord(letter):08x}"
