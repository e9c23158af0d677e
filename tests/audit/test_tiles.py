"""audit/tiles.py: the names and contents that C2SP tlog-tiles gives, and a log taken up where it was left."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.audit.making import make

from strongroom.audit.tiles import (
    MAX_ENTRY_BYTES,
    Edge,
    File,
    Tile,
    bundle_path,
    content_path,
    edge_paths,
    edge_tiles,
    pack_bundle,
    place,
    split_bundle,
    split_hashes,
    tile_of,
    width_of,
)
from strongroom.audit.tree import Node, cover, fold, leaf_hash, peaks_of
from strongroom.errors import Bug, LogDamaged

PLACES = {
    0: "000",
    7: "007",
    999: "999",
    1000: "x001/000",
    1234067: "x001/x234/067",
    10**9: "x001/x000/x000/000",
}


@pytest.mark.parametrize("index", PLACES)
def test_places(index: int) -> None:
    """An index is written in groups of three digits; the standard's own example among them."""
    assert place(index) == PLACES[index]


def test_paths() -> None:
    """Whole and partial tiles and bundles, and the file of contents, which has no width."""
    assert Tile(0, 1234067).path == "tile/0/x001/x234/067"
    assert Tile(2, 0, 17).path == "tile/2/000.p/17"
    assert bundle_path(1234067) == "tile/entries/x001/x234/067"
    assert bundle_path(5, 255) == "tile/entries/005.p/255"
    assert content_path(1234067) == "content/x001/x234/067"


def test_the_example_of_the_standard() -> None:
    """A tree of 70,000: 273 whole tiles and one of 112, one and one of 17, one of 1."""
    log = Edge().append([b""] * 70_000)
    assert sum(file.path.startswith("tile/0/") for file in log.files) == 273
    assert sum(file.path.startswith("tile/1/") for file in log.files) == 1
    partial = [file.path for file in log.edge.partial()]
    assert partial == ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1", "tile/entries/273.p/112"]
    assert [tile.width for tile in edge_tiles(70_000)] == [112, 17, 1]
    assert set(edge_paths(70_000)) == set(partial)


def test_a_tree_of_256() -> None:
    """One whole tile, and a partial one above it; no empty tile is written."""
    log = Edge().append([b""] * 256)
    assert [file.path for file in log.files] == ["tile/entries/000", "tile/0/000"]
    assert [file.path for file in log.edge.partial()] == ["tile/1/000.p/1"]


@given(st.lists(st.integers(0, 600), max_size=6))
def test_however_batches_are_cut(sizes: list[int]) -> None:
    """The same entries in other batches make the same files, each of them once."""
    entries = [b"entry %d" % number for number in range(sum(sizes))]
    edge, at = Edge(), 0
    written: list[File] = []
    for size in sizes:
        appended = edge.append(entries[at : at + size])
        edge, at = appended.edge, at + size
        written += appended.files
    assert len({file.path for file in written}) == len(written)
    at_once = Edge().append(entries)
    assert edge == at_once.edge
    assert set(written) == set(at_once.files)


def test_tiles_have_the_hashes_of_their_level() -> None:
    """A tile's hashes are those of a bundle's entries, or of the whole tiles beneath it."""
    log = make(256 * 3 + 10)
    for bundle, width in [(0, 256), (1, 256), (2, 256), (3, 10)]:
        entries = [one.entry for one in log.committed[256 * bundle :][:width]]
        assert split_bundle(log.files[bundle_path(bundle, width)]) == tuple(entries)
        assert log.files[Tile(0, bundle, width).path] == b"".join(leaf_hash(entry) for entry in entries)
    beneath = [fold(peaks_of(split_hashes(log.files[Tile(0, index).path]))) for index in range(3)]
    assert log.files[Tile(1, 0, 3).path] == b"".join(beneath)


@given(st.integers(1, 1 << 40), st.integers(0, 1 << 40))
def test_nodes_are_found_in_tiles(size: int, start: int) -> None:
    """Each perfect subtree of a tree has its hash, or those beneath it, in one tile, within its width."""
    for node in cover(0, size):
        tile, first, last = tile_of(node, size)
        assert 0 <= first < last <= tile.width <= 256
        assert (tile.index * 256 + first) << 8 * tile.level == node.index << node.height
        assert last - first == 1 << (node.height - 8 * tile.level)
    assert tile_of(Node(0, start), start + 1)[0].width == start % 256 + 1


def test_widths() -> None:
    """As the standard has them: floor(s / 256**l) mod 256 for the last tile, and 256 before."""
    assert [width_of(0, index, 70_000) for index in (0, 272, 273)] == [256, 256, 112]
    assert width_of(0, 274, 70_000) <= 0


def test_bundles() -> None:
    """Entries stand behind their lengths in two octets, whatever their length."""
    entries = (b"", b"a", b"b" * MAX_ENTRY_BYTES)
    assert pack_bundle(entries)[:5] == b"\x00\x00\x00\x01a"
    assert split_bundle(pack_bundle(entries)) == entries
    with pytest.raises(Bug, match="longer than its length can say"):
        pack_bundle([b"b" * (MAX_ENTRY_BYTES + 1)])


@pytest.mark.parametrize("cut", range(1, 8))
def test_a_cut_bundle(cut: int) -> None:
    """Cut anywhere but between two entries it is no bundle."""
    octets = pack_bundle([b"ab", b"cd"])
    if cut == 4:
        assert split_bundle(octets[:cut]) == (b"ab",)
    else:
        with pytest.raises(LogDamaged, match="cut in the midst"):
            split_bundle(octets[:cut])


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 65_535, 65_536, 65_537, 70_000])
def test_a_log_is_taken_up_again(size: int) -> None:
    """From the files of its right edge a log goes on as if it had never stopped."""
    appended = Edge().append([b"%d" % number for number in range(size)])
    files = {file.path: file.octets for file in (*appended.files, *appended.edge.partial())}
    paths = edge_paths(size)
    assert paths == tuple(sorted(paths, key=lambda path: ("entries" in path, path)))
    again = Edge.resume(size, appended.edge.root, {path: files[path] for path in paths})
    assert (again.size, again.root) == (size, appended.edge.root)
    more = [b"more %d" % number for number in range(300)]
    assert again.append(more).files == appended.edge.append(more).files
    assert again.append(more).edge.root == appended.edge.append(more).edge.root


def test_a_log_that_does_not_go_together() -> None:
    """A file of the right edge that is missing, cut, changed, or of another root: the log is not taken up."""
    log = make(256 + 3)
    files = {path: log.files[path] for path in edge_paths(log.edge.size)}
    for path, octets in files.items():
        kept = {name: other for name, other in files.items() if name != path}
        for damaged in ({}, {path: octets[:-35]}, {path: octets + b"\x00\x00"}):
            with pytest.raises(LogDamaged, match=f"^{path} of the audit log is not there, or has not"):
                Edge.resume(log.edge.size, log.edge.root, kept | damaged)
        with pytest.raises(LogDamaged):
            Edge.resume(log.edge.size, log.edge.root, kept | {path: bytes([octets[-1]]).rjust(len(octets))})
    with pytest.raises(LogDamaged, match="another root"):
        Edge.resume(log.edge.size, bytes(32), files)
    Edge.resume(log.edge.size, log.edge.root, files)


def test_an_entry_changed_to_another_of_its_length() -> None:
    """The bundle is held against its tile, too: nobody appends behind an entry that was changed."""
    log = make(3)
    path = bundle_path(0, 3)
    files = {one: log.files[one] for one in edge_paths(3)}
    files[path] = files[path][:-1] + bytes([files[path][-1] ^ 1])
    with pytest.raises(LogDamaged, match="other entries than its tile"):
        Edge.resume(3, log.edge.root, files)
