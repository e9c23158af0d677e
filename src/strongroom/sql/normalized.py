"""A statement without its values: the text that an audit record keeps, and the fingerprint of its like.

The tokens of our own lexer are written anew: comments are gone, blanks are one, and each literal is ``$n``,
numbered on behind the statement's own parameters, as pg_stat_statements does. Runs of values are cut to one
(``IN ($1, ...)``), so that a statement has one text however many values it was given. Names and keywords
stay, names in double quotes too.

INVARIANT: no literal stays, whatever the statement. The lexer knows what is a string or a number without
knowing the statement, so nothing is forgotten in COPY, COMMENT, NOTIFY or CREATE TABLE, where libpg_query's
own normalize leaves literals, and its fingerprint depends on them. The tree says which words are values
beside those (true, null, what SET and options in brackets are given) and which sign belongs to a number. A
text that does not parse has no text here, and a fingerprint of the kinds of its tokens alone: nobody knows
which of its words are values.

docs/spec/audit-records.md is normative. Called once for a statement, where its plan is made; pure.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from strongroom.errors import ConstructRefused, Denied
from strongroom.sql.lexer import Lexed, Token, lex
from strongroom.sql.parse import MAX_LENGTH, Parsed, Statement, parse

MAX_TEXT = 4096
"""Characters of a text that are kept; people write shorter ones, and the fingerprint is of the whole."""
CUT = " ..."
FINGERPRINT_OCTETS = 16
"""Of a SHA-256: two shapes of the same fingerprint are not to be found by accident."""

_LITERALS = frozenset({Token.STRING, Token.NUMBER})
_GREATEST_PARAMETER = "$65535"
"""Bind counts its values in 16 bits; what is longer names none, and may be anything."""
_OPENING, _CLOSING = frozenset({"(", "["}), frozenset({")", "]"})
_ITEM_BEGINS, _ITEM_ENDS = _OPENING | {","}, _CLOSING | {","}
_ALIKE = "$"


@dataclass(frozen=True, slots=True)
class Normalized:
    """One statement of a text; ``text`` is empty where it does not parse."""

    text: str
    fingerprint: str


def normalized(text: str) -> tuple[Normalized, ...]:
    """Each statement of a text, in order; one without a text for what does not parse. Raises nothing."""
    try:
        parsed = parse(text)
    except Denied:
        return (unread(text),)
    return tuple(normalized_of(parsed, one) for one in parsed.statements)


def normalized_of(parsed: Parsed, statement: Statement) -> Normalized:
    """One statement of a text that was parsed before."""
    try:
        words = _squashed(tuple(_words(parsed.lexed, statement)))
    except ConstructRefused:
        return unread(parsed.lexed.source[statement.start : statement.end].decode())
    return Normalized(_written(words), _fingerprint(one.alike for one in words))


def unread(text: str) -> Normalized:
    """Of a text of which nothing may be kept."""
    return Normalized("", _fingerprint(("unread", *_kinds(text))))


class _Word(NamedTuple):
    """A token that stays, a value that does not (``text`` is empty), or the rest of a run of values."""

    text: str
    alike: str
    """The same for statements that differ in their values alone."""
    is_value: bool
    """Whether it may be otherwise the next time: parameters are values, too."""
    is_symbol: bool
    apart: bool
    """Whether a blank or a comment stands before it."""


_VALUES = tuple(_Word("", _ALIKE, is_value=True, is_symbol=False, apart=apart) for apart in (False, True))
_MORE = _Word(", ...", ", ...", is_value=False, is_symbol=True, apart=False)


# ---------------------------------------------------------------- taking values out


def _words(lexed: Lexed, statement: Statement) -> Iterator[_Word]:
    """The tokens of a statement, its values taken out; raises `ConstructRefused`."""
    constants, options = _places(statement.body)
    for place in constants:
        lexed.at(place)  # or parser and lexer disagree, and nothing may be kept
    starts, ends, kinds, source = lexed.starts, lexed.ends, lexed.kinds, lexed.source
    known: dict[tuple[bytes, bool], _Word] = {}  # a list of values has the same few tokens again and again
    at, last = bisect_left(starts, statement.start), bisect_left(starts, statement.end)
    while at < last:
        start, kind = starts[at], kinds[at]
        apart = at > 0 and start > ends[at - 1]
        is_number = kind is Token.PARAMETER and ends[at] - start > len(_GREATEST_PARAMETER)
        if start in constants or kind in _LITERALS or is_number:
            yield _VALUES[apart]
            at += 2 if _is_sign(lexed, at) else 1
            continue
        token = source[start : ends[at]], apart
        word = known.get(token)
        if word is None:
            word = known[token] = _word(token[0].decode(), kind, apart=apart)
        yield word
        at += 1
        if start in options and at > 1 and lexed.text(at - 2) in {b"(", b","}:
            end = _end_of_option(lexed, at, last)
            if end > at:
                yield _VALUES[True]
            at = end


def _word(text: str, kind: Token, *, apart: bool) -> _Word:
    if kind is Token.PARAMETER:
        return _Word(text, _ALIKE, is_value=True, is_symbol=False, apart=apart)
    alike = text.lower() if kind is Token.WORD else text
    return _Word(text, alike, is_value=False, is_symbol=kind is Token.SYMBOL, apart=apart)


def _places(body: Any) -> tuple[set[int], set[int]]:
    """The bytes at which the tree has a constant, and those at which it has an option."""
    constants: set[int] = set()
    options: set[int] = set()
    below: list[Any] = [body]
    while below:
        node = below.pop()
        if isinstance(node, list):
            below += node
        elif isinstance(node, dict):
            for tag, inner in node.items():
                if tag in {"A_Const", "DefElem"} and inner.get("location", -1) > 0:
                    (constants if tag == "A_Const" else options).add(inner["location"])
                if isinstance(inner, dict | list):
                    below.append(inner)
    return constants, options


def _is_sign(lexed: Lexed, at: int) -> bool:
    """Whether the constant that begins here is a number with its sign (gram.y: doNegate)."""
    return lexed.kinds[at] is Token.SYMBOL and lexed.kinds[at + 1 : at + 2] == (Token.NUMBER,)


def _end_of_option(lexed: Lexed, at: int, last: int) -> int:
    """The comma or bracket that ends the value of an option in brackets, which may be a bare word."""
    depth = 0
    while at < last:
        token = lexed.text(at)
        if depth == 0 and token in {b",", b")"}:
            break
        depth += (token == b"(") - (token == b")")
        at += 1
    return at


def _kinds(text: str) -> Iterator[str]:
    """What a text is made of, without a word of it."""
    try:
        source = text.encode()
        lexed = lex(source) if len(source) <= MAX_LENGTH else lex(b"")
    except (Denied, UnicodeEncodeError):
        return
    for index, kind in enumerate(lexed.kinds):
        yield lexed.text(index).decode(errors="replace") if kind is Token.SYMBOL else kind.name


# ---------------------------------------------------------------- runs of values


def _squashed(words: Sequence[_Word]) -> list[_Word]:
    """With ``, ...`` in place of the values, and rows of them, that follow one of their like in brackets."""
    kept: list[_Word] = []
    open_at: list[int] = []
    groups: dict[int, int] = {}  # of what is kept: where a bracket closes, and where that one opens
    for index, word in enumerate(words):
        if word.is_value and _is_item(words, index) and _follows_value(kept):
            kept.pop()  # the comma
            if kept[-1] is not _MORE:
                kept.append(_MORE)
            continue
        if word.text in _OPENING:
            open_at.append(len(kept))
        kept.append(word)
        if word.text in _CLOSING and open_at:
            begin = open_at.pop()
            if _repeats(kept, begin, groups):
                del kept[begin - 1 :]
                if kept[-1] is not _MORE:
                    kept.append(_MORE)
            else:
                groups[len(kept) - 1] = begin
    return kept


def _is_item(words: Sequence[_Word], index: int) -> bool:
    """Whether a value stands alone between brackets and commas."""
    if not 0 < index < len(words) - 1:
        return False
    return words[index - 1].text in _ITEM_BEGINS and words[index + 1].text in _ITEM_ENDS


def _follows_value(kept: Sequence[_Word]) -> bool:
    """Whether what is kept ends with a lone value, perhaps with more of them, and a comma."""
    if len(kept) < 3 or kept[-1].text != ",":
        return False
    return kept[-2] is _MORE or (kept[-2].is_value and kept[-3].text in _ITEM_BEGINS)


def _repeats(kept: Sequence[_Word], begin: int, groups: Mapping[int, int]) -> bool:
    """Whether the brackets that just closed hold what those before the comma do, values aside."""
    if begin < 2 or kept[begin - 1].text != ",":
        return False
    end = begin - 3 if kept[begin - 2] is _MORE else begin - 2
    if kept[end].text not in _CLOSING or end not in groups:
        return False
    before, now = kept[groups[end] : end + 1], kept[begin:]
    return any(one.is_value for one in now) and [one.alike for one in before] == [one.alike for one in now]


# ---------------------------------------------------------------- what is kept


def _written(words: Sequence[_Word]) -> str:
    """The text, its values numbered behind its parameters, and cut where it is too long."""
    number = max((int(one.text[1:]) for one in words if one.is_value and one.text), default=0)
    text: list[str] = []
    size, before = 0, _MORE
    for one in words:
        number += not one.text
        shown = one.text or f"${number}"
        if text and (one.apart or not (one.is_symbol or before.is_symbol)):
            shown = f" {shown}"
        size += len(shown)
        if size > MAX_TEXT:
            return "".join(text) + CUT
        text.append(shown)
        before = one
    return "".join(text)


def _fingerprint(words: Iterable[str]) -> str:
    """A hash of the shape: no word holds the zero byte that stands between them."""
    shape = "\0".join(words).encode()
    return hashlib.sha256(shape).digest()[:FINGERPRINT_OCTETS].hex()
