"""keys/model.py: keysets as values."""

import pickle
from datetime import UTC, datetime
from itertools import product

import pytest

from strongroom.errors import IllegalTransition, InvalidKeyset
from strongroom.keys.model import (
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
