"""Rows on their way to the client: whole DataRow messages in, the client's DataRow messages out.

A ``RowPlan`` is made once per kind of result, from its RowDescription and the analysis; ``open_rows`` applies
it to a chunk of concatenated messages in one call of the kernel. Values of unprotected columns are copied as
runs of bytes, and never looked at. Types that the kernel does not know open here, value by value; and where
it refuses a chunk, the same rows are gone through again in Python, which says what is wrong with them.
Columns that the client may see masked alone, protected or not, have openers that mask.

Called by ``session/`` with chunks that hold DataRow messages alone.
"""

from binascii import unhexlify
from collections.abc import Callable
from typing import NoReturn

from strongroom import _kernel as kernel
from strongroom.errors import Bug, InvalidCiphertext, MalformedRow
from strongroom.protect.forms import arrays
from strongroom.protect.masking import ColumnMask, Masking
from strongroom.protect.plan import BINARY_FORMAT, ColumnOpening
from strongroom.protect.style import TextStyle
from strongroom.wire.postgres import types

Opener = Callable[[bytes], bytes | None]
"""From a value as the database sends it to one as the client awaits it; only a mask gives None, NULL."""


class ColumnOpener:
    """An opener with words for what is wrong.

    ``native`` is the kernel's way to do the same, where it knows the type.
    """

    __slots__ = ("_open", "native")

    def __init__(self, open_one: Opener, native: Opener | None) -> None:
        self._open = open_one
        self.native = native

    def __call__(self, value: bytes) -> bytes | None:
        return self._open(value)


class RowPlan:
    """What to do with each column of a row: its opener, or None where the bytes pass as they are."""

    __slots__ = ("_columns", "again", "rows")

    def __init__(
        self, columns: tuple[Opener | None, ...], again: "Callable[[], RowPlan | None] | None" = None
    ) -> None:
        """``again`` makes the same plan with the keys that there are then."""
        self._columns = columns
        self.again = again
        self.rows = kernel.Rows([_fastest(opener) for opener in columns])

    @property
    def touches_nothing(self) -> bool:
        """Whether rows pass unchanged, so that they need not come here."""
        return not any(self._columns)

    def explain(self, chunk: bytes) -> NoReturn:
        """Raise for what is wrong with a chunk that the kernel has refused."""
        try:
            kernel.Rows(self._columns).open(chunk)
        except kernel.Refused:
            raise MalformedRow("the database sent a row that its description does not describe") from None
        raise Bug("the kernel refused rows that open")


def open_rows(plan: RowPlan, chunk: bytes) -> bytes:
    """The client's rows; raises ``InvalidCiphertext`` for a value, ``MalformedRow`` for the framing."""
    try:
        return plan.rows.open(chunk)
    except kernel.Refused:
        plan.explain(chunk)


def _fastest(opener: Opener | None) -> Opener | None:
    return opener.native or opener if isinstance(opener, ColumnOpener) else opener


def column_opener(
    codec: ColumnOpening,
    *,
    upstream_format: int,
    client_format: int,
    style: TextStyle,
    is_array: bool = False,
    mask: ColumnMask | None = None,
) -> Opener:
    """From a value as the database sends it (bytea, as text or binary) to one as the client awaits it.

    ``is_array`` is for an array of sealed values (bytea[]), as array_agg gives; a protected column of an
    array type is one sealed value and no such array. A ``mask`` is one of the column's declared type.
    """
    open_one = _opener(codec, client_format, style, mask)
    if is_array:
        return _array_opener(open_one, codec.scheme.type.oid, upstream_format, client_format)
    is_hexed = upstream_format != BINARY_FORMAT
    return ColumnOpener(
        (lambda value: open_one(unhexed(value))) if is_hexed else open_one,
        codec.native_opener(client_format, is_hexed=is_hexed, mask=mask),
    )


def mask_opener(mask: ColumnMask, *, upstream_format: int, client_format: int, style: TextStyle) -> Opener:
    """For a column that is not protected: from what PostgreSQL sends to what the client may see of it."""
    return ColumnOpener(
        mask.of_printed(upstream_format=upstream_format, client_format=client_format, style=style),
        mask.native(client_format, style),
    )


def unhexed(value: bytes) -> bytes:
    """The bytes of a bytea in its hex form, which is pinned at login; raises ``InvalidCiphertext``."""
    if not value.startswith(b"\\x"):
        raise InvalidCiphertext("a protected column came back in another form than bytea's hex")
    try:
        return unhexlify(value[2:])
    except ValueError:
        raise InvalidCiphertext("a protected column came back with digits that are not hexadecimal") from None


def _opener(codec: ColumnOpening, format_code: int, style: TextStyle, mask: ColumnMask | None) -> Masking:
    return codec.opener(format_code, style) if mask is None else codec.masked_opener(mask, format_code, style)


def _array_opener(open_one: Masking, element_oid: int, upstream_format: int, client_format: int) -> Opener:
    def open_array(value: bytes) -> bytes:
        array = arrays.parse(value, types.BYTEA, upstream_format)
        if upstream_format != BINARY_FORMAT:
            array = array.mapped(unhexed)
        opened = array.mapped(open_one)
        return arrays.send(opened, element_oid) if client_format == BINARY_FORMAT else arrays.output(opened)

    return open_array
