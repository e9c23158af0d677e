"""The role that a session has assumed: `SET strongroom.role = 'ROLE: why'`, and what becomes of it.

    SET passes the judge ──▶ asked ──upstream says so──▶ waiting ──written down──▶ assumed

The setting is upstream's own, so that transactions, RESET and DISCARD mean for it what they mean for every
setting; but it counts only as a text that this session's client asked for, and that the judge let pass: what
the database says by itself is nobody's wish. Before it counts the shell writes it down; the session's next
statement waits for that.

Used by `opening`, `waiting` and `policing`; pure.
"""

import re
from dataclasses import dataclass

from strongroom.errors import AccessDenied

ASKED_AT_MOST = 100
"""Texts that are remembered; then all are forgotten."""
REASON_AT_MOST = 200
"""Characters."""

_FORM = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_-]{0,63}) *: *(\S.*)")


@dataclass(frozen=True, slots=True)
class Wish:
    """A role that is to be assumed, and why."""

    role: str
    reason: str


def wish_of(text: str) -> Wish:
    """What the setting says; raises `AccessDenied` where it is no role with a reason."""
    found = _FORM.fullmatch(text)
    if found is None or len(found[2]) > REASON_AT_MOST or not found[2].isprintable():
        raise AccessDenied(
            "permission denied: strongroom.role does not name a role and why it is assumed",
            hint="SET strongroom.role = 'ROLE: why', on one line; RESET strongroom.role puts it down.",
        )
    return Wish(found[1], found[2].strip())


class Assumption:
    """Of one session."""

    def __init__(self) -> None:
        self.role = ""
        """That counts; empty where none is assumed."""
        self.waiting: Wish | None = None
        """That is being written down."""
        self._told = self._anew = False
        self._said = ""
        self._asked: dict[str, Wish] = {}

    def ask(self, text: str, wish: Wish) -> None:
        """The client may say this, and is about to."""
        if len(self._asked) >= ASKED_AT_MOST:
            self._asked.clear()
        self._asked[text] = wish
        self._anew = True  # said once more, it is written down once more

    def said(self, value: str) -> bool:
        """Takes what the setting is upstream; whether that is something else than before."""
        if value == self._said and not self._anew:
            return False
        self._said, self.role, self._told, self._anew = value, "", False, False
        self.waiting = self._asked.get(value)
        return True

    def take(self) -> Wish | None:
        """What is to be written down, once."""
        wish = None if self._told else self.waiting
        self._told = True
        return wish

    def answered(self, *, written: bool) -> None:
        """It was written down, and counts from now on; or it was not, and does not."""
        if self.waiting is not None and written:
            self.role = self.waiting.role
        self.waiting = None
