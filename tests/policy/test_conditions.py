"""Under which circumstances a role counts."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from ipaddress import ip_address, ip_network
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.policy import naive
from tests.policy.random_policies import conditions, hours, moments

from strongroom.errors import Bug
from strongroom.policy.conditions import Conditions, Hours
from strongroom.policy.model import Circumstances

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = Hours(frozenset(range(5)), time(8), time(18), BERLIN)
NIGHT = Hours(frozenset({4}), time(22), time(6), BERLIN)
MOMENT = timedelta(microseconds=1)
WHOLE_DAY = Hours(frozenset({6}), time(0), time(0), BERLIN)


@pytest.mark.parametrize(
    ("hours", "moment", "holds"),
    [
        pytest.param(OFFICE, "2026-11-23 08:00", True, id="Monday, the first moment"),
        pytest.param(OFFICE, "2026-11-23 07:59", False, id="before it"),
        pytest.param(OFFICE, "2026-11-23 17:59", True, id="the last minute"),
        pytest.param(OFFICE, "2026-11-23 18:00", False, id="the end is not meant"),
        pytest.param(OFFICE, "2026-11-22 10:00", False, id="Sunday"),
        pytest.param(NIGHT, "2026-11-27 22:00", True, id="Friday night"),
        pytest.param(NIGHT, "2026-11-28 05:59", True, id="goes on on Saturday"),
        pytest.param(NIGHT, "2026-11-28 06:00", False, id="and ends"),
        pytest.param(NIGHT, "2026-11-27 05:00", False, id="Thursday's night is not meant"),
        pytest.param(NIGHT, "2026-11-28 22:00", False, id="nor Saturday's"),
        pytest.param(WHOLE_DAY, "2026-11-22 00:00", True, id="the day begins"),
        pytest.param(WHOLE_DAY, "2026-11-22 23:59", True, id="and ends at midnight"),
        pytest.param(WHOLE_DAY, "2026-11-23 00:00", False, id="which is the next day"),
        pytest.param(OFFICE, "2026-03-30 08:00", True, id="after the clocks went forward"),
        pytest.param(OFFICE, "2026-10-26 08:00", True, id="after they went back"),
    ],
)
def test_hours(hours: Hours, moment: str, holds: bool) -> None:
    """By the clock on the wall of the zone, whatever zone the moment comes in."""
    local = datetime.fromisoformat(moment).replace(tzinfo=BERLIN)
    assert hours.hold(local) is holds
    assert hours.hold(local.astimezone(UTC)) is holds


@pytest.mark.parametrize(
    ("age", "holds"),
    [(None, False), (0, True), (900, True), (901, False), (-1, False)],
)
def test_the_age_of_a_second_factor(age: int | None, holds: bool) -> None:
    """Not older, and not from the future; one that was not shown has no age."""
    shown = None if age is None else timedelta(seconds=age)
    conditions = Conditions(second_factor=timedelta(minutes=15))
    assert conditions.hold(Circumstances(NOW, second_factor_age=shown)) is holds


@pytest.mark.parametrize(
    ("address", "holds"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("11.0.0.1", False),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        (None, False),
    ],
)
def test_addresses(address: str | None, holds: bool) -> None:
    """One of the networks; IPv4 in IPv6's clothes counts as IPv4; no address is in none."""
    conditions = Conditions(addresses=(ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")))
    found = None if address is None else ip_address(address)
    assert conditions.hold(Circumstances(NOW, address=found)) is holds


@given(
    st.integers(0, 366 * 86_400),
    st.timedeltas(timedelta(minutes=-2), timedelta(minutes=20)),
    st.sampled_from([None, (OFFICE,), (NIGHT, WHOLE_DAY)]),
    st.floats(0, 1, exclude_max=True),
)
def test_until_when_an_answer_holds(
    seconds: int, age: timedelta, hours: tuple[Hours, ...] | None, share: float
) -> None:
    """At no moment before is it another; the moment itself is looked at anew."""
    now = NOW + timedelta(seconds=seconds)
    conditions = Conditions(second_factor=timedelta(minutes=15), hours=hours)
    here = Circumstances(now, second_factor_age=age)
    until = min(conditions.until(here), now + timedelta(hours=2))
    later = max(now, min(now + (until - now) * share, until - MOMENT))  # a share near 1 is rounded up to it
    assert conditions.hold(
        replace(here, now=later, second_factor_age=age + (later - now))
    ) is conditions.hold(here)


def test_an_end_is_not_missed() -> None:
    """In the last moment of a second factor the answer holds for no time at all."""
    here = Circumstances(NOW, second_factor_age=timedelta(minutes=15))
    conditions = Conditions(second_factor=timedelta(minutes=15))
    assert conditions.hold(here)
    assert conditions.until(here) == NOW


def test_all_must_hold() -> None:
    """Each that is named, by any of its values; one that is not known does not hold."""
    conditions = Conditions(
        applications=frozenset({"psql", "a"}), certificate=True, tenants=frozenset({"acme"})
    )
    well = {"application": "psql", "certificate": True, "tenant": "acme"}
    assert conditions.hold(Circumstances(NOW, **well))  # type: ignore[arg-type]  # spelt out below
    for name, wrong in [
        ("application", "PSQL"),
        ("certificate", False),
        ("tenant", None),
        ("tenant", "Acme"),
    ]:
        circumstances = Circumstances(NOW, **(well | {name: wrong}))  # type: ignore[arg-type]  # as above
        assert not conditions.hold(circumstances)


@given(hours, moments)
@settings(max_examples=1_000, deadline=None)
def test_any_hours_at_any_moment(some: Hours, moment: Circumstances) -> None:
    """The seconds of a week by the clock there, counted, give the same answer."""
    assert some.hold(moment.now) is naive.at(some, moment.now)


@given(conditions("r0"), moments)
@settings(max_examples=500, deadline=None)
def test_any_conditions_under_any_circumstances(some: Conditions, moment: Circumstances) -> None:
    """Each looked at by itself gives the same answer."""
    assert some.hold(moment) is naive.holds(some, moment)


def test_a_moment_has_a_zone() -> None:
    """A naive time would be read in the zone of the machine."""
    with pytest.raises(Bug):
        Circumstances(datetime(2026, 11, 23, 10, 0))  # noqa: DTZ001 - which is the point


def test_how_they_are_told() -> None:
    """In the words of the configuration, nearly."""
    days = Hours(frozenset({0, 1, 2, 4, 6}), time(8), time(0), BERLIN)
    conditions = Conditions((ip_network("10.0.0.0/8"),), timedelta(minutes=90), (days,), certificate=True)
    assert str(conditions).split("; ") == [
        "from 10.0.0.0/8",
        "second factor within 90m",
        "Mon-Wed,Fri,Sun 08:00-24:00 Europe/Berlin",
        "with a certificate",
    ]
