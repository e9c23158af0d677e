"""protect/randomized.py: AES-256-GCM under a keyset."""

import pytest
from tests.protect.samples import CREATED, keyset_for, scheme

from strongroom.errors import TruncatedCiphertext, UnknownKey, UnknownVersion, WrongTag
from strongroom.keys.model import Dek, Keyset, KeyState, KeyVersion
from strongroom.protect.randomized import Randomized

KEYSET = keyset_for(scheme("text"))


def rotated(state: KeyState) -> Keyset:
    """The keyset with a new primary key, and the old one in another state."""
    dek = Dek(b"\7" * 32, KEYSET.algorithm, 7)
    newer = KEYSET.with_key(KeyVersion(7, KeyState.ACTIVE, CREATED, dek)).with_primary(7)
    return newer.with_state(KEYSET.primary, state)


def test_a_value_is_sealed_anew_each_time() -> None:
    """Nonces are drawn here; a thousand seals of one value are all different."""
    cipher = Randomized(KEYSET)
    sealed = {cipher.seal(b"x") for _ in range(1000)}
    assert len(sealed) == 1000
    assert {cipher.open(value) for value in sealed} == {b"x"}
    assert {len(value) for value in sealed} == {34}


def test_each_changed_bit_is_noticed() -> None:
    """No byte of a sealed value can be changed, left out or added."""
    cipher = Randomized(KEYSET)
    sealed = cipher.seal(b"value")
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        expected = UnknownVersion if position == 0 else UnknownKey if position < 5 else WrongTag
        with pytest.raises(expected):
            cipher.open(bytes(changed))
        with pytest.raises(TruncatedCiphertext if position < 33 else WrongTag):
            cipher.open(sealed[:position])
    with pytest.raises(WrongTag):
        cipher.open(sealed + b"\0")


@pytest.mark.parametrize("state", [KeyState.DEACTIVATED, KeyState.COMPROMISED])
def test_an_old_key_still_opens(state: KeyState) -> None:
    """New values name the new key, old ones open under theirs."""
    old, new = Randomized(KEYSET), Randomized(rotated(state))
    assert new.open(old.seal(b"x")) == b"x"
    assert new.seal(b"x")[1:5] == b"\0\0\0\7"
    with pytest.raises(UnknownKey):
        old.open(new.seal(b"x"))


def test_a_suspended_key_does_nothing() -> None:
    """Nor does one that another keyset has, of the same id."""
    with pytest.raises(UnknownKey):
        Randomized(rotated(KeyState.SUSPENDED)).open(Randomized(KEYSET).seal(b"x"))
    other = keyset_for(scheme("text", column="public.t.other"))
    with pytest.raises(WrongTag):
        Randomized(other).open(Randomized(KEYSET).seal(b"x"))
