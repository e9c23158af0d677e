"""audit/tree.py, against the vectors of Certificate Transparency and RFC 6962's definition itself."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.audit.tree import (
    EMPTY_ROOT,
    Frontier,
    Node,
    consistency_path,
    cover,
    grow,
    inclusion_path,
    leaf_hash,
    node_hash,
    peaks_of,
)

# The leaves, roots and proofs of Certificate Transparency's reference tests, which its implementations share
# (github.com/transparency-dev/merkle, testonly/constants.go and proof/verify_test.go).
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def mth(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, as it is written there."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    split = max(1 << bit for bit in range(len(leaves).bit_length()) if 1 << bit < len(leaves))
    return node_hash(mth(leaves[:split]), mth(leaves[split:]))


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962, section 2.1.1: PATH."""
    if len(leaves) == 1:
        return []
    split = max(1 << bit for bit in range(len(leaves).bit_length()) if 1 << bit < len(leaves))
    if index < split:
        return [*path(index, leaves[:split]), mth(leaves[split:])]
    return [*path(index - split, leaves[split:]), mth(leaves[:split])]


def subproof(old: int, leaves: list[bytes], whole: bool) -> list[bytes]:
    """RFC 6962, section 2.1.2: SUBPROOF."""
    if old == len(leaves):
        return [] if whole else [mth(leaves)]
    split = max(1 << bit for bit in range(len(leaves).bit_length()) if 1 << bit < len(leaves))
    if old <= split:
        return [*subproof(old, leaves[:split], whole), mth(leaves[split:])]
    return [*subproof(old - split, leaves[split:], False), mth(leaves[:split])]


def hashes(nodes: tuple[tuple[Node, ...], ...], leaves: list[bytes]) -> list[bytes]:
    """The hashes of a proof's subtrees, by the definition."""
    ranges = [(each[0].index << each[0].height, (each[-1].index + 1) << each[-1].height) for each in nodes]
    return [mth(leaves[start:end]) for start, end in ranges]


def grown(*batches: list[bytes]) -> Frontier:
    frontier = Frontier()
    for batch in batches:
        frontier = grow(frontier, [leaf_hash(entry) for entry in batch]).frontier
    return frontier


@pytest.mark.parametrize("size", range(9))
def test_the_published_roots(size: int) -> None:
    """Trees of 0 to 8 of the published leaves have the published roots."""
    assert grown(LEAVES[:size]).root.hex() == ROOTS[size]
    assert mth(LEAVES[:size]).hex() == ROOTS[size]


@given(st.lists(st.integers(0, 70), max_size=8))
def test_however_it_grows(sizes: list[int]) -> None:
    """A tree has the root that RFC 6962 defines, whatever the batches were in which it grew."""
    leaves = [b"%d" % number for number in range(sum(sizes))]
    ends = [sum(sizes[:count]) for count in range(len(sizes) + 1)]
    frontier = grown(*(leaves[start:end] for start, end in pairwise(ends)))
    assert (frontier.size, frontier.root) == (len(leaves), mth(leaves))
    assert frontier.peaks == peaks_of([leaf_hash(leaf) for leaf in leaves])
    assert len(frontier.peaks) == frontier.size.bit_count()


@given(st.integers(0, 300), st.integers(1, 300))
def test_nodes_that_became_complete(before: int, added: int) -> None:
    """Growing gives each perfect subtree once, at the moment that its last leaf comes, in order."""
    leaves = [b"%d" % number for number in range(before + added)]
    levels = grow(grown(leaves[:before]), [leaf_hash(leaf) for leaf in leaves[before:]]).levels
    for height in range(10):
        first, last = before >> height, len(leaves) >> height
        expected = [mth(leaves[index << height : (index + 1) << height]) for index in range(first, last)]
        assert list(levels[height] if height < len(levels) else []) == expected


@given(st.integers(1, 200).flatmap(lambda size: st.tuples(st.integers(0, size - 1), st.just(size))))
def test_inclusion_paths(at: tuple[int, int]) -> None:
    """The subtrees of an inclusion proof are those of RFC 6962's PATH."""
    index, size = at
    leaves = [b"%d" % number for number in range(size)]
    assert hashes(inclusion_path(index, size), leaves) == path(index, leaves)


@given(st.integers(1, 200).flatmap(lambda size: st.tuples(st.integers(1, size), st.just(size))))
def test_consistency_paths(sizes: tuple[int, int]) -> None:
    """The subtrees of a consistency proof are those of RFC 6962's SUBPROOF."""
    old, new = sizes
    leaves = [b"%d" % number for number in range(new)]
    assert hashes(consistency_path(old, new), leaves) == subproof(old, leaves, True)


def test_nothing_to_prove() -> None:
    """An empty tree, and a tree beside itself, take no proof."""
    assert consistency_path(0, 7) == consistency_path(7, 7) == ()


@given(st.integers(0, 63), st.integers(1, 1 << 20))
def test_covers(shift: int, count: int) -> None:
    """A subtree's perfect ones lie side by side, from its first leaf to its last."""
    start = (1 << (count - 1).bit_length()) * shift
    at = start
    for node in cover(start, start + count):
        assert node.index << node.height == at
        at += 1 << node.height
    assert at == start + count


def test_a_leaf_is_no_node() -> None:
    """Two hashes as an entry have another hash than the node over them: no tree can be read as another."""
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)
