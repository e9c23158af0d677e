"""SASLprep as PostgreSQL does it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.wire.postgres.saslprep import prepared_password

PREPARED = [
    # RFC 4013, section 3
    ("I\u00adX", b"IX"),
    ("user", b"user"),
    ("USER", b"USER"),
    ("\u00aa", b"a"),
    ("\u2168", b"IX"),
    # other spaces are mapped to a space
    ("a\u00a0b", b"a b"),
]

# Each holds a character that normalization would change (U+00AA, U+00B2), so that its absence shows.
LEFT_ALONE = [
    ("ASCII control", "a\x07b"),
    ("prohibited: control beside a letter beyond ASCII", "\u00aa\x07"),
    ("prohibited: private use", "\u00aa\ue000"),
    ("prohibited: unassigned in Unicode 3.2", "\u00aa\u0221"),
    ("bidi: begins right to left and does not end so (RFC 4013, section 3)", "\u0627\u00b2"),
    ("bidi: both directions", "\u0627\u00aa\u0627"),
    ("nothing left", "\u00ad"),
    ("empty", ""),
]


@pytest.mark.parametrize(("password", "prepared"), PREPARED)
def test_a_password_is_mapped_and_normalized(password: str, prepared: bytes) -> None:
    """The examples of RFC 4013 come out as the RFC says."""
    assert prepared_password(password) == prepared


@pytest.mark.parametrize(("why", "password"), LEFT_ALONE)
def test_a_password_that_saslprep_refuses_is_used_as_it_is(why: str, password: str) -> None:
    """PostgreSQL uses the bytes of the password where SASLprep fails, rather than refuse it."""
    assert prepared_password(password) == password.encode(), why


def test_right_to_left_text_is_allowed() -> None:
    """Text that is right to left from end to end passes, and is normalized."""
    assert prepared_password("\u0627\u0628") == "\u0627\u0628".encode()


@given(st.text())
def test_no_password_fails(password: str) -> None:
    """Every text gives bytes, and equal text equal bytes."""
    assert prepared_password(password) == prepared_password(password)
