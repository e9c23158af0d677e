"""``strongroom keys root make``: what is made here, and what is made elsewhere."""

import os
import pty
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from tests.cli.conftest import Run

from strongroom.testing.softhsm import SoftHsm

Make = Callable[..., Run]


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """A file with nothing to protect."""
    (tmp_path / "state").mkdir(mode=0o700)
    file = tmp_path / "strongroom.yaml"
    database = {"upstream": "postgresql://a@127.0.0.1:1/shop", "listen": "127.0.0.1:6432"}
    file.write_text(yaml.safe_dump({"state": "sqlite:state/state.db", "databases": {"shop": database}}))
    return file


@pytest.fixture
def make(strongroom: Callable[..., Run], configuration: Path) -> Make:
    """Runs the command."""
    return lambda *words: strongroom("keys", "root", "make", *words, "--config", str(configuration))


def test_a_file(make: Make, tmp_path: Path) -> None:
    """For its owner alone, and never over another."""
    (tmp_path / "keys").mkdir(mode=0o700)
    assert make("file:keys/root.key").status == 0
    key = tmp_path / "keys" / "root.key"
    assert key.stat().st_mode & 0o777 == 0o600
    before = key.read_bytes()
    assert "there is a file already" in make("file:keys/root.key").stderr
    assert key.read_bytes() == before
    assert "root-key-unsafe" in make("file:state/root.key").stderr


def test_a_key_in_a_token(make: Make, softhsm: SoftHsm, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made there once; the PIN comes from the environment."""
    label = f"made-{os.urandom(4).hex()}"
    monkeypatch.setenv("TOKEN_URI", softhsm.uri("strongroom", label))
    made = make("pkcs11:${TOKEN_URI}")
    assert made.status == 0, made.stderr
    assert label in made.stdout
    assert "root-refused" in make("pkcs11:${TOKEN_URI}").stderr


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("vault:https://127.0.0.1:8200/transit/strongroom?token=x", "bao write -f transit/keys/strongroom"),
        (f"awskms:arn:aws:kms:eu-central-1:{'1' * 12}:key/x", "aws kms create-key --region eu-central-1"),
        ("kmip:kms.example:5696/1?ca=a&certificate=b&key=c", "AES key of 256 bits"),
        ("passphrase:", "keys root rewrap"),
    ],
)
def test_what_is_made_elsewhere(make: Make, address: str, said: str) -> None:
    """The command to run there, or what there is to know."""
    made = make(address)
    assert made.status == 0
    assert said in made.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["nothing"],
        ["shamir:"],
        ["shamir:0000000a", "--shares", "2/3"],
        ["file:a", "--shares", "2/3"],
        ["file:${NO}"],
    ],
)
def test_wrong_use(make: Make, words: list[str]) -> None:
    """Nothing is made."""
    assert make(*words).status == 2


def test_shares_are_not_shown_to_a_program(make: Make) -> None:
    """Where there is no terminal they would stay in a file."""
    refused = make("shamir:", "--shares", "2/3")
    assert refused.status == 2
    assert "strongroom-share" not in refused.stdout


def test_each_keeper_has_a_screen(configuration: Path) -> None:
    """It is cleared before the next; enough of them enter theirs, and the set is named."""
    command = [sys.executable, "-m", "strongroom", "keys", "root", "make", "shamir:", "--shares", "2/3"]
    pid, terminal = pty.fork()
    if pid == 0:
        environment = {**os.environ, "PYTHONPATH": "src", "TERM": "xterm", "COLUMNS": "200"}
        os.execve(command[0], [*command, "--config", str(configuration)], environment)  # noqa: S606  # ours
    shown = [_until(terminal, "the screen: ", "") for _ in range(3)]
    shares = [found for screen in shown for found in re.findall(r"strongroom-share-1[ 0-9a-f]+", screen)]
    assert len(shares) == len(set(shares)) == 3
    assert all("\x1b[2J" in screen and "\x1b[3J" in screen for screen in shown[1:])
    for share in shares[1:]:
        _until(terminal, "root key: ", share)
    end = _until(terminal, None, "")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert f"second_root: shamir:{shares[0].split()[1]}" in end


def _until(terminal: int, prompt: str | None, answer: str) -> str:
    """What is shown until the prompt, which is answered; or until the end."""
    shown = ""
    while prompt is None or not shown.endswith(prompt):
        try:
            shown += os.read(terminal, 1000).decode()
        except OSError:  # EIO: the program has ended (manual page pty(7))
            assert prompt is None, shown
            return shown
    os.write(terminal, f"{answer}\n".encode())
    return shown
