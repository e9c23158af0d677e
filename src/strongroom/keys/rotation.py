"""The life of a keyset's versions, step by step: what a rotation does to it, and when one is due.

Pure: a keyset in, a keyset out; ``changeover/rotation.py`` writes each step beside the data before it takes
the next. A rotation that was interrupted is taken up where its keyset stands:

    next_version   a new version, pre-active: all gateways learn to open what it will seal
    promoted       it is active and primary; the one before still opens
    settled        nothing that the others sealed is left: they are deactivated

After a leak ``replacing`` takes the place of ``next_version``, and ``given_up`` that of ``settled``.

Dates and limits follow NIST SP 800-57 part 1, section 5.3, and SP 800-38D, section 8.3.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from strongroom.keys.generate import new_version
from strongroom.keys.model import TRANSITIONS, Keyset, KeyState, KeyVersion


@dataclass(frozen=True, slots=True)
class Period:
    """When a version has served for long enough."""

    age: timedelta = timedelta(days=730)
    """NIST SP 800-57 part 1, table 1: up to two years for a symmetric key that protects stored data."""
    share: float = 0.5
    """Of the uses that are safe (``Algorithm.max_uses``), which themselves are half of SP 800-38D's 2^32."""


def next_version(keyset: Keyset, created: datetime, others: Collection[int] = ()) -> Keyset:
    """The keyset with a pre-active version: its own, where an interrupted rotation left one, or a new one.

    ``others`` are key ids that its own must not be, either.
    """
    if waiting(keyset) is not None:
        return keyset
    taken = [*others, *(version.key_id for version in keyset.versions)]
    return keyset.with_key(new_version(keyset.algorithm, taken, KeyState.PRE_ACTIVE, created))


def replacing(keyset: Keyset, exposed: Collection[int], created: datetime, others: Collection[int]) -> Keyset:
    """The keyset with a version that may seal in the place of those exposed: one that has come since, or new.

    One that is exposed and waits is compromised, so that nothing ever promotes it.
    """
    if keyset.primary not in exposed:
        return keyset
    version = waiting(keyset)
    if version is not None and version.key_id in exposed:
        keyset = keyset.with_state(version.key_id, KeyState.COMPROMISED)
    return next_version(keyset, created, others)


def waiting(keyset: Keyset) -> KeyVersion | None:
    """The pre-active version that is newer than the primary one, if there is one."""
    newest = keyset.versions[-1]
    return newest if newest.state is KeyState.PRE_ACTIVE else None


def promoted(keyset: Keyset) -> Keyset:
    """The waiting version seals from now on; raises ``IllegalTransition`` where the floors forbid it."""
    version = waiting(keyset)
    if version is None:
        return keyset
    return keyset.with_state(version.key_id, KeyState.ACTIVE).with_primary(version.key_id)


def settled(keyset: Keyset) -> Keyset:
    """All other active versions are deactivated: they open what an old backup holds, and seal nothing."""
    for version in keyset.versions:
        if version.key_id != keyset.primary and version.state is KeyState.ACTIVE:
            keyset = keyset.with_state(version.key_id, KeyState.DEACTIVATED)
    return keyset


def ended(kek: Keyset) -> Keyset:
    """All versions of a KEK that wrap nothing any more are destroyed: those that are deactivated."""
    for version in kek.versions:
        if version.key_id != kek.primary and KeyState.DESTROYED in TRANSITIONS[version.state]:
            kek = kek.with_state(version.key_id, KeyState.DESTROYED)
    return kek


def given_up(keyset: Keyset, exposed: Collection[int]) -> Keyset:
    """Those exposed are compromised and below the floors: what they sealed is not trusted any more.

    Others that are not primary are deactivated. Raises ``IllegalTransition`` where the primary is exposed.
    """
    found = [version for version in keyset.versions if version.key_id in exposed]
    for version in found:
        if KeyState.COMPROMISED in TRANSITIONS[version.state]:
            keyset = keyset.with_state(version.key_id, KeyState.COMPROMISED)
    keyset = settled(keyset)
    first = 1 + max((keyset.number(version.key_id) for version in found), default=0)
    floors = (keyset.opening_floor, keyset.sealing_floor)
    raised = (max(first, floors[0]), max(first, floors[1]))
    return keyset if floors == raised else keyset.with_floors(*raised)


def due(keyset: Keyset, uses: Mapping[tuple[str, int], int], now: datetime, period: Period) -> str | None:
    """Why the primary key should be rotated, in words; None while it need not be."""
    primary = keyset.version(keyset.primary)
    age = now - primary.created
    if age >= period.age:
        return f"{age.days} days old, the limit is {period.age.days}"
    used = uses.get((keyset.name, keyset.primary), 0)
    if used >= period.share * keyset.algorithm.max_uses:
        return f"{used:,} uses of {keyset.algorithm.max_uses:,}"
    return None
