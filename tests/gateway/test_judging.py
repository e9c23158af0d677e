"""The judge of one session."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from strongroom.config import StateAddress, load
from strongroom.errors import BudgetSpent
from strongroom.gateway.budgets import Budgets
from strongroom.gateway.judging import SessionJudge, authorizer_of, offered_to
from strongroom.policy.model import DENY, PERMIT, Access, Action, Effect, Resource, Subject
from strongroom.policy.offers import Lent
from strongroom.protect.pseudonyms import PseudonymKey
from strongroom.session.policing import Said
from strongroom.state import open_state

CONFIGURATION = """
state: sqlite:state.db
databases:
  shop: {upstream: "postgresql://db.example/shop", listen: 127.0.0.1:6432}
roles:
  support:
    databases: [shop]
    tables: {public.people: [select]}
    columns: {public.people.id: reveal}
    when: %s
    limits: %s
  repair:
    databases: [shop]
    tables: {public.people: [update]}
"""
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)  # a Monday
UPDATE = Access(Action.UPDATE, Resource("shop", "public", "people"))
PEOPLE = Access(Action.SELECT, Resource("shop", "public", "people"))


class Clock:
    """Stands still until it is told."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


def judge(
    folder: Path,
    when: str,
    clock: Clock | None = None,
    *,
    source: str = "",
    certificate: bool = False,
    second_factor: datetime | None = None,
    limits: str = "{}",
    lent: tuple[Lent, ...] = (),
) -> SessionJudge:
    """Of somebody with the role, under one condition."""
    path = folder / "strongroom.yaml"
    path.write_text(CONFIGURATION % (when, limits))
    authorizer = authorizer_of(load(path, {}))
    assert authorizer is not None
    return SessionJudge(
        authorizer,
        "shop",
        Subject("sam", roles=frozenset({"support"})),
        PseudonymKey(bytes(32)),
        Budgets(open_state(StateAddress(folder / "state.db"))),
        source,
        certificate=certificate,
        second_factor=second_factor,
        lent=lent,
        clock=clock or Clock(),
    )


def test_without_a_policy_nobody_judges(tmp_path: Path) -> None:
    """As long as the configuration says nothing of who may do what."""
    path = tmp_path / "strongroom.yaml"
    path.write_text(CONFIGURATION.partition("roles:")[0])
    assert authorizer_of(load(path, {})) is None


@pytest.mark.parametrize(
    ("when", "said", "source", "effect"),
    [
        ("{}", Said(), "", PERMIT),
        ("{address: 10.0.0.0/8}", Said(), "10.1.2.3", PERMIT),
        ("{address: 10.0.0.0/8}", Said(), "192.0.2.1", DENY),
        ("{address: 10.0.0.0/8}", Said(), "", DENY),
        ("{application: psql}", Said(application="psql"), "", PERMIT),
        ("{application: psql}", Said(), "", DENY),
        ("{tenant: acme}", Said(tenant="acme"), "", PERMIT),
        ("{tenant: acme}", Said(tenant="globex"), "", DENY),
        ("{certificate: yes}", Said(), "", DENY),
    ],
)
def test_what_it_knows_of_a_session(
    tmp_path: Path, when: str, said: Said, source: str, effect: Effect
) -> None:
    """Address, application, tenant, certificate; what is not there does not hold."""
    assert judge(tmp_path, when, source=source).decide([PEOPLE], said).effect is effect


def test_a_certificate(tmp_path: Path) -> None:
    """One that was verified."""
    assert judge(tmp_path, "{certificate: yes}", certificate=True).decide([PEOPLE], Said()).effect is PERMIT


def test_a_second_factor_ages(tmp_path: Path) -> None:
    """While the session is open: its standing changes in that moment, and with it the answer."""
    clock = Clock()
    one = judge(tmp_path, "{second_factor: 15m}", clock, second_factor=NOON - timedelta(minutes=14))
    before = one.standing(Said())
    assert one.decide([PEOPLE], Said()).effect is PERMIT
    clock.now += timedelta(seconds=30)
    assert one.standing(Said()) == before
    clock.now += timedelta(minutes=1)
    assert one.standing(Said()) != before
    assert one.decide([PEOPLE], Said()).effect is DENY


def test_hours_end(tmp_path: Path) -> None:
    """By the clock, for who is connected too."""
    clock = Clock()
    one = judge(tmp_path, "{hours: Mon-Fri 08:00-18:00 UTC}", clock)
    before = one.standing(Said())
    clock.now = NOON.replace(hour=18)
    assert one.standing(Said()) != before
    assert one.decide([PEOPLE], Said()).effect is DENY


def test_a_standing_is_kept_no_longer_than_it_holds(tmp_path: Path) -> None:
    """The same object until a minute or a second factor ends, or the clock or the session says otherwise."""
    clock = Clock()
    shown = NOON - timedelta(minutes=15) + timedelta(seconds=20)
    one = judge(tmp_path, "{second_factor: 15m, hours: Mon 11:00-12:01 UTC}", clock, second_factor=shown)
    before = one.standing(Said())
    clock.now += timedelta(seconds=19)
    assert one.standing(Said()) is before
    assert one.standing(Said(tenant="acme")) is not before
    clock.now += timedelta(seconds=2)
    assert one.standing(Said()) != before
    clock.now = NOON
    assert one.standing(Said()) == before


def test_another_policy_is_another_standing(tmp_path: Path) -> None:
    """Also one of the same words: it was read anew."""
    assert judge(tmp_path, "{}").standing(Said()) != judge(tmp_path, "{}").standing(Said())


def test_a_limit_is_used_up(tmp_path: Path) -> None:
    """Its standing changes in that moment, and what reads is denied until the hour is over."""
    clock = Clock()
    one = judge(tmp_path, "{}", clock, limits="{rows_per_hour: 10}")
    before = one.standing(Said())
    one.spend(10, 0)
    assert one.standing(Said()) != before
    assert one.decide([PEOPLE], Said()).effect is DENY
    with pytest.raises(BudgetSpent):
        one.spend(1, 0)
    clock.now += timedelta(minutes=61)
    assert one.standing(Said()) == before
    assert one.decide([PEOPLE], Said()).effect is PERMIT


@pytest.mark.parametrize("when", ["{}", "{hours: Mon-Fri 08:00-18:00 UTC}"])
def test_a_role_for_a_time_comes_and_goes(tmp_path: Path, when: str) -> None:
    """By the clock, beside what is held; the standing changes in both moments and in no other."""
    clock = Clock()
    hour = timedelta(hours=1)
    one = judge(tmp_path, when, clock, lent=(Lent("repair", NOON + hour, NOON + 2 * hour),))
    seen = []
    for after in (0, 1, 59, 60, 61, 119, 120, 121):
        clock.now = NOON + timedelta(minutes=after)
        seen.append(one.standing(Said()))
        assert one.decide([PEOPLE], Said()).effect is PERMIT
        assert one.decide([UPDATE], Said()).effect is (PERMIT if 60 <= after < 120 else DENY)
    assert [later == earlier for earlier, later in pairwise(seen)] == [
        *(True, True, False, True, True, False, True)
    ]


def test_what_is_offered_no_more_does_not_count(tmp_path: Path) -> None:
    """The offer is the policy's of today; programs have nothing for a time."""
    path = tmp_path / "strongroom.yaml"
    offered = "temporary: {to: [anna], by: [berta], longest: 1h}"
    people = "people: {anna: {databases: [shop]}, berta: {databases: [shop]}}"
    berta = frozenset({"berta"})
    lent = [Lent(role, NOON, NOON + timedelta(hours=4), agreed=berta) for role in ("repair", "gone")]
    for offer, roles in ((offered, 1), ("limits: {}", 0)):
        path.write_text(f"{CONFIGURATION % ('{}', '{}')}    {offer}\n{people}\n")
        authorizer = authorizer_of(load(path, {}))
        assert authorizer is not None
        left = [*offered_to(authorizer.policy, Subject("anna", "person"), lent)]
        assert [one.until - one.begins for one in left] == [timedelta(hours=1)] * roles
        assert not [*offered_to(authorizer.policy, Subject("anna", "account"), lent)]


def test_a_role_that_must_be_assumed(tmp_path: Path) -> None:
    """Counts once it is, and as long as the second factor is fresh; others are not assumed at all."""
    clock, ago = Clock(), NOON - timedelta(minutes=4)
    one = judge(tmp_path, "{assumed: yes, second_factor: 5m}", clock, second_factor=ago)
    assumed = Said(assumed="support")
    assert [one.may_assume(role, Said()) for role in ("support", "Support", "repair", "")] == [
        *(True, False, False, False)
    ]
    assert one.assumed_until("support") == NOON + timedelta(minutes=1)
    assert one.assumed_until("repair") is None
    assert one.standing(assumed) != one.standing(Said())
    for said, effect in ((Said(), DENY), (assumed, PERMIT), (Said(assumed="repair"), DENY)):
        assert one.decide([PEOPLE], said).effect is effect
    clock.now += timedelta(minutes=1, seconds=1)
    assert not one.may_assume("support", Said())
    assert one.decide([PEOPLE], assumed).effect is DENY


def test_a_dangerous_role_for_a_time(tmp_path: Path) -> None:
    """Is assumed like one that is held, until the earlier of the two ends."""
    minute = timedelta(minutes=1)
    one = judge(tmp_path, "{assumed: yes, second_factor: 5m}", second_factor=NOON - minute)
    for left, until in ((minute, NOON + minute), (10 * minute, NOON + 4 * minute)):
        lent = (Lent("support", NOON, NOON + left),)
        borrowed = replace(one, subject=Subject("sam", "person"), lent=lent)
        assert borrowed.may_assume("support", Said())
        assert borrowed.assumed_until("support") == until
    assert not replace(one, subject=Subject("sam", "person")).may_assume("support", Said())


def test_who_has_shown_no_second_factor_assumes_nothing(tmp_path: Path) -> None:
    """A program, whatever role it holds."""
    one = judge(tmp_path, "{assumed: yes, second_factor: 5m}")
    assert not one.may_assume("support", Said())
    assert one.assumed_until("support") is None
