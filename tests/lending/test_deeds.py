"""Deeds: decided, kept and written down together, or not at all."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from strongroom.config import StateAddress
from strongroom.errors import GrantRefused, GrantUnknown, LoginRefused
from strongroom.lending import deeds, store
from strongroom.lending.model import Standing, Wanted
from strongroom.people import passwords, sign_in
from strongroom.people.model import Verified
from strongroom.policy.offers import Lent, Offer
from strongroom.policy.roles import Policy, Role
from strongroom.secret import Secret
from strongroom.state import State, open_state

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
BOTH = frozenset({"anna", "berta", "carl"})
POLICY = Policy(
    {
        "repair": Role(
            "repair",
            frozenset({"shop"}),
            temporary=Offer(BOTH, HOUR, BOTH, 1),
            break_glass=Offer(frozenset({"anna"}), HOUR),
        ),
        "double": Role("double", frozenset({"shop"}), temporary=Offer(BOTH, HOUR, BOTH, 2)),
    }
)
REPAIR = Wanted("repair", "anna", HOUR, "ticket 4711")


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[State]:
    """Of three people."""
    monkeypatch.setattr(passwords, "MEMORY_KIB", 64)
    opened = open_state(StateAddress(tmp_path / "state.db"))
    for name in sorted(BOTH):
        sign_in.add(opened, name, Secret("correct horse battery"), NOON - HOUR)
    yield opened
    opened.close()


def verified(person: str, at: datetime = NOON) -> Verified:
    """Somebody who has shown who they are."""
    return Verified(person, "password and totp", at)


def said(state: State) -> list[tuple[str, str, object]]:
    """What the record has."""
    with state.engine.begin() as connection:
        return [(one.what, one.person, one.details["by"]) for one in store.record(connection)]


def lent(state: State, now: datetime = NOON) -> dict[str, tuple[Lent, ...]]:
    """What counts."""
    with state.engine.begin() as connection:
        return dict(store.in_force(connection, now))


def test_from_the_question_to_the_end(state: State) -> None:
    """Asked, agreed to, in force, revoked; the record has each step."""
    asked = deeds.ask(state, POLICY, verified("anna"), REPAIR)
    assert lent(state) == {}
    deeds.approve(state, POLICY, verified("berta"), asked.id)
    assert lent(state) == {"anna": (Lent("repair", NOON, NOON + HOUR, agreed=frozenset({"berta"})),)}
    assert lent(state, NOON + HOUR) == {}
    deeds.revoke(state, POLICY, verified("carl"), asked.id)
    assert lent(state) == {}
    assert said(state) == [
        (deeds.ASKED, "anna", "anna"),
        (deeds.GRANTED, "anna", "berta"),
        (deeds.REVOKED, "anna", "carl"),
    ]


def test_what_is_refused_leaves_nothing(state: State) -> None:
    """Neither a grant nor a line, and what was there stays as it was."""
    asked = deeds.ask(state, POLICY, verified("anna"), REPAIR)
    for number, error in ((asked.id, GrantRefused), (asked.id + 1, GrantUnknown)):
        with pytest.raises(error):
            deeds.approve(state, POLICY, verified("anna"), number)
    with pytest.raises(GrantRefused):
        deeds.ask(state, POLICY, verified("anna"), Wanted("nowhere", "anna", HOUR, "why"))
    assert (lent(state), said(state)) == ({}, [(deeds.ASKED, "anna", "anna")])


def test_a_denied_question_is_not_agreed_to(state: State) -> None:
    """By whoever."""
    asked = deeds.ask(state, POLICY, verified("anna"), REPAIR)
    assert deeds.deny(state, POLICY, verified("berta"), asked.id).standing(NOON) is Standing.DENIED
    with pytest.raises(GrantRefused):
        deeds.approve(state, POLICY, verified("carl"), asked.id)


def test_the_glass(state: State) -> None:
    """Counts at once, and waits to be announced."""
    glass = Wanted("repair", "anna", HOUR, "fire", broke_glass=True)
    deeds.ask(state, POLICY, verified("anna"), glass)
    assert lent(state)["anna"][0].broke_glass
    with state.engine.begin() as connection:
        (event,) = store.unannounced(connection)
        assert (event.what, event.details["reason"]) == (deeds.BROKE_GLASS, "fire")
        store.announce(connection, [event])
        assert store.unannounced(connection) == []
    with pytest.raises(GrantRefused):
        deeds.ask(state, POLICY, verified("berta"), Wanted("repair", "berta", HOUR, "fire", broke_glass=True))


def test_who_was_renewed_since_does_nothing(state: State) -> None:
    """Between the code and the deed."""
    asked = deeds.ask(state, POLICY, verified("anna"), REPAIR)
    sign_in.disable(state, "berta", NOON + HOUR / 60)
    with pytest.raises(LoginRefused):
        deeds.approve(state, POLICY, verified("berta"), asked.id)


def test_who_is_disabled_or_renewed_has_nothing(state: State) -> None:
    """What was in force is revoked, what was asked denied, and what they agreed to needs another."""
    deeds.ask(state, POLICY, verified("berta"), REPAIR)
    deeds.ask(state, POLICY, verified("anna"), REPAIR)
    carls = deeds.ask(state, POLICY, verified("anna"), Wanted("double", "carl", HOUR, "why"))
    sign_in.add(state, "anna", Secret("correct horse battery"), NOON)
    assert lent(state) == {}
    assert deeds.approve(state, POLICY, verified("berta"), carls.id).begins is None
    with state.engine.begin() as connection:
        standings = [one.standing(NOON) for one in store.every(connection)]
    assert standings == [Standing.REVOKED, Standing.DENIED, Standing.WAITING]


def test_a_number_is_never_anothers(state: State) -> None:
    """The state keeps what is over, and counts on."""
    numbers = [deeds.ask(state, POLICY, verified("anna"), REPAIR).id for _ in range(3)]
    assert numbers == [1, 2, 3]
