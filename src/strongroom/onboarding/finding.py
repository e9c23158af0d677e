"""What `check` says of one thing: it holds, it should be borne in mind, or it does not hold."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from strongroom.errors import StrongroomError

NAMES_SHOWN = 5


class Verdict(Enum):
    """How a check ended; only FAILS makes the command exit with 1."""

    HOLDS = "holds"
    MIND = "mind"
    FAILS = "fails"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked; ``subject`` is a key of the configuration, as far as it has one."""

    subject: str
    verdict: Verdict
    remark: str = ""
    remedy: str = ""
    sql: tuple[str, ...] = ()
    """Statements that mend it, for whoever administers the database."""


def holds(subject: str, remark: str = "") -> Finding:
    """All is as it should be."""
    return Finding(subject, Verdict.HOLDS, remark)


def mind(subject: str, remark: str, remedy: str, *, sql: tuple[str, ...] = ()) -> Finding:
    """Nothing is wrong, but somebody should know."""
    return Finding(subject, Verdict.MIND, remark, remedy, sql)


def fails(subject: str, remark: str, remedy: str, *, sql: tuple[str, ...] = ()) -> Finding:
    """Something must be mended."""
    return Finding(subject, Verdict.FAILS, remark, remedy, sql)


def failed(subject: str, error: StrongroomError) -> Finding:
    """What an error of ours says."""
    return Finding(subject, Verdict.FAILS, f"{error.message} [{error.code}]", error.hint)


def some(names: Collection[str]) -> str:
    """A list of names that stays readable."""
    shown = sorted(names)[:NAMES_SHOWN]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
