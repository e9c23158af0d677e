"""From what was decided to the text that is sent, and to the parameters that go with it.

Literals become holes, types of casts become bytea, and a parameter that is used both sealed and not is
split: the first use keeps its number, the others get numbers after the client's. Called by `resolve.py` and
`utility.py`.
"""

from strongroom.errors import Bug, ParameterTypeUnknown
from strongroom.sql.meeting import compare, seal, settled
from strongroom.sql.run import MAX_PARAMETERS, Run
from strongroom.sql.schema import Protection
from strongroom.sql.scope import quoted
from strongroom.sql.statement import Parameter, Piece, SealedLiteral
from strongroom.sql.tenants import bare, check_moves, is_of_bind, tenant_of
from strongroom.sql.typenames import ARRAYS, BYTEA, BYTEA_ARRAY, INTEGERS, TEXT, TEXTUAL, family
from strongroom.sql.value import NO_TYPE, Cast, Gathered, Literal, ParameterUse, Value

Group = tuple[object, ...]
"""What uses of one parameter have in common that can be sent as one; () for plain."""


def settle(run: Run) -> None:
    """Seals what belongs to something sealed, and what is only asked for NULL and sealed elsewhere."""
    _settle_links(run)
    for left, right, what in run.pairs:
        _settle_pair(run, left, right, what)
    _settle_links(run)
    for value in run.asked:
        _settle_asked(run, value)
    _settle_links(run)
    check_moves(run)


def _settle_pair(run: Run, left: Value, right: Value, what: str) -> None:
    """Two texts that are compared are sealed, if one is a parameter that is sealed for a column elsewhere.

    A randomized column has no equality: there the comparison stays as it was, in plaintext.
    """
    untouched = not any(node.protection or node.plain for value in (left, right) for node, _ in value.open)
    for value, other in ((left, right), (right, left)) if untouched else ():
        sealed = _sealed_elsewhere(run, value)
        protection = sealed.protection if sealed is not None and not sealed.is_array else None
        if protection is not None and protection.comparable and protection.type_oid in TEXTUAL:
            compare(seal(value, protection, compared=True), other, what)
            return
    compare(left, right, what)


def _settle_asked(run: Run, value: Value) -> None:
    """A parameter beside IS NULL goes as it goes elsewhere: sealed, NULL stays NULL, and nothing is shown."""
    node = value.open[0][0]
    sealed = None if node.protection is not None or node.plain else _sealed_elsewhere(run, value)
    if sealed is not None and sealed.protection is not None:
        seal(value, sealed.protection, compared=True, is_array=sealed.is_array)
        node.compared, node.cut = sealed.compared, sealed.cut


def _sealed_elsewhere(run: Run, value: Value) -> ParameterUse | None:
    """Another use, sealed, of the parameter that a value is."""
    node = value.open[0][0]
    if not isinstance(node, ParameterUse):
        return None
    uses = (use for use in run.opens if isinstance(use, ParameterUse) and use.number == node.number)
    return next((use for use in uses if use.protection is not None), None)


def _settle_links(run: Run) -> None:
    """Until nothing changes."""
    before = -1
    while before != (now := _decided(run)):
        before = now
        # A column of VALUES is one value that all nodes in it remember: once a round is enough.
        found = [value for node in run.opens if node.protection is not None for value in node.links]
        for value in {id(value): value for value in found}.values():
            settled(value)


def _decided(run: Run) -> int:
    """How much is decided: what is sealed stays so, and what is stored."""
    return sum((node.protection is not None) + (not node.compared) for node in run.opens)


def parameters(run: Run) -> tuple[Parameter, ...]:
    """The parameters to send upstream; edits the text where numbers change."""
    uses: dict[int, list[ParameterUse]] = {}
    for node in run.opens:
        if isinstance(node, ParameterUse):
            uses.setdefault(node.number, []).append(node)
    top = max(run.top, len(run.declared))
    sent: list[Parameter] = []
    more: list[Parameter] = []
    for number in range(1, top + 1):
        groups: dict[Group, list[ParameterUse]] = {}
        for use in uses.get(number, ()):
            groups.setdefault(_group(use), []).append(use)
        if any(use.gathered for use in uses.get(number, ())):
            sent.append(_withheld(run, number, uses[number]))
            continue
        shown = _shown_type(run, number, uses.get(number, []), groups)
        first, *others = groups.values() if groups else [[]]
        sent.append(_parameter(run, number, first, shown, split=bool(others)))
        for group in others:
            more.append(_parameter(run, number, group, shown, split=True))
            for use in group:
                run.edit(use.start, use.end, f"${top + len(more)}")
    for node in run.opens:
        if isinstance(node, Gathered) and node.protection is not None:
            more.append(_gathered(run, node, node.protection))
            run.edit(node.start, node.end, f"${top + len(more)}")
    for node in run.opens:
        if isinstance(node, Literal) and is_of_bind(run, node) and top + len(more) < MAX_PARAMETERS:
            more.append(_bound(run, node))
            run.edit(node.start, node.end, f"${top + len(more)}")
    return (*sent, *more)


def _bound(run: Run, node: Literal) -> Parameter:
    """A literal whose tenant only Bind names: it is sealed then."""
    node.bound = True
    hole = literal_hole(run, node)
    return Parameter(
        client=hole.tenant.client if hole.tenant is not None else 0,
        type_oid=hole.type_oid,
        upstream_oid=BYTEA_ARRAY if hole.is_array else BYTEA,
        protection=hole.protection,
        is_array=hole.is_array,
        compared=hole.compared,
        cut=hole.cut,
        tenant=hole.tenant,
        literal=hole.value,
    )


def _withheld(run: Run, number: int, uses: list[ParameterUse]) -> Parameter:
    """A parameter whose value goes upstream in a sealed array only; text, so that it has a type there."""
    if not all(use.gathered for use in uses):
        raise ParameterTypeUnknown(
            f"parameter ${number} is an element of a protected array, and used elsewhere",
            hint="pass the value twice, or the array as one parameter",
        )
    declared = run.declared[number - 1] if number <= len(run.declared) else 0
    own = uses[0].type_oid if uses[0].type_oid > 0 else uses[0].natural_oid
    return Parameter(number, declared if declared not in {0, 705} else own, TEXT, withheld=True)


def _gathered(run: Run, node: Gathered, protection: Protection) -> Parameter:
    return Parameter(
        client=node.uses[0].number,
        type_oid=node.type_oid,
        upstream_oid=BYTEA,
        protection=bare(protection),
        compared=node.compared,
        cut=node.cut,
        members=tuple(use.number for use in node.uses),
        tenant=tenant_of(run, node.uses[0], protection),
    )


def pieces(run: Run, start: int, end: int) -> tuple[Piece, ...]:
    """The text between two bytes, rewritten."""
    for node in run.opens:
        if node.protection is None:
            continue
        if node.label:
            run.edit(node.label_at, node.label_at, f" AS {quoted(node.label)}")
        if isinstance(node, Literal) and not node.bound:
            run.edit(node.start, node.end, literal_hole(run, node))
        elif isinstance(node, Cast):
            run.edit(node.start, node.end, "pg_catalog.bytea" + ("[]" if node.is_array else ""))
    out: list[Piece] = []
    at = start
    for edit in sorted(run.edits, key=lambda edit: (edit.start, edit.end)):
        if edit.start < at or edit.end > end:
            raise Bug("two changes of one statement overlap")
        out.extend((run.lexed.source[at : edit.start].decode(), *edit.pieces))
        at = edit.end
    out.append(run.lexed.source[at:end].decode())
    return joined(out)


def joined(items: list[Piece]) -> tuple[Piece, ...]:
    """Pieces with neighbouring texts made one."""
    out: list[Piece] = []
    for item in items:
        if isinstance(item, str) and out and isinstance(out[-1], str):
            out[-1] += item
        elif item != "":
            out.append(item)
    return tuple(out)


def literal_hole(run: Run, node: Literal) -> SealedLiteral:
    """The hole that a sealed literal leaves."""
    assert node.protection is not None
    return SealedLiteral(
        protection=bare(node.protection),
        value=node.value,
        type_oid=node.type_oid or node.number_oid or (0 if node.is_array else node.protection.type_oid),
        is_array=node.is_array,
        compared=node.compared,
        cut=node.cut,
        tenant=tenant_of(run, node),
    )


def _group(use: ParameterUse) -> Group:
    protection = use.protection
    if protection is None:
        return ()
    length = -1 if use.compared else protection.typmod
    alone = 0 if protection.comparable else use.start  # equal ciphertexts would show equal values
    return protection.keyset, family(protection), use.is_array, length, use.cut, alone


def _shown_type(
    run: Run, number: int, uses: list[ParameterUse], groups: dict[Group, list[ParameterUse]]
) -> int:
    """The type that the client sees for a parameter; 0 where PostgreSQL says it."""
    if number <= len(run.declared) and run.declared[number - 1] not in {0, 705}:
        return run.declared[number - 1]
    if set(groups) <= {()}:
        return 0
    types = [use.type_oid if use.type_oid > 0 else use.natural_oid for use in uses]
    known = [oid for oid in types if oid]  # in the order of resolution: the first gives the type
    if not known or known[0] != NO_TYPE or set(known) <= {NO_TYPE, *TEXTUAL}:  # functions prefer text
        known = [oid for oid in known if oid != NO_TYPE]
    sealed = next(use for use in uses if use.protection is not None)
    first = sealed.type_oid if sealed.type_oid > 0 else sealed.natural_oid
    if len(set(known)) <= 1 or set(known) <= TEXTUAL or set(known) <= INTEGERS:
        return known[0] if known else first
    if set(known) <= {ARRAYS[oid] for oid in TEXTUAL}:
        return first
    assert sealed.protection is not None
    raise ParameterTypeUnknown(
        f"parameter ${number} is used for the column {sealed.protection.column} and with another type",
        hint="cast each use to its type, or pass the value twice",
    )


def _parameter(run: Run, number: int, group: list[ParameterUse], shown: int, *, split: bool) -> Parameter:
    protection = group[0].protection if group else None
    declared = run.declared[number - 1] if number <= len(run.declared) else 0
    if protection is None:
        return Parameter(number, shown if split else 0, shown if split else declared)
    is_array = group[0].is_array
    return Parameter(
        client=number,
        type_oid=shown,
        upstream_oid=BYTEA_ARRAY if is_array else BYTEA,
        protection=bare(protection),
        is_array=is_array,
        compared=all(use.compared for use in group),
        cut=group[0].cut,
        tenant=tenant_of(run, group[0]),
    )
