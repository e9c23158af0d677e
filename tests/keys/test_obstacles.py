"""keys/obstacles.py: what stands in the way of ending a key."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.keys.state_of_keys import rotated
from tests.protect.samples import scheme

from strongroom.config import StateAddress
from strongroom.errors import DestructionRefused, RootRemovalRefused
from strongroom.keys.backups import Backup, Backups, held
from strongroom.keys.endings import of_root, of_version
from strongroom.keys.generate import new_keyset
from strongroom.keys.generation import acknowledge, note_loss, unseen
from strongroom.keys.holds import Hold, Holds
from strongroom.keys.kek import new_kek
from strongroom.keys.model import KeyState
from strongroom.keys.obstacles import (
    Obstacle,
    of_backups,
    of_holds,
    of_rollbacks,
    of_state,
    refuse_obstacles,
)
from strongroom.keys.rotation import ended
from strongroom.state import open_state

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEYSET = rotated(new_keyset(scheme("text", "randomized", "public.t.iban"), NOW))
FIRST = KEYSET.versions[0].key_id
KEK = new_kek("shop", NOW)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Any]:
    """Of an empty state."""
    state = open_state(StateAddress(path=tmp_path / "state.db"))
    yield state.engine
    state.close()


def test_the_states_that_may_end() -> None:
    """What seals never; what may not become destroyed says how it may; what is destroyed is no obstacle."""
    assert of_state(KEYSET, FIRST, "public.t.iban") == []
    [primary] = of_state(KEYSET, KEYSET.primary, "public.t.iban")
    assert "rotate public.t.iban --reencrypt" in primary.remedy
    gone = KEYSET.with_state(FIRST, KeyState.DESTROYED)
    assert of_state(gone, FIRST, "public.t.iban") == []
    fresh = new_keyset(scheme("text", "randomized", "public.t.iban"), NOW)
    active = fresh.with_key(KEYSET.versions[1]).with_primary(KEYSET.primary)
    [obstacle] = of_state(active, fresh.primary, "public.t.iban")
    assert obstacle == Obstacle(
        "version 1 is active", "end its service: strongroom keys deactivate public.t.iban --version 1"
    )


def test_backups_that_hold_it_or_what_wraps_it(engine: Any) -> None:
    """One with the key, one with a version of the KEK that is there still; not one that was forgotten."""
    register, old = Backups(engine), rotated(KEK)
    for id_, of in (("with", KEYSET), ("kek", KEK), ("gone", KEYSET), ("other", new_kek("other", NOW))):
        register.register(Backup(id_, NOW, f"/safe/{id_}", "anna", {of.name: held(of)}))
    register.forget("gone", NOW)
    found = {one.what.split()[1]: one for one in of_backups(register, KEYSET.name, FIRST, old)}
    assert set(found) == {"with", "kek"}
    assert "in older dumps" in found["kek"].what
    assert found["with"].remedy.endswith("strongroom keys backups --forget with")
    assert "/safe/with" in found["with"].what
    # What the backup has of the KEK was destroyed since: it wraps nothing any more, anywhere but in dumps.
    assert len(of_backups(register, KEYSET.name, FIRST, ended(old))) == 1


def test_holds_on_it_and_on_what_its_end_concerns(engine: Any) -> None:
    """Of its versions this one; of the KEK every one."""
    holds = Holds(engine)
    for name, version in ((KEYSET.name, 1), (KEYSET.name, 2), (KEK.name, 3), ("else", None)):
        holds.lay(Hold.new(name, version, f"case of {name} {version}", NOW))
    found = of_holds(holds, KEYSET.name, 1, also=[KEK.name])
    assert [one.what.partition("case of ")[2] for one in found] == [f"{KEYSET.name} 1", "kek shop 3"]


def test_the_whole_list_is_told() -> None:
    """Each with what to do about it, as the error of what is ended; an empty list is no error."""
    both = [Obstacle("one", "do this"), Obstacle("two", "do that")]
    with pytest.raises(DestructionRefused, match="2 things stand") as caught:
        refuse_obstacles(of_version("shop/public.t.iban", 1, FIRST), both)
    assert [line.strip() for line in caught.value.detail.splitlines()] == ["one; do this", "two; do that"]
    with pytest.raises(RootRemovalRefused, match="one thing stands"):
        refuse_obstacles(of_root("file 1"), both[:1])
    refuse_obstacles(of_root("file 1"), [])


def test_a_state_that_was_lost(engine: Any) -> None:
    """It stands in the way with what to do, until somebody has seen to it."""
    note_loss(engine)
    (found,) = of_rollbacks(unseen(engine))
    assert "the state was lost" in found.what
    assert "keys rollbacks --acknowledge" in found.remedy
    acknowledge(engine)
    assert of_rollbacks(unseen(engine)) == []
