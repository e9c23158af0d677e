"""Processes of the test kit: started as a user that may run them, waited for, ended.

PostgreSQL and pgbouncer refuse to run as root; then they run as ``postgres`` or ``nobody``. Used by
``servers`` and ``pgbouncer``.
"""

import contextlib
import os
import pwd
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from strongroom.errors import ServerFailed

START_SECONDS = 60
STOP_SECONDS = 20


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, seconds: float = START_SECONDS) -> None:
    """Returns when something accepts connections on 127.0.0.1; raises ``ServerFailed`` when nothing does."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise ServerFailed(f"nothing listens on port {port} after {seconds:g} s")


def runner() -> pwd.struct_passwd | None:
    """The user that servers run as when we are root; None when we are not."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise ServerFailed("there is neither a user postgres nor nobody, and PostgreSQL does not run as root")


def start(command: Sequence[str | Path], folder: Path, output: int | IO[bytes]) -> subprocess.Popen[bytes]:
    """Starts a program in ``folder`` with both its outputs in ``output``."""
    user = runner()
    return subprocess.Popen(  # noqa: S603  # programs that this module found
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"},
        user=user.pw_uid if user else None,
        group=user.pw_gid if user else None,
        extra_groups=[] if user else None,
        start_new_session=True,  # Ctrl-C is for us; we then stop the server in order
    )


def give_away(folder: Path) -> None:
    """Everything in the folder belongs to whom the server runs as."""
    user = runner()
    if user is None:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
