"""protect/envelope.py: the prefix of a sealed value, and its associated data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import TruncatedCiphertext, UnknownVersion
from strongroom.keys.model import Context
from strongroom.protect.envelope import associated_data, key_id_of, length_prefixed, prefix

names = st.text(max_size=8)
contexts = st.builds(Context, names, names, names, names, st.none() | names)


@given(st.integers(1, 2**32 - 1), st.binary())
def test_the_prefix_names_the_key(key_id: int, rest: bytes) -> None:
    """What is written is read, whatever follows."""
    assert key_id_of(prefix(key_id) + rest) == key_id


@given(st.binary())
def test_any_bytes_are_read_or_refused(value: bytes) -> None:
    """Five bytes of which the first is 1, or an error that says which is missing."""
    if len(value) < 5:
        with pytest.raises(TruncatedCiphertext):
            key_id_of(value)
    elif value[0] != 1:
        with pytest.raises(UnknownVersion):
            key_id_of(value)
    else:
        assert key_id_of(value) == int.from_bytes(value[1:5], "big")


@given(contexts, contexts)
def test_two_contexts_have_the_same_bytes_only_if_they_are_one(one: Context, other: Context) -> None:
    """The encoding is injective."""
    assert (associated_data(one) == associated_data(other)) == (one == other)


def test_names_cannot_run_into_each_other() -> None:
    """The same letters in other places, and no tenant beside an empty one."""
    made = {
        associated_data(Context(*names))
        for names in (
            ("ab", "c", "d", "e"),
            ("a", "bc", "d", "e"),
            ("a", "b", "cd", "e"),
            ("", "abc", "d", "e"),
            ("ab", "c", "d", "e", ""),
            ("ab", "c", "d", "e", "tenant"),
            ("ab", "c", "d", "etenant"),
        )
    }
    assert len(made) == 7


def test_lengths_count_bytes() -> None:
    """A letter of two bytes counts as two."""
    assert length_prefixed("é", "") == b"\0\0\0\2\xc3\xa9\0\0\0\0"
