"""Proofs out of a log's folder: of one record, and that the log of today has that of another day in it.

The hashes are read from tiles as `proof` asks for them; nothing is verified here but what a proof would show
wrongly. Called by ``strongroom audit``.
"""

from collections.abc import Iterable
from pathlib import Path

from strongroom.audit import proof
from strongroom.audit.checkpoint import Checkpoint, VerifierKey, verify
from strongroom.audit.leaf import ERASED
from strongroom.audit.log import CHECKPOINT
from strongroom.audit.minimum import minimum_of
from strongroom.audit.tiles import TILE_WIDTH, Tile, bundle_path, content_path, split_bundle
from strongroom.audit.tree import HASH_BYTES
from strongroom.errors import LogDamaged, RecordsPruned, RecordUnknown


def head(folder: Path, keys: Iterable[VerifierKey]) -> tuple[bytes, Checkpoint]:
    """The log's checkpoint as it was signed; raises ``LogDamaged`` or ``CheckpointInvalid``."""
    note = _read(folder, CHECKPOINT)
    return note, verify(note, keys).checkpoint


def prove_record(folder: Path, keys: Iterable[VerifierKey], index: int) -> bytes:
    """A file that shows that this record is in the log; raises ``RecordUnknown`` or ``LogDamaged``."""
    note, checkpoint = head(folder, keys)
    if not 0 <= index < checkpoint.size:
        raise RecordUnknown(f"the log has the records 0 to {checkpoint.size - 1}, and not {index}")
    _refuse_pruned(folder, index, f"record {index} cannot be proven any more")
    bundle, place = divmod(index, TILE_WIDTH)
    entries = split_bundle(_partial_or_whole(folder, bundle, checkpoint.size))
    path = proof.inclusion(index, checkpoint.size)
    hashes = _hashes(folder, path, checkpoint.size)
    return proof.write_proof(index, hashes, note, entries[place], _line(folder, bundle, place))


def prove_growth(folder: Path, old: Checkpoint, new: Checkpoint) -> int:
    """How many hashes show that the one is the beginning of the other; raises ``ProofInvalid``.

    ``new`` is the log's own, or one that it has grown beyond.
    """
    if old.size:
        _refuse_pruned(folder, old.size, f"what follows {old.size} records cannot be proven any more")
    hashes = () if old.size > new.size else _hashes(folder, proof.consistency(old.size, new.size), new.size)
    proof.verify_consistency(old.size, old.root, new.size, new.root, hashes)
    return len(hashes)


def _refuse_pruned(folder: Path, index: int, words: str) -> None:
    """C2SP tlog-tiles, "Pruning": of what is before the minimum index there may be no proofs any more."""
    if index < (minimum := minimum_of(folder)):
        raise RecordsPruned(f"{words}: the log was pruned before {minimum}")


def _hashes(folder: Path, path: proof.Path, size: int) -> tuple[bytes, ...]:
    return proof.prove(path, size, {tile: _tile(folder, tile) for tile in proof.needed(path, size)})


def _tile(folder: Path, tile: Tile) -> bytes:
    """A partial tile may have been deleted once the whole one was there (C2SP tlog-tiles)."""
    if (folder / tile.path).is_file():
        return _read(folder, tile.path)
    return _read(folder, Tile(tile.level, tile.index).path)[: tile.width * HASH_BYTES]


def _partial_or_whole(folder: Path, bundle: int, size: int) -> bytes:
    path = bundle_path(bundle, min(TILE_WIDTH, size - bundle * TILE_WIDTH))
    return _read(folder, path if (folder / path).is_file() else bundle_path(bundle))


def _line(folder: Path, bundle: int, place: int) -> bytes:
    """The record's content, as far as it was not erased."""
    path = folder / content_path(bundle)
    if not path.exists():
        return ERASED
    lines = path.read_bytes().split(b"\n")
    if place >= len(lines) - 1:
        raise LogDamaged(f"{content_path(bundle)} of the audit log has fewer records than the log")
    return lines[place]


def _read(folder: Path, path: str) -> bytes:
    try:
        return (folder / path).read_bytes()
    except OSError as error:
        raise LogDamaged(f"{path} of the audit log in {folder} cannot be read: {error.strerror}") from error
