"""gateway/shortening.py, ``strongroom audit erase`` and ``prune``: with a gateway that runs, and without."""

import json
import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from tests.audit.making import signer
from tests.audit.recorded import permitted, written
from tests.audit.test_log import contents
from tests.gateway.serving import configuration
from tests.gateway.test_recorder import ORIGIN, recorder, stopped

from strongroom.audit.log import Log
from strongroom.audit.records.reading import read
from strongroom.audit.records.running import Removal, Removed
from strongroom.audit.records.shared import Holder
from strongroom.audit.records.statements import Permitted
from strongroom.deeds.clock import Leaps
from strongroom.errors import ServerFailed
from strongroom.gateway.shortening import Shortening
from strongroom.testing.gateway import Gateway
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until


def audited(gateway: Gateway) -> None:
    """With an audit log, a place that it goes to, and contents that are kept for a time."""
    lines = {"siem": {"lines": {"file": "audit.jsonl"}}}
    audit = {"log": "audit", "origin": ORIGIN, "keep": "400d", "to": lines}
    gateway.configure(configuration(gateway) | {"audit": audit})


@pytest.fixture
def gateway(postgres: PostgresServer) -> Iterator[Gateway]:
    """Which has recorded some statements."""
    with Gateway.start(postgres, "postgres", first=audited) as running:
        ask(running, 3)
        yield running


def ask(gateway: Gateway, count: int) -> None:
    with psycopg.connect(gateway.uri(), autocommit=True) as client:
        for _ in range(count):
            client.execute("SELECT 42 AS wanted")


def found(gateway: Gateway, kind: type) -> list[object]:
    """Records of this kind whose contents are there."""
    there = (one for one in contents(gateway.folder / "audit") if one)
    return [one for one in map(read, there) if isinstance(one, kind)]


def statements(gateway: Gateway) -> int:
    return len(found(gateway, Permitted))


def test_while_it_runs(gateway: Gateway) -> None:
    """What is at the log's edge, too; by whom and how many is recorded, and not erased itself."""
    wait_until(lambda: statements(gateway) == 3, "they are recorded")
    said = json.loads(gateway.command("audit", "erase", "--event", "statement", "--dry-run", "--json"))
    assert said == {"records": 3, "done": False}
    with pytest.raises(ServerFailed) as failed:
        gateway.command("audit", "erase", "--event", "statement")
    assert "--yes" in failed.value.detail
    said = json.loads(gateway.command("audit", "erase", "--event", "statement", "--yes", "--json"))
    assert said == {"records": 3, "done": True}
    wait_until(lambda: found(gateway, Removed), "it is recorded")
    (removed,) = found(gateway, Removed)
    assert isinstance(removed, Removed)
    assert (removed.removal, removed.records, removed.doer.kind) == (Removal.ERASED, 3, Holder.ADMINISTRATOR)
    assert "@" in removed.doer.name
    said = json.loads(gateway.command("audit", "erase", "--event", "log", "--yes", "--json"))
    assert said["records"] == 0
    ask(gateway, 2)
    stopped(gateway)
    assert statements(gateway) == 2
    report = json.loads(gateway.command("audit", "verify", "--json"))
    assert (report["right"], report["erased"]) == (True, 3)
    octets = b"".join(one.read_bytes() for one in files(gateway))
    assert octets.count(b"AS wanted") == 2


def files(gateway: Gateway) -> list[Path]:
    """Of the log, and its index."""
    log = [one for one in (gateway.folder / "audit").rglob("*") if one.is_file()]
    return [*log, gateway.folder / "audit-index.db"]


def test_while_it_does_not(gateway: Gateway) -> None:
    """The command does it, and the next start records it, once."""
    stopped(gateway)
    assert json.loads(gateway.command("audit", "erase", "0-1", "--yes", "--json"))["done"]
    for _ in range(2):
        gateway.launch()
        wait_until(lambda: found(gateway, Removed), "it is recorded")
        stopped(gateway)
    assert len(found(gateway, Removed)) == 1
    assert not list((gateway.folder / "audit" / "asked").iterdir())


def test_the_recorder_is_killed(gateway: Gateway) -> None:
    """What was asked for is done by the next one, and nothing of it comes back."""
    gateway.command("audit", "erase", "--event", "statement", "--yes")
    os.kill(recorder(gateway), signal.SIGKILL)
    ask(gateway, 1)
    wait_until(lambda: statements(gateway) == 1, "another records")
    stopped(gateway)
    assert json.loads(gateway.command("audit", "verify", "--json"))["erased"] == 3


def test_its_beginning(gateway: Gateway) -> None:
    """Goes where all of it was erased and sent; it verifies from there on, which is said, and recorded."""
    ask(gateway, 700)
    wait_until(lambda: statements(gateway) == 703, "they are recorded")
    with pytest.raises(ServerFailed) as failed:
        gateway.command("audit", "prune", "--before", "512", "--yes")
    assert "neither erased" in failed.value.detail
    gateway.command("audit", "erase", "0-600", "--yes")
    stopped(gateway)
    (gateway.folder / "audit" / "sent" / "siem").rename(gateway.folder / "aside")
    with pytest.raises(ServerFailed) as failed:
        gateway.command("audit", "prune", "--before", "512", "--yes")
    assert "audit.to.siem has" in failed.value.detail
    (gateway.folder / "aside").rename(gateway.folder / "audit" / "sent" / "siem")
    said = json.loads(gateway.command("audit", "prune", "--before", "520", "--yes", "--json"))
    assert said == {"records": 512, "first": 512, "done": True}
    gateway.launch()
    wait_until(lambda: len(found(gateway, Removed)) == 2, "it is recorded")
    ask(gateway, 300)
    stopped(gateway)
    report = json.loads(gateway.command("audit", "verify", "--json"))
    assert (report["right"], report["first"]) == (True, 512)
    assert "from 512 on" in gateway.command("audit", "report", "--month", "2026-11")
    assert not (gateway.folder / "audit" / "tile" / "0" / "001").exists()
    key = json.loads(gateway.command("audit", "keys", "--json"))[-1]["key"]
    elsewhere = ["audit", "verify", "--log", str(gateway.folder / "audit"), "--key", key]
    with pytest.raises(ServerFailed):
        gateway.command(*elsewhere)
    gateway.command(*elsewhere, "--minimum-index", "512")
    with pytest.raises(ServerFailed) as failed:
        gateway.command("audit", "prove", "1", "-o", str(gateway.folder / "one.proof"))
    assert "audit-records-pruned" in failed.value.detail


def test_a_clock_that_leapt(tmp_path: Path) -> None:
    """It is days ahead of the newest record: nothing is erased by it until it is known to be right."""
    written(tmp_path, [permitted()] * 300)
    log = Log.open(tmp_path, [signer()])
    shortening = Shortening(log, [signer().key], lambda: None, timedelta(days=1))
    assert not shortening._step()
    assert len([one for one in contents(tmp_path) if one]) == 300
    shortening._leaps, shortening._due = Leaps(None), 0.0
    shortening._step()
    assert not [one for one in contents(tmp_path) if one]
    log.close()
