"""Grants: who may ask, agree, deny and take back, and when a role counts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from strongroom.errors import GrantRefused
from strongroom.lending.model import REASON_AT_MOST, WAITS, Grant, Standing, agreed, asked, denied, revoked
from strongroom.policy.offers import Lent, Offer

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
OFFER = Offer(frozenset({"anna", "berta"}), 4 * HOUR, frozenset({"anna", "berta", "carl"}), 1)
TWO = replace(OFFER, approvals=2)
GLASS = Offer(frozenset({"anna", "dora"}), HOUR)
ANNAS = Grant(7, "repair", "anna", HOUR, "ticket 4711", "anna", NOON)


def test_a_request_waits_for_another_person() -> None:
    """Its time runs from when they agreed, not from when it was asked."""
    grant = asked(OFFER, ANNAS)
    assert grant.standing(NOON) is Standing.WAITING
    assert grant.lent(NOON) is None
    later = NOON + HOUR
    grant = agreed(OFFER, grant, "berta", later)
    assert grant.standing(later) is Standing.IN_FORCE
    assert grant.lent(later) == Lent("repair", later, later + HOUR, agreed=frozenset({"berta"}))
    assert grant.standing(later + HOUR) is Standing.OVER
    assert grant.lent(later + HOUR) is None


def test_nobody_agrees_to_their_own() -> None:
    """Though they are among those who may; nor by granting it to themselves, which is only a question."""
    with pytest.raises(GrantRefused, match="themselves"):
        agreed(OFFER, asked(OFFER, ANNAS), "anna", NOON)
    assert asked(OFFER, replace(ANNAS, made_by="anna")).begins is None


def test_what_another_grants_counts_at_once() -> None:
    """Who makes it has agreed to it."""
    grant = asked(OFFER, replace(ANNAS, made_by="berta"))
    assert (grant.begins, set(grant.agreed)) == (NOON, {"berta"})


def test_where_two_must_agree() -> None:
    """One twice is one, and who may no longer agree when the last one does is none."""
    grant = asked(TWO, replace(ANNAS, made_by="berta"))
    assert grant.begins is None
    with pytest.raises(GrantRefused, match="agreed before"):
        agreed(TWO, grant, "berta", NOON)
    assert agreed(TWO, grant, "carl", NOON).begins == NOON
    without_berta = replace(TWO, by=frozenset({"carl", "dora", "emil"}))
    grant = agreed(without_berta, grant, "carl", NOON)
    assert grant.begins is None
    assert agreed(without_berta, grant, "dora", NOON).begins == NOON


@pytest.mark.parametrize(
    ("changed", "offer"),
    [
        ({"person": "dora", "made_by": "dora"}, OFFER),
        ({"person": "Anna", "made_by": "Anna"}, OFFER),
        ({"person": "аnna", "made_by": "аnna"}, OFFER),  # with a Cyrillic a
        ({}, None),
        ({"length": 4 * HOUR + timedelta(seconds=1)}, OFFER),
        ({"length": timedelta(seconds=59)}, OFFER),
        ({"reason": ""}, OFFER),
        ({"reason": "two\nlines"}, OFFER),
        ({"reason": "x" * (REASON_AT_MOST + 1)}, OFFER),
        ({"made_by": "dora"}, OFFER),
        ({"made_by": "аnna"}, OFFER),
        ({"broke_glass": True, "person": "dora", "made_by": "anna"}, GLASS),
        ({"broke_glass": True, "length": 2 * HOUR}, GLASS),
        ({"broke_glass": True, "person": "berta", "made_by": "berta"}, GLASS),
    ],
)
def test_what_may_not_be_asked(changed: dict[str, object], offer: Offer | None) -> None:
    """For others, for longer, without a reason, by who may not; glass is broken for oneself alone."""
    with pytest.raises(GrantRefused):
        asked(offer, replace(ANNAS, **changed))  # type: ignore[arg-type]  # the table has each of its own type


def test_an_offer_that_changed() -> None:
    """What was asked under an older one is not agreed to under the new."""
    grant = asked(OFFER, ANNAS)
    for changed in (None, replace(OFFER, to=frozenset({"berta"})), replace(OFFER, longest=HOUR / 2)):
        with pytest.raises(GrantRefused):
            agreed(changed, grant, "carl", NOON)


def test_a_question_lapses() -> None:
    """Nobody agrees to what was asked a day ago."""
    grant = asked(OFFER, ANNAS)
    assert grant.standing(NOON + WAITS) is Standing.LAPSED
    with pytest.raises(GrantRefused, match="lapsed"):
        agreed(OFFER, grant, "carl", NOON + WAITS)


def test_the_glass_needs_nobody() -> None:
    """It counts at once, and is known for what it is."""
    grant = asked(GLASS, replace(ANNAS, broke_glass=True))
    assert grant.lent(NOON) == Lent("repair", NOON, NOON + HOUR, broke_glass=True)


def test_denied_is_denied() -> None:
    """By who may agree or who asked; no one agrees afterwards, and nobody denies what is in force."""
    for by in ("anna", "carl"):
        grant = denied(OFFER, asked(OFFER, ANNAS), by, NOON)
        assert grant.standing(NOON) is Standing.DENIED
        with pytest.raises(GrantRefused, match="denied"):
            agreed(OFFER, grant, "berta", NOON)
    with pytest.raises(GrantRefused):
        denied(OFFER, asked(OFFER, ANNAS), "dora", NOON)
    with pytest.raises(GrantRefused, match="in force"):
        denied(OFFER, asked(OFFER, replace(ANNAS, made_by="berta")), "berta", NOON)


def test_revoked_is_over() -> None:
    """By who may give it, who has it, or, of broken glass, who else may break it; not twice."""
    for by in ("anna", "berta", "carl"):
        grant = revoked((OFFER, None), asked(OFFER, replace(ANNAS, made_by="berta")), by, NOON)
        assert (grant.standing(NOON), grant.lent(NOON)) == (Standing.REVOKED, None)
        with pytest.raises(GrantRefused):
            revoked((OFFER, None), grant, by, NOON)
    glass = asked(GLASS, replace(ANNAS, broke_glass=True))
    assert revoked((None, GLASS), glass, "dora", NOON).lent(NOON) is None
    with pytest.raises(GrantRefused):
        revoked((None, GLASS), glass, "berta", NOON)
    with pytest.raises(GrantRefused, match="waiting"):
        revoked((OFFER,), asked(OFFER, ANNAS), "berta", NOON)


NAMES = st.sampled_from(["anna", "berta", "carl", "dora"])


@given(
    to=st.frozensets(NAMES),
    by=st.frozensets(NAMES),
    approvals=st.integers(1, 3),
    who=st.tuples(NAMES, NAMES),
    agreeing=st.lists(NAMES, max_size=6),
)
def test_no_role_counts_without_enough_others(
    to: frozenset[str], by: frozenset[str], approvals: int, who: tuple[str, str], agreeing: list[str]
) -> None:
    """Whoever asks, agrees and in whatever order: so many of ``by`` who are not the one who gets it."""
    person, maker = who
    offer = Offer(to, HOUR, by, approvals)
    try:
        grant = asked(offer, Grant(1, "repair", person, HOUR, "why", maker, NOON))
    except GrantRefused:
        assume(False)
    for one in agreeing:
        try:
            grant = agreed(offer, grant, one, NOON)
        except GrantRefused:
            continue
    others = ({maker, *agreeing} & by) - {person}
    assert (grant.begins is not None) == (len(others) >= approvals)
