"""The Merkle tree of RFC 6962: hashes, a tree that grows at its right edge, and the shape of its proofs.

A tree that only grows is known by its *peaks*: the roots of the perfect subtrees that its size has one of
for each bit set (a "compact range"). ``grow`` adds a whole batch level by level, so that each node costs
one hash in the kernel, and gives back the nodes that became complete, from which
``tiles.py`` makes tiles. What a proof consists of is said here as ranges of leaves and nodes;
``proof.py`` reads their hashes from tiles.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from strongroom._kernel import hash_nodes

HASH_BYTES = 32
MAX_SIZE = (1 << 63) - 1
"""Of a tree: the levels of tiles go to 63 (C2SP tlog-tiles), and witnesses count in 63 bits."""
EMPTY_ROOT = sha256(b"").digest()
"""RFC 6962, section 2.1: the hash of an empty list is the hash of an empty string."""


def leaf_hash(entry: bytes) -> bytes:
    """RFC 6962, section 2.1: a leaf is hashed behind an octet 0, so that no node can be taken for one."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962, section 2.1."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """What of a tree is needed to append to it, and for its root."""

    size: int = 0
    """Leaves."""
    peaks: tuple[bytes, ...] = ()
    """Roots of the perfect subtrees, the largest (leftmost) first: one for each bit of ``size``."""

    @property
    def root(self) -> bytes:
        """The tree's root hash."""
        return fold(self.peaks)


def fold(peaks: Sequence[bytes]) -> bytes:
    """The root over perfect subtrees that stand side by side, larger ones first (RFC 6962, section 2.1)."""
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


@dataclass(frozen=True, slots=True)
class Grown:
    """A tree after a batch was appended."""

    frontier: Frontier
    levels: tuple[Sequence[bytes], ...]
    """By height: the nodes that became complete, in order, from the index ``old size >> height`` on."""


def grow(frontier: Frontier, leaf_hashes: Sequence[bytes]) -> Grown:
    """Appends leaves, one hash for each node that becomes complete."""
    size = frontier.size
    peaks = list(frontier.peaks)  # the smallest last, which is the first that a new node may join
    left: list[bytes] = []  # peaks of the grown tree, the smallest first
    levels: list[Sequence[bytes]] = []
    nodes = list(leaf_hashes)
    while nodes or peaks:
        levels.append(tuple(nodes))
        if size >> (len(levels) - 1) & 1:
            nodes.insert(0, peaks.pop())
        if len(nodes) & 1:
            left.append(nodes.pop())
        nodes = hash_nodes(nodes)
    while levels and not levels[-1]:
        levels.pop()
    return Grown(Frontier(size + len(leaf_hashes), tuple(reversed(left))), tuple(levels))


def peaks_of(hashes: Sequence[bytes]) -> tuple[bytes, ...]:
    """The peaks over these nodes alone, which stand at the beginning of a row of siblings."""
    return grow(Frontier(), hashes).frontier.peaks


@dataclass(frozen=True, slots=True)
class Node:
    """A perfect subtree: that over the leaves ``index << height`` up to the next one's."""

    height: int
    index: int


def cover(start: int, end: int) -> tuple[Node, ...]:
    """The perfect subtrees that together are the subtree over these leaves, the largest first.

    ``start`` is a multiple of the largest of them, as it is of every subtree that a proof speaks of.
    """
    nodes = []
    while start < end:
        height = (end - start).bit_length() - 1
        nodes.append(Node(height, start >> height))
        start += 1 << height
    return tuple(nodes)


def inclusion_path(index: int, size: int) -> tuple[tuple[Node, ...], ...]:
    """The subtrees of which a proof of this leaf gives the hashes, from the leaf's sibling upwards.

    RFC 6962, section 2.1.1. Each subtree is given as the perfect ones that it consists of.
    """
    start, end = 0, size
    path = []
    while end - start > 1:
        middle = start + _left_half(end - start)
        if index < middle:
            path.append(cover(middle, end))
            end = middle
        else:
            path.append(cover(start, middle))
            start = middle
    return tuple(reversed(path))


def consistency_path(old: int, new: int) -> tuple[tuple[Node, ...], ...]:
    """The subtrees of which a proof gives the hashes: that the first ``old`` leaves are as they were.

    RFC 6962, section 2.1.2; empty where ``old`` is 0 or ``new``, as there is nothing to prove.
    """
    if not 0 < old < new:
        return ()
    start, end = 0, new
    path = []
    while end != old:
        middle = start + _left_half(end - start)
        if old <= middle:
            path.append(cover(middle, end))
            end = middle
        else:
            path.append(cover(start, middle))
            start = middle
    if start:  # else the last subtree is the old tree itself, whose root the verifier has
        path.append(cover(start, end))
    return tuple(reversed(path))


def _left_half(count: int) -> int:
    """The largest power of two smaller than ``count``, which is where RFC 6962 splits."""
    return 1 << ((count - 1).bit_length() - 1)
