"""Waiting for a condition, with a deadline."""

import time

import pytest

from strongroom.testing.waiting import wait_until


def test_it_returns_what_it_found() -> None:
    """As soon as that is true; not before."""
    found = iter([None, 0, "", "here", "later"])
    assert wait_until(lambda: next(found), "something is found") == "here"
    assert next(found) == "later"


def test_it_gives_up_in_time() -> None:
    """And says what it waited for; it looks at least once, however short the time."""
    began = time.monotonic()
    with pytest.raises(AssertionError, match=r"after 0\.05 s still not: the moon is full"):
        wait_until(lambda: False, "the moon is full", 0.05)
    assert time.monotonic() - began < 5
    assert wait_until(lambda: 7, "a number", 0) == 7
