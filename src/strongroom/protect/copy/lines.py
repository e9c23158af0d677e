"""Lines of COPY's text and csv formats, cut out of a stream whose chunk borders mean nothing.

``LineCutter.feed`` returns a block of the lines that are complete, and ``split`` takes it apart; what is
left waits for more, up to ``row_bytes``. A line may hold line breaks: after a backslash in text, inside
quotes in csv. What ends a line is what ended the first one (copyfromparse.c, CopyReadLineText). Each byte is
looked at once, however the stream is cut. Called by ``rows.py``.
"""

import re
from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol

from strongroom.errors import CopyRowTooLong

OUTSIDE, INSIDE, ESCAPED = 0, 1, 2
"""Where a chunk ends: outside quotes, inside them, or behind an escape whose byte is still to come."""


class Syntax(Protocol):
    """What is a line end in one format. ``state`` says where the chunk before ended."""

    def state_after(self, chunk: bytes, state: int) -> int:
        """The state at the end of a chunk."""

    def first_end(self, chunk: bytes, state: int) -> int:
        """The place of the first CR or LF that ends a line; -1 if there is none."""

    def last_end(self, chunk: bytes, state: int, end: bytes) -> int:
        """The place of the last ``end`` (one byte) that ends a line; -1 if there is none."""

    def split(self, block: bytes, end: bytes) -> list[bytes]:
        """The lines of a block that begins with one and ends with one, without their ``end``."""


@dataclass(frozen=True, slots=True)
class Rest:
    """What stands behind the last line; it ended only where a lone CR turned out to end the only line."""

    line: bytes
    ended: bool
    state: int


class LineCutter:
    """The lines of one stream; ``end`` is what ends them, found in the stream where it is not given."""

    def __init__(self, syntax: Syntax, row_bytes: int, end: bytes | None = None) -> None:
        self.end = end
        self._syntax = syntax
        self._row_bytes = row_bytes
        self._state = OUTSIDE
        self._waiting = bytearray()
        self._carriage_return = b""  # the last byte so far, which may be half of the first line's end

    def feed(self, chunk: bytes) -> bytes:
        """The lines that this chunk completes, one after another, each with its end."""
        if self.end is None:
            chunk = self._find_end(self._carriage_return + chunk)
            if self.end is None:
                self._wait(chunk)
                return b""
        cut = self._syntax.last_end(chunk, self._state, self.end[-1:]) + 1
        if not cut:
            self._wait(chunk)
            return b""
        block = bytes(self._waiting) + chunk[:cut] if self._waiting else chunk[:cut]
        self._waiting.clear()
        self._state = OUTSIDE
        self._wait(chunk[cut:])
        return block

    def split(self, block: bytes) -> list[bytes]:
        r"""The lines of such a block; where they end in ``\r\n``, the first half of that is still there."""
        assert self.end is not None
        return self._syntax.split(block, self.end[-1:])

    def finish(self) -> "Rest | None":
        """What is left, which PostgreSQL takes as a line; None if there is nothing."""
        line, ended = bytes(self._waiting), bool(self._carriage_return)
        if ended:
            self.end = b"\r"
        return Rest(line, ended, self._state) if line or ended else None

    def _wait(self, rest: bytes) -> None:
        if not rest:
            return
        if len(self._waiting) + len(rest) > self._row_bytes:
            raise CopyRowTooLong(
                f"a row of COPY is longer than {self._row_bytes} bytes",
                hint="raise limits.message_bytes, or check that lines end and quotes close",
            )
        self._waiting += rest
        self._state = self._syntax.state_after(rest, self._state)

    def _find_end(self, chunk: bytes) -> bytes:
        """Sets ``end`` if the first line ends in this chunk; returns what can be looked at now."""
        self._carriage_return = b""
        place = self._syntax.first_end(chunk, self._state)
        if place < 0:
            return chunk
        if chunk[place] == 0x0A:
            self.end = b"\n"
        elif place + 1 < len(chunk):
            self.end = b"\r\n" if chunk[place + 1] == 0x0A else b"\r"
        else:
            self._carriage_return = b"\r"
            return chunk[:place]
        return chunk


class TextSyntax:
    """Text format: a backslash takes what follows it, line breaks included (manual, COPY, "Text Format")."""

    _LINE = re.compile(rb"(?:[^\\\r\n]++|\\.)*+", re.DOTALL)

    def state_after(self, chunk: bytes, state: int) -> int:
        """ESCAPED behind an odd number of backslashes."""
        backslashes = _backslashes_before(chunk, len(chunk))
        if backslashes == len(chunk) and state == ESCAPED:
            backslashes += 1
        return ESCAPED if backslashes % 2 else OUTSIDE

    def first_end(self, chunk: bytes, state: int) -> int:
        """See ``Syntax``."""
        found = self._LINE.match(chunk, 1 if state == ESCAPED and chunk else 0)
        assert found is not None
        place = found.end()
        return place if chunk[place : place + 1] in (b"\r", b"\n") else -1

    def last_end(self, chunk: bytes, state: int, end: bytes) -> int:
        """See ``Syntax``."""
        place = chunk.rfind(end)
        while place >= 0:
            backslashes = _backslashes_before(chunk, place)
            if backslashes == place and state == ESCAPED:
                backslashes += 1
            if backslashes % 2 == 0:
                return place
            place = chunk.rfind(end, 0, place)
        return -1

    def split(self, block: bytes, end: bytes) -> list[bytes]:
        """See ``Syntax``."""
        lines = block.split(end)
        lines.pop()
        return joined_escapes(lines, end) if b"\\" + end in block else lines


class CsvSyntax:
    """CSV format: a quote anywhere in a line opens a part that may hold line breaks, and the next closes it.

    Where escape and quote differ, an escape inside quotes takes what follows it.
    """

    def __init__(self, quote: bytes, escape: bytes) -> None:
        self._quote = quote
        self._doubled = quote == escape
        self._outside = re.compile(rb"[^\r\n%b]*+" % re.escape(quote))
        self._inside = re.compile(inside_quotes(quote, escape), re.DOTALL)

    def state_after(self, chunk: bytes, state: int) -> int:
        """See ``Syntax``."""
        if self._doubled:
            return (state + chunk.count(self._quote)) % 2
        return self._walk(chunk, state)[1]

    def first_end(self, chunk: bytes, state: int) -> int:
        """See ``Syntax``."""
        return next(self._ends(chunk, state), -1)

    def last_end(self, chunk: bytes, state: int, end: bytes) -> int:
        """See ``Syntax``."""
        if not self._doubled:
            places = [place for place in self._walk(chunk, state)[0] if chunk[place] == end[0]]
            return places[-1] if places else -1
        after = (state + chunk.count(self._quote)) % 2
        upto = len(chunk)
        while (place := chunk.rfind(end, 0, upto)) >= 0:
            after = (after + chunk.count(self._quote, place, upto)) % 2
            if after == OUTSIDE:
                return place
            upto = place
        return -1

    def split(self, block: bytes, end: bytes) -> list[bytes]:
        """See ``Syntax``."""
        if self._quote not in block:
            lines = block.split(end)
            lines.pop()
            return lines
        if self._doubled:
            return self._joined_quotes(block.split(end)[:-1], end)
        begin, lines = 0, []
        for place in self._ends(block, OUTSIDE):
            if block[place] == end[0]:
                lines.append(block[begin:place])
                begin = place + 1
        return lines

    def _joined_quotes(self, pieces: list[bytes], end: bytes) -> list[bytes]:
        lines: list[bytes] = []
        held: list[bytes] = []
        for piece in pieces:
            if piece.count(self._quote) % 2:
                held.append(piece)
                if len(held) > 1:
                    lines.append(end.join(held))
                    held = []
            elif held:
                held.append(piece)
            else:
                lines.append(piece)
        return lines

    def _walk(self, chunk: bytes, state: int) -> tuple[list[int], int]:
        """All line ends of a chunk, and the state after it."""
        ends = self._ends(chunk, state)
        places: list[int] = []
        while True:
            try:
                places.append(next(ends))
            except StopIteration as stop:
                return places, stop.value

    def _ends(self, chunk: bytes, state: int) -> Generator[int, None, int]:
        """The places of CR and LF outside quotes; its value at the end is the state."""
        place = 0
        if state == ESCAPED and chunk:
            place, state = 1, INSIDE
        while place < len(chunk):
            found = (self._inside if state else self._outside).match(chunk, place)
            assert found is not None
            place = found.end()
            if place == len(chunk):
                break
            if chunk[place : place + 1] == self._quote:
                state = INSIDE - state
            elif state:
                return ESCAPED
            else:
                yield place
            place += 1
        return state


def inside_quotes(quote: bytes, escape: bytes) -> bytes:
    """A pattern for what stands between two quotes, as far as the closing one or a lone escape at the end."""
    q, e = re.escape(quote), re.escape(escape)
    return rb"[^%b]*+" % q if quote == escape else rb"(?:[^%b%b]++|%b.)*+" % (q, e, e)


def joined_escapes(pieces: list[bytes], separator: bytes) -> list[bytes]:
    """Pieces that were split at a separator, joined again where a backslash stood before it."""
    whole: list[bytes] = []
    held: list[bytes] = []
    for piece in pieces:
        held.append(piece)
        if _backslashes_before(piece, len(piece)) % 2 == 0:
            whole.append(separator.join(held) if len(held) > 1 else piece)
            held = []
    return [*whole, separator.join(held)] if held else whole


def _backslashes_before(chunk: bytes, place: int) -> int:
    """How many backslashes stand right before a place."""
    first = place
    while first and chunk[first - 1] == 0x5C:
        first -= 1
    return place - first
