"""The published vectors of docs/spec/ciphertext.md: ours, stock Tink's, Wycheproof's and RFC 5297's."""

import json
from typing import Any

import pytest
import tink
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from tests.protect.published import GCM, SIV
from tests.protect.samples import keyset_for, scheme
from tests.vectors.make_ciphertext import FILE, KEY_ID, VALUES, failures, vector
from tink import aead, cleartext_keyset_handle, daead

from strongroom import errors
from strongroom.keys.tink import read_keyset
from strongroom.protect import padding
from strongroom.protect.canonical import Sent, encode
from strongroom.protect.deterministic import Deterministic
from strongroom.protect.randomized import Randomized
from strongroom.protect.style import TextStyle
from strongroom.wire.postgres.types import parse_type

aead.register()
daead.register()

PUBLISHED: dict[str, list[dict[str, Any]]] = json.loads(FILE.read_text())


def named(case: dict[str, Any]) -> str:
    return f"{case['type']}-{case['encryption']}-{case.get('failure', case['pad'])}"


def cipher(case: dict[str, Any]) -> Randomized | Deterministic:
    """Ours, for the keyset of a vector."""
    made = scheme(case["type"], case["encryption"], column=case["column"], pad=case["pad"])
    keyset = keyset_for(made, KEY_ID)
    assert read_keyset(made.algorithm, case["keyset"])[0] == KEY_ID
    return Randomized(keyset) if case["encryption"] == "randomized" else Deterministic(keyset)


def test_the_published_vectors_are_the_ones_that_are_made() -> None:
    """A change of format would show here first."""
    assert {"values": [vector(*value) for value in VALUES], "failures": failures()} == PUBLISHED


@pytest.mark.parametrize("case", PUBLISHED["values"], ids=named)
def test_a_published_value_is_sealed_and_opened(case: dict[str, Any]) -> None:
    """From the input to the canonical bytes to the sealed ones, and back."""
    canonical = encode(parse_type(case["type"]), case["input"].encode(), Sent(TextStyle()))
    assert canonical.hex() == case["canonical"]
    plaintext = padding.padded(canonical, case["pad"]) if case["pad"] else canonical
    ours = cipher(case)
    assert ours.open(bytes.fromhex(case["sealed"])) == plaintext
    if isinstance(ours, Deterministic):
        assert ours.seal(plaintext).hex() == case["sealed"]
    else:
        assert ours._seal(bytes.fromhex(case["nonce"]), plaintext).hex() == case["sealed"]


@pytest.mark.parametrize("case", PUBLISHED["values"], ids=named)
def test_stock_tink_opens_a_published_value(case: dict[str, Any]) -> None:
    """With nothing but the keyset and associated data of the vector."""
    handle = cleartext_keyset_handle.read(tink.JsonKeysetReader(json.dumps(case["keyset"])))
    sealed, context = bytes.fromhex(case["sealed"]), bytes.fromhex(case["associatedData"])
    if case["encryption"] == "deterministic":
        opened = handle.primitive(daead.DeterministicAead).decrypt_deterministically(sealed, context)
    else:
        opened = handle.primitive(aead.Aead).decrypt(sealed, context)
    canonical = bytes.fromhex(case["canonical"])
    assert opened == (padding.padded(canonical, case["pad"]) if case["pad"] else canonical)


@pytest.mark.parametrize("case", PUBLISHED["failures"], ids=named)
def test_a_changed_value_fails_as_its_class_says(case: dict[str, Any]) -> None:
    """Each failure has its own error, and all of them are InvalidCiphertext."""
    expected = getattr(errors, case["class"])
    assert issubclass(expected, errors.InvalidCiphertext)
    with pytest.raises(expected) as caught:
        cipher(case).open(bytes.fromhex(case["sealed"]))
    assert "anna" not in caught.value.message + caught.value.hint + caught.value.detail


def test_wycheproof_aes_gcm() -> None:
    """The cipher under us accepts what is valid and refuses what is not (nonces of 12 bytes, keys of 32)."""
    assert len(GCM) > 50
    for case in GCM:
        key, iv, aad, msg = (bytes.fromhex(case[name]) for name in ("key", "iv", "aad", "msg"))
        ct, tag = bytes.fromhex(case["ct"]), bytes.fromhex(case["tag"])
        if case["result"] == "valid":
            assert AESGCM(key).encrypt(iv, msg, aad) == ct + tag
            assert AESGCM(key).decrypt(iv, ct + tag, aad) == msg
        else:
            with pytest.raises(InvalidTag):
                AESGCM(key).decrypt(iv, ct + tag, aad)


def test_wycheproof_aes_siv() -> None:
    """The same of AES-SIV with keys of 64 bytes."""
    assert len(SIV) > 50
    for case in SIV:
        key, aad, msg, ct = (bytes.fromhex(case[k]) for k in ("key", "aad", "msg", "ct"))
        if case["result"] == "valid":
            assert AESSIV(key).encrypt(msg, [aad]) == ct
            assert AESSIV(key).decrypt(ct, [aad]) == msg
        else:
            with pytest.raises(InvalidTag):
                AESSIV(key).decrypt(ct, [aad])


def test_rfc_5297_example() -> None:
    """Appendix A.1, deterministic authenticated encryption."""
    key = bytes.fromhex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
    associated = bytes.fromhex("101112131415161718191a1b1c1d1e1f2021222324252627")
    plaintext = bytes.fromhex("112233445566778899aabbccddee")
    sealed = bytes.fromhex("85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c")
    assert AESSIV(key).encrypt(plaintext, [associated]) == sealed
