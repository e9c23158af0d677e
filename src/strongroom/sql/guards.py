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

from strongroom.errors import ConstructRefused
from strongroom.sql.lexer import Lexed
from strongroom.sql.run import Run
from strongroom.sql.schema import OWN_SCHEMA
from strongroom.sql.scope import quoted

_QUERIES = frozenset({"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})
_AFTER = {"PrepareStmt": b"as", "CreateTableAsStmt": b"as", "DeclareCursorStmt": b"for", "CopyStmt": b"("}
"""The token after which the query of a statement begins; it stands in no bracket but its own."""
_QUERY_WORDS = frozenset({b"select", b"insert", b"update", b"delete", b"merge", b"with", b"values", b"table"})


def guard_look_ups(run: Run, tag: str, start: int, end: int, named: Collection[int]) -> None:
    """Names the types of all keys by which the statement looks something up; ``named`` are its relations.

    Raises ``ConstructRefused`` for a kind of statement that has no place for it.
    """
    found = {node.protection for node in run.opens if node.protection is not None}
    types = sorted({one.looked_up_by for one in found if one.looked_up_by})
    if not types or tag == "ExecuteStmt":  # what it executes has the name
        return
    lexed = run.lexed
    at = _query(lexed, tag, bisect_left(lexed.starts, start), end)
    guard = ", ".join(_guard(run, number, name, named) for number, name in enumerate(types, 1))
    if lexed.word(at) == b"with":
        at += lexed.word(at + 1) == b"recursive"
        run.edit(lexed.ends[at], lexed.ends[at], f" {guard},")
    else:
        run.edit(lexed.starts[at], lexed.starts[at], f"WITH {guard} ")


def _guard(run: Run, number: int, type_: str, named: Collection[int]) -> str:
    """One expression: a table of the key, or where the text names only views, one of these; then the type."""
    protections = run.context.protections
    holding = {oid for oid, attnum in run.touches if protections[oid, attnum].looked_up_by == type_}
    oid = min(holding & set(named) or set(named) or holding)
    relation = run.context.schema.relations[oid]
    table = f"{quoted(relation.schema)}.{quoted(relation.name)}"
    query = f"SELECT NULL::{OWN_SCHEMA}.{type_} FROM {table}"  # noqa: S608 - a name of ours, and a quoted one
    return f'"strongroom guard {number}" AS ({query})'


def _query(lexed: Lexed, tag: str, first: int, end: int) -> int:
    """The token with which the statement's query begins."""
    if tag in _QUERIES:
        return first
    if tag == "ExplainStmt":
        return _explained(lexed, first, end)
    index = _outside(lexed, first, end, _AFTER.get(tag, b""))
    if index is None:
        raise _cannot()
    return index + 1


def _outside(lexed: Lexed, first: int, end: int, wanted: bytes) -> int | None:
    """The first token that is a word, or a sign, outside of brackets."""
    depth = 0
    for index in range(first, bisect_left(lexed.starts, end)):
        text = lexed.text(index)
        if depth == 0 and wanted in {lexed.word(index), text}:
            return index
        depth += (text == b"(") - (text == b")")
    return None


def _explained(lexed: Lexed, first: int, end: int) -> int:
    """Past EXPLAIN and its options (gram.y: ExplainStmt)."""
    index = first + 1
    if (
        lexed.text(index) == b"("
        and lexed.word(index + 1) not in _QUERY_WORDS
        and lexed.text(index + 1) != b"("
    ):
        while lexed.text(index) not in {b")", b""}:
            index += 1
        index += 1
    while lexed.word(index) in {b"analyze", b"analyse", b"verbose"}:
        index += 1
    for word, tag in ((b"declare", "DeclareCursorStmt"), (b"create", "CreateTableAsStmt")):
        if lexed.word(index) == word:
            return _query(lexed, tag, index, end)
    return index


def _cannot() -> ConstructRefused:
    return ConstructRefused(
        "a look-up in a deterministic column stands in a statement that has no place for naming its key",
        hint="SELECT, INSERT, UPDATE, DELETE and MERGE have, by themselves and in EXPLAIN, PREPARE, DECLARE,"
        " COPY and CREATE TABLE AS",
    )
