"""Arrays: their text and binary forms, taken apart and put together around the elements' own.

Sources: PostgreSQL's arrayfuncs.c (array_in, array_out, array_recv, array_send) and the manual's "Array
Input and Output Syntax". Elements stay bytes here; what they mean is for ``canonical.py``. All supported
types use the comma as delimiter.
"""

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from strongroom.errors import (
    ArrayTooLarge,
    InvalidArray,
    InvalidBinary,
    InvalidText,
    TypeMismatch,
    ValueOutOfRange,
)
from strongroom.protect.forms.form import SPEC, utf8

MAX_DIMENSIONS = 6  # MAXDIM, array.h
MAX_ELEMENTS = 134_217_727  # MaxArraySize, arrayutils.c
_HEADER = struct.Struct(">iiI")
_DIMENSION = struct.Struct(">ii")
_LENGTH = struct.Struct(">i")

Element = bytes | None


@dataclass(frozen=True, slots=True)
class Array:
    """``dimensions`` are (length, lower bound) each; the elements stand in storage order."""

    dimensions: tuple[tuple[int, int], ...]
    elements: tuple[Element, ...]

    def mapped(self, function: Callable[[bytes], Element]) -> "Array":
        """The same array of other elements; NULL stays NULL."""
        return Array(self.dimensions, tuple(None if e is None else function(e) for e in self.elements))


def parse(value: bytes, element_oid: int, format: int) -> Array:  # noqa: A002 - the protocol's word
    """A client's array, of elements in the same format."""
    return receive(value, element_oid) if format else read(utf8(value))


# --- binary ---


def receive(value: bytes, element_oid: int) -> Array:
    """array_recv: header, dimensions, then each element after its length, -1 for NULL."""
    try:
        return _received(value, element_oid)
    except struct.error:
        raise InvalidBinary("insufficient data left in message") from None


def _received(value: bytes, element_oid: int) -> Array:
    count, flags, oid = _HEADER.unpack_from(value)
    if not 0 <= count <= MAX_DIMENSIONS or flags not in (0, 1):
        raise InvalidBinary("invalid array header in a parameter")
    if oid != element_oid:
        raise TypeMismatch(f"an array parameter has elements of the type with OID {oid}")
    dimensions = tuple(_DIMENSION.unpack_from(value, 12 + 8 * i) for i in range(count))
    total = _total(dimensions)
    elements: list[Element] = []
    position = 12 + 8 * count
    for _ in range(total):
        (length,) = _LENGTH.unpack_from(value, position)
        position += 4
        if length == -1:
            elements.append(None)
            continue
        if length < 0 or position + length > len(value):
            raise InvalidBinary("insufficient data left in message")
        elements.append(value[position : position + length])
        position += length
    if position != len(value):
        raise InvalidBinary("incorrect binary data format in a parameter")
    return Array(dimensions if total else (), tuple(elements))


def _total(dimensions: tuple[tuple[int, int], ...]) -> int:
    total = 1 if dimensions else 0
    for length, lower in dimensions:
        if length < 0 or lower + length - 1 > 2**31 - 1:
            raise InvalidBinary("array bounds in a parameter are out of range")
        total *= length
    if total > MAX_ELEMENTS:
        raise ArrayTooLarge("array size exceeds the maximum allowed")
    return total


def send(array: Array, element_oid: int) -> bytes:
    """array_send; an empty array has no dimensions."""
    parts = [_HEADER.pack(len(array.dimensions), int(None in array.elements), element_oid)]
    parts += [_DIMENSION.pack(*dimension) for dimension in array.dimensions]
    for element in array.elements:
        parts.append(_LENGTH.pack(-1) if element is None else _LENGTH.pack(len(element)) + element)
    return b"".join(parts)


# --- text ---

_BOUNDS = re.compile(r"\s*\[([+-]?\d+)(?::([+-]?\d+))?\]", re.ASCII)
_TOKEN = re.compile(r'\s*(?:([{},])|"((?:[^"\\]|\\.)*)"|((?:[^{},"\\]|\\.)+))', re.ASCII | re.DOTALL)
_SPACES = " \t\n\v\f\r"


def read(text: str) -> Array:
    """array_in: an optional list of bounds and ``=``, then nested braces."""
    position, bounds = _read_bounds(text)
    elements: list[Element] = []
    lengths: list[int | None] = []
    end = _read_braces(text, position, elements, lengths)
    if text[end:].strip(_SPACES):
        raise _malformed()
    return _shaped(bounds, lengths, tuple(elements))


def _read_bounds(text: str) -> tuple[int, list[tuple[int, int]]]:
    position, bounds = 0, []
    while match := _BOUNDS.match(text, position):
        lower, upper = (1, int(match[1])) if match[2] is None else (int(match[1]), int(match[2]))
        if not (lower >= -(2**31) and upper < 2**31 - 1):
            raise ValueOutOfRange("array bound is out of integer range")
        if upper < lower:
            raise InvalidArray("upper bound cannot be less than lower bound")
        bounds.append((upper - lower + 1, lower))
        position = match.end()
    if bounds:
        stripped = text[position:].lstrip(_SPACES)
        if not stripped.startswith("="):
            raise _malformed()
        position = len(text) - len(stripped) + 1
    return position, bounds


def _tokens(text: str, position: int) -> Iterator[tuple[int, str, Element]]:
    """(end, brace or comma or "value", element) one after the other."""
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _malformed()
        position = match.end()
        if match[1]:
            yield position, match[1], None
        elif match[2] is not None:
            yield position, "value", _unescaped(match[2]).encode()
        elif bare := _bare(match[3]):
            null = bare.upper() == "NULL"
            yield position, "value", None if null else _unescaped(bare).encode()
        else:
            yield position, "", None


def _bare(written: str) -> str:
    """An unquoted element without the white space around it; an escaped blank at the end stays."""
    stripped = written.strip(_SPACES)
    trailing = len(stripped) - len(stripped.rstrip("\\"))
    return stripped + written[len(written.rstrip(_SPACES)) :][:1] if trailing % 2 else stripped


def _unescaped(written: str) -> str:
    return re.sub(r"\\(.)", r"\1", written, flags=re.DOTALL) if "\\" in written else written


def _read_braces(text: str, position: int, elements: list[Element], lengths: list[int | None]) -> int:
    """Fills ``elements`` and, level by level, the length that each dimension has; gives the end."""
    counts: list[int] = []  # how many items each open brace has so far
    expect_item, deepest = True, 0
    for end, kind, element in _tokens(text, position):
        if kind == "{" and (expect_item or (counts and counts[-1] == 0)):
            _open_brace(counts, lengths)
            deepest, expect_item = max(deepest, len(counts)), True
        elif kind == "}" and counts and (not expect_item or counts[-1] == 0):
            _close_brace(counts, lengths)
            expect_item = False
            if not counts:
                return end
        elif kind == "," and counts and not expect_item:
            expect_item = True
        elif kind == "value" and counts and expect_item:
            if len(counts) < len(lengths):
                raise _ragged()
            elements.append(element)
            counts[-1] += 1
            expect_item = False
        elif kind:
            raise _malformed()
    raise _malformed()


def _open_brace(counts: list[int], lengths: list[int | None]) -> None:
    if len(counts) == MAX_DIMENSIONS:
        raise ArrayTooLarge(f"number of array dimensions exceeds the maximum allowed ({MAX_DIMENSIONS})")
    if counts:
        counts[-1] += 1
    counts.append(0)
    if len(counts) > len(lengths):
        if any(length is not None for length in lengths) or (len(counts) > 1 and counts[-2] > 1):
            raise _ragged()
        lengths.append(None)


def _close_brace(counts: list[int], lengths: list[int | None]) -> None:
    depth = len(counts) - 1
    count = counts.pop()
    if lengths[depth] is None:
        lengths[depth] = count
    elif lengths[depth] != count:
        raise _ragged()


def _shaped(bounds: list[tuple[int, int]], lengths: list[int | None], elements: tuple[Element, ...]) -> Array:
    dimensions = tuple((length or 0, 1) for length in lengths)
    if not elements:
        if bounds or len(dimensions) > 1:  # PostgreSQL's versions differ on empty sub-arrays
            raise _malformed()
        return Array((), ())
    if bounds and [length for length, _ in bounds] != [length for length, _ in dimensions]:
        raise InvalidText("malformed array literal", hint="the bounds do not match the contents")
    return Array(tuple(bounds) or dimensions, elements)


def _malformed() -> InvalidText:
    return InvalidText("malformed array literal", hint=SPEC)


def _ragged() -> InvalidText:
    return InvalidText(
        "malformed array literal", hint="arrays of several dimensions have sub-arrays of one length"
    )


_QUOTED = re.compile(rb'[{}",\\ \t\n\v\f\r]')


def output(array: Array) -> bytes:
    """array_out: bounds where a lower one is not 1, and quotes where an element needs them."""
    if not array.dimensions:
        return b"{}"
    items = [b"NULL" if e is None else _quoted(e) for e in array.elements]
    for length, _ in reversed(array.dimensions):
        items = [b"{" + b",".join(items[i : i + length]) + b"}" for i in range(0, len(items), length)]
    if all(lower == 1 for _, lower in array.dimensions):
        return items[0]
    bounds = "".join(f"[{lower}:{lower + length - 1}]" for length, lower in array.dimensions)
    return bounds.encode() + b"=" + items[0]


def _quoted(element: bytes) -> bytes:
    if element and not _QUOTED.search(element) and element.upper() != b"NULL":
        return element
    return b'"' + element.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
