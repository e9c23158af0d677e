"""keys/root/kmip_messages.py: requests and answers of KMIP, with PyKMIP as the judge."""

import contextlib
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import RootError, RootKeyMissing, RootRefused, WrongRoot
from strongroom.keys.root import kmip_messages as messages
from strongroom.keys.root.kmip_messages import DENIED, GONE, REASONS, Attributes
from strongroom.keys.root.ttlv import Item, encode, enumeration, integer, octets, structure, text

NONCE, TAG = b"n" * 12, b"t" * 16
STATE, ALGORITHM = "State", "Cryptographic Algorithm"


def pykmip(message: bytes, *, writes_the_same: bool = True) -> Any:
    """The payload of a request, as PyKMIP understands it and would itself write it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what PyKMIP uses
        from kmip.core import enums  # noqa: PLC0415 - importing it warns
        from kmip.core.messages.messages import RequestMessage  # noqa: PLC0415 - importing it warns
        from kmip.core.utils import BytearrayStream  # noqa: PLC0415 - importing it warns

        request = RequestMessage()
        request.read(BytearrayStream(message), kmip_version=enums.KMIPVersion.KMIP_1_4)
        written = BytearrayStream()
        request.write(written, kmip_version=enums.KMIPVersion.KMIP_1_4)
        assert not writes_the_same or bytes(written.buffer) == message
    (item,) = request.batch_items
    return item.request_payload


def answer(*payload: Item, status: int = 0, reason: int | None = None) -> bytes:
    failure = () if reason is None else (enumeration(messages.RESULT_REASON, reason),)
    item = structure(
        messages.BATCH_ITEM,
        enumeration(messages.RESULT_STATUS, status),
        *failure,
        structure(messages.RESPONSE_PAYLOAD, *payload),
    )
    return encode(structure(messages.RESPONSE_MESSAGE, item))


def about(identifier: str) -> Item:
    return text(messages.UNIQUE_IDENTIFIER, identifier)


def test_pykmip_understands_encrypt() -> None:
    """All of it, octet for octet."""
    asked = pykmip(messages.encrypt("key 1", b"plain", NONCE, b"shop"))
    assert (asked.unique_identifier, asked.data) == ("key 1", b"plain")
    assert (asked.iv_counter_nonce, asked.auth_additional_data) == (NONCE, b"shop")
    parameters = asked.cryptographic_parameters
    assert (parameters.block_cipher_mode.name, parameters.cryptographic_algorithm.name) == ("GCM", "AES")
    assert parameters.tag_length == len(TAG)


def test_pykmip_understands_decrypt() -> None:
    """The tag goes apart from the ciphertext."""
    asked = pykmip(messages.decrypt("key 1", b"sealed" + TAG, NONCE, b"shop"))
    assert (asked.data, asked.auth_tag, asked.iv_counter_nonce) == (b"sealed", TAG, NONCE)
    assert asked.auth_additional_data == b"shop"


def test_pykmip_understands_get_attributes() -> None:
    """By the names that KMIP 1 has for them.

    PyKMIP pads a text of eight octets by eight more, if it was read before; section 9.1.1.3 does not.
    """
    asked = pykmip(messages.get_attributes("key 1"), writes_the_same=False)
    assert asked.unique_identifier == "key 1"
    assert STATE in asked.attribute_names
    assert ALGORITHM in asked.attribute_names


def test_answers_are_read() -> None:
    """Each kind; what else is in them does not matter."""
    tag = octets(messages.AUTHENTICATION_TAG, TAG)
    sealed = octets(messages.DATA, b"sealed")
    assert messages.read_encrypted(answer(about("1"), sealed, tag), "1") == b"sealed" + TAG
    assert messages.read_decrypted(answer(about("1"), sealed, integer(1, 1)), "1") == b"sealed"
    attribute = structure(
        messages.ATTRIBUTE,
        text(messages.ATTRIBUTE_NAME, STATE),
        enumeration(messages.ATTRIBUTE_VALUE, 2),
    )
    assert messages.read_attributes(answer(about("1"), attribute), "1") == Attributes(2, None, None, None)


@pytest.mark.parametrize("size", [0, 12, 15, 17])
def test_a_tag_that_is_not_whole_is_refused(size: int) -> None:
    """A short one would be easier to forge."""
    items = octets(messages.DATA, b""), octets(messages.AUTHENTICATION_TAG, bytes(size))
    with pytest.raises(RootRefused):
        messages.read_encrypted(answer(about("1"), *items), "1")


def test_an_answer_for_another_key_is_not_taken() -> None:
    """Whatever was asked."""
    items = octets(messages.DATA, b"data"), octets(messages.AUTHENTICATION_TAG, TAG)
    for read in (messages.read_encrypted, messages.read_decrypted, messages.read_attributes):
        with pytest.raises(WrongRoot, match="another key"):
            read(answer(about("2"), *items), "1")


@pytest.mark.parametrize("reason", [*REASONS, 0x99])
def test_failures_are_told_by_their_reason(reason: int) -> None:
    """By the name that the specification has for it, or its number."""
    failed = answer(status=1, reason=reason)
    expected: type[RootError] = RootKeyMissing if reason in GONE else RootRefused
    with pytest.raises(expected) as caught:
        messages.read_encrypted(failed, "1")
    assert REASONS.get(reason, "0x99") in caught.value.message
    if reason in GONE | DENIED:
        with pytest.raises(expected):
            messages.read_decrypted(failed, "1")
    else:
        assert messages.read_decrypted(failed, "1") is None


@pytest.mark.parametrize("message", [b"", encode(text(messages.RESPONSE_MESSAGE, "a")), encode(structure(1))])
def test_what_is_no_answer_is_refused(message: bytes) -> None:
    """Nothing, another type, another message, one without an item."""
    with pytest.raises(RootRefused, match="does not speak KMIP"):
        messages.read_decrypted(message, "1")


GOOD = answer(about("1"), octets(messages.DATA, b"sealed"), octets(messages.AUTHENTICATION_TAG, TAG))


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255), st.integers(0, len(GOOD)))
def test_any_answer_is_read_or_refused(at: int, octet: int, end: int) -> None:
    """A server may send anything; what it sends becomes a value or an error of ours."""
    changed = (GOOD[:at] + bytes([octet]) + GOOD[at + 1 :])[:end]
    for read in (messages.read_encrypted, messages.read_decrypted, messages.read_attributes):
        with contextlib.suppress(RootError):
            read(changed, "1")


FIT = Attributes(state=2, algorithm=3, length=256, usage=0x0C)


@pytest.mark.parametrize("state", [None, 2, 3, 4])
def test_a_key_that_may_still_open_is_taken(state: int | None) -> None:
    """Deactivated and compromised keys are for opening; what a server does not say, it is not asked for."""
    Attributes(state, FIT.algorithm, FIT.length, FIT.usage).refuse_unfit()
    Attributes(state, FIT.algorithm, FIT.length, None).refuse_unfit()


@pytest.mark.parametrize(
    ("unfit", "why"),
    [
        (Attributes(1, 3, 256, 0x0C), "not active yet"),
        (Attributes(5, 3, 256, 0x0C), "destroyed"),
        (Attributes(6, 3, 256, 0x0C), "destroyed"),
        (Attributes(2, 2, 256, 0x0C), "256 bits"),
        (Attributes(2, 3, 128, 0x0C), "256 bits"),
        (Attributes(2, None, None, None), "256 bits"),
        (Attributes(2, 3, 256, 0x04), "may not encrypt and decrypt"),
        (Attributes(2, 3, 256, 0x08), "may not encrypt and decrypt"),
    ],
)
def test_a_key_that_cannot_serve_is_refused(unfit: Attributes, why: str) -> None:
    """With what to do there."""
    with pytest.raises(RootRefused, match=why) as caught:
        unfit.refuse_unfit()
    assert caught.value.hint
