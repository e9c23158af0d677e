"""The log as files: tiles of hashes and bundles of entries, as C2SP tlog-tiles names and fills them.

A tile has 256 hashes of one level; one at level L+1 has the roots of whole tiles at level L. A bundle has
the 256 entries that a tile at level 0 has the hashes of. The last of each level may be *partial*, and
then has its width in its name, so that no file ever changes. ``Edge`` is what a log's writer holds in
memory: the partial tile of each level, the partial bundle and the frontier. ``append`` gives the whole
files that a batch completes, and ``partial`` the others, which are needed for each size that gets a
checkpoint. Pure; the log's writer writes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from strongroom._kernel import hash_leaves
from strongroom.audit.tree import HASH_BYTES, Frontier, Node, fold, grow, peaks_of
from strongroom.errors import Bug, LogDamaged

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
MAX_ENTRY_BYTES = (1 << 16) - 1
"""C2SP tlog-tiles, "Log entries": an entry stands behind its length in two octets."""


@dataclass(frozen=True, slots=True)
class File:
    """What is to be written: a path in the log's folder, with ``/``, and what is in it for ever."""

    path: str
    octets: bytes


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile by its place."""

    level: int
    index: int
    width: int = TILE_WIDTH
    """Hashes in it: fewer than 256 in a partial one."""

    @property
    def path(self) -> str:
        """``tile/0/x001/x234/067``, or ``tile/0/000.p/17``."""
        return f"tile/{self.level}/{place(self.index)}{_suffix(self.width)}"


def place(index: int) -> str:
    """1234067 as ``x001/x234/067`` (C2SP tlog-tiles, "Merkle Tree")."""
    above, last = divmod(index, 1000)
    parts = [f"{last:03}"]
    while above:
        above, part = divmod(above, 1000)
        parts.insert(0, f"x{part:03}")
    return "/".join(parts)


def bundle_path(index: int, width: int = TILE_WIDTH) -> str:
    """Where the entries from ``256 * index`` stand."""
    return f"tile/entries/{place(index)}{_suffix(width)}"


def content_path(index: int) -> str:
    """Where the salts and contents of the same entries stand: one file, which grows until it has 256."""
    return f"content/{place(index)}"


def _suffix(width: int) -> str:
    return "" if width == TILE_WIDTH else f".p/{width}"


def width_of(level: int, index: int, size: int) -> int:
    """How wide this tile is in a tree of so many leaves; 0 or less where it is not in it."""
    return min(TILE_WIDTH, (size >> TILE_HEIGHT * level) - TILE_WIDTH * index)


def tile_of(node: Node, size: int) -> tuple[Tile, int, int]:
    """The tile that has this node's hash, or those beneath it, and from which hash to which."""
    level, above = divmod(node.height, TILE_HEIGHT)
    index, start = divmod(node.index << above, TILE_WIDTH)
    return Tile(level, index, width_of(level, index, size)), start, start + (1 << above)


def split_hashes(octets: bytes) -> tuple[bytes, ...]:
    """A tile's hashes."""
    return tuple(octets[at : at + HASH_BYTES] for at in range(0, len(octets), HASH_BYTES))


def pack_bundle(entries: Sequence[bytes]) -> bytes:
    """Entries as a bundle has them, each behind its length."""
    if any(len(entry) > MAX_ENTRY_BYTES for entry in entries):
        raise Bug("an entry of the audit log is longer than its length can say")
    return b"".join([len(entry).to_bytes(2, "big") + entry for entry in entries])


def split_bundle(octets: bytes) -> tuple[bytes, ...]:
    """A bundle's entries; raises ``LogDamaged`` where the last one is cut."""
    entries = []
    at = 0
    while at < len(octets):
        end = at + 2 + int.from_bytes(octets[at : at + 2], "big")
        if end > len(octets) or at + 2 > len(octets):
            raise LogDamaged("a bundle of entries of the audit log is cut in the midst of an entry")
        entries.append(octets[at + 2 : end])
        at = end
    return tuple(entries)


@dataclass(frozen=True, slots=True)
class Appended:
    """A log after a batch."""

    edge: "Edge"
    files: tuple[File, ...]
    """The tiles and bundles that the batch completed, lower levels first."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A log's right edge: all that it takes to go on with it."""

    frontier: Frontier = field(default_factory=Frontier)
    tiles: tuple[bytes, ...] = ()
    """By level: the hashes of the partial tile, none where the last one is whole."""
    bundle: tuple[bytes, ...] = ()
    """The entries of the partial bundle."""

    @property
    def size(self) -> int:
        """Entries in the log."""
        return self.frontier.size

    @property
    def root(self) -> bytes:
        """The root hash, for a checkpoint."""
        return self.frontier.root

    def append(self, entries: Sequence[bytes]) -> Appended:
        """The log with these entries behind those that it has."""
        bundles, bundle = self._bundles(entries)
        grown = grow(self.frontier, hash_leaves(list(entries)))
        whole, tiles = self._tiles(grown.levels[::TILE_HEIGHT])
        return Appended(Edge(grown.frontier, tiles, bundle), (*bundles, *whole))

    def partial(self) -> tuple[File, ...]:
        """The files of the right edge, which a checkpoint of this size needs beside the whole ones.

        A path has the same octets whenever it comes up: one that was written need not be written again.
        """
        files = [
            File(Tile(level, (self.size >> TILE_HEIGHT * (level + 1)), width).path, octets)
            for level, octets in enumerate(self.tiles)
            if (width := len(octets) // HASH_BYTES)
        ]
        if self.bundle:
            files.append(
                File(bundle_path(self.size // TILE_WIDTH, len(self.bundle)), pack_bundle(self.bundle))
            )
        return tuple(files)

    def _bundles(self, entries: Sequence[bytes]) -> tuple[list[File], tuple[bytes, ...]]:
        """Bundles that become whole, and the entries of the one that does not."""
        pending = (*self.bundle, *entries)
        first = self.size // TILE_WIDTH
        whole = len(pending) // TILE_WIDTH
        rows = [pending[at * TILE_WIDTH : (at + 1) * TILE_WIDTH] for at in range(whole)]
        files = [File(bundle_path(first + at), pack_bundle(row)) for at, row in enumerate(rows)]
        return files, pending[whole * TILE_WIDTH :]

    def _tiles(self, levels: Sequence[Sequence[bytes]]) -> tuple[list[File], tuple[bytes, ...]]:
        """Tiles that become whole, and the octets of those that do not, for each level."""
        files, rest = [], []
        tile_bytes = TILE_WIDTH * HASH_BYTES
        for level in range(max(len(levels), len(self.tiles))):
            before = self.tiles[level] if level < len(self.tiles) else b""
            octets = before + b"".join(levels[level] if level < len(levels) else ())
            whole = len(octets) // tile_bytes
            first = self.size >> TILE_HEIGHT * (level + 1)
            for at in range(whole):
                hashes = octets[at * tile_bytes : (at + 1) * tile_bytes]
                files.append(File(Tile(level, first + at).path, hashes))
            rest.append(octets[whole * tile_bytes :])
        return files, tuple(rest)

    @classmethod
    def resume(cls, size: int, root: bytes, files: Mapping[str, bytes]) -> Self:
        """The right edge of a log of this size and root, from the files that ``edge_paths`` names.

        Raises ``LogDamaged`` where one is missing, has not the length of its name, or they have another root.
        """
        tiles = tuple(_read_tile(tile, files) for tile in edge_tiles(size))
        peaks = [peak for octets in reversed(tiles) for peak in peaks_of(split_hashes(octets))]
        if fold(peaks) != root:
            raise LogDamaged("the audit log's last tiles have another root than its checkpoint")
        bundle = _read_bundle(size, files)
        if b"".join(hash_leaves(list(bundle))) != (tiles[0] if tiles else b""):
            raise LogDamaged("the audit log's last bundle has other entries than its tile has hashes of")
        return cls(Frontier(size, tuple(peaks)), tiles, bundle)


def edge_tiles(size: int) -> tuple[Tile, ...]:
    """The last tile of each level; of width 0, and so no file, where all are whole."""
    count = -(-size.bit_length() // TILE_HEIGHT)
    indexes = [size >> TILE_HEIGHT * (level + 1) for level in range(count)]
    return tuple(Tile(level, index, width_of(level, index, size)) for level, index in enumerate(indexes))


def edge_paths(size: int) -> tuple[str, ...]:
    """The files from which a log of this size is taken up again."""
    tiles = [tile.path for tile in edge_tiles(size) if tile.width]
    width = size % TILE_WIDTH
    return (*tiles, *([bundle_path(size // TILE_WIDTH, width)] if width else []))


def _read_tile(tile: Tile, files: Mapping[str, bytes]) -> bytes:
    octets = files.get(tile.path, b"") if tile.width else b""
    if len(octets) != tile.width * HASH_BYTES:
        raise LogDamaged(
            f"{tile.path} of the audit log is not there, or has not the length that its name says"
        )
    return octets


def _read_bundle(size: int, files: Mapping[str, bytes]) -> tuple[bytes, ...]:
    width = size % TILE_WIDTH
    if not width:
        return ()
    path = bundle_path(size // TILE_WIDTH, width)
    entries = split_bundle(files.get(path, b""))
    if len(entries) != width:
        raise LogDamaged(f"{path} of the audit log is not there, or has not as many entries as its name says")
    return entries
