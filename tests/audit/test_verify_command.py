"""audit/verify.py as a command: one file, on a folder, a URL or a proof."""

import gzip
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from tests.audit.making import ORIGIN, WITNESSES, Log, make, signer

from strongroom.audit import verify
from strongroom.audit.checkpoint import Kind, cosign
from strongroom.audit.tiles import Edge
from strongroom.audit.verify import main

SIZE = 256 * 3 + 10
PROGRAM = Path(verify.__file__)
KEY = str(signer().key)


@pytest.fixture(scope="module")
def log() -> Log:
    """A log with whole and partial tiles on two levels."""
    return make(SIZE)


def run(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """The file alone, copied elsewhere, as an auditor runs it."""
    program = folder / "verify.py"
    program.write_bytes(PROGRAM.read_bytes())
    command = [sys.executable, "-I", str(program), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=60)


def test_the_file_alone(log: Log, tmp_path: Path) -> None:
    """Copied to another folder and run without Strongroom it verifies a log, and names what is wrong."""
    log.write(tmp_path / "log")
    witnesses = [word for one in WITNESSES for word in ("--witness", str(one.key))]
    done = run("log", "--key", KEY, *witnesses, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"checkpoint of {ORIGIN}: {SIZE} entries" in done.stdout
    assert "cosigned by witness.example/0 at 2026-11-23T12:00:00+00:00" in done.stdout
    assert f"{SIZE} entries from 0 on, contents of {SIZE} records" in done.stdout
    file = tmp_path / "log" / "content" / "002"
    file.write_bytes(file.read_bytes().replace(b'{"record":600}', b'{"record":601}'))
    done = run("log", "--key", KEY, folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "WRONG  content/002: the content of record 600 is not what was logged\n"


def test_a_proof_alone(log: Log, tmp_path: Path) -> None:
    """A proof needs the program, the key and the one file."""
    (tmp_path / "one.tlog-proof").write_bytes(log.proof(77))
    done = run("--proof", "one.tlog-proof", "--key", KEY, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert 'record 77 is in the log\n{"record":77}\n' in done.stdout


Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], tmp_path: Path, log: Log) -> Command:
    """Runs the program on a log in a folder."""
    log.write(tmp_path)

    def run(*arguments: str, log: str = str(tmp_path)) -> tuple[int, str, str]:
        try:
            status = main([*([log] if log else []), *arguments])
        except SystemExit as exited:
            status = int(exited.code or 0)
        return (status, *capsys.readouterr())

    return run


def test_choices(command: Command, tmp_path: Path) -> None:
    """Witnesses, older checkpoints, contents: each choice has its effect."""
    witness = ["--witness", str(WITNESSES[0].key), "--witness", str(signer("w", Kind.WITNESS, 99).key)]
    assert command("--key", KEY)[0] == 0
    assert "1 of the 2 witnesses asked for" in command("--key", KEY, *witness)[2]
    assert command("--key", KEY, *witness, "--quorum", "1")[0] == 0
    assert command("--key", KEY, "--origin", "other")[0] == 1
    (tmp_path / "older").write_bytes(make(5).files["checkpoint"])
    assert "the first 5 entries are not" in command("--key", KEY, "--since", str(tmp_path / "older"))[2]
    (tmp_path / "content" / "001").unlink()
    assert "erased contents of 256 records: 256-511" in command("--key", KEY)[1]
    assert command("--key", KEY, "--complete")[0] == 1
    assert "erased" not in command("--key", KEY, "--log-only")[1]
    assert "522 entries from 256 on" in command("--key", KEY, "--minimum-index", "300")[1]


@pytest.mark.parametrize(
    "arguments",
    [[], ["--key", "nonsense"], ["--key", KEY, "--proof", "x"], ["--key", KEY, "--quorum", "many"]],
)
def test_wrong_use(command: Command, arguments: list[str]) -> None:
    """Wrong use has a status of its own, so that nobody takes it for a verdict."""
    assert command(*arguments)[0] == 2


def test_files_that_are_not_there(command: Command) -> None:
    """A folder, proof or older checkpoint that is not there is no log that verifies."""
    assert command("--key", KEY, log="/nowhere")[2] == "WRONG  checkpoint: it is not there\n"
    assert command("--key", KEY, "--proof", "/nowhere", log="")[0] == 1
    assert command("--key", KEY, "--since", "/nowhere")[0] == 1


def test_what_cannot_be_read(command: Command, tmp_path: Path) -> None:
    """Something else in the place of a file is named as such."""
    (tmp_path / "tile" / "0" / "001").unlink()
    (tmp_path / "tile" / "0" / "001").mkdir()
    assert command("--key", KEY)[2] == "WRONG  tile/0/001: it cannot be read (IsADirectoryError)\n"


def test_nothing_moves_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A content's control characters are spelt out; a time beyond the calendar is its end."""
    log = make(1)
    log.append([b"\x1b[2J\xff\xc2\x9b"])
    log.edge = Edge().append([one.entry for one in log.committed]).edge
    note = log.publish([])
    log.files["checkpoint"] = cosign(note, WITNESSES[0], (1 << 64) - 1)
    (tmp_path / "proof").write_bytes(log.proof(1))
    arguments = ["--proof", str(tmp_path / "proof"), "--key", KEY, "--witness", str(WITNESSES[0].key)]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "\\x1b[2J\\xff\\x9b" in shown
    assert "9999-12-31T23:59:59+00:00" in shown


class Serving(BaseHTTPRequestHandler):
    """A log over HTTP, compressed if asked; ``broken`` sends cut files, ``failing`` errors."""

    def __init__(self, files: dict[str, bytes], manner: str, *arguments: object) -> None:
        self.files, self.manner = files, manner
        super().__init__(*arguments)  # type: ignore[arg-type]  # as the server passes them on

    def do_GET(self) -> None:
        octets = self.files.get(self.path.removeprefix("/log/"))
        if self.manner == "failing" and "tile" in self.path:
            self.send_error(503)
        elif octets is None:
            self.send_error(404)
        else:
            self._answer(octets)

    def _answer(self, octets: bytes) -> None:
        self.send_response(200)
        if self.manner in {"gzip", "broken"}:
            octets = gzip.compress(octets)
            self.send_header("Content-Encoding", "gzip")
        if self.manner == "broken" and "tile" in self.path:
            octets = octets[:-9]
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)

    def log_message(self, *_: object) -> None:
        """Nothing: a test's output is its own."""


@pytest.fixture(params=["plain", "gzip", "broken", "failing"])
def served(log: Log, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """The manner, and the URL of a log that is served so."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Serving, log.files, request.param)) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield request.param, f"http://127.0.0.1:{server.server_port}/log/"
        server.shutdown()
        thread.join()


def test_over_a_url(served: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """A log is verified over HTTP, compressed or not; what does not arrive whole does not verify."""
    manner, url = served
    status = main([url, "--key", KEY])
    shown = capsys.readouterr()
    if manner in {"plain", "gzip"}:
        assert (status, shown.err) == (0, "")
        assert f"{SIZE} entries from 0 on, contents of {SIZE} records" in shown.out
    else:
        assert status == 1
        assert "WRONG  tile/0/003.p/10: it cannot be read" in shown.err
