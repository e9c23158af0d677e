"""protect/forms/strings.py: text, varchar, char, bytea and uuid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import InvalidHex, InvalidText, ValueTooLong
from strongroom.protect.forms.strings import BPCHAR, BYTEA, UUID, VARCHAR
from strongroom.protect.style import TextStyle

STYLE = TextStyle()
text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)


@given(text, st.integers(1, 8))
def test_lengths_are_counted_in_characters(value: str, limit: int) -> None:
    """Blanks beyond the length vanish, anything else there is refused."""
    if value[limit:].strip(" "):
        with pytest.raises(ValueTooLong):
            VARCHAR.fit(value.encode(), limit + 4)
        return
    assert VARCHAR.fit(value.encode(), limit + 4).decode() == value[:limit]


@given(text, st.integers(1, 8))
def test_char_is_padded_on_the_way_out(value: str, limit: int) -> None:
    """And its canonical form has no blanks at the end, however many were sent."""
    canonical = BPCHAR.receive(value.encode())
    assert canonical == BPCHAR.input(value.encode() + b"   ", STYLE)
    if len(canonical.decode()) > limit:
        with pytest.raises(ValueTooLong):
            BPCHAR.fit(canonical, limit + 4)
        return
    assert BPCHAR.output(canonical, limit + 4, STYLE).decode() == value.rstrip(" ").ljust(limit)
    assert BPCHAR.send(canonical, -1) == canonical


@given(st.binary())
def test_bytea_is_written_in_hex(value: bytes) -> None:
    """And read in hex and in the escape format."""
    assert BYTEA.input(BYTEA.output(value, -1, STYLE), STYLE) == value
    escaped = b"".join(b"\\%03o" % byte for byte in value)
    assert BYTEA.input(escaped, STYLE) == value


@pytest.mark.parametrize("value", [b"\\x1", b"\\xg0", b"\\x\xc3\xa9"])
def test_wrong_hex_has_its_own_error(value: bytes) -> None:
    """An odd number of digits, or another character."""
    with pytest.raises(InvalidHex):
        BYTEA.input(value, STYLE)


@given(st.uuids())
def test_a_uuid_is_written_as_rfc_9562_has_it(value: object) -> None:
    """And read in any case."""
    written = str(value).encode()
    assert UUID.output(UUID.input(written.upper(), STYLE), -1, STYLE) == written
    with pytest.raises(InvalidText):
        UUID.input(written + b"0", STYLE)
