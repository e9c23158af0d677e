"""Values that a statement holds against a keyed column, or writes to it: where they stand, not what they are.

A record has keyed hashes of such values (`audit.records.keyed`); which parameters and literals they are, the
analysis knows, once for all executions. `holds` and `stores` are called where values meet, in `operators`,
`queries` and `changes`; where no column is keyed (`Context.keyed`) they do nothing.

A column counts where it stands as it is, also through views, subqueries and WITH; a value where it is a
parameter or a literal, or one of several that may stand in one place (CASE, COALESCE, VALUES), cast or not,
as long as each cast leaves it what it is. Of other values, but for those that come of columns, it is said
that they are not known.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from strongroom.audit.records.statements import MORE, UNKNOWN
from strongroom.sql.access import columns_of
from strongroom.sql.run import Held, Run
from strongroom.sql.schema import ColumnId, Relation
from strongroom.sql.statement import KeyedValue
from strongroom.sql.typenames import BPCHAR, DATE, ELEMENTS, EXACT, INTEGERS, TEXTUAL, UUID, widens
from strongroom.sql.value import NO_TYPE, Cast, Literal, Open, ParameterUse, Value, WholeArray

KEYED_AT_MOST = 100
"""Values of one statement of which a record has hashes; of an array each element is one."""

_READ = frozenset({*EXACT, DATE, UUID})
"""Types as which text is read by a cast, as it is where a column of one of them meets it."""
_CUT = frozenset({BPCHAR, 18, 19})
"""Strings that lose something: char(n) its blanks, "char" and name what is behind 1 and 63 octets."""


def holds(run: Run, left: Value, right: Value, *, each: bool = False) -> None:
    """Two values are compared for equality; ``each``: the left one with the elements of the right one."""
    if left.fields is not None and right.fields is not None:
        for (_, one), (_, other) in zip(left.fields, right.fields, strict=False):
            holds(run, one, other, each=each)
        return
    _meet(run, left.as_is, right, is_array=each)
    if not each:
        _meet(run, right.as_is, left)


def stores(run: Run, columns: Iterable[ColumnId], value: Value) -> None:
    """A value is written to a column; ``columns`` are all that the column may be, through a view."""
    for column in columns:
        _meet(run, column, value, is_stored=True)


def streams(run: Run, columns: Iterable[ColumnId]) -> None:
    """Values are written that the text does not name."""
    for column in columns:
        if column in run.context.keyed:
            run.held[column, MORE, True] = Held(column, None)


def values(run: Run) -> tuple[KeyedValue, ...]:
    """All that was found, each once."""
    return tuple(dict.fromkeys(_settled(run, key[1], one) for key, one in run.held.items()))


def unknown(columns: Iterable[ColumnId]) -> tuple[KeyedValue, ...]:
    """Of a statement that was not followed."""
    return tuple(KeyedValue(column, instead=UNKNOWN) for column in columns)


def keyed_of(relations: Iterable[Relation], keyed: frozenset[ColumnId]) -> Iterator[ColumnId]:
    """The keyed columns of these relations."""
    for relation in relations if keyed else ():
        for column in relation.columns:
            if (relation.oid, column.attnum) in keyed:
                yield relation.oid, column.attnum


def executed(inner: tuple[KeyedValue, ...], given: list[Value | None]) -> tuple[KeyedValue, ...]:
    """What EXECUTE with these arguments holds against columns; None for one that is not understood."""
    found: list[KeyedValue] = []
    for one in inner:
        value = given[one.client - 1] if 0 < one.client <= len(given) else None
        node = None if value is None else _alone(value)
        oid = _own_type(node)
        if not one.client:
            found.append(one)
        elif not _keeps(oid, one.type_oid):
            found.append(KeyedValue(one.column, instead=UNKNOWN))
        elif isinstance(node, ParameterUse):
            found.append(replace(one, client=node.number, type_oid=oid))
        elif isinstance(node, Literal):
            found.append(replace(one, client=0, literal=node.value, type_oid=oid))
        elif value is None or not value.null:
            found.append(KeyedValue(one.column, instead=UNKNOWN))
    return tuple(dict.fromkeys(found))


def _alone(value: Value) -> Open | None:
    """The one parameter or literal that a value is, cast or not, if the cast keeps it."""
    nodes = [(node, lift) for node, lift in value.open if not isinstance(node, Cast)]
    if len(nodes) != 1 or nodes[0][1] != 0:
        return None
    return nodes[0][0] if _is_kept(nodes[0][0], value) else None


def _is_kept(node: Open, value: Value) -> bool:
    """Whether no cast in a value makes another of this parameter or literal: then it is what is compared.

    Which cast is whose in COALESCE or VALUES is not known: one that makes another makes one of each.
    """
    casts = [cast for cast, _ in value.open if isinstance(cast, Cast)]
    if node.typmod != -1 or {node.type_oid, ELEMENTS.get(node.type_oid)} & _CUT:
        return False
    if node.cut and any(ELEMENTS.get(cast.type_oid, cast.type_oid) not in TEXTUAL for cast in casts):
        return False  # what is cut is text, and what is read of it another value
    return all((cast.cuts or cast.typmod == -1) and _keeps(cast.inner_oid, cast.type_oid) for cast in casts)


def _keeps(source: int, target: int) -> bool:
    """Whether a cast, where it succeeds, gives the value that was written; what has no type takes this one.

    One to an integer of any width does, and one that reads text; char(n) loses blanks, numeric its fraction.
    """
    if NO_TYPE in {source, target}:
        return False
    source, target = ELEMENTS.get(source, source), ELEMENTS.get(target, target)
    if {source, target} & _CUT:
        return False
    if 0 in {source, target} or widens(source, target) or {source, target} <= INTEGERS:
        return True
    return source in TEXTUAL and target in _READ


def _meet(
    run: Run, column: ColumnId | None, value: Value, *, is_array: bool = False, is_stored: bool = False
) -> None:
    if column is None or column not in run.context.keyed:
        return
    try:
        _hold(run, column, value, is_array=is_array, is_stored=is_stored)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - no record is worth a statement that would have run
        run.held[column, UNKNOWN, is_stored] = Held(column, None)


def _hold(run: Run, column: ColumnId, value: Value, *, is_array: bool, is_stored: bool) -> None:
    if not value.open:
        if not (value.null or columns_of(value)):
            run.held[column, UNKNOWN, is_stored] = Held(column, None)
        return
    for node, lift in value.open:
        depth = int(is_array) + lift
        if isinstance(node, Cast | WholeArray) or depth not in {0, 1}:
            continue  # what is in them stands beside them
        if not _is_kept(node, value):
            run.held[column, UNKNOWN, is_stored] = Held(column, None)
            continue
        if len(run.held) >= KEYED_AT_MOST:
            run.held[column, MORE, is_stored] = Held(column, None)
            return
        run.held[column, id(node), is_stored] = Held(column, node, bool(depth), is_stored)


def _settled(run: Run, what: object, held: Held) -> KeyedValue:
    try:
        return _keyed_value(run, what, held)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - as above
        return KeyedValue(held.column, instead=UNKNOWN)


def _keyed_value(run: Run, what: object, held: Held) -> KeyedValue:
    node = held.node
    if isinstance(node, ParameterUse):
        oid = _parameter_type(run, node)
        if not _keeps(oid, _known(node.type_oid)):  # it has the type of another use, and is cast in this one
            return KeyedValue(held.column, instead=UNKNOWN)
        return KeyedValue(held.column, node.number, "", oid, held.is_array, held.is_stored, node.cut)
    if isinstance(node, Literal):
        oid = _own_type(node)
        return KeyedValue(held.column, 0, node.value, oid, held.is_array, held.is_stored, node.cut)
    return KeyedValue(held.column, instead=UNKNOWN if what == UNKNOWN else MORE)


def _parameter_type(run: Run, node: ParameterUse) -> int:
    """As Parse declared it, or as the first of its uses that has a type gives it."""
    declared = list(run.declared)
    if node.number <= len(declared) and declared[node.number - 1] not in {0, 705}:
        return _known(declared[node.number - 1])
    found = (one.type_oid if one.type_oid > 0 else one.natural_oid for one in run.uses_of(node.number))
    oid = next((one for one in found if one), 0)
    return _known(oid)


def _own_type(node: Open | None) -> int:
    if isinstance(node, Literal):
        return _known(node.type_oid or node.number_oid)
    return 0 if node is None else _known(node.type_oid)


def _known(oid: int) -> int:
    return max(oid, 0)
