"""A text that must not be shown: it prints as ``<Secret>`` wherever it lands, logs and tracebacks included.

Made by ``config`` for passwords and verifiers; opened where the bytes go on the wire and nowhere else.
"""

import hmac


class Secret:
    """Holds a text; ``danger_reveal()`` is the only way to it, and easy to search for in a review."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def danger_reveal(self) -> str:
        """The text itself; the caller must not log it, put it in a message, or keep it."""
        return self._value

    def __repr__(self) -> str:
        return "<Secret>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)
