"""What was done is in the audit log, which verifies; one changed octet, and it does not. A step of the story.

The log is one of a public standard: one file of ours verifies it on a machine with nothing else, and so do
programs of others.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from strongroom.errors import ServerFailed
from strongroom.testing.gateway import Gateway
from strongroom.testing.waiting import wait_until

AUDIT = {"log": "audit", "origin": "demo.example/audit"}


def summary(gateway: Gateway) -> str:
    """The record of the intern's try, in short."""
    folder = gateway.folder / AUDIT["log"]
    wait_until(lambda: _refusals(folder) and _covers(folder), "what the intern tried is in the log")
    record = json.loads(_refusals(folder)[-1][1].partition(" ")[2])
    text, code = record["query_info"]["query_string"], record["status_detail"]
    return f"{record['actor']['user']['name']} from {record['src_endpoint']['ip']}: {text}: {code}"


def changed_and_found(gateway: Gateway, quote: Callable[[str, str], None]) -> tuple[str, str]:
    """What `audit verify` says of the log, and of a copy in which one name in a record was changed."""
    folder = gateway.folder / AUDIT["log"]
    quote("strongroom audit verify", "cyan")
    whole = gateway.command("audit", "verify").strip()
    copy = shutil.copytree(folder, gateway.folder / "copy")
    file, line = _refusals(copy)[-1]
    octets = file.read_bytes()
    file.write_bytes(octets.replace(line.encode(), line.replace("intern", "extern", 1).encode()))
    try:
        return whole, gateway.command("audit", "verify", "--log", str(copy))
    except ServerFailed as error:
        said = error.detail.strip().splitlines()
        return whole, next(one for one in reversed(said) if "wrong" in one)


def _refusals(folder: Path) -> list[tuple[Path, str]]:
    """Records of the intern's statements that were denied, and the files that have them."""
    files = sorted(one for one in (folder / "content").rglob("*") if one.is_file())
    return [(file, line) for file in files for line in file.read_text().splitlines() if _is_theirs(line)]


def _is_theirs(line: str) -> bool:
    return '"event_code":"statement.denied"' in line and '"name":"intern"' in line


def _covers(folder: Path) -> bool:
    """Whether the checkpoint covers all that stands in the contents."""
    files = [one for one in (folder / "content").rglob("*") if one.is_file()]
    return int((folder / "checkpoint").read_text().split("\n")[1]) >= sum(
        len(one.read_text().splitlines()) for one in files
    )
