"""Erases contents of records: their files are written anew without them.

A file in which nothing is left goes as a whole. Both are safe wherever they are killed: a file is there as
it was or as it is to be. Of records at the right edge the journal still has the lines, and a start may write
them again; so who calls this keeps to records before the settled size (`log`), and to the file at the edge
only where nobody writes to it meanwhile. Called by `ageing`.
"""

import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from strongroom.audit.contents import Contents, Kept
from strongroom.audit.leaf import ERASED, Content, erase
from strongroom.audit.tiles import TILE_WIDTH, content_path
from strongroom.keys.new_file import sync_folder

_TIME = re.compile(rb'"time":(0|[1-9][0-9]{0,14})(?![0-9.eE])')
"""In a string a quote has a backslash before it, so this is the key, in records of any version."""


def erase_in(log: Path, bundle: int, places: Collection[int]) -> int:
    """Erases these places of a bundle's file of contents; returns how many contents were there."""
    path = log / content_path(bundle)
    try:
        *lines, rest = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return 0
    there = sum(at < len(lines) and lines[at] != ERASED for at in places)
    if there:
        _write(path, erase(lines, frozenset(places)), rest)
    return there


def _write(path: Path, lines: Sequence[bytes], rest: bytes) -> None:
    """``rest`` is what follows the last newline: of a record that was not acknowledged."""
    if len(lines) == TILE_WIDTH and not rest and all(line == ERASED for line in lines):
        path.unlink()
    else:
        fresh = path.with_name(f"{path.name}.new")
        with fresh.open("wb") as file:
            file.write(b"".join(b"%b\n" % line for line in lines) + rest)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    sync_folder(path.parent)


def expired(log: Contents, bundle: int, before: int) -> frozenset[int]:
    """Places of a bundle's records that are older, in milliseconds; what is wrong is evidence, and stays.

    A record that says no time, as none of ours does, goes with the others of its file.
    """
    right = [kept for kept in log.bundle(bundle) if kept.state is Content.RIGHT]
    times = {kept.number % TILE_WIDTH: time_of(kept) for kept in right}
    known = [time for time in times.values() if time is not None]
    latest = max(known, default=before)
    return frozenset(place for place, time in times.items() if (latest if time is None else time) < before)


def time_of(kept: Kept) -> int | None:
    """When a record was made, as it says itself, in milliseconds."""
    found = _TIME.search(kept.octets)
    return None if found is None else int(found[1])
