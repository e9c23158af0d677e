"""keys/leak.py: what a record of a leak names, and when it is dealt with."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event as happening
from tests.changeover.killing import Killed
from tests.protect.samples import keyset_for, scheme

from strongroom.config import StateAddress
from strongroom.errors import KeyImportRefused
from strongroom.keys.imported import ImportToken
from strongroom.keys.imports import Imports
from strongroom.keys.journal import Journal, KeyEvent
from strongroom.keys.kek import Keks, database_of, new_kek
from strongroom.keys.leak import exposure, unfinished, write_down
from strongroom.keys.model import Keyset, KeyState
from strongroom.keys.rotation import given_up, next_version, promoted, replacing
from strongroom.state import open_state

NOW = datetime(2026, 11, 22, tzinfo=UTC)
FIRST = keyset_for(scheme("text"))
OLD = FIRST.primary
LEAK = exposure(FIRST, ["public.customers.iban"], 7, NOW)
GOING = promoted(replacing(FIRST, LEAK.key_ids, NOW, []))
NEW = GOING.primary
OTHER = f"{FIRST.name}_too"
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


def test_an_import_that_had_begun_ends_with_the_leak(tmp_path: Path) -> None:
    """Both or neither, wherever it dies; another column's import goes on."""
    state = open_state(StateAddress(path=tmp_path / "state.db"))
    keks = Keks.of([new_kek(database_of(FIRST.name), NOW)])
    imports, journal, token = Imports(state.engine, keks), Journal(state.engine), ImportToken.make(NOW)
    for name in (FIRST.name, OTHER):
        imports.begin(name, token)

    left = died = 0

    @happening.listens_for(state.engine, "before_cursor_execute")
    def die(*_: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed

    while True:
        left = died
        try:
            leak = write_down(state.engine, FIRST.name, LEAK)
        except Killed:
            left, died = 1000, died + 1
            assert imports.pending(FIRST.name).identifier == token.identifier
            assert journal.events() == []
        else:
            break
    left = 1000
    assert died > 3
    assert leak.details["import"] == token.identifier
    assert [(one.what, one.subject) for one in journal.events()] == [
        ("compromised", FIRST.name),
        ("import voided", FIRST.name),
    ]
    with pytest.raises(KeyImportRefused, match="has begun"):
        imports.pending(FIRST.name)
    assert imports.pending(OTHER).identifier == token.identifier
    assert write_down(state.engine, FIRST.name, LEAK).details["import"] is None
    state.close()
