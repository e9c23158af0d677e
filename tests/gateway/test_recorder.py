"""gateway/recorder.py and recorder_process.py: the recorder of a real gateway, and what becomes of it."""

import asyncio
import contextlib
import errno
import fcntl
import os
import shutil
import signal
import socket
import sqlite3
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.audit.test_log import contents
from tests.gateway.serving import configuration, logged, workers

from strongroom.audit.records.codes import Record
from strongroom.audit.records.reading import read
from strongroom.audit.records.statements import Permitted
from strongroom.errors import ServerFailed
from strongroom.gateway import recorder_process
from strongroom.gateway.metrics import Metrics
from strongroom.gateway.recorder_process import RecorderProcess
from strongroom.gateway.tasks import Tasks
from strongroom.testing.gateway import Gateway
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until

ORIGIN = "gateway.example/test"
REFUSED = "configuration refused, the old one stays"


def audited(gateway: Gateway) -> None:
    """Has it keep an audit log."""
    gateway.configure(configuration(gateway) | {"audit": {"log": "audit", "origin": ORIGIN}})


@pytest.fixture
def gateway(postgres: PostgresServer) -> Iterator[Gateway]:
    """With an audit log."""
    with Gateway.start(postgres, "postgres", first=audited) as running:
        yield running


def recorder(gateway: Gateway) -> int:
    """The process of it."""
    (found,) = (
        pid
        for pid in workers(gateway)
        if b"strongroom.gateway.recorder" in Path(f"/proc/{pid}/cmdline").read_bytes()
    )
    return found


def stopped(gateway: Gateway) -> None:
    gateway.signal(signal.SIGTERM)
    assert gateway.wait() == 0


def test_it_begins_a_log_and_goes_on_with_it(gateway: Gateway) -> None:
    """Which is sound after the gateway was stopped, signed by a key of the state, and begun once."""
    stopped(gateway)
    first = (gateway.folder / "audit" / "checkpoint").read_text().splitlines()
    assert first[0] == ORIGIN
    gateway.launch()
    stopped(gateway)
    again = (gateway.folder / "audit" / "checkpoint").read_text().splitlines()
    assert again[-1].startswith(f"\N{EM DASH} {ORIGIN} ")
    assert int(again[1]) >= int(first[1])


def test_another_takes_its_place(gateway: Gateway) -> None:
    """Where it was killed; sessions go on meanwhile."""
    before = recorder(gateway)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: len(logged(gateway, "audit log open")) == 2, "another has opened the log")
    assert recorder(gateway) != before
    stopped(gateway)


def test_a_reload_cannot_end_it(gateway: Gateway) -> None:
    """Nor have it begin elsewhere: what was configured at the start is recorded, all the time."""
    before = configuration(gateway)
    elsewhere = before | {"audit": {"log": "other", "origin": ORIGIN}}
    for count, other in enumerate(({key: before[key] for key in before.keys() - {"audit"}}, elsewhere), 1):
        gateway.configure(other)
        gateway.signal(signal.SIGHUP)
        wait_until(partial(refused, gateway, count), "it was refused")
    assert {line["code"] for line in logged(gateway, REFUSED)} == {"audit-changed"}
    with psycopg.connect(gateway.uri(), autocommit=True) as client:
        client.execute("SELECT 42")
    stopped(gateway)
    texts = [one.plan.text for one in records(gateway) if isinstance(one, Permitted)]
    assert "SELECT $1" in texts


def test_workers_that_outlive_their_supervisor(gateway: Gateway) -> None:
    """What a session does while they drain is recorded still."""
    with psycopg.connect(gateway.uri()) as client:
        client.execute("SELECT 41")
        gateway.signal(signal.SIGKILL)
        wait_until(lambda: not accepts(gateway.port), "the workers drain")
        client.execute("SELECT 42 AS later")
    wait_until(lambda: not is_held(gateway.folder / "audit"), "the recorder has ended")
    texts = [one.plan.text for one in records(gateway) if isinstance(one, Permitted)]
    assert "SELECT $1 AS later" in texts


def refused(gateway: Gateway, count: int) -> bool:
    return len(logged(gateway, REFUSED)) == count


def accepts(port: int) -> bool:
    with contextlib.closing(socket.socket()) as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def is_held(folder: Path) -> bool:
    """Whether a recorder has the log."""
    with (folder / "lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def records(gateway: Gateway) -> list[Record]:
    """All that is in its log."""
    return [read(one) for one in contents(gateway.folder / "audit")]


def test_a_log_that_cannot_be_gone_on_with(gateway: Gateway) -> None:
    """Of another origin, or shorter than it was: nothing is served."""
    stopped(gateway)
    before = configuration(gateway)
    gateway.configure(before | {"audit": {"log": "audit", "origin": "gateway.example/other"}})
    with pytest.raises(ServerFailed) as failed:
        gateway.command("serve")
    assert "audit-log-unusable" in failed.value.detail
    gateway.configure(before)
    with sqlite3.connect(gateway.folder / "state" / "state.db") as state:
        state.execute("INSERT OR REPLACE INTO audit_sizes VALUES (?, 1000000)", (ORIGIN,))
    state.close()
    with pytest.raises(ServerFailed) as failed:
        gateway.command("serve")
    assert "and had 1000000" in failed.value.detail
    shutil.rmtree(gateway.folder / "audit")
    with pytest.raises(ServerFailed) as failed:
        gateway.command("serve")
    assert "audit-log-unusable" in failed.value.detail


def test_two_gateways_with_one_log(gateway: Gateway) -> None:
    """The second does not start."""
    with pytest.raises(ServerFailed) as failed:
        gateway.command("serve")
    assert "another process writes the audit log" in failed.value.detail


READY = """\
import socket, sys
line = socket.socket(fileno=int(sys.argv[1]))
line.sendall(b'{"what": "ready", "size": 0}\\n')
line.recv(1)
"""
"""Instead of a recorder."""


def test_none_can_be_started_for_a_while(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is tried until one is there."""
    monkeypatch.setattr(recorder_process, "RETRY_SECONDS", 0.0)
    real, tries = asyncio.create_subprocess_exec, 0

    async def started_again() -> None:
        again = asyncio.Event()

        async def begun(*arguments: str, **named: Any) -> asyncio.subprocess.Process:
            nonlocal tries
            tries += 1
            if tries in {2, 3}:
                raise BlockingIOError(errno.EAGAIN, "no process can be made")
            (line,) = (one.removeprefix("--line=") for one in arguments if one.startswith("--line="))
            return await real(sys.executable, "-c", READY, line, **named)

        class Noticed(RecorderProcess):
            async def _ready(self) -> None:
                await super()._ready()
                if tries == 4:
                    again.set()

        monkeypatch.setattr(asyncio, "create_subprocess_exec", begun)
        tasks = Tasks()
        recorder = Noticed(tmp_path / "strongroom.yaml", "", tasks, Metrics())
        await recorder.start()
        recorder._process.kill()
        async with asyncio.timeout(60):
            await again.wait()
        await recorder.stop()
        await tasks.cancel_all()

    asyncio.run(started_again())
    assert tries == 4
