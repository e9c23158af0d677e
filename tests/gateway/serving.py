"""What the tests of a running gateway look at: its processes, its health, its configuration."""

import json
import os
import signal
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import yaml

from strongroom.testing.gateway import Gateway
from strongroom.testing.raw_client import RawClient
from strongroom.testing.waiting import wait_until
from strongroom.wire.postgres import messages as m


def workers(gateway: Gateway) -> list[int]:
    """The processes of the workers."""
    return [int(pid) for pid in Path(f"/proc/{gateway.pid}/task/{gateway.pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def resident(pid: int) -> int:
    """The octets of memory that a process has resident."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def stop(pid: int) -> None:
    """Hold a process still, and wait until it is."""
    os.kill(pid, signal.SIGSTOP)
    stat = Path(f"/proc/{pid}/stat")
    wait_until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", "the process holds still")


def go_on(pid: int) -> None:
    """Let it go on."""
    os.kill(pid, signal.SIGCONT)


def health(gateway: Gateway, path: str = "/healthz") -> tuple[int, dict[str, Any]]:
    """Status and state that the endpoint gives."""
    try:
        with urlopen(f"http://127.0.0.1:{gateway.health_port}{path}", timeout=5) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"{}")


def connections(gateway: Gateway) -> int:
    """How many sessions the gateway counts."""
    return int(health(gateway)[1]["connections"])


def configuration(gateway: Gateway) -> dict[str, Any]:
    """The configuration as it stands in the file."""
    read = yaml.safe_load(gateway.configuration.read_text())
    assert isinstance(read, dict)
    return read


def logged(gateway: Gateway, event: str) -> list[dict[str, Any]]:
    """The lines of this event in the log."""
    lines = (json.loads(line) for line in gateway.log.read_text().splitlines() if line.startswith("{"))
    return [line for line in lines if line["event"] == event]


def logged_in(gateway: Gateway, version: int = m.PROTOCOL_3_2, **parameters: str) -> RawClient:
    """A raw client with a session."""
    client = RawClient.connect(gateway.port)
    who = gateway.account
    client.log_in(who.name, who.password, gateway.database, version, **parameters)
    return client
