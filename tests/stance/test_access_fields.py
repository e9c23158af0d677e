"""Each field of what a policy is made of is compared in the stance, or stands here with why it is not."""

from dataclasses import fields, replace
from datetime import time, timedelta
from ipaddress import ip_network
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.stance.test_access import (
    AT_ONCE,
    CEDAR,
    EMAIL,
    FULL,
    ONE_MORE,
    PEOPLE,
    SLOWLY,
    found,
    role,
    with_role,
)

from strongroom.policy.conditions import Conditions, Hours
from strongroom.policy.model import DataClass, Mask, Subject
from strongroom.policy.offers import Offer
from strongroom.policy.pattern import ANY, Pattern, exact
from strongroom.policy.residual import Limits
from strongroom.policy.roles import (
    REVEAL,
    CedarFile,
    ClassRule,
    ColumnRule,
    FunctionRule,
    Policy,
    Role,
    TableRule,
)
from strongroom.stance.access import written

WEEKDAYS = Hours(frozenset(range(5)), time(8), time(18), ZoneInfo("Europe/Berlin"))
FIRST = ColumnRule(EMAIL, Mask("first", 4))
SECRET = ColumnRule(DataClass.SECRET, REVEAL)
EVERY = role(
    "every",
    FIRST,
    SECRET,
    functions=(FunctionRule(exact("public", "f")),),
    conditions=Conditions(hours=(WEEKDAYS,)),
    limits=Limits(100, 10),
    temporary=SLOWLY,
    break_glass=AT_ONCE,
)
WHOLE = Policy(
    {"every": EVERY, "full": FULL},
    (Subject("anna", "person", frozenset({"every"}), frozenset({"desk"})),),
    {"desk": frozenset({"every"})},
    (ClassRule(EMAIL, DataClass.SECRET),),
    files=(CEDAR,),
)
"""With something of everything."""


def every(**changed: Any) -> Policy:
    return with_role(replace(EVERY, **changed), WHOLE)


def hours(**changed: Any) -> Policy:
    return every(conditions=Conditions(hours=(replace(WEEKDAYS, **changed),)))


def column(**changed: Any) -> Policy:
    return every(columns=(replace(FIRST, **changed), SECRET))


def anna(**changed: Any) -> Policy:
    return replace(WHOLE, subjects=(replace(WHOLE.subjects[0], **changed),))


OTHER, NAME = exact("public", "other"), exact("public", "people", "name")
PLACE = "says where a rule stands, for people"
FIELDS: dict[type, dict[str, Policy | str]] = {
    Policy: {
        "roles": every(tables=()),
        "subjects": replace(WHOLE, subjects=()),
        "groups": replace(WHOLE, groups={"desk": frozenset({"full"})}),
        "classes": replace(WHOLE, classes=()),
        "mask_by_default": replace(WHOLE, mask_by_default=True),
        "files": replace(WHOLE, files=()),
    },
    Role: {
        "name": "is the key under which the role stands",
        "databases": every(databases=frozenset({"shop", "other"})),
        "tables": every(tables=()),
        "columns": every(columns=()),
        "functions": every(functions=()),
        "conditions": every(conditions=Conditions()),
        "limits": every(limits=Limits()),
        "includes": every(includes=("full",)),
        "temporary": every(temporary=None),
        "break_glass": every(break_glass=None),
    },
    TableRule: {
        "about": every(tables=(replace(PEOPLE, about=OTHER),)),
        "actions": every(tables=(replace(PEOPLE, actions=frozenset()),)),
        "nothing": every(tables=(replace(PEOPLE, nothing=True),)),
        "place": PLACE,
    },
    ColumnRule: {
        "about": column(about=NAME),
        "show": column(show=REVEAL),
        "filter": column(filter=True),
        "write": column(write=True),
        "nothing": column(nothing=True),
        "default": "is of the rule that mask_by_default makes, and of none that is written",
        "place": PLACE,
    },
    FunctionRule: {"about": every(functions=(FunctionRule(OTHER),)), "place": PLACE},
    Conditions: {
        "addresses": every(conditions=Conditions(addresses=(ip_network("10.0.0.0/8"),))),
        "second_factor": every(conditions=Conditions(second_factor=timedelta(minutes=5))),
        "hours": every(conditions=Conditions(hours=())),
        "applications": every(conditions=Conditions(applications=frozenset({"desk"}))),
        "certificate": every(conditions=Conditions(certificate=True)),
        "tenants": every(conditions=Conditions(tenants=frozenset({"acme"}))),
        "assumed": every(conditions=Conditions(assumed="every")),
    },
    Hours: {
        "days": hours(days=frozenset({6})),
        "begin": hours(begin=time(7)),
        "end": hours(end=time(19)),
        "zone": hours(zone=ZoneInfo("UTC")),
    },
    Limits: {
        "rows_per_hour": every(limits=Limits(101, 10)),
        "reveals_per_hour": every(limits=Limits(100, 11)),
    },
    Offer: {
        "to": every(temporary=replace(SLOWLY, to=ONE_MORE)),
        "longest": every(temporary=replace(SLOWLY, longest=timedelta(hours=5))),
        "by": every(temporary=replace(SLOWLY, by=frozenset({"eve"}))),
        "approvals": every(temporary=replace(SLOWLY, approvals=1)),
    },
    Mask: {
        "name": column(show=Mask("last", 4)),
        "argument": column(show=Mask("first", 5)),
    },
    Pattern: {"parts": every(tables=(replace(PEOPLE, about=Pattern((ANY, ANY))),))},
    ClassRule: {
        "pattern": replace(WHOLE, classes=(ClassRule(NAME, DataClass.SECRET),)),
        "data_class": replace(WHOLE, classes=(ClassRule(EMAIL, DataClass.CONFIDENTIAL),)),
        "database": replace(WHOLE, classes=(ClassRule(EMAIL, DataClass.SECRET, "shop"),)),
    },
    CedarFile: {
        "name": "is where it stands; which policies there are counts by what is in them",
        "text": replace(WHOLE, files=(replace(CEDAR, text=CEDAR.text + " "),)),
    },
    Subject: {
        "name": anna(name="eve"),
        "kind": anna(kind="account"),
        "roles": anna(roles=frozenset({"every", "full"})),
        "groups": anna(groups=frozenset()),
    },
}
"""Of all that a policy is made of, each field: a policy in which it is another, or why it does not count."""
CHANGED = {
    f"{kind.__name__}.{name}": changed
    for kind, named in FIELDS.items()
    for name, changed in named.items()
    if isinstance(changed, Policy)
}


def test_every_field_is_thought_of() -> None:
    """Who adds one to a policy says here how it is compared, or why it is not."""
    assert {kind: {one.name for one in fields(kind)} for kind in FIELDS} == {
        kind: set(named) for kind, named in FIELDS.items()
    }


@pytest.mark.parametrize("changed", CHANGED.values(), ids=CHANGED)
def test_a_field_counts(changed: Policy) -> None:
    """Another policy by it alone has another text, and one of the two is weaker."""
    assert written(changed) != written(WHOLE)
    assert found(WHOLE, changed) + found(changed, WHOLE) != []
