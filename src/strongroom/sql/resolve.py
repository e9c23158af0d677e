"""From a text to what it touches: the entrance of `sql/`.

`analyse` parses a text, asks of each statement whether it comes near a protected table (`caution.py`), and
if so resolves it to the last column: queries and changes in `queries.py` and `changes.py`, the rest in
`utility.py`. What comes near nothing is sent as it came. Called by `session/`, by way of a cache, and by
`explain.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from strongroom.errors import BarrierInBatch, StatementTooComplex, SyntaxNotUnderstood
from strongroom.sql import casts, changes, functions, operators, sources
from strongroom.sql.belongings import check_belongings
from strongroom.sql.caution import Survey, survey, text_is_harmless
from strongroom.sql.ground import Ground, ground_of
from strongroom.sql.normalized import normalized_of, unread
from strongroom.sql.noticing import ANYTHING, noticed, noticed_behind
from strongroom.sql.parse import Parsed, Statement, parse
from strongroom.sql.policed import policed
from strongroom.sql.rewrite import joined
from strongroom.sql.roles import check_logins
from strongroom.sql.statement import Analysis, Barrier, Context, Kind, Piece, Resolved
from strongroom.sql.task import Task
from strongroom.sql.utility import understand

REGISTERED = (casts, changes, functions, operators, sources)
"""Modules whose treatments are registered by being imported."""

_RENAMES = Barrier.CATALOG | Barrier.SEARCH_PATH | Barrier.ROLE
_CHANGES = _RENAMES | Barrier.STYLE


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


def after(context: Context, resolved: Resolved) -> Context:
    """The context of what follows in the session, as far as names of statements and cursors go."""
    if resolved.kind in {Kind.PREPARE, Kind.DEALLOCATE}:
        made = resolved.defines or Resolved(Kind.OTHER, ())
        return replace(context, prepared=_renamed(context.prepared, resolved, made))
    if resolved.kind in {Kind.DECLARE, Kind.CLOSE}:
        return replace(context, cursors=_renamed(context.cursors, resolved, resolved.defines))
    if resolved.kind is Kind.DISCARD and Barrier.PREPARED in resolved.barriers:
        return replace(context, prepared={}, cursors={})
    return context


Made = TypeVar("Made")


def _renamed(names: Mapping[str, Made], resolved: Resolved, made: Made) -> dict[str, Made]:
    """The names after a statement that defines one, or takes one or all away."""
    kept = {name: item for name, item in names.items() if resolved.name not in {None, name}}
    if resolved.name is not None and resolved.kind in {Kind.PREPARE, Kind.DECLARE}:
        kept[resolved.name] = made
    return kept


def _analyse(text: str, declared: Sequence[int], context: Context) -> Analysis:
    ground = ground_of(context.schema, context.protections)
    try:
        parsed = parse(text)
    except SyntaxNotUnderstood:
        # A policy must know what a statement does, wherever it does it.
        if not context.policed and (not ground.near or text_is_harmless(text, ground)):
            return _not_parsed(text, context)
        raise
    statements: list[Resolved] = []
    barriers = Barrier.NONE
    for item in parsed.statements:
        found = survey(item.tag, item.body, ground, context)
        check_belongings(item.tag, item.body, found, ground, context.search_path)
        check_logins(item.tag, item.body, context.logins)
        if barriers & _CHANGES:
            _check_after_barrier(item, found, ground, statements)
            _check_policed_after(found, context, barriers)
        task = Task(parsed, item.tag, item.body, item.start, item.end, declared, ground, context, found)
        resolved = policed(task) if context.policed else understand(task)
        if context.recorded:
            resolved = _recorded(task, replace(resolved, normalized=normalized_of(parsed, item)), barriers)
        statements.append(resolved)
        barriers |= resolved.barriers
        if item is not parsed.statements[-1]:
            context = after(context, resolved)
    return Analysis(tuple(statements), _whole(parsed, statements))


def _recorded(task: Task, resolved: Resolved, before: Barrier) -> Resolved:
    """With what a record says of it besides; where a policy asks, that is known."""
    if task.context.policed:
        return resolved
    return noticed_behind(task, resolved) if before & _RENAMES else noticed(task, resolved)


def _not_parsed(text: str, context: Context) -> Analysis:
    """SQL that is newer than the parser, or wrong: it names nothing near, so PostgreSQL may say."""
    shape = unread(text) if context.recorded else None
    noticed = ANYTHING if context.recorded else None
    resolved = Resolved(Kind.OTHER, (text,), barriers=~Barrier.NONE, normalized=shape, noticed=noticed)
    return Analysis((resolved,), (text,))


def _check_after_barrier(item: Statement, found: Survey, ground: Ground, before: list[Resolved]) -> None:
    """After a change of what names mean, in one text, only statements that name nothing near pass."""
    if item.tag in {"TransactionStmt", "VariableSetStmt", "VariableShowStmt"} or not ground.near:
        return
    changed_near = any(
        ground.near & resolved.relations for resolved in before if resolved.barriers & _RENAMES
    )
    names = {name.lower() for name in found.names}
    if changed_near or names & ground.near_names or found.near:
        raise BarrierInBatch(
            "a statement follows another in one text that changes what its names or values may mean",
            hint="send them as separate statements",
        )


def _check_policed_after(found: Survey, context: Context, barriers: Barrier) -> None:
    """What a policy is asked about must be what runs: names that change their meaning in one text may not."""
    if context.policed and barriers & _RENAMES and (found.names or found.functions or found.types):
        raise BarrierInBatch(
            "a statement follows another in one text that changes what its names may mean",
            hint="send them as separate statements",
        )


def _whole(parsed: Parsed, statements: list[Resolved]) -> tuple[Piece, ...]:
    """The text with each statement in its place."""
    out: list[Piece] = []
    at = 0
    for item, resolved in zip(parsed.statements, statements, strict=True):
        out.extend((parsed.lexed.source[at : item.start].decode(), *resolved.pieces))
        at = item.end
    out.append(parsed.lexed.source[at:].decode())
    return joined(out)
