"""Casts, and ARRAY[...], which a cast of it reaches into.

A cast passes if it leaves the value as it is. Then the name of its type becomes bytea where the value is
sealed, so that the database has the form of expression that the client wrote. Registered in
`expressions.TREATMENTS`.
"""

from bisect import bisect_left
from dataclasses import replace

from strongroom.errors import FunctionRefused, TypeRefused
from strongroom.sql.expressions import expression, is_of_leaves, treats
from strongroom.sql.meeting import common, linked, of_type, protection_of
from strongroom.sql.parse import Node, strings
from strongroom.sql.run import Run, only
from strongroom.sql.scope import Scope
from strongroom.sql.typenames import (
    ARRAYS,
    BOOL,
    BPCHAR,
    BYTEA,
    ELEMENTS,
    EXACT,
    NUMERIC,
    PROTECTED,
    STRINGS,
    TEXT,
    TEXTUAL,
    VARCHAR,
    length_of,
    type_oid,
)
from strongroom.sql.value import (
    COMPUTED,
    NO_TYPE,
    NULL,
    ArrayText,
    Cast,
    Gathered,
    Literal,
    Open,
    ParameterUse,
    Value,
)


@treats("TypeCast")
def _cast(run: Run, scope: Scope, body: Node) -> Value:
    only("a cast", body, "arg", "typeName", "location")
    name = body["typeName"]
    check_type(run, name)
    oid, typmod = type_oid(name) or NO_TYPE, modifier(name)
    if body.get("location", 0) < 0 and "A_Const" in body["arg"]:
        return _typed_literal(run, scope, body, oid, typmod)
    if "A_ArrayExpr" in body["arg"] and oid in ELEMENTS:
        value = _array_of(run, scope, body["arg"]["A_ArrayExpr"], ELEMENTS[oid])
    else:
        value = expression(run, scope, body["arg"])
    value = NULL if value.void else value
    if value.touches():
        return _cast_protected(run, value, name, oid, typmod)
    if not value.undecided and not value.null:
        return replace(COMPUTED, type_oid=max(oid, 0), typmod=typmod, origin=(-1, 0))
    inner_oid = value.type_oid
    if [lift for _, lift in value.open] == [0] and not value.type_oid:  # bare: it is of the type at once
        value.open[0][0].type_oid = inner_oid = oid
    start = name.get("location", 0)
    cast = Cast(start, run.type_end(start), oid, typmod, inner_oid=inner_oid)
    cast.stored = run.stored
    cast.cuts = _cut(value, length_of(oid, typmod)) if is_of_leaves(body["arg"]) else False
    cast.label_at = cast_end(run, body, cast.end)
    run.opens.append(cast)
    return linked(replace(value, open=(*value.open, (cast, 0)), null=False, type_oid=oid, typmod=typmod))


def _cut(value: Value, length: int) -> bool:
    """An explicit cast to varchar(n) cuts in silence (manual, "Character Types"); so will sealing."""
    for node, _ in value.open:
        if length:
            node.cut = min(node.cut or length, length)
    return length > 0


def cast_end(run: Run, body: Node, end: int) -> int:
    """Where a cast ends, whose type ends at `end`: CAST (...) has a bracket more."""
    location = body.get("location", 0)
    if run.lexed.word(run.lexed.at(location)) != b"cast":
        return end
    return run.lexed.ends[bisect_left(run.lexed.starts, end)]


def _typed_literal(run: Run, scope: Scope, body: Node, oid: int, typmod: int) -> Value:
    """`date '2020-01-01'`: type and literal are one place."""
    value = expression(run, scope, body["arg"])
    if not value.open:
        return value
    node = value.open[0][0]
    node.start, node.type_oid = body["typeName"].get("location", 0), oid
    if not _cut(value, length_of(oid, typmod)):
        node.typmod = typmod
    return replace(value, type_oid=oid, typmod=typmod)


def _cast_protected(run: Run, value: Value, name: Node, oid: int, typmod: int) -> Value:
    """A cast of a protected column that keeps the value becomes one to bytea, which does nothing."""
    protection = protection_of(value)
    assert protection is not None
    element = ELEMENTS.get(oid, NO_TYPE) if value.is_array else oid
    same = element == value.type_oid and typmod in {-1, value.typmod}
    widened = value.type_oid in TEXTUAL and element in TEXTUAL and typmod in {-1, value.typmod}
    if run.stored and element == BYTEA:
        return value
    as_text = not (same or widened) and _prints(run, value, element, typmod)
    if value.fields is not None or not (same or widened or as_text):
        # What no protected column can be, only the database could make, of the plaintext.
        refused = TypeRefused if element in PROTECTED or value.fields is not None else FunctionRefused
        raise refused(
            f"a cast would change the protected column {protection.column}",
            hint="leave the cast out, or cast in the application",
        )
    start = name.get("location", 0)
    run.edit(start, run.type_end(start), "pg_catalog.bytea[]" if value.is_array else "pg_catalog.bytea")
    if as_text:
        return Value(fields=(("", value),), shown_oid=oid)
    return replace(value, type_oid=element, typmod=typmod, cast=True)  # -1 too: coerce_type_typmod


def _prints(run: Run, value: Value, oid: int, typmod: int) -> bool:
    """Whether a cast gives the text that the value would be printed as: it can be printed once opened.

    A cast of bool spells it out, one of char(n) cuts its blanks (manual, "Character Types").
    """
    ours = value.protection is not None and value.type_oid == value.protection.type_oid
    plain_text = oid in TEXTUAL and typmod == -1 and not value.is_array and not run.stored
    return ours and plain_text and value.type_oid not in {*STRINGS, BOOL}


def check_type(run: Run, name: Node) -> None:
    """Refuses the row type of a protected table, and a type that hides one of PostgreSQL's own."""
    parts = strings(name["names"])
    if len(parts) == 1 and type_oid(name) and _is_hidden(run, parts[0]):
        raise TypeRefused(
            f'a type "{parts[0]}" of yours stands before PostgreSQL\'s own', hint="write pg_catalog before it"
        )
    schemas = run.path if len(parts) == 1 else (parts[-2],)
    for user_type in run.ground.schema.types:
        if (
            user_type.name == parts[-1]
            and user_type.schema in schemas
            and user_type.relation in run.ground.near
        ):
            raise TypeRefused(
                f'the row type of "{parts[-1]}" has protected columns', hint="name the columns instead"
            )


def _is_hidden(run: Run, name: str) -> bool:
    before = run.path[: run.path.index("pg_catalog")] if "pg_catalog" in run.path else run.path
    return any(item.name == name and item.schema in before for item in run.ground.schema.types)


def modifier(name: Node) -> int:
    """The type modifier that PostgreSQL makes of varchar(n), numeric(p, s) and the like; -2 if not known."""
    if not name.get("typmods"):
        return -1
    numbers = []
    for item in name["typmods"]:
        if "A_Const" not in item or "ival" not in item["A_Const"]:
            return -2
        numbers.append(item["A_Const"]["ival"].get("ival", 0))
    oid = type_oid(name)
    base = ELEMENTS.get(oid, oid)
    if base in {VARCHAR, BPCHAR} and len(numbers) == 1:
        return int(numbers[0]) + 4
    if base == NUMERIC and len(numbers) in {1, 2}:
        return int((numbers[0] << 16) | ((numbers[1] if len(numbers) == 2 else 0) & 0x7FF)) + 4
    return -2


@treats("A_ArrayExpr")
def _array(run: Run, scope: Scope, body: Node) -> Value:
    return _array_of(run, scope, body, 0)


def _array_of(run: Run, scope: Scope, body: Node, element_oid: int) -> Value:
    """ARRAY[...]; a cast of it reaches its elements (manual, "Array Constructors")."""
    only("ARRAY[]", body, "elements", "location", "list_start", "list_end")
    values = [expression(run, scope, item) for item in body.get("elements", ())]
    for value in values:
        of_type(value.open, element_oid)
    whole = _constant_array(run, body, values, element_oid) or _gathered(run, body, values, element_oid)
    value = common(values, "ARRAY[]")
    if value.null:  # of no type, unless a cast gives it one
        return Value(open=whole) if element_oid else COMPUTED
    if value.is_array:
        raise TypeRefused("an array of arrays of protected values cannot be made", hint="make one flat array")
    if value.protection is None and not value.open:
        return Value(type_oid=ARRAYS.get(value.type_oid, 0))
    lifted = tuple((node, lift - 1) for node, lift in value.open)
    return linked(
        Value(
            protection=value.protection,
            is_array=value.protection is not None,
            open=(*lifted, *whole),
            type_oid=value.type_oid if value.protection is not None else ARRAYS.get(value.type_oid, 0),
            typmod=value.typmod,
        )
    )


def _constant_array(
    run: Run, body: Node, values: list[Value], element_oid: int
) -> tuple[tuple[Open, int], ...]:
    """ARRAY[...] of constants as one constant more, which a column of arrays takes as a whole."""
    texts = [_constant(value) for value in values]
    oid = element_oid or _array_element(values)
    if run.stored or oid not in ARRAYS or not all(texts):
        return ()
    start = body.get("location", 0)
    inner = tuple(node for value in values for node, _ in value.open)
    text = "{" + ",".join(map(str, texts)) + "}"
    whole = ArrayText(start, run.array_end(start), ARRAYS[oid], value=text, elements=inner)
    run.opens.append(whole)
    return ((whole, 0),)


def _gathered(run: Run, body: Node, values: list[Value], element_oid: int) -> tuple[tuple[Open, int], ...]:
    """ARRAY[...] of parameters of one type as one value more, which a column of arrays takes as a whole."""
    oid = element_oid or _array_element(values)
    uses = tuple(use for value in values if (use := _parameter(value, oid)) is not None)
    if run.stored or oid not in ARRAYS or not uses or len(uses) != len(values):
        return ()
    start = body.get("location", 0)
    inner = tuple(node for value in values for node, _ in value.open)
    whole = Gathered(start, run.array_end(start), ARRAYS[oid], uses=uses, elements=inner)
    run.opens.append(whole)
    return ((whole, 0),)


def _parameter(value: Value, oid: int) -> ParameterUse | None:
    """One parameter that is an element of a type as it comes; None if a cast might change it."""
    first = value.open[0][0] if value.undecided else None
    if not isinstance(first, ParameterUse) or first.cut:
        return None
    types = {first.type_oid or oid, *(node.type_oid for node, _ in value.open[1:]), oid}
    casts = all(isinstance(node, Cast) and node.typmod == -1 for node, _ in value.open[1:])
    return first if casts and (len(types) == 1 or types <= TEXTUAL) else None


def _constant(value: Value) -> str:
    """One constant as an element of an array's text form; "" if it is none, or a cast might change it."""
    if value.null and not value.open:
        return "NULL"
    first = value.open[0][0] if value.open else None
    if not isinstance(first, Literal) or isinstance(first, ArrayText) or first.cut:
        return ""
    if any(not isinstance(node, Cast) or node.type_oid not in TEXTUAL for node, _ in value.open[1:]):
        return ""
    return '"' + first.value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _array_element(values: list[Value]) -> int:
    """The type of the elements (select_common_type, parse_coerce.c); 0 if it is not known here."""
    known = {value.type_oid for value in values if value.type_oid}
    if known and known <= set(EXACT):
        return max(known, key=EXACT.index)
    if len(known) > 1:
        return 0
    return known.pop() if known else TEXT
