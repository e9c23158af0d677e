"""Decisions: compiled ones against naive ones, and each rule of the specification by itself."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.policy import naive

from strongroom.policy.authorizer import Authorizer
from strongroom.policy.conditions import Conditions
from strongroom.policy.model import (
    COLUMN_ACTIONS,
    PERMIT,
    TABLE_ACTIONS,
    Access,
    Action,
    Circumstances,
    DataClass,
    Mask,
    Resource,
    Subject,
)
from strongroom.policy.pattern import ANY, Part, Pattern
from strongroom.policy.roles import REVEAL, ClassRule, ColumnRule, FunctionRule, Policy, Role, TableRule

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
USUAL = Circumstances(NOW)
LONG_AGO = Conditions(second_factor=timedelta(minutes=15))

# Few, so that rules and requests meet; some look alike, or mean something to a pattern or to Cedar.
NAMES = ["a", "ab", "abc", "A", "a.b", "a*", 'a"', "é", "e\u0301", "\\", "а"]
names = st.sampled_from(NAMES)
parts: st.SearchStrategy[Part] = st.one_of(
    names.map(lambda name: (name,)),
    st.just(ANY),
    st.lists(st.sampled_from(["", "a", "b", "*", "."]), min_size=2, max_size=3).map(tuple),
)
masks = st.sampled_from(
    [REVEAL, None, Mask("last", 4), Mask("last", 2), Mask("email"), Mask("constant"), Mask("number", 10)]
)
classes = st.sampled_from(list(DataClass))
databases = st.sampled_from(["shop", "other"])


def patterns(length: int) -> st.SearchStrategy[Pattern]:
    return st.tuples(*[parts] * length).map(Pattern)


@st.composite
def roles(draw: st.DrawFn, name: str, others: Sequence[str]) -> Role:
    tables = draw(
        st.lists(
            st.builds(
                TableRule,
                patterns(2),
                st.frozensets(st.sampled_from(TABLE_ACTIONS)),
                place=st.uuids().map(str),
            )
            | st.builds(TableRule, patterns(2), nothing=st.just(value=True), place=st.uuids().map(str)),
            max_size=4,
        )
    )
    columns = draw(
        st.lists(
            st.builds(
                ColumnRule,
                st.one_of(patterns(3), classes),
                masks,
                st.booleans(),
                st.booleans(),
                place=st.uuids().map(str),
            )
            | st.builds(
                ColumnRule,
                st.one_of(patterns(3), classes),
                nothing=st.just(value=True),
                place=st.uuids().map(str),
            ),
            max_size=5,
        )
    )
    functions = draw(st.lists(st.builds(FunctionRule, patterns(2), st.uuids().map(str)), max_size=2))
    return Role(
        name,
        draw(st.frozensets(databases, min_size=1)),
        tuple(tables),
        tuple(columns),
        tuple(functions),
        draw(st.sampled_from([Conditions(), Conditions(), LONG_AGO, Conditions(certificate=True)])),
        includes=tuple(draw(st.lists(st.sampled_from(others), max_size=1))) if others else (),
    )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    made: dict[str, Role] = {}
    for number in range(draw(st.integers(1, 3))):
        made[f"r{number}"] = draw(roles(f"r{number}", sorted(made)))
    given_classes = st.builds(ClassRule, patterns(3), classes, st.one_of(st.none(), databases))
    return Policy(
        made,
        groups={"g": frozenset(draw(st.lists(st.sampled_from(sorted(made)), max_size=1)))},
        classes=tuple(draw(st.lists(given_classes, max_size=2))),
        mask_by_default=draw(st.booleans()),
    )


subjects = st.builds(
    Subject,
    st.just("app"),
    st.sampled_from(["account", "person"]),
    st.frozensets(st.sampled_from(["r0", "r1", "r2", "gone"])),
    st.frozensets(st.sampled_from(["g", "h"])),
)
tables = st.builds(Resource, databases, names, names)
accesses = st.one_of(
    st.builds(Access, st.sampled_from(TABLE_ACTIONS[:-2]), tables),
    st.builds(
        Access,
        st.just(Action.DDL),
        st.one_of(tables, st.builds(Resource, databases, names), st.builds(Resource, databases)),
    ),
    st.builds(Access, st.just(Action.CALL), st.builds(Resource, databases, names, function=names)),
    st.builds(
        Access,
        st.sampled_from(COLUMN_ACTIONS),
        st.builds(Resource, databases, names, names, names, classes=st.frozensets(classes, max_size=1)),
    ),
)
moments = st.builds(
    Circumstances,
    st.just(NOW),
    second_factor_age=st.sampled_from(
        [None, timedelta(minutes=3), timedelta(minutes=15), timedelta(hours=1)]
    ),
    certificate=st.booleans(),
)


def agree(policy: Policy, subject: Subject, wanted: list[Access], moment: Circumstances) -> None:
    """Each access by itself, and all together."""
    authorizer = Authorizer(policy)
    for some in [*([one] for one in wanted), wanted, []]:
        decision = authorizer.decide(subject, some, moment)
        permitted, masked = naive.decide(policy, subject, some, moment)
        assert (decision.effect is PERMIT) is permitted
        assert dict(decision.masks) == masked


@given(policies(), subjects, st.lists(accesses, min_size=4, max_size=12), moments)
@settings(max_examples=120, deadline=None)
def test_compiled_and_naive_decisions_agree(
    policy: Policy, subject: Subject, wanted: list[Access], moment: Circumstances
) -> None:
    """Over random policies and requests, Cedar's answer is the one of the specification."""
    agree(policy, subject, wanted, moment)


@pytest.mark.full
@pytest.mark.timeout(3600)
@given(policies(), subjects, st.lists(accesses, min_size=4, max_size=12), moments)
@settings(max_examples=10_000, deadline=None)
def test_many_compiled_and_naive_decisions_agree(
    policy: Policy, subject: Subject, wanted: list[Access], moment: Circumstances
) -> None:
    """The same, for longer."""
    agree(policy, subject, wanted, moment)
