"""Bytes to message spans: the framing of PostgreSQL's protocol, one direction at a time.

After start-up each message is a type byte, an Int32 length that counts itself but not the type byte, and a
body (manual, "Message Formats"). `Framer` finds where messages begin and end in the chunks that arrive; it
copies only when a message is torn across chunks. What is there of a message that need not be held whole (a
large row, COPY data) can be taken out of it (`release`), once what stands before it has been looked at.

Called by `session/`, once per chunk and side.
"""

from strongroom._kernel import cut
from strongroom.errors import MalformedMessage, MessageTooLarge

HEADER = 5
"""Octets of type byte and length."""

SMALLEST_LENGTH = 4
"""The length counts its own four octets (PostgreSQL: pqcomm.c, pq_getmessage)."""

CONTINUATION = -1
"""The tag of a span that goes on with a message whose beginning was passed before; no octet is so."""


Span = tuple[int, int, int]
"""A message, a part of one that flows through, or a run of messages: ``(tag, start, end)`` in the octets."""


class Framer:
    """Finds the messages of one direction.

    ``limit`` bounds the length of a message in octets, type byte left out. Messages in a row of the same
    type, one of ``runs``, are given as one span. ``held`` is the number of octets kept back for a message
    that is not whole yet; ``begun`` is its type, None while that is not known.
    """

    __slots__ = ("_flowing", "_limit", "_missing", "_parts", "_runs", "begun", "held")

    def __init__(self, limit: int, runs: bytes = b"") -> None:
        self._limit = limit
        self._runs = runs
        self._parts: list[bytes] = []
        self._missing = 0  # octets until the kept message, or its header, is whole
        self._flowing = 0  # octets still to come of a message that is passed in parts
        self.begun: int | None = None
        self.held = 0

    @property
    def torn(self) -> bool:
        """Whether the beginning of a message was passed and its end has not come."""
        return self._flowing > 0

    def feed(self, chunk: bytes) -> tuple[bytes, list[Span]]:
        """Return the octets to look at and the spans in them, in order and without gaps.

        Raises `MalformedMessage` for a length that cannot be, `MessageTooLarge` for one over the limit.
        """
        if len(chunk) < self._missing:
            self._keep(chunk)
            return b"", []
        data = self._join(chunk) if self._parts else chunk
        spans: list[Span] = []
        start = self._continue(data, spans) if self._flowing else 0
        found, rest = cut(data, start, self._limit, self._runs)
        if rest < len(data):
            self._missing = self._missing_of(data, rest)
            self._keep_rest(data[rest:])
        return data, spans + found if spans else found

    def release(self) -> bytes:
        """Give out what is kept of the message that has begun; the rest of it comes as `CONTINUATION`."""
        self._flowing = self._missing
        return self._join(b"")

    def _missing_of(self, data: bytes, start: int) -> int:
        """How many octets the message at ``start``, or its header, is short of; raises for a bad length."""
        there = len(data) - start
        if there < HEADER:
            return HEADER - there
        length = int.from_bytes(data[start + 1 : start + HEADER])
        if not SMALLEST_LENGTH <= length <= self._limit:
            raise self._bad_length(data[start], length)
        return 1 + length - there

    def _continue(self, data: bytes, spans: list[Span]) -> int:
        end = min(self._flowing, len(data))
        self._flowing -= end
        spans.append((CONTINUATION, 0, end))
        return end

    def _keep(self, chunk: bytes) -> None:
        self._parts.append(chunk)
        self._missing -= len(chunk)
        self.held += len(chunk)

    def _keep_rest(self, rest: bytes) -> None:
        self._parts = [rest]
        self.begun = rest[0] if len(rest) >= HEADER else None
        self.held = len(rest)

    def _join(self, chunk: bytes) -> bytes:
        self._parts.append(chunk)
        data = b"".join(self._parts)
        self._parts = []
        self._missing = self.held = 0
        self.begun = None
        return data

    def _bad_length(self, tag: int, length: int) -> MalformedMessage | MessageTooLarge:
        if length < SMALLEST_LENGTH:
            return MalformedMessage(f"a message of type {chr(tag)!r} gives its length as {length}")
        return MessageTooLarge(
            f"a message of type {chr(tag)!r} has {length} octets, more than the limit of {self._limit}",
            hint="Raise `limits.message_bytes`, or send less at a time.",
        )


def message(tag: bytes, body: bytes) -> bytes:
    """Return a whole message: type byte, length, body."""
    return tag + (len(body) + SMALLEST_LENGTH).to_bytes(4) + body
