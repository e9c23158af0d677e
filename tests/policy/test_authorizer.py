"""Decisions: compiled ones against naive ones, and each rule of the specification by itself."""

import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.policy import naive
from tests.policy.random_policies import ALL_TABLES, NOW, accesses, moments, policies, subjects

from strongroom.errors import Bug
from strongroom.policy.authorizer import Authorizer
from strongroom.policy.conditions import Conditions
from strongroom.policy.model import (
    COLUMN_ACTIONS,
    DENY,
    PERMIT,
    TABLE_ACTIONS,
    Access,
    Action,
    Circumstances,
    DataClass,
    Decision,
    Mask,
    Resource,
    Subject,
)
from strongroom.policy.pattern import ANY, Pattern, exact
from strongroom.policy.residual import Limits
from strongroom.policy.roles import (
    CONSTANT,
    REVEAL,
    ClassRule,
    ColumnRule,
    Policy,
    Role,
    TableRule,
)

USUAL = Circumstances(NOW)
LONG_AGO = Conditions(second_factor=timedelta(minutes=15))


def agree(policy: Policy, subject: Subject, wanted: list[Access], moment: Circumstances) -> None:
    """Each access by itself, and all together."""
    authorizer = Authorizer(policy)
    for some in [*([one] for one in wanted), wanted, []]:
        decision = authorizer.decide(subject, some, moment)
        permitted, masked = naive.decide(policy, subject, some, moment)
        assert (decision.effect is PERMIT) is permitted
        assert dict(decision.masks) == masked


@given(policies(), subjects, st.lists(accesses, min_size=4, max_size=12), moments)
@settings(
    max_examples=200, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)  # quick to fail
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


EMAIL = Resource("shop", "public", "customers", "email")
TABLE = EMAIL.relation
EVERYTHING = ColumnRule(Pattern((ANY,) * 3), REVEAL, filter=True, write=True, place="columns.*")
LAST_4 = Mask("last", 4)
ABOUT_EMAIL = exact("public", "customers", "email")


def role(name: str, *columns: ColumnRule, **more: Any) -> Role:
    """A role in shop that may do anything to tables, if nothing else is said."""
    return Role(name, frozenset({"shop"}), **({"tables": (ALL_TABLES,), "columns": columns} | more))


def decide(*some: Role, action: Action = Action.MASK, now: Circumstances = USUAL, **more: Any) -> Decision:
    """What the holder of these roles gets."""
    policy = Policy({one.name: one for one in some}, **more)
    subject = Subject("anna", "person", frozenset(one.name for one in some))
    resource = EMAIL if action in COLUMN_ACTIONS else TABLE
    return Authorizer(policy).decide(subject, [Access(action, resource)], now)


def shown(decision: Decision) -> Mask | None:
    """How the column is shown; None if it is not."""
    return decision.masks.get(EMAIL, REVEAL) if decision.effect is PERMIT else None


def test_no_match_is_a_deny() -> None:
    """Who holds no role may do nothing, not even without touching anything; only what is named is given."""
    nobody = Authorizer(Policy({"r": role("r", EVERYTHING)})).decide(Subject("x"), [], USUAL)
    assert nobody.effect is DENY
    assert shown(decide(role("r"))) is None
    assert decide(role("r", tables=()), action=Action.SELECT).effect is DENY


def test_a_decision_is_no_truth_value() -> None:
    """So that ``if decision:`` never permits."""
    with pytest.raises(Bug):
        bool(decide(role("r")))


@pytest.mark.parametrize("turned", [False, True])
def test_reveal_beats_a_mask(turned: bool) -> None:
    """A mask in one role and reveal in another give reveal, in whichever order."""
    some = [role("a", EVERYTHING), role("b", ColumnRule(ABOUT_EMAIL, LAST_4))]
    assert shown(decide(*(reversed(some) if turned else some))) == REVEAL


def test_unless_a_role_says_nothing() -> None:
    """Deny beats permit, however close the permitting rule of the other role is."""
    forbidding = role("b", ColumnRule(Pattern((ANY,) * 3), nothing=True, place="columns.nothing"))
    decision = decide(role("a", ColumnRule(ABOUT_EMAIL, REVEAL)), forbidding)
    assert shown(decision) is None
    assert decision.reasons[0].rules == ("columns.nothing",)


def test_only_the_same_role_makes_an_exception() -> None:
    """A closer rule of the role that says nothing counts instead of it."""
    nothing = ColumnRule(Pattern((ANY,) * 3), nothing=True, place="*")
    assert shown(decide(role("a", nothing, ColumnRule(ABOUT_EMAIL, LAST_4, place="email")))) == LAST_4


def test_a_table_that_is_refused_takes_its_columns_along() -> None:
    """``nothing`` on a table in one role refuses its columns to another's reveal."""
    closed = role("b", tables=(TableRule(exact("public", "customers"), nothing=True, place="t"),))
    assert shown(decide(role("a", EVERYTHING), closed)) is None


def test_the_mask_that_tells_most() -> None:
    """Of two roles' masks; within a role, of two rules as close, the one that tells least."""
    last, email = (
        ColumnRule(ABOUT_EMAIL, LAST_4, place="l"),
        ColumnRule(ABOUT_EMAIL, Mask("email"), place="e"),
    )
    assert shown(decide(role("a", last), role("b", email))) == LAST_4
    assert shown(decide(role("a", last, email))) == Mask("email")
    month, year = (ColumnRule(ABOUT_EMAIL, Mask("date", to)) for to in ("month", "year"))
    assert shown(decide(role("a", month), role("b", year))) == Mask("date", "month")
    assert shown(decide(role("a", month, year))) == Mask("date", "year")


def test_what_cannot_be_masked_is_not_shown() -> None:
    """`reveal` is asked where a mask cannot be put on: who would see it masked does not see it."""
    assert decide(role("a", ColumnRule(ABOUT_EMAIL, LAST_4)), action=Action.REVEAL).effect is DENY


def test_no_role_lends_its_columns() -> None:
    """Reveal of all columns in one role says nothing of a table that only another role may read."""
    orders = TableRule(exact("public", "orders"), frozenset({Action.SELECT}), place="t")
    customers = TableRule(exact("public", "customers"), frozenset({Action.SELECT}), place="t2")
    wide = role("a", EVERYTHING, tables=(orders,))
    narrow = role("b", ColumnRule(ABOUT_EMAIL, LAST_4), tables=(customers,))
    assert shown(decide(wide, narrow)) == LAST_4


@pytest.mark.parametrize("about", [ABOUT_EMAIL, EVERYTHING.about, DataClass.SECRET])
@pytest.mark.parametrize(
    ("given", "gives"),
    [
        (Action.SELECT, {Action.MASK, Action.FILTER}),
        (Action.INSERT, {Action.WRITE}),
        (Action.UPDATE, {Action.FILTER, Action.WRITE}),
        (Action.DELETE, {Action.FILTER}),
        (Action.TRUNCATE, set()),
        (Action.COPY, set()),
    ],
)
def test_columns_follow_their_table(about: Pattern | DataClass, given: Action, gives: set[Action]) -> None:
    """Shown where the role may select, and so on: however the rule for columns is written."""
    table = TableRule(Pattern((("public",), ("cust", ""))), frozenset({given}))
    secret = (ClassRule(ABOUT_EMAIL, DataClass.SECRET),)
    for show, action in ((LAST_4, Action.MASK), (REVEAL, Action.REVEAL)):
        holder = role("a", ColumnRule(about, show, filter=True, write=True), tables=(table,))
        asked = {action, Action.FILTER, Action.WRITE}
        allowed = {one for one in asked if decide(holder, action=one, classes=secret).effect is PERMIT}
        assert allowed == {action if one is Action.MASK else one for one in gives}


def test_write_only() -> None:
    """A column may be set and neither read nor used as a filter."""
    rule = ColumnRule(ABOUT_EMAIL, write=True)
    effects = {action: decide(role("a", rule), action=action).effect for action in COLUMN_ACTIONS}
    assert [action for action, effect in effects.items() if effect is PERMIT] == [Action.WRITE]


def test_append_only() -> None:
    """A closer rule for a table takes away what a wider one gives."""
    log = TableRule(exact("public", "customers"), frozenset({Action.SELECT, Action.INSERT}), place="log")
    holder = role("a", tables=(ALL_TABLES, log))
    allowed = [one for one in TABLE_ACTIONS if decide(holder, action=one).effect is PERMIT]
    assert allowed == [Action.SELECT, Action.INSERT]


def test_a_column_of_a_class_is_covered_on_its_first_day() -> None:
    """By a line for it, by a pattern that it matches, and by whoever asks."""
    secret = ColumnRule(DataClass.SECRET, nothing=True, place="class:secret")
    holder = role("a", EVERYTHING, secret)
    assert shown(decide(holder)) == REVEAL
    every_email = Pattern((ANY, ANY, ("email",)))
    for pattern in (ABOUT_EMAIL, every_email):
        assert shown(decide(holder, classes=(ClassRule(pattern, DataClass.SECRET, "shop"),))) is None
    assert shown(decide(holder, classes=(ClassRule(every_email, DataClass.SECRET, "other"),))) == REVEAL
    found = Access(Action.MASK, replace(EMAIL, classes=frozenset({DataClass.SECRET})))
    subject = Subject("anna", roles=frozenset({"a"}))
    assert Authorizer(Policy({"a": holder})).decide(subject, [found], USUAL).effect is DENY


def test_masked_by_default() -> None:
    """What a role does not declare is shown as a constant, and any rule is closer than that."""
    assert shown(decide(role("a"), mask_by_default=True)) == CONSTANT
    assert decide(role("a"), mask_by_default=True, action=Action.FILTER).effect is DENY
    assert shown(decide(role("a", EVERYTHING), mask_by_default=True)) == REVEAL
    assert shown(decide(role("a", tables=()), mask_by_default=True)) is None


def test_only_in_its_databases() -> None:
    """A role says nothing of other databases, not even nothing."""
    elsewhere = Role("b", frozenset({"other"}), columns=(ColumnRule(ABOUT_EMAIL, nothing=True, place="n"),))
    assert shown(decide(role("a", EVERYTHING), elsewhere)) == REVEAL
    assert shown(decide(replace(role("a", EVERYTHING), databases=frozenset({"other"})))) is None


def test_a_condition_that_fails_never_gives_more() -> None:
    """What a role gives counts under its conditions, what it refuses always, its limits too."""
    forbidding = role("b", ColumnRule(ABOUT_EMAIL, nothing=True, place="n"), conditions=LONG_AGO)
    assert shown(decide(role("a", EVERYTHING), forbidding)) is None
    giving = role("b", EVERYTHING, conditions=LONG_AGO)
    assert shown(decide(giving)) is None
    fresh = Circumstances(NOW, second_factor_age=timedelta(minutes=1))
    assert shown(decide(giving, now=fresh)) == REVEAL
    limited = role("b", conditions=LONG_AGO, limits=Limits(10))
    spent = Circumstances(NOW, rows_this_hour=10)
    assert decide(role("a", EVERYTHING), limited, now=spent).effect is DENY


def test_included_roles_count_under_both_conditions() -> None:
    """Of the role, and of the one that includes it; held by itself, under its own alone."""
    outer = role("a", includes=("b",), conditions=LONG_AGO)
    inner = role("b", EVERYTHING, conditions=Conditions(certificate=True))
    policy = Policy({"a": outer, "b": inner})
    ask = Authorizer(policy).decide
    shown_it = Circumstances(NOW, certificate=True)
    both = replace(shown_it, second_factor_age=timedelta(0))
    wanted = [Access(Action.MASK, EMAIL)]
    assert ask(Subject("x", roles=frozenset("a")), wanted, shown_it).effect is DENY
    assert ask(Subject("x", roles=frozenset("a")), wanted, both).effect is PERMIT
    assert ask(Subject("x", roles=frozenset("ab")), wanted, shown_it).effect is PERMIT


def test_limits_bind_what_uses_them_up() -> None:
    """Revealed values count for who sees them unmasked; at the limit the decision is a deny, and not kept."""
    few = Limits(reveals_per_hour=5)
    spent = Circumstances(NOW, reveals_this_hour=5)
    assert shown(decide(role("a", EVERYTHING, limits=few), now=spent)) is None
    assert shown(decide(role("a", ColumnRule(ABOUT_EMAIL, LAST_4), limits=few), now=spent)) == LAST_4
    assert decide(role("a", EVERYTHING, limits=few), action=Action.INSERT, now=spent).effect is PERMIT
    kept = decide(role("a", EVERYTHING, limits=few))
    assert kept.residual.hold(USUAL)
    assert not kept.residual.hold(spent)


def test_what_cannot_be_counted() -> None:
    """Who has a limit on revealed values computes with none of them, but for those of class public."""
    few = role("a", EVERYTHING, limits=Limits(reveals_per_hour=5))
    assert decide(few, action=Action.REVEAL).effect is DENY
    assert decide(role("a", EVERYTHING, limits=Limits(5)), action=Action.REVEAL).effect is PERMIT
    public = Resource("shop", "public", "customers", "email", classes=frozenset({DataClass.PUBLIC}))
    asked = Authorizer(Policy({"a": few})).decide(
        Subject("x", roles=frozenset("a")), [Access(Action.REVEAL, public)], USUAL
    )
    assert asked.effect is PERMIT


def test_a_kept_decision_falls_with_its_conditions() -> None:
    """A permit's residual does not hold when the second factor has grown old, nor a deny's when it is new."""
    fresh = Circumstances(NOW, second_factor_age=timedelta(minutes=1))
    old = Circumstances(NOW, second_factor_age=timedelta(minutes=16))
    permit = decide(role("a", EVERYTHING, conditions=LONG_AGO), now=fresh)
    deny = decide(role("a", EVERYTHING, conditions=LONG_AGO), now=old)
    assert (permit.effect, deny.effect) == (PERMIT, DENY)
    assert (permit.residual.hold(fresh), permit.residual.hold(old)) == (True, False)
    assert (deny.residual.hold(fresh), deny.residual.hold(old)) == (False, True)


@given(policies(), subjects, st.lists(accesses, min_size=1, max_size=6), moments, moments)
@settings(max_examples=60, deadline=None)
def test_what_is_kept_is_what_would_be_decided(
    policy: Policy, subject: Subject, wanted: list[Access], one: Circumstances, other: Circumstances
) -> None:
    """An authorizer that has decided before decides as a new one; a residual that holds tells the truth."""
    used = Authorizer(policy)
    before = used.decide(subject, wanted, one)
    after, anew = used.decide(subject, wanted, other), Authorizer(policy).decide(subject, wanted, other)
    assert after == anew
    if before.residual.hold(other):
        assert (before.effect, before.masks) == (anew.effect, anew.masks)


@pytest.mark.parametrize("name", ["EMAIL", "ｅmail", "еmail", "email ", "e\u0301mail", 'e"mail', "e*"])
def test_tricks_with_names(name: str) -> None:
    """A name that looks like another is another: a rule says nothing of it; quotes break out of nothing."""
    holder = role("a", ColumnRule(ABOUT_EMAIL, REVEAL))
    ask = Authorizer(Policy({"a": holder})).decide
    other = Access(Action.MASK, replace(EMAIL, column=name))
    assert ask(Subject(name, roles=frozenset("a")), [other], USUAL).effect is DENY
    exactly = role("a", ColumnRule(exact("public", "customers", name), REVEAL))
    ask = Authorizer(Policy({"a": exactly})).decide
    assert ask(Subject(name, roles=frozenset("a")), [other], USUAL).effect is PERMIT
    assert ask(Subject(name, roles=frozenset("a")), [Access(Action.MASK, EMAIL)], USUAL).effect is DENY


def test_many_roles_and_rules() -> None:
    """200 roles with 2,000 rules are compiled in seconds; a holder of a few waits far less than that."""
    many = {}
    for number in range(200):
        columns = [
            ColumnRule(exact("public", f"t{number}", f"c{one}"), LAST_4, place=f"{number}.{one}")
            for one in range(8)
        ]
        many[f"r{number}"] = role(f"r{number}", *columns, replace(EVERYTHING, place=f"{number}.*"))
    begin = time.process_time()
    authorizer = Authorizer(Policy(many))
    compiled = time.process_time() - begin
    wanted = [Access(Action.MASK, Resource("shop", "public", "t3", f"c{one}")) for one in range(20)]
    holder = Subject("x", roles=frozenset({f"r{one}" for one in range(1, 4)}))
    begin = time.process_time()
    decision = authorizer.decide(holder, wanted, USUAL)
    decided = time.process_time() - begin
    assert decision.effect is PERMIT
    assert compiled < 5
    assert decided < 1


def test_so_many_decisions_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were asked for last; what was dropped is decided again, and comes out the same."""
    monkeypatch.setattr("strongroom.policy.authorizer.MAX_DECISIONS", 2)
    authorizer = Authorizer(Policy({"a": role("a", EVERYTHING)}))
    holder = Subject("anna", roles=frozenset("a"))
    columns = [[Access(Action.MASK, replace(EMAIL, column=name))] for name in "abcd"]
    first = [authorizer.decide(holder, one, USUAL) for one in columns]
    assert [authorizer.decide(holder, one, USUAL) for one in columns] == first
    assert authorizer.decisions_kept == 2
