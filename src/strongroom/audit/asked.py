"""What is to be taken away from the log, and what was taken away and is not recorded yet.

A file of JSON for each, in ``asked/`` of the log's folder. A command puts one there, whoever holds the log
(`ageing`) goes through with it, and what is done stays until there is a record of it in the log. The file
says who asked and how much, and once it is done nothing of what it was. Called by ``strongroom audit``,
`ageing` and the supervisor's ``gateway/logbook.py``.
"""

import json
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from strongroom.audit.records.shared import Holder
from strongroom.errors import LogDamaged, LogUnwritable
from strongroom.keys.new_file import sync_folder

FOLDER = "asked"
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
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:  # noqa: PTH123 - a descriptor
            json.dump(asdict(asked), file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(folder / name)
        sync_folder(folder)
    except OSError as error:
        raise LogUnwritable(f"{folder} cannot be written: {error.strerror}") from error


def drop(log: Path, names: Sequence[str]) -> None:
    """They are in the log."""
    for name in names:
        (log / FOLDER / name).unlink(missing_ok=True)
    if names:
        sync_folder(log / FOLDER)


def standing(log: Path) -> Iterator[tuple[str, Asked]]:
    """All that there is, the oldest first; raises ``LogDamaged`` at a file that is not of this form."""
    try:
        names = sorted(one.name for one in os.scandir(log / FOLDER) if one.name.endswith(".json"))
    except FileNotFoundError:
        return
    for name in names:
        try:
            yield name, _read((log / FOLDER / name).read_text())
        except FileNotFoundError:
            continue
        except (ValueError, KeyError, TypeError) as error:
            raise LogDamaged(f"{FOLDER}/{name} beside the audit log says nothing that can be done") from error


def is_done(log: Path, name: str) -> bool:
    """Whether it was gone through with: then it says so, or is in the log and here no more."""
    try:
        return _read((log / FOLDER / name).read_text()).done
    except FileNotFoundError:
        return True


def _read(text: str) -> Asked:
    found: dict[str, Any] = json.loads(text)
    numbers = tuple((int(first), int(last)) for first, last in found.pop("numbers"))
    return Asked(What(found.pop("what")), kind=Holder(found.pop("kind")), numbers=numbers, **found)
