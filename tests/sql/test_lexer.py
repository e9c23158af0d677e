"""Tokens: where they begin and end, and how deeply a text can nest."""

import pgparse
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import ConstructRefused, StatementTooComplex, SyntaxNotUnderstood
from strongroom.sql.lexer import Token, bound, lex


def tokens(text: str) -> list[str]:
    lexed = lex(text.encode())
    return [lexed.text(index).decode() for index in range(len(lexed.starts))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select 1", ["select", "1"]),
        ("a.b.c", ["a", ".", "b", ".", "c"]),
        ("'it''s' x", ["'it''s'", "x"]),
        ("'a\\' b", ["'a\\'", "b"]),
        ("E'a\\'b' c", ["E'a\\'b'", "c"]),
        ("e'\\\\' c", ["e'\\\\'", "c"]),
        ("'a'\n  'b' 'c'", ["'a'\n  'b'", "'c'"]),
        ("'a' -- note\n 'b'", ["'a' -- note\n 'b'"]),
        ("E'a'\n'\\'' c", ["E'a'\n'\\''", "c"]),
        ("$$ ' $$ x", ["$$ ' $$", "x"]),
        ("$a$ $$ $a$ x", ["$a$ $$ $a$", "x"]),
        ("$1::text", ["$1", ":", ":", "text"]),
        ("a$1", ["a$1"]),
        ('"a""b" U&"x"', ['"a""b"', 'U&"x"']),
        ("B'1' x'f' n'a' u&'b'", ["B'1'", "x'f'", "n'a'", "u&'b'"]),
        ("U&'d!61' UESCAPE '!' x", ["U&'d!61' UESCAPE '!'", "x"]),
        ("u&\"d!61\"/**/uescape\n'!', u&'b'", ["u&\"d!61\"/**/uescape\n'!'", ",", "u&'b'"]),
        ("u&'b' uescapes u&'b' uescape", ["u&'b'", "uescapes", "u&'b'", "uescape"]),
        ("1.5e-10 .5 1_000 0xFF 1..2", ["1.5e-10", ".5", "1_000", "0xFF", "1", ".", ".2"]),
        ("a--b\nc", ["a", "c"]),
        ("a/* /* */ ' */b", ["a", "b"]),
        ("a-/**/-b", ["a", "-", "-", "b"]),
        ("'ü' ö", ["'ü'", "ö"]),
        ("", []),
        (" -- nothing", []),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    """A text is cut as PostgreSQL cuts it."""
    assert tokens(text) == expected


@pytest.mark.parametrize("text", ["'a", "E'a\\'", '"a', "$$ a", "$a$ $b$", "/* /* */", "'a'\n'b"])
def test_what_does_not_end(text: str) -> None:
    """A token that does not end is refused."""
    with pytest.raises(SyntaxNotUnderstood):
        lex(text.encode())


def test_kinds() -> None:
    """Each token has its kind."""
    kinds = lex(b"a \"b\" 'c' $1 2 +").kinds
    assert kinds == (
        Token.WORD, Token.QUOTED, Token.STRING, Token.PARAMETER, Token.NUMBER, Token.SYMBOL,
    )  # fmt: skip


def test_at_finds_only_beginnings() -> None:
    """A byte inside a token is no token's beginning."""
    lexed = lex(b"ab cd")
    assert lexed.text(lexed.at(3)) == b"cd"
    for offset in (1, 2, 4, 99):
        with pytest.raises(ConstructRefused):
            lexed.at(offset)


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        ("((1))", 2),
        ("(1), (2), (3)", 1),
        ("a = 1 and b = 2 and c = 3", 1),
        ("not not true", 2),
        ("case when case when a then 1 end then 2 end", 2),
        ("select 1 union select 2 union select 3", 2),
        ("a[1][2]", 2),
        ("f(g(h(1)))", 3),
    ],
)
def test_depth(text: str, depth: int) -> None:
    """Brackets, prefixes and chains nest; lists and AND do not."""
    assert lex(text.encode()).depth == depth


def test_bound_refuses_what_is_deeper() -> None:
    """Exactly the bound passes."""
    bound(lex(b"((1))"), 2)
    with pytest.raises(StatementTooComplex):
        bound(lex(b"(((1)))"), 2)


@given(st.text(max_size=60))
def test_tokens_cover_the_text(text: str) -> None:
    """Tokens are in order, do not overlap, and hold every byte that is neither blank nor comment."""
    try:
        lexed = lex(text.encode())
    except SyntaxNotUnderstood:
        return
    at = 0
    for start, end in zip(lexed.starts, lexed.ends, strict=True):
        assert at <= start < end
        between = lexed.source[at:start]
        assert not between.strip(b" \t\n\r\f\v") or b"--" in between or b"/*" in between
        at = end


LITERALS = st.one_of(
    st.text("a'\\ \n$", max_size=6).map(lambda text: "'" + text.replace("'", "''") + "'"),
    st.text("a'\\ \n", max_size=6).map(
        lambda text: "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    ),
    st.text("a' \n", max_size=6).map(lambda text: f"$q${text}$q$"),
    st.integers(0, 10**12).map(str),
)


@given(st.lists(LITERALS, min_size=1, max_size=4))
def test_literals_end_where_the_parser_begins_the_next(literals: list[str]) -> None:
    """The lexer's ends agree with the places that the parser gives."""
    text = "select " + ",".join(literals)
    (statement,) = pgparse.parse(text)
    lexed = lex(text.encode())
    for target, literal in zip(statement["stmt"]["SelectStmt"]["targetList"], literals, strict=True):
        start = target["ResTarget"]["val"]["A_Const"]["location"]
        assert lexed.text(lexed.at(start)).decode() == literal
