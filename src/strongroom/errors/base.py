"""The root of the tree, and what is nobody's fault but ours."""

from typing import ClassVar


class StrongroomError(Exception):
    """The root of the tree; never raised itself."""

    code: ClassVar[str] = "strongroom"
    sqlstate: str = "XX000"  # internal_error
    remedy: ClassVar[str] = ""
    """What to do next, where nothing better is said with the error."""

    def __init__(self, message: str, *, hint: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.remedy
        self.detail = detail


class Bug(StrongroomError):
    """An invariant of ours does not hold; the session ends rather than guess."""

    code = "bug"
    sqlstate = "XX000"  # internal_error
    remedy = "This is a defect of Strongroom: report it with the line of the log."


# --- values: what a client sends for a protected column ---
