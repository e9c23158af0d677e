"""Programs in temporary folders: started as who may run them, and gone whatever happens."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from strongroom.errors import ServerFailed
from strongroom.testing import processes
from strongroom.testing.processes import Temporary, free_port, give_away, listens, runner, start

WAITING = "import signal\nprint('on', flush=True)\nwhile True: signal.pause()"
STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WAITING


@dataclass(slots=True, eq=False)
class Sleeper(Temporary):
    """A Python that waits, in a folder of its own."""

    folder: Path
    _process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls, text: str = WAITING, made: list[Path] | None = None) -> "Sleeper":
        """One that is ready when it has printed so; its folder is noted."""
        sleeper = cls(Path(tempfile.mkdtemp()))
        with sleeper._starting():
            if made is not None:
                made.append(sleeper.folder)
            with sleeper.log.open("ab") as log:
                sleeper._process = subprocess.Popen(
                    [sys.executable, "-c", text], stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            sleeper._wait_until(lambda: "on\n" in sleeper.log.read_text(), "the sleeper")
        return sleeper

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """What runs."""
        assert self._process is not None
        return self._process


def test_it_is_gone_at_the_end() -> None:
    """Neither the process nor the folder is left, and to stop it again is harmless."""
    with Sleeper.start() as sleeper:
        process = sleeper.process
        assert psutil.pid_exists(process.pid)
    assert process.returncode == -signal.SIGTERM
    assert not sleeper.folder.exists()
    sleeper.stop()


def test_an_error_inside_is_no_reason_to_stay() -> None:
    """Nor does the end hide the error."""
    with pytest.raises(KeyError, match="inside"), Sleeper.start() as sleeper:
        raise KeyError("inside")
    assert not sleeper.folder.exists()


def test_what_does_not_start_is_told_and_removed() -> None:
    """With the end of what it wrote; one that ends before it is ready is not waited for."""
    made: list[Path] = []
    with pytest.raises(ServerFailed, match="the sleeper did not start") as failed:
        Sleeper.start("import os; print('no such setting in', os.getcwd())", made=made)
    assert "no such setting" in failed.value.detail
    assert [folder.exists() for folder in made] == [False]


def test_a_program_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """After it had its time."""
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.1)
    sleeper = Sleeper.start(STUBBORN)
    process = sleeper.process
    sleeper.stop()
    assert process.returncode == -signal.SIGKILL


def test_a_program_may_be_ended_by_another_signal() -> None:
    """Its folder stays for the next start; what has ended already is no error."""
    with Sleeper.start() as sleeper:
        process = sleeper.process
        sleeper.shut_down(signal.SIGQUIT)
        assert process.returncode == -signal.SIGQUIT
        assert sleeper.folder.exists()
        sleeper.shut_down()


def test_ports() -> None:
    """A free port has nobody on it; one that somebody took listens."""
    port = free_port()
    assert not listens(port)
    with socket.create_server(("127.0.0.1", port)):
        assert listens(port)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs programs as another user")
def test_root_gives_its_programs_to_another_user(tmp_path: Path) -> None:
    """And their files; links are given themselves, not what they lead to."""
    user = runner()
    assert user is not None
    assert user.pw_uid != 0
    outside = tmp_path / "outside"
    outside.touch()
    (tmp_path / "given" / "inner").mkdir(parents=True)
    (tmp_path / "given" / "link").symlink_to(outside)
    give_away(tmp_path / "given")
    assert (tmp_path / "given" / "inner").stat().st_uid == user.pw_uid
    assert (tmp_path / "given" / "link").lstat().st_uid == user.pw_uid
    assert outside.stat().st_uid == 0
    with (tmp_path / "out").open("wb") as out:
        assert start(["/usr/bin/id", "-u"], Path("/"), out).wait() == 0
    assert (tmp_path / "out").read_text().strip() == str(user.pw_uid)


def test_a_program_sees_nothing_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No password of the developer's reaches a server of the tests."""
    monkeypatch.setenv("PGPASSWORD", "geheim")
    with (tmp_path / "out").open("wb") as out:
        assert start(["/usr/bin/env"], Path("/"), out).wait() == 0
    assert "geheim" not in (tmp_path / "out").read_text()
