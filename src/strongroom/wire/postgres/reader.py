"""Reads the fields of a message body, and writes them: the primitive types of the protocol.

Called by `messages`. Every read is bounded by the body; what does not fit raises `MalformedMessage`. Strings
are UTF-8 (the client encoding is pinned) and may not hold what is not.
"""

from strongroom.errors import MalformedMessage

NULL = -1
"""The length that stands for NULL."""


class Reader:
    """A cursor over one message body."""

    __slots__ = ("_at", "_body")

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def byte(self) -> int:
        """Read a Byte1."""
        return self._take(1)[0]

    def int16(self) -> int:
        """Read a signed Int16."""
        return int.from_bytes(self._take(2), signed=True)

    def count(self) -> int:
        """Read an Int16 that counts what follows; PostgreSQL reads it unsigned (65,535 parameters)."""
        return int.from_bytes(self._take(2))

    def int32(self) -> int:
        """Read a signed Int32."""
        return int.from_bytes(self._take(4), signed=True)

    def uint32(self) -> int:
        """Read an Int32 that is an OID or a process id."""
        return int.from_bytes(self._take(4))

    def format(self) -> int:
        """Read a format code."""
        code = self.int16()
        if code not in (0, 1):
            raise MalformedMessage(f"format code {code} is neither text (0) nor binary (1)")
        return code

    def value(self) -> bytes | None:
        """Read a length and that many octets; length -1 is NULL."""
        length = self.int32()
        return None if length == NULL else self._take(length)

    def cstring(self, errors: str = "strict") -> str:
        """Read a zero-terminated string."""
        end = self._body.find(0, self._at)
        if end < 0:
            raise MalformedMessage("a string in a message is not terminated")
        raw = self._body[self._at : end]
        self._at = end + 1
        try:
            return raw.decode(errors=errors)
        except UnicodeDecodeError:
            raise MalformedMessage("a string in a message is not UTF-8") from None

    def rest(self) -> bytes:
        """Read all that is left."""
        return self._take(len(self._body) - self._at)

    def end(self) -> None:
        """Check that nothing is left."""
        if self._at != len(self._body):
            raise MalformedMessage(f"{len(self._body) - self._at} octets are left over behind a message")

    def _take(self, length: int) -> bytes:
        end = self._at + length
        if length < 0 or end > len(self._body):
            raise MalformedMessage("a message ends in the middle of a field")
        taken = self._body[self._at : end]
        self._at = end
        return taken


def cstring(text: str) -> bytes:
    """Write a zero-terminated string."""
    raw = text.encode()
    if 0 in raw:
        raise MalformedMessage("a string for a message holds a zero octet")
    return raw + b"\0"


def int16(number: int) -> bytes:
    """Write an Int16; numbers from 32768 on are written unsigned, as counts are."""
    return (number & 0xFFFF).to_bytes(2)


def int32(number: int) -> bytes:
    """Write a signed Int32."""
    return number.to_bytes(4, signed=True)
