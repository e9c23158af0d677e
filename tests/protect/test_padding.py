"""protect/padding.py: filling up to a block, and taking it off again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import InvalidPlaintext
from strongroom.protect.padding import padded, unpadded

blocks = st.integers(1, 64)


@given(st.binary(max_size=200), blocks)
def test_what_was_filled_comes_off(plaintext: bytes, block: int) -> None:
    """Whatever the plaintext ends with, and by the least that makes a block."""
    filled = padded(plaintext, block)
    assert len(filled) % block == 0
    assert 1 <= len(filled) - len(plaintext) <= block
    assert unpadded(filled, block) == plaintext


@given(st.binary(max_size=100), blocks)
def test_anything_else_is_refused(value: bytes, block: int) -> None:
    """Bytes are unpadded only if padding gives them."""
    try:
        plaintext = unpadded(value, block)
    except InvalidPlaintext:
        return
    assert padded(plaintext, block) == value


@pytest.mark.parametrize("value", [b"", b"\0" * 8, b"abc\x80", b"a" * 8, b"\x80" + b"\0" * 15])
def test_what_was_not_filled_is_refused(value: bytes) -> None:
    """No mark, not a multiple, or more filling than a block has."""
    with pytest.raises(InvalidPlaintext):
        unpadded(value, 8)
