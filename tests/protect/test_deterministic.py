"""protect/deterministic.py: AES-256-SIV under a keyset."""

import pytest
from tests.protect.samples import CREATED, keyset_for, scheme

from strongroom.errors import TruncatedCiphertext, UnknownKey, UnknownVersion, WrongTag
from strongroom.keys.model import Dek, KeyState, KeyVersion
from strongroom.protect.deterministic import Deterministic

KEYSET = keyset_for(scheme("text", "deterministic"))


def test_equal_values_are_equal_and_others_are_not() -> None:
    """Within a keyset, and only there."""
    cipher = Deterministic(KEYSET)
    assert cipher.seal(b"x") == cipher.seal(b"x") != cipher.seal(b"y")
    other = Deterministic(keyset_for(scheme("text", "deterministic", column="public.t.other")))
    assert other.seal(b"x") != cipher.seal(b"x")
    with pytest.raises(WrongTag):
        other.open(cipher.seal(b"x"))


def test_each_changed_bit_is_noticed() -> None:
    """No byte of a sealed value can be changed, left out or added."""
    cipher = Deterministic(KEYSET)
    sealed = cipher.seal(b"value")
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        expected = UnknownVersion if position == 0 else UnknownKey if position < 5 else WrongTag
        with pytest.raises(expected):
            cipher.open(bytes(changed))
        with pytest.raises(TruncatedCiphertext if position < 21 else WrongTag):
            cipher.open(sealed[:position])
    with pytest.raises(WrongTag):
        cipher.open(sealed + b"\0")


def test_an_old_key_still_opens() -> None:
    """After a rotation; values under the new key differ."""
    dek = Dek(b"\7" * 64, KEYSET.algorithm, 7)
    newer = KEYSET.with_key(KeyVersion(7, KeyState.ACTIVE, CREATED, dek)).with_primary(7)
    old, new = Deterministic(KEYSET), Deterministic(newer)
    assert new.open(old.seal(b"x")) == b"x"
    assert new.seal(b"x") != old.seal(b"x")
    with pytest.raises(UnknownKey):
        old.open(new.seal(b"x"))
