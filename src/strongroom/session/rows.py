"""What RowDescription must say of rows that come back, what the client sees instead, and how they open.

Two sources must agree (rule 4 of the design): analysis says from which column of which table each output
comes, and PostgreSQL's RowDescription says so too, or says 0 where a construct hides it.

Used by `guarded`; pure.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from strongroom.errors import Bug, OriginMismatch
from strongroom.protect.batch import Opener, RowPlan, column_opener, mask_opener
from strongroom.protect.masking import ColumnMask
from strongroom.protect.plan import ColumnOpening
from strongroom.protect.style import TextStyle
from strongroom.sql.schema import Protection
from strongroom.sql.statement import Output
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres import types

ANY_UNPROTECTED = -1
"""`Output.table_oid` where the origin is of no matter, as long as it is no protected column."""


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
    codec: Callable[[Protection], ColumnOpening],
    style: TextStyle,
    *,
    masks: Sequence[ColumnMask | None] = (),
) -> RowPlan | None:
    """The plan for rows of these outputs; None where there is nothing to open or mask.

    ``codec`` finds what opens a column now, and is asked again where the plan is made again. ``masks`` has
    one for each output, or is empty: of the declared type where it is protected, else of the type that comes.
    """
    masked = masks or (None,) * len(outputs)
    if len(masked) != len(outputs):
        raise Bug("there are not as many masks as columns")
    if all(output.protection is None for output in outputs) and not any(masked):
        return None

    def opener(i: int, output: Output, mask: ColumnMask | None) -> Opener | None:
        came, wanted = format_of(upstream_formats, i), format_of(client_formats, i)
        if output.protection is None and mask is None:
            return None
        if output.protection is None and mask is not None:
            return mask_opener(mask, upstream_format=came, client_format=wanted, style=style)
        assert output.protection is not None
        return column_opener(
            codec(output.protection),
            upstream_format=came,
            client_format=m.TEXT if output.printed else wanted,
            style=style,
            is_array=output.is_array,
            mask=mask,
        )

    return RowPlan(
        tuple(opener(i, *one) for i, one in enumerate(zip(outputs, masked, strict=True))),
        partial(plan, outputs, upstream_formats, client_formats, codec, style, masks=masks),
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
    if (oid, output.typmod) != (output.protection.type_oid, output.protection.typmod):
        field = replace(field, table_oid=0, attnum=0)  # a cast, which upstream does nothing, hides the origin
    return replace(
        field,
        type_oid=oid,
        type_size=types.declared(oid).size,
        typmod=output.typmod,
        format=field.format if format_code is None else format_code,
    )


def _mismatch(what: str) -> OriginMismatch:
    return OriginMismatch(
        f"analysis and the database disagree: {what}",
        hint="If a table was changed meanwhile, try again; if it happens again, please report the statement.",
    )
