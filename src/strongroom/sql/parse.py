"""The bounded parser: a text becomes statements of plain dictionaries, as libpg_query names them.

Length and nesting are bounded before pgparse is called, because its recursion, and that of the JSON it
hands over, can blow. Trees of short texts are cached; they are shared, so nothing may change them. Called
by `resolve.py`, and by `ground.py` for the definitions of views.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pgparse

from strongroom.errors import StatementTooComplex, SyntaxNotUnderstood
from strongroom.sql.lexer import Lexed, bound, lex

MAX_LENGTH = 4 << 20  # bytes of one text; a multi-row INSERT of client-side literals is the longest seen
MAX_DEPTH = 1000  # of `Lexed.depth`; the tree of pgparse survives it on a stack of 1 MiB
CACHED_LENGTH = 1 << 14  # longer texts hardly come twice
CACHED_TEXTS = 512

Node = dict[str, Any]
"""A node of the tree: {tag: body}, or a body."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a text; `start` and `end` are bytes, without the semicolon."""

    tag: str
    body: Node
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Parsed:
    """A text with its tokens and statements."""

    lexed: Lexed
    statements: tuple[Statement, ...]


def parse(text: str) -> Parsed:
    """The statements of a text; raises `SyntaxNotUnderstood` or `StatementTooComplex`."""
    return _cached(text) if len(text) <= CACHED_LENGTH else _parse(text)


def unpack(node: Node) -> tuple[str, Node]:
    """Tag and body of a node."""
    ((tag, body),) = node.items()
    return tag, body


def strings(names: list[Node]) -> tuple[str, ...]:
    """The parts of a name that libpg_query gives as a list of String."""
    return tuple(name["String"]["sval"] for name in names)


def _parse(text: str) -> Parsed:
    try:
        source = text.encode()
    except UnicodeEncodeError as error:
        raise SyntaxNotUnderstood("the statement is not valid Unicode") from error
    if len(source) > MAX_LENGTH:
        raise StatementTooComplex(
            f"the statement is longer than {MAX_LENGTH} bytes", hint="send fewer rows at once, or use COPY"
        )
    if b"\0" in source:
        raise SyntaxNotUnderstood("the statement contains a zero byte")
    lexed = lex(source)
    bound(lexed, MAX_DEPTH)
    return Parsed(lexed, tuple(_statement(item, len(source)) for item in _tree(text)))


_cached = lru_cache(maxsize=CACHED_TEXTS)(_parse)


def _tree(text: str) -> list[Node]:
    try:
        tree: list[Node] = pgparse.parse(text)
    except pgparse.PGQueryError as error:  # its text quotes the client's, so only the position is passed on
        position = getattr(error, "position", 0)
        raise SyntaxNotUnderstood(
            f"syntax error at or near character {position}",
            hint="the grammar is that of PostgreSQL 17; newer syntax passes only away from protected tables,"
            " and where there are no roles",
        ) from None
    except RecursionError as error:
        raise StatementTooComplex(
            "the statement is nested too deeply to be analysed",
            hint="split it, or write long chains of operators as a list (IN, = ANY, VALUES)",
        ) from error
    return tree


def _statement(item: Node, size: int) -> Statement:
    tag, body = unpack(item["stmt"])
    start = item.get("stmt_location", 0)
    length = item.get("stmt_len", 0)  # 0: to the end of the text
    return Statement(tag, body, start, start + length if length else size)
