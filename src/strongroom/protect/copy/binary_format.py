"""COPY's binary format: the fields of protected columns changed, all else passed.

Manual, COPY, "Binary Format": a stream is a header, tuples (a count of fields, each with its length before
it, -1 for NULL) and a trailer, a count of -1. Sealed values are bytea, whose binary form is the value itself.
Called by ``stream.py``.
"""

import struct
from collections.abc import Mapping

from strongroom._kernel import Refused
from strongroom.errors import CopyRowTooLong, StrongroomError
from strongroom.protect.copy.fields import Open, RowTenant
from strongroom.protect.sealing import KernelTuples
from strongroom.sql.statement import Copy

SIGNATURE = b"PGCOPY\n\xff\r\n\0"
_FIXED_HEADER = len(SIGNATURE) + 8  # flags, and the length of the extension
_COUNT, _LENGTH = struct.Struct(">h"), struct.Struct(">i")
HINT = "send what COPY TO in binary format wrote, whole"


class BinaryRows:
    """The rows of one stream in either direction; ``malformed`` is the error of whoever sent it.

    ``kernel`` changes all the tuples of a chunk at once, where there is one; what it leaves is ours.
    """

    def __init__(
        self,
        copy: Copy,
        functions: Mapping[int, Open],
        row_bytes: int,
        malformed: type[StrongroomError],
        kernel: KernelTuples | None = None,
        *,
        tenant: RowTenant | None = None,
    ) -> None:
        self._kernel = kernel
        self._tenant = tenant
        self._names = [column.name for column in copy.columns]
        self._functions = functions
        self._row_bytes = row_bytes
        self._malformed = malformed
        self._buffer = bytearray()
        self._needed = _FIXED_HEADER  # bytes without which nothing more can be read
        self._in_header = True
        self._ended = False
        self._rows = 0

    def feed(self, chunk: bytes) -> bytes:
        """The rows that this chunk completes."""
        self._buffer += chunk
        if len(self._buffer) < self._needed:
            self._check_size()
            return b""
        data = bytes(self._buffer)
        out: list[bytes] = []
        place = 0
        if self._in_header:
            place = self._header(data, out)
        if self._kernel is not None and not (self._in_header or self._ended):
            place = self._in_kernel(self._kernel, data, place, out)
        while not self._in_header and (after := self._tuple(data, place, out)):
            place = after
        del self._buffer[:place]
        self._needed -= place
        self._check_size()
        return b"".join(out)

    def _in_kernel(self, kernel: KernelTuples, data: bytes, place: int, out: list[bytes]) -> int:
        """Appends what the kernel does, and returns the place behind it."""
        try:
            done, place, rows = kernel.seal(data, place)
        except (Refused, StrongroomError):  # the long way finds it too, and says where
            return place
        out.append(done)
        self._rows += rows
        return place

    def finish(self) -> bytes:
        """Nothing; the stream ends between rows, with or without a trailer, as PostgreSQL has it."""
        if self._buffer or self._in_header:
            raise self._malformed("unexpected end of COPY data", hint=HINT)
        return b""

    def _check_size(self) -> None:
        if max(len(self._buffer), self._needed) > self._row_bytes:
            raise CopyRowTooLong(
                f"a row of COPY is longer than {self._row_bytes} bytes",
                hint="raise limits.message_bytes, or check that the stream is in binary format",
            )

    def _header(self, data: bytes, out: list[bytes]) -> int:
        if not data.startswith(SIGNATURE):
            raise self._malformed("COPY file signature not recognized", hint=HINT)
        (extension,) = _LENGTH.unpack_from(data, _FIXED_HEADER - 4)
        if extension < 0:
            raise self._malformed("invalid COPY file header (wrong length)", hint=HINT)
        after = _FIXED_HEADER + extension
        self._needed = after
        if len(data) < after:
            return 0
        self._in_header = False
        out.append(data[:after])
        return int(after)

    def _tuple(self, data: bytes, place: int, out: list[bytes]) -> int:
        """Appends one tuple and returns the place behind it; 0 if it is not whole yet."""
        self._needed = place + 2
        if len(data) < self._needed:
            return self._nothing_after_end(data, place)
        self._nothing_after_end(data, place)
        (count,) = _COUNT.unpack_from(data, place)
        if count == -1:
            self._ended = True
            out.append(data[place : place + 2])
            return place + 2
        if count != len(self._names):
            raise self._malformed(
                f"row field count is {count}, expected {len(self._names)}",
                hint=HINT,
                detail=self._where(None),
            )
        fields = self._fields(data, place + 2)
        if fields is None:
            return 0
        self._append(data, place, fields, out)
        self._rows += 1
        return fields[-1][1] if fields else place + 2

    def _nothing_after_end(self, data: bytes, place: int) -> int:
        if self._ended and len(data) > place:
            raise self._malformed("received copy data after EOF marker", hint=HINT)
        return 0

    def _fields(self, data: bytes, place: int) -> list[tuple[int, int]] | None:
        """Where each field begins and ends, its length not included; a NULL begins behind its end."""
        fields = []
        for column in range(len(self._names)):
            self._needed = place + 4
            if len(data) < self._needed:
                return None
            (length,) = _LENGTH.unpack_from(data, place)
            if length < -1:
                raise self._malformed("invalid field size", hint=HINT, detail=self._where(column))
            begin = place + 4
            place = begin + max(length, 0)
            fields.append((begin if length >= 0 else place + 1, place))
            self._needed = place
        return fields if len(data) >= place else None

    def _append(self, data: bytes, place: int, fields: list[tuple[int, int]], out: list[bytes]) -> None:
        if self._tenant is not None:
            begin, end = fields[self._tenant.place]
            self._tenant.value = data[begin:end] if begin <= end else None
        copied = place
        for column, function in self._functions.items():
            begin, end = fields[column]
            if begin > end:
                continue
            try:
                value = function(data[begin:end])
            except StrongroomError as error:
                error.detail = error.detail or self._where(column)
                raise
            if value is None:
                out += (data[copied : begin - 4], _LENGTH.pack(-1))
            else:
                out += (data[copied : begin - 4], _LENGTH.pack(len(value)), value)
            copied = end
        out.append(data[copied : fields[-1][1]])

    def _where(self, column: int | None) -> str:
        row = f"row {self._rows + 1} of COPY"
        return row if column is None else f"{row}, column {self._names[column]}"
