"""Processes of the test kit: started as a user that may run them, waited for, ended.

PostgreSQL and pgbouncer refuse to run as root; then they run as ``postgres`` or ``nobody``. Used by
``servers``, ``pgbouncer`` and ``gateway``.
"""

import atexit
import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, ClassVar, Self

from strongroom.errors import ServerFailed

START_SECONDS = 60
STOP_SECONDS = 20


class Temporary:
    """A program in a temporary folder, both gone at the end of a ``with``, or of this process."""

    __slots__ = ("_process",)
    folder: Path
    _process: subprocess.Popen[bytes] | None
    _ends_by: ClassVar[signal.Signals] = signal.SIGTERM

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def log(self) -> Path:
        """What the program has written."""
        return self.folder / "log"

    def shut_down(self, how: signal.Signals | None = None) -> None:
        """Ends the program, keeps the folder; killed if it does not end in time."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how or self._ends_by)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        process.kill()
        process.wait()

    def stop(self) -> None:
        """Ends the program and removes the folder; harmless when done twice."""
        self.shut_down()
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.stop)

    @contextlib.contextmanager
    def _starting(self) -> Iterator[None]:
        """Whatever goes wrong inside, nothing is left behind."""
        atexit.register(self.stop)
        try:
            yield
        except BaseException:
            self.stop()
            raise

    def _wait_until(self, is_ready: Callable[[], bool], what: str) -> None:
        """Returns when the program is ready; raises ``ServerFailed`` with the end of its log otherwise."""
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if is_ready():
                return
            time.sleep(0.02)
        raise ServerFailed(f"{what} did not start", detail=self.log.read_text(errors="replace")[-2000:])


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether something accepts connections on 127.0.0.1."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


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
