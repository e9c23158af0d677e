"""How far a policy reaches, and what a change changes."""

from dataclasses import replace
from datetime import timedelta

from strongroom.policy.authorizer import Authorizer
from strongroom.policy.conditions import ALWAYS, Conditions
from strongroom.policy.model import TABLE_ACTIONS, Access, Action, DataClass, Mask, Resource, Subject
from strongroom.policy.offers import Offer
from strongroom.policy.pattern import ANY, Pattern, exact
from strongroom.policy.reach import ANY_NAME, changes, everybody, limits_of, probes, ways
from strongroom.policy.residual import Limits
from strongroom.policy.roles import REVEAL, ColumnRule, FunctionRule, Policy, Role, TableRule

FRESH = Conditions(second_factor=timedelta(minutes=15))
SHOP = frozenset({"shop"})
EMAIL = Resource("shop", "public", "customers", "email")
TABLES = (TableRule(Pattern((("public",), ANY)), frozenset(TABLE_ACTIONS), place="tables"),)
MASKED = Role("masked", SHOP, TABLES, (ColumnRule(Pattern((ANY,) * 3), Mask("email"), place="masks"),))
REVEALS = ColumnRule(Pattern((ANY,) * 3), REVEAL, place="reveals")
FULL = Role("full", SHOP, TABLES, (REVEALS,), conditions=FRESH)


def policy(*roles: Role, holds: str = "masked full", **more: object) -> Authorizer:
    subjects = (Subject("anna", "person", frozenset(holds.split())),)
    return Authorizer(Policy({one.name: one for one in roles}, subjects, **more))  # type: ignore[arg-type]  # as each test has them


def test_ways() -> None:
    """Each role's own, with its conditions; one that gives no more than an unconditional one is left out."""
    authorizer = policy(MASKED, FULL)
    (found,) = ways(authorizer, authorizer.policy.subjects[0], [Access(Action.MASK, EMAIL)])
    assert list(map(str, found)) == ["reveal (second factor within 15m)", "mask email"]
    assert [way.rules for way in found] == [("reveals",), ("masks",)]
    (selects,) = ways(authorizer, authorizer.policy.subjects[0], [Access(Action.SELECT, EMAIL.relation)])
    assert [way.while_permitted for way in selects] == ["yes"]


def test_groups_are_somebody() -> None:
    """Whoever the identity provider puts there."""
    authorizer = policy(MASKED, groups={"agents": frozenset({"masked"})})
    anyone = everybody(authorizer.policy)[-1]
    assert anyone.name == "anyone in agents"
    assert ways(authorizer, anyone, [Access(Action.MASK, EMAIL)])[0][0].sees == "mask email"


def test_no_change() -> None:
    """A policy differs from itself in nothing."""
    assert not list(changes(policy(MASKED, FULL), policy(MASKED, FULL)))


def test_a_mask_that_goes() -> None:
    """Every name at which the two differ, with what was and what comes."""
    found = list(changes(policy(MASKED), policy(MASKED, FULL)))
    assert {one.access.action for one in found} == {Action.MASK}
    assert {(one.access.resource.schema, one.access.resource.table) for one in found} == {
        ("public", ANY_NAME)
    }
    assert list(map(str, found[0].after)) == ["reveal (second factor within 15m)", "mask email"]


def test_a_condition_that_goes() -> None:
    """Is a change, even if what is given stays the same."""
    without = Role("full", SHOP, FULL.tables, FULL.columns)
    assert list(changes(policy(FULL), policy(without)))


def test_who_comes_and_goes() -> None:
    """Somebody who is only in one of the two had, or has, nothing in the other."""
    before = Authorizer(Policy({"masked": MASKED}, (Subject("bob", roles=frozenset({"masked"})),)))
    found = list(changes(before, Authorizer(Policy({"masked": MASKED}))))
    assert {one.subject.name for one in found} == {"bob"}
    assert not any(one.after for one in found)


def test_what_may_be_had_for_a_time_is_somebodys() -> None:
    """By each who may have it for a time and by breaking the glass; an offer that is made is a change."""
    offer = Offer(frozenset({"anna", "gone"}), timedelta(hours=1), frozenset({"berta"}), 1)
    lent = replace(FULL, conditions=ALWAYS, temporary=offer, break_glass=offer)
    authorizer = policy(MASKED, lent, holds="masked")
    found = {one.name: one for one in everybody(authorizer.policy)}
    assert list(found) == ["anna", "anna (full for a time)", "anna (full by breaking the glass)"]
    seen = {
        name: ways(authorizer, one, [Access(Action.MASK, EMAIL)])[0][0].sees for name, one in found.items()
    }
    assert list(seen.values()) == ["mask email", "reveal", "reveal"]
    before = policy(MASKED, replace(FULL, conditions=ALWAYS), holds="masked")
    assert {one.subject.name for one in changes(before, authorizer)} == {*list(found)[1:]}


def test_limits() -> None:
    """Of each who has any, the least."""
    few = Role("few", SHOP, limits=Limits(10))
    assert limits_of(policy(few, MASKED, holds="few masked").policy) == {"anna": "10 rows an hour"}


def test_probes() -> None:
    """Every name, pattern, class and meeting of patterns that the policy tells apart is asked about."""
    role = Role(
        "r",
        SHOP,
        (TableRule(exact("public", "customers"), frozenset({Action.SELECT})),),
        (
            ColumnRule(Pattern((ANY, ANY, ("id",))), REVEAL),
            ColumnRule(Pattern((("public",), ANY, ANY)), REVEAL),
            ColumnRule(DataClass.SECRET, nothing=True),
        ),
        (FunctionRule(exact("public", "slug")),),
    )
    found = {one.resource for one in probes(Policy({"r": role}), ["r"])}
    assert found == {
        Resource("shop", "public", "customers"),
        Resource("shop", ANY_NAME, ANY_NAME, "id"),
        Resource("shop", "public", ANY_NAME, ANY_NAME),
        Resource("shop", "public", "customers", ANY_NAME),
        Resource("shop", "public", ANY_NAME, "id"),
        Resource("shop", "public", "customers", "id"),
        Resource("shop", "public", "customers", ANY_NAME, classes=frozenset({DataClass.SECRET})),
        Resource("shop", "public", function="slug"),
    }
