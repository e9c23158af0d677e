"""acceptance/store.py: what was accepted last, and the changes that wait to be loaded."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.keys.state_of_keys import an_empty_state

from strongroom.acceptance.act import act_of
from strongroom.acceptance.store import Acceptance
from strongroom.keys.approvals import Act, Request
from strongroom.keys.journal import Journal
from strongroom.stance.model import Stance, Weakening
from strongroom.stance.sections import weakenings
from strongroom.state import State

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LOGIN = {"credential_minutes": 10, "session_hours": 8, "failures": 10, "lock_minutes": 15}
BEFORE = Stance({"login": LOGIN})
AFTER = Stance({"login": {**LOGIN, "failures": 50}})
WEAKER = weakenings(BEFORE, AFTER)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """An empty one."""
    made = an_empty_state(tmp_path)
    yield made
    made.close()


def a_request(act: Act) -> Request:
    return Request.new(act, "state", "anna@host", NOW)


def test_what_was_accepted_counts(state: State) -> None:
    """It comes out as it went in, with its number, and is an event."""
    acceptance = Acceptance(state.engine)
    assert acceptance.accepted() is None
    acceptance.accept(1, BEFORE)
    acceptance.accept(2, AFTER)
    found = Acceptance(state.engine).accepted()
    assert found is not None
    assert (found.number, found.stance, found.signed_by, found.signers) == (2, AFTER, (), None)
    assert [one.what for one in Journal(state.engine).events()] == ["protection accepted"] * 2
    acceptance.take_over(7, BEFORE, "shop")
    assert (after := acceptance.accepted()) is not None
    assert after.number == 7


def test_a_change_that_was_signed(state: State) -> None:
    """It is found for these two stances and these words, until its request is over."""
    acceptance = Acceptance(state.engine)
    request = a_request(act_of(BEFORE, AFTER, WEAKER))
    acceptance.sign(request, ("anna", "ben"))
    found = acceptance.signed(BEFORE, AFTER, WEAKER, NOW)
    assert found is not None
    assert (found.request, found.people) == (request, ("anna", "ben"))
    assert acceptance.signed(BEFORE, AFTER, WEAKER, NOW + timedelta(hours=24)) is None
    assert acceptance.signed(AFTER, BEFORE, WEAKER, NOW) is None
    assert acceptance.signed(BEFORE, AFTER, [*WEAKER, Weakening("roles", "more")], NOW) is None


def test_words_that_say_less(state: State) -> None:
    """A request whose words are not those of the change is never it, whoever signed it."""
    act = act_of(BEFORE, AFTER, WEAKER)
    harmless = Act(act.kind, act.words, {**act.fields, "weakens 001": "login: fewer wrong tries are allowed"})
    acceptance = Acceptance(state.engine)
    acceptance.sign(a_request(harmless), ("anna", "ben"))
    assert acceptance.signed(BEFORE, AFTER, WEAKER, NOW) is None


def test_it_serves_once(state: State) -> None:
    """What is accepted uses up what was signed, whichever change it was."""
    acceptance = Acceptance(state.engine)
    acceptance.accept(1, BEFORE)
    acceptance.sign(a_request(act_of(BEFORE, AFTER, WEAKER)), ("anna", "ben"))
    acceptance.accept(2, AFTER, acceptance.signed(BEFORE, AFTER, WEAKER, NOW))
    assert (found := acceptance.accepted()) is not None
    assert found.signed_by == ("anna", "ben")
    acceptance.accept(3, BEFORE)
    assert acceptance.signed(BEFORE, AFTER, WEAKER, NOW) is None
