"""keys/approval_store.py: what was required, and which approvals were used."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.keys.people import Signer
from tests.keys.state_of_keys import an_empty_state

from strongroom.errors import ApprovalsWeakened, ApprovalUsed
from strongroom.keys.approval_store import Approvals
from strongroom.keys.approvals import Act, Request, Requirement
from strongroom.keys.journal import Journal
from strongroom.keys.sshsig import parse_public_key
from strongroom.state import State

ACT = Act("export", "export the keys of shop/public.t.iban", {"keyset": "shop/public.t.iban"})


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """An empty one."""
    made = an_empty_state(tmp_path)
    yield made
    made.close()


@pytest.fixture
def requirement(tmp_path: Path) -> Requirement:
    """Two of two, for exports."""
    by = {name: (parse_public_key(Signer.make(tmp_path, name).public),) for name in ("anna", "ben")}
    return Requirement(2, by, frozenset({"export"}))


def a_request() -> Request:
    """For the act, now."""
    return Request.new(ACT, "state", "anna@host", datetime.now(UTC))


def test_it_is_on_record_from_its_first_use(state: State, requirement: Requirement) -> None:
    """And comes out as it went in; nothing is on record where nothing was asked for."""
    approvals = Approvals(state.engine)
    assert approvals.required(None) is None
    assert approvals.recorded() is None
    assert approvals.required(requirement) == requirement
    assert Approvals(state.engine).recorded() == requirement
    with pytest.raises(ApprovalsWeakened):
        approvals.required(None)
    assert approvals.recorded() == requirement


def test_it_is_written_down_once(state: State, requirement: Requirement) -> None:
    """Each start asks, and only a change is an event."""
    for _ in range(3):
        Approvals(state.engine).required(requirement)
    (event,) = Journal(state.engine).events()
    assert event.what == "approvals recorded"
    assert event.details["needed"] == "2"
    assert str(event.details["person anna"]).startswith("ssh-ed25519 ")


def test_scopes_do_not_meet(state: State, requirement: Requirement) -> None:
    """What is required of keys is not required of anything else."""
    Approvals(state.engine).required(requirement)
    assert Approvals(state.engine, "protection").required(None) is None


def test_a_change_that_was_signed(state: State, requirement: Requirement) -> None:
    """Also to nothing."""
    approvals = Approvals(state.engine)
    approvals.required(requirement)
    approvals.change(None, ["anna", "ben"])
    assert approvals.required(None) is None
    assert Journal(state.engine).events()[-1].details["signed_by"] == "anna, ben"


def test_an_approval_serves_once(state: State) -> None:
    """Its use and the event of who signed are one write."""
    request = a_request()
    approvals = Approvals(state.engine)
    approvals.begin(request, ["anna", "ben"], resumable=False)
    for resumable in (False, True):
        with pytest.raises(ApprovalUsed):
            approvals.begin(request, ["anna", "ben"], resumable=resumable)
    (event,) = Journal(state.engine).events()
    assert (event.what, event.subject) == ("export approved", ACT.words)
    assert event.details["by"] == "anna, ben"
    approvals.begin(a_request(), ["anna", "ben"], resumable=False)


def test_one_that_may_be_resumed_serves_until_it_is_done(state: State) -> None:
    """A kill in between needs no new signatures."""
    request = a_request()
    approvals = Approvals(state.engine)
    for _ in range(2):
        approvals.begin(request, ["anna", "ben"], resumable=True)
    with pytest.raises(ApprovalUsed):
        approvals.begin(request, ["anna", "ben"], resumable=False)
    approvals.done(request)
    with pytest.raises(ApprovalUsed):
        approvals.begin(request, ["anna", "ben"], resumable=True)
