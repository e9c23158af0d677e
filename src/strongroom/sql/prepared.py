"""PREPARE, EXECUTE and DEALLOCATE, DECLARE, FETCH and CLOSE: statements that mean what another said.

What a name means is in `Context.prepared` and `Context.cursors`, which the session keeps. Source: manual,
"PREPARE", "EXECUTE", "DECLARE", "FETCH".
"""

from collections.abc import Sequence
from contextlib import suppress

from strongroom.errors import (
    ArgumentCount,
    ConstructRefused,
    Denied,
    TenantUnclear,
    UndefinedCursor,
    UndefinedStatement,
    ValueComputed,
)
from strongroom.sql.access import Access
from strongroom.sql.expressions import expression
from strongroom.sql.keyed import executed, values
from strongroom.sql.meeting import plain, seal
from strongroom.sql.parse import Node
from strongroom.sql.rewrite import literal_hole, parameters
from strongroom.sql.run import Run
from strongroom.sql.scope import Scope
from strongroom.sql.statement import Barrier, KeyedValue, Kind, Parameter, Resolved
from strongroom.sql.task import Task, outputs, query
from strongroom.sql.typenames import NAMES, type_oid
from strongroom.sql.value import NO_TYPE, Literal, Value

_TYPE_NAMES = {oid: name for name, oid in NAMES.items()}


def prepare(task: Task) -> Resolved:
    """PREPARE name (types) AS statement."""
    name, types = task.body["name"], task.body.get("argtypes", [])
    if not task.near:
        defines = Resolved(Kind.OTHER, (), barriers=task.found.barriers)
        return task.untouched(Kind.PREPARE, Barrier.PREPARED, name=name, defines=defines, text=task.text)
    run = task.run()
    run.declared = [type_oid(item["TypeName"]) or NO_TYPE for item in types]
    columns = query(run, task.body["query"])
    given = outputs(run, columns)
    sent = parameters(run)
    _check_arguments(sent)
    _write_types(run, task, types, sent)
    defines = Resolved(
        Kind.OTHER,
        (),
        touched=True,
        parameters=sent,
        outputs=given,
        accesses=task.accesses(run),
        touches=frozenset(run.touches),
        relations=frozenset(run.relations),
        barriers=task.found.barriers,
        keyed=values(run),
    )
    return task.resolved(
        run, Kind.PREPARE, Barrier.PREPARED, sent=(), name=name, defines=defines, text=task.text
    )


def _check_arguments(parameters: Sequence[Parameter]) -> None:
    """Refuses arrays of parameters, and tenants that they name: what only Bind brings to us."""
    if any(parameter.tenant is not None and parameter.tenant.column_oid for parameter in parameters):
        raise TenantUnclear(
            "PREPARE and EXECUTE cannot seal for the tenant of a row",
            hint="Prepare the statement by the driver, or write it out.",
        )
    if any(parameter.withheld for parameter in parameters):
        raise ConstructRefused(
            "PREPARE and EXECUTE cannot make a protected array of parameters",
            hint="pass the array as one parameter",
        )


def _write_types(run: Run, task: Task, types: Sequence[Node], sent: Sequence[Parameter]) -> None:
    """Spells out the types that the parameters have upstream."""
    if not sent:
        return
    start = end = run.lexed.ends[run.lexed.at(_first(run, task)) + 1]
    if types:
        last = run.type_end(types[-1]["TypeName"].get("location", 0))
        end = run.lexed.source.index(b")", last) + 1
    texts = (_type_text(run, types, index, parameter) for index, parameter in enumerate(sent))
    run.edit(start, end, " (" + ", ".join(texts) + ")")


def _first(run: Run, task: Task) -> int:
    """Where the statement's first token begins."""
    return next(start for start in run.lexed.starts if start >= task.start)


def _type_text(run: Run, types: Sequence[Node], index: int, parameter: Parameter) -> str:
    if parameter.protection is not None:
        return "pg_catalog.bytea[]" if parameter.is_array else "pg_catalog.bytea"
    if index < len(types):
        start = types[index]["TypeName"].get("location", 0)
        return run.lexed.source[start : run.type_end(start)].decode()
    return "pg_catalog." + _TYPE_NAMES[parameter.type_oid] if parameter.type_oid in _TYPE_NAMES else "unknown"


def execute(task: Task) -> Resolved:
    """EXECUTE name (arguments)."""
    run = task.run()
    inner = arguments(run, task, task.body)
    if inner is None or not inner.touched:
        barriers, accesses = Barrier.NONE, frozenset[Access]()
        if inner is not None:
            barriers, accesses = inner.barriers, inner.accesses
        name = task.body["name"]
        return task.untouched(Kind.EXECUTE, barriers, name=name, accesses=accesses, context_free=False)
    run.touches |= inner.touches
    return task.resolved(
        run,
        Kind.EXECUTE,
        inner.barriers,
        outputs=inner.outputs,
        accesses=inner.accesses,
        keyed=held(task, task.body, inner),
        name=task.body["name"],
        context_free=False,
    )


def held(task: Task, body: Node, inner: Resolved) -> tuple[KeyedValue, ...]:
    """What an EXECUTE holds against keyed columns, by what it executes."""
    given = body.get("params", []) if inner.keyed else []
    return executed(inner.keyed, [_given(task, node) for node in given])


def _given(task: Task, node: Node) -> Value | None:
    with suppress(Denied):
        return expression(task.run(), Scope(), node)
    return None


def arguments(run: Run, task: Task, body: Node) -> Resolved | None:
    """Seals the arguments of an EXECUTE; what it executes, or None if nothing is protected."""
    inner = task.context.prepared.get(body["name"])
    if inner is None:
        if not task.ground.near:
            return None
        raise UndefinedStatement(f'prepared statement "{body["name"]}" does not exist')
    if not inner.touched or inner.parameters is None:
        return inner
    _check_arguments(inner.parameters)
    given = body.get("params", [])
    wanted = max((parameter.client for parameter in inner.parameters), default=0)
    if len(given) != wanted:
        raise ArgumentCount(
            f'wrong number of parameters for prepared statement "{body["name"]}"',
            hint=f"give {wanted}",
        )
    for index, parameter in enumerate(inner.parameters):
        if index < len(given):
            _argument(run, given[index], parameter)
        else:
            _repeated(run, task, given, parameter)
    return inner


def _argument(run: Run, node: Node, parameter: Parameter) -> None:
    value = expression(run, Scope(), node)
    protection = parameter.protection
    if protection is None:
        plain(value, "EXECUTE")
    elif value.open:
        _cut(value, parameter)
        seal(value, protection, compared=parameter.compared, is_array=parameter.is_array)
    elif not value.null:
        raise ValueComputed(
            f"a computed value would be given to the protected column {protection.column}",
            hint="write the argument of EXECUTE as a literal",
        )


def _repeated(run: Run, task: Task, given: Sequence[Node], parameter: Parameter) -> None:
    """A parameter that was split takes its argument's value once more, after the others."""
    node = given[parameter.client - 1]
    constant = node.get("A_Const")
    if constant is None:
        raise ConstructRefused(
            "an argument of EXECUTE that is used both sealed and not must be a literal",
            hint="pass the value as two parameters",
        )
    closing = max(start for start in run.lexed.starts if start < task.end)
    if constant.get("isnull"):
        run.edit(closing, closing, ", NULL")
        return
    start = constant.get("location", 0)
    end = run.literal_end(start)
    if parameter.protection is None:
        run.edit(closing, closing, ", ", run.lexed.source[start:end].decode())
        return
    again = task.run()
    value = expression(again, Scope(), node)
    _cut(value, parameter)
    seal(value, parameter.protection, compared=parameter.compared, is_array=parameter.is_array)
    literal = value.open[0][0]
    assert isinstance(literal, Literal)
    run.edit(closing, closing, ", ", literal_hole(again, literal))


def _cut(value: Value, parameter: Parameter) -> None:
    """What the prepared statement's own cast leaves of its argument."""
    for node, _ in value.open:
        node.cut = min(node.cut or parameter.cut, parameter.cut or node.cut)


def deallocate(task: Task) -> Resolved:
    """DEALLOCATE name, or ALL."""
    return task.untouched(Kind.DEALLOCATE, Barrier.PREPARED, name=task.body.get("name"))


def declare(task: Task) -> Resolved:
    """DECLARE name CURSOR FOR query, which may not change what later statements mean: FETCH runs it."""
    if task.found.barriers:
        raise ConstructRefused(
            "a cursor whose query changes settings cannot be analysed", hint="change them by SET"
        )
    name = task.body["portalname"]
    if not task.near:
        defines = Resolved(Kind.SELECT, ())
        return task.untouched(Kind.DECLARE, Barrier.CURSORS, name=name, defines=defines)
    run = task.run()
    given = outputs(run, query(run, task.body["query"]))
    defines = Resolved(
        Kind.SELECT,
        (),
        touched=True,
        outputs=given,
        accesses=task.accesses(run),
        touches=frozenset(run.touches),
        keyed=values(run),
    )
    return task.resolved(run, Kind.DECLARE, Barrier.CURSORS, name=name, defines=defines)


def fetch(task: Task) -> Resolved:
    """FETCH and MOVE."""
    name = task.body["portalname"]
    if name not in task.context.cursors:
        if task.ground.near:
            raise UndefinedCursor(f'cursor "{name}" does not exist')
        return task.untouched(Kind.FETCH, name=name)
    made = task.context.cursors[name]
    found = None if made is None or task.body.get("ismove") else made.outputs
    accesses = frozenset[Access]() if made is None else made.accesses
    touched = found is not None
    return task.untouched(
        Kind.FETCH,
        name=name,
        outputs=found,
        accesses=accesses,
        touched=touched,
        context_free=False,
        keyed=() if made is None else executed(made.keyed, []),
    )


def close(task: Task) -> Resolved:
    """CLOSE name, or ALL."""
    return task.untouched(Kind.CLOSE, Barrier.CURSORS, name=task.body.get("portalname"))
