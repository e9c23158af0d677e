"""protect/pseudonyms.py: the same for the same value, under a key."""

import pickle
from uuid import UUID

import pytest
from cryptography.hazmat.primitives import hashes, hmac

from strongroom.errors import IllegalTransition, InvalidMask
from strongroom.keys.model import ExportCapability
from strongroom.protect.pseudonyms import PseudonymKey, pseudonyms
from strongroom.wire.postgres import types

SECRET = bytes(range(32))
KEY = PseudonymKey.derive(SECRET, "shop", "public.customers.email")


def mac(key: bytes, value: bytes) -> bytes:
    """HMAC-SHA-256 by another implementation."""
    made = hmac.HMAC(key, hashes.SHA256())
    made.update(value)
    return made.finalize()


def test_the_key_is_that_of_the_specification() -> None:
    """HKDF by hand (RFC 5869, section 2): extract under zeros, expand with one block."""
    info = b"".join(
        len(part).to_bytes(4) + part
        for part in (b"strongroom.mask.hash.v1", b"shop", b"public.customers.email")
    )
    expected = mac(mac(bytes(32), SECRET), info + b"\1")
    assert KEY.danger_material(ExportCapability("a test")) == expected
    assert KEY.digest(b"a value") == mac(expected, b"a value")


def test_another_context_or_secret_is_another_key() -> None:
    """However the parts are cut."""
    keys = [
        KEY,
        PseudonymKey.derive(bytes(32), "shop", "public.customers.email"),
        PseudonymKey.derive(SECRET, "shop", "public.orders.email"),
        PseudonymKey.derive(SECRET, "shoppublic.customers.email"),
        PseudonymKey.derive(SECRET, "shop", "public.customers.email", ""),
        PseudonymKey.derive(SECRET),
    ]
    assert len(set(keys)) == len(keys)
    assert len({key.digest(b"x") for key in keys}) == len(keys)
    assert PseudonymKey.derive(SECRET, "shop", "public.customers.email") == KEY


def test_pseudonyms_are_values_of_their_type() -> None:
    """A uuid of version 8, a number that is not negative, octets."""
    for n in range(200):
        value = n.to_bytes(16)
        uuid = UUID(bytes=pseudonyms(KEY, types.UUID)(value))
        assert (uuid.version, uuid.variant) == (8, "specified in RFC 4122")
        number = pseudonyms(KEY, types.INT8)(value)
        assert len(number) == 8
        assert int.from_bytes(number, signed=True) >= 0
        assert pseudonyms(KEY, types.BYTEA)(value) == KEY.digest(value)[:16]


def test_no_weak_secret() -> None:
    """A short secret could be guessed, and the pseudonyms then looked up."""
    with pytest.raises(InvalidMask, match="32 bytes"):
        PseudonymKey.derive(bytes(31))
    with pytest.raises(InvalidMask, match="32 bytes"):
        PseudonymKey(bytes(33))


def test_a_key_does_not_leave() -> None:
    """Printed, pickled, or asked for without a capability."""
    assert repr(KEY) == str(KEY) == "<PseudonymKey>"
    with pytest.raises(IllegalTransition):
        pickle.dumps(KEY)
    with pytest.raises(IllegalTransition):
        KEY.danger_material("a test")  # type: ignore[arg-type]  # what is tested
    assert KEY != SECRET
