"""wire/postgres/types.py: types as they are written, and as the catalog stores them."""

import pytest

from strongroom.errors import UnknownType
from strongroom.wire.postgres import types
from strongroom.wire.postgres.types import DeclaredType, declared, format_type, parse_type


@pytest.mark.parametrize(
    ("written", "oid", "typmod", "element", "printed"),
    [
        ("text", 25, -1, 0, "text"),
        ("varchar", 1043, -1, 0, "character varying"),
        ("varchar(40)", 1043, 44, 0, "character varying(40)"),
        ("character  VARYING (3)", 1043, 7, 0, "character varying(3)"),
        ("char", 1042, 5, 0, "character(1)"),
        ("character", 1042, 5, 0, "character(1)"),
        ("char(9)", 1042, 13, 0, "character(9)"),
        ("bpchar", 1042, -1, 0, "bpchar"),
        ("bool", 16, -1, 0, "boolean"),
        ("int", 23, -1, 0, "integer"),
        ("smallint", 21, -1, 0, "smallint"),
        ("int8", 20, -1, 0, "bigint"),
        ("real", 700, -1, 0, "real"),
        ("float(24)", 700, -1, 0, "real"),
        ("float(25)", 701, -1, 0, "double precision"),
        ("float", 701, -1, 0, "double precision"),
        ("double precision", 701, -1, 0, "double precision"),
        ("numeric", 1700, -1, 0, "numeric"),
        ("numeric(12,2)", 1700, 786438, 0, "numeric(12,2)"),
        ("decimal(5)", 1700, 327684, 0, "numeric(5,0)"),
        ("numeric(3,-2)", 1700, 198658, 0, "numeric(3,-2)"),
        ("date", 1082, -1, 0, "date"),
        ("time", 1083, -1, 0, "time without time zone"),
        ("time(2) with time zone", 1266, 2, 0, "time(2) with time zone"),
        ("timestamp(3) with time zone", 1184, 3, 0, "timestamp(3) with time zone"),
        ("timestamp without time zone", 1114, -1, 0, "timestamp without time zone"),
        ("timestamptz", 1184, -1, 0, "timestamp with time zone"),
        ("timestamptz(0)", 1184, 0, 0, "timestamp(0) with time zone"),
        ("interval", 1186, -1, 0, "interval"),
        ("interval(2)", 1186, 2147418114, 0, "interval(2)"),
        ("uuid", 2950, -1, 0, "uuid"),
        ("jsonb", 3802, -1, 0, "jsonb"),
        ("text[]", 1009, -1, 25, "text[]"),
        ("int[][]", 1007, -1, 23, "integer[]"),
        ("integer array", 1007, -1, 23, "integer[]"),
        ("varchar(3)[4]", 1015, 7, 1043, "character varying(3)[]"),
    ],
)
def test_a_written_type_is_what_the_catalog_would_store(
    written: str, oid: int, typmod: int, element: int, printed: str
) -> None:
    """Name and modifiers become OID, typmod and element; format_type() gives the standard spelling."""
    assert parse_type(written) == DeclaredType(oid, typmod, element)
    assert format_type(parse_type(written)) == printed
    assert parse_type(printed) == parse_type(written)


@pytest.mark.parametrize(
    "written",
    ["", "txt", "text(3)", "varchar(0)", "varchar(99999999)", "varchar(1,2)", "numeric(0)", "numeric(1,2,3)",
     "numeric(2000)", "timestamp(7)", "float(0)", "float(54)", "int(4)", "text with time zone", "citext",
     "interval year to month", "numeric()", "varchar(-)", "date with time zone", "text["],
)  # fmt: skip
def test_anything_else_is_refused(written: str) -> None:
    """A type that we do not know, or a modifier outside its range, is an error of the configuration."""
    with pytest.raises(UnknownType):
        parse_type(written)


def test_sizes_and_arrays_are_those_of_pg_type() -> None:
    """typlen for RowDescription, and the array type for = ANY."""
    assert declared(types.INT4).size == 4
    assert declared(types.TEXT).size == -1
    assert declared(1007).size == -1
    assert declared(1007).element_oid == types.INT4
    assert declared(types.VARCHAR, 44).array_oid == 1015
    assert declared(1015).array_oid == 1015
    assert str(declared(types.VARCHAR, 44)) == "character varying(40)"
    with pytest.raises(UnknownType):
        declared(4089)


def test_typmods_are_taken_apart() -> None:
    """Length, precision and scale, digits of a second."""
    assert types.character_length(44) == 40
    assert types.character_length(-1) is None
    assert types.numeric_precision(786438) == (12, 2)
    assert types.numeric_precision(198658) == (3, -2)
    assert types.numeric_precision(-1) is None
    assert types.time_precision(types.TIMESTAMP, 3) == 3
    assert types.time_precision(types.INTERVAL, 2147418114) == 2
    assert types.time_precision(types.INTERVAL, 2147483647) is None
    assert types.time_precision(types.DATE, -1) is None
