"""Cedar, asked."""

from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from strongroom.errors import Bug
from strongroom.policy.cedar import compile_role
from strongroom.policy.engine import Asker, Engine, context_of
from strongroom.policy.model import Action, Circumstances, Resource, Subject
from strongroom.policy.pattern import ANY, Pattern
from strongroom.policy.roles import Role, TableRule

ALL = TableRule(Pattern((ANY, ANY)), frozenset({Action.SELECT, Action.DDL}), place="all")
ROLE = compile_role(Role("r", frozenset({"shop"}), (ALL,)), mask_by_default=False)
CUSTOMERS = Resource("shop", "public", "customers")
HOLDER = Asker(Subject("a"), frozenset({"r"}), frozenset({"r"}))


def test_answers_come_in_order() -> None:
    """One for each question, whatever their actions, the same question twice included."""
    questions = [
        (Action.SELECT, CUSTOMERS),
        (Action.INSERT, CUSTOMERS),
        (Action.DDL, Resource("shop")),
        (Action.SELECT, CUSTOMERS),
        (Action.SELECT, Resource("other", "public", "customers")),
    ]
    answers = Engine([ROLE]).ask(HOLDER, questions)
    assert [one.allowed for one in answers] == [True, False, True, True, False]
    assert answers[0].rules == ("all",)


def test_a_role_that_does_not_count() -> None:
    """Is held, and permits nothing."""
    asker = Asker(Subject("a"), frozenset({"r"}), frozenset())
    (answer,) = Engine([ROLE]).ask(asker, [(Action.SELECT, CUSTOMERS)])
    assert not answer.allowed


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        (Action.MASK, CUSTOMERS),
        (Action.SELECT, Resource("shop", "public", "customers", "email")),
        (Action.CALL, CUSTOMERS),
        (Action.SELECT, Resource("shop", "public", "\ud800")),
    ],
)
def test_what_makes_no_question(action: Action, resource: Resource) -> None:
    """An action on what it is not for, or a name that is no text, is a defect of who asks; never a yes."""
    with pytest.raises(Bug):
        Engine([ROLE]).ask(HOLDER, [(action, resource)])


def test_no_policy_is_lost() -> None:
    """Two of one id would be one."""
    with pytest.raises(Bug):
        Engine([ROLE, ROLE])


def test_the_context() -> None:
    """What is not known is left out; addresses come as Cedar reads them."""
    now = datetime(2026, 11, 23, tzinfo=UTC)
    assert context_of(Circumstances(now)) == (("certificate", False),)
    found = context_of(Circumstances(now, ip_address("fe80::1%eth0"), None, "psql", True, "acme"))
    assert dict(found) == {"certificate": True, "address": "fe80::1", "application": "psql", "tenant": "acme"}
