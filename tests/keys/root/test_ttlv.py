"""keys/root/ttlv.py: the encoding of KMIP, with PyKMIP's as the judge."""

import contextlib
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import RootRefused
from strongroom.keys.root.ttlv import (
    HEADER_SIZE,
    MAX_DEPTH,
    MAX_LENGTH,
    Item,
    body_length,
    decode,
    encode,
    enumeration,
    integer,
    octets,
    structure,
    text,
)

TAG = 0x420020  # the tag of the specification's examples

# The examples of section 9.1.2.
EXAMPLES = [
    (integer(TAG, 8), "420020 02 00000004 0000000800000000"),
    (enumeration(TAG, 255), "420020 05 00000004 000000FF00000000"),
    (text(TAG, "Hello World"), "420020 07 0000000B 48656C6C6F20576F726C640000000000"),
    (octets(TAG, b"\x01\x02\x03"), "420020 08 00000003 0102030000000000"),
    (
        structure(TAG, enumeration(0x420004, 254), integer(0x420005, 255)),
        "420020 01 00000020 420004 05 00000004 000000FE00000000 420005 02 00000004 000000FF00000000",
    ),
]


@pytest.mark.parametrize(("item", "encoded"), EXAMPLES, ids=lambda value: str(value)[:30])
def test_the_examples_of_the_specification(item: Item, encoded: str) -> None:
    """Both ways."""
    assert encode(item) == bytes.fromhex(encoded)
    assert decode(bytes.fromhex(encoded)) == item


def test_other_types_are_kept_as_octets() -> None:
    """A date in an answer is no reason to refuse it."""
    date = decode(bytes.fromhex("420020 09 00000008 0000000047DA67F8"))
    assert date.value == bytes.fromhex("0000000047DA67F8")
    with pytest.raises(RootRefused):
        _ = date.octets


LEAVES = st.one_of(
    st.builds(integer, st.just(TAG), st.integers(-(2**31), 2**31 - 1)),
    st.builds(enumeration, st.just(TAG), st.integers(0, 2**32 - 1)),
    st.builds(text, st.just(TAG), st.text(max_size=20)),
    st.builds(octets, st.just(TAG), st.binary(max_size=20)),
)
ITEMS = st.recursive(
    LEAVES, lambda items: st.lists(items, max_size=4).map(lambda some: structure(TAG, *some)), max_leaves=20
)


@given(ITEMS)
def test_what_is_encoded_is_decoded(item: Item) -> None:
    """Whatever it is."""
    assert decode(encode(item)) == item


@given(ITEMS, st.data())
def test_what_is_cut_or_goes_on_is_refused(item: Item, data: st.DataObject) -> None:
    """At any octet; nothing else is ever raised."""
    encoded = encode(item)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    for malformed in (encoded[:cut], encoded + b"\x00", encoded + encoded):
        with pytest.raises(RootRefused):
            decode(malformed)


@given(st.binary(max_size=200))
def test_any_octets_are_decoded_or_refused(message: bytes) -> None:
    """A server may send anything."""
    with contextlib.suppress(RootRefused):
        assert isinstance(decode(message), Item)


def test_structures_are_nested_so_deep() -> None:
    """One more is refused, and no recursion is deeper."""
    item = integer(TAG, 1)
    for _ in range(MAX_DEPTH):
        item = structure(TAG, item)
    assert decode(encode(item)) == item
    deep = encode(integer(TAG, 1))
    for _ in range(MAX_DEPTH + 1):
        deep = b"\x42\x00\x20\x01" + len(deep).to_bytes(4) + deep
    with pytest.raises(RootRefused):
        decode(deep)


def test_the_length_of_a_message_has_a_limit() -> None:
    """It is a structure, and not longer than any answer that we wait for."""
    assert body_length(b"\x42\x00\x7b\x01" + MAX_LENGTH.to_bytes(4)) == MAX_LENGTH
    for header in (
        b"\x42\x00\x7b\x01" + (MAX_LENGTH + 1).to_bytes(4),
        b"\x42\x00\x7b\x08" + bytes(4),
        b"HTTP/1.1",
        bytes(HEADER_SIZE - 1),
    ):
        with pytest.raises(RootRefused):
            body_length(header)


def test_what_is_missing_or_of_another_type_is_refused() -> None:
    """Each way of asking an item for something."""
    item = structure(TAG, text(TAG, "a"), text(TAG, "b"))
    assert item[TAG].text == "a"
    assert [one.text for one in item.all(TAG)] == ["a", "b"]
    for ask in (
        lambda: item[1],
        lambda: item.number,
        lambda: item.text,
        lambda: item.octets,
        lambda: item[TAG][TAG],
        lambda: item[TAG].octets,
    ):
        with pytest.raises(RootRefused):
            ask()


ASCII = st.text(st.characters(codec="ascii"), max_size=30)  # PyKMIP has no others


@given(st.integers(-(2**31), 2**31 - 1), ASCII, st.binary(max_size=30))
def test_pykmip_encodes_the_same(number: int, words: str, data: bytes) -> None:
    """A judge that we did not write."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what PyKMIP uses
        from kmip.core import primitives  # noqa: PLC0415 - importing it warns
        from kmip.core.enums import Tags  # noqa: PLC0415 - importing it warns
        from kmip.core.utils import BytearrayStream  # noqa: PLC0415 - importing it warns

    tag = Tags.DATA
    for theirs, ours in (
        (primitives.Integer(number, tag), integer(tag.value, number)),
        (primitives.TextString(words, tag), text(tag.value, words)),
        (primitives.ByteString(data, tag), octets(tag.value, data)),
    ):
        stream = BytearrayStream()
        theirs.write(stream)
        assert encode(ours) == bytes(stream.buffer)
