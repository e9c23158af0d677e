"""Canonical plaintext: one byte form per declared type, whatever the session's settings.

The spec's "Canonical plaintext" is normative. ``encode`` takes what a client sent, in the type that it
declared, to the canonical bytes of the column; ``decode`` goes back, to exactly the bytes that PostgreSQL
would have sent. Called by ``plan.py``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType

from strongroom.errors import InvalidPlaintext, StrongroomError, TypeMismatch
from strongroom.protect.conversions import CONVERSIONS
from strongroom.protect.forms import (
    arrays,
    dates,
    documents,
    floats,
    integers,
    intervals,
    numerics,
    strings,
    times,
)
from strongroom.protect.forms.form import Form, unchanged
from strongroom.protect.style import TextStyle
from strongroom.wire.postgres import types
from strongroom.wire.postgres.types import DeclaredType

FORMS: Mapping[int, Form] = MappingProxyType(
    {
        types.BOOL: integers.BOOL,
        types.INT2: integers.INT2,
        types.INT4: integers.INT4,
        types.INT8: integers.INT8,
        types.TEXT: strings.TEXT,
        types.VARCHAR: strings.VARCHAR,
        types.BPCHAR: strings.BPCHAR,
        types.BYTEA: strings.BYTEA,
        types.UUID: strings.UUID,
        types.FLOAT4: floats.FLOAT4,
        types.FLOAT8: floats.FLOAT8,
        types.NUMERIC: numerics.NUMERIC,
        types.DATE: dates.DATE_FORM,
        types.TIME: times.TIME_FORM,
        types.TIMETZ: times.TIMETZ,
        types.TIMESTAMP: times.TIMESTAMP,
        types.TIMESTAMPTZ: times.TIMESTAMPTZ,
        types.INTERVAL: intervals.INTERVAL,
        types.JSON: documents.JSON,
        types.JSONB: documents.JSONB,
    }
)
TEXT_FORMAT, BINARY_FORMAT = 0, 1


class Use(Enum):
    """What a sealed value is for: PostgreSQL cuts or rounds what it stores, not what it compares."""

    STORE = "store"
    COMPARE = "compare"


@dataclass(frozen=True, slots=True)
class Sent:
    """How a client sent a value: what stands beside it in Parse and Bind, and what it is for.

    ``client_oid`` is the type that the client declared for it; 0 or unknown means that it was left to the
    server, which would have taken the column's.
    """

    style: TextStyle
    client_oid: int = 0
    format_code: int = TEXT_FORMAT
    use: Use = Use.STORE
    cut: int = 0  # characters that a cast to varchar(n) leaves of a string; 0: all


def encode(declared: DeclaredType, value: bytes, sent: Sent) -> bytes:
    """The canonical bytes of a client's value; raises ``InvalidValue`` or ``UnsupportedInput``."""
    return encoder(declared, sent)(value)


def encoder(declared: DeclaredType, sent: Sent) -> Callable[[bytes], bytes]:
    """``encode`` with all but the value settled, for a column of many rows."""
    if declared.is_array:
        return _array_encoder(declared, sent)
    source = _source(declared.oid, sent.client_oid)
    read, style = form_of(source), sent.style
    target = form_of(declared.oid)
    settle = target.fit if sent.use is Use.STORE else target.align
    typmod = declared.typmod
    receive = read.receive if sent.format_code != TEXT_FORMAT else lambda value: read.input(value, style)
    if sent.cut:
        receive = _cutting(receive, sent.cut)
    if source != declared.oid:
        convert = _conversion(source, declared.oid, sent)
        return lambda value: settle(convert(receive(value)), typmod)
    if settle is unchanged:
        return receive
    return lambda value: settle(receive(value), typmod)


def decode(declared: DeclaredType, canonical: bytes, format_code: int, style: TextStyle) -> bytes:
    """What PostgreSQL would send for the value; raises ``InvalidPlaintext``."""
    return decoder(declared, format_code, style)(canonical)


def decoder(declared: DeclaredType, format_code: int, style: TextStyle) -> Callable[[bytes], bytes]:
    """``decode`` with all but the value settled, for a column of many rows."""
    if declared.is_array:
        return _array_decoder(declared, format_code, style)
    form = form_of(declared.oid)
    typmod = declared.typmod
    if form.verbatim:
        return bytes
    check = form.receive if form.passes else bytes
    if format_code == BINARY_FORMAT:
        return _guarded(declared, lambda canonical: form.send(check(canonical), typmod))
    return _guarded(declared, lambda canonical: form.output(check(canonical), typmod, style))


def is_verbatim(declared: DeclaredType) -> bool:
    """Whether the canonical bytes are what the client gets, in both formats."""
    return not declared.is_array and form_of(declared.oid).verbatim


def form_of(oid: int) -> Form:
    """The form of a base type; raises ``TypeMismatch`` for a type that we have none for."""
    try:
        return FORMS[oid]
    except KeyError:
        raise TypeMismatch(f"a value of the type with OID {oid} is not converted") from None


def _cutting(receive: Callable[[bytes], bytes], length: int) -> Callable[[bytes], bytes]:
    """What an explicit cast leaves of a string (varchar.c, varchar)."""
    return lambda value: receive(value).decode()[:length].encode()


def _source(declared_oid: int, client_oid: int) -> int:
    return declared_oid if client_oid in (0, types.UNKNOWN) else client_oid


def _conversion(source: int, target: int, sent: Sent) -> Callable[[bytes], bytes]:
    """PostgreSQL's assignment cast; one to a string type is the other's output (manual, CREATE CAST)."""
    convert, style = CONVERSIONS.get((source, target)), sent.style
    if convert is not None:
        return lambda canonical: convert(canonical, style, sent.use is Use.COMPARE)
    if target in (types.TEXT, types.VARCHAR, types.BPCHAR) and sent.use is Use.STORE:
        write, read = form_of(source).output, form_of(target).input
        return lambda canonical: read(write(canonical, -1, style), style)
    raise TypeMismatch(
        f"column is of type {types.BASE_TYPES[target].name} but the value is of type"
        f" {types.BASE_TYPES[source].name}",
        hint="declare the parameter as the column's type, or leave its type to the server",
    )


def _array_encoder(declared: DeclaredType, sent: Sent) -> Callable[[bytes], bytes]:
    source = _source(declared.oid, sent.client_oid)
    if source not in types.ELEMENT_OF:
        raise TypeMismatch(f"column is of type {declared} but the value is not an array")
    oid, element_oid = declared.element_oid, types.ELEMENT_OF[source]
    encode_element = encoder(DeclaredType(oid, declared.typmod), replace(sent, client_oid=element_oid))
    return lambda value: arrays.send(
        arrays.parse(value, element_oid, sent.format_code).mapped(encode_element), oid
    )


def _array_decoder(declared: DeclaredType, format_code: int, style: TextStyle) -> Callable[[bytes], bytes]:
    element = decoder(DeclaredType(declared.element_oid, declared.typmod), format_code, style)

    def decode_array(canonical: bytes) -> bytes:
        parsed = arrays.receive(canonical, declared.element_oid).mapped(element)
        if format_code == BINARY_FORMAT:
            return arrays.send(parsed, declared.element_oid)
        return arrays.output(parsed)

    return _guarded(declared, decode_array)


def _guarded(declared: DeclaredType, decode_one: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Bytes that opened but are no value of the type: an error of the data, never a wrong value."""

    def guarded(canonical: bytes) -> bytes:
        try:
            return decode_one(canonical)
        except (StrongroomError, ValueError, IndexError, ArithmeticError):
            raise InvalidPlaintext(
                f"a stored value opened but holds no {declared}",
                hint="was the column's configured type changed after values were stored?",
            ) from None

    return guarded
