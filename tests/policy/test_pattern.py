"""Names with stars in them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.policy.pattern import ANY, Part, Pattern, exact, part_matches

pieces = st.text("ab*.", max_size=2)
parts: st.SearchStrategy[Part] = st.lists(pieces, min_size=1, max_size=3).map(tuple)
names = st.text("ab*.", max_size=5)
patterns = st.tuples(parts, parts).map(Pattern)


@given(parts, names)
def test_a_part_matches_as_a_regular_expression_would(part: Part, name: str) -> None:
    """Each star stands for any characters, none included."""
    assert part_matches(part, name) is bool(re.fullmatch(".*".join(map(re.escape, part)), name))


@pytest.mark.parametrize(
    "other", ["cafe", "café", "CAFÉ", "cafe\u0301", "саfé", "café ", "café\u200b", "", "ｃafé"]
)
def test_names_are_compared_exactly(other: str) -> None:
    """Neither case, nor composition, nor likeness makes two names one."""
    assert exact("public", "café").matches(("public", other)) is (other == "café")


@given(patterns, patterns, st.tuples(names, names))
def test_what_meets(one: Pattern, other: Pattern, name: tuple[str, str]) -> None:
    """Patterns that match one name meet, either way."""
    if one.matches(name) and other.matches(name):
        assert one.meets(other)
        assert other.meets(one)


def test_what_cannot_meet() -> None:
    """Different names do not, nor different beginnings."""
    assert not exact("public", "a").meets(exact("public", "b"))
    assert not Pattern((("a", ""), ANY)).meets(Pattern((("b", ""), ANY)))


def test_only_stars_match_what_is_not_there() -> None:
    """A schema has no table: the pattern of all its tables speaks of it, that of some does not."""
    assert Pattern((("public",), ANY)).matches(("public", ""))
    assert not Pattern((("public",), ("a", ""))).matches(("public", ""))


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (exact("public", "customers"), "public.customers"),
        (exact("public", "Customers"), 'public."Customers"'),
        (exact("a.b", 'c"d'), '"a.b"."c""d"'),
        (exact("public", "a*"), 'public."a*"'),
        (exact("public", "1a"), 'public."1a"'),
        (Pattern((("public",), ("cust", ""))), "public.cust*"),
        (Pattern((ANY, ANY)), "*"),
        (Pattern((ANY, ("id",))), "*.id"),
    ],
)
def test_how_it_is_written(pattern: Pattern, text: str) -> None:
    """As in the configuration, in quotes where it needs them."""
    assert str(pattern) == text


@given(st.tuples(names, names), st.tuples(names, names))
def test_full_names_are_told_apart(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Two names are never written the same: compiled policies look them up by that."""
    assert (str(exact(*one)) == str(exact(*other))) is (one == other)
