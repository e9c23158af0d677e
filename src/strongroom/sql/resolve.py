"""From a text to what it touches: the entrance of `sql/`.

`analyse` parses a text, asks of each statement whether it comes near a protected table (`caution.py`), and
if so resolves it to the last column: queries and changes in `queries.py` and `changes.py`, the rest in
`utility.py`. What comes near nothing is sent as it came. Called by `session/`, by way of a cache, and by
`explain.py`.
"""

from collections.abc import Sequence

from strongroom.errors import ConstructRefused, StatementTooComplex
from strongroom.sql import changes, sources
from strongroom.sql.caution import survey
from strongroom.sql.ground import Ground, ground_of
from strongroom.sql.meeting import plain, settled
from strongroom.sql.parse import Parsed, Statement, parse
from strongroom.sql.queries import QUERIES
from strongroom.sql.rewrite import joined, parameters, pieces, settle
from strongroom.sql.run import Run
from strongroom.sql.scope import Named
from strongroom.sql.statement import Analysis, Barrier, Context, Kind, Output, Piece, Resolved
from strongroom.sql.typenames import ARRAYS

_REGISTERED = (changes, sources)  # their treatments are registered by being imported
_KINDS = {
    "SelectStmt": Kind.SELECT,
    "InsertStmt": Kind.INSERT,
    "UpdateStmt": Kind.UPDATE,
    "DeleteStmt": Kind.DELETE,
    "MergeStmt": Kind.MERGE,
}


def analyse(text: str, declared: Sequence[int], context: Context) -> Analysis:
    """Says what a text means under `context`, with the parameter types that Parse declares (0: none).

    Raises subclasses of `Denied`, which name the construct, the column and the way out.
    """
    try:
        return _analyse(text, declared, context)
    except RecursionError as error:
        raise StatementTooComplex(
            "the statement is nested too deeply to be analysed", hint="split it into several"
        ) from error


def _analyse(text: str, declared: Sequence[int], context: Context) -> Analysis:
    ground = ground_of(context.schema, context.protections)
    parsed = parse(text)
    statements = [_statement(parsed, item, declared, ground, context) for item in parsed.statements]
    return Analysis(tuple(statements), _whole(parsed, statements))


def _whole(parsed: Parsed, statements: list[Resolved]) -> tuple[Piece, ...]:
    """The text with each statement in its place."""
    out: list[Piece] = []
    at = 0
    for item, resolved in zip(parsed.statements, statements, strict=True):
        out.extend((parsed.lexed.source[at : item.start].decode(), *resolved.pieces))
        at = item.end
    out.append(parsed.lexed.source[at:].decode())
    return joined(out)


def _statement(
    parsed: Parsed, item: Statement, declared: Sequence[int], ground: Ground, context: Context
) -> Resolved:
    found = survey(item.tag, item.body, ground, context)
    kind = _KINDS.get(item.tag, Kind.OTHER)
    if not found.near:
        text = parsed.lexed.source[item.start : item.end].decode()
        barrier = Barrier.NONE if item.tag in _KINDS else Barrier.CATALOG
        return Resolved(
            kind,
            (text,),
            relations=frozenset(found.relations),
            unknown=frozenset(found.unknown),
            barriers=barrier,
        )
    if item.tag not in _KINDS:
        raise ConstructRefused(f"{item.tag} cannot be analysed beside a protected table")
    run = Run(parsed.lexed, ground, context, context.search_path, declared)
    columns = QUERIES[item.tag](run, None, item.body)
    settle(run)
    sent = parameters(run)
    return Resolved(
        kind=kind,
        pieces=pieces(run, item.start, item.end),
        touched=True,
        parameters=sent,
        outputs=outputs(columns),
        touches=frozenset(run.touches),
        relations=frozenset(run.relations),
    )


def outputs(columns: list[Named]) -> tuple[Output, ...]:
    """What the client gets, column by column."""
    return tuple(_output(column) for column in columns)


def _output(column: Named) -> Output:
    value = settled(column.value)
    if value.fields is not None:
        plain(value, "a whole row as an output column")
    table_oid, attnum = value.origin
    if value.protection is None:
        return Output(column.name, table_oid, attnum)
    return Output(
        name=column.name,
        table_oid=table_oid,
        attnum=attnum,
        protection=value.protection,
        is_array=value.is_array,
        type_oid=ARRAYS.get(value.type_oid, 0) if value.is_array else value.type_oid,
        typmod=-1 if value.open or value.is_array else value.typmod,
    )
