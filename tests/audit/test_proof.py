"""audit/proof.py: proofs from tiles, and who takes them. verify.py checks those of inclusion."""

from base64 import b64decode
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.audit.making import Log, make, trust

from strongroom.audit import verify
from strongroom.audit.proof import consistency, inclusion, needed, prove, verify_consistency
from strongroom.audit.tiles import Edge, Tile
from strongroom.audit.tree import EMPTY_ROOT, leaf_hash
from strongroom.errors import Bug, LogDamaged, ProofInvalid

SIZES = [1, 2, 3, 7, 8, 255, 256, 257, 300, 511, 512, 700]
ENTRIES = [b"%d" % number for number in range(700)]
ROOTS = {size: Edge().append(ENTRIES[:size]).edge.root for size in [0, *SIZES]}


@pytest.fixture(scope="module")
def log() -> Log:
    """A log of 700 records."""
    return make(700)


def tiles_at(size: int) -> dict[Tile, bytes]:
    """All the tiles of a log of so many entries, as it has them at that size."""
    appended = Edge().append(ENTRIES[:size])
    files = {file.path: file.octets for file in (*appended.files, *appended.edge.partial())}
    tiles = [Tile(level, index, width) for level in range(2) for index in range(3) for width in range(1, 257)]
    return {tile: files[tile.path] for tile in tiles if tile.path in files}


def as_tree(size: int) -> verify.Checkpoint:
    return verify.Checkpoint("", size, ROOTS[size], (), ())


@pytest.mark.parametrize("size", SIZES)
def test_inclusion(size: int) -> None:
    """Each entry of a tree is proved to be in it, and at no other place."""
    tiles = tiles_at(size)
    for index in {0, size // 3, size // 2, size - 2, size - 1} - {-1}:
        hashes = list(prove(inclusion(index, size), size, tiles))
        verify.verify_inclusion(ENTRIES[index], index, as_tree(size), hashes, "proof")
        others = {0, index ^ 1, index + 1, index + 256, size, 1 << 40} - {index}
        for other in others:
            with pytest.raises(verify.Fault, match="does not show"):
                verify.verify_inclusion(ENTRIES[index], other, as_tree(size), hashes, "proof")


@given(st.data())
@settings(max_examples=60)
def test_damaged_inclusion(data: st.DataObject) -> None:
    """With any hash changed, left out, doubled or swapped, or another entry, it proves nothing."""
    size = data.draw(st.sampled_from(SIZES[3:]))
    index = data.draw(st.integers(0, size - 1))
    hashes = list(prove(inclusion(index, size), size, tiles_at(size)))
    at = data.draw(st.integers(0, len(hashes) - 1))
    flipped = bytes([hashes[at][0] ^ 1]) + hashes[at][1:]
    damaged = [
        [*hashes[:at], flipped, *hashes[at + 1 :]],
        [*hashes[:at], *hashes[at + 1 :]],
        [*hashes[:at], hashes[at], *hashes[at:]],
        [*hashes, bytes(32)],
        [],
    ]
    for proof in damaged:
        with pytest.raises(verify.Fault, match="does not show"):
            verify.verify_inclusion(ENTRIES[index], index, as_tree(size), proof, "proof")
    with pytest.raises(verify.Fault, match="does not show"):
        verify.verify_inclusion(b"other", index, as_tree(size), hashes, "proof")


@pytest.mark.parametrize(("old", "new"), [*combinations(SIZES, 2)])
def test_consistency(old: int, new: int) -> None:
    """A tree is proved to be the beginning of a later one; with anything changed it is not."""
    hashes = prove(consistency(old, new), new, tiles_at(new))
    verify_consistency(old, ROOTS[old], new, ROOTS[new], hashes)
    wrong = [
        (old, ROOTS[new], new, ROOTS[new], hashes),
        (old, ROOTS[old], new, ROOTS[old], hashes),
        (old, ROOTS[old], new, ROOTS[new], hashes[1:]),
        (old, ROOTS[old], new, ROOTS[new], (*hashes, bytes(32))),
        (old, ROOTS[old], new, ROOTS[new], (bytes(32), *hashes[1:])),
        (new, ROOTS[old], old, ROOTS[new], hashes),
        (old + 1, ROOTS[old], new, ROOTS[new], hashes)
        if old + 1 < new
        else (0, bytes(32), new, ROOTS[new], ()),
    ]
    for one in wrong:
        with pytest.raises(ProofInvalid, match="not the beginning"):
            verify_consistency(*one)


def test_consistency_without_a_proof() -> None:
    """Every tree begins with the empty one and is its own beginning; a proof beside that is no proof."""
    verify_consistency(0, EMPTY_ROOT, 7, ROOTS[7], ())
    verify_consistency(7, ROOTS[7], 7, ROOTS[7], ())
    for one in [
        (0, ROOTS[1], 7, ROOTS[7], ()),
        (0, EMPTY_ROOT, 7, ROOTS[7], (bytes(32),)),
        (7, ROOTS[7], 7, ROOTS[8], ()),
        (7, ROOTS[7], 7, ROOTS[7], (bytes(32),)),
        (3, ROOTS[3], 7, ROOTS[7], ()),
    ]:
        with pytest.raises(ProofInvalid, match="not the beginning"):
            verify_consistency(*one)


def test_few_tiles_are_needed() -> None:
    """A proof takes a handful of tiles, however large the log: at most two of a level."""
    for size in (10**6, 10**9 + 7, 1 << 40):
        for path in (inclusion(size // 3, size), consistency(size // 3, size)):
            tiles = needed(path, size)
            assert 0 < len(tiles) <= 12
            assert all(tile.width > 0 for tile in tiles)


def test_outside_of_the_tree() -> None:
    """What is not in a tree cannot be proved to be."""
    for index in (-1, 7):
        with pytest.raises(Bug, match="not in the tree"):
            inclusion(index, 7)
    with pytest.raises(Bug, match="larger than that"):
        consistency(8, 7)


def test_a_tile_that_was_cut(log: Log) -> None:
    """A tile of another length is not read from: its hashes may stand elsewhere."""
    path = inclusion(3, 700)
    tiles = {tile: octets[:-32] for tile, octets in log.tiles(path).items()}
    with pytest.raises(LogDamaged, match="has not the length"):
        prove(path, 700, tiles)


def test_the_file(log: Log) -> None:
    """A proof is a file of C2SP tlog-proof: the record in its extra, and the checkpoint as it was signed."""
    head, _, note = log.proof(258).partition(b"\n\n")
    header, extra, index, *hashes = head.decode().split("\n")
    assert (header, index) == ("c2sp.org/tlog-proof@v1", "index 258")
    entry, line = b64decode(extra.removeprefix("extra ")).split(b" ", 1)
    assert b64decode(entry) == log.committed[258].entry
    assert line + b"\n" == log.committed[258].line
    assert [len(b64decode(one)) for one in hashes] == [32] * len(inclusion(258, 700))
    assert note == log.files["checkpoint"]
    assert b64decode(hashes[0]) == leaf_hash(log.committed[259].entry)
    assert verify.verify_proof(log.proof(258), trust()).content == log.contents[258]
