"""COPY of a protected table: which columns its stream has, and how it is written. Source: manual, "COPY"."""

from strongroom.errors import ConstructRefused, TenantUnclear
from strongroom.policy.model import Action
from strongroom.sql.caution import check_triggers
from strongroom.sql.expressions import condition
from strongroom.sql.keyed import streams
from strongroom.sql.parse import Node, strings
from strongroom.sql.run import Run, only
from strongroom.sql.schema import Column, Relation, Row
from strongroom.sql.scope import Named, Scope, Source, quoted
from strongroom.sql.settings import is_utf8
from strongroom.sql.sources import column_value, find
from strongroom.sql.statement import Copy, CopyColumn, Kind, Resolved, Tenant
from strongroom.sql.task import Task, outputs, query
from strongroom.sql.tenants import check_naming, row_of

_LISTS = frozenset({"force_quote", "force_null", "force_not_null"})


def copy(task: Task) -> Resolved:
    """COPY in either direction."""
    body = task.body
    kind = Kind.COPY_IN if body.get("is_from") else Kind.COPY_OUT
    if not task.near:
        return task.untouched(kind)
    only(
        "COPY",
        body,
        "relation",
        "query",
        "attlist",
        "is_from",
        "is_program",
        "filename",
        "options",
        "whereClause",
    )
    if body.get("filename") or body.get("is_program"):
        raise ConstructRefused(
            "COPY with a file or program of the server would carry sealed values", hint="use STDIN or STDOUT"
        )
    run = task.run()
    columns = _query_columns(run, body) if "query" in body else _table_columns(run, body)
    return task.resolved(run, kind, copy=_written(body, columns))


def _query_columns(run: Run, body: Node) -> tuple[CopyColumn, ...]:
    columns = query(run, body["query"])
    for column in columns:
        run.uses.reveal(column.value)  # a stream is not masked
    for action, schema, name in tuple(run.uses.relations):
        if action is Action.SELECT:
            run.uses.on(Action.COPY, (schema, name))
    found = outputs(run, columns)
    if any(output.is_array for output in found):
        raise ConstructRefused("COPY of an array of protected values cannot be analysed", hint="use a SELECT")
    if any(output.printed for output in found):
        raise ConstructRefused(
            "COPY of a protected value cast to text cannot be analysed", hint="copy the column itself"
        )
    return tuple(
        CopyColumn(output.name, output.protection, output.type_oid, output.typmod) for output in found
    )


def _table_columns(run: Run, body: Node) -> tuple[CopyColumn, ...]:
    relation = find(run, body["relation"])
    if not isinstance(relation, Relation) or relation.kind not in {"r", "p", "f"}:
        raise ConstructRefused(
            "COPY of something that is no table cannot be analysed", hint="COPY (SELECT ...) TO"
        )
    if relation.oid in run.ground.near and relation.rules:
        raise ConstructRefused(f'"{relation.name}" has rules, so what would be changed is not certain')
    if body.get("is_from"):
        check_triggers(relation, run.ground, run.context)
    columns = _listed(relation, strings(body.get("attlist", [])))
    if "attlist" not in body:
        end = run.name_end(body["relation"].get("location", 0))
        run.edit(end, end, " (" + ", ".join(quoted(column.name) for column in columns) + ")")
    seen = [Named(column.name, column_value(run, relation, column)) for column in relation.columns]
    condition(run, Scope(None, Source([], seen)), body.get("whereClause"))
    streamed = run.uses.written if body.get("is_from") else run.uses.revealed
    streamed.update((relation.oid, column.attnum) for column in columns)
    run.uses.on(Action.INSERT if body.get("is_from") else Action.SELECT, relation)
    run.uses.on(Action.COPY, relation)
    if body.get("is_from"):
        streams(run, ((relation.oid, column.attnum) for column in columns))
    else:
        return tuple(_copied(run, relation, column, None) for column in columns)
    check_naming(run, relation)
    tenant = _tenant(row_of(run, relation), columns)
    return tuple(_copied(run, relation, column, tenant) for column in columns)


def _listed(relation: Relation, names: tuple[str, ...]) -> list[Column]:
    """The columns of a stream; without a list, all but generated ones."""
    if not names:
        return [column for column in relation.ordered() if not column.generated]
    by_name = {column.name: column for column in relation.columns}
    if not set(names) <= set(by_name):
        raise ConstructRefused(f'COPY names a column that "{relation.name}" does not have')
    return [by_name[name] for name in names]


def _tenant(row: Row | None, columns: list[Column]) -> Tenant:
    """What names the tenants of the rows of COPY FROM: a column of the stream, or else the session."""
    if row is None:
        return Tenant()
    place = next((place for place, column in enumerate(columns, 1) if column.name == row.column), 0)
    if not place:
        raise TenantUnclear(
            f"the stream of COPY has no column {row.column}, which says by whose keys its values are sealed",
            hint="Copy that column, too.",
        )
    return Tenant(row.type_oid, place)


def _copied(run: Run, relation: Relation, column: Column, tenant: Tenant | None) -> CopyColumn:
    protection = run.ground.protection(relation, column)
    if protection is None:
        return CopyColumn(column.name, None, column.type_oid, column.typmod)
    whose = tenant if protection.tenant and tenant is not None else None
    return CopyColumn(column.name, protection, protection.type_oid, protection.typmod, whose)


def _written(body: Node, columns: tuple[CopyColumn, ...]) -> Copy:
    """The options of COPY; one that is not known is refused."""
    given: dict[str, str | bool | tuple[str, ...]] = {}
    for item in body.get("options", ()):
        option = item["DefElem"]
        given[option["defname"]] = _value(option)
    _check_options(given)
    csv = given.get("format", "text") == "csv"
    quote = str(given.get("quote", '"'))
    return Copy(
        columns=columns,
        format=str(given.get("format", "text")),
        delimiter=str(given.get("delimiter", "," if csv else "\t")),
        null=str(given.get("null", "" if csv else "\\N")),
        header=given.get("header", False) not in {False, "false", "off", "0", "no"},
        quote=quote,
        escape=str(given.get("escape", quote)),
        **{name: _names(given.get(name, ())) for name in _LISTS},
    )


def _check_options(given: dict[str, str | bool | tuple[str, ...]]) -> None:
    known = {"format", "delimiter", "null", "header", "quote", "escape", "encoding", "freeze", *_LISTS}
    unknown = sorted(set(given) - known)
    if unknown:
        raise ConstructRefused(f"COPY with {unknown[0]} cannot be analysed beside a protected table")
    if not is_utf8(str(given.get("encoding", "UTF8"))):
        raise ConstructRefused(
            "COPY in another encoding than UTF8 cannot be sealed", hint="use ENCODING 'UTF8'"
        )


def _value(option: Node) -> str | bool | tuple[str, ...]:
    argument = option.get("arg")
    if argument is None:
        return True
    if "List" in argument:
        return strings(argument["List"]["items"])
    if "A_Star" in argument:
        return ("*",)
    if "Boolean" in argument:
        return bool(argument["Boolean"].get("boolval", False))
    if "Integer" in argument:
        return str(argument["Integer"].get("ival", 0))
    return str(argument["String"]["sval"])


def _names(value: str | bool | tuple[str, ...]) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()
