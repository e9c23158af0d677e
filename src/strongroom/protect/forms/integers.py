"""bool, smallint, integer and bigint: canonical is the binary send format, big endian.

Sources: PostgreSQL's numutils.c (pg_strtoint) and bool.c (parse_bool_with_len).
"""

import re
from collections.abc import Callable

from strongroom.errors import ValueOutOfRange
from strongroom.protect.forms.form import Form, ascii_token, invalid_text, sized, unsupported
from strongroom.protect.style import TextStyle

_DECIMAL = re.compile(r"[+-]?[0-9]+")
# Since PostgreSQL 16 also 0x1F, 0o17, 0b11 and 1_000; older servers refuse them, so that we name them.
_NEWER = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|[0-9][0-9_]*)")
MAX_DIGITS = 40  # a number cut here is out of range as much as the whole: no type holds more than 19


def pack(value: int, size: int, name: str) -> bytes:
    """The value in ``size`` bytes; raises ``ValueOutOfRange``."""
    try:
        return value.to_bytes(size, "big", signed=True)
    except OverflowError:
        raise ValueOutOfRange(f"value out of range for type {name}") from None


def unpack(canonical: bytes) -> int:
    """The number in the bytes of any width."""
    return int.from_bytes(canonical, "big", signed=True)


def _input(size: int, name: str) -> Callable[[bytes, TextStyle], bytes]:
    def read(value: bytes, _style: TextStyle) -> bytes:
        token = ascii_token(value, name)
        if _DECIMAL.fullmatch(token):
            digits = token.lstrip("+-0")[:MAX_DIGITS] or "0"
            return pack(-int(digits) if token[0] == "-" else int(digits), size, name)
        if _NEWER.fullmatch(token):
            raise unsupported(name, "a number in hexadecimal, octal or binary digits, or with underscores,")
        raise invalid_text(name)

    return read


def _receive(size: int) -> Callable[[bytes], bytes]:
    return lambda value: sized(value, size)


def _output(canonical: bytes, _typmod: int, _style: TextStyle) -> bytes:
    return b"%d" % unpack(canonical)


def _integer(size: int, name: str) -> Form:
    return Form(input=_input(size, name), output=_output, receive=_receive(size), passes=True)


INT2 = _integer(2, "smallint")
INT4 = _integer(4, "integer")
INT8 = _integer(8, "bigint")


# --- bool ---

_WORDS = {
    "true": True,
    "false": False,
    "yes": True,
    "no": False,
    "on": True,
    "off": False,
    "1": True,
    "0": False,
}


def _bool_input(value: bytes, _style: TextStyle) -> bytes:
    """The words and their unique prefixes, in any case: ``o`` alone could be on or off."""
    token = ascii_token(value, "boolean").lower()
    matches = {meaning for word, meaning in _WORDS.items() if token and word.startswith(token)}
    if len(matches) != 1:
        raise invalid_text("boolean")
    return b"\1" if matches.pop() else b"\0"


def _bool_receive(value: bytes) -> bytes:
    return b"\1" if sized(value, 1) != b"\0" else b"\0"


def _bool_output(canonical: bytes, _typmod: int, _style: TextStyle) -> bytes:
    return b"t" if canonical == b"\1" else b"f"


BOOL = Form(input=_bool_input, output=_bool_output, receive=_bool_receive, passes=True)
