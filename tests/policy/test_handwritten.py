"""Policies written by hand in Cedar."""

from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import cedarpy
import pytest

from strongroom.errors import InvalidPolicy
from strongroom.policy.authorizer import Authorizer
from strongroom.policy.cedar import SCHEMA
from strongroom.policy.model import (
    DENY,
    PERMIT,
    TABLE_ACTIONS,
    Access,
    Action,
    Circumstances,
    Decision,
    Mask,
    Resource,
    Subject,
)
from strongroom.policy.pattern import ANY, Pattern
from strongroom.policy.roles import CONSTANT, REVEAL, CedarFile, ColumnRule, Policy, Role, TableRule

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
EMAIL = Resource("shop", "public", "customers", "email")
EVERYTHING = Role(
    "r",
    frozenset({"shop"}),
    (TableRule(Pattern((ANY, ANY)), frozenset(TABLE_ACTIONS), place="tables"),),
    (ColumnRule(Pattern((ANY,) * 3), REVEAL, True, True, place="columns"),),
)
OVERFLOWS = "context.certificate && 9223372036854775807 + 1 > 0"


def decide(text: str, action: Action = Action.MASK, *, roles: str = "r", **now: object) -> Decision:
    policy = Policy({"r": EVERYTHING}, files=(CedarFile("extra.cedar", text),))
    circumstances = Circumstances(NOW, **now)  # type: ignore[arg-type]  # as each test has them
    return Authorizer(policy).decide(
        Subject("anna", "person", frozenset(roles)), [Access(action, EMAIL)], circumstances
    )


def test_a_forbid_beats_the_roles() -> None:
    """And is named in the reasons by its @id, or by its place."""
    condition = 'when { resource is Column && resource.column == "email" }'
    text = f'forbid (principal == Person::"anna", action, resource) {condition};'
    decision = decide(text)
    assert decision.effect is DENY
    assert decision.reasons[0].rules == ("extra.cedar: policy 1",)
    assert decide('@id("no mail")' + text).reasons[0].rules == ("extra.cedar: no mail",)
    assert decide(text.replace("anna", "Anna")).effect is PERMIT


def test_cedar_itself_leaves_out_a_forbid_that_fails() -> None:
    """Which is why any failure is a deny here: this engine answers Allow, and tells of the error besides."""
    fails = "when { 9223372036854775807 + 1 > 0 }"
    policies = f"permit (principal, action, resource); forbid (principal, action, resource) {fails};"
    request = {"principal": 'Account::"a"', "action": 'Action::"b"', "resource": 'Table::"c"'}
    result = cedarpy.is_authorized(request, policies, [])
    assert result.decision is cedarpy.Decision.Allow
    assert "overflow" in result.diagnostics.errors[0]


@pytest.mark.parametrize("effect", ["permit", "forbid"])
def test_a_policy_that_fails_denies(effect: str) -> None:
    """Be it one that forbids or one that permits; and only where it fails."""
    text = f"{effect} (principal, action, resource is Column) when {{ {OVERFLOWS} }};"
    failed = decide(text, certificate=True)
    assert failed.effect is DENY
    assert failed.reasons[0].remark == "a policy could not be evaluated"
    assert decide(text).effect is PERMIT


def test_what_is_permitted_by_hand_needs_nothing_besides() -> None:
    """A permit of `mask` says which; without saying it gives the constant."""
    text = 'permit (principal, action == Action::"mask", resource);'
    assert decide(text, roles="").masks == {EMAIL: CONSTANT}
    assert decide('@mask("last 4")' + text, roles="").masks == {EMAIL: Mask("last", 4)}
    assert decide('@mask("fixed 4")' + text, roles="").masks == {EMAIL: Mask("fixed", "4")}
    assert decide(text, Action.REVEAL, roles="").effect is DENY


def test_the_context() -> None:
    """Address, application and tenant may be asked for, and each change of them is asked anew."""
    text = """
        permit (principal, action == Action::"mask", resource) when
        { context has address && context.address.isInRange(ip("10.0.0.0/8")) };
        permit (principal, action == Action::"mask", resource) when
        { context has tenant && context.tenant == "acme" && context has application };
    """
    authorizer = Authorizer(Policy({"r": EVERYTHING}, files=(CedarFile("extra.cedar", text),)))

    def effect(**now: object) -> bool:
        circumstances = Circumstances(NOW, **now)  # type: ignore[arg-type]  # as each line has them
        subject = Subject("bob")
        return authorizer.decide(subject, [Access(Action.MASK, EMAIL)], circumstances).effect is PERMIT

    assert effect(address=ip_address("10.1.2.3"))
    assert effect(address=ip_address("::ffff:10.1.2.3"))
    assert not effect(address=ip_address("11.1.2.3"))
    assert not effect(address=ip_address("fe80::1%eth0"))
    assert effect(tenant="acme", application='psql"')
    assert not effect(tenant="acme")
    assert not effect()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("permit (principal, action", "unexpected end of input", id="syntax"),
        pytest.param('permit (principal, action == Action::"go", resource);', "go", id="an unknown action"),
        pytest.param('permit (principal == User::"a", action, resource);', "User", id="an unknown type"),
        pytest.param(
            'permit (principal, action, resource) when { context.tenant == "a" };',
            "optional attribute `tenant`",
            id="what may be absent",
        ),
        pytest.param('permit (principal == ?principal, action, resource);', "template", id="a template"),
        pytest.param('@mask("lst 4") permit (principal, action, resource);', "@mask", id="an unknown mask"),
        pytest.param('@mask("last") permit (principal, action, resource);', "@mask", id="half a mask"),
        pytest.param('@mask("reveal") permit (principal, action, resource);', "@mask", id="no mask"),
    ],
)  # fmt: skip
def test_what_is_refused(text: str, complaint: str) -> None:
    """With the file's name, and what is wrong; before anything is decided."""
    with pytest.raises(InvalidPolicy, match=r"extra\.cedar") as caught:
        Authorizer(Policy(files=(CedarFile("extra.cedar", text),)))
    assert complaint in caught.value.message


def test_the_schema_in_the_specification() -> None:
    """Has every attribute that can be asked for."""
    document = Path(__file__).parents[2] / "docs" / "spec" / "policy.md"
    assert cedarpy.Schema.from_str(SCHEMA)
    told = " ".join(document.read_text(encoding="utf-8").split())
    for line in SCHEMA.splitlines():
        if line.startswith("entity") and "{" in line and line.endswith("};"):
            attributes = line[line.index("{") : line.index("}")]
            assert attributes in told
