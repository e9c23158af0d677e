"""What each record of the audit log pays for: its octets, its commitment, and the hashes of the tree.

The readable twin of `rust/kernel/src/log.rs`. Called through ``strongroom._kernel``.
"""

from binascii import b2a_base64
from collections.abc import Sequence
from hashlib import sha256

GREATEST = (1 << 53) - 1
"""Of a number in JSON that every reader has exactly (RFC 8259, section 6)."""
_VERSION = b"\x01"


def commit_records(contents: list[bytes], salts: bytes) -> list[tuple[bytes, bytes]]:
    """For each content its entry and its line (`audit.leaf`); ``salts`` has one for each, of one length."""
    if not contents:
        return []
    size, rest = divmod(len(salts), len(contents))
    if rest:
        raise ValueError("salts of one length each")
    each = zip(contents, (salts[at : at + size] for at in range(0, len(salts), size)), strict=True)
    return [
        (
            _VERSION + sha256(salt + content).digest(),
            b"%b %b\n" % (b2a_base64(salt, newline=False), content),
        )
        for content, salt in each
    ]


def hash_leaves(entries: list[bytes]) -> list[bytes]:
    """The hash of each entry as a leaf (RFC 6962, section 2.1)."""
    return [sha256(b"\x00" + entry).digest() for entry in entries]


def hash_nodes(nodes: list[bytes]) -> list[bytes]:
    """The parent of each two nodes (RFC 6962, section 2.1); raises ``ValueError`` where one is left over."""
    pairs = iter(nodes)
    return [sha256(b"\x01%b%b" % pair).digest() for pair in zip(pairs, pairs, strict=True)]


class Template:
    """A record with holes."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        """There is a hole between two pieces each."""
        self._text = b"%b".join(piece.replace(b"%", b"%%") for piece in pieces)
        self._holes = max(len(pieces) - 1, 0)

    def fill(self, fillings: tuple[int | bytes, ...]) -> bytes:
        """Numbers, or octets that are JSON already; raises ``ValueError`` for others than there are holes."""
        if len(fillings) != self._holes or any(map(_misfits, fillings)):
            raise ValueError("fillings that do not fit the holes")
        return self._text % tuple(one if isinstance(one, bytes) else b"%d" % one for one in fillings)


def _misfits(filling: int | bytes) -> bool:
    return not isinstance(filling, bytes) and not 0 <= filling <= GREATEST
