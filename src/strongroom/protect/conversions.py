"""Values of neighbouring types, taken to the column's as PostgreSQL's assignment casts would (pg_cast).

Each conversion takes canonical bytes of the source to those of the target. In a comparison PostgreSQL
would widen the column instead; a value that the column's type cannot hold then equals none, and keeps
bytes that no stored value has. Called by ``canonical.py``.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from strongroom.protect.forms import integers
from strongroom.protect.style import TextStyle
from strongroom.wire.postgres import types

Conversion = Callable[[bytes, TextStyle, bool], bytes]

_SIZES = {types.INT2: 2, types.INT4: 4, types.INT8: 8}


def _integer(target: int) -> Conversion:
    size, name = _SIZES[target], types.BASE_TYPES[target].name

    def convert(canonical: bytes, _style: TextStyle, compare: bool) -> bytes:
        value = integers.unpack(canonical)
        fits = -(1 << (8 * size - 1)) <= value < 1 << (8 * size - 1)
        return canonical if compare and not fits else integers.pack(value, size, name)

    return convert


def _kept(canonical: bytes, _style: TextStyle, _compare: bool) -> bytes:
    return canonical


def _trimmed(canonical: bytes, _style: TextStyle, _compare: bool) -> bytes:
    return canonical.rstrip(b" ")


CONVERSIONS: Mapping[tuple[int, int], Conversion] = MappingProxyType(
    {(source, target): _integer(target) for source in _SIZES for target in _SIZES if source != target}
    | {
        (types.TEXT, types.VARCHAR): _kept,
        (types.VARCHAR, types.TEXT): _kept,
        (types.BPCHAR, types.TEXT): _kept,
        (types.BPCHAR, types.VARCHAR): _kept,
        (types.TEXT, types.BPCHAR): _trimmed,
        (types.VARCHAR, types.BPCHAR): _trimmed,
    }
)
