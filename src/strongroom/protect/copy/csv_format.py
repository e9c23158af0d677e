r"""COPY's csv format: fields taken out of lines and put back (manual, COPY, "CSV Format").

Like ``text_format.py``, after CopyReadAttributesCSV and CopyAttributeOutCSV: a quoted part may begin
anywhere in a field, NULL is never quoted, and what is written is quoted only where PostgreSQL would.
Called by ``rows.py``.
"""

import re
from binascii import hexlify
from collections.abc import Callable, Sequence

from strongroom import _kernel as kernel
from strongroom.errors import ConstructRefused
from strongroom.protect.copy.fields import Convert, FieldFunction, Open, hex_value
from strongroom.protect.copy.lines import CsvSyntax, inside_quotes
from strongroom.sql.statement import Copy

_HEX = set("\\x0123456789abcdef")
END_MARKER = b"\\."


class CsvFormat:
    """The fields of one COPY in csv format."""

    ends_anywhere = False

    def __init__(self, copy: Copy) -> None:
        if {"\r", "\n"} & {copy.quote, copy.escape}:
            raise ConstructRefused(
                "COPY with a line break as QUOTE or ESCAPE touches a protected table",
                hint="quote with another character",
            )
        self._quote, self._escape = copy.quote.encode(), copy.escape.encode()
        self.delimiter = copy.delimiter.encode()
        self.syntax = CsvSyntax(self._quote, self._escape)
        self._null = copy.null.encode()
        self._copy = copy
        self._patterns()
        self._hex_in_quotes = bool(_HEX & {copy.quote, copy.delimiter}) or copy.null[:2] == "\\x"

    def _patterns(self) -> None:
        q, e, d = (re.escape(byte) for byte in (self._quote, self._escape, self.delimiter))
        inside = inside_quotes(self._quote, self._escape)
        self._field = re.compile(rb"((?:[^%b%b]++|%b%b%b)*+)%b" % (d, q, q, inside, q, d), re.DOTALL)
        whole = rb"(?:[^%b]++|%b%b)*+" % (q, q, q) if q == e else inside
        self._quoted = re.compile(rb"%b(%b)%b" % (q, whole, q), re.DOTALL)
        self._pair = re.compile(rb"%b([%b%b])" % (e, q, e))
        self._special = re.compile(rb"[\r\n%b%b]" % (q, d))
        self._to_escape = re.compile(rb"[%b%b]" % (q, e))

    def needs_care(self, lines: list[bytes]) -> bool:
        """Whether splitting at delimiters alone could be wrong in one of these lines."""
        return any(self._quote in line for line in lines)

    def split(self, line: bytes) -> list[bytes]:
        """The fields of a line that needs care."""
        fields = line.split(self.delimiter)
        quote = self._quote
        if quote not in line or (
            quote == self._escape and not any(field.count(quote) % 2 for field in fields)
        ):
            return fields
        return self._field.findall(line + self.delimiter)

    def without_data_breaks(self, line: bytes) -> bytes:
        """The line without its quoted parts."""
        return self._quoted.sub(b"", line)

    def null(self, column: int) -> bytes | None:
        """What NULL looks like; under FORCE_NOT_NULL nothing does."""
        return None if self._named(self._copy.force_not_null, column) else self._null

    def kernel_lines(self, columns: Sequence[Convert | None]) -> kernel.Lines | None:
        """The kernel doubles quotes to escape them, writes hex as it is, and forces nothing."""
        if self._quote != self._escape or self._hex_in_quotes or self._copy.force_null:
            return None
        if self._copy.force_not_null:
            return None
        return kernel.Lines(columns, delimiter=self.delimiter, null=self._null, quote=self._quote)

    def sealing(self, column: int, seal: Convert) -> FieldFunction:
        """From a client's field to the field of a sealed value."""
        force_null = self._named(self._copy.force_null, column)

        def sealed(field: bytes) -> bytes:
            value = self.unquote(field) if self._quote in field else field
            if force_null and value == self._null != field:
                return field  # in quotes: NULL by FORCE_NULL. As it is, only FORCE_NOT_NULL brings it here
            text = b"\\x" + hexlify(seal(value))
            return self._in_quotes(text) if self._hex_in_quotes else text

        return sealed

    def value(self, column: int, field: bytes) -> bytes | None:
        """What a client's field says; None for NULL."""
        if field == self.null(column):
            return None
        value = self.unquote(field)
        force_null = self._named(self._copy.force_null, column)
        return None if force_null and value == self._null else value

    def opening(self, column: int, opener: Open) -> FieldFunction:
        """From the field of a sealed value to the field of the value."""
        shown = self._showing(column)
        return lambda field: shown(opener(hex_value(self.unquote(field))))

    def masking(self, column: int, mask: Open) -> FieldFunction:
        """From the field of a value that is not sealed to the field of what the client may see of it."""
        shown = self._showing(column)
        return lambda field: shown(mask(self.unquote(field)))

    def _showing(self, column: int) -> Callable[[bytes | None], bytes]:
        force_quote = self._named(self._copy.force_quote, column)
        alone = len(self._copy.columns) == 1

        def shown(value: bytes | None) -> bytes:
            if value is None:
                return self._null
            if (
                force_quote
                or value == self._null
                or self._special.search(value)
                or (alone and value == END_MARKER)
            ):
                return self._in_quotes(value)
            return value

        return shown

    def unquote(self, field: bytes) -> bytes:
        """As CopyReadAttributesCSV reads a field."""
        return self._quoted.sub(self._unquoted, field) if self._quote in field else field

    def _unquoted(self, found: re.Match[bytes]) -> bytes:
        return self._pair.sub(rb"\1", found[1])

    def _in_quotes(self, value: bytes) -> bytes:
        escaped = self._to_escape.sub(lambda found: self._escape + found[0], value)
        return self._quote + escaped + self._quote

    def _named(self, names: tuple[str, ...], column: int) -> bool:
        return "*" in names or self._copy.columns[column].name in names
