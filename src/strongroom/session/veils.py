"""The masks that a policy put on the outputs of a statement, made ready for the types that they have.

A policy names a mask; `protect` knows what it does to a value of a type. Called by `seals` for each plan of
rows, and before anybody asks, to see which masks can never be given (`misfit`); pure.
"""

from collections.abc import Sequence
from typing import Any

from strongroom.errors import AccessDenied, InvalidMask
from strongroom.policy.model import Mask
from strongroom.protect import masks
from strongroom.protect.masking import ColumnMask, known_type
from strongroom.protect.pseudonyms import PseudonymKey
from strongroom.sql.schema import ColumnId, Schema
from strongroom.sql.statement import Output

_ARGUMENTS = {"first": "n", "last": "n", "fixed": "text"}


def veils(
    outputs: Sequence[Output], schema: Schema, key: PseudonymKey | None
) -> tuple[ColumnMask | None, ...]:
    """One for each output that is masked; raises `AccessDenied` where its type does not take the mask."""
    if all(output.mask is None for output in outputs):
        return ()
    return tuple(_veil(output, schema, key) for output in outputs)


def misfit(mask: Mask, type_oid: int, typmod: int) -> str:
    """Why no column of this type can be shown under a mask; empty where it can."""
    try:
        understood(mask).check(known_type(type_oid, typmod))
    except InvalidMask as error:
        return error.message
    return ""


def _veil(output: Output, schema: Schema, key: PseudonymKey | None) -> ColumnMask | None:
    if output.mask is None or output.column is None:
        return None
    oid, typmod = type_of(output, schema, output.column)
    try:
        return ColumnMask.of_catalog(understood(output.mask), oid, typmod, key)
    except InvalidMask as error:
        raise AccessDenied(
            f'the output "{output.name}" can only be shown masked, and not so: {error.message}',
            hint="Whoever keeps the policy gives the column a mask that fits its type.",
        ) from error


def type_of(output: Output, schema: Schema, column: ColumnId) -> tuple[int, int]:
    """The type that the client sees: of a protected column the declared one."""
    if output.protection is not None:
        return output.protection.type_oid, output.protection.typmod
    columns = schema.relations[column[0]].columns
    return next((one.type_oid, one.typmod) for one in columns if one.attnum == column[1])


def understood(mask: Mask) -> masks.Mask:
    """A policy's mask as `protect` has it: dates are cut to a month or year, numbers to a range."""
    if mask.name == "date":
        return masks.Mask.parse(mask.argument)
    if mask.name == "number":
        return masks.Mask.parse("range", step=mask.argument)
    settings: dict[str, Any] = {}
    if mask.argument is not None:
        settings[_ARGUMENTS.get(mask.name, mask.name)] = mask.argument
    return masks.Mask.parse(mask.name, **settings)
