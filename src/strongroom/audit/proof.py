"""Proofs from tiles: that an entry is in the log, and that a log of today has the one of yesterday in it.

``needed`` says which tiles a proof takes, for the caller to read; ``prove`` makes its hashes of them;
``write_proof`` puts everything about one record into one file of the form C2SP tlog-proof, which
``verify.py --proof`` verifies on a machine with nothing else. Called by `strongroom audit prove` and by
what feeds witnesses.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence

from strongroom.audit.tiles import Tile, split_hashes, tile_of
from strongroom.audit.tree import (
    EMPTY_ROOT,
    HASH_BYTES,
    Node,
    consistency_path,
    fold,
    inclusion_path,
    node_hash,
    peaks_of,
)
from strongroom.errors import Bug, LogDamaged, ProofInvalid

HEADER = "c2sp.org/tlog-proof@v1"

Path = Sequence[Sequence[Node]]
"""Of a proof: as ``tree.inclusion_path`` and ``tree.consistency_path`` give it."""


def inclusion(index: int, size: int) -> Path:
    """The path that proves the entry of this index in a tree of this size."""
    if not 0 <= index < size:
        raise Bug("an entry to be proved is not in the tree")
    return inclusion_path(index, size)


def consistency(old: int, new: int) -> Path:
    """The path that proves the tree of the one size to be the beginning of the other."""
    if not 0 <= old <= new:
        raise Bug("a tree to be proved the beginning of another is larger than that")
    return consistency_path(old, new)


def needed(path: Path, size: int) -> frozenset[Tile]:
    """The tiles that have this path's hashes, as they are in a tree of this size."""
    return frozenset(tile_of(node, size)[0] for nodes in path for node in nodes)


def prove(path: Path, size: int, tiles: Mapping[Tile, bytes]) -> tuple[bytes, ...]:
    """The proof's hashes, from the octets of those tiles."""
    return tuple(fold([_hash(node, size, tiles) for node in nodes]) for nodes in path)


def _hash(node: Node, size: int, tiles: Mapping[Tile, bytes]) -> bytes:
    tile, start, end = tile_of(node, size)
    octets = tiles[tile]
    if len(octets) != tile.width * HASH_BYTES:
        raise LogDamaged(f"{tile.path} of the audit log has not the length that its name says")
    return fold(peaks_of(split_hashes(octets[start * HASH_BYTES : end * HASH_BYTES])))


def write_proof(index: int, hashes: Sequence[bytes], checkpoint: bytes, entry: bytes, line: bytes) -> bytes:
    """A file of the form C2SP tlog-proof: the record in its ``extra``, the proof, and the signed checkpoint.

    The extra is the entry in base64, a space, and the record's line in the file of contents, without newline.
    """
    extra = b64encode(b64encode(entry) + b" " + line).decode()
    proof = [b64encode(one).decode() for one in hashes]
    head = "\n".join([HEADER, f"extra {extra}", f"index {index}", *proof, "", ""])
    return head.encode() + checkpoint


def verify_consistency(
    old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]
) -> None:
    """That the older tree is the beginning of the newer one; raises ``ProofInvalid``."""
    if old_size in (0, size):
        holds = not proof and old_root == (root if old_size else EMPTY_ROOT)
    else:
        holds = 0 < old_size < size and _roots(old_size, old_root, size, proof) == (old_root, root)
    if not holds:
        raise ProofInvalid("the older tree is not the beginning of the newer one")


def _roots(old_size: int, old_root: bytes, size: int, proof: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Which roots the proof gives to the two trees (RFC 9162, section 2.1.4.2); None if it is none."""
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    at, last = old_size - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = path[0] if path else b""
    for other in path[1:]:
        if last == 0:  # more hashes than the tree is high
            return None
        if at & 1 or at == last:
            old, new = node_hash(other, old), node_hash(other, new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, other)
        at, last = at >> 1, last >> 1
    return (old, new) if last == 0 else None
