"""Look-ups by a key that a deterministic column no longer has are errors, and never empty results.

A rotation gives such a column another key in one moment (``changeover/rotation.py``), and a session that has
not heard of it would look for values of the old one. So for each such key there is a type beside the data,
named after it, and a statement that looks anything up names the type, in a common table expression that
nothing refers to: PostgreSQL resolves what is in it and leaves it out of the plan. The type goes in the
transaction that swaps the column; from then on the statement is an error (42704), whichever session has it
prepared.

The expression reads from a table with such a column. INVARIANT: PostgreSQL resolves WITH before the rest,
and FROM before the select list (analyze.c, transformSelectStmt), so that it looks for the type when it has a
lock that the swap must wait for. Without the table a statement could find the type, wait for the swap to be
over, and look up by the old key in the new column.

Called by ``task.py`` when everything else of a statement is decided.
"""

from bisect import bisect_left
from collections.abc import Collection

from strongroom.errors import Bug, ConstructRefused
from strongroom.sql.lexer import Lexed
from strongroom.sql.run import Run
from strongroom.sql.schema import OWN_SCHEMA
from strongroom.sql.scope import quoted

_QUERIES = frozenset({"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})
_AFTER = {"PrepareStmt": b"as", "CreateTableAsStmt": b"as", "DeclareCursorStmt": b"for"}
"""The word after which the query of a statement begins; it stands in no bracket."""
_EXPLAINED = {b"declare": "DeclareCursorStmt", b"create": "CreateTableAsStmt", b"execute": "ExecuteStmt"}
_LOOKING = frozenset({b"select", b"table", b"with", b"on", b"returning"})
"""Without these words an INSERT has VALUES alone."""
_QUERY_WORDS = frozenset({b"select", b"insert", b"update", b"delete", b"merge", b"with", b"values", b"table"})


def guard_look_ups(run: Run, tag: str, start: int, end: int, named: Collection[int]) -> None:
    """Names the types of all keys by which the statement looks something up; ``named`` are its relations.

    Definitions (views, partial indexes) keep what they look up, and stand in the way of a rotation by name
    (``changeover/survey.py``); what EXECUTE executes has the name already.
    """
    found = {node.protection for node in run.opens if node.protection is not None}
    types = sorted({one.looked_up_by for one in found if one.looked_up_by})
    lexed = run.lexed
    at = _query(lexed, tag, bisect_left(lexed.starts, start), end) if types else None
    if at is None:
        return
    guard = ", ".join(_guard(run, number, name, named) for number, name in enumerate(types, 1))
    if lexed.word(at) == b"with":
        at += lexed.word(at + 1) == b"recursive"
        run.edit(lexed.ends[at], lexed.ends[at], f" {guard},")
    else:
        run.edit(lexed.starts[at], lexed.starts[at], f"WITH {guard} ")


def _guard(run: Run, number: int, type_: str, named: Collection[int]) -> str:
    """One expression: a table of the key, or where the text names only views, one of these; then the type."""
    protections = run.context.protections
    holding = {
        place[0]
        for place in run.touches  # a partition's column is its parent's
        if place in protections and protections[place].looked_up_by == type_
    }
    tables = holding & set(named) or set(named) or holding
    if not tables:
        raise ConstructRefused(
            "a look-up in a deterministic column names no table that it could be guarded by",
            hint="name the table in the statement itself",
        )
    relation = run.context.schema.relations[min(tables)]
    table = f"{quoted(relation.schema)}.{quoted(relation.name)}"
    query = f"SELECT NULL::{OWN_SCHEMA}.{type_} FROM {table}"  # noqa: S608 - a name of ours, and a quoted one
    return f'"strongroom guard {number}" AS ({query})'


def _query(lexed: Lexed, tag: str, first: int, end: int) -> int | None:
    """The token with which the statement's query begins; None where it has none of its own."""
    if tag in _QUERIES:
        words = {lexed.word(index) for index in range(first, bisect_left(lexed.starts, end))}
        # An INSERT of values alone looks nothing up, and its CHECK knows the key.
        return None if tag == "InsertStmt" and not words & _LOOKING else first
    if tag == "ExplainStmt":
        return _explained(lexed, first, end)
    if tag == "CopyStmt":
        return first + 2 if lexed.text(first + 1) == b"(" else None
    if tag not in _AFTER or lexed.word(first + 1) == b"materialized":
        return None
    at = _after(lexed, first, end, _AFTER[tag])
    return None if lexed.word(at) == b"execute" else at


def _after(lexed: Lexed, first: int, end: int, word: bytes) -> int:
    """The token after the first word of this kind that stands in no bracket."""
    depth = 0
    for index in range(first, bisect_left(lexed.starts, end)):
        if depth == 0 and lexed.word(index) == word:
            return index + 1
        depth += (lexed.text(index) == b"(") - (lexed.text(index) == b")")
    raise Bug("a statement has no query where its kind has one")


def _explained(lexed: Lexed, first: int, end: int) -> int | None:
    """Past EXPLAIN and its options (gram.y: ExplainStmt)."""
    index = first + 1
    inside = lexed.word(index + 1) in _QUERY_WORDS or lexed.text(index + 1) == b"("
    if lexed.text(index) == b"(" and not inside:
        while lexed.text(index) not in {b")", b""}:
            index += 1
        index += 1
    while lexed.word(index) in {b"analyze", b"analyse", b"verbose"}:
        index += 1
    explained = _EXPLAINED.get(lexed.word(index), "SelectStmt")
    return _query(lexed, explained, index, end)
