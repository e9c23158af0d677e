"""gateway/recorder.py and recorder_process.py: the recorder of a real gateway, and what becomes of it."""

import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.gateway.serving import configuration, logged, workers

from strongroom.errors import ServerFailed
from strongroom.testing.gateway import Gateway
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until

ORIGIN = "gateway.example/test"


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
