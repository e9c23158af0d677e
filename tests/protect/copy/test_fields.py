"""What the formats of COPY share."""

import pytest

from strongroom.errors import UpstreamCopyMalformed
from strongroom.protect.copy.fields import hex_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"\\x", b""),
        (b"\\x00", b"\0"),
        (b"\\xdeadBEEF", b"\xde\xad\xbe\xef"),
        (b"\\x" + b"0a" * 9, b"\n" * 9),
    ],
)
def test_hexadecimal_is_read(text: bytes, value: bytes) -> None:
    """In either case (manual, "Binary Data Types")."""
    assert hex_value(text) == value


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"x00",
        b"\\X00",
        b"\\x0",
        b"\\x0g",
        b"\\001\\002",
        b"plain",
        b"\\x00 ",
        b"\\\\x00",
        b"\\x\xc3\xa9",
    ],
)
def test_another_form_is_an_error(text: bytes) -> None:
    """Never an empty or wrong value; what it was is not quoted."""
    with pytest.raises(UpstreamCopyMalformed, match="another form than hex") as refused:
        hex_value(text)
    assert "bytea_output" in refused.value.hint
    assert refused.value.__cause__ is None
