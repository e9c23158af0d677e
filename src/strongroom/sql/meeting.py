"""What may meet what: comparison, assignment, the common form of several values, and use as plain.

Every rule of what sealed values can do is here; `expressions.py`, `queries.py` and `changes.py` only say
which values meet. Sealed values are equal or not, and can be kept, moved within their keyset, and given
back.
"""

from collections.abc import Iterable
from dataclasses import replace

from strongroom.errors import (
    ComparisonRefused,
    FunctionRefused,
    StatementTooComplex,
    TypeRefused,
    ValueComputed,
    ValueMoves,
)
from strongroom.sql.schema import Column, Protection
from strongroom.sql.typenames import TEXT, compared_type, is_assigned, keeps_value, same_form, widens
from strongroom.sql.value import (
    COMPUTED,
    NULL,
    TEXT_NULL,
    Literal,
    Open,
    Value,
    WholeArray,
    mismatch,
)

MAX_TOGETHER = 1 << 17
"""Literals and parameters that may stand in one place: WITH queries can double one another."""

MAX_TYPMOD = 1 << 31
"""Longer than any length that a type can have."""


def plain(value: Value, what: str, type_oid: int = 0) -> Value:
    """Takes a value where a protected one may not be; `what` names the construct."""
    protection = protection_of(settled(value))
    if protection is not None:
        raise FunctionRefused(
            f"{what} would be given the protected column {protection.column}",
            hint="the database holds only sealed values: select the column and apply it in the application",
        )
    _keep_plain(value, type_oid)
    return value


def seal(value: Value, protection: Protection, *, compared: bool, is_array: bool = False) -> Value:
    """What is open in a value becomes sealed for a column; the value as it is then."""
    _seal_open(value, protection, compared=compared, is_array=is_array)
    natural = next((node.natural_oid for node, lift in value.open if lift == 0), 0) or protection.type_oid
    return replace(
        value,
        protection=protection,
        is_array=is_array,
        null=False,
        type_oid=protection.type_oid if is_array else value.type_oid or natural,
    )


def _seal_open(value: Value, protection: Protection, *, compared: bool, is_array: bool = False) -> None:
    whole = any(isinstance(node, WholeArray) for node, _ in value.open) and not is_array
    for node, lift in value.open:
        depth = int(is_array) + lift
        if (depth == 1 and isinstance(node, WholeArray)) or (depth == -1 and whole):
            continue  # an array is sealed as a whole, or each of its elements
        if depth not in {0, 1}:
            raise TypeRefused(
                f"an array of arrays meets the protected column {protection.column}",
                hint="pass one flat array",
            )
        if isinstance(node, Literal) and node.number_oid:
            _check_number(node, protection, compared=compared)
        node.seal(protection, is_array=bool(depth), compared=compared)


def of_type(opened: Iterable[tuple[Open, int]], type_oid: int = TEXT) -> None:
    """What has no type yet takes one; what nothing gives a type is text (manual, "UNION, CASE")."""
    for node, lift in opened:
        if not node.type_oid and not node.natural_oid and lift == 0:
            node.natural_oid = type_oid


def typed(value: Value) -> Value:
    """A value that stands in one place with others: where they are NULLs alone, they are text."""
    return TEXT_NULL if value.null else value


def linked(value: Value) -> Value:
    """Remembers that what is open in a value is sealed together, whichever part of it is sealed first."""
    for node, _ in value.open:
        node.links.append(value)
    return value


def settled(value: Value) -> Value:
    """A value as it is by now: sealed, if a part of it was sealed by another use of it."""
    if value.protection is not None:
        return value
    for node, lift in value.open:
        if node.protection is not None:
            is_array = bool(int(node.is_array) - lift)
            return seal(value, node.protection, compared=node.compared, is_array=is_array)
    return value


def element(value: Value) -> Value:
    """One element of an array, of the same length modifier."""
    return replace(value, is_array=False, open=tuple((node, lift + 1) for node, lift in value.open))


def compare(left: Value, right: Value, what: str) -> None:
    """Two values meet in `=` or a construct that rests on it."""
    left, right = settled(left), settled(right)
    for value in (left, right):
        if value.shown_oid:
            raise ComparisonRefused(
                f"{what} compares the text of the protected column {_printed(value).column}",
                hint="leave the cast out, and compare with a value of the column's type",
            )
    if left.fields is not None or right.fields is not None:
        _compare_rows(left, right, what)
        return
    if left.protection is None and right.protection is None:
        untyped = TEXT if _unknown(left) and _unknown(right) else 0
        _keep_plain(left, compared_type(right.type_oid) or untyped)
        _keep_plain(right, compared_type(left.type_oid) or untyped)
        return
    sealed, other = (left, right) if left.protection is not None else (right, left)
    protection = comparable(sealed, what)
    if other.protection is not None:
        _compare_columns(protection, other.protection, what)
        _form_arrays(sealed, other, what)
    elif other.open:
        seal(other, protection, compared=True, is_array=sealed.is_array)
    elif not other.null:
        raise ComparisonRefused(
            f"{what} compares the protected column {protection.column} with an unprotected value",
            hint="compare it with a parameter, a literal, or a column of the same key",
        )


def comparable(value: Value, what: str) -> Protection:
    """The protection of a value that is about to be compared."""
    protection = protection_of(value)
    assert protection is not None
    if not protection.comparable:
        raise ComparisonRefused(
            f"{what} compares the column {protection.column}, whose encryption is randomized",
            hint="give the column `encryption: deterministic`, or look the row up by another column",
        )
    return protection


def distinct(value: Value, what: str) -> None:
    """A value is grouped, or made distinct."""
    value = settled(value)
    for _, field in value.fields or ():
        distinct(field, what)
    if value.protection is not None:
        comparable(value, what)
    else:
        _keep_plain(value)


def common(values: Iterable[Value], what: str, *, compared: bool = False) -> Value:
    """The one form of the values that can stand in one place: CASE, COALESCE, VALUES, UNION.

    `compared` is for constructs that also compare them.
    """
    members = [settled(value) for value in values]
    if any(value.fields is not None for value in members):
        for value in members:
            plain(value, what)
        return COMPUTED
    sealed = [value for value in members if value.protection is not None]
    if sealed:
        return _common_sealed(sealed, members, what, compared=compared)
    opened = tuple(node for value in members for node in value.open)
    if len(opened) > MAX_TOGETHER:
        raise StatementTooComplex(
            "too many literals stand in one place", hint="send fewer rows at once, or use COPY"
        )
    if all(value.undecided or value.null for value in members) and not compared:
        of_type(opened, _own_type(members) or TEXT)
        own = _own_type(members)
        typmod = _own_typmod(members) if own else -1
        return linked(Value(open=opened, type_oid=own, typmod=typmod)) if opened else NULL
    type_oid = next((value.type_oid for value in members if not value.undecided and value.type_oid), 0)
    for value in members:
        _keep_plain(value, type_oid)
    return Value(type_oid=type_oid or _own_type(members), null=all(value.null for value in members))


def assign(value: Value, protection: Protection | None, column: Column, qualified: str) -> None:
    """A value is stored in a column."""
    value = settled(value)
    if protection is None:
        source = protection_of(value)
        if source is not None:
            raise ValueMoves(
                f"a value of the column {source.column} would be stored in {qualified}, unprotected",
                hint="protect that column by the same key, or leave it out",
            )
        _keep_plain(value, column.type_oid)
        return
    if value.protection is not None:
        _assign_sealed(value, protection, qualified)
    elif value.open:
        _seal_open(value, protection, compared=False)
    elif not value.null:
        raise ValueComputed(
            f"a computed or unprotected value would be stored in the protected column {protection.column}",
            hint="pass the value as a parameter or a literal, so that it can be sealed",
        )


def _printed(value: Value) -> Protection:
    """The protection of what is cast to text."""
    protection = protection_of(value)
    assert protection is not None
    return protection


def protection_of(value: Value) -> Protection | None:
    """The protection of a value, or of the first protected field of a row."""
    if value.protection is not None:
        return value.protection
    return next((found for _, field in value.fields or () if (found := protection_of(field))), None)


def _keep_plain(value: Value, type_oid: int = 0) -> None:
    for node, _ in value.open:
        node.keep_plain(type_oid)
    for _, field in value.fields or ():
        _keep_plain(field)


def _unknown(value: Value) -> bool:
    """Whether PostgreSQL knows no type of it either."""
    return (value.undecided or value.null) and not value.type_oid


def _compare_rows(left: Value, right: Value, what: str) -> None:
    if left.touches() or right.touches():
        ours, theirs = left.fields, right.fields
        if ours is None or theirs is None or len(ours) != len(theirs):
            plain(left, what)
            plain(right, what)
            return
        for (_, one), (_, other) in zip(ours, theirs, strict=True):
            compare(one, other, what)
        return
    for (_, one), (_, other) in zip(left.fields or (), right.fields or (), strict=False):
        compare(one, other, what)
    _keep_plain(left)
    _keep_plain(right)


def _compare_columns(one: Protection, other: Protection, what: str) -> None:
    if not (other.comparable and same_form(one, other)):
        raise ComparisonRefused(
            f"{what} compares the columns {one.column} and {other.column}, which share no key and form",
            hint="give both the same `key:` and type, deterministic",
        )


def _form_arrays(one: Value, other: Value, what: str) -> None:
    if one.is_array != other.is_array:
        raise ComparisonRefused(f"{what} compares a protected value with an array of them", hint="use = ANY")


def _common_sealed(sealed: list[Value], members: list[Value], what: str, *, compared: bool) -> Value:
    first = sealed[0]
    known = [value.protection for value in sealed if value.protection is not None]
    protection = max(known, key=lambda one: MAX_TYPMOD if one.typmod == -1 else one.typmod)
    if len({one.row for one in known}) > 1:
        protection = replace(protection, row=None)  # of one of several tenants
    if compared:
        comparable(first, what)
    for value in sealed:
        assert value.protection is not None
        if not same_form(protection, value.protection) or first.is_array != value.is_array:
            raise ValueMoves(
                f"{what} mixes the protected columns {protection.column} and {value.protection.column}",
                hint="give both the same `key:` and type",
            )
    # select_common_type: of text and varchar, which become each other freely, the first wins.
    type_oid = next(oid for value in members if (oid := _named_type(value)) > 0)
    for value in members:
        if value.protection is None and value.open:
            named = _named_type(value)
            if not first.is_array and named and not widens(named, protection.type_oid):
                raise TypeRefused(
                    f"{what} gives the protected column {protection.column} and another type together",
                    hint="cast the other value to the column's declared type",
                )
            of_type(value.open, 0 if first.is_array else type_oid)
            seal(value, protection, compared=True, is_array=first.is_array)
        elif value.protection is None and not value.null:
            raise ValueMoves(
                f"{what} mixes the protected column {protection.column} with an unprotected value",
                hint="use only parameters, literals, NULL and columns of the same key beside it",
            )
    return Value(
        protection=protection,
        is_array=first.is_array,
        open=tuple(node for value in members for node in value.open),
        type_oid=protection.type_oid if first.is_array else type_oid,
        typmod=_own_typmod(members),
    )


def _named_type(value: Value) -> int:
    """The type of a value; none if its bytes were sealed before the database stored them, in a view."""
    return 0 if any(node.stored for node, _ in value.open) else value.type_oid


def _own_type(members: list[Value]) -> int:
    types = {value.type_oid for value in members if value.type_oid > 0}
    return types.pop() if len(types) == 1 else 0


def _own_typmod(members: list[Value]) -> int:
    """The one modifier that all agree on (select_common_typmod, parse_coerce.c)."""
    typmods = {value.typmod for value in members}
    return typmods.pop() if len(typmods) == 1 else -1


def _assign_sealed(value: Value, protection: Protection, qualified: str) -> None:
    source = value.protection
    assert source is not None
    if value.is_array or not same_form(source, protection):
        raise ValueMoves(
            f"a value of the column {source.column} would be stored in {qualified}, which has another key",
            hint="give both the same `key:` and type, or copy through the application",
        )
    if protection.typmod not in {-1, source.typmod}:
        raise ValueMoves(
            f"the length of a value of {source.column} cannot be checked for the column {qualified}",
            hint="declare both columns with the same length",
        )
    seal(value, protection, compared=False)


def _check_number(node: Literal, protection: Protection, *, compared: bool) -> None:
    """A number has a type of its own (make_const): it is stored by assignment, and compared with numbers."""
    if not compared and not is_assigned(node.number_oid, protection.type_oid):
        raise mismatch(protection)
    if not keeps_value(node.number_oid, protection, compared=compared):
        raise TypeRefused(
            f"a number meets the protected column {protection.column}, which has another type",
            hint="write the value as a quoted literal or a parameter",
        )
