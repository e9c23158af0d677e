"""keys/rotation.py: the steps of a rotation, and when one is due."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.protect.samples import keyset_for, scheme

from strongroom.errors import IllegalTransition
from strongroom.keys.model import MAX_USES_RANDOMIZED, KeyState
from strongroom.keys.rotation import (
    Period,
    due,
    given_up,
    next_version,
    promoted,
    replacing,
    settled,
    waiting,
)

CREATED = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 22, tzinfo=UTC)
KEYSET = keyset_for(scheme("text"))


def test_the_steps() -> None:
    """New, active, alone; the old key opens to the end."""
    begun = next_version(KEYSET, NOW)
    new = waiting(begun)
    assert new is not None
    assert (new.state, new.created, begun.primary) == (KeyState.PRE_ACTIVE, NOW, KEYSET.primary)
    going = promoted(begun)
    assert (going.primary, going.version(KEYSET.primary).state) == (new.key_id, KeyState.ACTIVE)
    done = settled(going)
    assert done.version(KEYSET.primary).state is KeyState.DEACTIVATED
    assert done.key_ids == {KEYSET.primary, new.key_id}


def test_each_step_is_taken_once() -> None:
    """Taken again, after a kill, it changes nothing."""
    begun = next_version(KEYSET, NOW)
    assert next_version(begun, NOW) is begun
    going = promoted(begun)
    assert promoted(going) is going
    done = settled(going)
    assert settled(done) is done


@pytest.mark.parametrize(
    ("age", "uses", "why"),
    [
        (timedelta(days=10), 5, None),
        (timedelta(days=729), MAX_USES_RANDOMIZED // 2 - 1, None),
        (timedelta(days=730), 0, "730 days old"),
        (timedelta(days=1), MAX_USES_RANDOMIZED // 2, "1,073,741,824 uses of 2,147,483,648"),
    ],
)
def test_when_it_is_due(age: timedelta, uses: int, why: str | None) -> None:
    """By age and by use, long before the limits."""
    found = due(KEYSET, {(KEYSET.name, KEYSET.primary): uses}, CREATED + age, Period())
    assert (found is None) if why is None else (found is not None and why in found)


def test_after_a_leak_what_waits_never_seals() -> None:
    """It was there as well: it is compromised, and another is made."""
    begun = next_version(KEYSET, NOW)
    exposed = {version.key_id for version in begun.versions}
    after = replacing(begun, exposed, NOW, [])
    assert [version.state for version in after.versions] == [
        KeyState.ACTIVE,
        KeyState.COMPROMISED,
        KeyState.PRE_ACTIVE,
    ]
    assert replacing(after, exposed, NOW, []) is after
    going = promoted(after)
    assert replacing(going, exposed, NOW, []) is going
    assert going.primary not in exposed


def test_after_a_leak_what_is_exposed_is_given_up() -> None:
    """Compromised and below the floors; what came after it is deactivated, and opens."""
    second = promoted(next_version(KEYSET, NOW))
    third = promoted(next_version(second, NOW))
    done = given_up(third, {KEYSET.primary})
    assert [version.state for version in done.versions] == [
        KeyState.COMPROMISED,
        KeyState.DEACTIVATED,
        KeyState.ACTIVE,
    ]
    assert (done.opening_floor, done.sealing_floor) == (2, 2)
    assert done.key_ids == {second.primary, third.primary}
    assert given_up(done, {KEYSET.primary}) is done
    with pytest.raises(IllegalTransition):
        given_up(third, {third.primary})
