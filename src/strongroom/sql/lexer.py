"""Where tokens end: what pgparse does not say, and splicing needs.

The parser gives the byte at which a node begins, never where it ends. This lexer, after scan.l of
PostgreSQL and the manual's "Lexical Structure", finds the ends of tokens in UTF-8, so that a literal, a
name or a type can be replaced and the rest of the text stays as the client sent it. It also bounds how
deeply a text can nest, before the parser, which recurses, sees it. `standard_conforming_strings` is on, as
the gateway pins it.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property

from strongroom.errors import ConstructRefused, StatementTooComplex, SyntaxNotUnderstood


class Token(Enum):
    """What a token is."""

    WORD = auto()
    QUOTED = auto()  # "name", U&"name", U&"name" UESCAPE 'x'
    STRING = auto()  # 'x', E'x', U&'x', N'x', B'1', X'f', $$x$$; with its continuations on later lines
    PARAMETER = auto()
    NUMBER = auto()
    SYMBOL = auto()  # one byte of an operator or of punctuation


_SPACE = re.compile(rb"(?:[ \t\n\r\f\v]+|--[^\n\r]*)+")
_TOKEN = re.compile(
    rb"""
    (?P<string>[eE]'(?:[^'\\]|\\.|'')*'|(?:[uU]&|[nNbBxX])?'(?:[^']|'')*')
    |(?P<quoted>(?:[uU]&)?"(?:[^"]|"")*")
    |(?P<dollar>\$(?:[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)?\$)
    |(?P<parameter>\$[0-9]+)
    |(?P<word>[A-Za-z_\x80-\xff][A-Za-z0-9_$\x80-\xff]*)
    |(?P<number>0[xX][0-9A-Fa-f_]+|0[oO][0-7_]+|0[bB][01_]+
        |(?:[0-9][0-9_]*(?:\.(?!\.)[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9][0-9_]*)?)
    |(?P<symbol>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_KINDS = {
    "string": Token.STRING,
    "dollar": Token.STRING,
    "quoted": Token.QUOTED,
    "parameter": Token.PARAMETER,
    "word": Token.WORD,
    "number": Token.NUMBER,
    "symbol": Token.SYMBOL,
}
_MAY_BE_BLANK = frozenset(b" \t\n\r\f\v-/")  # the first bytes of white space and of comments
_MAY_CONTINUE = frozenset(b" \t\n\r\f\v-")
# A string goes on in another after white space that holds a newline (scan.l: quotecontinue).
_CONTINUED = re.compile(rb"(?:[ \t\f\v]|--[^\n\r]*)*[\n\r](?:[ \t\n\r\f\v]|--[^\n\r]*[\n\r])*'")
_UESCAPE = re.compile(rb"uescape(?![A-Za-z0-9_$\x80-\xff])", re.IGNORECASE)
_PLAIN_REST = re.compile(rb"(?:[^']|'')*'")
_ESCAPED_REST = re.compile(rb"(?:[^'\\]|\\.|'')*'", re.DOTALL)
_COMMENT_EDGE = re.compile(rb"/\*|\*/")
# Words that nest one expression in another without a bracket; those that nest until the end of the bracket;
# those that end a chain of operators, because they bind less tightly or are kept as a list (gram.y).
_CHAINING = frozenset(b"not is in like ilike similar between collate at".split())
_LASTING = frozenset(b"union intersect except join".split())
_ENDING = frozenset(b"and or when then else select from where on group order having limit set values".split())


@dataclass(frozen=True)
class Lexed:
    """The tokens of a text: parallel tuples, in order."""

    source: bytes
    kinds: tuple[Token, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def at(self, offset: int) -> int:
        """The index of the token that begins at a byte."""
        index = self._places.get(offset)
        if index is None:
            raise ConstructRefused("a construct without a place in the text cannot be analysed here")
        return index

    @cached_property
    def _places(self) -> dict[int, int]:
        return {start: index for index, start in enumerate(self.starts)}

    def text(self, index: int) -> bytes:
        """A token as written; empty past the end."""
        return self.source[self.starts[index] : self.ends[index]] if index < len(self.starts) else b""

    def word(self, index: int) -> bytes:
        """A token in lower case."""
        return self.text(index).lower()

    @cached_property
    def depth(self) -> int:
        """An upper bound of how deeply the parser's tree of this text can nest."""
        outer: list[tuple[int, int]] = []  # of each bracket, or CASE, that is open: chain, lasting
        base = chain = lasting = deepest = 0
        symbol, name, source = Token.SYMBOL, Token.WORD, self.source
        for kind, start, end in zip(self.kinds, self.starts, self.ends, strict=True):
            if kind is not symbol and kind is not name:
                continue
            word = source[start:end].lower()
            if word in {b"(", b"[", b"case"}:
                outer.append((chain, lasting))
                base, chain, lasting = base + chain + lasting + 1, 0, 0
            elif word in {b")", b"]", b"end"} and outer:
                chain, lasting = outer.pop()
                base -= chain + lasting + 1
                chain += word == b"]"  # a[1][2] nests
            elif word in _ENDING or word in {b",", b";"}:
                chain = 0
            elif word in _LASTING:
                lasting, chain = lasting + 1, 0
            elif kind is symbol or word in _CHAINING:
                chain += 1
            deepest = max(deepest, base + chain + lasting)
        return deepest


def lex(source: bytes) -> Lexed:
    """The tokens of a text in UTF-8; raises `SyntaxNotUnderstood` where one does not end."""
    kinds: list[Token] = []
    starts: list[int] = []
    ends: list[int] = []
    at, size, token = _blank(source, 0), len(source), _TOKEN.match
    while at < size:
        match = token(source, at)
        assert match is not None  # the last branch takes any byte
        name, end = match.lastgroup, match.end()
        assert name is not None
        if name == "dollar":
            end = _dollar_end(source, match)
        elif name == "string":
            if end < size and source[end] in _MAY_CONTINUE:
                end = _string_end(source, match)
        elif _is_torn(source, name, at, end):
            raise SyntaxNotUnderstood("a quoted string or name does not end")
        if source[at : at + 2] in {b"U&", b"u&"} and name in {"string", "quoted"}:
            end = _escape_end(source, end)
        kinds.append(_KINDS[name])
        starts.append(at)
        ends.append(end)
        # In a long list of values most tokens stand without a blank: they need no second look.
        at = _blank(source, end) if end < size and source[end] in _MAY_BE_BLANK else end
    return Lexed(source, tuple(kinds), tuple(starts), tuple(ends))


def _is_torn(source: bytes, name: str, at: int, end: int) -> bool:
    """Whether this is what is left of a quoted string or name that does not end."""
    if name == "symbol":
        return source[at] in b"'\""
    return name == "word" and end - at == 1 and source[at] in b"eE" and source[end : end + 1] == b"'"


def bound(lexed: Lexed, deepest: int) -> None:
    """Raises `StatementTooComplex` if the parser would nest deeper than `deepest`."""
    if lexed.depth > deepest:
        raise StatementTooComplex(
            "the statement is nested too deeply to be analysed",
            hint="split it, or write long chains of operators as a list (IN, = ANY, VALUES)",
        )


def _blank(source: bytes, at: int) -> int:
    """The first byte after white space and comments, which nest (manual, "Comments")."""
    while True:
        match = _SPACE.match(source, at)
        at = match.end() if match else at
        if source[at : at + 2] != b"/*":
            return at
        level = 0
        while True:
            edge = _COMMENT_EDGE.search(source, at)
            if edge is None:
                raise SyntaxNotUnderstood("a comment does not end")
            level += 1 if edge.group() == b"/*" else -1
            at = edge.end()
            if level == 0:
                break


def _escape_end(source: bytes, end: int) -> int:
    """Where a U& string or name ends, its UESCAPE included (parser.c: base_yylex)."""
    word = _UESCAPE.match(source, _blank(source, end))
    if word is None:
        return end
    match = _TOKEN.match(source, _blank(source, word.end()))
    return match.end() if match is not None and match.lastgroup == "string" else end


def _dollar_end(source: bytes, opening: re.Match[bytes]) -> int:
    end = source.find(opening.group(), opening.end())
    if end < 0:
        raise SyntaxNotUnderstood("a dollar-quoted string does not end")
    return end + len(opening.group())


def _string_end(source: bytes, match: re.Match[bytes]) -> int:
    rest = _ESCAPED_REST if match.group()[:1] in b"eE" else _PLAIN_REST
    end = match.end()
    while (continued := _CONTINUED.match(source, end)) is not None:
        more = rest.match(source, continued.end())
        if more is None:
            raise SyntaxNotUnderstood("a quoted string does not end")
        end = more.end()
    return end
