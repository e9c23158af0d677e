"""What the formats of COPY share: the functions between fields and values.

A ``Convert`` seals one value, an ``Open`` opens or masks one, which may make it NULL; a ``FieldFunction``
does so for a field as it stands in a line.
"""

from binascii import Error, unhexlify
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from strongroom import _kernel as kernel
from strongroom.errors import UpstreamCopyMalformed
from strongroom.protect.copy.lines import Syntax

Convert = Callable[[bytes], bytes]
Open = Callable[[bytes], bytes | None]
FieldFunction = Callable[[bytes], bytes]

HINT = "is the column bytea, and bytea_output hex?"


@dataclass(slots=True)
class RowTenant:
    """The field of the row being sealed that names its tenant; ``place`` is that of its column."""

    place: int
    value: bytes | None = None
    """As the client wrote it, unescaped, or in binary; None for NULL."""


class LineFormat(Protocol):
    """What ``rows.py`` asks of a format of lines."""

    delimiter: bytes
    ends_anywhere: bool  # a line that the stream's end cuts is still a line; and \\. always ends the data

    @property
    def syntax(self) -> Syntax:
        """What ends its lines."""

    def needs_care(self, lines: list[bytes]) -> bool:
        """Whether splitting at delimiters alone could be wrong in one of these lines."""

    def split(self, line: bytes) -> list[bytes]:
        """The fields of a line that needs care."""

    def without_data_breaks(self, line: bytes) -> bytes:
        """The line without the line breaks that are data in it."""

    def null(self, column: int) -> bytes | None:
        """What NULL looks like in this column, before anything is taken off; None if nothing is NULL."""

    def kernel_lines(self, columns: Sequence[Convert | None]) -> kernel.Lines | None:
        """What seals whole blocks of lines, where the kernel knows all options."""

    def sealing(self, column: int, seal: Convert) -> FieldFunction:
        """From a client's field to the field of a sealed value."""

    def value(self, column: int, field: bytes) -> bytes | None:
        """What a client's field says; None for NULL."""

    def opening(self, column: int, opener: Open) -> FieldFunction:
        """From the field of a sealed value to the field of the value."""

    def masking(self, column: int, mask: Open) -> FieldFunction:
        """From the field of a value that is not sealed to the field of what the client may see of it."""


def hex_value(text: bytes) -> bytes:
    r"""The bytes of a bytea in hex format, ``\x0102``."""
    if text[:2] != b"\\x":
        raise UpstreamCopyMalformed("a protected column came back in another form than hex", hint=HINT)
    try:
        return unhexlify(text[2:])
    except Error:
        raise UpstreamCopyMalformed(
            "a protected column came back in another form than hex", hint=HINT
        ) from None
