"""keys/root/credential_file.py: a token in a file."""

import os
from pathlib import Path

import pytest

from strongroom.errors import RootKeyUnsafe, RootRefused
from strongroom.keys.root.credential_file import MAX_SIZE, read_credential


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that its owner alone may read."""
    path = tmp_path / "token"
    path.touch(mode=0o600)
    return path


def test_the_word_in_it(file: Path) -> None:
    """Without the line's end."""
    file.write_text(" s.hush\n")
    assert read_credential(file, "token").danger_reveal() == "s.hush"


@pytest.mark.parametrize("mode", [0o604, 0o606, 0o601, 0o777])
def test_everybody_elses_is_refused(file: Path, mode: int) -> None:
    """The hint is the command that mends it."""
    file.write_text("s.hush")
    file.chmod(mode)
    with pytest.raises(RootKeyUnsafe) as caught:
        read_credential(file, "token")
    assert "chmod o=" in caught.value.hint


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"hush hush", b"hush\nhush", b"h\xffsh", b"h" * (MAX_SIZE + 1)]
)
def test_no_credential(file: Path, content: bytes) -> None:
    """An empty file, or one that holds something else, which is not shown."""
    file.write_bytes(content)
    with pytest.raises(RootRefused) as caught:
        read_credential(file, "token")
    assert "hush" not in caught.value.message.removeprefix(str(file))


def test_no_file(file: Path) -> None:
    """It is named, and so is the reason; nobody waits for a FIFO."""
    file.unlink()
    with pytest.raises(RootRefused, match="No such file"):
        read_credential(file, "token")
    os.mkfifo(file, 0o600)
    with pytest.raises(RootRefused, match="no token"):
        read_credential(file, "token")
