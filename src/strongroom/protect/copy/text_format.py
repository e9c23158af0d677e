r"""COPY's text format: fields taken out of lines and put back (manual, COPY, "Text Format").

``TextFormat.sealing`` and ``opening`` make, of what seals or opens a value, a function from a field as it
stands in a line to a field; only fields of protected columns are ever unescaped. What is written is what
CopyAttributeOutText writes; what is read is what CopyReadAttributesText reads. Called by ``rows.py``.
"""

import re
from binascii import hexlify
from collections.abc import Sequence

from strongroom import _kernel as kernel
from strongroom.errors import MalformedCopy
from strongroom.protect.copy.fields import Convert, FieldFunction, Open, hex_value
from strongroom.protect.copy.lines import TextSyntax, joined_escapes
from strongroom.sql.statement import Copy

_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|(.?))", re.DOTALL)
_LETTERS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_WRITTEN = {value: b"\\" + letter for letter, value in _LETTERS.items()}


class TextFormat:
    """The fields of one COPY in text format."""

    ends_anywhere = True

    def __init__(self, copy: Copy) -> None:
        delimiter = copy.delimiter.encode()
        self.delimiter = delimiter
        self.syntax = TextSyntax()
        self._null = copy.null.encode()
        self._escaped_delimiter = b"\\" + delimiter
        special = b"\\\\\b\f\n\r\t\v" + re.escape(delimiter)
        self._special = re.compile(b"[" + special + b"]")
        self._written = {b"\\": b"\\\\", delimiter: b"\\" + delimiter, **_WRITTEN}

    def needs_care(self, lines: list[bytes]) -> bool:
        """Whether splitting at delimiters alone could be wrong in one of these lines."""
        return any(self._escaped_delimiter in line for line in lines)

    def split(self, line: bytes) -> list[bytes]:
        """The fields of a line that needs care."""
        fields = line.split(self.delimiter)
        return joined_escapes(fields, self.delimiter) if self._escaped_delimiter in line else fields

    def without_data_breaks(self, line: bytes) -> bytes:
        """The line without the line breaks that are data in it, to find the ones that must not be there."""
        return _ESCAPE.sub(b"", line) if b"\\" in line else line

    def null(self, column: int) -> bytes | None:
        """What NULL looks like in this column."""
        return self._null

    def kernel_lines(self, columns: Sequence[Convert | None]) -> kernel.Lines:
        """The kernel knows the whole of the format."""
        return kernel.Lines(columns, delimiter=self.delimiter, null=self._null, quote=b"")

    def sealing(self, column: int, seal: Convert) -> FieldFunction:
        """From a client's field to the field of a sealed value."""

        def sealed(field: bytes) -> bytes:
            value = unescape(field) if b"\\" in field else field
            return b"\\\\x" + hexlify(seal(value))

        return sealed

    def value(self, column: int, field: bytes) -> bytes | None:
        """What a client's field says; None for NULL."""
        return None if field == self.null(column) else unescape(field)

    def opening(self, column: int, opener: Open) -> FieldFunction:
        """From the field of a sealed value to the field of the value."""
        return lambda field: self._shown(opener(hex_value(field[1:] if field[:2] == b"\\\\" else field)))

    def masking(self, column: int, mask: Open) -> FieldFunction:
        """From the field of a value that is not sealed to the field of what the client may see of it."""
        return lambda field: self._shown(mask(unescape(field) if b"\\" in field else field))

    def _shown(self, value: bytes | None) -> bytes:
        if value is None:
            return self._null
        return self.escape(value) if self._special.search(value) else value

    def escape(self, value: bytes) -> bytes:
        """As CopyAttributeOutText writes a value."""
        return self._special.sub(lambda found: self._written[found[0]], value)


def unescape(field: bytes) -> bytes:
    """As CopyReadAttributesText reads a field."""
    return _ESCAPE.sub(_unescaped, field)


def _unescaped(found: re.Match[bytes]) -> bytes:
    octal, hexadecimal, other = found.groups()
    if octal:
        return bytes([int(octal, 8) & 0xFF])
    if hexadecimal:
        return bytes([int(hexadecimal, 16)])
    if other == b".":
        raise MalformedCopy("end-of-copy marker is not alone on its line", hint="write a backslash as two")
    return _LETTERS.get(other, other)
