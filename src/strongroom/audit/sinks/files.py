"""What of a log's folder a checkpoint covers: its files, and the contents of its records.

The folder grows meanwhile, and partial files are swept away once the whole ones are there; so a partial file
is cut from the whole one where that is all there is, and of contents only those lines are taken that the
checkpoint covers. Called by `s3` and `follower`.
"""

from collections.abc import Iterator
from pathlib import Path

from strongroom.audit.checkpoint import Checkpoint, VerifierKey, verify
from strongroom.audit.leaf import ERASED
from strongroom.audit.log import CHECKPOINT
from strongroom.audit.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    File,
    Tile,
    bundle_path,
    content_path,
    edge_tiles,
    pack_bundle,
    split_bundle,
)
from strongroom.audit.tree import HASH_BYTES
from strongroom.errors import LogDamaged


def head(folder: Path, keys: list[VerifierKey]) -> tuple[bytes, Checkpoint] | None:
    """The log's checkpoint, as it was signed and what it says; None before the first."""
    note = _octets(folder, CHECKPOINT)
    return None if note is None else (note, verify(note, keys).checkpoint)


def whole_tiles(folder: Path, since: int, size: int) -> Iterator[File]:
    """The tiles that became whole since the log had so many records."""
    for level in range(-(-size.bit_length() // TILE_HEIGHT)):
        height = TILE_HEIGHT * (level + 1)
        for index in range(since >> height, size >> height):
            path = Tile(level, index).path
            yield File(path, _must(folder, path))


def partial_tiles(folder: Path, size: int) -> Iterator[File]:
    """The tiles at the log's right edge."""
    for tile in edge_tiles(size):
        if tile.width:
            octets = _octets(folder, tile.path)
            if octets is None:
                octets = _must(folder, Tile(tile.level, tile.index).path)[: tile.width * HASH_BYTES]
            yield File(tile.path, octets)


def bundles(since: int, size: int) -> range:
    """Of the bundles with entries that came since, the numbers."""
    return range(since // TILE_WIDTH, -(-size // TILE_WIDTH))


def bundle(folder: Path, index: int, size: int) -> File:
    """The entries of it that a log of this size has."""
    width = min(TILE_WIDTH, size - index * TILE_WIDTH)
    path = bundle_path(index, width)
    octets = _octets(folder, path)
    if octets is None:
        octets = pack_bundle(split_bundle(_must(folder, bundle_path(index)))[:width])
    return File(path, octets)


def contents(folder: Path, index: int, size: int) -> File | None:
    """The lines of its records; None where all of them were erased, and the file with them."""
    path, count = content_path(index), min(TILE_WIDTH, size - index * TILE_WIDTH)
    octets = _octets(folder, path)
    if octets is None:
        return None
    lines = octets.split(b"\n")[:-1]
    if len(lines) < count:
        raise LogDamaged(f"{path} of the audit log has fewer records than the log")
    return File(path, b"".join(b"%b\n" % line for line in lines[:count]))


def records(folder: Path, since: int, size: int) -> Iterator[tuple[int, bytes]]:
    """Number and content of each record that is not erased."""
    for index in bundles(since, size):
        found = contents(folder, index, size)
        lines = [] if found is None else found.octets.split(b"\n")[:-1]
        for number, line in enumerate(lines, start=index * TILE_WIDTH):
            if number >= since and line != ERASED:
                yield number, line.partition(b" ")[2]


def _octets(folder: Path, path: str) -> bytes | None:
    try:
        return (folder / path).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LogDamaged(f"{path} of the audit log in {folder} cannot be read: {error.strerror}") from error


def _must(folder: Path, path: str) -> bytes:
    octets = _octets(folder, path)
    if octets is None:
        raise LogDamaged(f"{path} of the audit log in {folder} is not there")
    return octets
