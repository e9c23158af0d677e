"""Rows that come back: what RowDescription must say, what the client sees instead, and how values open.

Two sources must agree (rule 4 of the design): analysis says from which column of which table each output
comes, and PostgreSQL's RowDescription says so too, or says 0 where a construct hides it.

Used by `guarded`; pure.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from strongroom.errors import OriginMismatch
from strongroom.protect.forms import arrays
from strongroom.protect.plan import ColumnCodec
from strongroom.protect.style import TextStyle
from strongroom.sql.schema import Protection
from strongroom.sql.statement import Output
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres import types

Opener = Callable[[bytes | None], bytes | None]

ANY_UNPROTECTED = -1
"""`Output.table_oid` where the origin is of no matter, as long as it is no protected column."""


@dataclass(frozen=True, slots=True)
class RowPlan:
    """What to do with each column of a row: open it, or pass it (None)."""

    openers: tuple[Opener | None, ...]


def agree(
    outputs: Sequence[Output], description: m.RowDescription, protected: frozenset[tuple[int, int]]
) -> None:
    """Check PostgreSQL's origins against ours; raises `OriginMismatch`."""
    fields = description.fields
    if len(fields) != len(outputs):
        raise _mismatch(f"{len(fields)} columns came where {len(outputs)} were expected")
    for position, (field, output) in enumerate(zip(fields, outputs, strict=True), 1):
        origin = (field.table_oid, field.attnum)
        if output.table_oid == ANY_UNPROTECTED:
            if origin in protected:
                raise _mismatch(f"column {position} is a protected one, which was not expected")
        elif origin != (output.table_oid, output.attnum):
            raise _mismatch(f"column {position} is of another origin than expected")
        if output.protection is not None:
            wanted = types.BYTEA_ARRAY if output.is_array else types.BYTEA
            if field.type_oid != wanted:
                raise _mismatch(f"column {position} is not stored sealed")


def shown(
    outputs: Sequence[Output], description: m.RowDescription, formats: Sequence[int] | None
) -> m.RowDescription:
    """The RowDescription for the client: declared types, and the formats that it asked for."""
    fields = tuple(
        _shown_field(field, output, None if formats is None else format_of(formats, i))
        for i, (field, output) in enumerate(zip(description.fields, outputs, strict=True))
    )
    return m.RowDescription(fields)


def plan(
    outputs: Sequence[Output],
    upstream_formats: Sequence[int],
    client_formats: Sequence[int],
    codec: Callable[[Protection], ColumnCodec],
    style: TextStyle,
) -> RowPlan | None:
    """The plan for rows of these outputs; None where there is nothing to open."""
    if all(output.protection is None for output in outputs):
        return None
    return RowPlan(
        tuple(
            None
            if output.protection is None
            else _opener(
                codec(output.protection),
                output,
                format_of(upstream_formats, i),
                format_of(client_formats, i),
                style,
            )
            for i, output in enumerate(outputs)
        )
    )


def format_of(formats: Sequence[int], index: int) -> int:
    """The format of one column: none given means text, one stands for all (manual, "Bind")."""
    if len(formats) > 1:
        return formats[index] if index < len(formats) else m.TEXT
    return formats[0] if formats else m.TEXT


def upstream_formats(outputs: Sequence[Output], formats: Sequence[int]) -> tuple[int, ...]:
    """The formats to ask upstream for: sealed values in binary, the others as the client wants them."""
    return tuple(
        m.BINARY if output.protection is not None else format_of(formats, i)
        for i, output in enumerate(outputs)
    )


def _shown_field(field: m.Field, output: Output, format_code: int | None) -> m.Field:
    if output.protection is None:
        return field if format_code is None else replace(field, format=format_code)
    oid = output.type_oid or output.protection.type_oid
    return replace(
        field,
        type_oid=oid,
        type_size=types.declared(oid).size,
        typmod=output.typmod,
        format=field.format if format_code is None else format_code,
    )


def _opener(
    codec: ColumnCodec, output: Output, upstream_format: int, client_format: int, style: TextStyle
) -> Opener:
    if output.is_array:
        receive = _array_from_text if upstream_format == m.TEXT else _as_it_is
        return lambda value: codec.open_each(receive(value), format_code=client_format, style=style)
    open_one = codec.opener(client_format, style)
    if upstream_format == m.BINARY:
        return lambda value: None if value is None else open_one(value)
    return lambda value: None if value is None else open_one(_from_hex(value))


def _as_it_is(value: bytes | None) -> bytes | None:
    return value


def _array_from_text(value: bytes | None) -> bytes | None:
    if value is None:
        return None
    return arrays.send(arrays.read(value.decode()).mapped(_from_hex), types.BYTEA)


def _from_hex(value: bytes) -> bytes:
    """bytea in text, hex form (manual, "bytea Hex Format"); `bytea_output` is pinned to it."""
    if value[:2] != b"\\x":
        raise OriginMismatch("a sealed value came in another form than hex")
    try:
        return bytes.fromhex(value[2:].decode("ascii"))
    except ValueError:
        raise OriginMismatch("a sealed value came in another form than hex") from None


def _mismatch(what: str) -> OriginMismatch:
    return OriginMismatch(
        f"analysis and the database disagree: {what}",
        hint="If a table was changed meanwhile, try again; if it happens again, please report the statement.",
    )


def open_rows(data: bytes, rows: RowPlan) -> bytes:
    """Open a run of DataRow messages (manual, "DataRow")."""
    out: list[bytes] = []
    at, end = 0, len(data)
    while at < end:
        count = int.from_bytes(data[at + 5 : at + 7])
        if count != len(rows.openers):
            raise _mismatch(f"a row of {count} columns came where {len(rows.openers)} were expected")
        at += 7
        parts: list[bytes] = [count.to_bytes(2)]
        for opener in rows.openers:
            length = int.from_bytes(data[at : at + 4], signed=True)
            value = None if length < 0 else data[at + 4 : at + 4 + length]
            at += 4 + max(length, 0)
            if opener is not None:
                value = opener(value)
            parts.append(b"\xff\xff\xff\xff" if value is None else len(value).to_bytes(4) + value)
        body = b"".join(parts)
        out.append(b"D" + (len(body) + 4).to_bytes(4) + body)
    return b"".join(out)
