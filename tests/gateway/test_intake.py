"""gateway/intake.py and outbox.py: records from several workers, kept though anybody is killed."""

import asyncio
import resource
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.audit.test_log import contents, run_verify

from strongroom.gateway.outbox import Outbox
from strongroom.testing.waiting import wait_until

PROGRAM = """\
import asyncio, signal, socket, sys
from pathlib import Path
from strongroom.audit.log import Log
from strongroom.gateway.intake import Intake, Pace
from tests.audit.making import signer

async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    intake = Intake(Log.open(Path(sys.argv[1]), [signer()]), Pace(float(sys.argv[3]), 0.05))
    listener = socket.socket(fileno=int(sys.argv[2]))
    async def told():
        await stop.wait()
        return 5.0

    await intake.serve(listener, lambda: print("ready", flush=True), told())

asyncio.run(main())
"""


class Process:
    """A recorder in a process of its own."""

    def __init__(self, folder: Path, batch: float = 0.005) -> None:
        self.log, self.socket = folder / "log", folder / "s"
        self.batch = batch
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.socket))
        self.listener.listen()
        self.start()

    def start(self) -> None:
        number = self.listener.fileno()
        command = [sys.executable, "-c", PROGRAM, str(self.log), str(number), str(self.batch)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, pass_fds=[number])
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(by)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.process.wait()


@pytest.fixture
def recorder() -> Iterator[Process]:
    """In a folder with a short name: that of a Unix socket has 107 octets at most."""
    with tempfile.TemporaryDirectory(prefix="sr-") as folder:
        made = Process(Path(folder))
        yield made
        if made.process.poll() is None:
            made.end(signal.SIGKILL)
        made.listener.close()


async def connected(path: Path) -> tuple[Outbox, asyncio.Task[None]]:
    outbox = Outbox(path, 0.001)
    return outbox, asyncio.create_task(outbox.run())


async def ended(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_what_two_workers_send(recorder: Process) -> None:
    """All of it is in the log, each one's in its order, and the log is whole."""
    asyncio.run(what_two_workers_send(recorder))


async def what_two_workers_send(recorder: Process) -> None:
    ways = [await connected(recorder.socket) for _ in range(2)]
    for number in range(3000):
        for worker, (outbox, _) in enumerate(ways):
            outbox.record(b"%d:%d" % (worker, number))
        if number % 100 == 0:
            await asyncio.sleep(0)
    for outbox, _ in ways:
        await outbox.kept(3000)
        assert outbox.waiting_bytes == 0
    await ended(*(task for _, task in ways))
    assert recorder.end() == 0
    found = contents(recorder.log)
    for worker in (0, 1):
        assert [one for one in found if one.startswith(b"%d:" % worker)] == [
            b"%d:%d" % (worker, number) for number in range(3000)
        ]
    run_verify(recorder.log)


def test_the_recorder_is_killed(recorder: Process) -> None:
    """Another takes up the log: nothing that was confirmed is lost, and nothing is there twice."""
    asyncio.run(the_recorder_is_killed(recorder))


async def the_recorder_is_killed(recorder: Process) -> None:
    outbox, task = await connected(recorder.socket)
    for turn in range(6):
        for number in range(500):
            outbox.record(b"%d" % (turn * 500 + number))
        await outbox.kept(turn * 500 + 100)
        await asyncio.to_thread(recorder.end, signal.SIGKILL)
        await asyncio.to_thread(recorder.start)
    await outbox.kept(3000)
    await ended(task)
    assert recorder.end() == 0
    assert contents(recorder.log) == [b"%d" % number for number in range(3000)]
    run_verify(recorder.log)


def test_somebody_waits() -> None:
    """A record that somebody waits for takes the others with it, however long these could wait."""
    asyncio.run(somebody_waits())


async def somebody_waits() -> None:
    with tempfile.TemporaryDirectory(prefix="sr-") as folder:
        recorder = Process(Path(folder), batch=3600.0)
        outbox, task = await connected(recorder.socket)
        first = outbox.record(b"first")
        await outbox.kept(outbox.record(b"second", urgent=True))
        await outbox.kept(first)
        await ended(task)
        assert recorder.end() == 0
        recorder.listener.close()
        assert contents(recorder.log) == [b"first", b"second"]


def test_a_checkpoint_follows(recorder: Process) -> None:
    """Though nothing else comes."""
    asyncio.run(a_checkpoint_follows(recorder))


async def a_checkpoint_follows(recorder: Process) -> None:
    outbox, task = await connected(recorder.socket)
    await outbox.kept(outbox.record(b"one"))
    checkpoint = recorder.log / "checkpoint"
    await asyncio.to_thread(wait_until, lambda: checkpoint.read_text().split("\n")[1] == "1", "it is covered")
    await ended(task)


def test_it_is_killed_after_all_was_settled(recorder: Process) -> None:
    """The journal has none of a worker's records any more, and it is known how many they were."""
    asyncio.run(it_is_killed_after_all_was_settled(recorder))


async def it_is_killed_after_all_was_settled(recorder: Process) -> None:
    outbox, task = await connected(recorder.socket)
    for number in range(3):
        await outbox.kept(outbox.record(b"%d" % number))
    settled = recorder.log / "settled"
    for turn in range(2):
        before = recorder.log / "journal"
        await asyncio.to_thread(wait_until, settled.exists, "it is settled")
        await asyncio.to_thread(recorder.end, signal.SIGKILL)
        assert before.exists()
        await asyncio.to_thread(recorder.start)
        async with asyncio.timeout(20):
            await outbox.kept(outbox.record(b"%d" % (3 + turn)))
    await ended(task)
    assert recorder.end() == 0
    assert contents(recorder.log) == [b"%d" % number for number in range(5)]


def test_what_cannot_be_written_at_all(recorder: Process) -> None:
    """It ends, and does not stand there deaf: another finds out what is wrong."""
    asyncio.run(what_cannot_be_written_at_all(recorder))


async def what_cannot_be_written_at_all(recorder: Process) -> None:
    outbox, task = await connected(recorder.socket)
    outbox.record(b"a\nb")
    assert await asyncio.to_thread(recorder.process.wait, 30) == 1
    assert recorder.process.stdout is not None
    recorder.process.stdout.close()
    await ended(task)


def test_a_disk_that_is_full_for_a_time(recorder: Process) -> None:
    """Nothing is confirmed meanwhile, and all of it once there is room."""
    asyncio.run(a_disk_that_is_full_for_a_time(recorder))


async def a_disk_that_is_full_for_a_time(recorder: Process) -> None:
    outbox, task = await connected(recorder.socket)
    await outbox.kept(outbox.record(b"before"))
    assert recorder.process.stdout is not None
    unlimited = resource.prlimit(recorder.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(recorder.process.pid, resource.RLIMIT_FSIZE, (1000, unlimited[1]))
    numbers = [outbox.record(b"%d" % number) for number in range(1000)]
    assert "audit-log-unwritable" in await asyncio.to_thread(recorder.process.stdout.readline)
    assert outbox.waiting_bytes > 0
    resource.prlimit(recorder.process.pid, resource.RLIMIT_FSIZE, unlimited)
    await outbox.kept(numbers[-1])
    await ended(task)
    assert recorder.end() == 0
    assert contents(recorder.log) == [b"before", *(b"%d" % number for number in range(1000))]
