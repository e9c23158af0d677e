"""protect/canonical.py: from a client's value to one byte form and back, for every type."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import InvalidPlaintext, StrongroomError, TypeMismatch, ValueTooLong
from strongroom.protect.canonical import BINARY_FORMAT, FORMS, TEXT_FORMAT, Sent, decode, encode, is_verbatim
from strongroom.protect.style import TextStyle
from strongroom.wire.postgres.types import BASE_TYPES, ELEMENT_OF, DeclaredType, declared

STYLE = TextStyle()
ALL = [declared(oid) for oid in (*BASE_TYPES, *ELEMENT_OF)]
types_ = st.sampled_from(ALL)


def test_every_type_has_its_form() -> None:
    """What can be declared can be sealed."""
    assert set(FORMS) == set(BASE_TYPES)


@given(types_, st.binary(max_size=40), st.sampled_from([TEXT_FORMAT, BINARY_FORMAT]))
def test_any_bytes_are_a_value_or_refused(type_: DeclaredType, value: bytes, format_code: int) -> None:
    """Only our errors; what is taken is printed, and read again as the same value, in both formats."""
    try:
        canonical = encode(type_, value, Sent(STYLE, 0, format_code))
    except StrongroomError:
        return
    for again in (TEXT_FORMAT, BINARY_FORMAT):
        shown = decode(type_, canonical, again, STYLE)
        assert encode(type_, shown, Sent(STYLE, 0, again)) == canonical


@given(types_, st.binary(max_size=40), st.sampled_from([TEXT_FORMAT, BINARY_FORMAT]))
def test_any_plaintext_is_a_value_or_an_error(
    type_: DeclaredType, plaintext: bytes, format_code: int
) -> None:
    """What opened but was never sealed from a value of this type."""
    if is_verbatim(type_):
        return
    with contextlib.suppress(InvalidPlaintext):
        shown = decode(type_, plaintext, format_code, STYLE)
        assert isinstance(shown, bytes)


@pytest.mark.parametrize("oid", [19, 26, 600, 4089])
def test_a_type_without_a_form_is_refused(oid: int) -> None:
    """A client may declare any."""
    for type_ in (declared(25), declared(23), declared(1009)):
        with pytest.raises(TypeMismatch):
            encode(type_, b"1", Sent(STYLE, oid))


def test_a_cast_cuts_before_the_column_measures() -> None:
    """What `$1::varchar(3)` leaves counts characters, and is what the column's own length is held to."""
    for type_ in (declared(25), DeclaredType(1043, 3 + 4), DeclaredType(1042, 5 + 4)):
        assert encode(type_, "żółw".encode(), Sent(STYLE, 1043, cut=3)) == "żół".encode()
    with pytest.raises(ValueTooLong):
        encode(DeclaredType(1043, 2 + 4), b"abcd", Sent(STYLE, 1043, cut=3))


def test_a_cast_of_an_array_cuts_each_element() -> None:
    """As `$1::varchar(1)[]` does."""
    cut = encode(declared(1009), b"{ab,NULL,c}", Sent(STYLE, 1015, cut=1))
    assert decode(declared(1009), cut, TEXT_FORMAT, STYLE) == b"{a,NULL,c}"
