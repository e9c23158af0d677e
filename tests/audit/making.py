"""Logs for tests, made as the log's writer makes them, and held in memory: path by path."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.audit import leaf, proof, verify
from strongroom.audit.checkpoint import Checkpoint, Kind, Signer, cosign, sign
from strongroom.audit.tiles import TILE_WIDTH, Edge, File, Tile, content_path

ORIGIN = "gateway.example/audit"
NOON = 1_795_435_200  # 2026-11-23T12:00:00Z


def signer(name: str = ORIGIN, kind: Kind = Kind.LOG, seed: int = 1) -> Signer:
    """A key that is the same each time."""
    return Signer(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32), kind)


WITNESSES = tuple(signer(f"witness.example/{one}", Kind.WITNESS, 10 + one) for one in range(3))


class One(NamedTuple):
    """A record that was committed to."""

    entry: bytes
    line: bytes


def each(committed: leaf.Committed) -> list[One]:
    """One by one."""
    return [One(*pair) for pair in zip(committed.entries, committed.lines, strict=True)]


@dataclass(slots=True)
class Log:
    """A log's files, its right edge, and what each of its records was."""

    signer: Signer = field(default_factory=signer)
    files: dict[str, bytes] = field(default_factory=dict)
    edge: Edge = field(default_factory=Edge)
    committed: list[One] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)

    def append(self, contents: Sequence[bytes]) -> None:
        """Records, without a checkpoint yet."""
        committed = leaf.commit(contents)
        appended = self.edge.append(committed.entries)
        self.edge = appended.edge
        self.committed += each(committed)
        self.contents += contents
        self._keep(appended.files)
        for bundle in range(-(-self.edge.size // TILE_WIDTH)):
            lines = self.committed[TILE_WIDTH * bundle : TILE_WIDTH * (bundle + 1)]
            self.files[content_path(bundle)] = b"".join(one.line for one in lines)

    def publish(self, witnesses: Sequence[Signer] = WITNESSES) -> bytes:
        """The partial files, and a checkpoint with cosignatures."""
        self._keep(self.edge.partial())
        note = sign(Checkpoint(self.signer.name, self.edge.size, self.edge.root), [self.signer])
        for witness in witnesses:
            note = cosign(note, witness, NOON)
        self.files["checkpoint"] = note
        return note

    def tiles(self, path: proof.Path) -> dict[Tile, bytes]:
        """The tiles that a proof takes."""
        return {tile: self.files[tile.path] for tile in proof.needed(path, self.edge.size)}

    def proof(self, index: int, *, line: bytes | None = None) -> bytes:
        """The file that proves one record; with another line than its own, where one is given."""
        path = proof.inclusion(index, self.edge.size)
        hashes = proof.prove(path, self.edge.size, self.tiles(path))
        one = self.committed[index]
        shown = one.line[:-1] if line is None else line
        return proof.write_proof(index, hashes, self.files["checkpoint"], one.entry, shown)

    def write(self, folder: Path) -> None:
        """All of it, as files."""
        for path, octets in self.files.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(octets)

    def _keep(self, files: Sequence[File]) -> None:
        for file in files:
            assert self.files.get(file.path, file.octets) == file.octets, "a file of a log never changes"
            self.files[file.path] = file.octets


def make(count: int, *, seed: int = 1, batch: int = 300) -> Log:
    """A published log of so many records."""
    log = Log(signer(seed=seed))
    contents = [b'{"record":%d}' % index for index in range(count)]
    for start in range(0, count, batch):
        log.append(contents[start : start + batch])
    log.publish()
    return log


def opened(files: dict[str, bytes]) -> verify.Source:
    """As ``verify.py`` reads a log."""

    def source(path: str) -> BinaryIO | None:
        return BytesIO(files[path]) if path in files else None

    return source


def trust(*, quorum: int = 3, seed: int = 1) -> verify.Trust:
    """The keys of ``make``'s logs and its witnesses."""
    keys = [verify.Key.parse(str(signer(seed=seed).key))]
    return verify.Trust(keys, [verify.Key.parse(str(one.key)) for one in WITNESSES], quorum)
