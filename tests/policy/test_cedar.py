"""Roles compiled to Cedar."""

import json

import cedarpy
from hypothesis import given, settings
from tests.policy.random_policies import policies

from strongroom.policy.cedar import compile_role, schema
from strongroom.policy.model import Action, DataClass
from strongroom.policy.pattern import ANY, Pattern, exact
from strongroom.policy.roles import REVEAL, ColumnRule, Policy, Role, TableRule

CUSTOMERS = TableRule(exact("public", "customers"), frozenset({Action.SELECT}), place="t")


def texts(role: Role, *, mask_by_default: bool = False) -> list[str]:
    """Each policy in Cedar's own words."""
    compiled = compile_role(role, mask_by_default=mask_by_default)
    whole = {"staticPolicies": dict(compiled.policies), "templates": {}, "templateLinks": []}
    return str(cedarpy.PolicySet.from_json_str(json.dumps(whole))).splitlines()


@given(policies())
@settings(max_examples=50, deadline=None)
def test_all_that_is_compiled_fits_the_schema(policy: Policy) -> None:
    """Cedar's strict validation finds nothing in any of it."""
    for role in policy.roles.values():
        text = "\n".join(texts(role, mask_by_default=policy.mask_by_default))
        assert not cedarpy.validate_policies(text, schema()).errors


def test_a_rule_as_cedar_has_it() -> None:
    """Short enough to be read."""
    (policy,) = texts(Role("r", frozenset({"shop"}), (CUSTOMERS,)))
    assert policy.startswith('permit(principal in Role::"r", action in [Action::"select"], resource) when')
    assert '(resource.schema) == "public"' in policy
    assert '(resource.table) == "customers"' in policy


def test_refusals_hang_on_nothing() -> None:
    """They are for who holds the role, whether or not it counts."""
    role = Role("r", frozenset({"shop"}), columns=(ColumnRule(DataClass.SECRET, nothing=True, place="c"),))
    (policy,) = texts(role)
    assert policy.startswith('forbid(principal in Held::"r"')


def test_what_can_never_count_is_left_out() -> None:
    """A rule for the column of a table of which the role gives nothing."""
    rule = ColumnRule(exact("public", "orders", "id"), REVEAL, filter=True, write=True, place="c")
    assert len(texts(Role("r", frozenset({"shop"}), (CUSTOMERS,), (rule,)))) == 1


def test_many_full_names_are_one_set() -> None:
    """What a wide rule leaves out is looked up, not compared name by name."""
    wide = ColumnRule(Pattern((ANY,) * 3), REVEAL, place="*")
    names = [ColumnRule(exact("public", "customers", f"c{one}"), filter=True) for one in range(50)]
    role = Role("r", frozenset({"shop"}), (CUSTOMERS,), (wide, *names))
    (reveal,) = (one for one in texts(role) if "reveal" in one)
    assert reveal.count("contains(resource.name)") == 1
