"""keys/leak.py: what a record of a leak names, and when it is dealt with."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from tests.protect.samples import keyset_for, scheme

from strongroom.keys.journal import KeyEvent
from strongroom.keys.leak import exposure, unfinished
from strongroom.keys.model import Keyset, KeyState
from strongroom.keys.rotation import given_up, next_version, promoted, replacing

NOW = datetime(2026, 11, 22, tzinfo=UTC)
FIRST = keyset_for(scheme("text"))
OLD = FIRST.primary
LEAK = exposure(FIRST, ["public.customers.iban"], 7, NOW)
GOING = promoted(replacing(FIRST, LEAK.key_ids, NOW, []))
NEW = GOING.primary
DONE = given_up(GOING, LEAK.key_ids)


def event(what: str, subject: str = FIRST.name, /, **details: object) -> KeyEvent:
    return KeyEvent(0, NOW, what, subject, details)


RECORD = KeyEvent(0, NOW, "compromised", FIRST.name, LEAK.details)
ROTATED = event("rotated", key_id=f"{NEW:08x}")


def test_a_leak_is_of_all_that_is_there() -> None:
    """Of a version that waits, too; since the first of them."""
    keyset = next_version(FIRST, NOW)
    leak = exposure(keyset, ["a", "b"], 7, NOW + timedelta(days=1))
    assert leak.key_ids == {OLD, keyset.versions[-1].key_id}
    assert leak.since is None
    assert leak.details == {
        "columns": ["a", "b"],
        "key_ids": [f"{version.key_id:08x}" for version in keyset.versions],
        "since": FIRST.versions[0].created.isoformat(),
        "until": "2026-11-23T00:00:00+00:00",
        "uses": 7,
    }


@pytest.mark.parametrize(
    ("keyset", "events"),
    [
        (FIRST, [RECORD]),
        (GOING, [RECORD]),
        (GOING, [RECORD, ROTATED]),
        (DONE, [RECORD]),
        (DONE, [ROTATED, RECORD]),
        (DONE, [RECORD, event("rotated", key_id=f"{OLD:08x}")]),
        (DONE, [RECORD, event("rotated", "another", key_id=f"{NEW:08x}")]),
    ],
)
def test_one_that_is_not_dealt_with(keyset: Keyset, events: Sequence[KeyEvent]) -> None:
    """Until all that it names is compromised, and what took its place is written down after it."""
    found = unfinished(keyset, events)
    assert found is not None
    assert found.key_ids == {OLD}
    assert (found.details, found.since) == (LEAK.details, NOW)


@pytest.mark.parametrize(
    ("keyset", "events"),
    [
        (FIRST, []),
        (FIRST, [event("compromised", "another", key_ids=[f"{OLD:08x}"])]),
        (FIRST, [event("compromised", key_ids=["00000000"])]),
        (FIRST, [event("compromised")]),
        (DONE, [RECORD, ROTATED]),
        (DONE.with_state(OLD, KeyState.DESTROYED), [RECORD, ROTATED]),
        (next_version(DONE, NOW), [RECORD, ROTATED]),
    ],
)
def test_one_that_is_over(keyset: Keyset, events: Sequence[KeyEvent]) -> None:
    """Or of another keyset, or of one that had its name before: the next is a leak of its own."""
    assert unfinished(keyset, events) is None
