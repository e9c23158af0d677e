"""The audit log without what writes it: how fast records are committed to, appended, and verified again.

One process does one after the other, in batches as a gateway would, on a disk. Called by ``workloads``,
on the gateway's route alone, though no gateway is in it.
"""

import contextlib
import io
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.audit import leaf, verify
from strongroom.audit.checkpoint import Checkpoint, Signer, sign
from strongroom.audit.tiles import TILE_WIDTH, Edge, File, content_path

BATCH = 2 * TILE_WIDTH
CONTENT = b'{"record":"' + b"x" * 400 + b'"}'
"""As long as a record of a statement with its text and a few columns."""


def audit_records(records: int) -> Mapping[str, float]:
    """Appends so many records, with what a checkpoint after each batch takes; then verifies all of them."""
    records = max(BATCH, records // BATCH * BATCH)
    signer = Signer("bench.example/audit", Ed25519PrivateKey.generate())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        appending = _append(folder, signer, records // BATCH)
        before = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            assert verify.main([name, "--key", str(signer.key)]) == 0
        verifying = time.perf_counter() - before
    return {
        "audit log: records committed to and appended, a second": records / appending,
        "audit log: records verified, a second": records / verifying,
    }


def _append(folder: Path, signer: Signer, batches: int) -> float:
    """Seconds that hashing and signing took: writing is another's."""
    edge, spent = Edge(), 0.0
    for batch in range(batches):
        before = time.perf_counter()
        committed = leaf.commit([CONTENT] * BATCH)
        appended = edge.append(committed.entries)
        edge = appended.edge
        note = sign(Checkpoint(signer.name, edge.size, edge.root), [signer])
        partial = edge.partial()
        spent += time.perf_counter() - before
        lines = committed.lines
        contents = [
            File(content_path((batch * BATCH + at) // TILE_WIDTH), b"".join(lines[at : at + TILE_WIDTH]))
            for at in range(0, BATCH, TILE_WIDTH)
        ]
        last = (*partial, File("checkpoint", note)) if batch == batches - 1 else ()
        _write(folder, (*appended.files, *contents, *last))
    return spent


def _write(folder: Path, files: Iterable[File]) -> None:
    for file in files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.octets)
