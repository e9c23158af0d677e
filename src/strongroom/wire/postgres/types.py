"""PostgreSQL's types as the wire knows them: OIDs, names, sizes, and the typmod that a written type has.

The OIDs and sizes are those of ``pg_type.dat``; a typmod is what ``pg_attribute.atttypmod`` stores
(manual, "System Catalogs": for most types the length plus 4, for numeric precision and scale packed).
A type is written in the configuration as one would write it in CREATE TABLE; ``parse_type`` reads that
once. Called by ``protect/scheme.py``, and by the session for RowDescription and ParameterDescription.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from strongroom.errors import UnknownType

BOOL, BYTEA, CHAR, NAME, INT8, INT2, INT4, TEXT, OID = 16, 17, 18, 19, 20, 21, 23, 25, 26
JSON, FLOAT4, FLOAT8, UNKNOWN, BPCHAR, VARCHAR = 114, 700, 701, 705, 1042, 1043
DATE, TIME, TIMESTAMP, TIMESTAMPTZ, INTERVAL, TIMETZ = 1082, 1083, 1114, 1184, 1186, 1266
NUMERIC, UUID, JSONB = 1700, 2950, 3802
BYTEA_ARRAY = 1001

# varchar(n) and char(n): MaxAttrSize, htup_details.h; numeric(p,s): NUMERIC_MAX_PRECISION, numeric.h;
# time and timestamp: MAX_TIMESTAMP_PRECISION, timestamp.h.
MAX_CHARACTERS = 10_485_760
MAX_NUMERIC_PRECISION = 1000
MAX_TIME_PRECISION = 6

_TYPMOD_OFFSET = 4  # VARHDRSZ, which PostgreSQL adds to lengths and to numeric's packed pair
_INTERVAL_FULL_RANGE = 0x7FFF  # timestamp.h: any field, so that only the precision is limited


@dataclass(frozen=True, slots=True)
class BaseType:
    """A row of pg_type: ``size`` is typlen (-1 for a variable length)."""

    oid: int
    name: str
    size: int
    array_oid: int


_ROWS = (
    BaseType(BOOL, "boolean", 1, 1000),
    BaseType(BYTEA, "bytea", -1, BYTEA_ARRAY),
    BaseType(INT8, "bigint", 8, 1016),
    BaseType(INT2, "smallint", 2, 1005),
    BaseType(INT4, "integer", 4, 1007),
    BaseType(TEXT, "text", -1, 1009),
    BaseType(JSON, "json", -1, 199),
    BaseType(FLOAT4, "real", 4, 1021),
    BaseType(FLOAT8, "double precision", 8, 1022),
    BaseType(BPCHAR, "character", -1, 1014),
    BaseType(VARCHAR, "character varying", -1, 1015),
    BaseType(DATE, "date", 4, 1182),
    BaseType(TIME, "time without time zone", 8, 1183),
    BaseType(TIMESTAMP, "timestamp without time zone", 8, 1115),
    BaseType(TIMESTAMPTZ, "timestamp with time zone", 8, 1185),
    BaseType(INTERVAL, "interval", 16, 1187),
    BaseType(TIMETZ, "time with time zone", 12, 1270),
    BaseType(NUMERIC, "numeric", -1, 1231),
    BaseType(UUID, "uuid", 16, 2951),
    BaseType(JSONB, "jsonb", -1, 3807),
)
BASE_TYPES: Mapping[int, BaseType] = MappingProxyType({row.oid: row for row in _ROWS})
ELEMENT_OF: Mapping[int, int] = MappingProxyType({row.array_oid: row.oid for row in _ROWS})

_NAMES: Mapping[str, int] = MappingProxyType(
    {row.name: row.oid for row in _ROWS}
    | {
        "bool": BOOL,
        "int8": INT8,
        "int2": INT2,
        "int4": INT4,
        "int": INT4,
        "float4": FLOAT4,
        "float8": FLOAT8,
        "float": FLOAT8,
        "bpchar": BPCHAR,
        "char": BPCHAR,
        "varchar": VARCHAR,
        "char varying": VARCHAR,
        "time": TIME,
        "timestamp": TIMESTAMP,
        "timestamptz": TIMESTAMPTZ,
        "timetz": TIMETZ,
        "decimal": NUMERIC,
        "dec": NUMERIC,
    }
)
_WRITTEN = re.compile(
    r"(?P<name>[a-z][a-z0-9]*(?: [a-z]+)*?)"
    r"\s*(?:\((?P<modifiers>[\s0-9,-]*)\))?"
    r"(?P<zone>\s+with(?:out)? time zone)?"
    r"(?P<array>(?:\s*\[\d*\])+|\s+array)?"
)


@dataclass(frozen=True, slots=True)
class DeclaredType:
    """A type as a column declares it; an array has ``element_oid`` set, and its element's typmod."""

    oid: int
    typmod: int = -1
    element_oid: int = 0

    @property
    def is_array(self) -> bool:
        return self.element_oid != 0

    @property
    def base_oid(self) -> int:
        """The type of one value: the element's for an array."""
        return self.element_oid or self.oid

    @property
    def size(self) -> int:
        """What RowDescription calls the data type size (pg_type.typlen)."""
        return -1 if self.element_oid else BASE_TYPES[self.oid].size

    @property
    def array_oid(self) -> int:
        """The OID of an array of this type; arrays of arrays are the same array type in PostgreSQL."""
        return self.oid if self.element_oid else BASE_TYPES[self.oid].array_oid

    def __str__(self) -> str:
        return format_type(self)


def declared(oid: int, typmod: int = -1) -> DeclaredType:
    """The declared type for what the catalog says of a column; raises ``UnknownType``."""
    if oid in BASE_TYPES:
        return DeclaredType(oid, typmod)
    if oid in ELEMENT_OF:
        return DeclaredType(oid, typmod, ELEMENT_OF[oid])
    raise UnknownType(f"type with OID {oid} is not supported", hint=_supported())


def parse_type(text: str) -> DeclaredType:
    """Reads a type as CREATE TABLE would; raises ``UnknownType``."""
    match = _WRITTEN.fullmatch(" ".join(text.lower().split()))
    if match is None:
        raise _unknown(text)
    zone = (match["zone"] or "").strip()
    oid = _NAMES.get(f"{match['name']} {zone}".strip()) or (_NAMES.get(match["name"]) if not zone else None)
    if zone and match["name"] in ("time", "timestamp"):
        oid = _NAMES[f"{match['name']} {zone}"]
    if oid is None:
        raise _unknown(text)
    oid, typmod = _modified(oid, match["name"], _modifiers(match["modifiers"], text), text)
    if match["array"]:
        return DeclaredType(BASE_TYPES[oid].array_oid, typmod, oid)
    return DeclaredType(oid, typmod)


def format_type(type_: DeclaredType) -> str:
    """The type as PostgreSQL's format_type() prints it."""
    row = BASE_TYPES[type_.base_oid]
    suffix = "[]" if type_.is_array else ""
    if row.oid == BPCHAR and type_.typmod < 0:
        return "bpchar" + suffix
    modifier = _written_modifier(row.oid, type_.typmod)
    first, space, rest = row.name.partition(" ")
    if row.oid in (TIME, TIMETZ, TIMESTAMP, TIMESTAMPTZ):
        return f"{first}{modifier}{space}{rest}{suffix}"
    return f"{row.name}{modifier}{suffix}"


def character_length(typmod: int) -> int | None:
    """n of varchar(n) or char(n)."""
    return typmod - _TYPMOD_OFFSET if typmod >= _TYPMOD_OFFSET else None


def numeric_precision(typmod: int) -> tuple[int, int] | None:
    """(precision, scale) of numeric(p,s); the scale may be negative (numeric.c, since PostgreSQL 15)."""
    if typmod < _TYPMOD_OFFSET:
        return None
    packed = typmod - _TYPMOD_OFFSET
    return (packed >> 16) & 0xFFFF, ((packed & 0x7FF) ^ 1024) - 1024


def time_precision(oid: int, typmod: int) -> int | None:
    """Digits kept of a second, or None where all six are."""
    if typmod < 0:
        return None
    precision = typmod & 0xFFFF if oid == INTERVAL else typmod
    return precision if precision <= MAX_TIME_PRECISION else None


def _modifiers(written: str | None, text: str) -> tuple[int, ...] | None:
    if written is None:
        return None
    try:
        return tuple(int(part) for part in written.split(","))
    except ValueError:
        raise _unknown(text) from None


def _modified(oid: int, name: str, modifiers: tuple[int, ...] | None, text: str) -> tuple[int, int]:
    """The OID and typmod once the numbers in parentheses are taken into account."""
    if name == "float":
        return _float(modifiers, text), -1
    if modifiers is None:
        # `char` alone is char(1); `bpchar` alone has no limit (manual, "Character Types").
        return oid, (1 + _TYPMOD_OFFSET if name in ("char", "character") and oid == BPCHAR else -1)
    match oid, modifiers:
        case ((1042 | 1043), (length,)) if 1 <= length <= MAX_CHARACTERS:
            return oid, length + _TYPMOD_OFFSET
        case 1700, (precision, *scales) if len(scales) < 2 and 1 <= precision <= MAX_NUMERIC_PRECISION:
            scale = scales[0] if scales else 0
            if -1000 <= scale <= 1000:
                return oid, ((precision << 16) | (scale & 0x7FF)) + _TYPMOD_OFFSET
        case ((1083 | 1266 | 1114 | 1184), (digits,)) if 0 <= digits <= MAX_TIME_PRECISION:
            return oid, digits
        case 1186, (digits,) if 0 <= digits <= MAX_TIME_PRECISION:
            return oid, (_INTERVAL_FULL_RANGE << 16) | digits
    raise _unknown(text)


def _float(modifiers: tuple[int, ...] | None, text: str) -> int:
    """float(p): up to 24 binary digits are real, up to 53 double precision (manual, "Numeric Types")."""
    match modifiers:
        case None:
            return FLOAT8
        case (digits,) if 1 <= digits <= 24:
            return FLOAT4
        case (digits,) if 25 <= digits <= 53:
            return FLOAT8
    raise _unknown(text)


def _written_modifier(oid: int, typmod: int) -> str:
    if oid in (BPCHAR, VARCHAR) and (length := character_length(typmod)) is not None:
        return f"({length})"
    if oid == NUMERIC and (pair := numeric_precision(typmod)) is not None:
        return f"({pair[0]},{pair[1]})"
    if (
        oid in (TIME, TIMETZ, TIMESTAMP, TIMESTAMPTZ, INTERVAL)
        and (digits := time_precision(oid, typmod)) is not None
    ):
        return f"({digits})"
    return ""


def _unknown(text: str) -> UnknownType:
    return UnknownType(f"type {text!r} is not one that a protected column can have", hint=_supported())


def _supported() -> str:
    names = ", ".join(sorted(row.name for row in _ROWS))
    return f"supported are {names}, with their modifiers, and arrays of them"
