"""Whether a role gives no more than another, said without asking at single names."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.policy.naive import decide, looseness

from strongroom.policy.model import (
    TABLE_ACTIONS,
    Access,
    Action,
    Circumstances,
    DataClass,
    Mask,
    Resource,
    Subject,
)
from strongroom.policy.pattern import ANY, Part, Pattern, exact
from strongroom.policy.roles import REVEAL, ClassRule, ColumnRule, FunctionRule, Policy, Role, TableRule
from strongroom.stance.rules import tells_no_more, wider

NOW = Circumstances(datetime(2026, 1, 1, tzinfo=UTC))
SUBJECT = Subject("app", roles=frozenset({"one", "other"}))
PUBLIC = Pattern((("public",), ANY))
EMAIL = exact("public", "people", "email")


def found(before: Role, after: Role, *, masked: tuple[bool, bool] = (False, False)) -> list[str]:
    """What the later role gives more, as a person reads it."""
    return [
        f"{where}: {words}"
        for where, words in wider(before, after, mask_before=masked[0], mask_after=masked[1])
    ]


def role(*rules: TableRule | ColumnRule | FunctionRule, databases: str = "shop") -> Role:
    return Role(
        "one",
        frozenset(databases.split()),
        tuple(one for one in rules if isinstance(one, TableRule)),
        tuple(one for one in rules if isinstance(one, ColumnRule)),
        tuple(one for one in rules if isinstance(one, FunctionRule)),
    )


def table(about: Pattern, *actions: Action) -> TableRule:
    return TableRule(about, frozenset(actions))


SELECT, DELETE = Action.SELECT, Action.DELETE
LAST_4, LAST_9 = Mask("last", 4), Mask("last", 9)
PEOPLE = exact("public", "people")

CHANGES = {
    "an action": (role(table(PUBLIC, SELECT)), role(table(PUBLIC, SELECT, DELETE)), "gives delete now"),
    "a table": (role(), role(table(PEOPLE, SELECT)), "the rule is new"),
    "a database": (role(), role(databases="shop other"), "counts for other now"),
    "a mask": (
        role(ColumnRule(EMAIL, LAST_4)),
        role(ColumnRule(EMAIL, LAST_9)),
        "gives mask last where it gave mask last",
    ),
    "no mask": (role(ColumnRule(EMAIL, LAST_4)), role(ColumnRule(EMAIL, REVEAL)), "gives reveal"),
    "another mask": (
        role(ColumnRule(EMAIL, Mask("first", 9))),
        role(ColumnRule(EMAIL, LAST_4)),
        "gives mask last where it gave mask first",
    ),
    "a filter": (role(ColumnRule(EMAIL, LAST_4)), role(ColumnRule(EMAIL, LAST_4, filter=True)), "filter"),
    "to write": (role(ColumnRule(EMAIL, LAST_4)), role(ColumnRule(EMAIL, LAST_4, write=True)), "write"),
    "a function": (role(), role(FunctionRule(PUBLIC)), "public.* may be called now"),
    "no refusal": (
        role(TableRule(PEOPLE, nothing=True)),
        role(table(PEOPLE, SELECT)),
        "is not refused any more",
    ),
    "a refusal that is gone": (role(TableRule(PEOPLE, nothing=True)), role(), "the rule is gone"),
    "a rule that uncovers another": (
        role(table(PUBLIC, SELECT, DELETE), table(PEOPLE, SELECT)),
        role(table(PUBLIC, SELECT, DELETE)),
        "the rule is gone",
    ),
    "an exception to a refusal": (
        role(TableRule(PUBLIC, nothing=True)),
        role(TableRule(PUBLIC, nothing=True), table(PEOPLE)),
        "stands before one that refuses",
    ),
    "a class": (role(), role(ColumnRule(DataClass.SECRET, REVEAL)), "class:secret: the rule is new"),
}


@pytest.mark.parametrize(("before", "after", "words"), CHANGES.values(), ids=CHANGES)
def test_more_is_found_and_less_is_not(before: Role, after: Role, words: str) -> None:
    """Each change is found, the other way round it is not, but where a rule then gives what it stood for."""
    assert words in " ".join(found(before, after))
    both_ways = {"another mask"}
    if not any(CHANGES[name][:2] == (before, after) for name in both_ways):
        assert not found(after, before)


def test_a_refusal_in_fewer_databases() -> None:
    """A role that refuses refuses in all its databases."""
    wide = role(TableRule(PEOPLE, nothing=True), databases="shop other")
    assert found(wide, role(TableRule(PEOPLE, nothing=True))) == [
        "databases: refuses nothing in other any more"
    ]


def test_masks_of_what_is_not_declared() -> None:
    """With them a column is shown as a constant that was not shown at all; without them it is not."""
    assert found(role(), role(), masked=(False, True)) != []
    assert found(role(), role(), masked=(True, False)) == []


def test_a_star_in_a_name() -> None:
    """A rule for `cust*` may come beside one for `*`; one for `*` not beside that for `cust*`."""
    some = table(Pattern((("public",), ("cust", ""))), SELECT)
    assert not found(role(table(PUBLIC, SELECT)), role(table(PUBLIC, SELECT), some))
    assert found(role(some), role(some, table(PUBLIC, SELECT)))
    assert not found(role(some), role(table(exact("public", "customers"), SELECT)))


def test_ranges_of_numbers() -> None:
    """Those of 20 follow from those of 10, and those of 15 do not."""
    ten = Mask("number", 10)
    assert tells_no_more(Mask("number", 20), ten)
    assert not tells_no_more(Mask("number", 15), ten)
    assert tells_no_more(Mask("date", "year"), Mask("date", "month"))
    assert tells_no_more(Mask("null"), None) is False
    assert tells_no_more(Mask("constant"), LAST_4)


# ------------------------------------------------------------------------------------------ at random names

NAMES = ("a", "ab", "b", "")
PARTS: list[Part] = [("a",), ("ab",), ("b",), ANY, ("a", ""), ("", "b")]
MASKS = [None, REVEAL, Mask("null"), Mask("constant"), LAST_4, LAST_9, Mask("first", 2), Mask("number", 10)]
CLASSES = (ClassRule(Pattern((ANY, ANY, ("ab",))), DataClass.SECRET),)
part = st.sampled_from(PARTS)


def patterns(parts: int) -> st.SearchStrategy[Pattern]:
    return st.lists(part, min_size=parts, max_size=parts).map(lambda found: Pattern(tuple(found)))


actions = st.frozensets(st.sampled_from([Action.SELECT, Action.UPDATE, Action.DELETE]), max_size=3)
tables = st.builds(TableRule, patterns(2), actions) | st.builds(
    TableRule, patterns(2), nothing=st.just(value=True)
)
about = patterns(3) | st.just(DataClass.SECRET)
columns = st.builds(
    ColumnRule, about, st.sampled_from(MASKS), filter=st.booleans(), write=st.booleans()
) | st.builds(ColumnRule, about, nothing=st.just(value=True))
databases = st.sampled_from([frozenset({"shop"}), frozenset({"shop", "other"})])


@st.composite
def roles(draw: st.DrawFn) -> Role:
    """With few names, so that rules meet."""
    some = draw(st.lists(tables, max_size=3, unique_by=lambda rule: rule.about))
    others = draw(st.lists(columns, max_size=4, unique_by=lambda rule: rule.about))
    return Role("one", draw(databases), tuple(some), tuple(others))


def changes(before: Role, other: Role) -> Iterator[Role]:
    """A role, and others that differ in a rule: without it, with another one's, or with that in its place."""
    for rule in before.tables:
        rest = tuple(one for one in before.tables if one != rule)
        yield replace(before, tables=rest)
        yield from (replace(before, tables=(*rest, replace(one, about=rule.about))) for one in other.tables)
    for one in before.columns:
        others = tuple(rule for rule in before.columns if rule != one)
        yield replace(before, columns=others)
        for new in other.columns:
            yield replace(before, columns=(*others, replace(new, about=one.about)))
    abouts = {rule.about for rule in before.tables} | {rule.about for rule in before.columns}
    for rule in other.tables:
        if rule.about not in abouts:
            yield replace(before, tables=(*before.tables, rule))
    for one in other.columns:
        if one.about not in abouts:
            yield replace(before, columns=(*before.columns, one))
    yield replace(before, databases=other.databases)


ALL = Role(
    "other",
    frozenset({"shop", "other"}),
    (TableRule(Pattern((ANY, ANY)), frozenset(TABLE_ACTIONS)),),
    (ColumnRule(Pattern((ANY, ANY, ANY)), LAST_9, filter=True, write=True),),
)
"""What the one role refuses, this gives: so a refusal that is gone shows."""

QUESTIONS = [
    *(Access(one, Resource(where, *names)) for one in TABLE_ACTIONS for where in ("shop", "other")
      for names in product(("a", "ab"), NAMES)),
    *(Access(one, Resource("shop", "a", *names)) for one in (Action.MASK, Action.FILTER, Action.WRITE)
      for names in product(("a", "ab", "b"), ("a", "ab", "b"))),
]  # fmt: skip


def given_by(changing: Role, others: Role | None, *, masked: bool) -> list[tuple[int, int]]:
    """How much of each access is given: (-1, 0) is nothing, then the masks, then everything."""
    held = {one.name: one for one in (changing, others) if one is not None}
    policy = Policy(held, classes=CLASSES, mask_by_default=masked)
    answers = []
    for access in QUESTIONS:
        permitted, masks = decide(policy, SUBJECT, [access], NOW)
        answers.append(looseness(masks.get(access.resource, REVEAL)) if permitted else looseness(None))
    return answers


@settings(max_examples=40)  # each is a hundred changes
@given(roles(), roles(), roles(), st.tuples(st.booleans(), st.booleans()), st.booleans())
def test_where_nothing_is_found_no_name_is_given_more(
    before: Role, other: Role, third: Role, masked: tuple[bool, bool], beside: bool
) -> None:
    """Whatever one or two rules came, went or changed: who reads them one by one agrees."""
    others = ALL if beside else None
    was = given_by(before, others, masked=masked[0])
    once = list(changes(before, other))
    twice = [after for one in once for after in changes(one, third)]
    for after in [*once, *twice[:: len(twice) // 20 + 1]]:
        if not found(before, after, masked=masked):
            becomes = given_by(after, others, masked=masked[1])
            assert all(one <= other for one, other in zip(becomes, was, strict=True))


@given(roles(), st.booleans())
def test_a_role_gives_no_more_than_itself(one: Role, masked: bool) -> None:
    """Nothing is found where nothing changed."""
    assert not found(one, one, masked=(masked, masked))
