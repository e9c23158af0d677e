"""keys/rotation.py: the steps of a rotation, and when one is due."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.protect.samples import keyset_for, scheme

from strongroom.keys.model import MAX_USES_RANDOMIZED, KeyState
from strongroom.keys.rotation import Period, due, next_version, promoted, settled, waiting

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
