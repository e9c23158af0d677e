"""The bounded parser."""

import pytest

from strongroom.errors import StatementTooComplex, SyntaxNotUnderstood
from strongroom.sql.parse import MAX_LENGTH, parse, strings, unpack


def test_statements_have_their_bytes() -> None:
    """Each statement of a text has its tag and the bytes where it stands, without the semicolon."""
    parsed = parse("select 'ü'; update t set a = 1 ;")
    spans = [(item.tag, parsed.lexed.source[item.start : item.end].decode()) for item in parsed.statements]
    assert spans == [("SelectStmt", "select 'ü'"), ("UpdateStmt", " update t set a = 1 ")]


def test_nothing_is_nothing() -> None:
    """An empty text has no statements."""
    assert parse(" ; -- nothing\n").statements == ()


def test_a_syntax_error_quotes_nothing() -> None:
    """The message has the position but no word of the text."""
    with pytest.raises(SyntaxNotUnderstood) as refused:
        parse("select 1 geheim geheim")
    assert "geheim" not in refused.value.message
    assert "17" in refused.value.message


@pytest.mark.parametrize("text", ["select '\ud800'", "select 1\0", "select 'a"])
def test_what_is_no_text(text: str) -> None:
    """Lone surrogates, zero bytes and open quotes are syntax errors."""
    with pytest.raises(SyntaxNotUnderstood):
        parse(text)


def test_length_is_bounded() -> None:
    """A text longer than the limit is not parsed."""
    with pytest.raises(StatementTooComplex):
        parse("select '" + "x" * MAX_LENGTH + "'")


@pytest.mark.parametrize(
    "text", ["select " + "-(" * 900 + "1" + ")" * 900, "select " + "not " * 900 + "true"]
)
def test_depth_is_bounded(text: str) -> None:
    """A text that nests too deeply is refused, before or after the parser."""
    with pytest.raises(StatementTooComplex):
        parse(text)


def test_long_lists_are_not_deep() -> None:
    """A thousand alternatives, rows or elements nest no deeper than one."""
    assert parse("select 1 where " + " or ".join("a = 1" for _ in range(1000))).statements
    assert parse("insert into t values " + ", ".join("(1, 'a')" for _ in range(5000))).statements


def test_short_texts_are_parsed_once() -> None:
    """The same text gives the same tree."""
    assert parse("select 17") is parse("select 17")


def test_nodes() -> None:
    """A node is its tag and body; a name is its parts."""
    assert unpack({"ParamRef": {"number": 1}}) == ("ParamRef", {"number": 1})
    assert strings([{"String": {"sval": "a"}}, {"String": {"sval": "b"}}]) == ("a", "b")
