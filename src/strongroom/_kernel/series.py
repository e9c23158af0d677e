"""The kernel in plain Python, third part: series of rounds for one prepared statement, as in pipelines.

A series is Bind, perhaps Describe, and Execute, again and again, all for the unnamed portal, one statement,
and the same formats. ``Series`` seals the values of a whole series; ``plain_answers`` recognises its answers.

Called through ``strongroom._kernel``.
"""

import struct
from collections.abc import Callable, Sequence
from typing import Final

from strongroom._kernel.refused import Refused

HEADER: Final = 5
_COUNT: Final = struct.Struct(">H")
_LENGTH: Final = struct.Struct(">i")
_NULL: Final = b"\xff\xff\xff\xff"
_BIND: Final = ord("B")
_BOUND, _NO_DATA = b"2\0\0\0\4", b"n\0\0\0\4"


class Series:
    """What changes between the client's Bind and the one that goes upstream.

    ``client`` and ``upstream`` are what stands before and behind the values in the body of either's Bind;
    ``after`` the messages that follow each, up to and including Execute, which pass as they are. ``count`` is
    the number of the client's values; ``columns`` has, for each of upstream's, the place of the client's that
    it takes, and a sealer, a callable, or None where it passes as it is.
    """

    __slots__ = ("_after", "_client", "_columns", "_count", "_upstream")

    def __init__(
        self,
        client: tuple[bytes, bytes],
        upstream: tuple[bytes, bytes],
        *,
        after: bytes,
        count: int,
        columns: Sequence[tuple[int, Callable[[bytes], bytes] | None]],
    ) -> None:
        if any(not 0 <= place < count for place, _ in columns):
            raise ValueError("a column is of one of the client's values")
        if any(seal is not None and not callable(seal) for _, seal in columns):
            raise ValueError("a column is a sealer, a callable or None")
        self._client, self._upstream = client, upstream
        self._after, self._count = after, count
        self._columns = tuple(columns)

    def seal(self, data: bytes, start: int) -> tuple[bytes, int, int, list[int]]:
        """What goes upstream, where that ends in ``data``, the rounds, and how many values were sealed.

        The last is one number for each column that is sealed. It ends before whatever is not of the series,
        and before a value that its sealer refuses. Raises what a callable raises, except ``Refused``.
        """
        counts = [0] * len(self._columns)
        done: list[bytes] = []
        rounds = 0
        while (values := self._values(data, start)) is not None:
            try:
                sealed = [
                    value if value is None or seal is None else seal(value)
                    for value, seal in ((values[place], seal) for place, seal in self._columns)
                ]
            except Refused:
                break
            for i, (value, (_, seal)) in enumerate(zip(sealed, self._columns, strict=True)):
                counts[i] += value is not None and seal is not None
            fields = [_NULL if one is None else _LENGTH.pack(len(one)) + one for one in sealed]
            body = b"".join((self._upstream[0], _COUNT.pack(len(fields)), *fields, self._upstream[1]))
            done += (b"B", _LENGTH.pack(len(body) + 4), body, self._after)
            start = start + 1 + int.from_bytes(data[start + 1 : start + HEADER]) + len(self._after)
            rounds += 1
        sealed_by = [n for n, (_, seal) in zip(counts, self._columns, strict=True) if seal is not None]
        return b"".join(done), start, rounds, sealed_by

    def _values(self, data: bytes, start: int) -> list[bytes | None] | None:
        """The values of the Bind that begins there, if what begins there is of the series."""
        if len(data) < start + HEADER or data[start] != _BIND:
            return None
        after = start + 1 + int.from_bytes(data[start + 1 : start + HEADER])
        before, behind = self._client
        begin, end = start + HEADER + len(before), after - len(behind)
        if begin + 2 > end or after > len(data) or not data.startswith(self._after, after):
            return None
        if not data.startswith(before, start + HEADER) or data[end:after] != behind:
            return None
        if _COUNT.unpack_from(data, begin)[0] != self._count:
            return None
        return self._taken_apart(data, begin + 2, end)

    def _taken_apart(self, data: bytes, at: int, end: int) -> list[bytes | None] | None:
        values: list[bytes | None] = []
        for _ in range(self._count):
            if end - at < 4:
                return None
            (length,) = _LENGTH.unpack_from(data, at)
            at += 4
            if length < -1 or length > end - at:
                return None
            values.append(None if length < 0 else data[at : at + length])
            at += max(length, 0)
        return values if at == end else None


def plain_answers(data: bytes, start: int, described: bool, most: int) -> tuple[int, int]:
    """How many rounds of a series are answered from ``start`` on without rows, ``most`` at most; and the end.

    Each by BindComplete, NoData if ``described``, and CommandComplete.
    """
    plain = _BOUND + _NO_DATA if described else _BOUND
    rounds = 0
    while rounds < most and data.startswith(plain, start):
        done = start + len(plain)
        after = done + 1 + int.from_bytes(data[done + 1 : done + HEADER])
        if len(data) < done + HEADER or data[done] != ord("C") or not done + HEADER <= after <= len(data):
            break
        start = after
        rounds += 1
    return rounds, start
