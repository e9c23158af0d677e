"""What each record of the audit log pays for: its octets, its commitment, and the hashes of the tree.

The readable twin of `rust/kernel/src/log.rs`. Called through ``strongroom._kernel``.
"""

import struct
from binascii import b2a_base64
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256

GREATEST = (1 << 53) - 1
"""Of a number in JSON that every reader has exactly (RFC 8259, section 6)."""
LENGTH = struct.Struct(">I")
URGENT = 1 << 31
HEADER, READY_BYTES = 5, 6
"""Of a message's type and length, and of a ReadyForQuery (manual, "Message Formats")."""
_WITH_ROWS = frozenset({b"INSERT", b"DELETE", b"UPDATE", b"MERGE", b"SELECT", b"FETCH", b"COPY"})
_SUCCESSFUL = b'"00000"'
_VERSION = b"\x01"


def commit_records(contents: list[bytes], salts: bytes, most: int) -> tuple[list[bytes], list[bytes]]:
    """The entries and the lines of these contents (`audit.leaf`); ``salts`` has one for each, of one length.

    Raises ``ValueError`` for a content of more than ``most`` octets, or of two lines.
    """
    size = len(salts) // max(len(contents), 1)
    if size * len(contents) != len(salts) or any(len(one) > most or b"\n" in one for one in contents):
        raise ValueError("contents of one line each, and salts of one length each")
    each = [salts[at * size : (at + 1) * size] for at in range(len(contents))]
    pairs = list(zip(each, contents, strict=True))
    return (
        [_VERSION + sha256(salt + content).digest() for salt, content in pairs],
        [b"%b %b\n" % (b2a_base64(salt, newline=False), content) for salt, content in pairs],
    )


def cut_records(data: bytes) -> tuple[list[bytes], int, bool]:
    """The whole records of it, each behind its length, where the rest begins, and whether one is urgent.

    A length has four octets, and the highest bit of it says that somebody waits for the record.
    """
    records, at, urgent = [], 0, 0
    while at + LENGTH.size <= len(data):
        (length,) = LENGTH.unpack_from(data, at)
        start, end = at + LENGTH.size, at + LENGTH.size + (length & ~URGENT)
        if end > len(data):
            break
        records.append(data[start:end])
        urgent |= length & URGENT
        at = end
    return records, at, bool(urgent)


def hash_leaves(entries: list[bytes]) -> list[bytes]:
    """The hash of each entry as a leaf (RFC 6962, section 2.1)."""
    return [sha256(b"\x00" + entry).digest() for entry in entries]


def hash_nodes(nodes: list[bytes]) -> list[bytes]:
    """The parent of each two nodes (RFC 6962, section 2.1); raises ``ValueError`` where one is left over."""
    pairs = iter(nodes)
    return [sha256(b"\x01%b%b" % pair).digest() for pair in zip(pairs, pairs, strict=True)]


def pack_entries(entries: list[bytes]) -> bytes:
    """Each entry behind its length (C2SP tlog-tiles); raises ``ValueError`` for one that is too long."""
    if any(len(entry) >= 1 << 16 for entry in entries):
        raise ValueError("an entry is longer than its length can say")
    return b"".join([len(entry).to_bytes(2, "big") + entry for entry in entries])


@lru_cache(maxsize=1024)
def rows_of(tag: bytes) -> int:
    """The rows of a CommandComplete (manual, "Message Formats"); 0 for a command that has none.

    MOVE has a number, too, but none of its rows comes.
    """
    words = tag.split(b" ")
    if len(words) < 2 or words[0] not in _WITH_ROWS or not words[-1].isdigit():
        return 0
    return GREATEST if len(words[-1]) >= len(str(GREATEST)) else int(words[-1])


def rows_at_end(chunk: bytes) -> int:
    """The rows of the CommandComplete before the ReadyForQuery that ends a chunk.

    It is the last message that begins so: neither tags nor ReadyForQuery have three zeros behind a C.
    """
    end = max(len(chunk) - READY_BYTES, 0)
    at = chunk.rfind(b"C\0\0\0", 0, end)
    return 0 if at < 0 else rows_of(chunk[at + HEADER : end - 1])


class Template:
    """A record with holes."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        """There is a hole between two pieces each."""
        self._text = b"%b".join(piece.replace(b"%", b"%%") for piece in pieces)
        self._holes = max(len(pieces) - 1, 0)

    def answers(
        self, rounds: list[tuple[int, bytes, float, float]], sequence: int, ahead: float, each: int
    ) -> tuple[list[bytes], int]:
        """The record of each round that was answered, numbered from ``sequence`` on, and all of their rows.

        A round is its statement's number, the end of its answer, and in seconds when that came and when the
        round was sent. The wall's clock is ``ahead`` milliseconds; each row has ``each`` values. The holes
        are those of a permitted statement (`audit.records.lines`); raises ``ValueError`` as `fill` does.
        """
        records: list[bytes] = []
        total = 0
        for number, tail, at, begun in rounds:
            rows = rows_at_end(tail)
            total += rows
            duration, moment = int(max(at - begun, 0.0) * 1000), int(at * 1000 + ahead)
            outcome = duration, sequence + len(records), _SUCCESSFUL, 1, moment, rows, number, rows * each
            records.append(self.fill(outcome))
        return records, total

    def fill(self, fillings: tuple[int | bytes, ...]) -> bytes:
        """Numbers, or octets that are JSON already; raises ``ValueError`` for others than there are holes."""
        if len(fillings) != self._holes or any(map(_misfits, fillings)):
            raise ValueError("fillings that do not fit the holes")
        return self._text % tuple(one if isinstance(one, bytes) else b"%d" % one for one in fillings)


def _misfits(filling: int | bytes) -> bool:
    return not isinstance(filling, bytes) and not (isinstance(filling, int) and 0 <= filling <= GREATEST)
