"""Waiting for what other processes do: for a condition, with a deadline, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

WAIT_SECONDS = 20.0
_STEP_SECONDS = 0.02


def wait_until(look: Callable[[], Found], what: str, seconds: float = WAIT_SECONDS) -> Found:
    """Return what ``look`` gives once that is true; raises ``AssertionError``, which names ``what``."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds:g} s still not: {what}")
        time.sleep(_STEP_SECONDS)
