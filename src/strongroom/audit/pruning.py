"""Prunes the log: what is before a minimum index is deleted, and the rest verifies as it did.

C2SP tlog-tiles, "Pruning": tiles and bundles of entries that end at the minimum index or before may be gone;
with them go their contents. ``minimum`` in the log's folder says so to those who read the log. It is no
evidence: who verifies says himself from where on there must be records. Killed anywhere it is done again from
the beginning, which finds less to do. Called by `ageing` and by ``strongroom audit``.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from strongroom.audit.contents import Contents
from strongroom.audit.erasing import time_of
from strongroom.audit.leaf import Content
from strongroom.audit.minimum import MINIMUM, minimum_of
from strongroom.audit.tiles import TILE_HEIGHT, TILE_WIDTH
from strongroom.keys.new_file import sync_folder

_LEVELS = 8
"""Of 2^63 records."""


def prunable(log: Contents, until: int, *, older: int | None, kept: int | None, since: int = 0) -> int:
    """Up to which record the log can be pruned: whole bundles, in milliseconds ``older`` than is asked for.

    What is before ``since`` is known to be prunable.

    Each record in them is erased, or made before ``kept``, where contents are kept for a time. What is wrong
    stays: it is evidence.
    """
    start = max(since, minimum_of(log.folder)) // TILE_WIDTH
    for bundle in range(start, min(until, log.size) // TILE_WIDTH):
        for one in log.bundle(bundle):
            time = time_of(one)
            is_old = kept is not None and time is not None and time < kept
            is_asked = older is None or (time is not None and time < older)
            if one.state is not Content.ERASED and not (one.state is Content.RIGHT and is_old and is_asked):
                return bundle * TILE_WIDTH
    return max(start, min(until, log.size) // TILE_WIDTH) * TILE_WIDTH


def prune(log: Path, minimum: int) -> Iterator[None]:
    """Deletes what is before it, a file at a time."""
    if minimum_of(log) < minimum:
        _say(log, minimum)
    yield from _delete(log / "content", minimum // TILE_WIDTH)
    yield from _delete(log / "tile" / "entries", minimum // TILE_WIDTH)
    for level in range(_LEVELS):
        yield from _delete(log / "tile" / str(level), minimum >> TILE_HEIGHT * (level + 1))


def _say(log: Path, minimum: int) -> None:
    """On the disk before anything is deleted: a reader never misses what nothing says was pruned."""
    fresh = log / f"{MINIMUM}.new"
    with fresh.open("w") as file:
        file.write(f"{minimum}\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(log / MINIMUM)
    sync_folder(log)


def _delete(folder: Path, before: int, above: int = 0) -> Iterator[None]:
    """Files of these numbers, partial ones that were left of them, and folders in which nothing is left."""
    try:
        found = sorted(os.scandir(folder), key=lambda one: one.name)
    except FileNotFoundError:
        return
    for one in found:
        digits = one.name.removeprefix("x").partition(".")[0]
        if len(digits) != 3 or not digits.isdecimal():
            continue
        number = above * 1000 + int(digits)
        if one.name.startswith("x"):
            if number * 1000 < before:
                yield from _delete(Path(one.path), before, number)
                _remove_empty(Path(one.path))
        elif number < before:
            _remove(Path(one.path))
            yield


def _remove(path: Path) -> None:
    """A file, or a folder of partial ones."""
    if path.is_dir():
        for one in path.iterdir():
            one.unlink(missing_ok=True)
        _remove_empty(path)
    else:
        path.unlink(missing_ok=True)


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):  # it is not empty
        folder.rmdir()
