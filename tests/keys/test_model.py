"""keys/model.py: keysets as values."""

import pickle
import re
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from random import Random

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from strongroom.errors import IllegalTransition, InvalidKeyset
from strongroom.keys.model import (
    OPENING,
    TRANSITIONS,
    Algorithm,
    Context,
    Dek,
    ExportCapability,
    Keyset,
    KeyState,
    KeyVersion,
)

CREATED = datetime(2026, 1, 1, tzinfo=UTC)
CONTEXT = Context("shop", "public", "customers", "email")


def dek(key_id: int, algorithm: Algorithm = Algorithm.AES256_GCM) -> Dek:
    return Dek(bytes([key_id]) * algorithm.key_size, algorithm, key_id)


def version(key_id: int, state: KeyState = KeyState.ACTIVE) -> KeyVersion:
    return KeyVersion(key_id, state, CREATED, None if state is KeyState.DESTROYED else dek(key_id))


def keyset(*versions: KeyVersion, primary: int = 1) -> Keyset:
    return Keyset("shop/c", Algorithm.AES256_GCM, CONTEXT, "text", 0, versions, primary)


SPECIFICATION = Path(__file__).parents[2] / "docs/spec/keys.md"


def test_the_table_is_that_of_the_specification() -> None:
    """Which states open, and which may follow which, as people read it (NIST SP 800-57 part 1, section 7)."""
    table = SPECIFICATION.read_text().partition("| state | opens |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| ([a-z-]+) \| (yes|no)\b[^|]*\|[^|]*\| ([a-z, -]*?) ?\|$", table, re.MULTILINE)
    said = {KeyState(state): {KeyState(one) for one in after.split(", ") if one} for state, _, after in rows}
    assert said == {state: set(after) for state, after in TRANSITIONS.items()}
    assert {KeyState(state) for state, opens, _ in rows if opens == "yes"} == OPENING


@pytest.mark.parametrize(("before", "after"), list(product(KeyState, KeyState)))
def test_each_state_goes_only_where_the_table_says(before: KeyState, after: KeyState) -> None:
    """Every pair of states: the table's transitions give a new keyset, all others an error."""
    keys = keyset(version(1), version(2, before))
    if after not in TRANSITIONS[before]:
        with pytest.raises(IllegalTransition):
            keys.with_state(2, after)
        return
    changed = keys.with_state(2, after)
    assert changed.version(2).state is after
    assert changed.version(1) is keys.version(1)
    assert changed.revision == keys.revision + 1
    assert keys.version(2).state is before


def test_a_destroyed_key_has_no_material_and_keeps_its_id() -> None:
    """What is destroyed cannot come back, and its id is never given to another key."""
    keys = keyset(version(1), version(2, KeyState.DEACTIVATED)).with_state(2, KeyState.DESTROYED)
    assert keys.version(2).dek is None
    assert keys.key_ids == {1}


def test_the_primary_key_is_active() -> None:
    """A keyset without an active primary cannot be made, nor can its primary be taken away."""
    with pytest.raises(InvalidKeyset):
        keyset(version(1, KeyState.SUSPENDED))
    with pytest.raises(InvalidKeyset):
        keyset(version(2))
    with pytest.raises(IllegalTransition):
        keyset(version(1)).with_state(1, KeyState.DEACTIVATED)
    with pytest.raises(InvalidKeyset):
        keyset(version(1), version(2, KeyState.PRE_ACTIVE)).with_primary(2)


def test_rotation_is_a_new_key_that_becomes_primary() -> None:
    """The old key still opens."""
    keys = keyset(version(1)).with_key(version(2)).with_primary(2).with_state(1, KeyState.DEACTIVATED)
    assert keys.primary == 2
    assert keys.key_ids == {1, 2}
    assert keys.revision == 4


def test_keys_of_one_id_are_refused() -> None:
    """A key is found by its id."""
    with pytest.raises(InvalidKeyset):
        keyset(version(1), version(1))
    with pytest.raises(InvalidKeyset):
        keyset(version(1)).version(9)


@pytest.mark.parametrize("key_id", [0, -1, 2**32])
def test_a_key_id_is_four_bytes_and_not_zero(key_id: int) -> None:
    """Tink draws them so."""
    with pytest.raises(InvalidKeyset):
        KeyVersion(key_id, KeyState.ACTIVE, CREATED, dek(1))


def test_state_and_material_agree() -> None:
    """Only a destroyed key has none, and a time has its zone."""
    with pytest.raises(InvalidKeyset):
        KeyVersion(1, KeyState.ACTIVE, CREATED, None)
    with pytest.raises(InvalidKeyset):
        KeyVersion(1, KeyState.DESTROYED, CREATED, dek(1))
    with pytest.raises(InvalidKeyset):
        KeyVersion(1, KeyState.ACTIVE, CREATED.replace(tzinfo=None), dek(1))


def test_a_key_shows_itself_nowhere() -> None:
    """Neither repr nor pickle nor the wrong capability gives material away."""
    secret = dek(7)
    assert repr(secret) == "<Dek 00000007>"
    assert "07070707" not in repr(keyset(KeyVersion(7, KeyState.ACTIVE, CREATED, secret), primary=7))
    with pytest.raises(IllegalTransition):
        pickle.dumps(secret)
    with pytest.raises(IllegalTransition):
        secret.danger_material("please")  # type: ignore[arg-type]  # what the check is for
    assert secret.danger_material(ExportCapability("a test")) == b"\7" * 32


def test_a_key_serves_its_algorithm_alone() -> None:
    """A key of the wrong size or kind never becomes a cipher."""
    with pytest.raises(InvalidKeyset):
        Dek(b"short", Algorithm.AES256_GCM, 1)
    with pytest.raises(InvalidKeyset):
        dek(1).deterministic_aead()
    with pytest.raises(InvalidKeyset):
        dek(1, Algorithm.AES256_SIV).aead()


def test_floors() -> None:
    """Below the floor of opening nothing opens, below that of sealing nothing becomes primary."""
    keys = keyset(version(1), version(2), version(3), primary=3)
    assert [keys.number(one) for one in (1, 2, 3)] == [1, 2, 3]
    raised = keys.with_floors(2, 3)
    assert raised.key_ids == {2, 3}
    assert raised.revision == keys.revision + 1
    with pytest.raises(IllegalTransition, match="below the floor of sealing, 3"):
        raised.with_primary(2)
    for opening, sealing in ((0, 1), (2, 1), (1, 4), (4, 4)):
        with pytest.raises(IllegalTransition):
            keys.with_floors(opening, sealing)
    with pytest.raises(InvalidKeyset):
        replace(keys, primary=1, opening_floor=2, sealing_floor=2)


class Life(RuleBasedStateMachine):
    """A keyset through any life that its operations allow, held against a plain list of what was done."""

    def __init__(self) -> None:
        super().__init__()
        self.keys = keyset(version(1))
        self.states = {1: KeyState.ACTIVE}
        self.primary = 1
        self.floors = (1, 1)

    def number(self, key_id: int) -> int:
        return list(self.states).index(key_id) + 1

    @rule(state=st.sampled_from([KeyState.PRE_ACTIVE, KeyState.ACTIVE]))
    def add(self, state: KeyState) -> None:
        key_id = len(self.states) + 1
        self.keys = self.keys.with_key(version(key_id, state))
        self.states[key_id] = state

    @rule(chance=st.randoms(use_true_random=False), state=st.sampled_from(KeyState))
    def change(self, chance: Random, state: KeyState) -> None:
        key_id = chance.choice(list(self.states))
        legal = state in TRANSITIONS[self.states[key_id]] and key_id != self.primary
        if legal:
            self.keys = self.keys.with_state(key_id, state)
            self.states[key_id] = state
        else:
            with pytest.raises(IllegalTransition):
                self.keys.with_state(key_id, state)

    @rule(chance=st.randoms(use_true_random=False))
    def promote(self, chance: Random) -> None:
        key_id = chance.choice(list(self.states))
        if self.states[key_id] is KeyState.ACTIVE and self.number(key_id) >= self.floors[1]:
            self.keys = self.keys.with_primary(key_id)
            self.primary = key_id
        else:
            with pytest.raises((IllegalTransition, InvalidKeyset)):
                self.keys.with_primary(key_id)

    @rule(opening=st.integers(0, 6), sealing=st.integers(0, 6))
    def raise_floors(self, opening: int, sealing: int) -> None:
        if 1 <= opening <= sealing <= self.number(self.primary):
            self.keys = self.keys.with_floors(opening, sealing)
            self.floors = opening, sealing
        else:
            with pytest.raises(IllegalTransition):
                self.keys.with_floors(opening, sealing)

    @invariant()
    def the_primary_key_seals_and_opens(self) -> None:
        assert self.keys.primary == self.primary
        assert self.keys.version(self.primary).state is KeyState.ACTIVE
        assert self.primary in self.keys.key_ids

    @invariant()
    def what_opens_is_what_may(self) -> None:
        may = {one for one, state in self.states.items() if state in OPENING}
        assert self.keys.key_ids == {one for one in may if self.number(one) >= self.floors[0]}

    @invariant()
    def what_is_destroyed_has_no_material(self) -> None:
        for one in self.keys.versions:
            assert (one.dek is None) == (self.states[one.key_id] is KeyState.DESTROYED)


TestLife = Life.TestCase
