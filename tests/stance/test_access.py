"""Whose access a change of roles widens, and what of policies written by hand."""

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest

from strongroom.policy.conditions import Conditions
from strongroom.policy.model import Action, DataClass, Mask, Subject
from strongroom.policy.offers import Offer
from strongroom.policy.pattern import ANY, Pattern, exact
from strongroom.policy.residual import Limits
from strongroom.policy.roles import REVEAL, CedarFile, ClassRule, ColumnRule, Policy, Role, TableRule
from strongroom.stance.access import UNENFORCED, weaker, written

EMAIL = exact("public", "people", "email")
PEOPLE = TableRule(exact("public", "people"), frozenset({Action.SELECT}))
OFFICE = Conditions(
    addresses=(ip_network("10.0.0.0/8"),), second_factor=timedelta(minutes=15), certificate=True
)


def role(name: str, *rules: ColumnRule, **more: Any) -> Role:
    return replace(Role(name, frozenset({"shop"}), (PEOPLE,), rules), **more)


SUPPORT = role("support", ColumnRule(EMAIL, Mask("email")), limits=Limits(100, 10), conditions=OFFICE)
FULL = role("full", ColumnRule(EMAIL, REVEAL))
STRICT = role("strict", ColumnRule(DataClass.SECRET, nothing=True))
LEAD = role("lead", includes=("support",))
POLICY = Policy(
    {one.name: one for one in (SUPPORT, FULL, STRICT, LEAD)},
    (
        Subject("app", roles=frozenset({"full", "strict"})),
        Subject("anna", "person", frozenset({"support"}), frozenset({"desk"})),
    ),
    {"desk": frozenset({"support"})},
)
CEDAR = CedarFile("one.cedar", "permit (principal, action, resource);")


def found(before: Policy, after: Policy) -> list[str]:
    """What is weaker, as a person reads it."""
    return [str(one) for one in weaker(written(before), written(after))]


def with_role(changed: Role, policy: Policy = POLICY) -> Policy:
    return replace(policy, roles={**policy.roles, changed.name: changed})


def holding(name: str, kind: str, roles: str, groups: str = "") -> Policy:
    """The policy with one holder who holds other roles."""
    others = tuple(one for one in POLICY.subjects if one.name != name)
    changed = Subject(name, kind, frozenset(roles.split()), frozenset(groups.split()))  # type: ignore[arg-type] # a word of two
    return replace(POLICY, subjects=(*others, changed))


SLOWLY = Offer(frozenset({"anna"}), timedelta(hours=4), frozenset({"berta", "carl"}), 2)
AT_ONCE = Offer(frozenset({"anna"}), timedelta(minutes=30))
REPAIR = role(
    "repair",
    temporary=SLOWLY,
    break_glass=AT_ONCE,
    conditions=Conditions(assumed="repair", second_factor=timedelta(minutes=5)),
)
LENDING = replace(POLICY, roles={**POLICY.roles, "repair": REPAIR})
ONE_MORE = frozenset({"anna", "eve"})


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"temporary": replace(SLOWLY, to=ONE_MORE)},
            "people.eve for a time: holds the role repair",
        ),
        (
            {"break_glass": replace(AT_ONCE, to=ONE_MORE)},
            "people.eve in an emergency: holds the role",
        ),
        ({"temporary": replace(SLOWLY, longest=timedelta(hours=5))}, "for longer"),
        ({"temporary": replace(SLOWLY, approvals=1)}, "with fewer approvals"),
        (
            {"temporary": replace(SLOWLY, by=frozenset({"berta", "eve"}))},
            "by people who could not before",
        ),
        ({"conditions": replace(REPAIR.conditions, assumed=None)}, "under wider conditions"),
        ({"columns": (ColumnRule(EMAIL, REVEAL),)}, "roles.repair."),
    ],
)
def test_roles_for_a_time(changed: dict[str, Any], words: str) -> None:
    """Who may come to have a role counts as who has it; so do how long, how easily, and what it gives."""
    wider = replace(LENDING, roles={**LENDING.roles, "repair": replace(REPAIR, **changed)})
    assert any(words in one for one in found(LENDING, wider)), found(LENDING, wider)
    assert found(LENDING, LENDING) == []
    gone = replace(REPAIR, temporary=None, break_glass=None)
    assert found(LENDING, replace(LENDING, roles={**LENDING.roles, "repair": gone})) == []


def test_a_class_that_is_not_counted() -> None:
    """Values of class public cost nothing of a limit on revealed ones."""
    free = replace(POLICY, classes=(ClassRule(EMAIL, DataClass.PUBLIC),))
    assert any("is public now" in one for one in found(POLICY, free))


WEAKER = {
    "a mask": (with_role(replace(SUPPORT, columns=(ColumnRule(EMAIL, REVEAL),))), "gives reveal"),
    "a role more": (holding("anna", "person", "support full"), "people.anna: holds the role full now"),
    "somebody new": (holding("eve", "account", "support"), "accounts.eve: holds the role support now"),
    "a role that refuses": (holding("app", "account", "full"), "holds the role strict no more"),
    "a group more": (
        replace(POLICY, groups={"desk": frozenset({"support", "full"})}),
        "groups.desk: holds the role full now",
    ),
    "a role that includes another": (
        with_role(replace(SUPPORT, includes=("full",))),
        "holds the role full now",
    ),
    "without conditions": (with_role(replace(SUPPORT, conditions=Conditions())), "under wider conditions"),
    "from more addresses": (
        with_role(replace(SUPPORT, conditions=replace(OFFICE, addresses=(ip_network("0.0.0.0/0"),)))),
        "under wider conditions",
    ),
    "an older second factor": (
        with_role(replace(SUPPORT, conditions=replace(OFFICE, second_factor=timedelta(hours=1)))),
        "under wider conditions",
    ),
    "more rows": (with_role(replace(SUPPORT, limits=Limits(1000, 10))), "may have more rows"),
    "no limit": (with_role(replace(SUPPORT, limits=Limits(100, None))), "may have more revealed values"),
    "a policy by hand": (replace(POLICY, files=(CEDAR,)), "policies: "),
}


@pytest.mark.parametrize(("after", "words"), WEAKER.values(), ids=WEAKER)
def test_what_widens_access_is_named(after: Policy, words: str) -> None:
    """With who has it; a policy written by hand counts whichever way it changes."""
    assert words in " ".join(found(POLICY, after))
    back = found(after, POLICY)
    assert bool(back) is ("policies: " in words)


def test_roles_as_a_whole() -> None:
    """None at all lets accounts do everything; the first ones let nobody do more."""
    assert [one.what for one in weaker(written(POLICY), UNENFORCED)] == ["roles"]
    assert list(weaker(UNENFORCED, written(POLICY))) == []
    assert list(weaker(written(POLICY), written(POLICY))) == []


def test_another_role_that_gives_no_more() -> None:
    """A role may be renamed, or be had under narrower conditions; not where policies know it by name."""
    renamed = replace(SUPPORT, name="helpers")
    after = replace(
        POLICY,
        roles={**POLICY.roles, "helpers": renamed},
        subjects=(POLICY.subjects[0], Subject("anna", "person", frozenset({"helpers"}))),
        groups={"desk": frozenset({"helpers"})},
    )
    without = replace(SUPPORT, limits=Limits())
    assert found(with_role(without), with_role(replace(renamed, limits=Limits()), after)) == []
    by_hand = replace(with_role(without), files=(CEDAR,))
    assert "holds the role helpers now" in " ".join(found(by_hand, replace(after, files=(CEDAR,))))


def test_what_a_role_that_nobody_holds_gives() -> None:
    """It weakens nothing until somebody holds it; then what they had before is what counts."""
    wide = with_role(replace(LEAD, columns=(ColumnRule(EMAIL, REVEAL),)))
    assert found(POLICY, wide) == []
    given = replace(wide, subjects=(*POLICY.subjects[:1], Subject("anna", "person", frozenset({"lead"}))))
    assert "people.anna: holds the role lead now" in found(POLICY, given)


def test_classes() -> None:
    """A class that only refuses may come and not go; one that gives may not come; one of no rule may."""
    secret = replace(POLICY, classes=(ClassRule(EMAIL, DataClass.SECRET),))
    assert found(POLICY, secret) == []
    assert "classes: public.people.email is secret no more" in " ".join(found(secret, POLICY))
    private = replace(POLICY, classes=(ClassRule(EMAIL, DataClass.CONFIDENTIAL),))
    assert found(POLICY, private) == []
    assert found(private, POLICY) == []
    giving = with_role(replace(FULL, columns=(*FULL.columns, ColumnRule(DataClass.CONFIDENTIAL, REVEAL))))
    after = replace(giving, classes=private.classes)
    assert "classes: public.people.email is confidential now" in " ".join(found(giving, after))


def test_classes_that_policies_by_hand_ask_for() -> None:
    """Which way those decide is not to be told, so a column that gets or loses a class counts."""
    asking = CedarFile(
        "one.cedar",
        'forbid (principal, action, resource) when {resource.classes.contains("confidential")};',
    )
    before = replace(POLICY, files=(asking,))
    after = replace(before, classes=(ClassRule(EMAIL, DataClass.CONFIDENTIAL),))
    assert found(before, after) != []
    assert found(after, before) != []
    silent = replace(POLICY, files=(CEDAR,))
    assert found(silent, replace(silent, classes=after.classes)) == []


def test_masks_by_default() -> None:
    """With them, every role shows what it did not show at all; without them, none does."""
    masked = replace(POLICY, mask_by_default=True)
    assert "mask_by_default" in " ".join(found(POLICY, masked))
    assert found(masked, POLICY) == []


def test_a_file_of_another_name() -> None:
    """The octets of a policy count, and not where they stand."""
    one = replace(POLICY, files=(CEDAR,))
    other = replace(POLICY, files=(replace(CEDAR, name="two.cedar"),))
    assert found(one, other) == []
    assert found(one, replace(POLICY, files=(replace(CEDAR, text=CEDAR.text + " "),))) != []
    assert found(one, replace(POLICY, files=(CEDAR, replace(CEDAR, name="two.cedar")))) != []


def test_a_wide_pattern_for_a_narrow_one() -> None:
    """A role for one table becomes one for all."""
    wide = with_role(replace(FULL, tables=(TableRule(Pattern((ANY, ANY)), frozenset({Action.SELECT})),)))
    assert "roles.full.tables" in " ".join(found(POLICY, wide))


def test_what_this_program_does_not_know() -> None:
    """A field that another program wrote down, of the whole, a role or a rule, counts as weaker."""
    before = written(POLICY)
    support: dict[str, Any] = before["roles"]["support"]
    for more in (
        {"quota": 1},
        {"limits": [*support["limits"], 1]},
        {"columns": [{**support["columns"][0], "quota": 1}]},
        {"tables": [{**support["tables"][0], "quota": 1}]},
        {"when": {**support["when"], "quota": 1}},
    ):
        former = {**before, "roles": {**before["roles"], "support": support | more}}
        assert any("does not know" in str(one) for one in weaker(former, before)), more
        assert any("does not know" in str(one) for one in weaker(former, former)), more
    assert any("does not know" in str(one) for one in weaker({**before, "quota": 1}, before))
