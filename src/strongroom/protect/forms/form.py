"""What a family of types provides: the five functions between a client's bytes and the canonical ones.

The names are those that pg_type has for the same things: input, output, receive, send. Each file of this
package makes one ``Form`` per type; ``protect/canonical.py`` finds it by OID.
"""

from collections.abc import Callable
from dataclasses import dataclass

from strongroom.errors import InvalidBinary, InvalidEncoding, InvalidText, UnsupportedInput
from strongroom.protect.style import TextStyle

SPEC = "docs/spec/ciphertext.md lists the input forms of each type"


def unchanged(canonical: bytes, typmod: int) -> bytes:
    """For types whose typmod changes nothing."""
    return canonical


@dataclass(frozen=True, slots=True)
class Form:
    """The functions of one type. ``send`` and ``output`` raise nothing that matters: their caller maps it.

    ``fit`` applies the typmod as an assignment to the column does, ``align`` as a comparison does: a value
    that the column cannot hold is then kept as it is, and equals none.
    """

    input: Callable[[bytes, TextStyle], bytes]
    output: Callable[[bytes, int, TextStyle], bytes]
    receive: Callable[[bytes], bytes]
    send: Callable[[bytes, int], bytes] = unchanged
    fit: Callable[[bytes, int], bytes] = unchanged
    align: Callable[[bytes, int], bytes] = unchanged
    verbatim: bool = False  # canonical, text and binary are the same bytes, whatever the typmod and style
    passes: bool = False  # canonical and binary are the same bytes, and ``receive`` checks them


def utf8(value: bytes) -> str:
    """A client's text; raises ``InvalidEncoding`` as the server's pg_verify_mbstr does."""
    if b"\0" in value:
        raise InvalidEncoding('invalid byte sequence for encoding "UTF8": 0x00')
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidEncoding('invalid byte sequence for encoding "UTF8"') from None


def ascii_token(value: bytes, type_name: str) -> str:
    """The text of a number, date and so on, without the white space that C's isspace() knows."""
    try:
        return value.decode("ascii").strip(" \t\n\v\f\r")
    except UnicodeDecodeError:
        utf8(value)  # malformed UTF-8 is the nearer error
        raise invalid_text(type_name) from None


def invalid_text(type_name: str) -> InvalidText:
    """PostgreSQL's message without the value that it would quote."""
    return InvalidText(f"invalid input syntax for type {type_name}", hint=SPEC)


def unsupported(type_name: str, form: str) -> UnsupportedInput:
    """For what PostgreSQL may accept and we do not: named, never guessed."""
    return UnsupportedInput(f"{form} is not accepted for a protected column of type {type_name}", hint=SPEC)


def sized(value: bytes, size: int) -> bytes:
    """A fixed-width binary value of the right width; raises ``InvalidBinary``."""
    if len(value) != size:
        raise InvalidBinary("incorrect binary data format in a parameter")
    return value
