"""A worker process of a test, which is its supervisor; and clients whose log-ins the test admits."""

import json
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from strongroom.gateway.control import LINE_BYTES
from strongroom.testing.raw_client import SECONDS, RawClient
from strongroom.wire.postgres.codec import message

PASSWORD = "right"
DATABASE = "postgres"
START_SECONDS = 60.0
"""For what it says first: a loaded machine takes its time to start a process."""


def said(what: str, **fields: Any) -> bytes:
    """A message of the supervisor's, as it stands on the line."""
    return json.dumps({"what": what, **fields}).encode() + b"\n"


class Worker:
    """The process, and our end of its line."""

    def __init__(
        self,
        folder: Path,
        content: str,
        listener: socket.socket,
        *,
        database: str = DATABASE,
        keks: Sequence[str] = (),
    ) -> None:
        self.log = folder / "log"
        mine, theirs = socket.socketpair()
        mine.settimeout(START_SECONDS)
        with theirs, tempfile.TemporaryFile() as accepted, self.log.open("wb") as log:
            accepted.write(content.encode())
            accepted.seek(0)
            passed = [theirs.fileno(), accepted.fileno(), listener.fileno()]
            line, text, sock = passed
            arguments = [f"--config={folder / 'strongroom.yaml'}", "--number=7", f"--line={line}"]
            arguments += [f"--content={text}", f"--listener={database}={sock}"]
            self.process = subprocess.Popen(
                [sys.executable, "-m", "strongroom.gateway.worker", *arguments],
                pass_fds=passed,
                stdout=log,
                stderr=log,
            )
        self._line = mine
        self.hears("keys", keks=list(keks))  # the supervisor's first word
        self._lines = mine.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()
        self.process.kill()
        self.process.wait(SECONDS)

    def hears(self, what: str, **fields: Any) -> None:
        """Tell it something."""
        self.hears_at_once(said(what, **fields))

    def hears_at_once(self, *lines: bytes) -> None:
        """Tell it several things, which it finds in one piece."""
        self._line.sendall(b"".join(lines))

    def said(self) -> dict[str, Any]:
        """What it says next, but for metrics; nothing once it has hung up, be it with something unread."""
        while True:
            try:
                line = self._lines.readline(LINE_BYTES)
            except ConnectionError:
                return {}
            said = dict(json.loads(line)) if line else {}
            if said.get("what") != "metrics":
                return said

    def hang_up(self) -> None:
        """Be gone."""
        self._lines.close()
        self._line.close()

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The lines of its log that tell of this."""
        lines = [json.loads(one) for one in self.log.read_text().splitlines() if one.startswith("{")]
        return [one for one in lines if one["event"] == event]


def proved(listener: socket.socket, password: str = PASSWORD, database: str = DATABASE) -> RawClient:
    """A client that has said the account's password."""
    client = RawClient.connect(listener.getsockname()[1])
    prove(client, password, database)
    return client


def prove(client: RawClient, password: str = PASSWORD, database: str = DATABASE) -> None:
    """Say the account's password."""
    client.start("app", database)
    scram, first = client.begin_scram(password)
    client.send(message(b"p", scram.final(first)))


def admitted(worker: Worker, refusal: str | None = None) -> None:
    """Answer the worker, which asks for a place, and may have told of other things before."""
    while (asked := worker.said())["what"] in {"release", "catalog"}:
        pass
    assert (asked["what"], asked["account"]) == ("admit", "app")
    worker.hears("admitted", number=asked["number"], refusal=refusal)
