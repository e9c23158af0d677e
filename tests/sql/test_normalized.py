"""Statements without their values."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.sql.lexer import Token, lex
from strongroom.sql.normalized import CUT, MAX_TEXT, Normalized, normalized

CORPUS = Path(__file__).with_name("statements.txt")
TEXTS = [line[2:] for line in CORPUS.read_text(encoding="utf-8").splitlines() if line.startswith("> ")]

# Wherever PostgreSQL's grammar takes a string; libpg_query's own normalize leaves it in half of these.
STRINGS = [
    "select * from t where a = {}",
    "select * from t where a in ({}, {}) and b is not null",
    "insert into t (a, b) values ({}, now()), ({}, now())",
    "update t set a = {} where b like {}",
    "merge into t using s on t.a = s.a when matched then update set b = {}",
    "alter role r password {} valid until {}",
    "create user u password {}",
    "set a.b = {}",
    "set local a.b to {}, {}",
    "alter system set a.b = {}",
    "alter role r set a.b = {}",
    "copy t from {} with (delimiter {}, null {})",
    "copy t to program {}",
    "copy t from stdin null {}",
    "comment on table t is {}",
    "security label on table t is {}",
    "notify c, {}",
    "create table t (a text default {} check (a <> {}))",
    "create type e as enum ({}, {})",
    "alter type e add value {}",
    "do {}",
    "create function f() returns int language sql set a.b = {} as {}",
    "create subscription s connection {} publication p",
    "create server s foreign data wrapper w options (host {}, port {})",
    "create user mapping for u server s options (user {}, password {})",
    "prepare p as select {}",
    "execute p({})",
    "prepare transaction {}",
    "declare c cursor for select * from t where a = {}",
    "explain (analyze) select {}",
    "create view v as select {} as a",
    "call f({})",
    "listen c; select {}",
    "load {}",
    "select /* {} */ 1",
]
# Wherever it takes a bare word for a value.
WORDS = [
    "set a.b = {}",
    "set a.b to {}, {}",
    "alter role r set a.b to {}",
    "alter database d set a.b = {}",
    "copy t from stdin (format csv, null {})",
    "create table t (a int) with (x = {})",
    "create function f() returns int language sql set a.b = {} as 'select 1'",
]


def spelled(value: str) -> st.SearchStrategy[str]:
    """One value in each way of writing it."""
    points = "".join(f"\\{ord(one):04x}" for one in value)
    return st.sampled_from(
        [
            f"'{value}'",
            f"'x''{value}'",
            f"e'\\'{value}'",
            f"$$ {value} $$",
            f"$a$'{value}$a$",
            f"'{value}'\n'{value}'",
            f"U&'{points}{value}'",
        ]
    )


@st.composite
def said(draw: st.DrawFn) -> tuple[str, str]:
    """A value that no keyword looks like, and a spelling of it."""
    value = "zq" + draw(st.text("abcdefghij0123456789", min_size=4, max_size=12))
    return value, draw(spelled(value))


def only(text: str) -> Normalized:
    return normalized(text)[-1]


@pytest.mark.parametrize("template", STRINGS)
@settings(max_examples=30)
@given(data=st.data())
def test_no_value_stays(template: str, data: st.DataObject) -> None:
    """However and wherever a value is written, it is not in the text, nor does the fingerprint hang on it."""
    values = [data.draw(said()) for _ in range(template.count("{}"))]
    found = only(template.format(*(spelling for _, spelling in values)))
    plain = only(template.format(*["'a'"] * len(values)))
    assert found.text
    assert not [value for value, _ in values if value in found.text]
    assert found == plain


@pytest.mark.parametrize("template", WORDS)
@given(value=st.text("abcdefghij", min_size=4, max_size=12))
def test_no_bare_word_stays(template: str, value: str) -> None:
    """What SET and options in brackets are given may be a bare word."""
    value = f"zq{value}"
    found = only(template.format(*[value] * template.count("{}")))
    assert found.text
    assert value not in found.text
    assert found == only(template.format(*["zqzq"] * template.count("{}")))


@given(
    st.integers(10**6, 10**15),
    st.integers(0, 10**6),
    st.sampled_from(["{}", "-{}", "{}.{}", "{}e{}", "0x{}"]),
)
def test_no_number_stays(whole: int, part: int, form: str) -> None:
    """Numbers go with their sign, in any form."""
    number = form.format(whole, part)
    found = only(f"select * from t where a = {number} limit {whole}")
    assert found.text == "select * from t where a = $1 limit $2"


def test_a_number_that_is_no_parameter_does_not_stay() -> None:
    """What is longer than any parameter's number names none."""
    assert only(f"select $65535, ${'4111' * 2000}, $4111111111111111").text == "select $65535, $65536, $65537"


def test_truth_and_null_are_values() -> None:
    """Where they are values; IS NULL and NOT NULL are the statement's own."""
    found = only("update t set hiv = true, dead = null where a is not null and b is true")
    assert found.text == "update t set hiv = $1, dead = $2 where a is not null and b is true"


@pytest.mark.parametrize("text", TEXTS)
def test_nothing_that_the_lexer_calls_a_literal_stays(text: str) -> None:
    """Of a thousand statements no text has a string or number in it, and none is longer than is said."""
    for one in normalized(text):
        assert not {Token.STRING, Token.NUMBER} & set(lex(one.text.encode()).kinds)
        assert len(one.text) <= MAX_TEXT + len(CUT)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("select a, 'x' from t where b=$1 -- why", "select a, $2 from t where b=$1"),
        ("select'a'from/* x */t", "select $1 from t"),
        ("select a\n  from   t", "select a from t"),
        ("select a->>'b' from t where c ? 'd'", "select a->>$1 from t where c ? $2"),
        ('select "a\'b" as "C" from t', 'select "a\'b" as "C" from t'),
        ("select a from t where b in (1, 2, 3)", "select a from t where b in ($1, ...)"),
        ("select a from t where b in ($1, $2, 3)", "select a from t where b in ($1, ...)"),
        ("insert into t values (1, 'a'), (2, 'b'), (3, 'c')", "insert into t values ($1, ...), ..."),
        ("insert into t values (1, now()), (2, now())", "insert into t values ($1, now()), ..."),
        ("select f(a + 1, 2), (1) + 2", "select f(a + $1, $2), ($3) + $4"),
        (
            "select a from t group by grouping sets ((a), (a))",
            "select a from t group by grouping sets ((a), (a))",
        ),
    ],
)
def test_the_text(text: str, kept: str) -> None:
    """Comments are gone, blanks are one, and runs of values are cut to one."""
    assert only(text).text == kept


def test_a_fingerprint_is_of_a_shape() -> None:
    """Blanks, comments, the case of keywords, values and parameters do not matter; names and operators do."""
    same = {
        only(text).fingerprint
        for text in [
            "select a from t where b = 1",
            "SELECT a FROM t WHERE b=$1 -- x",
            "select A from t where b = 'x'",
        ]
    }
    others = {
        only(text).fingerprint for text in ["select a from t where c = 1", "select a from t where b > 1"]
    }
    assert len(same) == 1
    assert len(others) == 2
    assert not same & others


def test_several_statements_are_several() -> None:
    """Each statement of a text has a text and a fingerprint of its own."""
    assert [one.text for one in normalized("select 1; begin; ; select 'a' from t")] == [
        "select $1",
        "begin",
        "select $1 from t",
    ]


@pytest.mark.parametrize(
    "text", ["selec 'a' from t", "select 'a", "select 1a", "select \x00", "\ud800", "(" * 2000]
)
def test_what_does_not_parse_has_no_text(text: str) -> None:
    """Nobody knows which of its words are values."""
    (found,) = normalized(text)
    assert not found.text
    assert found.fingerprint


PIECES = [
    "select",
    "from t",
    "(",
    ")",
    "[",
    "]",
    ",",
    ";",
    "'a'",
    "1",
    "-",
    "$1",
    "null",
    '"q"',
    "--x\n",
    "/*",
    "*/",
    "$$",
]
PIECES += [
    "values",
    "in",
    "with (a = b)",
    "set a.b =",
    "copy t from stdin",
    "U&'x' uescape '!'",
    "e'\\'",
    "case",
    "é",
]


@settings(max_examples=500)
@given(st.text(max_size=40) | st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join))
def test_anything_has_texts_without_literals(text: str) -> None:
    """Whatever a client sends, nothing is raised, and no string or number stays."""
    for one in normalized(text):
        assert not {Token.STRING, Token.NUMBER} & set(lex(one.text.encode()).kinds)


def test_what_does_not_parse_has_the_fingerprint_of_its_kinds() -> None:
    """Two texts of like tokens are alike, whatever their words and values are."""
    assert normalized("selec 'a' from t") == normalized("hunter2 'b' of them")
    assert normalized("selec 'a' from t") != normalized("selec 'a', 'b' from t")


def test_a_long_text_is_cut() -> None:
    """Between two words; the fingerprint is of the whole."""
    text = "select " + ", ".join(f"column_{number}" for number in range(1000))
    longer = only(text + ", last from t")
    assert longer.text.startswith("select column_0, column_1")
    assert longer.text.endswith(CUT)
    assert len(longer.text) <= MAX_TEXT + len(CUT)
    assert longer.fingerprint != only(text + " from t").fingerprint


def test_one_long_word_is_cut_away() -> None:
    """A name may be as long as a statement."""
    assert only(f"select {'a' * MAX_TEXT} from t").text == f"select{CUT}"
