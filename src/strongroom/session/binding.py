"""Parse and Bind of a statement near protected columns, as they go upstream.

The resolved text and its parameter types go into Parse; in Bind each upstream parameter takes its value from
the client's, sealed where the column is protected, and sealed results are asked for in binary. So they are
for a simple query of one SELECT too, which PostgreSQL would answer in text: bytea in hexadecimal is twice as
long (`read`).

Used by `guarded`; pure.
"""

from collections.abc import Sequence

from strongroom.errors import ParameterCount, UnsupportedInput
from strongroom.protect.batch import RowPlan
from strongroom.protect.forms import arrays
from strongroom.session import rows
from strongroom.session.guard import Guard
from strongroom.session.statements import Run
from strongroom.sql.statement import Analysis, Parameter, Resolved
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres import types


def resolved_parse(
    guard: Guard, parse: m.Parse, analysis: Analysis, resolved: Resolved | None, *, may_wait: bool
) -> bytes:
    """The Parse to send; literals are sealed here. Raises as `Guard.text` does."""
    parameters = None if resolved is None else resolved.parameters
    oids = parse.parameter_types
    if parameters is not None:
        oids = tuple(one.upstream_oid or _at(parse.parameter_types, one.client - 1) for one in parameters)
    return m.Parse(parse.name, guard.text(analysis.pieces, may_wait=may_wait), oids).serialise()


def sealed_bind(guard: Guard, resolved: Resolved, bind: m.Bind) -> tuple[Run, bytes]:
    """The Bind to send, and what opens its rows. Raises `InvalidValue` and `ParameterCount`."""
    guard.check_copy(resolved)
    values, formats = bind.values, tuple(bind.format(i) for i in range(len(bind.values)))
    if resolved.parameters is not None:
        values, formats = _sealed(guard, resolved.parameters, bind)
    run = Run((resolved,), formats=bind.result_formats, tenant=guard.tenant)
    result_formats = bind.result_formats
    if resolved.outputs is not None:
        result_formats = rows.upstream_formats(resolved.outputs, bind.result_formats)
        run.rows = guard.plan(resolved.outputs, result_formats, bind.result_formats)
    return run, m.Bind(bind.portal, bind.statement, formats, values, result_formats).serialise()


def read(resolved: Resolved, text: str) -> bytes:
    """A simple query as messages of the extended protocol, with sealed values asked for in binary.

    They leave behind what a simple query does: no unnamed statement, no unnamed portal (manual, "Extended
    Query").
    """
    formats = rows.upstream_formats(resolved.outputs or (), ())
    return m.Parse("", text).serialise() + m.Bind("", "", result_formats=formats).serialise() + _READ


def rows_read(guard: Guard, resolved: Resolved) -> RowPlan | None:
    """What opens the rows of `read`."""
    outputs = resolved.outputs or ()
    return guard.plan(outputs, rows.upstream_formats(outputs, ()), ())


def client_types(resolved: Resolved, upstream: Sequence[int]) -> tuple[int, ...]:
    """The types of the client's parameters, where upstream has its own numbering."""
    assert resolved.parameters is not None
    shown = dict.fromkeys(range(1, _wanted(resolved.parameters) + 1), 0)
    for one, oid in zip(resolved.parameters, upstream, strict=True):
        if one.literal is not None:
            continue  # the client knows nothing of it
        if one.protection is None and not one.type_oid:
            shown[one.client] = oid
        elif not shown[one.client]:
            shown[one.client] = one.type_oid
    return tuple(shown.values())


_PORTAL, _STATEMENT = m.Target("P", ""), m.Target("S", "")
_READ = _PORTAL.describe() + m.Execute("").serialise() + _PORTAL.close() + _STATEMENT.close() + m.SYNC


def _sealed(
    guard: Guard, parameters: Sequence[Parameter], bind: m.Bind
) -> tuple[tuple[bytes | None, ...], tuple[int, ...]]:
    if len(bind.values) != _wanted(parameters):
        raise ParameterCount(
            f"bind message supplies {len(bind.values)} parameters, "
            f"but the statement requires {_wanted(parameters)}"
        )
    values: list[bytes | None] = []
    formats: list[int] = []
    for one in parameters:
        value, code = bind.values[one.client - 1], bind.format(one.client - 1)
        if one.members:
            value, code = _gathered(one, bind)
        if one.withheld:
            value = None
        elif one.protection is not None:
            if one.literal is not None:
                value, code = one.literal.encode(), m.TEXT
            value, code = guard.seal(one, value, code, bind), m.BINARY
        values.append(value)
        formats.append(code)
    return tuple(values), tuple(formats)


def _gathered(parameter: Parameter, bind: m.Bind) -> tuple[bytes, int]:
    """The array that the client's parameters are the elements of, in their own format."""
    values = tuple(bind.values[number - 1] for number in parameter.members)
    codes = {bind.format(number - 1) for number in parameter.members if bind.values[number - 1] is not None}
    if len(codes) > 1:
        raise UnsupportedInput(
            "elements of a protected array come in text and in binary",
            hint="Bind them in one format, or pass the array as one parameter.",
        )
    array = arrays.Array(((len(values), 1),), values)
    if m.BINARY in codes:
        return arrays.send(array, types.ELEMENT_OF[parameter.type_oid]), m.BINARY
    return arrays.output(array), m.TEXT


def _wanted(parameters: Sequence[Parameter]) -> int:
    return max((one.client for one in parameters), default=0)


def _at(oids: Sequence[int], index: int) -> int:
    return oids[index] if index < len(oids) else 0
