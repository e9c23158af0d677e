"""Secrets do not print."""

import traceback

from strongroom.secret import Secret


def test_a_secret_does_not_print() -> None:
    """No way of printing shows the text."""
    secret = Secret("hunter2")
    shown = f"{secret} {secret!r} {secret!s} {[secret]}"
    try:
        raise RuntimeError(secret)
    except RuntimeError as error:
        shown += "".join(traceback.format_exception(error))
    assert "hunter2" not in shown
    assert "<Secret>" in shown


def test_a_secret_is_revealed_by_name() -> None:
    """The text comes out by danger_reveal alone."""
    assert Secret("hunter2").danger_reveal() == "hunter2"


def test_secrets_compare_by_text() -> None:
    """Two secrets of the same text are equal, also as keys, and none equals its text."""
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert {Secret("a"): 1}[Secret("a")] == 1
