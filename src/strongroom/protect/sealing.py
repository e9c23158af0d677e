"""Values on their way to the database in numbers: sealed by the kernel where it knows how, else in Python.

A ``ColumnSealer`` is both ways for one column. ``KernelSeals`` is what one stream (a COPY, the rounds of a
statement) hands to the kernel, and counts the uses of keys that the kernel made.

INVARIANT: the uses are counted before a value of theirs leaves; where that is refused, nothing leaves.
Called by ``copy/`` and ``session/``.
"""

from collections.abc import Callable, Sequence

from strongroom import _kernel as kernel
from strongroom.errors import StrongroomError
from strongroom.protect.plan import ColumnCodec, Sent

Seal = Callable[[bytes], bytes]


class ColumnSealer:
    """From a client's value to the sealed one, with words for what is wrong with it.

    ``native`` does the same in the kernel, where it knows the type, for values in plain forms. What it seals
    it does not count: ``count`` does.
    """

    __slots__ = ("_seal", "count", "native")

    def __init__(self, seal: Seal, native: Seal | None, count: Callable[[int], None]) -> None:
        self._seal = seal
        self.native = native
        self.count = count

    def __call__(self, value: bytes) -> bytes:
        return self._seal(value)


def column_sealer(codec: ColumnCodec, sent: Sent) -> ColumnSealer:
    """The sealer of one column, for values that all come in one way."""
    return ColumnSealer(codec.sealer(sent), codec.native_sealer(sent), codec.count)


class KernelSeals:
    """The columns of one stream, as the kernel takes them, and what counts the uses of each."""

    __slots__ = ("_counters", "columns")

    def __init__(self, seals: Sequence[Seal | None]) -> None:
        self.columns = [_in_kernel(seal) for seal in seals]
        self._counters = [
            seal.count if isinstance(seal, ColumnSealer) and seal.native is not None else None
            for seal in seals
            if seal is not None
        ]

    def count(self, sealed: Sequence[int]) -> None:
        """Count what the kernel sealed, column by column; raises ``KeyUsesSpent``."""
        for counter, number in zip(self._counters, sealed, strict=True):
            if counter is not None and number:
                counter(number)


def _in_kernel(seal: Seal | None) -> Seal | None:
    """What the kernel calls: its own sealer, or ours, whose words would be lost there."""
    if seal is None:
        return None
    if isinstance(seal, ColumnSealer) and seal.native is not None:
        return seal.native

    def wordless(value: bytes) -> bytes:
        try:
            return seal(value)
        except StrongroomError:
            raise kernel.Refused("value") from None

    return wordless


class KernelLines:
    """Blocks of COPY in text and csv."""

    __slots__ = ("_lines", "_seals")

    def __init__(self, seals: KernelSeals, lines: kernel.Lines) -> None:
        self._seals = seals
        self._lines = lines

    def seal(self, block: bytes, end: bytes) -> tuple[bytes, int]:
        """The block as it goes upstream and its rows; raises ``Refused`` and ``KeyUsesSpent``."""
        out, rows, sealed = self._lines.seal(block, end)
        self._seals.count(sealed)
        return out, rows


class KernelTuples:
    """Tuples of COPY in binary."""

    __slots__ = ("_seals", "_tuples")

    def __init__(self, seals: KernelSeals) -> None:
        self._seals = seals
        self._tuples = kernel.Tuples(seals.columns)

    def seal(self, data: bytes, start: int) -> tuple[bytes, int, int]:
        """The whole tuples as they go upstream, where they end, and how many; raises as ``KernelLines``."""
        out, end, rows, sealed = self._tuples.seal(data, start)
        self._seals.count(sealed)
        return out, end, rows
