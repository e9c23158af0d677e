"""What is to be taken away from the log, and what was taken away and is not recorded yet.

A file of JSON for each, in ``asked/`` of the log's folder. A command puts one there, whoever holds the log
(`ageing`) goes through with it, and what is done stays until there is a record of it in the log. The file
says who asked and how much, and once it is done nothing of what it was. A file that is not of this form,
or another user's, is passed over and named: it keeps none of the others from being done. Called by
``strongroom audit``, `ageing` and the supervisor's ``gateway/logbook.py``.
"""

import json
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from strongroom.audit.records.encoding import GREATEST
from strongroom.audit.records.shared import Holder
from strongroom.errors import LogDamaged, LogUnwritable
from strongroom.keys.new_file import sync_folder

FOLDER = "asked"
LARGEST = 16 << 20
"""Octets of a file: some 700,000 runs of numbers."""
Say = Callable[[str], None]
"""Hears what was passed over, and why."""
Run = tuple[int, int]
"""The first and the last of numbers that follow each other."""


class What(StrEnum):
    """What is asked for."""

    ERASE = "erase"
    """Contents of records, by their numbers."""
    KEEP = "keep"
    """Contents that are older than the configuration says: nobody asks, the recorder notes what it did."""
    PRUNE = "prune"
    """All that is before a number."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Something to take away, and who wants it."""

    what: What
    who: str
    kind: Holder
    time: int
    """Milliseconds: when it was asked for."""
    records: int
    """How many are meant; of `What.KEEP`, how many were erased."""
    numbers: tuple[Run, ...] = ()
    """What is still to be erased."""
    limit: int = 0
    """Of `What.PRUNE` the number before which, of `What.KEEP` the time before which."""
    done: bool = False


def runs(numbers: Iterable[int]) -> tuple[Run, ...]:
    """Numbers, in any order, as runs."""
    found: list[Run] = []
    for number in sorted(set(numbers)):
        if found and found[-1][1] == number - 1:
            found[-1] = found[-1][0], number
        else:
            found.append((number, number))
    return tuple(found)


def put(log: Path, asked: Asked) -> str:
    """Asks for it, for good once this returns; the name under which it stands. Raises ``LogUnwritable``."""
    name = f"{time.time_ns():020}-{secrets.token_hex(4)}.json"
    replace(log, name, asked)
    return name


def replace(log: Path, name: str, asked: Asked) -> None:
    """It stands otherwise now; all of the old or all of the new, whenever the machine stops."""
    folder = log / FOLDER
    fresh = folder / f"{name}.new"
    octets = json.dumps(asdict(asked)).encode()
    if len(octets) > LARGEST:
        raise LogUnwritable("these are too many records for one go: ask for fewer at a time")
    try:
        _make(folder)
        fresh.unlink(missing_ok=True)
        how = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(fresh, how, 0o600), "wb") as file:
            _hand_over(file.fileno(), folder)
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(folder / name)
        sync_folder(folder)
    except OSError as error:
        raise LogUnwritable(f"{folder} cannot be written: {error.strerror}") from error


def drop(log: Path, names: Sequence[str]) -> None:
    """They are in the log. One that cannot be deleted keeps no other; then this raises ``OSError``."""
    failed = None
    for name in names:
        try:
            (log / FOLDER / name).unlink(missing_ok=True)
        except OSError as error:
            failed = error
    if failed is not None:
        raise failed
    if names:
        sync_folder(log / FOLDER)


def standing(log: Path, say: Say) -> Iterator[tuple[str, Asked]]:
    """All that there is, the oldest first; ``say`` hears of each file that is not of this form.

    Raises ``LogDamaged`` where the folder itself cannot be read.
    """
    try:
        with os.scandir(log / FOLDER) as found:
            names = sorted(one.name for one in found if one.name.endswith(".json"))
    except FileNotFoundError:
        return
    except OSError as error:
        raise LogDamaged(f"{FOLDER} beside the audit log cannot be read: {error.strerror}") from error
    for name in names:
        try:
            asked = _read(log, name)
        except FileNotFoundError:
            continue
        except _Unusable as error:
            say(f"{FOLDER}/{name}: {error}")
            continue
        yield name, asked


def is_done(log: Path, name: str) -> bool:
    """Whether it was gone through with: then it says so, or is in the log and here no more."""
    try:
        return _read(log, name).done
    except FileNotFoundError:
        return True
    except _Unusable:
        return False


def once(say: Say) -> Say:
    """Says each thing once: a file that is passed over stays, and is passed over each second."""
    said: set[str] = set()

    def say_once(what: str) -> None:
        if what not in said and len(said) < _SAID_AT_MOST:
            said.add(what)
            say(what)

    return say_once


_SAID_AT_MOST = 1000

# ---------------------------------------------------------------------------------------- whose it is


def _make(folder: Path) -> None:
    """By root, such as under sudo, for whoever has the log: a gateway that is not root must read it."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return
    _hand_over(folder, folder.parent)


def _hand_over(made: int | Path, like: Path) -> None:
    """To the owner of ``like``, where root made it; no link is followed, which that owner may have laid."""
    if os.geteuid() == 0:
        owner = like.stat()
        if isinstance(made, int):
            os.fchown(made, owner.st_uid, owner.st_gid)
        else:
            os.chown(made, owner.st_uid, owner.st_gid, follow_symlinks=False)


# ------------------------------------------------------------------------------------------ reading it


class _Unusable(Exception):
    """The file is passed over; why is all that it says."""


def _read(log: Path, name: str) -> Asked:
    """Raises ``FileNotFoundError``, and `_Unusable`; it waits for nothing, whatever stands there."""
    path = log / FOLDER / name
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _refuse_others(os.fstat(descriptor), log)
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                octets = file.read(LARGEST + 1)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _Unusable(f"it cannot be read: {error.strerror}") from error
    if len(octets) > LARGEST:
        raise _Unusable("it is too large")
    try:
        return _asked(json.loads(octets))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _Unusable("it says nothing that can be done") from error


def _refuse_others(found: os.stat_result, log: Path) -> None:
    """The log's owner is ours where root reads it: who has the log's folder can do all this by himself."""
    if not stat.S_ISREG(found.st_mode):
        raise _Unusable("it is no file")
    if found.st_uid not in {0, os.geteuid(), log.stat().st_uid}:
        raise _Unusable("it is another user's")


def _asked(found: Any) -> Asked:
    """Raises ``ValueError``, ``KeyError`` and ``TypeError``."""
    counts = [_count(found[one]) for one in ("time", "records", "limit")]
    numbers = tuple((_count(first), _count(last)) for first, last in found["numbers"])
    if not (isinstance(found["who"], str) and isinstance(found["done"], bool)):
        raise TypeError
    time, records, limit = counts
    kind, done = Holder(found["kind"]), found["done"]
    return Asked(What(found["what"]), found["who"], kind, time, records, numbers, limit, done)


def _count(found: object) -> int:
    """A record has no greater numbers (RFC 8785)."""
    if type(found) is not int or not 0 <= found <= GREATEST:
        raise TypeError
    return found
