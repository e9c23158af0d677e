"""The names of PostgreSQL's own types that protected values can have, and what may be cast to what.

Source of the numbers: src/include/catalog/pg_type.dat of PostgreSQL. A cast is only passed where it leaves
the value as it is, so that sealing before the cast is the same as after it. Called by `scope.py` and
`expressions.py`.
"""

from strongroom.sql.parse import Node, strings
from strongroom.sql.schema import Protection

BOOL, BYTEA, INT8, INT2, INT4, TEXT = 16, 17, 20, 21, 23, 25
JSON, FLOAT4, FLOAT8, BPCHAR, VARCHAR = 114, 700, 701, 1042, 1043
DATE, TIME, TIMESTAMP, TIMESTAMPTZ, INTERVAL, TIMETZ = 1082, 1083, 1114, 1184, 1186, 1266
NUMERIC, UUID, JSONB, UNKNOWN = 1700, 2950, 3802, 705
BYTEA_ARRAY, TEXT_ARRAY, VARCHAR_ARRAY = 1001, 1009, 1015

NAMES = {
    "bool": BOOL, "bytea": BYTEA, "int8": INT8, "int2": INT2, "int4": INT4, "text": TEXT, "json": JSON,
    "float4": FLOAT4, "float8": FLOAT8, "bpchar": BPCHAR, "varchar": VARCHAR, "date": DATE, "time": TIME,
    "timestamp": TIMESTAMP, "timestamptz": TIMESTAMPTZ, "interval": INTERVAL, "timetz": TIMETZ,
    "numeric": NUMERIC, "uuid": UUID, "jsonb": JSONB, "unknown": UNKNOWN, "name": 19, "oid": 26,
}  # fmt: skip
ARRAYS = {
    BOOL: 1000, BYTEA: 1001, INT8: 1016, INT2: 1005, INT4: 1007, TEXT: 1009, JSON: 199, FLOAT4: 1021,
    FLOAT8: 1022, BPCHAR: 1014, VARCHAR: 1015, DATE: 1182, TIME: 1183, TIMESTAMP: 1115, TIMESTAMPTZ: 1185,
    INTERVAL: 1187, TIMETZ: 1270, NUMERIC: 1231, UUID: 2951, JSONB: 3807, 19: 1003, 26: 1028,
}  # fmt: skip
ELEMENTS = {array: element for element, array in ARRAYS.items()}
TEXTUAL = frozenset({TEXT, VARCHAR})
INTEGERS = frozenset({INT2, INT4, INT8})
EXACT = (INT2, INT4, INT8, NUMERIC)  # each holds every value of those before it
STRINGS = frozenset({TEXT, VARCHAR, BPCHAR})
_NUMBERS = frozenset({*EXACT, FLOAT4, FLOAT8})
# Implicit and assignment casts between the other types above (pg_cast.dat).
_ASSIGNED: dict[int, frozenset[int]] = {
    DATE: frozenset({TIMESTAMP, TIMESTAMPTZ}),
    TIME: frozenset({TIMETZ, INTERVAL}),
    TIMETZ: frozenset({TIME}),
    TIMESTAMP: frozenset({DATE, TIME, TIMESTAMPTZ}),
    TIMESTAMPTZ: frozenset({DATE, TIME, TIMETZ, TIMESTAMP}),
    INTERVAL: frozenset({TIME}),
    JSON: frozenset({JSONB}),
    JSONB: frozenset({JSON}),
}
PROTECTED = STRINGS | _NUMBERS | frozenset({*_ASSIGNED, BOOL, BYTEA, UUID})  # types of protected columns
# Of these, what `protect/conversions.py` does not do.
_NOT_OURS = frozenset(
    {(TIME, TIMETZ), (TIME, INTERVAL), (TIMETZ, TIME), (TIMESTAMPTZ, TIMETZ), (INTERVAL, TIME)}
)


def type_oid(name: Node) -> int:
    """The OID of a TypeName that is PostgreSQL's own, without its modifier; 0 if it is not one of ours."""
    parts = strings(name["names"])
    if len(parts) > 1 and parts[0] != "pg_catalog":
        return 0
    if name.get("setof") or name.get("pct_type"):
        return 0
    oid = NAMES.get(parts[-1], 0)
    return ARRAYS.get(oid, 0) if name.get("arrayBounds") else oid


def family(protection: Protection) -> tuple[int, int]:
    """Equal for two protections whose equal values have the same canonical bytes."""
    if protection.type_oid in TEXTUAL:
        return TEXT, -1
    if protection.type_oid in {NUMERIC, BPCHAR}:
        return protection.type_oid, protection.typmod if protection.type_oid == NUMERIC else -1
    return protection.type_oid, -1


def same_form(one: Protection, other: Protection) -> bool:
    """Whether values of two columns can stand for each other as they are sealed."""
    return one.keyset == other.keyset and family(one) == family(other)


def keeps_value(source: int, protection: Protection, *, compared: bool) -> bool:
    """Whether a value of type `source` means the same when sealed for a column.

    Comparison resolves an operator, so only types that share one are taken; storing casts (assignment casts).
    What is taken here, `protect/conversions.py` converts.
    """
    target = protection.type_oid
    if source in {0, UNKNOWN, target}:
        return True
    if source in ELEMENTS and target in ELEMENTS and not compared:
        source, target = ELEMENTS[source], ELEMENTS[target]
    if {source, target} <= TEXTUAL or (source in EXACT and target in EXACT):
        return True
    if compared:
        return False
    return source in PROTECTED and is_assigned(source, target) and (source, target) not in _NOT_OURS


def is_assigned(source: int, target: int) -> bool:
    """Whether PostgreSQL stores a type in a column of another; all become strings ("CREATE CAST").

    Where it does not know, as of a user's type, it says yes.
    """
    if source in ELEMENTS and target in ELEMENTS:
        source, target = ELEMENTS[source], ELEMENTS[target]
    if source not in PROTECTED or target not in PROTECTED:
        return True
    return (
        source == target
        or target in STRINGS
        or {source, target} <= _NUMBERS
        or target in _ASSIGNED.get(source, frozenset())
    )


def are_textual(one: int, other: int) -> bool:
    """Whether two types are text or varchar, or arrays of them, which become each other freely."""
    return {one, other} <= TEXTUAL or {one, other} <= {TEXT_ARRAY, VARCHAR_ARRAY}


def widens(source: int, target: int) -> bool:
    """Whether a cast keeps every value as it is."""
    if source in ELEMENTS and target in ELEMENTS:
        source, target = ELEMENTS[source], ELEMENTS[target]
    if source == target or {source, target} <= TEXTUAL:
        return True
    return source in INTEGERS and target in EXACT and EXACT.index(source) <= EXACT.index(target)


def length_of(type_oid: int, typmod: int) -> int:
    """The characters to which a cast to varchar(n), or to an array of it, cuts; 0 if to none."""
    return typmod - 4 if typmod > 4 and type_oid in {VARCHAR, VARCHAR_ARRAY} else 0


def compared_type(type_oid: int) -> int:
    """The type that an untyped parameter takes when compared with a column of a type.

    varchar has no operators of its own (manual, "Operator Type Resolution"): it is compared as text.
    """
    return TEXT if type_oid == VARCHAR else type_oid
