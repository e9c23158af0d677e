"""How an error of ours looks to a client: the one place where errors become messages.

Called by every part of a session; pure.
"""

from strongroom.errors import StrongroomError, UnsupportedMessage
from strongroom.wire.postgres import messages as m


def to_wire(error: StrongroomError, severity: str = "ERROR") -> m.ErrorResponse:
    """Return the ErrorResponse that a client sees for an error of ours."""
    return m.ErrorResponse.of(
        severity,
        error.sqlstate,
        f"strongroom: {error.message} [{error.code}]",
        detail=error.detail,
        hint=error.hint,
    )


def no_such_message(tag: int) -> UnsupportedMessage:
    """For a message of a type that no client may send."""
    return UnsupportedMessage(f"the client sent a message of type {chr(tag)!r}, which does not exist")
