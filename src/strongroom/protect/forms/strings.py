"""text, varchar(n), char(n), bytea and uuid: values whose canonical form is nearly what the client sent.

Sources: PostgreSQL's varchar.c (length coercion cuts blanks alone), varlena.c (bytea) and uuid.c.
"""

import re

from strongroom.errors import InvalidHex, ValueTooLong
from strongroom.protect.forms.form import Form, invalid_text, sized, utf8
from strongroom.protect.style import TextStyle
from strongroom.wire.postgres.types import character_length


def _checked(value: bytes) -> bytes:
    utf8(value)
    return value


def _text_input(value: bytes, _style: TextStyle) -> bytes:
    return _checked(value)


def _same(canonical: bytes, _typmod: int, _style: TextStyle) -> bytes:
    return canonical


TEXT = Form(input=_text_input, output=_same, receive=_checked, verbatim=True, passes=True)


# --- varchar(n) and char(n) ---


def _characters(value: bytes) -> int:
    return len(value.decode())


def _varchar_fit(canonical: bytes, typmod: int) -> bytes:
    """An assignment cuts blanks beyond n characters, and refuses anything else there (varchar.c)."""
    limit = character_length(typmod)
    if limit is None or len(canonical) <= limit or (text := canonical.decode(), len(text) <= limit)[1]:
        return canonical
    if text[limit:].strip(" "):
        raise ValueTooLong(f"value too long for type character varying({limit})")
    return text[:limit].encode()


def _bpchar_input(value: bytes, _style: TextStyle) -> bytes:
    return _bpchar_receive(value)


def _bpchar_receive(value: bytes) -> bytes:
    """Blanks at the end mean nothing in char(n) and are left out (manual, "Character Types")."""
    return _checked(value).rstrip(b" ")


def _bpchar_fit(canonical: bytes, typmod: int) -> bytes:
    limit = character_length(typmod)
    if limit is not None and len(canonical) > limit and _characters(canonical) > limit:
        raise ValueTooLong(f"value too long for type character({limit})")
    return canonical


def _padded(canonical: bytes, typmod: int) -> bytes:
    limit = character_length(typmod)
    return canonical if limit is None else canonical + b" " * (limit - _characters(canonical))


def _bpchar_output(canonical: bytes, typmod: int, _style: TextStyle) -> bytes:
    return _padded(canonical, typmod)


VARCHAR = Form(
    input=_text_input, output=_same, receive=_checked, fit=_varchar_fit, verbatim=True, passes=True
)
BPCHAR = Form(
    input=_bpchar_input, output=_bpchar_output, receive=_bpchar_receive, send=_padded, fit=_bpchar_fit
)


# --- bytea ---

_ESCAPED = re.compile(rb"\\(\\|[0-3][0-7]{2})?")


def _bytea_input(value: bytes, _style: TextStyle) -> bytes:
    """Hex and escape format (manual, "Binary Data Types"); white space may stand between hex pairs."""
    if not value.startswith(b"\\x"):
        return _ESCAPED.sub(_unescaped, _checked(value))
    try:
        digits = value[2:].decode("ascii")
        return bytes.fromhex(digits)
    except ValueError:
        utf8(value)
        raise InvalidHex("invalid hexadecimal data") from None


def _unescaped(match: re.Match[bytes]) -> bytes:
    if match[1] is None:
        raise invalid_text("bytea")
    return b"\\" if match[1] == b"\\" else bytes([int(match[1], 8)])


def _bytea_output(canonical: bytes, _typmod: int, _style: TextStyle) -> bytes:
    return b"\\x" + canonical.hex().encode()


def _bytea_receive(value: bytes) -> bytes:
    return value


BYTEA = Form(input=_bytea_input, output=_bytea_output, receive=_bytea_receive, passes=True)


# --- uuid ---

_UUID = re.compile(rb"(?:[0-9a-fA-F]{4}-?){7}[0-9a-fA-F]{4}")


def _uuid_input(value: bytes, _style: TextStyle) -> bytes:
    """32 digits, hyphens after any group of four, braces around all (manual, "UUID Type")."""
    inner = value[1:-1] if value[:1] == b"{" and value[-1:] == b"}" else value
    if not _UUID.fullmatch(inner):
        utf8(value)
        raise invalid_text("uuid")
    return bytes.fromhex(inner.replace(b"-", b"").decode())


def _uuid_output(canonical: bytes, _typmod: int, _style: TextStyle) -> bytes:
    digits = canonical.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}".encode()


def _uuid_receive(value: bytes) -> bytes:
    return sized(value, 16)


UUID = Form(input=_uuid_input, output=_uuid_output, receive=_uuid_receive, passes=True)
