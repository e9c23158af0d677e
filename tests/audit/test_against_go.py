"""Other implementations of the same standards: Go's checksum database, and transparency.dev's.

tests/audit/go is a program of theirs. It verifies what we write, and we verify what it writes.
"""

import json
import os
import shutil
import subprocess
from base64 import b64encode
from pathlib import Path

import pytest
from tests.audit.making import NOON, WITNESSES, Log, make, signer
from tests.conftest import CACHE, missing

from strongroom.audit import verify
from strongroom.audit.proof import consistency, prove
from strongroom.audit.tiles import Edge, Tile
from strongroom.audit.tree import EMPTY_ROOT

LOG_KEY, WITNESS_KEY = str(signer().key), str(WITNESSES[1].key)
PROGRAM = CACHE / "tlog"


def tlog(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs the program; where go is not installed, the test is skipped, in CI too."""
    if shutil.which("go") is None and not PROGRAM.exists():
        pytest.skip("go is not on this machine: nothing to hold the audit log against")
    if not PROGRAM.exists():
        missing("the program of tests/audit/go")
    command = [str(PROGRAM), *map(str, arguments)]
    environment = {"PATH": os.environ["PATH"]}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100, env=environment)


def answer(*arguments: str | Path) -> dict[str, object]:
    """What the program says, where it finds nothing wrong."""
    done = tlog(*arguments)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def large() -> Log:
    """A log of three levels of tiles, with a witness's cosignature."""
    log = make(70_000, batch=7_001)
    log.publish(WITNESSES[1:2])
    return log


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 700])
def test_they_verify_our_logs(size: int, tmp_path: Path) -> None:
    """Checkpoint, cosignature, tiles and bundles; and that the log goes on from a checkpoint of yesterday."""
    log = make(max(1, size // 2))
    (tmp_path / "older").write_bytes(log.files["checkpoint"])
    log.append([b"more"] * (size - log.edge.size))
    log.publish(WITNESSES[1:2])
    log.write(tmp_path / "log")
    found = answer("verify", tmp_path / "log", LOG_KEY, WITNESS_KEY, tmp_path / "older")
    assert found == {"size": size, "root": b64encode(log.edge.root).decode(), "witnessed": NOON}


def test_they_verify_a_large_log_of_ours(large: Log, tmp_path: Path) -> None:
    """The same with 70,000 entries; and what they find wrong is wrong indeed."""
    large.write(tmp_path / "log")
    (tmp_path / "older").write_bytes(large.files["checkpoint"])
    arguments = ("verify", tmp_path / "log", LOG_KEY, WITNESS_KEY, tmp_path / "older")
    assert answer(*arguments)["size"] == 70_000
    tile = tmp_path / "log" / "tile" / "1" / "001.p" / "17"
    octets = tile.read_bytes()
    tile.write_bytes(bytes([octets[0] ^ 1]) + octets[1:])
    assert tlog(*arguments).returncode == 1
    tile.write_bytes(octets)
    (tmp_path / "older").write_bytes(make(300).files["checkpoint"])
    done = tlog(*arguments)
    assert (done.returncode, "consistency" in done.stderr) == (1, True)


@pytest.mark.parametrize("index", [0, 1, 255, 256, 65_535, 65_536, 69_999])
def test_they_verify_our_proofs(large: Log, tmp_path: Path, index: int) -> None:
    """A proof of one record: the file, the hashes, the checkpoint, and the commitment as the spec has it."""
    (tmp_path / "one").write_bytes(large.proof(index))
    found = answer("proof", tmp_path / "one", LOG_KEY)
    assert found == {"index": index, "content": large.contents[index].decode()}
    (tmp_path / "one").write_bytes(large.proof(index, line=large.committed[index ^ 2].line[:-1]))
    assert "commits to another content" in tlog("proof", tmp_path / "one", LOG_KEY).stderr


@pytest.mark.parametrize(
    ("old", "new"), [(1, 2), (3, 7), (4, 7), (255, 256), (256, 600), (300, 600), (599, 600)]
)
def test_they_verify_our_proofs_of_consistency(old: int, new: int) -> None:
    """That one tree is the beginning of another; and not of it where a hash is another."""
    entries = [b"%d" % number for number in range(new)]
    roots = [b64encode(Edge().append(entries[:size]).edge.root).decode() for size in (old, new)]
    appended = Edge().append(entries)
    files = {file.path: file.octets for file in (*appended.files, *appended.edge.partial())}
    tiles = [Tile(level, index, width) for level in range(2) for index in range(3) for width in range(1, 257)]
    held = {tile: files[tile.path] for tile in tiles if tile.path in files}
    proof = [b64encode(one).decode() for one in prove(consistency(old, new), new, held)]
    assert answer("consistent", str(old), roots[0], str(new), roots[1], *proof) == {"from": old, "to": new}
    wrong = [b64encode(EMPTY_ROOT).decode(), *proof[1:]]
    assert tlog("consistent", str(old), roots[0], str(new), roots[1], *wrong).returncode == 1


def test_we_verify_a_log_of_theirs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A log that Tessera wrote, with entries of any length, a witness's signature, and a proof of theirs."""
    made = answer("make", tmp_path, "70000")
    keys = ["--key", str(made["key"]), "--witness", str(made["witness"])]
    assert verify.main([str(tmp_path), *keys]) == 0
    shown = capsys.readouterr().out
    assert "70000 entries" in shown
    assert "cosigned by witness.example/go" in shown
    assert verify.main(["--proof", str(tmp_path / "one.tlog-proof"), *keys]) == 0
    bundle = tmp_path / "tile" / "entries" / "200"
    octets = bundle.read_bytes()
    bundle.write_bytes(octets[:-1] + bytes([octets[-1] ^ 1]))
    assert verify.main([str(tmp_path), *keys]) == 1
    assert "tile/entries/200: entry 51455 is not the one that was logged" in capsys.readouterr().err
    shutil.rmtree(tmp_path)
