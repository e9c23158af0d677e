"""What stands in the way of ending a key, each with what to do about it: its state, backups, legal holds.

A state that was lost or copied back does not know all of these: until somebody has seen to that, it is in the
way itself.

What the database itself needs is found by ``changeover/needs.py``. Decisions over what was read, at the
announcement and again before the deed. Called by ``strongroom keys destroy`` and ``keys root remove``.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from strongroom.keys.backups import Backups
from strongroom.keys.endings import Ending
from strongroom.keys.generation import Rollback
from strongroom.keys.holds import Holds
from strongroom.keys.model import TRANSITIONS, Keyset, KeyState


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing that needs a key."""

    what: str
    remedy: str


def of_state(keyset: Keyset, key_id: int, column: str) -> list[Obstacle]:
    """Its own state; ``column`` is one that the keyset serves, for the commands."""
    version, number = keyset.version(key_id), keyset.number(key_id)
    if version.state is KeyState.DESTROYED:
        return []
    if key_id == keyset.primary:
        return [
            Obstacle(
                f"version {number} is the one that seals",
                f"give the column a newer one: strongroom keys rotate {column} --reencrypt",
            )
        ]
    if KeyState.DESTROYED not in TRANSITIONS[version.state]:
        return [
            Obstacle(
                f"version {number} is {version.state.value}",
                f"end its service: strongroom keys deactivate {column} --version {number}",
            )
        ]
    return []


def of_backups(register: Backups, name: str, key_id: int, kek: Keyset) -> list[Obstacle]:
    """The registered backups that hold the key, or that with which older dumps of the database have it.

    A dump holds the key under a version of the KEK; which of them wrapped it is not known for sure where
    clocks differ, so that each version counts that is there still.
    """
    holding = {one.id for one in register.holding(name, key_id)}
    wrapping = (
        one.id
        for version in kek.versions
        if version.dek is not None
        for one in register.holding(kek.name, version.key_id)
    )
    ids = holding | set(wrapping)
    return [
        Obstacle(
            f"backup {one.id} of {one.made:%Y-%m-%d}, at {one.place}, "
            + ("holds it" if one.id in holding else f"holds {kek.name!r}, which wraps it in older dumps"),
            f"destroy the file and every copy of it, then: strongroom keys backups --forget {one.id}",
        )
        for one in register.all()
        if one.id in ids
    ]


def of_holds(
    holds: Holds, name: str, version: int | None = None, *, also: Iterable[str] = ()
) -> list[Obstacle]:
    """The legal holds on a name, or on a version of it; and on other names that its end concerns."""
    found = [*holds.naming(name, version), *(one for other in also for one in holds.naming(other))]
    return [
        Obstacle(
            f"legal hold {one.id} of {one.since:%Y-%m-%d} on {one.name!r}: {one.reason}",
            f"when it is over: strongroom keys release {one.id} --reason ...",
        )
        for one in found
    ]


def of_rollbacks(unseen: Iterable[Rollback]) -> list[Obstacle]:
    """That holds and registered backups may be missing here, which nobody has gone through yet."""
    return [
        Obstacle(
            f"{one.what}, found {one.found:%Y-%m-%d %H:%M}Z: legal holds and backups may be missing here",
            "see to what `strongroom keys rollbacks` says, then: strongroom keys rollbacks --acknowledge",
        )
        for one in unseen
    ]


def refuse_obstacles(ending: Ending, obstacles: Iterable[Obstacle]) -> None:
    """Raises the error of its kind, with the whole list, where anything stands in the way."""
    lines = [f"{one.what}; {one.remedy}" for one in obstacles]
    if lines:
        count = "one thing stands" if len(lines) == 1 else f"{len(lines)} things stand"
        raise ending.refused(f"{count} in the way of {ending.deed}", "", "\n  ".join(lines))
