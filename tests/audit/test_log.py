"""audit/log.py: a real folder, real kills, and a log that `verify.py` finds whole."""

import os
import resource
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.audit.making import signer

from strongroom.audit.checkpoint import verify
from strongroom.audit.log import Log
from strongroom.audit.tiles import TILE_WIDTH, Edge, bundle_path, split_bundle
from strongroom.errors import CheckpointInvalid, LogDamaged, LogInUse, LogRolledBack, LogUnwritable

SIGNER, FRESH, STRANGER = signer(), signer(seed=2), signer("example.org/other", seed=3)


def records(first: int, count: int) -> list[bytes]:
    return [b'{"number":%d}' % number for number in range(first, first + count)]


def contents(folder: Path) -> list[bytes]:
    """All records that stand in a log's folder, without their salts."""
    files = sorted((folder / "content").rglob("*"), key=str)
    lines = [line for one in files if one.is_file() for line in one.read_bytes().splitlines()]
    return [line.partition(b" ")[2] for line in lines]


def checkpoint(folder: Path) -> tuple[int, bytes]:
    signed = verify((folder / "checkpoint").read_bytes(), [SIGNER.key]).checkpoint
    return signed.size, signed.root


def run_verify(folder: Path) -> str:
    """What the program that an auditor has says of a log."""
    program = Path(__file__).parents[2] / "src" / "strongroom" / "audit" / "verify.py"
    command = [sys.executable, str(program), str(folder), "--key", str(SIGNER.key)]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def filled(folder: Path, count: int, *, each: int = 100) -> None:
    """A log with so many records, closed."""
    log = Log.open(folder, [SIGNER])
    for first in range(log.size, count, each):
        log.append(records(first, min(each, count - first)))
        log.flush()
        log.publish()
    log.close()


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 1000])
def test_it_grows_and_is_taken_up_again(tmp_path: Path, count: int) -> None:
    """Whatever its size, with what was published and what was not."""
    filled(tmp_path, count)
    log = Log.open(tmp_path, [SIGNER])
    assert (log.size, log.published) == (count, count)
    log.append(records(count, 300))
    assert (log.size, log.published) == (count + 300, count)
    log.publish()
    log.close()
    assert checkpoint(tmp_path)[0] == count + 300
    assert contents(tmp_path) == records(0, count + 300)
    run_verify(tmp_path)


def test_one_at_a_time(tmp_path: Path) -> None:
    """Two processes with one log would make two histories of it."""
    log = Log.open(tmp_path, [SIGNER])
    with pytest.raises(LogInUse):
        Log.open(tmp_path, [SIGNER])
    log.close()
    Log.open(tmp_path, [SIGNER]).close()


def test_what_a_source_has_sent(tmp_path: Path) -> None:
    """It is known after a start, too, so that nothing is written twice."""
    log = Log.open(tmp_path, [SIGNER])
    log.append(records(0, 3), "worker-a", 3)
    log.append(records(3, 2), "worker-b", 2)
    log.append(records(5, 1), "worker-a", 4)
    log.flush()
    abandon(log)
    log = Log.open(tmp_path, [SIGNER])
    assert [log.heard_of(one) for one in ("worker-a", "worker-b", "worker-c")] == [4, 2, 0]
    log.close()


def abandon(log: Log) -> None:
    """As a kill leaves it: nothing is written any more, and the lock is free."""
    log._journal.close()
    os.close(log._lock)


WRITER = """\
import sys
from pathlib import Path
from strongroom.audit.log import Log
from tests.audit.making import signer
log = Log.open(Path(sys.argv[1]), [signer()])
turn = 0
while True:
    turn += 1
    first = log.size
    log.append([b'{"number":%d}' % number for number in range(first, first + 1 + turn * 37 % 150)])
    log.flush()
    print(log.size, flush=True)
    if turn % 2 == 0:
        log.publish()
    if turn % 7 == 0:
        log.turn()
        log.settle()
"""


def test_killed_again_and_again(tmp_path: Path) -> None:
    """No acknowledged record is lost, and each signed head is the beginning of what follows."""
    acknowledged, heads = 0, list[tuple[int, bytes]]()
    for turn in range(12):
        command = [sys.executable, "-c", WRITER, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _, line in zip(range(3 + secrets.randbelow(30)), writer.stdout, strict=False):
                acknowledged = int(line)
            writer.send_signal(signal.SIGKILL)
            acknowledged = max([acknowledged, *map(int, writer.stdout.read().splitlines()[:-1])])
        if (tmp_path / "checkpoint").exists():
            heads.append(checkpoint(tmp_path))
        if turn % 4 == 3:
            log = Log.open(tmp_path, [SIGNER])
            assert log.size >= acknowledged
            log.close()
            assert contents(tmp_path) == records(0, log.size)
            run_verify(tmp_path)
            for size, root in heads:
                assert replayed(tmp_path, size) == root
    assert len(heads) == 12


def replayed(folder: Path, size: int) -> bytes:
    """The root of a log's first records, hashed anew from its entries."""
    entries: list[bytes] = []
    for index in range(-(-size // TILE_WIDTH)):
        width = min(TILE_WIDTH, checkpoint(folder)[0] - index * TILE_WIDTH)
        entries += split_bundle((folder / bundle_path(index, width)).read_bytes())
    return Edge().append(entries[:size]).edge.root


def test_the_machine_stops_and_the_files_are_not_there(tmp_path: Path) -> None:
    """What was written since it last settled may be missing, cut or empty: the journal has it."""
    log = Log.open(tmp_path, [SIGNER])
    log.append(records(0, 700))
    log.turn()
    log.settle()
    log.append(records(700, 900))
    log.publish()
    head = checkpoint(tmp_path)
    log.append(records(1600, 10))
    log.flush()
    abandon(log)
    later = ("tile/0/*", "tile/entries/*", "content/00[3-9]")
    for path in [path for pattern in later for path in tmp_path.glob(pattern)]:
        if path.is_file() and int(path.name) >= 3:
            path.write_bytes(b"") if int(path.name) % 2 else path.unlink()
    kept = (tmp_path / "content" / "002").read_bytes().splitlines(keepends=True)
    (tmp_path / "content" / "002").write_bytes(b"".join(kept[: 700 - 512]))
    log = Log.open(tmp_path, [SIGNER])
    assert log.size == 1610
    log.close()
    assert contents(tmp_path) == records(0, 1610)
    assert replayed(tmp_path, head[0]) == head[1]
    run_verify(tmp_path)


def test_a_full_disk(tmp_path: Path) -> None:
    """What cannot be written is refused and not half there; once there is room all goes on."""
    log = Log.open(tmp_path, [SIGNER])
    log.append(records(0, 10))
    log.flush()
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
        with pytest.raises(LogUnwritable):
            log.append(records(10, 500))
        assert log.size == 10
        log.append(records(10, 3))
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        with pytest.raises(LogUnwritable):
            log.publish()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    log.append(records(13, 400))
    log.close()
    assert contents(tmp_path) == records(0, 413)
    run_verify(tmp_path)


def test_a_log_that_is_not_what_was_signed(tmp_path: Path) -> None:
    """Cut off, put back, of another origin or key: nothing is written to it."""
    filled(tmp_path / "log", 300)
    shutil.copytree(tmp_path / "log", tmp_path / "before")
    log = Log.open(tmp_path / "log", [SIGNER])
    log.append(records(300, 100))
    log.publish()
    abandon(log)

    def copied() -> Path:
        shutil.rmtree(tmp_path / "copy", ignore_errors=True)
        return Path(shutil.copytree(tmp_path / "log", tmp_path / "copy"))

    folder = copied()
    for one in (folder / "journal").iterdir():
        one.unlink()
    with pytest.raises(LogDamaged, match="300 records left of the 400"):
        Log.open(folder, [SIGNER])
    folder = copied()
    for one in (folder / "journal").iterdir():
        one.write_bytes(one.read_bytes().replace(b'"number":333', b'"number":334'))
    with pytest.raises(LogDamaged):
        Log.open(folder, [SIGNER])
    with pytest.raises(LogRolledBack, match="has 300 records, and had 400"):
        Log.open(tmp_path / "before", [SIGNER], known=400)
    for other in (FRESH, STRANGER):
        with pytest.raises(CheckpointInvalid):
            Log.open(copied(), [other])
    with pytest.raises(LogDamaged, match="is of origin"):
        Log.open(copied(), [STRANGER], former=[SIGNER.key])


def test_a_key_follows_another(tmp_path: Path) -> None:
    """Both sign for a time; then the former one only verifies what it signed."""
    filled(tmp_path, 10)
    log = Log.open(tmp_path, [SIGNER, FRESH])
    log.append(records(10, 10))
    log.close()
    for key in (SIGNER.key, FRESH.key):
        assert verify((tmp_path / "checkpoint").read_bytes(), [key]).checkpoint.size == 20
    log = Log.open(tmp_path, [FRESH], former=[SIGNER.key])
    log.append(records(20, 10))
    log.close()
    assert verify((tmp_path / "checkpoint").read_bytes(), [FRESH.key]).checkpoint.size == 30


def test_sequences_of_publishing(tmp_path: Path) -> None:
    """One by one or in large batches, the tree is the same."""
    sizes: Sequence[int] = [1, 2, 253, 1, 255, 513, 7]
    log = Log.open(tmp_path, [SIGNER])
    for size in sizes:
        log.append(records(log.size, size))
        log.publish()
    assert log.publish() is None
    log.close()
    assert contents(tmp_path) == records(0, sum(sizes))
    assert not list(tmp_path.glob("tile/0/000.p"))
    run_verify(tmp_path)


def test_no_folder(tmp_path: Path) -> None:
    """What stands there already is named, and left as it is."""
    (tmp_path / "file").write_text("something")
    with pytest.raises(LogUnwritable, match="cannot be a folder for the audit log"):
        Log.open(tmp_path / "file", [SIGNER])
    assert (tmp_path / "file").read_text() == "something"
