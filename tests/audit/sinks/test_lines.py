"""audit/sinks/lines.py and follower.py: records as lines in a file, in order, none left out."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from tests.audit.making import signer
from tests.audit.test_log import records

from strongroom.audit.log import Log
from strongroom.audit.sinks.follower import Follower
from strongroom.audit.sinks.lines import LinesSink
from strongroom.errors import LogRolledBack, SinkRefused, SinkUnreachable
from strongroom.testing.waiting import wait_until

SIGNER = signer()
PROGRAM = """\
import sys
from pathlib import Path
from tests.audit.sinks.test_lines import sink_of
while True:
    sink_of(Path(sys.argv[1]), limit=int(sys.argv[2]), keep=1000).send()
"""


def grow(folder: Path, count: int) -> None:
    """So many records more."""
    with closing(Log.open(folder / "log", [SIGNER])) as log:
        log.append(records(log.size, count))


def sink_of(folder: Path, limit: int = 1 << 30, keep: int = 10) -> LinesSink:
    follower = Follower(folder / "log", "siem", [SIGNER.key])
    return LinesSink(follower, folder / "audit.jsonl", limit=limit, keep=keep)


def written(folder: Path) -> list[bytes]:
    """All lines, the oldest file first."""
    files = sorted(folder.glob("audit.jsonl*"), key=lambda one: -int(one.suffix[1:].replace("jsonl", "0")))
    return [line for one in files for line in one.read_bytes().splitlines()]


def test_each_record_once_and_in_order(tmp_path: Path) -> None:
    """Whatever was there when it looked; the file is not for everybody's eyes."""
    total = 0
    for count in (0, 1, 255, 1, 700):
        grow(tmp_path, count)
        total += count
        sink = sink_of(tmp_path)
        sink.begin()
        assert sink.send() == total
    assert written(tmp_path) == records(0, total)
    assert not (tmp_path / "audit.jsonl").stat().st_mode & 0o007


def test_it_rotates(tmp_path: Path) -> None:
    """At its size, and the oldest go."""
    for _ in range(8):
        grow(tmp_path, 100)
        sink_of(tmp_path, limit=1000, keep=3).send()
    assert sorted(one.name for one in tmp_path.glob("audit.jsonl*")) == [
        "audit.jsonl",
        "audit.jsonl.1",
        "audit.jsonl.2",
        "audit.jsonl.3",
    ]
    assert written(tmp_path) == records(400, 400)


def test_it_is_killed(tmp_path: Path) -> None:
    """Wherever it is: each record is there at least once, in order, and every line is whole."""
    grow(tmp_path, 20_000)
    follower = Follower(tmp_path / "log", "siem", [SIGNER.key])
    for turn in range(4):
        command = [sys.executable, "-c", PROGRAM, str(tmp_path), "20000"]
        process = subprocess.Popen(command)
        before = turn * 3000
        wait_until(lambda: follower.sent() > before, "it is under way")  # noqa: B023  # called here alone
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with (tmp_path / "audit.jsonl").open("ab") as file:
            file.write(b'{"number":')  # what a kill in the midst of a line leaves
    assert sink_of(tmp_path, 20_000, 1000).send() == 20_000
    found = written(tmp_path)
    first_seen = list(dict.fromkeys(found))
    assert first_seen == records(0, 20_000)


def test_erased_records_are_left_out(tmp_path: Path) -> None:
    """And those after them come."""
    grow(tmp_path, 300)
    file = tmp_path / "log" / "content" / "000"
    lines = file.read_bytes().splitlines()
    file.write_bytes(b"\n".join([*lines[:100], *[b"-"] * 156, b""]))
    (tmp_path / "log" / "content" / "001").unlink()
    assert sink_of(tmp_path).send() == 300
    assert written(tmp_path) == records(0, 100)
    assert Follower(tmp_path / "log", "siem", [SIGNER.key]).sent() == 300


def test_what_cannot_be_written(tmp_path: Path) -> None:
    """A folder, a place that is not there, a disk that is full: the position stays where it was."""
    grow(tmp_path, 10)
    (tmp_path / "audit.jsonl").mkdir()
    with pytest.raises(SinkRefused):
        sink_of(tmp_path).begin()
    (tmp_path / "audit.jsonl").rmdir()
    (tmp_path / "audit.jsonl").symlink_to(tmp_path / "absent" / "file")
    with pytest.raises(SinkRefused):
        sink_of(tmp_path).begin()
    with pytest.raises(SinkUnreachable):
        sink_of(tmp_path).send()
    (tmp_path / "audit.jsonl").unlink()
    (tmp_path / "audit.jsonl").symlink_to("/dev/full")
    with pytest.raises(SinkRefused):
        sink_of(tmp_path).begin()
    (tmp_path / "audit.jsonl").unlink()
    assert sink_of(tmp_path).send() == 10


def test_fewer_records_than_were_sent(tmp_path: Path) -> None:
    """The log was put back to another day, and the position was not."""
    grow(tmp_path, 10)
    shutil.copytree(tmp_path / "log", tmp_path / "old")
    grow(tmp_path, 10)
    sink_of(tmp_path).send()
    (tmp_path / "log" / "sent").rename(tmp_path / "old" / "sent")
    shutil.rmtree(tmp_path / "log")
    (tmp_path / "old").rename(tmp_path / "log")
    with pytest.raises(LogRolledBack):
        sink_of(tmp_path).begin()
