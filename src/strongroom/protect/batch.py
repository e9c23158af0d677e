"""Rows on their way to the client: whole DataRow messages in, the client's DataRow messages out.

A ``RowPlan`` is made once per result, from its RowDescription and the analysis; ``open_rows`` applies it to
a chunk of concatenated messages in one call. Values of unprotected columns are copied as runs of bytes, and
never looked at. Called by ``session/`` with chunks that hold DataRow messages alone (manual, "Message
Formats": Byte1('D'), Int32 length, Int16 columns, then Int32 length and bytes of each, -1 for NULL).
"""

import struct
from binascii import unhexlify
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from strongroom.errors import InvalidCiphertext, MalformedRow
from strongroom.protect.forms import arrays
from strongroom.protect.plan import BINARY_FORMAT, ColumnCodec
from strongroom.protect.style import TextStyle
from strongroom.wire.postgres import types

Opener = Callable[[bytes], bytes]

_ROW_HEADER = struct.Struct(">BIH")
_LENGTH = struct.Struct(">i")
_DATA_ROW = ord("D")
_HEADER_SIZE = 7


@dataclass(frozen=True, slots=True)
class RowPlan:
    """What to do with each column of a row: its opener, or None where the bytes pass as they are."""

    columns: tuple[Opener | None, ...]

    @property
    def touches_nothing(self) -> bool:
        """Whether rows pass unchanged, so that they need not come here."""
        return not any(self.columns)


def column_opener(
    codec: ColumnCodec,
    *,
    upstream_format: int,
    client_format: int,
    style: TextStyle,
    is_array: bool = False,
) -> Opener:
    """From a value as the database sends it (bytea, as text or binary) to one as the client awaits it.

    ``is_array`` is for an array of sealed values (bytea[]), as array_agg gives; a protected column of an
    array type is one sealed value and no such array.
    """
    if is_array:
        return _array_opener(codec, upstream_format, client_format, style)
    open_one = codec.opener(client_format, style)
    return open_one if upstream_format == BINARY_FORMAT else lambda value: open_one(unhexed(value))


def unhexed(value: bytes) -> bytes:
    """The bytes of a bytea in its hex form, which is pinned at login; raises ``InvalidCiphertext``."""
    if not value.startswith(b"\\x"):
        raise InvalidCiphertext("a protected column came back in another form than bytea's hex")
    try:
        return unhexlify(value[2:])
    except ValueError:
        raise InvalidCiphertext("a protected column came back with digits that are not hexadecimal") from None


def open_rows(plan: RowPlan, chunk: bytes) -> bytes:
    """The client's rows; raises ``InvalidCiphertext`` for a value, ``MalformedRow`` for the framing."""
    out: list[bytes] = []
    position, end = 0, len(chunk)
    columns, count = _protected(plan), len(plan.columns)
    try:
        while position < end:
            kind, length, given = _ROW_HEADER.unpack_from(chunk, position)
            after = position + 1 + length
            if kind != _DATA_ROW or given != count or after > end:
                raise MalformedRow("the database sent a row that its description does not describe")
            _open_row(columns, chunk, position, after, out)
            position = after
    except struct.error:
        raise MalformedRow("the database sent a row that ends too early") from None
    return b"".join(out)


def _protected(plan: RowPlan) -> list[tuple[int, Opener]]:
    """(columns to pass over before it, opener) of each protected column."""
    steps: list[tuple[int, Opener]] = []
    skipped = 0
    for opener in plan.columns:
        if opener is None:
            skipped += 1
        else:
            steps.append((skipped, opener))
            skipped = 0
    return steps


def _open_row(
    columns: Sequence[tuple[int, Opener]], chunk: bytes, start: int, after: int, out: list[bytes]
) -> None:
    """Appends one row: its header anew, then runs of the old bytes with the opened values between them."""
    length_of = _LENGTH.unpack_from
    header = len(out)
    out.append(b"")
    position = copied = start + _HEADER_SIZE
    grown = 0
    for skipped, opener in columns:
        for _ in range(skipped):
            (size,) = length_of(chunk, position)
            position += 4 if size < 0 else 4 + size
        (size,) = length_of(chunk, position)
        if size < 0:
            position += 4
            continue
        value_end = position + 4 + size
        if value_end > after:
            raise MalformedRow("the database sent a row whose values are longer than it")
        value = opener(chunk[position + 4 : value_end])
        out += (chunk[copied:position], _LENGTH.pack(len(value)), value)
        grown += len(value) - size
        position = copied = value_end
    if position > after:
        raise MalformedRow("the database sent a row whose values are longer than it")
    out.append(chunk[copied:after])
    kind, length, count = _ROW_HEADER.unpack_from(chunk, start)
    out[header] = _ROW_HEADER.pack(kind, length + grown, count)


def _array_opener(codec: ColumnCodec, upstream_format: int, client_format: int, style: TextStyle) -> Opener:
    open_one = codec.opener(client_format, style)
    element_oid = codec.scheme.type.oid

    def open_array(value: bytes) -> bytes:
        array = arrays.parse(value, types.BYTEA, upstream_format)
        if upstream_format != BINARY_FORMAT:
            array = array.mapped(unhexed)
        opened = array.mapped(open_one)
        return arrays.send(opened, element_oid) if client_format == BINARY_FORMAT else arrays.output(opened)

    return open_array
