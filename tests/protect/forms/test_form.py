"""protect/forms/form.py: what all families of types share."""

import pytest

from strongroom.errors import InvalidBinary, InvalidEncoding, InvalidText, UnsupportedInput
from strongroom.protect.forms.form import ascii_token, invalid_text, sized, unsupported, utf8


def test_text_is_utf8_without_nul() -> None:
    """As the server's pg_verify_mbstr has it."""
    assert utf8("ö😀".encode()) == "ö😀"
    for value in (b"\0", b"a\0b", b"\xff", b"\xc3"):
        with pytest.raises(InvalidEncoding):
            utf8(value)


def test_tokens_are_ascii_between_white_space() -> None:
    """Only C's white space; a letter beyond ASCII is no number, and malformed UTF-8 is the nearer error."""
    assert ascii_token(b" \t\n\v\f\r12 ", "integer") == "12"
    with pytest.raises(InvalidText):
        ascii_token("\u00a012".encode(), "integer")
    with pytest.raises(InvalidText):
        ascii_token("١٢".encode(), "integer")
    with pytest.raises(InvalidEncoding):
        ascii_token(b"12\xff", "integer")


def test_fixed_widths_are_checked() -> None:
    """Neither a byte more nor one less."""
    assert sized(b"abcd", 4) == b"abcd"
    for value in (b"", b"abc", b"abcde"):
        with pytest.raises(InvalidBinary):
            sized(value, 4)


def test_errors_name_the_type_and_never_the_value() -> None:
    """With PostgreSQL's words, and where to read on."""
    assert invalid_text("integer").message == "invalid input syntax for type integer"
    refused = unsupported("date", "a month's name")
    assert isinstance(refused, UnsupportedInput)
    assert "a month's name" in refused.message
    assert "docs/spec/ciphertext.md" in refused.hint
