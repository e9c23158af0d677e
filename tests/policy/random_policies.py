"""Random policies, subjects and requests that meet: what `authorizer` is held against `naive` with."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from ipaddress import ip_address, ip_network
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from strongroom.policy.conditions import ALWAYS, Conditions, Hours
from strongroom.policy.model import (
    COLUMN_ACTIONS,
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
from strongroom.policy.residual import Limits
from strongroom.policy.roles import (
    CONSTANT,
    REVEAL,
    ClassRule,
    ColumnRule,
    FunctionRule,
    Policy,
    Role,
    TableRule,
)

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
ALL_TABLES = TableRule(Pattern((ANY, ANY)), frozenset(TABLE_ACTIONS), place="tables.*")

# Few, so that rules and requests meet; some look alike, or mean something to a pattern or to Cedar.
STRANGE = ["ab", "abc", "A", "a.b", "a*", 'a"', "é", "e\u0301", "\\", "а"]
names = st.sampled_from(["a"] * 12 + ["b"] * 4 + STRANGE)
parts: st.SearchStrategy[Part] = st.one_of(
    names.map(lambda name: (name,)),
    st.just(ANY),
    st.just(ANY),
    st.lists(st.sampled_from(["", "a", "b", "*", "."]), min_size=2, max_size=3).map(tuple),
)
masks = st.sampled_from(
    [
        *(REVEAL, REVEAL, None, Mask("last", 4), Mask("last", 2), Mask("first", 2), Mask("email")),
        *(Mask("number", 10), Mask("number", 9), Mask("date", "year"), Mask("date", "month"), CONSTANT),
    ]
)
classes = st.sampled_from(list(DataClass))
databases = st.sampled_from(["shop"] * 5 + ["other"])


def patterns(length: int) -> st.SearchStrategy[Pattern]:
    return st.tuples(*[parts] * length).map(Pattern)


numbers = st.sampled_from([time(0), time(6), time(9, 30), time(18), time(22)])
hours = st.builds(
    Hours,
    st.frozensets(st.integers(0, 6), min_size=1),
    numbers,
    numbers,
    st.sampled_from([ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata")]),
).filter(lambda one: one.begin != one.end or one.end == time())
networks = st.sampled_from([
    *(ip_network("10.0.0.0/8"), ip_network("10.1.2.0/24"), ip_network("0.0.0.0/0")),
    *(ip_network("2001:db8::/33"), ip_network("192.0.2.7"), ip_network("::/0")),
])  # fmt: skip
words = st.frozensets(st.sampled_from(["acme", "Acme", "desk"]), min_size=1)
few = st.sampled_from([None, None, None, 0, 10, 11])


def conditions(name: str) -> st.SearchStrategy[Conditions]:
    """Mostly one, now and then several."""
    of: dict[str, st.SearchStrategy[Any]] = {
        "addresses": st.lists(networks, min_size=1, max_size=2).map(tuple),
        "second_factor": st.just(timedelta(minutes=15)),
        "hours": st.lists(hours, min_size=1, max_size=2).map(tuple),
        "applications": words,
        "certificate": st.just(True),
        "tenants": words,
        "assumed": st.just(name),
    }
    kinds = st.sets(st.sampled_from(sorted(of)), min_size=1, max_size=2)
    some = kinds.flatmap(lambda names: st.fixed_dictionaries({one: of[one] for one in sorted(names)}))
    return st.just(ALWAYS) | some.map(lambda given: Conditions(**given))


@st.composite
def roles(draw: st.DrawFn, name: str, others: Sequence[str]) -> Role:
    tables = draw(st.sampled_from([[], [ALL_TABLES]])) + draw(
        st.lists(
            st.builds(
                TableRule,
                patterns(2),
                st.just(frozenset(TABLE_ACTIONS)) | st.frozensets(st.sampled_from(TABLE_ACTIONS)),
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
        draw(conditions(name)),
        Limits(draw(few), draw(few)),
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
    st.frozensets(st.sampled_from(["r0", "r1", "r2", "gone"]), min_size=2),
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
    *[
        st.builds(
            Access,
            st.sampled_from(COLUMN_ACTIONS),
            st.builds(Resource, databases, names, names, names, classes=st.frozensets(classes, max_size=1)),
        )
    ]
    * 4,
)
moments = st.builds(
    Circumstances,
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)) | st.just(NOW),  # noqa: DTZ001 - Hypothesis puts the zone in
    address=st.none()
    | st.sampled_from(["10.1.2.3", "10.9.9.9", "192.0.2.7", "::ffff:10.1.2.3", "2001:db8::"]).map(ip_address),
    second_factor_age=st.sampled_from(
        [None, timedelta(minutes=-1), timedelta(minutes=3), timedelta(minutes=15), timedelta(hours=1)]
    ),
    application=st.sampled_from([None, "desk", "Desk"]),
    certificate=st.booleans(),
    tenant=st.sampled_from([None, "acme", "Acme"]),
    assumed=st.sampled_from([None, "r0", "r1"]),
    rows_this_hour=st.sampled_from([0, 0, 0, 9, 10, 11]),
    reveals_this_hour=st.sampled_from([0, 0, 0, 9, 10, 11]),
)
