"""What people are asked for; tests/cli/test_password.py has the terminal."""

import io
from datetime import timedelta

import pytest
import typer

from strongroom.cli.asking import ask_new_password, ask_secret, duration
from strongroom.secret import Secret

DAYS = timedelta(days=90)


@pytest.mark.parametrize(
    ("text", "time"),
    [("30m", timedelta(minutes=30)), ("24h", timedelta(days=1)), ("7d", timedelta(days=7)), ("2160h", DAYS)],
)
def test_times(text: str, time: timedelta) -> None:
    """A number and a unit, up to a limit."""
    assert duration(text, DAYS) == time


@pytest.mark.parametrize("text", ["", "24", "h", "0d", "01h", "-1h", "1w", "1h30m", "91d", "9999999m", "１h"])
def test_what_is_no_time(text: str) -> None:
    """Wrong use."""
    with pytest.raises(typer.BadParameter):
        duration(text, DAYS)


def test_lines_of_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """One for each question, without its end; spaces belong to it."""
    monkeypatch.setattr("sys.stdin", io.StringIO(" pass word \r\n123 456\n"))
    assert ask_new_password() == Secret(" pass word ")
    assert ask_secret("Code: ") == Secret("123 456")
    with pytest.raises(typer.BadParameter, match="code: nothing was given"):
        ask_secret("Code: ")
